//! TCP segments.

use super::ip::{self, Ip, protocol};
use super::{be16, be32, transport_checksum};
use core::fmt;
use std::net::SocketAddr;

/// No more data.
pub const FIN: u8 = 0x01;
/// Synchronize.
pub const SYN: u8 = 0x02;
/// Reset.
pub const RST: u8 = 0x04;
/// Push.
pub const PSH: u8 = 0x08;
/// The acknowledgement number counts.
pub const ACK: u8 = 0x10;
/// The urgent pointer means something.
pub const URG: u8 = 0x20;

/// The options of a segment, as bytes.
pub mod options {
    /// The maximum segment size.
    pub fn mss(size: u16) -> Vec<u8> {
        let [high, low] = size.to_be_bytes();
        vec![2, 4, high, low]
    }

    /// The window scale.
    pub fn window_scale(shift: u8) -> Vec<u8> {
        vec![1, 3, 3, shift]
    }

    /// Selective acknowledgement is understood.
    pub fn sack_permitted() -> Vec<u8> {
        vec![1, 1, 4, 2]
    }

    /// Timestamps.
    pub fn timestamps(val: u32, ecr: u32) -> Vec<u8> {
        let mut option = vec![1, 1, 8, 10];
        option.extend(val.to_be_bytes());
        option.extend(ecr.to_be_bytes());
        option
    }

    /// A user timeout: a bit that means minutes, and 15 bits.
    pub fn user_timeout(field: u16) -> Vec<u8> {
        let [high, low] = field.to_be_bytes();
        vec![28, 4, high, low]
    }

    /// Fast Open: a cookie, or the wish for one, which is empty.
    pub fn fast_open(cookie: &[u8]) -> Vec<u8> {
        let mut option = vec![34, 2 + cookie.len() as u8];
        option.extend(cookie);
        option.resize(option.len().next_multiple_of(4), 1);
        option
    }

    /// Selective acknowledgements.
    pub fn sack(blocks: &[(u32, u32)]) -> Vec<u8> {
        let mut option = vec![1, 1, 5, 2 + 8 * blocks.len() as u8];
        for (left, right) in blocks {
            option.extend(left.to_be_bytes());
            option.extend(right.to_be_bytes());
        }
        option
    }
}

/// A TCP segment.
#[derive(Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Who sends it.
    pub src: SocketAddr,
    /// Whom it is for.
    pub dst: SocketAddr,
    /// The sequence number.
    pub seq: u32,
    /// The acknowledgement number.
    pub ack: u32,
    /// The control bits.
    pub flags: u8,
    /// The window field, not scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// The options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// The data.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Tcp {
    /// In one line, the payload as its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(SYN, 'S'), (FIN, 'F'), (RST, 'R'), (PSH, 'P'), (ACK, '.')];
        let flags: String = names
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .map(|(_, name)| *name)
            .collect();
        write!(
            f,
            "{} > {} [{flags}] seq {} ack {}",
            self.src, self.dst, self.seq, self.ack
        )?;
        write!(
            f,
            " win {} options {:?} length {}",
            self.window,
            self.options,
            self.payload.len()
        )
    }
}

impl Tcp {
    /// The TCP header and the payload, without the IP header.
    pub fn to_segment(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20 + self.options.len() + self.payload.len());
        bytes.extend(self.src.port().to_be_bytes());
        bytes.extend(self.dst.port().to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend([((20 + self.options.len()) * 4) as u8, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(self.urgent.to_be_bytes());
        bytes.extend(&self.options);
        bytes.extend(&self.payload);
        let check = transport_checksum(self.src.ip(), self.dst.ip(), protocol::TCP, &bytes);
        bytes[16..18].copy_from_slice(&check.to_be_bytes());
        bytes
    }

    /// The whole packet.
    pub fn to_packet(&self) -> Vec<u8> {
        ip::packet(
            self.src.ip(),
            self.dst.ip(),
            protocol::TCP,
            &self.to_segment(),
        )
    }

    /// Reads a packet; `None` if it is not TCP.
    ///
    /// # Panics
    ///
    /// When it is not well-formed or its checksum is wrong.
    pub fn parse(bytes: &[u8]) -> Option<Tcp> {
        let ip = Ip::parse(bytes);
        if ip.protocol != protocol::TCP {
            return None;
        }
        let bytes = &ip.payload;
        assert_eq!(
            transport_checksum(ip.src, ip.dst, protocol::TCP, bytes),
            0,
            "TCP checksum"
        );
        let header_len = usize::from(bytes[12] >> 4) * 4;
        Some(Tcp {
            src: SocketAddr::new(ip.src, be16(bytes, 0)),
            dst: SocketAddr::new(ip.dst, be16(bytes, 2)),
            seq: be32(bytes, 4),
            ack: be32(bytes, 8),
            flags: bytes[13],
            window: be16(bytes, 14),
            urgent: be16(bytes, 18),
            options: bytes[20..header_len].to_vec(),
            payload: bytes[header_len..].to_vec(),
        })
    }

    /// Whether all of `flags` are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The sequence number behind the segment.
    pub fn end(&self) -> u32 {
        let controls = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        self.seq
            .wrapping_add(self.payload.len() as u32)
            .wrapping_add(controls)
    }

    /// The maximum segment size that it names.
    pub fn mss(&self) -> Option<u16> {
        self.option(2).map(|body| be16(&body, 0))
    }

    /// The window scale that it names.
    pub fn window_scale(&self) -> Option<u8> {
        self.option(3).map(|body| body[0])
    }

    /// Whether it says that selective acknowledgements are understood.
    pub fn sack_permitted(&self) -> bool {
        self.option(4).is_some()
    }

    /// Its selective acknowledgements, in their order.
    pub fn sack(&self) -> Vec<(u32, u32)> {
        let body = self.option(5).unwrap_or_default();
        body.chunks(8)
            .map(|block| (be32(block, 0), be32(block, 4)))
            .collect()
    }

    /// Its timestamp and the one it echoes.
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        self.option(8).map(|body| (be32(&body, 0), be32(&body, 4)))
    }

    /// The field of its user timeout.
    pub fn user_timeout(&self) -> Option<u16> {
        self.option(28).map(|body| be16(&body, 0))
    }

    /// Its Fast Open cookie.
    pub fn fast_open(&self) -> Option<Vec<u8>> {
        self.option(34)
    }

    fn option(&self, wanted: u8) -> Option<Vec<u8>> {
        let mut rest = &self.options[..];
        while let [kind, tail @ ..] = rest {
            match kind {
                0 => return None,
                1 => rest = tail,
                _ => {
                    let len = usize::from(tail[0]);
                    if *kind == wanted {
                        return Some(rest[2..len].to_vec());
                    }
                    rest = &rest[len..];
                }
            }
        }
        None
    }
}
