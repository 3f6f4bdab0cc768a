//! Reads the packets that a host sends.

use std::net::IpAddr;

use etherparse::{InternetSlice, SlicedPacket, TransportSlice};

use super::build::{ICMP, ICMP6, TCP, UDP};
use super::{checksum, options};
use crate::ast::TcpOption;

/// A packet that a host sent.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) class: u8,
    pub(crate) ttl: u8,
    pub(crate) label: u32,
    /// Whether it stays whole on its way.
    pub(crate) whole: bool,
    pub(crate) carried: Carried,
    /// Whether the transport checksum is right.
    pub(crate) intact: bool,
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Carried {
    Tcp(TcpSeen),
    Udp {
        src_port: u16,
        dst_port: u16,
        payload: Vec<u8>,
    },
    Icmp {
        kind: u8,
        code: u8,
        word: u32,
        quoted: Vec<u8>,
    },
    /// A fragment, or another protocol.
    Other(String),
}

/// A TCP segment, in the host's sequence numbers.
#[derive(Clone, Debug)]
pub(crate) struct TcpSeen {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Result<Vec<TcpOption>, String>,
    pub(crate) payload: Vec<u8>,
}

/// Reads an IP packet.
///
/// # Errors
///
/// What is wrong with its headers.
pub(crate) fn read(bytes: &[u8]) -> Result<Seen, String> {
    let packet = SlicedPacket::from_ip(bytes).map_err(|error| error.to_string())?;
    let (src, dst, class, ttl, label, whole, body): (IpAddr, IpAddr, _, _, _, _, _) =
        match &packet.net {
            Some(InternetSlice::Ipv4(ip)) => {
                let header = ip.header();
                let class = header.dcp().value() << 2 | header.ecn().value();
                (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                    class,
                    header.ttl(),
                    0,
                    header.dont_fragment(),
                    ip.payload().payload,
                )
            }
            Some(InternetSlice::Ipv6(ip)) => {
                let header = ip.header();
                (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                    header.traffic_class(),
                    header.hop_limit(),
                    header.flow_label().value(),
                    true,
                    ip.payload().payload,
                )
            }
            _ => return Err("no IP packet".into()),
        };
    let (carried, intact) = carried(&packet, src, dst, body);
    Ok(Seen {
        src,
        dst,
        class,
        ttl,
        label,
        whole,
        carried,
        intact,
    })
}

fn carried(packet: &SlicedPacket<'_>, src: IpAddr, dst: IpAddr, body: &[u8]) -> (Carried, bool) {
    let sound = |protocol| {
        let pseudo = checksum::pseudo(src, dst, protocol, body.len());
        checksum::of(&[&pseudo, body]) == 0
    };
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let header = tcp.header_slice();
            let offset_flags = header.get(12..14).and_then(|two| two.try_into().ok());
            let seen = TcpSeen {
                src_port: tcp.source_port(),
                dst_port: tcp.destination_port(),
                seq: tcp.sequence_number(),
                ack: tcp.acknowledgment_number(),
                flags: u16::from_be_bytes(offset_flags.unwrap_or_default()) & 0x1ff,
                window: tcp.window_size(),
                urgent: tcp.urgent_pointer(),
                options: options::read(tcp.options()),
                payload: tcp.payload().to_vec(),
            };
            (Carried::Tcp(seen), sound(TCP))
        }
        Some(TransportSlice::Udp(udp)) => {
            let seen = Carried::Udp {
                src_port: udp.source_port(),
                dst_port: udp.destination_port(),
                payload: udp.payload().to_vec(),
            };
            (seen, sound(UDP))
        }
        Some(TransportSlice::Icmpv4(_)) => (message(body, ICMP), checksum::of(&[body]) == 0),
        Some(TransportSlice::Icmpv6(_)) => (message(body, ICMP6), sound(ICMP6)),
        _ => (
            Carried::Other("a fragment or another protocol".into()),
            true,
        ),
    }
}

fn message(body: &[u8], protocol: u8) -> Carried {
    match body {
        [kind, code, _, _, a, b, c, d, quoted @ ..] => Carried::Icmp {
            kind: *kind,
            code: *code,
            word: u32::from_be_bytes([*a, *b, *c, *d]),
            quoted: quoted.to_vec(),
        },
        _ => Carried::Other(format!("a short message of protocol {protocol}")),
    }
}
