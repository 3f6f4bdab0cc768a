//! Datagrams on their way from the application.

use std::net::{IpAddr, SocketAddr};

use txbuf::{Chain, GATHER_MAX, IovIter, NoMemory, Pool, Span, Token};

use super::socket::{DatagramSocket, Kind};
use super::{MAX_PACKET, OVERHEAD};
use crate::Instant;
use crate::ip::IfaceId;
use crate::ip::join::join;
use crate::socket::{SendControl, SendError, StampRequest, canonical};

/// How the packet of a datagram is addressed and marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marking {
    /// The address it comes from, where its sender said so.
    pub(crate) source: Option<IpAddr>,
    /// The interface it leaves by, where its sender said so.
    pub(crate) iface: Option<IfaceId>,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) dont_fragment: bool,
}

impl Marking {
    /// That of what leaves by `iface` as it is.
    pub(crate) fn by(iface: IfaceId) -> Marking {
        Marking {
            source: None,
            iface: Some(iface),
            hop_limit: 0,
            traffic_class: 0,
            dont_fragment: false,
        }
    }
}

/// A datagram that waits to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Whom it is for.
    pub(crate) to: SocketAddr,
    /// Its payload; `None` if empty.
    pub(crate) payload: Option<Span>,
    /// Bytes of payload of each datagram, if these are several.
    pub(crate) segment: Option<u16>,
    /// The message's token, to be held until the datagram is handed over.
    pub(crate) token: Option<Token>,
    /// Storage of others that is kept for this datagram and no later one.
    storage: usize,
    pub(crate) marking: Marking,
    /// What is to be told when it leaves, and when it was sent.
    pub(crate) stamp: Option<(StampRequest, Instant)>,
}

impl Outgoing {
    pub(super) fn charge(&self) -> usize {
        OVERHEAD + self.payload.as_ref().map_or(0, Span::len)
    }

    /// Bytes of its packet with `headers` bytes in front, fragments aside.
    pub(crate) fn wire_len(&self, headers: usize) -> usize {
        headers + self.payload.as_ref().map_or(0, Span::len)
    }

    fn shares_storage(&self, payload: &Span) -> bool {
        let own = self.payload.as_ref();
        own.is_some_and(|own| own.shares_storage(payload))
    }
}

impl DatagramSocket {
    /// Where a message goes, and how its packet is marked.
    ///
    /// # Errors
    ///
    /// There is no destination, or none that this socket can reach.
    // req: RFC1122udp-11
    pub(crate) fn addressed(
        &self,
        control: &SendControl<'_>,
    ) -> Result<(SocketAddr, Marking), SendError> {
        let to = match control.to {
            Some(to) => self.on_wire(to).ok_or(SendError::InvalidAddress)?,
            None => self.peer.ok_or(SendError::NoDestination)?,
        };
        // A socket can be connected to port 0, and is only so sent to it.
        let no_port = to.port() == 0 && control.to.is_some();
        if to.ip().is_unspecified() || self.kind == Kind::Udp && no_port {
            return Err(SendError::InvalidAddress);
        }
        let source = control.source.map(canonical);
        if source.is_some_and(|source| source.is_ipv4() != to.is_ipv4()) {
            return Err(SendError::InvalidAddress);
        }
        let settings = &self.settings;
        let hop_limit = match to.ip().is_multicast() {
            true => settings.multicast_hop_limit,
            false => settings.hop_limit,
        };
        let marking = Marking {
            source,
            iface: self.device.or(control.iface).or(self.iface_for(to.ip())),
            hop_limit: control.hop_limit.unwrap_or(hop_limit),
            traffic_class: control.traffic_class.unwrap_or(settings.traffic_class),
            dont_fragment: control.dont_fragment.unwrap_or(settings.dont_fragment),
        };
        Ok((to, marking))
    }

    /// Queues all that is left in `source` as one datagram, and returns its length. Where it goes, [`addressed`] has
    /// said. With a `segment`, which the caller has made sure of, it is several datagrams of that size.
    ///
    /// Bytes are copied, into `small` if they are few and into segments of `pool` otherwise; spans are
    /// taken as they are. The storage that they keep counts too: there may be as much of it as the queue may hold,
    /// or one buffer of any size. Whether the destination can be reached is for the caller to know.
    ///
    /// # Errors
    ///
    /// Nothing was sent, and nothing was taken from the source. `WouldBlock` if the queue is full, `TooLong`
    /// if no packet holds that much, `NoMemory` if there is no storage for what has to be copied, `InvalidMessage` if this
    /// socket sends no such thing.
    ///
    /// [`addressed`]: Self::addressed
    pub(crate) fn send(
        &mut self,
        (to, marking): (SocketAddr, Marking),
        (segment, token): (Option<u16>, Option<&Token>),
        source: &mut IovIter<'_>,
        small: &mut Chain,
        pool: &Pool,
    ) -> Result<usize, SendError> {
        if let Some(error) = self.error.take() {
            return Err(SendError::Connection(error));
        }
        let len = source.remaining();
        if len > self.longest_payload(to) {
            return Err(SendError::TooLong);
        }
        if !self.fits(len) {
            self.refused = true;
            return Err(SendError::WouldBlock);
        }
        let payload = match len {
            0 => None,
            _ => Some(take_payload(source, small, pool, token)?),
        };
        if !self.kind.sends(to, payload.as_ref()) {
            payload.into_iter().for_each(|span| put_back(source, span));
            return Err(SendError::InvalidMessage);
        }
        let storage = match &payload {
            Some(payload) => self.make_room_for(payload, [pool, small.pool()]),
            None => Some(0),
        };
        let Some(storage) = storage else {
            payload.into_iter().for_each(|span| put_back(source, span));
            self.refused = true;
            return Err(SendError::WouldBlock);
        };
        let outgoing = Outgoing {
            to,
            payload,
            segment,
            token: token.cloned(),
            storage,
            marking,
            stamp: None,
        };
        self.outgoing_charge += outgoing.charge();
        self.outgoing_storage += storage;
        self.outgoing.push_back(outgoing);
        Ok(len)
    }

