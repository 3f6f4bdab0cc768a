//! Who a socket of datagrams is and what it was asked for.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use smoltcp::wire::IpProtocol;
use txbuf::{Held, Span};

use super::MAX_PACKET;
use super::errors::ErrorQueue;
use super::receive::Incoming;
use super::send::Outgoing;
use crate::ip::{HOP_LIMIT, IPV4_HEADER, IPV6_HEADER, IfaceId, icmp};
use crate::socket::{
    ConnectionError, OptionError, Sees, SocketError, SocketOption, canonical, mapped,
};
use crate::stamps::StampQueue;
use crate::udp::UDP_HEADER;

/// How much a socket may hold, in bytes of payload plus a fixed overhead for each datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatagramLimits {
    /// Received and not yet read.
    pub(crate) receive: usize,
    /// Sent and not yet taken by the device.
    pub(crate) send: usize,
}

impl Default for DatagramLimits {
    fn default() -> Self {
        DatagramLimits {
            receive: 1 << 20,
            send: 256 << 10,
        }
    }
}

/// What a socket sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UDP datagrams.
    Udp,
    /// ICMP echo messages: requests of one identifier out, the answers to them in. The port is the identifier.
    Ping,
    /// What packets of one IP protocol hold.
    Raw {
        /// The protocol.
        protocol: IpProtocol,
        /// Whether what is sent begins with an IP header (`IP_HDRINCL`).
        with_header: bool,
    },
    /// Whole IP packets of an interface, those of others included.
    Packet {
        /// Which of them are received.
        sees: Sees,
    },
}

impl Kind {
    /// Bytes of the transport header that the stack puts in front of a payload.
    pub(crate) fn header(self) -> usize {
        match self {
            Kind::Udp => UDP_HEADER,
            _ => 0,
        }
    }

    /// Bytes of all headers that the stack puts in front of a payload to `to`.
    pub(crate) fn headers(self, to: SocketAddr) -> usize {
        match (self, to) {
            (Kind::Packet { .. }, _) => 0,
            (Kind::Raw { with_header, .. }, _) if with_header => 0,
            (_, SocketAddr::V4(_)) => IPV4_HEADER + self.header(),
            (_, SocketAddr::V6(_)) => IPV6_HEADER + self.header(),
        }
    }

    /// Whether `payload` can be sent to `to` as it is.
    pub(super) fn sends(self, to: SocketAddr, payload: Option<&Span>) -> bool {
        let starts_with = |len: usize| {
            let mut first = [0];
            let payload = payload.filter(|payload| payload.len() >= len)?;
            payload.copy_to(0, &mut first).ok().map(|_| first[0])
        };
        match self {
            Kind::Udp => true,
            Kind::Ping => starts_with(icmp::HEADER) == Some(icmp::echo_request_type(to.is_ipv4())),
            Kind::Raw { with_header, .. } => {
                !with_header || starts_with(IPV4_HEADER).is_some_and(|first| first >> 4 == 4)
            }
            Kind::Packet { .. } => {
                starts_with(IPV4_HEADER).is_some_and(|first| matches!(first >> 4, 4 | 6))
            }
        }
    }
}

/// What applications set of the packets that a socket sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
    pub(super) dont_fragment: bool,
    pub(super) multicast_hop_limit: u8,
    pub(super) multicast_loop: bool,
    pub(super) multicast_iface: Option<IfaceId>,
    pub(super) broadcast: bool,
}

/// A socket of datagrams.
pub(crate) struct DatagramSocket {
    pub(crate) kind: Kind,
    pub(super) local: SocketAddr,
    /// What it was bound to, and is again when it is not connected any more.
    bound: SocketAddr,
    /// Whether it was made for IPv6 and deals with IPv4 too, whose addresses it shows mapped.
    dual: bool,
    /// The only interface that it sends by and receives from.
    pub(crate) device: Option<IfaceId>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) limits: DatagramLimits,
    pub(super) incoming: VecDeque<Incoming>,
    /// What the datagrams in `incoming` cost.
    pub(super) incoming_charge: usize,
    pub(super) outgoing: VecDeque<Outgoing>,
    pub(super) outgoing_charge: usize,
    /// Storage of others that is kept for the datagrams in `outgoing`.
    pub(super) outgoing_storage: usize,
    /// Whom the latest datagram went to.
    pub(super) latest: Option<SocketAddr>,
    /// The latest error reported for a datagram.
    pub(super) error: Option<ConnectionError>,
    pub(super) errors: ErrorQueue,
    /// What is to be told of datagrams that left.
    pub(crate) stamps: StampQueue,
    /// Whether datagrams that the device had joined are received as one.
    pub(super) gro: bool,
    /// Whether a datagram found no room, and nobody was told since that there is some.
    pub(super) refused: bool,
    pub(super) settings: Settings,
}

