//! Telling applications that there is storage again, after they were told that there was none.
//!
//! Whoever gives bytes back to an account that somebody waits for rings the doorbell, once for all that wait. Each of
//! them is then told that it may try again, and waits again if others were quicker.

use super::Stack;
use crate::doorbell::Doorbell;
use crate::news::News;
use crate::socket::SocketId;
use txbuf::Account;

/// Who waits for storage.
pub(super) struct Shortage {
    /// Lies within the account of the stack's pools and has nothing charged to it: it is what the doorbell hangs on.
    account: Account,
    /// Each socket at most once: what it is to be told of stands with the socket.
    waiting: Vec<SocketId>,
}

impl Shortage {
    pub(super) fn new(pools: &Account, doorbell: &Doorbell) -> Self {
        Shortage {
            account: pools.within_watched(usize::MAX, doorbell.clone()),
            waiting: Vec::new(),
        }
    }

    /// What [`Stack::short_of_storage`] waits with for bytes of the pools.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }
}

impl Stack {
    /// Has `socket` told `news` when bytes come back. Whoever calls this has said to an account which bytes it waits
    /// for ([`Account::wait`]), and `waits` is what that said.
    pub(super) fn short_of_storage(&mut self, socket: SocketId, news: News, waits: bool) {
        if !waits {
            return self.tell_room(socket, news);
        }
        let list = &mut self.shortage.waiting;
        if list.len() == list.capacity() {
            // Sockets that are gone, before the list grows.
            list.retain(|id| self.table.get(*id).is_ok());
        }
        if let Some(pending) = self.table.pending_mut(socket)
            && pending.wait_for_storage(news)
        {
            list.push(socket);
        }
    }

    /// Tells everybody who waits, if bytes came back.
    pub(super) fn tell_relieved(&mut self) {
        if self.doorbell.take_room() {
            for socket in core::mem::take(&mut self.shortage.waiting) {
                if let Some(pending) = self.table.pending_mut(socket) {
                    let news = pending.take_waiting();
                    self.events.push(socket, pending, news);
                }
            }
        }
    }

    fn tell_room(&mut self, socket: SocketId, news: News) {
        if let Some(pending) = self.table.pending_mut(socket) {
            self.events.push(socket, pending, news);
        }
    }
}
