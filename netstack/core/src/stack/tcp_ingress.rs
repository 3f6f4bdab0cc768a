//! A TCP segment finds its connection, its half-open connection, or its listener.

use super::Stack;
use super::fast_open::{Early, Verdict};
use super::flows::Flow;
use super::schedule::Owner;
use super::table::{HalfOpen, Socket, TcpSocket};
use super::turns::Ready;
use crate::Instant;
use crate::ip::classify::names_one_host;
use crate::ip::output::Marks;
use crate::ip::{IfaceId, IpHeader};
use crate::news::News;
use crate::socket::SocketId;
use crate::tcp::connection::Connection;
use crate::tcp::flow::FlowKey;
use crate::tcp::handshake::{Agreed, Answer, Origin, Request};
use crate::tcp::reset;
use crate::tcp::segment::{self, Flags, Segment, SegmentError};
use crate::tcp::seq::Seq;
use std::net::{IpAddr, SocketAddr};
use txbuf::{Packet, Span};

impl Stack {
    /// Takes a TCP packet addressed to this host.
    // req: MUST-57, MUST-63
    pub(super) fn tcp_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        mut packet: Packet,
    ) {
        let (segment, at) = match segment::parse(&mut packet, header) {
            Ok(parsed) => parsed,
            Err(error) => return self.count_segment_error(error),
        };
        self.counters.tcp.in_segments += 1;
        // RFC 1122, 4.2.3.10: never to or from anything but one host.
        let for_others = self.takes_for_others(iface, header.dst);
        let to_one_host = for_others || self.addresses.owns(header.dst);
        if !to_one_host || !names_one_host(header.src) {
            self.counters.tcp.in_not_unicast += 1;
            return;
        }
        let payload = if segment.len == 0 {
            Ok(None)
        } else {
            packet.into_payload(at, &mut self.small)
        };
        let Ok(payload) = payload else {
            self.counters.tcp.in_no_memory += 1;
            return;
        };
        let local = SocketAddr::new(header.dst, segment.dst_port);
        let remote = SocketAddr::new(header.src, segment.src_port);
        let key = FlowKey::new(local, remote);
        match self.table.flow(&key) {
            None if for_others => self.segment_for_others(now, iface, key, segment),
            None => self.listener_input(now, iface, key, segment, payload),
            Some(Flow::Request(number)) => self.request_input(now, number, segment, payload),
            Some(flow) => match (self.make_way(flow, &segment, &key, iface, for_others), flow) {
                (Some(beyond), _) if for_others => {
                    self.syn_for_others(now, iface, key, segment, Some(beyond));
                }
                (Some(beyond), _) => self.syn_input(now, iface, key, &segment, None, Some(beyond)),
                (None, Flow::Connection(id)) => self.connection_input(now, id, segment, payload),
                (None, Flow::TimeWait(number)) => self.time_wait_input(now, number, &segment),
                (None, Flow::Request(_)) => {}
            },
        }
    }

    /// A SYN for an existing connection: one in TIME-WAIT gives way to the new one, if a listener, or a gateway, takes
    /// that. Then returns the sequence number that the new one must begin behind (RFC 9293, 3.6.1).
    // req: MAY-2
    fn make_way(
        &mut self,
        flow: Flow,
        segment: &Segment,
        key: &FlowKey,
        iface: IfaceId,
        for_others: bool,
    ) -> Option<Seq> {
        let others = Flags::PSH | Flags::ECE | Flags::CWR;
        if segment.flags.without(others) != Flags::SYN {
            return None;
        }
        if !for_others {
            let listener = self.listener_for(key, iface)?;
            let listener = self.table.listener_mut(listener);
            if !listener.is_ok_and(|listener| !listener.is_full()) {
                return None;
            }
        }
        let config = &self.tcp_config;
        let beyond = match flow {
            Flow::Connection(id) => {
                let connection = &mut self.table.tcp_mut(id).ok()?.connection;
                if !connection.gives_way_to(segment, config) {
                    return None;
                }
                let beyond = connection.snd.nxt;
                connection.enter_closed();
                self.settle(id);
                beyond
            }
            Flow::TimeWait(number) => {
                let time_wait = self.table.time_waits.time_wait(number)?;
                if !time_wait.gives_way_to(segment, config) {
                    return None;
                }
                let beyond = time_wait.snd_nxt;
                self.end_time_wait(number);
                beyond
            }
            Flow::Request(_) => return None,
        };
        self.counters.tcp.time_wait_reused += 1;
        Some(beyond)
    }

    pub(super) fn connection_input(
        &mut self,
        now: Instant,
        id: SocketId,
        segment: Segment,
        payload: Option<Span>,
    ) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let (flow, iface, marks) = (tcp.connection.flow, tcp.iface, tcp.marks);
        let reset = tcp
            .connection
            .input(&mut tcp_context!(self, now), segment, payload);
        if let Some(reset) = reset {
            self.send_reset(iface, &flow, marks, &reset);
        }
        self.learn_fast_open(now, id);
        self.settle(id);
        self.retire(now, id);
    }

    fn request_input(
        &mut self,
        now: Instant,
        number: u32,
        segment: Segment,
        payload: Option<Span>,
    ) {
        let Some(half_open) = self.table.request_mut(number) else {
            return;
        };
        let (flow, iface) = (half_open.request.origin.flow, half_open.iface);
        let listener = half_open.listener;
        match half_open.request.judge(&segment) {
            Answer::Establish => self.establish(now, number, segment, payload),
            Answer::Repeat => {
                half_open.request.note_repeated(&segment);
                match half_open.request.quiet_until <= now {
                    true => self.request_ready(number),
                    false => self.counters.tcp.challenges_withheld += 1,
                }
            }
            Answer::Forget => self.drop_request(number),
            Answer::Reset => {
                self.counters.tcp.in_bad_ack += 1;
                if let Some(reset) = reset::answer(&segment) {
                    let marks = self.listener_marks(listener);
                    self.send_reset(iface, &flow, marks, &reset);
                }
            }
            Answer::Ignore => self.counters.tcp.in_out_of_window += 1,
        }
    }

    /// The third segment of the handshake: the half-open connection becomes one, and waits to be
    /// accepted. With the accept queue full the segment is dropped; the peer's next one tries again.
    fn establish(&mut self, now: Instant, number: u32, segment: Segment, payload: Option<Span>) {
        let Some(listener) = self
            .table
            .request_mut(number)
            .map(|half_open| half_open.listener)
        else {
            return;
        };
        if !self.hands_over(listener) {
            return;
        }
        let Some(mut half_open) = self.table.take_request(number) else {
            return;
        };
        self.schedule.disarm(&mut half_open.scheduled);
        let HalfOpen {
            mut request, iface, ..
        } = half_open;
        request.settle(&segment);
        let context = tcp_context!(self, now);
        let connection = Connection::established(
            request.origin,
            &request.agreed,
            request.retries,
            request.sent_once,
            &context,
        );
        let id = self.add_passive(connection, iface, listener);
        self.connection_input(now, id, segment, payload);
    }

    /// Whether a listener's accept queue has room for another connection; counts it if not.
    pub(super) fn hands_over(&mut self, listener: SocketId) -> bool {
        let has_room = self
            .table
            .listener_mut(listener)
            .is_ok_and(|listener| !listener.is_full());
        self.counters.tcp.listen_overflows += u64::from(!has_room);
        has_room
    }

    /// Puts a connection that a peer opened into the tables, to wait to be accepted.
    pub(super) fn add_passive(
        &mut self,
        connection: Connection,
        iface: IfaceId,
        listener: SocketId,
    ) -> SocketId {
        let id = self.add_connection(connection, iface, Some(listener));
        self.counters.tcp.passive_opens += 1;
        if let Ok(listener) = self.table.listener_mut(listener) {
            listener.push(id);
        }
        if let Some(pending) = self.table.pending_mut(listener) {
            self.events.push(listener, pending, News::READABLE);
        }
        id
    }

    /// Puts a new connection into the tables; one that a peer opened has something of its listener.
    pub(super) fn add_connection(
        &mut self,
        connection: Connection,
        iface: IfaceId,
        listener: Option<SocketId>,
    ) -> SocketId {
        let key = connection.flow;
        let mut tcp = TcpSocket::new(connection, iface);
        if let Some(Ok(listener)) = listener.map(|id| self.table.listener_mut(id)) {
            tcp.dual = listener.dual;
            tcp.marks = listener.marks;
        }
        let id = self.table.insert(Socket::Tcp(Box::new(tcp)));
        self.table.set_flow(&key, Flow::Connection(id));
        id
    }

    /// A segment that belongs to nothing yet (RFC 9293, 3.10.7.1 and 3.10.7.2).
    // req: U-04, U-05, U-08
    fn listener_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        key: FlowKey,
        segment: Segment,
        payload: Option<Span>,
    ) {
        let listener = self.listener_for(&key, iface);
        let has = |flag| segment.flags.has(flag);
        let (syn, ack, rst) = (has(Flags::SYN), has(Flags::ACK), has(Flags::RST));
        match listener {
            // RFC 9293, 3.10.7.2, fourth: not worth an answer.
            Some(_) if !syn && !ack && !rst => self.counters.tcp.in_bad_flags += 1,
            Some(_) if syn && !ack => self.syn_input(now, iface, key, &segment, payload, None),
            Some(listener) if ack && !syn && !rst && self.expects_cookies(now, listener) => {
                self.cookie_input(now, iface, key, listener, segment, payload);
            }
            _ => {
                self.counters.tcp.in_no_connection += 1;
                if let Some(reset) = reset::answer(&segment) {
                    self.send_reset(iface, &key, Marks::default(), &reset);
                }
            }
        }
    }

    /// A SYN for a listener.
    ///
    /// A connection that follows another of the same name begins behind `beyond`. It is remembered however many are
    /// half open, for a cookie cannot begin where it wants; there are no more such than connections that ended.
    // req: U-06, RFC4987-04, U-07
    fn syn_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        key: FlowKey,
        segment: &Segment,
        payload: Option<Span>,
        beyond: Option<Seq>,
    ) {
        if segment.flags.has(Flags::RST) || segment.flags.has(Flags::FIN) {
            self.counters.tcp.in_bad_flags += 1;
            return;
        }
        let holder = self.listener_for(&key, iface);
        let room = !self.is_crowded();
        let listener = holder.filter(|id| {
            let listener = self.table.listener_mut(*id);
            room && listener.is_ok_and(|listener| !listener.is_full())
        });
        let Some(listener) = listener else {
            self.counters.tcp.syn_overflows += 1;
            return;
        };
        let mut origin = self.origin(now, iface, key);
        let is_v4 = key.remote().is_ipv4();
        let agreed = Agreed::from_syn(segment, is_v4, origin.timestamp_offset, &self.tcp_config);
        let verdict = match beyond {
            None => self.judge_fast_open(now, listener, &origin, segment),
            Some(_) => Verdict::Plain(None),
        };
        let cookie = match verdict {
            Verdict::Plain(cookie) => cookie,
            Verdict::Take(cookie) => {
                let early = Early {
                    listener,
                    iface,
                    origin,
                    agreed,
                    cookie,
                };
                return self.open_early(now, early, segment, payload);
            }
        };
        let remembers = self
            .table
            .listener_mut(listener)
            .is_ok_and(|listener| listener.remembers_syn());
        if !remembers && beyond.is_none() {
            return self.answer_with_cookie(now, iface, listener, origin, agreed);
        }
        origin.iss = behind(origin.iss, beyond);
        let mut request = Request::new(origin, agreed, now, &self.tcp_config);
        request.cookie = cookie;
        self.counters.tcp.fast_open_cookies_sent += u64::from(cookie.is_some());
        let number = self.remember(request, listener, iface);
        self.request_ready(number);
    }

    /// Whether the stack's table of connections is full.
    pub(super) fn is_crowded(&self) -> bool {
        self.table.connection_count() >= self.tcp_config.connections
    }

    /// Puts a half-open connection into the tables. Returns its number.
    pub(super) fn remember(&mut self, request: Request, listener: SocketId, iface: IfaceId) -> u32 {
        let deadline = request.deadline;
        let half_open = HalfOpen {
            request,
            listener,
            iface,
            ready: false,
            scheduled: Default::default(),
        };
        let number = self.table.add_request(half_open);
        if let Ok(listener) = self.table.listener_mut(listener) {
            listener.on_half_open();
        }
        if let Some(half_open) = self.table.request_mut(number) {
            self.schedule.arm(
                Owner::Request(number),
                &mut half_open.scheduled,
                Some(deadline),
            );
        }
        number
    }

    /// Where a connection of this stack starts from.
    pub(super) fn origin(&self, now: Instant, iface: IfaceId, key: FlowKey) -> Origin {
        let interface_mtu = self
            .interface(iface)
            .map_or(576, |interface| interface.mtu());
        let path = self.pmtu.lookup(now, key.remote().ip(), interface_mtu);
        let remote = key.remote().ip();
        Origin {
            flow: key,
            iss: self.secret.isn(now, &key),
            mss: segment_size(path.mtu, remote),
            receive_mss: segment_size(interface_mtu, remote),
            dont_fragment: path.dont_fragment,
            timestamp_offset: self.secret.timestamp_offset(&key),
        }
    }

    /// Has the half-open connection send its SYN-ACK.
    pub(super) fn request_ready(&mut self, number: u32) {
        let Some(half_open) = self.table.request_mut(number) else {
            return;
        };
        half_open.request.due = true;
        if !core::mem::replace(&mut half_open.ready, true)
            && let Some(interface) = self.interfaces.get_mut(half_open.iface.index() as usize)
        {
            interface.turns.join(Ready::Request(number));
        }
    }

    /// Forgets a half-open connection.
    pub(super) fn drop_request(&mut self, number: u32) {
        if let Some(mut half_open) = self.table.take_request(number) {
            self.schedule.disarm(&mut half_open.scheduled);
        }
    }

    /// A half-open connection's SYN-ACK was not answered in time.
    pub(super) fn request_timeout(&mut self, now: Instant, number: u32) {
        let Some(half_open) = self.table.request_mut(number) else {
            return;
        };
        half_open.scheduled = Default::default();
        if half_open.request.on_timeout(now, &self.tcp_config) {
            let deadline = half_open.request.deadline;
            self.schedule.arm(
                Owner::Request(number),
                &mut half_open.scheduled,
                Some(deadline),
            );
            self.counters.tcp.timeouts += 1;
            self.request_ready(number);
        } else {
            self.drop_request(number);
        }
    }

    /// A connection's deadline is reached, or was and has moved.
    pub(super) fn connection_timeout(&mut self, now: Instant, index: u32) {
        let Some(id) = self.table.id_at(index) else {
            return;
        };
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        tcp.scheduled = Default::default();
        let (flow, iface, marks) = (tcp.connection.flow, tcp.iface, tcp.marks);
        if tcp.connection.on_timeout(&mut tcp_context!(self, now)) {
            let reset = tcp.connection.reset_segment(now);
            self.send_reset(iface, &flow, marks, &reset);
        }
        self.settle(id);
    }

    /// After anything happened to a connection: tells its news, arms its timer, has it asked for packets if it may have
    /// any, and cleans up when it is over.
    pub(super) fn settle(&mut self, id: SocketId) {
        self.settle_early(id);
        let Some((tcp, pending)) = self.table.tcp_and_pending(id) else {
            return;
        };
        let happened = tcp.connection.take_happened();
        self.events.push(id, pending, happened);
        if tcp.connection.state == crate::tcp::TcpState::Closed {
            return self.finish(id);
        }
        let has_more = tcp.connection.has_more();
        if !has_more {
            tcp.connection.rest(self.now);
        }
        let deadline = tcp.connection.poll_timeout();
        self.schedule
            .arm(Owner::Connection(id.index), &mut tcp.scheduled, deadline);
        if has_more
            && !core::mem::replace(&mut tcp.ready, true)
            && let Some(interface) = self.interfaces.get_mut(tcp.iface.index() as usize)
        {
            interface.turns.join(Ready::Socket(id));
        }
    }

    /// A connection is over: its four-tuple is free. It goes altogether when its handle is gone; one that waits to be
    /// accepted waits on.
    pub(super) fn finish(&mut self, id: SocketId) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let flow = tcp.connection.flow;
        let unheld = tcp.connection.is_orphan();
        self.schedule.disarm(&mut tcp.scheduled);
        self.table.clear_flow(&flow, Flow::Connection(id));
        // It has a port of its own if it was bound.
        self.ports.tcp.release(flow.local().port(), id);
        if unheld {
            self.table.remove(id);
            self.table.orphans -= 1;
        }
    }

    fn count_segment_error(&mut self, error: SegmentError) {
        let counters = &mut self.counters.tcp;
        let counter = match error {
            SegmentError::Malformed => &mut counters.in_malformed,
            SegmentError::Checksum => &mut counters.in_bad_checksum,
            SegmentError::Port => &mut counters.in_bad_port,
            SegmentError::Unreadable => &mut counters.in_unreadable,
        };
        *counter += 1;
    }
}

/// The largest TCP payload in a packet of `mtu` bytes, options aside (RFC 6691).
// req: MUST-67, RFC6691-01, RFC8200-31
pub(super) fn segment_size(mtu: usize, remote: IpAddr) -> u16 {
    let headers = if remote.is_ipv4() { 40 } else { 60 };
    u16::try_from(mtu.saturating_sub(headers))
        .unwrap_or(u16::MAX)
        .max(1)
}

/// The initial sequence number of a connection that begins behind `beyond`, if it follows another.
pub(super) fn behind(iss: Seq, beyond: Option<Seq>) -> Seq {
    match beyond {
        // Sent faster than the clock of RFC 6528 ticks. An unscaled window ahead, so that no old
        // segment is acceptable.
        Some(beyond) if !iss.after(beyond) => beyond + (usize::from(u16::MAX) + 2),
        _ => iss,
    }
}