impl DatagramSocket {
    /// A socket bound to `local`, connected to nobody.
    pub(crate) fn new(kind: Kind, local: SocketAddr, limits: DatagramLimits) -> Self {
        DatagramSocket {
            kind,
            local,
            bound: local,
            dual: false,
            device: None,
            peer: None,
            limits,
            incoming: VecDeque::new(),
            incoming_charge: 0,
            outgoing: VecDeque::new(),
            outgoing_charge: 0,
            outgoing_storage: 0,
            latest: None,
            error: None,
            errors: ErrorQueue::default(),
            stamps: StampQueue::default(),
            gro: false,
            refused: false,
            settings: Settings {
                hop_limit: HOP_LIMIT,
                traffic_class: 0,
                dont_fragment: false,
                multicast_hop_limit: 1,
                multicast_loop: true,
                multicast_iface: None,
                broadcast: true,
            },
        }
    }

    /// The same for both versions of IP, where `dual`, and for one interface only, where `device` names it.
    pub(crate) fn of(mut self, dual: bool, device: Option<IfaceId>) -> Self {
        self.dual = dual;
        self.device = device;
        self
    }

    /// Binds it, or takes that back, with what was received before.
    pub(crate) fn bind(&mut self, local: SocketAddr, dual: bool, device: Option<IfaceId>) {
        self.local = local;
        self.bound = local;
        self.dual = dual;
        self.device = device;
    }

    /// What it is bound to; the address is unspecified if it takes datagrams for all of the host's.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// What it is bound to, as its application knows it.
    pub(crate) fn local_shown(&self) -> SocketAddr {
        self.shown(self.local)
    }

    /// Whom it is connected to, as its application knows it.
    pub(crate) fn peer_shown(&self) -> Option<SocketAddr> {
        self.peer.map(|peer| self.shown(peer))
    }

    /// Whom it is connected to.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// An address of the wire as the application knows it.
    pub(super) fn shown(&self, address: SocketAddr) -> SocketAddr {
        match self.dual {
            true => SocketAddr::new(mapped(address.ip()), address.port()),
            false => address,
        }
    }

    pub(super) fn shown_ip(&self, address: IpAddr) -> IpAddr {
        if self.dual { mapped(address) } else { address }
    }

    /// The address on the wire of one that an application names; `None` if this socket cannot reach it.
    pub(crate) fn on_wire(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.reach(self.local, address)
    }

    fn reach(&self, local: SocketAddr, address: SocketAddr) -> Option<SocketAddr> {
        if self.dual && address.is_ipv4() {
            return None;
        }
        let wire = match self.dual {
            true => SocketAddr::new(canonical(address.ip()), address.port()),
            false => SocketAddr::new(address.ip(), address.port()),
        };
        let both = self.dual && local.ip().is_unspecified() && local.is_ipv6();
        (both || wire.is_ipv4() == local.is_ipv4()).then_some(wire)
    }

    /// What it was bound to before it was connected.
    pub(crate) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// The address on the wire of one to connect to; `None` if this socket cannot reach it.
    pub(crate) fn unconnected_reach(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.reach(self.bound, address)
    }

