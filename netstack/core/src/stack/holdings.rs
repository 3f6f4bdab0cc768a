//! Which socket holds how much storage.

use super::Stack;
use super::table::Socket;
use crate::socket::SocketId;
use core::fmt;
use std::net::SocketAddr;
use txbuf::Account;

/// What one socket keeps alive, in bytes of storage at its true size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketHoldings {
    /// Its handle.
    pub socket: SocketId,
    /// What it is bound to.
    pub local: SocketAddr,
    /// Whom it is connected to.
    pub peer: Option<SocketAddr>,
    /// For sending: the segments of the stack, and the whole of every buffer of others, that it has not been able to
    /// let go of.
    pub sending: usize,
    /// For what was received and not read. Storage may be shared with other sockets: then each says so.
    pub receiving: usize,
    /// Copies that its reader keeps as spans.
    pub kept: usize,
}

impl fmt::Display for SocketHoldings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local)?;
        if let Some(peer) = self.peer {
            write!(f, " to {peer}")?;
        }
        let Self {
            sending,
            receiving,
            kept,
            ..
        } = self;
        write!(
            f,
            ": {sending} bytes to send, {receiving} received, {kept} kept by the reader"
        )
    }
}

impl Stack {
    /// What each socket with data keeps alive, connections that wait to be accepted or to end included. Takes time in
    /// proportion to what is queued: for people, not for decisions.
    pub fn holdings(&self) -> Vec<SocketHoldings> {
        let sockets = self.table.iter();
        sockets
            .filter_map(|(socket, entry, kept)| held(socket, entry, kept))
            .collect()
    }

    /// Likewise of one socket; `None` of one that holds nothing. Takes time in proportion to what it has queued.
    pub fn holding(&self, socket: SocketId) -> Option<SocketHoldings> {
        let (entry, kept) = self.table.with_kept(socket)?;
        held(socket, entry, kept)
    }

    /// The time for the ages of what is made from now on.
    #[inline]
    pub(super) fn tell_time(&mut self, now: crate::Instant) {
        self.now = now;
        self.pools.ledger.set_now(now.as_nanos());
    }
}

fn held(socket: SocketId, entry: &Socket, kept: Option<&Account>) -> Option<SocketHoldings> {
    let (local, peer, sending, receiving) = match entry {
        Socket::Bound(_) | Socket::Listener(_) | Socket::Gateway(_) => return None,
        Socket::Tcp(tcp) => {
            let connection = &tcp.connection;
            (
                connection.flow.local(),
                Some(connection.flow.remote()),
                connection.snd.queue.storage() + connection.stamps_storage(),
                connection.rcv.storage(),
            )
        }
        Socket::Datagram(entry) => {
            let socket = &entry.socket;
            let (sending, receiving) = socket.storage();
            (socket.local(), socket.peer(), sending, receiving)
        }
    };
    let kept = kept.map_or(0, Account::in_use);
    let holds = sending + receiving + kept > 0;
    holds.then_some(SocketHoldings {
        socket,
        local,
        peer,
        sending,
        receiving,
        kept,
    })
}
