//! What applications ask of TCP: listen, accept, connect, shut down, close.

use super::Stack;
use super::flows::Flow;
use super::table::Socket;
use super::tcp_bind::{Bound, shown};
use crate::Instant;
use crate::ip::classify::{may_be_destination, names_one_host};
use crate::ip::output::Marks;
use crate::ip::{HOP_LIMIT, IfaceId};
use crate::news::News;
use crate::socket::{
    AcceptError, BindOptions, ConnectError, ConnectionError, How, ListenError, OptionError,
    Readiness, SocketError, SocketId, SocketOption,
};
use crate::tcp::connection::Connection;
use crate::tcp::flow::FlowKey;
use crate::tcp::listen::Listener;
use crate::tcp::user_timeout::Told;
use crate::tcp::{TcpInfo, TcpState};
use core::time::Duration;
use std::net::SocketAddr;

/// The bits of a traffic class that belong to the transport.
const ECN: u8 = 0b11;
/// The smallest maximum segment size that an application may ask for, as Linux has it.
const LEAST_SEGMENT: u16 = 88;

impl Stack {
    /// Listens on `local`: an unspecified address means every address of its family, port 0 an
    /// ephemeral port. At most `backlog` connections wait to be accepted; beyond that SYNs are dropped and counted. As
    /// many, or [`TcpConfig::syn_backlog`](crate::TcpConfig::syn_backlog), are half open; beyond that SYNs are answered
    /// with cookies and not remembered.
    ///
    /// # Errors
    ///
    /// The port is taken, the address is not this stack's, or no ephemeral port is free.
    // req: MUST-41, MUST-42
    pub fn tcp_listen(
        &mut self,
        local: SocketAddr,
        backlog: usize,
    ) -> Result<SocketId, ListenError> {
        let options = BindOptions {
            reuse_address: true,
            ..BindOptions::default()
        };
        let (port, mut holder) = self.claim(|ports| &ports.tcp, local, &options, false)?;
        holder.receives = true;
        let local = SocketAddr::new(holder.address, port);
        if !self.ports.tcp.is_free(port, &holder) {
            return Err(ListenError::InUse);
        }
        let listener = Listener::new(local, backlog, self.tcp_config.syn_backlog);
        holder.id = self.table.insert(Socket::Listener(Box::new(listener)));
        self.ports.tcp.bind(port, holder);
        Ok(holder.id)
    }

    /// Takes the connection that has waited longest. It may be over already: what its peer sent before it reset it can be
    /// read, and then the error.
    ///
    /// # Errors
    ///
    /// [`AcceptError::WouldBlock`] when none waits: a readable event follows when one does.
    pub fn tcp_accept(
        &mut self,
        listener: SocketId,
    ) -> Result<(SocketId, SocketAddr), AcceptError> {
        let id = self
            .table
            .listener_mut(listener)?
            .pop()
            .ok_or(AcceptError::WouldBlock)?;
        let (tcp, pending) = self
            .table
            .tcp_and_pending(id)
            .ok_or(AcceptError::WouldBlock)?;
        let remote = shown(tcp.connection.flow.remote(), tcp.dual);
        if tcp.connection.rcv.queued() > 0 || tcp.connection.at_end() {
            self.events.push(id, pending, News::READABLE);
        }
        if tcp.connection.state == TcpState::Closed {
            self.events.push(id, pending, News::CLOSED);
        }
        Ok((id, remote))
    }

