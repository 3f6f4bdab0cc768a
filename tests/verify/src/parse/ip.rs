//! The network header of one packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::checksum::Sum16BitWords;
use etherparse::{
    IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    ip_number,
};

/// No shorter packet is one before segmentation that leaves its length open.
const SUPER: usize = 1280;

/// An IP packet whose header could be read.
#[derive(Clone)]
pub(crate) struct Ip<'a> {
    /// The header with its options; of IPv6 the fixed header alone.
    pub(crate) header: &'a [u8],
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The protocol after all extension headers.
    pub(crate) protocol: IpNumber,
    /// What was captured of the payload, after extension headers.
    pub(crate) payload: &'a [u8],
    /// The payload's length on the wire.
    pub(crate) payload_len: usize,
    /// The whole packet's length by its header.
    pub(crate) total_len: usize,
    /// The header does not say it: it is the link's.
    pub(crate) is_unsaid: bool,
    pub(crate) hop_limit: u8,
    pub(crate) ecn: u8,
    pub(crate) dont_fragment: bool,
    /// Of IPv4, or of a fragment header.
    pub(crate) id: u32,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) extensions: Extensions,
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// In bytes.
    pub(crate) offset: usize,
    pub(crate) more: bool,
}

/// What was seen on the way through the extension headers of IPv6.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extensions {
    pub(crate) hop_by_hop_late: bool,
    pub(crate) routing_zero: bool,
    pub(crate) fragment_header: bool,
    pub(crate) router_alert: bool,
    pub(crate) jumbo: bool,
    /// A destination other than the header's is covered by the pseudo-header (RFC 8200, 8.1).
    pub(crate) routed: bool,
    /// The chain ends in the middle of a header.
    pub(crate) broken: bool,
}

/// Why there is no packet to speak of.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Version(u8),
    /// A header that contradicts itself or the frame.
    Header {
        version: u8,
        why: String,
    },
    /// The capture cut the header off.
    Cut,
}

impl<'a> Ip<'a> {
    /// Reads the headers of `bytes`, of which there were `wire_len` on the wire.
    pub(crate) fn parse(bytes: &'a [u8], wire_len: usize) -> Result<Ip<'a>, Unreadable> {
        let version = bytes.first().map_or(0, |byte| byte >> 4);
        let broken = |why: String| {
            if bytes.len() < wire_len && bytes.len() < 60 {
                Unreadable::Cut
            } else {
                Unreadable::Header { version, why }
            }
        };
        match version {
            4 => {
                let header =
                    Ipv4HeaderSlice::from_slice(bytes).map_err(|e| broken(e.to_string()))?;
                Self::of_v4(&header, bytes, wire_len)
            }
            6 => {
                let header =
                    Ipv6HeaderSlice::from_slice(bytes).map_err(|e| broken(e.to_string()))?;
                Ok(Self::of_v6(&header, bytes, wire_len))
            }
            _ if bytes.is_empty() && wire_len > 0 => Err(Unreadable::Cut),
            other => Err(Unreadable::Version(other)),
        }
    }

    fn of_v4(
        header: &Ipv4HeaderSlice<'a>,
        bytes: &'a [u8],
        wire_len: usize,
    ) -> Result<Ip<'a>, Unreadable> {
        let header_len = header.slice().len();
        let mut total_len = usize::from(header.total_len());
        // A super-packet before segmentation: more than the field can say, or left for hardware to say.
        let is_unsaid = total_len == 0
            && (wire_len > usize::from(u16::MAX)
                || wire_len > SUPER && header.protocol() == ip_number::TCP);
        if is_unsaid {
            total_len = wire_len;
        }
        if total_len < header_len {
            return Err(Unreadable::Header {
                version: 4,
                why: format!("total length {total_len} is less than the header's {header_len}"),
            });
        }
        Ok(Ip {
            header: header.slice(),
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            protocol: header.protocol(),
            payload: &bytes[header_len..total_len.min(bytes.len())],
            payload_len: total_len - header_len,
            total_len,
            hop_limit: header.ttl(),
            ecn: bytes[1] & 3,
            dont_fragment: header.dont_fragment(),
            id: header.identification().into(),
            fragment: header.is_fragmenting_payload().then(|| Fragment {
                offset: usize::from(header.fragments_offset().value()) * 8,
                more: header.more_fragments(),
            }),
            is_unsaid,
            extensions: Extensions::default(),
        })
    }

