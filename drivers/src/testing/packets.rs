//! Packets made and judged by `etherparse`, whose code is not that under test.

use etherparse::{
    IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, NetSlice, PacketBuilder, SlicedPacket,
};
use etherparse::{TcpHeader, TransportSlice, UdpHeader};
use txbuf::{Chain, Checksum, Gso, GsoKind, Ledger, Packet, Pool, PoolConfig, Region, Span};

/// The stack's address and the kernel's.
pub(crate) const V4: [[u8; 4]; 2] = [[198, 51, 100, 9], [198, 51, 100, 7]];
/// The stack's address and the kernel's.
pub(crate) const V6: [[u8; 16]; 2] = [
    [0x20, 1, 0xd, 0xb8, 0xff, 0xee, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
    [0x20, 1, 0xd, 0xb8, 0xff, 0xee, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
];

/// A pool as a device would have it.
pub(crate) fn pool(ledger: &Ledger) -> Pool {
    pool_of(ledger, 128 << 10)
}

/// A pool with segments of so many bytes.
pub(crate) fn pool_of(ledger: &Ledger, segment: usize) -> Pool {
    Pool::new(
        ledger,
        PoolConfig {
            segment,
            limit: 16 << 20,
            keep: 4,
        },
    )
}

/// A packet of `length` bytes with a complete checksum, in one piece.
pub(crate) fn udp(arena: &mut Chain, length: usize) -> Packet {
    let payload: Vec<u8> = (0..length - 28).map(|i| i as u8).collect();
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(V4[0], V4[1], 64)
        .udp(1000, 2000)
        .write(&mut bytes, &payload)
        .expect("a packet");
    Packet::copy_from(&bytes, arena).expect("memory")
}

/// A packet or super-packet that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) six: bool,
    pub(crate) udp: bool,
    pub(crate) payload: usize,
    /// Segment size; 0 for a packet that is no super-packet.
    pub(crate) size: u16,
    /// FIN, PSH and CWR.
    pub(crate) flags: [bool; 3],
    /// Words of TCP options.
    pub(crate) options: usize,
    pub(crate) sequence: u32,
    pub(crate) identification: u16,
    /// Bytes of payload in the header area.
    pub(crate) in_area: usize,
    /// Into how many separate pieces of storage the rest of the payload is laid.
    pub(crate) pieces: usize,
    /// Whether that is memory lent by an application.
    pub(crate) lent: bool,
}

impl Spec {
    /// A TCP super-packet over IPv4.
    pub(crate) fn tcp(payload: usize, size: u16) -> Spec {
        Spec {
            six: false,
            udp: false,
            payload,
            size,
            flags: [false, true, false],
            options: 3,
            sequence: 0xffff_f000,
            identification: 0xfffe,
            in_area: 0,
            pieces: 1,
            lent: false,
        }
    }

    pub(crate) fn header_length(&self) -> usize {
        (if self.six { 40 } else { 20 }) + if self.udp { 8 } else { 20 + 4 * self.options }
    }

    pub(crate) fn payload_bytes(&self) -> Vec<u8> {
        (0..self.payload).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    /// The packet, its checksum partial.
    pub(crate) fn build(&self, pool: &Pool) -> Packet {
        let headers = self.headers();
        let payload = self.payload_bytes();
        let in_area = self.in_area.min(payload.len());
        let mut packet = match self.span(pool, &payload[in_area..]) {
            Some(span) => Packet::with_payload(span),
            None => Packet::new(),
        };
        let area = packet.push(headers.len() + in_area).expect("room");
        area[..headers.len()].copy_from_slice(&headers);
        area[headers.len()..].copy_from_slice(&payload[..in_area]);
        let start = if self.six { 40 } else { 20 };
        packet.meta.checksum = Checksum::Partial {
            start,
            offset: if self.udp { 6 } else { 16 },
        };
        packet.meta.gso = (self.size > 0).then_some(Gso {
            kind: self.kind(),
            size: self.size,
            headers: headers.len() as u16,
        });
        packet
    }

    fn kind(&self) -> GsoKind {
        match (self.udp, self.six) {
            (true, _) => GsoKind::Udp,
            (false, false) => GsoKind::TcpV4,
            (false, true) => GsoKind::TcpV6,
        }
    }

    fn span(&self, pool: &Pool, payload: &[u8]) -> Option<Span> {
        if payload.is_empty() {
            return None;
        }
        let length = payload.len().div_ceil(self.pieces.max(1));
        if self.lent {
            let region = Region::new(pool.ledger(), payload.to_vec());
            let starts = (0..payload.len()).step_by(length);
            let ranges: Vec<_> = starts
                .map(|at| at..(at + length).min(payload.len()))
                .collect();
            return Some(region.lend_all(&ranges, None).expect("few ranges"));
        }
        let parts = payload
            .chunks(length)
            .map(|part| Chain::arena(pool).copy(part).expect("memory"));
        Some(Span::gather(pool.ledger(), parts).expect("few parts"))
    }

    fn headers(&self) -> Vec<u8> {
        let mut layer4 = self.layer4();
        let length = layer4.len() + self.payload;
        let protocol = if self.udp {
            IpNumber::UDP
        } else {
            IpNumber::TCP
        };
        let mut pseudo = if self.six { V6.concat() } else { V4.concat() };
        pseudo.extend([0, protocol.0]);
        pseudo.extend((length as u16).to_be_bytes());
        let at = if self.udp { 6 } else { 16 };
        layer4[at..at + 2].copy_from_slice(&naive_sum(&pseudo).to_be_bytes());
        let mut headers = if self.six {
            Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: length as u16,
                next_header: protocol,
                hop_limit: 64,
                source: V6[0],
                destination: V6[1],
            }
            .to_bytes()
            .to_vec()
        } else {
            let mut header =
                Ipv4Header::new(length as u16, 64, protocol, V4[0], V4[1]).expect("a header");
            header.identification = self.identification;
            header.header_checksum = header.calc_header_checksum();
            header.to_bytes().to_vec()
        };
        headers.extend(layer4);
        headers
    }

    fn layer4(&self) -> Vec<u8> {
        if self.udp {
            let length = (8 + self.payload) as u16;
            return UdpHeader {
                source_port: 1000,
                destination_port: 2000,
                length,
                checksum: 0,
            }
            .to_bytes()
            .to_vec();
        }
        let mut header = TcpHeader::new(1000, 2000, self.sequence, 8192);
        header.acknowledgment_number = 77;
        header.ack = true;
        [header.fin, header.psh, header.cwr] = self.flags;
        header
            .set_options_raw(&vec![1; 4 * self.options])
            .expect("options");
        header.to_bytes().to_vec()
    }
}

/// What a packet on the wire says, its lengths and checksums found right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) identification: Option<u16>,
    pub(crate) tcp: Option<TcpHeader>,
    pub(crate) payload: Vec<u8>,
}