    /// Has the datagram that was just queued, at `now`, tell when it leaves.
    pub(crate) fn stamp_latest(&mut self, request: StampRequest, now: Instant) {
        if let Some(latest) = self.outgoing.back_mut() {
            latest.stamp = Some((request, now));
        }
    }

    /// The most payload that one packet to `to` can hold.
    fn longest_payload(&self, to: SocketAddr) -> usize {
        match to {
            SocketAddr::V4(_) => MAX_PACKET - self.kind.headers(to),
            // The IPv6 payload length does not count the fixed header.
            SocketAddr::V6(_) => MAX_PACKET - self.kind.header(),
        }
    }

    /// What a datagram keeps of others' storage and is to be counted with it; `None` if that is too much now. What is
    /// lent is its sender's own, and what lies in the stack's `pools` is charged there.
    fn make_room_for(&mut self, payload: &Span, pools: [&Pool; 2]) -> Option<usize> {
        if payload.is_lent() || pools.iter().any(|pool| pool.provides(payload)) {
            return Some(0);
        }
        let storage = payload.footprint();
        if let Some(latest) = self.outgoing.back_mut()
            && latest.shares_storage(payload)
        {
            // The later datagram goes last.
            self.outgoing_storage -= core::mem::take(&mut latest.storage);
        } else if self.outgoing_storage > 0 && self.outgoing_storage + storage > self.limits.send {
            return None;
        }
        Some(storage)
    }

    /// Whether a datagram to `to` may well have been sent: it is the peer, or the last one went there. What the network
    /// says about others is not believed.
    pub(crate) fn speaks_to(&self, to: SocketAddr) -> bool {
        self.is_peer(to) || self.latest == Some(to)
    }

    pub(super) fn fits(&self, len: usize) -> bool {
        self.outgoing.is_empty() || self.outgoing_charge + OVERHEAD + len <= self.limits.send
    }

    /// Whether who was refused is to be told now that there is room. A datagram may have been refused although any
    /// would have fitted, for the storage of others that it keeps: then it is worth another try after each that leaves.
    pub(crate) fn has_news_of_room(&mut self) -> bool {
        self.fits(MAX_PACKET) && core::mem::take(&mut self.refused)
    }

    /// Takes the next datagram to send.
    pub(crate) fn pop_outgoing(&mut self) -> Option<Outgoing> {
        let outgoing = self.outgoing.pop_front()?;
        self.outgoing_charge -= outgoing.charge();
        self.outgoing_storage -= outgoing.storage;
        self.latest = Some(outgoing.to);
        Some(outgoing)
    }
}

/// All that is left in `source`, as one span. If it cannot be had, all is in the source again.
fn take_payload(
    source: &mut IovIter<'_>,
    small: &mut Chain,
    pool: &Pool,
    token: Option<&Token>,
) -> Result<Span, SendError> {
    let first = take_part(source, small, pool).map_err(|NoMemory| SendError::NoMemory)?;
    if source.remaining() == 0 {
        return Ok(first);
    }
    let mut parts = vec![first];
    while source.remaining() > 0
        && let Ok(part) = take_part(source, small, pool)
    {
        parts.push(part);
    }
    if source.remaining() == 0
        && let Ok(payload) = join(pool, &parts)
    {
        if parts.len() > GATHER_MAX {
            token.into_iter().for_each(Token::mark_copied);
        }
        return Ok(payload);
    }
    // What cannot be read cannot be copied together either, however much storage there is.
    let never = source.remaining() == 0 && parts.iter().any(|part| !part.is_readable());
    for part in parts.into_iter().rev() {
        put_back(source, part);
    }
    Err(match never {
        true => SendError::TooManyParts,
        false => SendError::NoMemory,
    })
}

fn put_back(source: &mut IovIter<'_>, part: Span) {
    if let Err(copy) = source.put_back(part) {
        // It was copied from what is no queue of spans, and that can always go back.
        let _ = source.revert(copy.len());
    }
}

/// The next span of `source`, or a copy of the bytes in front of it, or of a segment's worth of them.
fn take_part(source: &mut IovIter<'_>, small: &mut Chain, pool: &Pool) -> Result<Span, NoMemory> {
    let len = match source.plain() {
        0 => return source.take_span(usize::MAX).ok_or(NoMemory),
        len => len,
    };
    if len <= small.pool().segment() {
        let mut room = small.reserve(len)?;
        let filled = room.get_mut(..len).map_or(0, |room| source.copy_from(room));
        return Ok(room.commit(filled));
    }
    let mut room = pool.reserve()?;
    let len = len.min(room.len());
    let filled = source.copy_from(&mut room[..len]);
    Ok(room.commit(filled))
}
