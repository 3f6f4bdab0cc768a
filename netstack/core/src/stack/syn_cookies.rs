//! Handshakes of which nothing is remembered: a listener's answer to more SYNs than it may keep.

use super::Stack;
use crate::Instant;
use crate::ip::IfaceId;
use crate::socket::SocketId;
use crate::tcp::connection::Connection;
use crate::tcp::flow::FlowKey;
use crate::tcp::handshake::{Agreed, Origin, Request};
use crate::tcp::segment::Segment;
use crate::tcp::{cookie, reset};
use txbuf::Span;

impl Stack {
    /// Answers a SYN with a cookie, if cookies are allowed, and forgets it.
    // req: RFC4987-04
    pub(super) fn answer_with_cookie(
        &mut self,
        now: Instant,
        iface: IfaceId,
        listener: SocketId,
        origin: Origin,
        agreed: Agreed,
    ) {
        let listener = self.table.listener_mut(listener);
        let (Ok(listener), true) = (listener, self.tcp_config.syn_cookies) else {
            self.counters.tcp.syn_overflows += 1;
            return;
        };
        listener.on_cookie(now);
        let answer = cookie::syn_ack(&self.secret, now, origin, agreed, &self.tcp_config);
        self.counters.tcp.syn_cookies_sent += 1;
        self.send_counted(iface, &origin.flow, &answer);
    }

    /// Whether a cookie of this listener may come back.
    pub(super) fn expects_cookies(&mut self, now: Instant, listener: SocketId) -> bool {
        self.table
            .listener_mut(listener)
            .is_ok_and(|listener| listener.expects_cookies(now))
    }

    /// A segment that may be the third of a handshake of which nothing is remembered.
    // req: RFC4987-10
    pub(super) fn cookie_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        key: FlowKey,
        listener: SocketId,
        mut segment: Segment,
        payload: Option<Span>,
    ) {
        let opened = cookie::open(&self.secret, now, &key, &segment, &self.tcp_config);
        let Some((iss, agreed)) = opened else {
            self.counters.tcp.syn_cookies_refused += 1;
            if let Some(reset) = reset::answer(&segment) {
                self.send_reset(iface, &key, &reset);
            }
            return;
        };
        if self.is_crowded() {
            self.counters.tcp.listen_overflows += 1;
            return;
        }
        self.counters.tcp.syn_cookies_accepted += 1;
        let origin = Origin {
            iss,
            ..self.origin(now, iface, key)
        };
        if !self.hands_over(listener) {
            return self.remember_proven(now, iface, listener, origin, agreed);
        }
        // What is echoed carries options in place of its last milliseconds: no round trip can be measured by it.
        if let Some(timestamps) = &mut segment.options.timestamps {
            timestamps.ecr = 0;
        }
        let connection =
            Connection::established(origin, &agreed, 0, None, &tcp_context!(self, now));
        let id = self.add_passive(connection, iface, listener);
        self.connection_input(now, id, segment, payload);
    }

    /// Remembers a handshake that came back with its cookie while the accept queue was full: the peer believes that it
    /// is connected, and one that waits to be spoken to would wait for ever. The SYN-ACK that is sent again after a
    /// while makes it ask again.
    fn remember_proven(
        &mut self,
        now: Instant,
        iface: IfaceId,
        listener: SocketId,
        origin: Origin,
        agreed: Agreed,
    ) {
        let remembers = self
            .table
            .listener_mut(listener)
            .is_ok_and(|listener| listener.remembers_proven());
        if remembers {
            let mut request = Request::new(origin, agreed, now, &self.tcp_config);
            request.due = false;
            self.remember(request, listener, iface);
        }
    }
}
