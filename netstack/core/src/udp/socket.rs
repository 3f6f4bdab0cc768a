//! A UDP socket: two bounded queues of datagrams and the errors that were reported for them.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use txbuf::{Chain, GATHER_MAX, Held, IovIter, NoMemory, Packet, Pool, Span, Token};

use super::UDP_HEADER;
use super::input::{UdpDrop, UdpHeader};
use crate::ip::icmp::IcmpError;
use crate::ip::join::join;
use crate::ip::{IPV4_HEADER, IPV6_HEADER};
use crate::socket::{ConnectionError, RecvError, SendControl, SendError};
use crate::storage::{self, Taking};

/// How much a UDP socket may hold, in bytes of payload plus a fixed overhead for each datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UdpLimits {
    /// Received and not yet read.
    pub(crate) receive: usize,
    /// Sent and not yet taken by the device.
    pub(crate) send: usize,
}

impl Default for UdpLimits {
    fn default() -> Self {
        UdpLimits {
            receive: 1 << 20,
            send: 256 << 10,
        }
    }
}

/// A datagram that was read, or looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedDatagram {
    /// Bytes put into the sink.
    pub(crate) bytes: usize,
    /// Bytes of the whole datagram.
    pub(crate) len: usize,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// The address of this host that it was sent to: where an answer should come from.
    pub(crate) to: IpAddr,
    /// TTL or hop limit it arrived with.
    pub(crate) hop_limit: u8,
    /// DSCP and ECN it arrived with.
    pub(crate) traffic_class: u8,
    /// Whether the sink was too small; the rest is gone.
    pub(crate) truncated: bool,
    /// Bytes of payload of each datagram, if these are several.
    pub(crate) segment: Option<u16>,
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
}

impl Outgoing {
    fn charge(&self) -> usize {
        OVERHEAD + self.payload.as_ref().map_or(0, Span::len)
    }

    /// Bytes of its packet, fragments aside.
    pub(crate) fn wire_len(&self) -> usize {
        let ip = match self.to {
            SocketAddr::V4(_) => IPV4_HEADER,
            SocketAddr::V6(_) => IPV6_HEADER,
        };
        ip + UDP_HEADER + self.payload.as_ref().map_or(0, Span::len)
    }

    fn shares_storage(&self, payload: &Span) -> bool {
        let own = self.payload.as_ref();
        own.is_some_and(|own| own.shares_storage(payload))
    }
}

/// A UDP socket.
pub(crate) struct UdpSocket {
    local: SocketAddr,
    peer: Option<SocketAddr>,
    limits: UdpLimits,
    incoming: VecDeque<Incoming>,
    /// What the datagrams in `incoming` cost.
    incoming_charge: usize,
    outgoing: VecDeque<Outgoing>,
    outgoing_charge: usize,
    /// Storage of others that is kept for the datagrams in `outgoing`.
    outgoing_storage: usize,
    /// Whom the latest datagram went to.
    latest: Option<SocketAddr>,
    /// The latest error reported for a datagram to the peer.
    error: Option<ConnectionError>,
    /// Whether datagrams that the device had joined are received as one.
    gro: bool,
    /// Whether a datagram found no room, and nobody was told since that there is some.
    refused: bool,
}

struct Incoming {
    from: SocketAddr,
    to: IpAddr,
    hop_limit: u8,
    traffic_class: u8,
    payload: Option<Span>,
    /// Bytes of payload of each datagram, if these are several.
    segment: Option<u16>,
}

impl Incoming {
    fn len(&self) -> usize {
        self.payload.as_ref().map_or(0, Span::len)
    }

    /// As much as if they were queued one by one, which they may come to be.
    fn charge(&self) -> usize {
        let datagrams = self
            .segment
            .map_or(1, |size| self.len().div_ceil(size.max(1).into()));
        datagrams * OVERHEAD + self.len()
    }
}

/// What a datagram costs beside its payload: a queue entry and its share of a node.
const OVERHEAD: usize = 256;
/// A reader with more than this queued does not keep up.
const KEEPS_UP: usize = 16 << 10;
/// The longest packet.
const MAX_PACKET: usize = 65_535;

/// Identity and state.
impl UdpSocket {
    /// A socket bound to `local`, connected to nobody.
    pub(crate) fn new(local: SocketAddr, limits: UdpLimits) -> Self {
        UdpSocket {
            local,
            peer: None,
            limits,
            incoming: VecDeque::new(),
            incoming_charge: 0,
            outgoing: VecDeque::new(),
            outgoing_charge: 0,
            outgoing_storage: 0,
            latest: None,
            error: None,
            gro: false,
            refused: false,
        }
    }

    /// What it is bound to; the address is unspecified if it takes datagrams for all of the host's.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whom it is connected to.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Connects the socket: it sends to `peer` unless told otherwise, and receives from nobody else.
    /// `None` dissolves that. What was received before stays.
    pub(crate) fn connect(&mut self, peer: Option<SocketAddr>) {
        self.peer = peer;
        self.error = None;
    }

