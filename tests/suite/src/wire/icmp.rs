//! ICMP messages of both versions.

use super::ip::{self, Ip, protocol};
use super::{be32, sum, transport_checksum};
use std::net::IpAddr;

/// An ICMP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Who sends it.
    pub src: IpAddr,
    /// Whom it is for.
    pub dst: IpAddr,
    /// Type and code.
    pub kind: (u8, u8),
    /// The second word: identifier and sequence number, an MTU, a pointer.
    pub word: u32,
    /// What follows: the data of an echo, the quotation of an error.
    pub payload: Vec<u8>,
}

impl Icmp {
    /// An echo request.
    pub fn echo_request(
        src: IpAddr,
        dst: IpAddr,
        ident: u16,
        sequence: u16,
        payload: Vec<u8>,
    ) -> Icmp {
        let kind = (if src.is_ipv4() { 8 } else { 128 }, 0);
        Icmp {
            src,
            dst,
            kind,
            word: u32::from(ident) << 16 | u32::from(sequence),
            payload,
        }
    }

    /// The message without the IP header.
    pub fn to_message(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind.0, self.kind.1, 0, 0];
        bytes.extend(self.word.to_be_bytes());
        bytes.extend(&self.payload);
        let check = match self.src {
            IpAddr::V4(_) => !sum(&bytes),
            IpAddr::V6(_) => transport_checksum(self.src, self.dst, protocol::ICMPV6, &bytes),
        };
        bytes[2..4].copy_from_slice(&check.to_be_bytes());
        bytes
    }

    /// The protocol number of the message.
    pub fn protocol(&self) -> u8 {
        if self.src.is_ipv4() {
            protocol::ICMP
        } else {
            protocol::ICMPV6
        }
    }

    /// The whole packet.
    pub fn to_packet(&self) -> Vec<u8> {
        ip::packet(self.src, self.dst, self.protocol(), &self.to_message())
    }

    /// Reads what is in a whole IP packet; `None` if it is not ICMP.
    ///
    /// # Panics
    ///
    /// When its checksum is wrong.
    pub fn of(ip: &Ip) -> Option<Icmp> {
        let bytes = &ip.payload;
        match ip.protocol {
            protocol::ICMP => assert_eq!(sum(bytes), 0xffff, "ICMP checksum"),
            protocol::ICMPV6 => {
                assert_eq!(
                    transport_checksum(ip.src, ip.dst, protocol::ICMPV6, bytes),
                    0,
                    "ICMPv6 checksum"
                );
            }
            _ => return None,
        }
        Some(Icmp {
            src: ip.src,
            dst: ip.dst,
            kind: (bytes[0], bytes[1]),
            word: be32(bytes, 4),
            payload: bytes[8..].to_vec(),
        })
    }
}