    /// Begins a connection to `remote`, from `local` or from an address and port of the stack's choice.
    /// Returns at once; a connected or a closed event follows.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`]; no socket is made then.
    pub fn tcp_connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
    ) -> Result<SocketId, ConnectError> {
        self.tell_time(now);
        let (iface, key) = self.choose_flow(remote, local, None)?;
        let origin = self.origin(now, iface, key);
        let connection = Connection::connect(origin, &tcp_context!(self, now));
        let id = self.add_connection(connection, iface, None);
        self.counters.tcp.active_opens += 1;
        self.settle(id);
        Ok(id)
    }

    // req: MUST-43, MUST-44, MUST-46
    pub(super) fn choose_flow(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        device: Option<IfaceId>,
    ) -> Result<(IfaceId, FlowKey), ConnectError> {
        let reachable =
            may_be_destination(remote.ip()) && names_one_host(remote.ip()) && remote.port() != 0;
        if !reachable || self.addresses.is_broadcast(remote.ip()) {
            return Err(ConnectError::InvalidAddress);
        }
        let (iface, via) = self
            .way_to(remote.ip(), device)
            .ok_or(ConnectError::NoRoute)?;
        let wanted = local
            .filter(|local| !local.ip().is_unspecified())
            .map(|local| local.ip());
        let source = match wanted {
            Some(address) if self.addresses.owns(address) => address,
            Some(_) => return Err(ConnectError::NotAvailable),
            None => {
                let source = self.addresses.select_source(iface, remote.ip(), via);
                source.ok_or(ConnectError::NotAvailable)?
            }
        };
        if source.is_ipv4() != remote.is_ipv4() {
            return Err(ConnectError::NotAvailable);
        }
        let port = local.map_or(0, |local| local.port());
        let key = |port| FlowKey::new(SocketAddr::new(source, port), remote);
        if port != 0 {
            let key = key(port);
            return if self.table.flow(&key).is_none() {
                Ok((iface, key))
            } else {
                Err(ConnectError::InUse)
            };
        }
        let (bound, table, shard) = (&self.ports.tcp, &self.table, self.shard);
        let free = |port| {
            shard.may_choose(port) && !bound.is_used(port) && table.flow(&key(port)).is_none()
        };
        let hash = self.secret.port_hash(&key(0));
        let port = self.searches.find(hash, free);
        Ok((iface, key(port.ok_or(ConnectError::NoPorts)?)))
    }

    /// Shuts one or both halves of a connection.
    ///
    /// # Errors
    ///
    /// [`SocketError::NotConnected`] while it is not established or after it is over.
    pub fn shutdown(&mut self, socket: SocketId, how: How) -> Result<(), SocketError> {
        let tcp = self.table.tcp_mut(socket)?;
        if !tcp.connection.state.is_synchronized() && !tcp.connection.is_early() {
            return Err(SocketError::NotConnected);
        }
        if matches!(how, How::Read | How::Both) {
            tcp.connection.read_shut = true;
            tcp.connection.note(News::READABLE);
        }
        if how == How::Read {
            tcp.connection.rcv.discard_read();
        }
        if matches!(how, How::Write | How::Both) {
            tcp.connection.shutdown_write();
        }
        self.settle(socket);
        Ok(())
    }

    /// Closes a socket: the handle is dead from now on.
    ///
    /// A connection delivers what was written and its FIN in the background. When data it received was
    /// not read, the peer is sent a reset instead: it must not believe that it was. A listener resets
    /// what nobody accepted.
    // req: MAY-1, SHLD-3, U-38
    pub fn close(&mut self, now: Instant, socket: SocketId) {
        self.tell_time(now);
        match self.table.get_mut(socket) {
            Ok(Socket::Tcp(_)) => self.close_connection(now, socket, false),
            Ok(Socket::Bound(_)) => self.close_bound(socket),
            Ok(Socket::Listener(_)) => self.close_listener(now, socket),
            Ok(Socket::Datagram(_)) => self.close_datagram(now, socket),
            Ok(Socket::Gateway(_)) => self.close_gateway(now, socket),
            Err(_) => {}
        }
    }

    /// Closes a socket at once: a connection sends a reset, and what was not sent is lost.
    // req: U-37
    pub fn abort(&mut self, now: Instant, socket: SocketId) {
        self.tell_time(now);
        match self.table.get_mut(socket) {
            Ok(Socket::Tcp(_)) => self.close_connection(now, socket, true),
            _ => self.close(now, socket),
        }
    }

    fn close_connection(&mut self, now: Instant, id: SocketId, abort: bool) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        if tcp.connection.is_orphan() {
            return;
        }
        let is_over = matches!(tcp.connection.state, TcpState::TimeWait | TcpState::Closed);
        let crowded = self.table.orphans >= self.tcp_config.orphans && !is_over;
        self.counters.tcp.orphans_reset += u64::from(crowded);
        self.table.orphans += 1;
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let abort = tcp.connection.release(now, &self.tcp_config) || abort || crowded;
        if abort {
            self.reset_connection(now, id);
        }
        self.settle(id);
        self.retire(now, id);
    }

    /// Fails a connection, and tells the peer if it would know of it.
    fn reset_connection(&mut self, now: Instant, id: SocketId) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let (flow, iface, marks) = (tcp.connection.flow, tcp.iface, tcp.marks);
        let reset = tcp
            .connection
            .reset_due()
            .then(|| tcp.connection.reset_segment(now));
        tcp.connection.fail(ConnectionError::Aborted);
        if let Some(reset) = reset {
            self.send_reset(iface, &flow, marks, &reset);
        }
    }

    /// Resets connections whose handle is gone and that still have something to deliver: before a stack ends, so that no
    /// peer waits for what does not come. A peer that has all is left to read it, which a reset might keep it from.
    pub fn abort_closing(&mut self, now: Instant) {
        self.tell_time(now);
        for id in self.table.ids() {
            if self.is_closing(id) {
                self.reset_connection(now, id);
                self.settle(id);
            }
        }
    }

    fn close_listener(&mut self, now: Instant, id: SocketId) {
        for number in self.table.requests_of(id) {
            self.drop_request(number);
        }
        let Ok(listener) = self.table.listener_mut(id) else {
            return;
        };
        let local = listener.local;
        let mut waiting = Vec::new();
        while let Some(connection) = listener.pop() {
            waiting.push(connection);
        }
        self.ports.tcp.release(local.port(), id);
        self.table.remove(id);
        for connection in waiting {
            self.close_connection(now, connection, true);
        }
    }

    /// Connections whose handle is gone and that still have something to deliver: data or a FIN that
    /// is not acknowledged. What waits for old segments to die is not counted.
    pub fn closing(&self) -> usize {
        if self.table.orphans == 0 {
            return 0;
        }
        let ids = self.table.ids();
        ids.iter().filter(|id| self.is_closing(**id)).count()
    }

    /// Connections whose handle is gone, that have delivered everything, and whose peers are not done: with the stack
    /// gone, nobody would acknowledge their FINs.
    pub fn half_closed(&self) -> usize {
        if self.table.orphans == 0 {
            return 0;
        }
        let waits = |id: &SocketId| {
            self.table.tcp(*id).is_ok_and(|tcp| {
                tcp.connection.is_orphan() && tcp.connection.state == TcpState::FinWait2
            })
        };
        self.table.ids().iter().filter(|id| waits(id)).count()
    }

    fn is_closing(&self, id: SocketId) -> bool {
        self.table
            .tcp(id)
            .is_ok_and(|tcp| tcp.connection.is_orphan() && !tcp.connection.snd.fin_acknowledged())
    }

    /// What can be done with the socket right now.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`].
    pub fn readiness(&self, socket: SocketId) -> Result<Readiness, SocketError> {
        Ok(match self.table.get(socket)? {
            Socket::Bound(_) => Bound::READINESS,
            Socket::Listener(listener) => Readiness {
                readable: listener.has_ready(),
                ..Readiness::default()
            },
            Socket::Gateway(gateway) => Readiness {
                readable: gateway.has_arrivals(),
                ..Readiness::default()
            },
            Socket::Datagram(entry) => super::datagrams::readiness(&entry.socket),
            Socket::Tcp(tcp) => {
                let connection = &tcp.connection;
                let over = connection.state == TcpState::Closed;
                let connecting = connection.is_connecting();
                Readiness {
                    readable: connection.readable() > 0 || connection.at_end(),
                    writable: !connecting && (connection.snd.room() > 0 || !connection.may_write()),
                    hangup: over || connection.state == TcpState::TimeWait,
                    error: connection.error().is_some(),
                    connecting,
                    urgent: connection.rcv.has_urgent_byte(),
                    stamped: connection.stamps().is_some_and(|told| !told.is_empty()),
                }
            }
        })
    }

    /// The address the socket is bound to.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`]; [`SocketError::WrongKind`] for a gateway, which is bound to none.
    pub fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        Ok(match self.table.get(socket)? {
            Socket::Tcp(tcp) => shown(tcp.connection.flow.local(), tcp.dual),
            Socket::Bound(bound) => bound.local_shown(),
            Socket::Listener(listener) => shown(listener.local, listener.dual),
            Socket::Datagram(entry) => entry.socket.local_shown(),
            Socket::Gateway(_) => return Err(SocketError::WrongKind),
        })
    }

    /// The address the socket is connected to.
    ///
    /// # Errors
    ///
    /// [`SocketError::NotConnected`] where it is to none.
    pub fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError> {
        match self.table.get(socket)? {
            Socket::Tcp(tcp) => Ok(shown(tcp.connection.flow.remote(), tcp.dual)),
            Socket::Bound(_) | Socket::Listener(_) | Socket::Gateway(_) => {
                Err(SocketError::NotConnected)
            }
            Socket::Datagram(entry) => entry.socket.peer_shown().ok_or(SocketError::NotConnected),
        }
    }

    /// Why the connection failed, if it did and nobody was told yet (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`].
    pub fn take_error(&mut self, socket: SocketId) -> Result<Option<ConnectionError>, SocketError> {
        Ok(match self.table.get_mut(socket)? {
            Socket::Tcp(tcp) => tcp.connection.take_error(),
            Socket::Bound(_) | Socket::Listener(_) | Socket::Gateway(_) => None,
            Socket::Datagram(entry) => entry.socket.take_error(),
        })
    }

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// The socket has no such option, or the value is none it takes.
    pub fn set_option(
        &mut self,
        now: Instant,
        socket: SocketId,
        option: SocketOption,
    ) -> Result<(), OptionError> {
        self.tell_time(now);
        if let Some(marks) = self.marks(socket)? {
            match option {
                SocketOption::HopLimit(Some(0)) => return Err(OptionError::Invalid),
                SocketOption::HopLimit(limit) => marks.hop_limit = limit.unwrap_or(HOP_LIMIT),
                SocketOption::TrafficClass(class) => marks.traffic_class = class & !ECN,
                _ => return self.set_tcp_option(now, socket, option),
            }
            return Ok(());
        }
        match self.table.get_mut(socket)? {
            Socket::Datagram(entry) => entry.socket.set_option(option),
            _ => Err(SocketError::WrongKind.into()),
        }
    }

    /// TTL or hop limit, and DSCP, of the packets of a TCP socket; those of a listener are passed on to its connections.
    // req: MUST-48, MUST-49, SHLD-21
    fn marks(&mut self, socket: SocketId) -> Result<Option<&mut Marks>, SocketError> {
        Ok(match self.table.get_mut(socket)? {
            Socket::Tcp(tcp) => Some(&mut tcp.marks),
            Socket::Listener(listener) => Some(&mut listener.marks),
            Socket::Bound(_) | Socket::Datagram(_) | Socket::Gateway(_) => None,
        })
    }

    /// The marks of what a listener sends.
    pub(super) fn listener_marks(&mut self, listener: SocketId) -> Marks {
        let listener = self.table.listener_mut(listener);
        listener.map_or(Marks::default(), |listener| listener.marks)
    }

    fn set_tcp_option(
        &mut self,
        now: Instant,
        socket: SocketId,
        option: SocketOption,
    ) -> Result<(), OptionError> {
        let connection = match (self.table.get_mut(socket)?, option) {
            (Socket::Listener(listener), SocketOption::FastOpen(most)) => {
                listener.set_early_most(usize::from(most));
                return Ok(());
            }
            (Socket::Tcp(tcp), _) => &mut tcp.connection,
            _ => return Err(SocketError::WrongKind.into()),
        };
        match option {
            SocketOption::FastOpenConnect(_) if !connection.is_unsent() => {
                return Err(OptionError::Invalid);
            }
            SocketOption::FastOpenConnect(false) => connection.open_plainly(),
            SocketOption::FastOpenConnect(true) => self.offer_fast_open(socket, true),
            SocketOption::ReceiveTimes(keep) => connection.keep_times(keep),
            SocketOption::Linger(linger) => connection.set_linger(linger),
            SocketOption::AdvertiseUserTimeout(None) => connection.advertise_user_timeout(None),
            SocketOption::AdvertiseUserTimeout(Some(timeout)) => {
                let told = Told::of(timeout).ok_or(OptionError::Invalid)?;
                connection.advertise_user_timeout(Some(told));
            }
            SocketOption::NoDelay(nodelay) => connection.nodelay = nodelay,
            SocketOption::Urgent(urgent) => connection.urgent_data = urgent,
            SocketOption::Cork(cork) => connection.cork = cork,
            SocketOption::QuickAck(quick) => {
                connection.rcv.ack.quick = quick;
                connection.rcv.ack.catch_up();
            }
            SocketOption::UserTimeout(Some(Duration::ZERO)) => return Err(OptionError::Invalid),
            SocketOption::UserTimeout(timeout) => connection.set_user_timeout(now, timeout),
            SocketOption::MaxSegment(most) if most < LEAST_SEGMENT => {
                return Err(OptionError::Invalid);
            }
            SocketOption::MaxSegment(most) => connection.limit_mss(most),
            SocketOption::NotSentLowWater(Some(0)) => return Err(OptionError::Invalid),
            SocketOption::NotSentLowWater(most) => {
                let default = self.tcp_config.not_sent_most();
                connection.snd.not_sent_most =
                    most.map_or(default, |most| u32::try_from(most).unwrap_or(u32::MAX));
                connection.note_room();
            }
            SocketOption::KeepAlive(keep_alive) => {
                if keep_alive
                    .is_some_and(|k| k.idle.is_zero() || k.interval.is_zero() || k.probes == 0)
                {
                    return Err(OptionError::Invalid);
                }
                connection.set_keep_alive(now, keep_alive);
            }
            SocketOption::SendBuffer(0) | SocketOption::ReceiveBuffer(0) => {
                return Err(OptionError::Invalid);
            }
            SocketOption::SendBuffer(limit) => connection.snd.queue.set_limit(limit),
            SocketOption::ReceiveBuffer(limit) => connection.set_receive_limit(limit),
            SocketOption::PacingRate(Some(0)) => return Err(OptionError::Invalid),
            SocketOption::PacingRate(limit) => connection.snd.pacer_mut().set_limit(limit),
            SocketOption::Congestion(algorithm) => connection.snd.set_congestion(now, algorithm),
            _ => return Err(SocketError::WrongKind.into()),
        }
        self.settle(socket);
        Ok(())
    }

    /// A snapshot of a connection (`TCP_INFO`).
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is no connection.
    pub fn tcp_info(&self, socket: SocketId) -> Result<TcpInfo, SocketError> {
        let now = self.latest_time();
        Ok(self.table.tcp(socket)?.connection.info(now))
    }

    /// Whether more may come on a connection before something of it is read: it does not once the peer has closed, or
    /// what waits fills the window.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is no connection.
    pub fn tcp_may_receive(&self, socket: SocketId) -> Result<bool, SocketError> {
        Ok(self.table.tcp(socket)?.connection.may_receive_more())
    }

    /// The connections of the stack, held or not, for listings.
    pub fn tcp_connections(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr, TcpInfo)> {
        let now = self.latest_time();
        let connections = self.table.ids().into_iter().filter_map(move |id| {
            let connection = &self.table.tcp(id).ok()?.connection;
            Some((connection.flow, connection.info(now)))
        });
        let time_waits = self.table.time_waits.iter();
        connections
            .chain(time_waits.map(|time_wait| (time_wait.flow, TcpInfo::in_time_wait())))
            .map(|(flow, info)| (flow.local(), flow.remote(), info))
    }

    /// The handle of the connection with this four-tuple.
    pub(super) fn connection_of(&self, key: &FlowKey) -> Option<SocketId> {
        match self.table.flow(key)? {
            Flow::Connection(id) => Some(id),
            Flow::Request(_) | Flow::TimeWait(_) => None,
        }
    }
}