    /// Whether a receive would return at once.
    pub(crate) fn is_readable(&self) -> bool {
        !self.incoming.is_empty() || self.error.is_some()
    }

    /// Whether any datagram could be sent now, however long, and none was refused since the last one left. So who is
    /// refused finds the socket not writable, and hears when it is again. Without that a short one may still fit; any
    /// does into an empty queue.
    pub(crate) fn is_writable(&self) -> bool {
        self.fits(MAX_PACKET) && !self.refused
    }

    /// Bytes of storage that the queue of datagrams to send keeps alive, and that of received ones.
    pub(crate) fn storage(&self) -> (usize, usize) {
        let outgoing = self.outgoing.iter().filter_map(|one| one.payload.as_ref());
        let incoming = self.incoming.iter().filter_map(|one| one.payload.as_ref());
        (Held::of(outgoing).footprint, Held::of(incoming).footprint)
    }

    /// Bytes of the datagram that is read next, and what those cost that wait to be sent.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let next = self.incoming.front().map_or(0, Incoming::len);
        (next, self.outgoing_charge)
    }

    /// Changes how much may wait to be sent.
    pub(crate) fn set_send_limit(&mut self, limit: usize) {
        self.limits.send = limit;
    }

    /// Changes how much may wait to be read. What waits stays.
    pub(crate) fn set_receive_limit(&mut self, limit: usize) {
        self.limits.receive = limit;
    }

    /// Takes the error that was reported last.
    pub(crate) fn take_error(&mut self) -> Option<ConnectionError> {
        self.error.take()
    }

    /// Whether an error waits to be told.
    pub(crate) fn has_error(&self) -> bool {
        self.error.is_some()
    }
}

/// Receiving.
impl UdpSocket {
    /// Says whether datagrams that the device had joined are received as one. Those that were queued joined and not
    /// read are taken apart when that ends.
    pub(crate) fn set_gro(&mut self, gro: bool) {
        self.gro = gro;
        if gro || self.incoming.iter().all(|one| one.segment.is_none()) {
            return;
        }
        for mut joined in core::mem::take(&mut self.incoming) {
            self.incoming_charge -= joined.charge();
            match (joined.segment.take(), joined.payload.take()) {
                (Some(size), Some(payload)) => {
                    for payload in payload.into_segments(size.into()) {
                        self.push(Incoming {
                            payload: Some(payload),
                            ..joined
                        });
                    }
                }
                (_, payload) => self.push(Incoming { payload, ..joined }),
            }
        }
    }

    /// Queues what `packet` holds, one datagram or several that the device had joined, and returns how
    /// many. Those that were joined are taken apart, unless the socket takes them as one.
    ///
    /// A payload that would pin much more than it holds is copied into `small` if it is small, or if the
    /// reader is behind, so that it will be held for long; for a reader that keeps up nothing is copied.
    ///
    /// # Errors
    ///
    /// The datagram is dropped; of several that were joined, some may have found room.
    pub(crate) fn deliver(
        &mut self,
        header: &UdpHeader,
        packet: Packet,
        small: &mut Chain,
    ) -> Result<usize, UdpDrop> {
        if self.peer.is_some_and(|peer| peer != header.src) {
            return Err(UdpDrop::NotPeer);
        }
        if self.is_full() {
            return Err(UdpDrop::QueueFull);
        }
        let payload = packet
            .into_payload(header.payload_at, small)
            .map_err(|_| UdpDrop::NoMemory)?;
        let Some(payload) = payload else {
            self.enqueue(header, None, None);
            return Ok(1);
        };
        let segment = header.segment.map_or(payload.len(), usize::from).max(1);
        let datagrams = payload.len().div_ceil(segment);
        if self.gro && datagrams > 1 {
            let payload = self.bounded(payload, small)?;
            self.enqueue(header, Some(payload), header.segment);
            return Ok(datagrams);
        }
        let mut delivered = 0;
        for payload in payload.into_segments(segment) {
            if self.is_full() {
                return Err(UdpDrop::QueueFull);
            }
            let payload = self.bounded(payload, small)?;
            self.enqueue(header, Some(payload), None);
            delivered += 1;
        }
        Ok(delivered)
    }

    /// `payload`, or a copy if it is small or will wait.
    fn bounded(&self, payload: Span, small: &mut Chain) -> Result<Span, UdpDrop> {
        let waits = payload.len() <= storage::COPYBREAK || self.lags();
        if waits {
            storage::bounded(payload, small).map_err(|NoMemory| UdpDrop::NoMemory)
        } else {
            Ok(payload)
        }
    }

