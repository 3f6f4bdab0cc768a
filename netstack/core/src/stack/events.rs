//! What applications are to be told. Each socket stands in the queue at most once, so that the queue is
//! never longer than there are sockets.

use crate::news::News;
use crate::socket::{Event, SocketId};
use std::collections::VecDeque;

/// Events of one socket that were not told yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    /// A socket with any stands in the queue.
    news: News,
    /// What is to be told when there is storage again.
    short: News,
}

/// The queue of sockets with news.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<SocketId>,
}

impl Pending {
    /// Takes what is to be told.
    pub(super) fn take(&mut self) -> News {
        core::mem::take(&mut self.news)
    }

    /// Keeps `news` until there is storage again; says whether it is the first.
    pub(super) fn wait_for_storage(&mut self, news: News) -> bool {
        let first = !self.short.any();
        self.short |= news;
        first
    }

    /// Takes what was kept until there is storage again.
    pub(super) fn take_waiting(&mut self) -> News {
        core::mem::take(&mut self.short)
    }
}

impl Events {
    /// Adds `news` of `socket` to what is to be told.
    pub(super) fn push(&mut self, socket: SocketId, pending: &mut Pending, news: News) {
        if news.any() && !pending.news.any() {
            self.queue.push_back(socket);
        }
        pending.news |= news;
    }

    /// The next socket with news, and all its news, which `take` takes from the socket; `None` from it
    /// means that the socket is gone.
    pub(super) fn pop(&mut self, mut take: impl FnMut(SocketId) -> Option<News>) -> Option<Event> {
        loop {
            let socket = self.queue.pop_front()?;
            let Some(news) = take(socket) else {
                continue;
            };
            return Some(Event {
                socket,
                readable: news.has(News::READABLE),
                writable: news.has(News::WRITABLE),
                connected: news.has(News::CONNECTED),
                closed: news.has(News::CLOSED),
                completed: news.has(News::COMPLETED),
                urgent: news.has(News::URGENT),
                stamped: news.has(News::STAMPED),
            });
        }
    }

    /// Whether there is news.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