/// Parses a packet on the wire.
///
/// # Panics
///
/// If a length or a checksum in it is wrong.
pub(crate) fn parse(bytes: &[u8]) -> Wire {
    let sliced = SlicedPacket::from_ip(bytes).expect("a well-formed packet");
    let (identification, addresses) = match sliced.net.expect("an IP header") {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(
                header.header_checksum,
                header.calc_header_checksum(),
                "IPv4 header checksum"
            );
            assert_eq!(usize::from(header.total_len), bytes.len(), "IPv4 length");
            (
                Some(header.identification),
                Ok((header.source, header.destination)),
            )
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            assert_eq!(
                usize::from(header.payload_length) + 40,
                bytes.len(),
                "IPv6 length"
            );
            (None, Err((header.source, header.destination)))
        }
        NetSlice::Arp(_) => panic!("not IP"),
    };
    match sliced.transport.expect("a transport header") {
        TransportSlice::Tcp(tcp) => {
            let sum = match addresses {
                Ok((source, destination)) => {
                    tcp.calc_checksum_ipv4(source, destination).expect("a sum")
                }
                Err((source, destination)) => {
                    tcp.calc_checksum_ipv6(source, destination).expect("a sum")
                }
            };
            assert_eq!(tcp.checksum(), sum, "TCP checksum");
            Wire {
                identification,
                tcp: Some(tcp.to_header()),
                payload: tcp.payload().to_vec(),
            }
        }
        TransportSlice::Udp(udp) => {
            let (header, payload) = (udp.to_header(), udp.payload());
            let sum = match addresses {
                Ok((source, destination)) => {
                    header.calc_checksum_ipv4_raw(source, destination, payload)
                }
                Err((source, destination)) => {
                    header.calc_checksum_ipv6_raw(source, destination, payload)
                }
            };
            assert_eq!(header.checksum, sum.expect("a sum"), "UDP checksum");
            assert_eq!(usize::from(header.length), 8 + payload.len(), "UDP length");
            Wire {
                identification,
                tcp: None,
                payload: payload.to_vec(),
            }
        }
        other => panic!("neither TCP nor UDP: {other:?}"),
    }
}

/// RFC 1071, word by word.
fn naive_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
