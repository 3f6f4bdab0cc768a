//! What applications are to be told. Each socket stands in the queue at most once, so that the queue is
//! never longer than there are sockets.

use crate::socket::{Event, SocketId};
use std::collections::VecDeque;

/// Events of one socket that were not told yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    readable: bool,
    writable: bool,
    connected: bool,
    closed: bool,
    queued: bool,
}

/// The queue of sockets with news.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<SocketId>,
}

/// News of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) connected: bool,
    pub(super) closed: bool,
}

impl News {
    /// Something can be read or accepted.
    pub(super) const READABLE: News = News {
        readable: true,
        writable: false,
        connected: false,
        closed: false,
    };
    /// There is room to write.
    pub(super) const WRITABLE: News = News {
        readable: false,
        writable: true,
        connected: false,
        closed: false,
    };

    fn any(self) -> bool {
        self.readable || self.writable || self.connected || self.closed
    }
}

impl Events {
    /// Adds `news` of `socket` to what is to be told.
    pub(super) fn push(&mut self, socket: SocketId, pending: &mut Pending, news: News) {
        if !news.any() {
            return;
        }
        pending.readable |= news.readable;
        pending.writable |= news.writable;
        pending.connected |= news.connected;
        pending.closed |= news.closed;
        if !pending.queued {
            pending.queued = true;
            self.queue.push_back(socket);
        }
    }

    /// The next socket with news, and all its news, which `take` takes from the socket; `None` from it
    /// means that the socket is gone.
    pub(super) fn pop(
        &mut self,
        mut take: impl FnMut(SocketId) -> Option<Pending>,
    ) -> Option<Event> {
        loop {
            let socket = self.queue.pop_front()?;
            let Some(pending) = take(socket) else {
                continue;
            };
            let Pending {
                readable,
                writable,
                connected,
                closed,
                ..
            } = pending;
            return Some(Event {
                socket,
                readable,
                writable,
                connected,
                closed,
            });
        }
    }

    /// Whether there is news.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
