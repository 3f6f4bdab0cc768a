//! Frames: an Ethernet header and what is behind it.

use std::net::IpAddr;

use txbuf::Packet;

use super::mac::Mac;
use crate::tun::{ETHERNET, Outgoing};

pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const IPV6: u16 = 0x86dd;

/// The Ethernet header of a received frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkHeader {
    pub(super) destination: Mac,
    pub(super) source: Mac,
    pub(super) protocol: u16,
}

impl LinkHeader {
    pub(super) fn parse(bytes: &[u8; ETHERNET]) -> LinkHeader {
        let [a, b, c, d, e, f, g, h, i, j, k, l, protocol @ ..] = *bytes;
        LinkHeader {
            destination: Mac([a, b, c, d, e, f]),
            source: Mac([g, h, i, j, k, l]),
            protocol: u16::from_be_bytes(protocol),
        }
    }
}

/// A frame that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    header: [u8; ETHERNET],
    pub(super) packet: Packet,
}

impl Frame {
    /// `packet` in a frame.
    pub(super) fn new(source: Mac, destination: Mac, protocol: u16, packet: Packet) -> Frame {
        let mut header = [0; ETHERNET];
        header[..6].copy_from_slice(&destination.0);
        header[6..12].copy_from_slice(&source.0);
        header[12..].copy_from_slice(&protocol.to_be_bytes());
        Frame { header, packet }
    }
}

impl Outgoing for Frame {
    fn packet(&self) -> &Packet {
        &self.packet
    }

    fn link(&self) -> &[u8] {
        &self.header
    }
}

/// What the IP header of a packet says, as far as a link needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpBrief {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Bytes of the packet, the rest of a frame being padding. `None` if the header does not say.
    pub(super) length: Option<usize>,
}

impl IpBrief {
    /// `None` if the first bytes of `packet` are no IP header, or not all in its header area.
    pub(super) fn of(packet: &Packet) -> Option<IpBrief> {
        let bytes = packet.headers();
        match bytes.first()? >> 4 {
            4 => {
                let header: &[u8; 20] = bytes.first_chunk()?;
                let address = |at: usize| {
                    IpAddr::from([header[at], header[at + 1], header[at + 2], header[at + 3]])
                };
                let length = u16::from_be_bytes([header[2], header[3]]);
                Some(IpBrief {
                    source: address(12),
                    destination: address(16),
                    length: (length > 0).then_some(length.into()),
                })
            }
            6 => {
                let header: &[u8; 40] = bytes.first_chunk()?;
                let address = |from: usize| {
                    let bytes: [u8; 16] = std::array::from_fn(|at| header[from + at]);
                    IpAddr::from(bytes)
                };
                let length = u16::from_be_bytes([header[4], header[5]]);
                Some(IpBrief {
                    source: address(8),
                    destination: address(24),
                    length: (length > 0).then_some(usize::from(length) + 40),
                })
            }
            _ => None,
        }
    }

    /// The type of a frame that carries it.
    pub(super) fn protocol(&self) -> u16 {
        if self.destination.is_ipv4() {
            IPV4
        } else {
            IPV6
        }
    }
}