    /// Reads the oldest datagram into `sink`, or with `peek` only looks at it. What does not fit into the
    /// sink is lost, unless it was only looked at.
    ///
    /// # Errors
    ///
    /// An error reported for an earlier datagram comes first, once. `WouldBlock` if nothing is queued.
    /// `Unreadable` or `NoMemory` if the payload cannot be copied; it stays queued, and nothing is in the sink.
    pub(crate) fn recv(
        &mut self,
        sink: &mut IovIter<'_>,
        peek: bool,
        taking: &mut Taking<'_>,
    ) -> Result<ReceivedDatagram, RecvError> {
        if let Some(error) = self.error.take() {
            return Err(RecvError::Connection(error));
        }
        let front = self.incoming.front().ok_or(RecvError::WouldBlock)?;
        let len = front.len();
        let bytes = match &front.payload {
            Some(payload) => {
                let mut payload = payload.clone();
                // What does not fit need not be copied.
                let _ = payload.truncate(len.min(sink.remaining()));
                taking.put(payload, sink)?
            }
            None => 0,
        };
        let received = ReceivedDatagram {
            bytes,
            len,
            from: front.from,
            to: front.to,
            hop_limit: front.hop_limit,
            traffic_class: front.traffic_class,
            truncated: bytes < len,
            segment: front.segment,
        };
        if !peek && let Some(read) = self.incoming.pop_front() {
            self.incoming_charge -= read.charge();
        }
        Ok(received)
    }

    /// Copies what is queued of arenas into `small`; returns how many bytes.
    pub(crate) fn evacuate(&mut self, small: &mut Chain) -> usize {
        let payloads = self.incoming.iter_mut().filter_map(|i| i.payload.as_mut());
        payloads
            .map(|payload| storage::evacuate_one(payload, small))
            .sum()
    }

    /// Whether more is queued than a reader that keeps up leaves.
    pub(crate) fn lags(&self) -> bool {
        self.incoming_charge > KEEPS_UP
    }

    /// Takes in an ICMP error about a datagram to `to`.
    ///
    /// Only a connected socket is told, only about its peer, and only of errors that trying again cannot
    /// mend (RFC 1122 section 4.1.3.3, RFC 8085 section 5.2). Returns whether there is news.
    pub(crate) fn report(&mut self, to: SocketAddr, error: &IcmpError) -> bool {
        let concerned = self.peer == Some(to) && error.is_hard();
        if concerned {
            self.error = Some(ConnectionError::Refused);
        }
        concerned
    }

    fn is_full(&self) -> bool {
        self.incoming_charge >= self.limits.receive
    }

    fn enqueue(&mut self, header: &UdpHeader, payload: Option<Span>, segment: Option<u16>) {
        self.push(Incoming {
            from: header.src,
            to: header.dst.ip(),
            hop_limit: header.hop_limit,
            traffic_class: header.traffic_class,
            payload,
            segment,
        });
    }

    fn push(&mut self, incoming: Incoming) {
        self.incoming_charge += incoming.charge();
        self.incoming.push_back(incoming);
    }
}

/// Sending.
impl UdpSocket {
    /// Queues all that is left in `source` as one datagram to `to`, or to the peer, and returns its
    /// length. With a `segment`, which the caller has made sure of, it is several datagrams of that size.
    ///
    /// Bytes are copied, into `small` if they are few and into segments of `pool` otherwise; spans are
    /// taken as they are. The storage that they keep counts too: there may be as much of it as the queue may hold,
    /// or one buffer of any size. Whether the destination can be reached is for the caller to know.
    ///
    /// # Errors
    ///
    /// Nothing was sent, and nothing was taken from the source. `WouldBlock` if the queue is full, `TooLong`
    /// if no packet holds that much, `NoMemory` if there is no storage for what has to be copied.
    pub(crate) fn send(
        &mut self,
        control: &SendControl<'_>,
        segment: Option<u16>,
        source: &mut IovIter<'_>,
        small: &mut Chain,
        pool: &Pool,
    ) -> Result<usize, SendError> {
        if let Some(error) = self.error.take() {
            return Err(SendError::Connection(error));
        }
        let to = control.to.or(self.peer);
        let to = to.ok_or(SendError::NoDestination)?;
        if to.is_ipv4() != self.local.is_ipv4() || to.ip().is_unspecified() || to.port() == 0 {
            return Err(SendError::InvalidAddress);
        }
        let len = source.remaining();
        if len > longest_payload(to) {
            return Err(SendError::TooLong);
        }
        if !self.fits(len) {
            self.refused = true;
            return Err(SendError::WouldBlock);
        }
        let payload = match len {
            0 => None,
            _ => Some(take_payload(source, small, pool, control.token)?),
        };
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
            token: control.token.cloned(),
            storage,
        };
        self.outgoing_charge += outgoing.charge();
        self.outgoing_storage += storage;
        self.outgoing.push_back(outgoing);
        Ok(len)
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
        self.peer == Some(to) || self.latest == Some(to)
    }

    fn fits(&self, len: usize) -> bool {
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

/// The most payload that one packet to `to` can hold.
fn longest_payload(to: SocketAddr) -> usize {
    match to {
        SocketAddr::V4(_) => MAX_PACKET - IPV4_HEADER - UDP_HEADER,
        // The IPv6 payload length does not count the fixed header.
        SocketAddr::V6(_) => MAX_PACKET - UDP_HEADER,
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

#[cfg(test)]
mod tests;
