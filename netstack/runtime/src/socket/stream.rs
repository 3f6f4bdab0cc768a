//! How connections come about, said once for both front ends.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use super::Socket;
use crate::Netstack;
use crate::error::IntoIo as _;
use crate::waiters::{Direction, Waiter};

impl Socket {
    /// Starts a listener of a shard.
    pub(super) fn listen(
        net: &Netstack,
        shard: usize,
        local: SocketAddr,
        backlog: usize,
    ) -> io::Result<Socket> {
        Socket::open(net, shard, |stack, _| {
            stack
                .tcp_listen(local, backlog)
                .map_err(|error| error.into_io())
        })
    }

    /// Starts to connect, by turns on each shard; [`poll_connected`](Socket::poll_connected) says how it ended.
    pub(crate) fn connect(net: &Netstack, remote: SocketAddr) -> io::Result<Socket> {
        Socket::open(net, net.next_shard(), |stack, now| {
            stack
                .tcp_connect(now, remote, None)
                .map_err(|error| error.into_io())
        })
    }

    /// Takes a connection from the listener's queue.
    pub(super) fn poll_accept(
        &self,
        waiter: Option<Waiter<'_>>,
    ) -> Poll<io::Result<(Socket, SocketAddr)>> {
        let accepted = self.poll(Direction::Read, waiter, |state| {
            let accepted = state
                .driven
                .stack
                .tcp_accept(self.id)
                .map_err(|error| error.into_io())?;
            state.driven.open.insert(accepted.0);
            Ok(accepted)
        });
        accepted.map_ok(|(id, peer)| (Socket::new(&self.net, self.shard, id), peer))
    }

    /// Whether connecting has succeeded, or why it failed.
    pub(crate) fn poll_connected(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<()>> {
        self.poll(Direction::Write, waiter, |state| {
            if let Some(error) = state
                .driven
                .stack
                .take_error(self.id)
                .map_err(|error| error.into_io())?
            {
                return Err(error.into_io());
            }
            let readiness = state
                .driven
                .stack
                .readiness(self.id)
                .map_err(|error| error.into_io())?;
            if readiness.connecting {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        })
    }
}