    fn of_v6(header: &Ipv6HeaderSlice<'a>, bytes: &'a [u8], wire_len: usize) -> Ip<'a> {
        let header_len = header.slice().len();
        let said = usize::from(header.payload_length());
        // A jumbogram (RFC 2675) or super-packet says its length elsewhere.
        let jumbo = said == 0
            && (header.next_header() == ip_number::IPV6_HOP_BY_HOP
                || wire_len > usize::from(u16::MAX));
        let total_len = if jumbo { wire_len } else { header_len + said };
        let mut ip = Ip {
            header: header.slice(),
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            protocol: header.next_header(),
            payload: &bytes[header_len..total_len.clamp(header_len, bytes.len())],
            payload_len: total_len - header_len,
            total_len,
            hop_limit: header.hop_limit(),
            ecn: (bytes[1] >> 4) & 3,
            dont_fragment: true,
            id: 0,
            fragment: None,
            is_unsaid: jumbo && header.next_header() != ip_number::IPV6_HOP_BY_HOP,
            extensions: Extensions {
                jumbo,
                ..Extensions::default()
            },
        };
        ip.walk_extensions();
        ip
    }

    /// Follows the chain of extension headers; each takes at least eight bytes, so this ends.
    fn walk_extensions(&mut self) {
        let mut is_first = true;
        loop {
            let kind = self.protocol;
            let step = match kind {
                ip_number::IPV6_HOP_BY_HOP
                | ip_number::IPV6_DEST_OPTIONS
                | ip_number::IPV6_ROUTE => {
                    Ipv6RawExtHeaderSlice::from_slice(self.payload).map(|header| {
                        self.extensions.see(kind, header.payload(), is_first);
                        (header.next_header(), header.slice().len())
                    })
                }
                ip_number::IPV6_FRAG => {
                    Ipv6FragmentHeaderSlice::from_slice(self.payload).map(|header| {
                        self.extensions.fragment_header = true;
                        self.id = header.identification();
                        if header.is_fragmenting_payload() {
                            self.fragment = Some(Fragment {
                                offset: usize::from(header.fragment_offset().value()) * 8,
                                more: header.more_fragments(),
                            });
                        }
                        (header.next_header(), header.slice().len())
                    })
                }
                _ => return,
            };
            let Ok((next, length)) = step else {
                self.extensions.broken = !self.is_cut();
                return;
            };
            self.protocol = next;
            self.payload = self.payload.get(length..).unwrap_or_default();
            self.payload_len = self.payload_len.saturating_sub(length);
            // What follows a fragment header belongs to the whole packet.
            if self.fragment.is_some() {
                return;
            }
            is_first = false;
        }
    }

    pub(crate) fn is_v4(&self) -> bool {
        self.source.is_ipv4()
    }

    /// The capture has less of the payload than the wire had.
    pub(crate) fn is_cut(&self) -> bool {
        self.payload.len() < self.payload_len
    }

    /// Whether the checksum of an IPv4 header verifies.
    pub(crate) fn has_right_sum(&self) -> bool {
        Sum16BitWords::new()
            .add_slice(self.header)
            .ones_complement()
            == 0
    }

    /// The sum of the pseudo-header for `length` bytes of this packet's protocol.
    pub(crate) fn pseudo_header(&self, length: usize) -> Sum16BitWords {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let sum = Sum16BitWords::new();
        let mut sum = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => sum
                .add_slice(&source.octets())
                .add_slice(&destination.octets()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => sum
                .add_slice(&source.octets())
                .add_slice(&destination.octets()),
            _ => sum,
        };
        sum.add_4bytes(length.to_be_bytes())
            .add_2bytes([0, self.protocol.0])
    }

    /// How the transport checksum stands over `covered`, whose field at `field` is part of it.
    pub(crate) fn transport_checksum(&self, covered: &[u8], field: usize) -> Sum {
        if self.is_cut() || self.extensions.routed {
            return Sum::Unknown;
        }
        let pseudo = self.pseudo_header(covered.len());
        let started = !pseudo.ones_complement();
        if pseudo.add_slice(covered).ones_complement() == 0 {
            return Sum::Right;
        }
        // The sums are kept in the machine's order.
        match covered.get(field..field + 2) {
            Some(&[high, low]) if u16::from_ne_bytes([high, low]) == started => Sum::Partial,
            _ => Sum::Wrong,
        }
    }
}

/// What a checksum turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Right,
    Wrong,
    /// The pseudo-header's sum alone, for hardware to go on with.
    Partial,
    /// Not all that it covers was captured.
    Unknown,
}

impl Extensions {
    fn see(&mut self, kind: IpNumber, body: &[u8], is_first: bool) {
        match kind {
            ip_number::IPV6_HOP_BY_HOP => {
                self.hop_by_hop_late |= !is_first;
                self.router_alert |= has_router_alert(body);
            }
            ip_number::IPV6_ROUTE => {
                self.routing_zero |= body.first() == Some(&0);
                self.routed |= body.get(1).is_some_and(|&left| left > 0);
            }
            _ => {}
        }
    }
}

/// Looks for option 5 (RFC 2711) among the options of a hop-by-hop header.
fn has_router_alert(mut options: &[u8]) -> bool {
    while let Some((&kind, rest)) = options.split_first() {
        if kind == 0 {
            options = rest;
            continue;
        }
        if kind == 5 {
            return true;
        }
        let length = usize::from(rest.first().copied().unwrap_or(0));
        options = rest.get(1 + length..).unwrap_or_default();
    }
    false
}

/// Whether an address names one host: not many, not nobody, not a whole network.
pub(crate) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_multicast() && address != Ipv4Addr::BROADCAST && !address.is_unspecified()
        }
        IpAddr::V6(address) => !address.is_multicast() && address != Ipv6Addr::UNSPECIFIED,
    }
}
