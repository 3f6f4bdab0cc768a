//! Listeners and datagram sockets: for the application one socket, with a part on every shard.

mod homes;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, ready};

use netstack_core::{Received, RecvFlags, SendControl, SendFlags, SocketOption};
use parking_lot::Mutex;
use txbuf::{Completion, Completions, IovIter, Token};

use self::homes::Homes;
use super::{Socket, Waitable};
use crate::Netstack;
use crate::waiters::{Direction, Waiter, WaiterKey};

/// One socket with a part on every shard, all bound to the same address and port.
pub(crate) struct Sockets {
    /// By shard; there is one at least.
    parts: Box<[Socket]>,
    /// The part that is asked first next time.
    turn: AtomicUsize,
    /// By which part datagrams go.
    homes: Mutex<Homes>,
}

impl Sockets {
    /// Starts a listener, with room for `backlog` connections on each shard.
    pub(crate) fn listen(net: &Netstack, local: SocketAddr, backlog: usize) -> io::Result<Sockets> {
        Sockets::bind(net, local, |shard, local| {
            Socket::listen(net, shard, local, backlog)
        })
    }

    /// Binds a UDP socket.
    pub(crate) fn bind_udp(net: &Netstack, local: SocketAddr) -> io::Result<Sockets> {
        Sockets::bind(net, local, |shard, local| {
            Socket::bind_udp(net, shard, local)
        })
    }

    /// Binds a part on every shard, to the port that the first is given.
    fn bind(
        net: &Netstack,
        local: SocketAddr,
        mut bind: impl FnMut(usize, SocketAddr) -> io::Result<Socket>,
    ) -> io::Result<Sockets> {
        let first = bind(0, local)?;
        let local = first.local_addr()?;
        let rest = (1..net.shards()).map(|shard| bind(shard, local));
        let parts = std::iter::once(Ok(first)).chain(rest);
        Ok(Sockets::of(net, parts.collect::<io::Result<_>>()?))
    }

    /// One of these parts, by shard.
    pub(super) fn of(net: &Netstack, parts: Box<[Socket]>) -> Sockets {
        Sockets {
            parts,
            turn: AtomicUsize::new(0),
            homes: Mutex::new(Homes::new(net.next_shard())),
        }
    }

    /// One that is on the shard of its only part alone.
    pub(crate) fn one(part: Socket) -> Sockets {
        let net = part.net.clone();
        Sockets::of(&net, Box::new([part]))
    }

    /// Takes a connection from the queue of any part.
    pub(crate) fn poll_accept(
        &self,
        waiter: Option<Waiter<'_>>,
    ) -> Poll<io::Result<(Socket, SocketAddr)>> {
        self.poll_any(waiter, |part, waiter| part.poll_accept(waiter))
    }

    /// Sends all of `from` as one datagram, to the connected peer when there is no address in `control`.
    ///
    /// It goes by the shard that the last datagram of that peer came to, so that the flow stays there; to a peer that was
    /// not heard of lately, by the socket's own.
    pub(crate) fn poll_send_to(
        &self,
        waiter: Option<Waiter<'_>>,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> Poll<io::Result<usize>> {
        let part = match &*self.parts {
            [only] => only,
            parts => {
                let to = control.to.or_else(|| self.peer_addr().ok());
                let homes = self.homes.lock();
                &parts[to.map_or(homes.own(), |to| homes.of(to))]
            }
        };
        part.poll_send_to(waiter, from, flags, control)
    }

    /// Sets the peer of a UDP socket: where `send` sends to and whom alone it receives from.
    pub(crate) fn connect_udp(&self, remote: SocketAddr) -> io::Result<()> {
        self.parts
            .iter()
            .try_for_each(|part| part.connect_udp(remote))
    }

    /// Refuses the UDP flow whose socket this is, and closes it.
    ///
    /// # Errors
    ///
    /// `Unsupported` for another socket.
    pub(crate) fn refuse_flow(&self) -> io::Result<()> {
        match &*self.parts {
            [part] => part.refuse_flow(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Sets an option of every part.
    pub(crate) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.parts
            .iter()
            .try_for_each(|part| part.set_option(option))
    }

    /// # Errors
    ///
    /// `NetworkDown` when the stack was shut down.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.parts[0].local_addr()
    }

    /// # Errors
    ///
    /// `NotConnected` without a peer.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.parts[0].peer_addr()
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        for part in &self.parts {
            if let Some(error) = part.take_error()? {
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    /// The token of the next message. All are of one part, so that they are numbered in one row, whatever shards the
    /// messages go by.
    pub(crate) fn message_token(&self) -> io::Result<Token> {
        self.parts[0].message_token()
    }

    /// Takes the end at which completions come.
    pub(crate) fn detach_completions(&self) -> io::Result<Option<Completions>> {
        self.parts[0].detach_completions()
    }

    /// Does `op` with the first part that is ready for it, beginning with another one each time; leaves the waiter with
    /// all of them when there is none.
    pub(super) fn poll_any<T>(
        &self,
        waiter: Option<Waiter<'_>>,
        mut op: impl FnMut(&Socket, Option<Waiter<'_>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let [only] = &*self.parts {
            return op(only, waiter);
        }
        let (before, after) = self
            .parts
            .split_at(self.turn.fetch_add(1, Ordering::Relaxed) % self.parts.len());
        // Without leaving wakers first: most often something is there.
        let passes = if waiter.is_some() { 2 } else { 1 };
        for waiter in [None, waiter].into_iter().take(passes) {
            for part in after.iter().chain(before) {
                let done = op(part, waiter);
                if done.is_ready() {
                    return done;
                }
            }
        }
        Poll::Pending
    }
}

impl Waitable for Sockets {
    fn deregister(&self, direction: Direction, key: WaiterKey) {
        for part in &self.parts {
            part.deregister(direction, key);
        }
    }

    fn poll_receive(
        &self,
        waiter: Option<Waiter<'_>>,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Poll<io::Result<Received>> {
        let mut shard = 0;
        let received = ready!(self.poll_any(waiter, |part, waiter| {
            shard = part.shard;
            part.poll_receive(waiter, into, flags)
        }))?;
        if let (2.., Some(from)) = (self.parts.len(), received.from) {
            self.homes.lock().note(from, shard);
        }
        Poll::Ready(Ok(received))
    }

    fn poll_completion(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<Completion>> {
        self.parts[0].poll_completion(waiter)
    }
}