    /// Connects the socket, which has the address `local` then: it sends to `peer` unless told otherwise, and receives
    /// from nobody else. `None` dissolves that. What was received before stays.
    pub(crate) fn connect(&mut self, local: IpAddr, peer: Option<SocketAddr>) {
        self.local.set_ip(local);
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

    /// Bytes of storage that the queue of datagrams to send keeps alive, with what is told of them, and that of received
    /// ones.
    pub(crate) fn storage(&self) -> (usize, usize) {
        let outgoing = self.outgoing.iter().filter_map(|one| one.payload.as_ref());
        let incoming = self.incoming.iter().filter_map(|one| one.payload.as_ref());
        let sending = Held::of(outgoing).footprint + self.stamps.storage();
        (sending, Held::of(incoming).footprint)
    }

    /// What the received datagrams that wait to be read cost.
    pub(crate) fn charged(&self) -> usize {
        self.incoming_charge
    }

    /// Bytes of the datagram that is read next, and what those cost that wait to be sent.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let next = self.incoming.front().map_or(0, Incoming::len);
        (next, self.outgoing_charge)
    }

    /// Takes the error that was reported last.
    pub(crate) fn take_error(&mut self) -> Option<ConnectionError> {
        self.error.take()
    }

    /// Whether an error waits to be told, or to be read.
    pub(crate) fn has_error(&self) -> bool {
        self.error.is_some() || !self.errors.is_empty()
    }

    /// Whether datagrams to groups are received by this host, too.
    pub(crate) fn loops_multicast(&self) -> bool {
        self.settings.multicast_loop
    }

    /// Whether it may send to broadcast addresses.
    pub(crate) fn may_broadcast(&self) -> bool {
        self.settings.broadcast
    }

    /// The interface by which it sends to `to`, where that is said.
    pub(crate) fn iface_for(&self, to: IpAddr) -> Option<IfaceId> {
        let of_groups = || self.settings.multicast_iface.filter(|_| to.is_multicast());
        self.device.or_else(of_groups)
    }

    /// Whether it is connected to `address`, or to that host if it is to port 0.
    pub(super) fn is_peer(&self, address: SocketAddr) -> bool {
        self.peer.is_some_and(|peer| is_of_peer(peer, address))
    }

    /// Whether its datagrams are never fragmented.
    pub(crate) fn forbids_fragments(&self) -> bool {
        self.settings.dont_fragment
    }

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// The socket has no such option, or the value is none it takes.
    // req: RFC1122-11, RFC1122-15
    pub(crate) fn set_option(&mut self, option: SocketOption) -> Result<(), OptionError> {
        let settings = &mut self.settings;
        match option {
            SocketOption::UdpGro(gro) if self.kind == Kind::Udp => self.set_gro(gro),
            SocketOption::HopLimit(Some(0)) => return Err(OptionError::Invalid),
            SocketOption::HopLimit(limit) => settings.hop_limit = limit.unwrap_or(HOP_LIMIT),
            SocketOption::TrafficClass(class) => settings.traffic_class = class,
            SocketOption::DontFragment(dont) => settings.dont_fragment = dont,
            SocketOption::MulticastHopLimit(limit) => settings.multicast_hop_limit = limit,
            SocketOption::MulticastLoop(loops) => settings.multicast_loop = loops,
            SocketOption::Broadcast(may) => settings.broadcast = may,
            SocketOption::MulticastInterface(iface) => settings.multicast_iface = iface,
            SocketOption::QueueErrors(wanted) => self.queue_errors(wanted),
            SocketOption::SendBuffer(0) | SocketOption::ReceiveBuffer(0) => {
                return Err(OptionError::Invalid);
            }
            SocketOption::SendBuffer(limit) => self.limits.send = limit,
            SocketOption::ReceiveBuffer(limit) => self.limits.receive = limit,
            SocketOption::WithHeader(with)
                if matches!(self.kind, Kind::Raw { .. }) && self.local.is_ipv4() =>
            {
                if let Kind::Raw { with_header, .. } = &mut self.kind {
                    *with_header = with;
                }
            }
            _ => return Err(SocketError::WrongKind.into()),
        }
        Ok(())
    }
}

/// Whether what comes from `address` is for a socket that is connected to `peer`: of port 0 that is all of the host's.
pub(crate) fn is_of_peer(peer: SocketAddr, address: SocketAddr) -> bool {
    peer.ip() == address.ip() && (peer.port() == 0 || peer.port() == address.port())
}

#[cfg(test)]
mod tests;
