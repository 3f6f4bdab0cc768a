//! Data that goes with SYNs (RFC 7413): what listeners take, and what connections may send.

use super::Stack;
use crate::Instant;
use crate::ip::IfaceId;
use crate::socket::{ConnectionError, SocketId, canonical};
use crate::tcp::connection::Connection;
use crate::tcp::fast_open::cache::Known;
use crate::tcp::fast_open::{self, Cookie, FastOpen, RESET_LINGERS};
use crate::tcp::handshake::{Agreed, Origin};
use crate::tcp::segment::Segment;
use std::net::IpAddr;
use txbuf::Span;

/// What a listener does about the Fast Open option and the data of a SYN.
pub(super) enum Verdict {
    /// The handshake is a plain one; its SYN-ACK gives this cookie, if any. Data is dropped, and comes again.
    Plain(Option<Cookie>),
    /// The data is taken; a new cookie is given if the old one is about to lose its worth.
    Take(Option<Cookie>),
}

/// A SYN that may bring data.
pub(super) struct Early {
    pub(super) listener: SocketId,
    pub(super) iface: IfaceId,
    pub(super) origin: Origin,
    pub(super) agreed: Agreed,
    pub(super) cookie: Option<Cookie>,
}

impl Stack {
    /// What a SYN for `listener` leads to.
    // req: RFC7413-02, RFC7413-03, RFC7413-10, RFC7413-14, RFC7413-17
    pub(super) fn judge_fast_open(
        &mut self,
        now: Instant,
        listener: SocketId,
        origin: &Origin,
        syn: &Segment,
    ) -> Verdict {
        let wanted = self.tcp_config.fast_open;
        let has_data = syn.len > 0;
        if !wanted.has(FastOpen::SERVER) || syn.options.fast_open.is_none() && !has_data {
            return Verdict::Plain(None);
        }
        let all = wanted.has(FastOpen::ALL_LISTENERS);
        let Ok(listener) = self.table.listener_mut(listener) else {
            return Verdict::Plain(None);
        };
        if !listener.takes_early(all) {
            return Verdict::Plain(None);
        }
        let has_room = listener.has_early_room(now);
        let trusted = wanted.has(FastOpen::SERVER_WITHOUT_COOKIE);
        let shown = syn.options.fast_open;
        let judged = shown
            .filter(|cookie| !cookie.is_empty())
            .and_then(|cookie| fast_open::judge(&self.secret, now, &origin.flow, &cookie));
        let counters = &mut self.counters.tcp;
        let refused = judged.is_none() && shown.is_some_and(|cookie| !cookie.is_empty());
        counters.fast_open_cookies_refused += u64::from(refused);
        let good = judged.is_some() || trusted && has_data;
        counters.fast_open_overflows += u64::from(good && has_data && !has_room);
        let renews = shown.is_some() && judged != Some(true);
        let given = renews.then(|| fast_open::cookie(&self.secret, now, &origin.flow));
        match good && has_room && (has_data || judged.is_some()) {
            true => Verdict::Take(given),
            // No more connections of this kind are wanted than there is room for.
            false if good && !has_room => Verdict::Plain(None),
            false => Verdict::Plain(given),
        }
    }

    /// Makes a connection of a SYN at once, and hands its data to whoever accepts it.
    // req: RFC7413-11
    pub(super) fn open_early(
        &mut self,
        now: Instant,
        early: Early,
        syn: &Segment,
        payload: Option<Span>,
    ) {
        let mut context = tcp_context!(self, now);
        let (agreed, cookie) = (&early.agreed, early.cookie);
        let mut connection = Connection::early(early.origin, agreed, cookie, syn, &context);
        if let Some(payload) = payload {
            connection.take_early(&mut context, payload);
        }
        self.counters.tcp.fast_open_passive += 1;
        self.counters.tcp.fast_open_cookies_sent += u64::from(cookie.is_some());
        let id = self.add_passive(connection, early.iface, early.listener);
        self.table.early.insert(id, early.listener);
        if let Ok(listener) = self.table.listener_mut(early.listener) {
            listener.on_early();
        }
        self.settle(id);
    }

    /// Notes that the handshake of a connection is over whose SYN brought data, if it is.
    pub(super) fn settle_early(&mut self, id: SocketId) {
        if self.table.early.is_empty() {
            return;
        }
        let lingers = match self.table.tcp(id) {
            Ok(tcp) if tcp.connection.is_early() => return,
            Ok(tcp) if tcp.connection.error() == Some(ConnectionError::Reset) => {
                Some(self.now + RESET_LINGERS)
            }
            _ => None,
        };
        if let Some(listener) = self.table.early.remove(&id)
            && let Ok(listener) = self.table.listener_mut(listener)
        {
            listener.on_early_settled(lingers);
        }
    }

    /// Has the SYN of a connection, which has not left, carry data if the peer gave a cookie before, or else ask for one.
    /// If it can carry data and is to `wait`, it does not leave before there is some. Without Fast Open, or where it failed
    /// lately, the handshake is a plain one.
    // req: RFC7413-01, RFC7413-05, RFC7413-07, RFC7413-08
    pub(super) fn offer_fast_open(&mut self, socket: SocketId, wait: bool) {
        let wanted = self.tcp_config.fast_open;
        let now = self.now;
        let Ok(tcp) = self.table.tcp_mut(socket) else {
            return;
        };
        let connection = &mut tcp.connection;
        if !wanted.has(FastOpen::CLIENT) || !connection.is_unsent() || connection.is_offering() {
            return;
        }
        let most = u16::try_from(connection.path_mss()).unwrap_or(u16::MAX);
        match self.cookies.lookup(now, connection.flow.remote().ip()) {
            Known::Failed => {}
            Known::Cookie(cookie, mss) => connection.offer(Some(cookie), mss.min(most), wait),
            Known::Nothing if wanted.has(FastOpen::CLIENT_WITHOUT_COOKIE) => {
                connection.offer(None, most, wait);
            }
            Known::Nothing => connection.offer(Some(Cookie::WANTED), 0, false),
        }
    }

    /// Whether the SYN of a connection to `peer` would carry data, as far as is known now.
    pub fn can_fast_open(&self, peer: IpAddr) -> bool {
        let wanted = self.tcp_config.fast_open;
        let known = self.cookies.lookup(self.now, canonical(peer));
        wanted.has(FastOpen::CLIENT)
            && match known {
                Known::Failed => false,
                Known::Cookie(..) => true,
                Known::Nothing => wanted.has(FastOpen::CLIENT_WITHOUT_COOKIE),
            }
    }

    /// Keeps what the handshake of a connection showed.
    pub(super) fn learn_fast_open(&mut self, now: Instant, id: SocketId) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let server = tcp.connection.flow.remote().ip();
        if let Some(learned) = tcp.connection.take_learned() {
            self.cookies.learn(now, server, learned);
        }
    }
}
