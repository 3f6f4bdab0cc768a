//! TCP sockets that have an address and nothing else yet: they can listen, or connect from there.

use super::Stack;
use super::flows::Flow;
use super::table::{Socket, TcpSocket};
use crate::Instant;
use crate::ip::IfaceId;
use crate::socket::{
    BindError, BindOptions, ConnectError, ListenError, Readiness, SocketId, canonical, mapped,
};
use crate::tcp::connection::Connection;
use crate::tcp::listen::Listener;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A TCP socket that is bound, and neither listens nor is connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// In the form in which packets have it.
    pub(super) local: SocketAddr,
    pub(super) options: BindOptions,
}

impl Bound {
    /// What can be done with it right now: nothing, and that at once, as Linux has it.
    pub(super) const READINESS: Readiness = Readiness {
        readable: false,
        writable: true,
        hangup: true,
        error: false,
        connecting: false,
        stamped: false,
        urgent: false,
    };

    pub(super) fn local_shown(&self) -> SocketAddr {
        shown(self.local, self.options.dual)
    }
}

/// An address of a socket, which knows IPv4 addresses in mapped form if it is `dual`.
pub(super) fn shown(address: SocketAddr, dual: bool) -> SocketAddr {
    match dual {
        true => SocketAddr::new(mapped(address.ip()), address.port()),
        false => address,
    }
}

impl Stack {
    /// Binds a TCP socket to `local`: an unspecified address means every address of its family, port 0 an ephemeral port.
    /// [`tcp_listen_on`](Self::tcp_listen_on) or [`tcp_connect_from`](Self::tcp_connect_from) come next, which leave the
    /// handle as it is.
    ///
    /// Without [`BindOptions::reuse_address`] every connection is looked at, those in TIME-WAIT too.
    ///
    /// # Errors
    ///
    /// The port is taken, the address is not this stack's, there is no such interface, or no ephemeral port is free.
    // req: MUST-43
    pub fn tcp_bind(
        &mut self,
        local: SocketAddr,
        options: &BindOptions,
    ) -> Result<SocketId, BindError> {
        let (port, mut holder) = self.claim(|ports| &ports.tcp, local, options, false)?;
        let wire = SocketAddr::new(holder.address, port);
        let both = holder.options.dual && wire.is_ipv6();
        if local.port() != 0 && !options.reuse_address && self.has_connections_at(wire, both) {
            return Err(BindError::InUse);
        }
        let bound = Bound {
            local: wire,
            options: holder.options,
        };
        holder.id = self.table.insert(Socket::Bound(Box::new(bound)));
        self.ports.tcp.bind(port, holder);
        Ok(holder.id)
    }

    /// Whether a connection has the port of `local` on an address that this covers.
    fn has_connections_at(&self, local: SocketAddr, both: bool) -> bool {
        let any = local.ip().is_unspecified();
        self.tcp_connections().any(|(own, ..)| {
            let same_family = both || own.is_ipv4() == local.is_ipv4();
            own.port() == local.port() && (own.ip() == local.ip() || any && same_family)
        })
    }

    /// Has a bound socket listen; otherwise as [`tcp_listen`](Self::tcp_listen).
    ///
    /// # Errors
    ///
    /// [`ListenError::InUse`] when another socket that has the same address and port listens already, unless both are
    /// of one [group](BindOptions::reuse_port); [`ListenError::NotAvailable`] when the handle is not that of a bound socket.
    pub fn tcp_listen_on(&mut self, socket: SocketId, backlog: usize) -> Result<(), ListenError> {
        let not_bound = ListenError::NotAvailable;
        let Bound { local, options } = *self.table.bound(socket).ok_or(not_bound)?;
        let port = local.port();
        let mut holder = *self.ports.tcp.holder(port, socket).ok_or(not_bound)?;
        holder.receives = true;
        if !self.ports.tcp.is_free(port, &holder) {
            return Err(ListenError::InUse);
        }
        if let Some(own) = self.ports.tcp.holder_mut(port, socket) {
            own.receives = true;
        }
        let mut listener = Listener::new(local, backlog, self.tcp_config.syn_backlog);
        listener.dual = options.dual;
        self.table
            .replace(socket, Socket::Listener(Box::new(listener)));
        Ok(())
    }

    /// Begins a connection of a bound socket to `remote`; otherwise as [`tcp_connect`](Self::tcp_connect).
    ///
    /// # Errors
    ///
    /// See [`ConnectError`]; the socket stays bound then. [`ConnectError::NotAvailable`] also when the handle is not that
    /// of a bound socket, or `remote` is of a family that it does not deal with.
    pub fn tcp_connect_from(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), ConnectError> {
        self.tell_time(now);
        let bound = self.table.bound(socket);
        let Bound { local, options } = *bound.ok_or(ConnectError::NotAvailable)?;
        let remote = match options.dual {
            true if remote.is_ipv4() => return Err(ConnectError::NotAvailable),
            true => SocketAddr::new(canonical(remote.ip()), remote.port()),
            false => remote,
        };
        let any = local.ip().is_unspecified();
        if local.is_ipv4() != remote.is_ipv4() && !(options.dual && any && local.is_ipv6()) {
            return Err(ConnectError::NotAvailable);
        }
        let address = match any {
            true if remote.is_ipv4() => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            true => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            false => local.ip(),
        };
        let from = SocketAddr::new(address, local.port());
        let (iface, key) = self.choose_flow(remote, Some(from), options.device)?;
        let origin = self.origin(now, iface, key);
        let connection = Connection::connect(origin, &tcp_context!(self, now));
        self.become_connection(socket, connection, iface, options.dual);
        self.counters.tcp.active_opens += 1;
        self.settle(socket);
        Ok(())
    }

    /// Puts a connection in the place of a bound socket, which keeps its port.
    fn become_connection(
        &mut self,
        socket: SocketId,
        connection: Connection,
        iface: IfaceId,
        dual: bool,
    ) {
        let key = connection.flow;
        let mut tcp = TcpSocket::new(connection, iface);
        tcp.dual = dual;
        if let Some(holder) = self.ports.tcp.holder_mut(key.local().port(), socket) {
            holder.address = key.local().ip();
        }
        self.table.replace(socket, Socket::Tcp(Box::new(tcp)));
        self.table.set_flow(&key, Flow::Connection(socket));
    }

    /// Removes a socket that is only bound.
    pub(super) fn close_bound(&mut self, id: SocketId) {
        if let Some(Bound { local, .. }) = self.table.bound(id).copied() {
            self.ports.tcp.release(local.port(), id);
            self.table.remove(id);
        }
    }
}
