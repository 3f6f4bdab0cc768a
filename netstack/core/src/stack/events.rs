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
    completed: bool,
    queued: bool,
    /// What is to be told when there is storage again.
    short: News,
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
    pub(super) completed: bool,
}

impl News {
    const NONE: News = News {
        readable: false,
        writable: false,
        connected: false,
        closed: false,
        completed: false,
    };
    /// Something can be read or accepted.
    pub(super) const READABLE: News = News {
        readable: true,
        ..News::NONE
    };
    /// There is room to write.
    pub(super) const WRITABLE: News = News {
        writable: true,
        ..News::NONE
    };
    /// Messages may be complete.
    pub(super) const COMPLETED: News = News {
        completed: true,
        ..News::NONE
    };

    fn any(self) -> bool {
        self.readable || self.writable || self.connected || self.closed || self.completed
    }
}

impl Pending {
    /// Takes what is to be told.
    pub(super) fn take(&mut self) -> Pending {
        let short = self.short;
        Pending {
            short: News::NONE,
            ..core::mem::replace(
                self,
                Pending {
                    short,
                    ..Pending::default()
                },
            )
        }
    }

    /// Keeps `news` until there is storage again; says whether it is the first.
    pub(super) fn wait_for_storage(&mut self, news: News) -> bool {
        let first = !self.short.any();
        self.short.readable |= news.readable;
        self.short.writable |= news.writable;
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
        if !news.any() {
            return;
        }
        pending.readable |= news.readable;
        pending.writable |= news.writable;
        pending.connected |= news.connected;
        pending.closed |= news.closed;
        pending.completed |= news.completed;
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
                completed,
                ..
            } = pending;
            return Some(Event {
                socket,
                readable,
                writable,
                connected,
                closed,
                completed,
            });
        }
    }

    /// Whether there is news.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
