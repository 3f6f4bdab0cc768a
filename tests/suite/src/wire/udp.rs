//! UDP datagrams.

use super::ip::{self, Ip, protocol};
use super::{be16, transport_checksum};
use std::net::SocketAddr;

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Who sends it.
    pub src: SocketAddr,
    /// Whom it is for.
    pub dst: SocketAddr,
    /// The data.
    pub payload: Vec<u8>,
}

impl Udp {
    /// The UDP header and the payload, without the IP header.
    pub fn to_segment(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.payload.len());
        bytes.extend(self.src.port().to_be_bytes());
        bytes.extend(self.dst.port().to_be_bytes());
        bytes.extend(((8 + self.payload.len()) as u16).to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(&self.payload);
        let check = match transport_checksum(self.src.ip(), self.dst.ip(), protocol::UDP, &bytes) {
            // Zero would say that there is none (RFC 768).
            0 => 0xffff,
            check => check,
        };
        bytes[6..8].copy_from_slice(&check.to_be_bytes());
        bytes
    }

    /// The whole packet.
    pub fn to_packet(&self) -> Vec<u8> {
        ip::packet(
            self.src.ip(),
            self.dst.ip(),
            protocol::UDP,
            &self.to_segment(),
        )
    }

    /// Reads what is in a whole IP packet; `None` if it is not UDP.
    ///
    /// # Panics
    ///
    /// When it is not well-formed or its checksum is wrong or missing.
    pub fn of(ip: &Ip) -> Option<Udp> {
        if ip.protocol != protocol::UDP {
            return None;
        }
        let bytes = &ip.payload;
        assert_eq!(usize::from(be16(bytes, 4)), bytes.len(), "UDP length");
        assert_ne!(be16(bytes, 6), 0, "a checksum");
        assert_eq!(
            transport_checksum(ip.src, ip.dst, protocol::UDP, bytes),
            0,
            "UDP checksum"
        );
        Some(Udp {
            src: SocketAddr::new(ip.src, be16(bytes, 0)),
            dst: SocketAddr::new(ip.dst, be16(bytes, 2)),
            payload: bytes[8..].to_vec(),
        })
    }
}
