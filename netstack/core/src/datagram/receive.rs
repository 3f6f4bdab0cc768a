//! Datagrams on their way to the application.

use std::net::SocketAddr;

use txbuf::{Chain, IovIter, NoMemory, Packet, Span};

use super::OVERHEAD;
use super::socket::DatagramSocket;
use crate::Instant;
use crate::counters::{RawCounters, UdpCounters};
use crate::ip::{IfaceId, IpHeader};
use crate::socket::{Arrival, Received, RecvError};
use crate::storage::{self, Taking};
use crate::udp::input::UdpHeader;

/// A reader with more than this queued does not keep up.
const KEEPS_UP: usize = 16 << 10;

/// What is known of a packet that is delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    /// Who sent it.
    pub(crate) from: SocketAddr,
    pub(crate) arrival: Arrival,
    /// Where in the packet the payload starts.
    pub(crate) payload_at: usize,
    /// Bytes of payload of each datagram, if the device joined several.
    pub(crate) segment: Option<u16>,
}

impl Delivery {
    /// What `header` says of a UDP datagram that came by `iface` at `time`.
    pub(crate) fn of_udp(header: &UdpHeader, iface: IfaceId, time: Instant) -> Delivery {
        Delivery {
            from: header.src,
            arrival: Arrival {
                to: header.dst.ip(),
                iface,
                hop_limit: header.hop_limit,
                // req: RFC8085-13, RFC8504-10
                traffic_class: header.traffic_class,
                time,
                outgoing: false,
            },
            payload_at: header.payload_at,
            segment: header.segment,
        }
    }

    /// A packet of another protocol, of which everything from `payload_at` on is delivered.
    pub(crate) fn of_ip(
        header: &IpHeader,
        payload_at: usize,
        iface: IfaceId,
        time: Instant,
    ) -> Delivery {
        Delivery {
            from: SocketAddr::new(header.src, 0),
            arrival: Arrival {
                to: header.dst,
                iface,
                hop_limit: header.hop_limit,
                traffic_class: header.traffic_class,
                time,
                outgoing: false,
            },
            payload_at,
            segment: None,
        }
    }
}

/// Why a datagram was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatagramDrop {
    /// The sender is not the peer that the socket is connected to.
    NotPeer,
    /// The socket's receive queue is full.
    QueueFull,
    /// No memory was left to keep it.
    NoMemory,
}

impl DatagramDrop {
    /// Adds one to the counter of this reason.
    pub(crate) fn count(self, counters: &mut UdpCounters) {
        let counter = match self {
            DatagramDrop::NotPeer => &mut counters.in_not_peer,
            DatagramDrop::QueueFull => &mut counters.in_queue_full,
            DatagramDrop::NoMemory => &mut counters.in_no_memory,
        };
        *counter += 1;
    }

    /// The same for a socket of another protocol.
    pub(crate) fn count_raw(self, counters: &mut RawCounters) {
        let counter = match self {
            DatagramDrop::NotPeer => &mut counters.in_not_peer,
            DatagramDrop::QueueFull => &mut counters.in_queue_full,
            DatagramDrop::NoMemory => &mut counters.in_no_memory,
        };
        *counter += 1;
    }
}

/// A datagram that waits to be read.
pub(super) struct Incoming {
    from: SocketAddr,
    arrival: Arrival,
    pub(super) payload: Option<Span>,
    /// Bytes of payload of each datagram, if these are several.
    segment: Option<u16>,
}

impl Incoming {
    pub(super) fn len(&self) -> usize {
        self.payload.as_ref().map_or(0, Span::len)
    }

    /// As much as if they were queued one by one, which they may come to be.
    pub(super) fn charge(&self) -> usize {
        let datagrams = self
            .segment
            .map_or(1, |size| self.len().div_ceil(size.max(1).into()));
        datagrams * OVERHEAD + self.len()
    }
}

impl DatagramSocket {
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
        delivery: &Delivery,
        packet: Packet,
        small: &mut Chain,
    ) -> Result<usize, DatagramDrop> {
        if self.peer.is_some() && !self.is_peer(delivery.from) {
            return Err(DatagramDrop::NotPeer);
        }
        if self.is_full() {
            return Err(DatagramDrop::QueueFull);
        }
        let payload = packet
            .into_payload(delivery.payload_at, small)
            .map_err(|_| DatagramDrop::NoMemory)?;
        let Some(payload) = payload else {
            self.enqueue(delivery, None, None);
            return Ok(1);
        };
        let segment = delivery.segment.map_or(payload.len(), usize::from).max(1);
        let datagrams = payload.len().div_ceil(segment);
        if self.gro && datagrams > 1 {
            let payload = self.bounded(payload, small)?;
            self.enqueue(delivery, Some(payload), delivery.segment);
            return Ok(datagrams);
        }
        let mut delivered = 0;
        for payload in payload.into_segments(segment) {
            if self.is_full() {
                return Err(DatagramDrop::QueueFull);
            }
            let payload = self.bounded(payload, small)?;
            self.enqueue(delivery, Some(payload), None);
            delivered += 1;
        }
        Ok(delivered)
    }

    /// `payload`, or a copy if it is small or will wait.
    fn bounded(&self, payload: Span, small: &mut Chain) -> Result<Span, DatagramDrop> {
        let waits = payload.len() <= storage::COPYBREAK || self.lags();
        if waits {
            storage::bounded(payload, small).map_err(|NoMemory| DatagramDrop::NoMemory)
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
    ) -> Result<Received, RecvError> {
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
        let arrival = Arrival {
            to: self.shown_ip(front.arrival.to),
            ..front.arrival
        };
        let received = Received {
            time: None,
            bytes,
            len,
            from: Some(self.shown(front.from)),
            truncated: bytes < len,
            segment: front.segment,
            arrival: Some(arrival),
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

    fn is_full(&self) -> bool {
        self.incoming_charge >= self.limits.receive
    }

    fn enqueue(&mut self, delivery: &Delivery, payload: Option<Span>, segment: Option<u16>) {
        self.push(Incoming {
            from: delivery.from,
            arrival: delivery.arrival,
            payload,
            segment,
        });
    }

    fn push(&mut self, incoming: Incoming) {
        self.incoming_charge += incoming.charge();
        self.incoming.push_back(incoming);
    }
}
