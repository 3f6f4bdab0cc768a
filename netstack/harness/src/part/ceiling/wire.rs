//! Just enough of IPv4 and TCP: fixed places in a packet without IP options.

use crate::part::raw::PREFIX;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

const IP: usize = 20;
const TCP: usize = 20;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// Segments of an MTU of 1500 bytes.
pub(super) const MSS: usize = 1460;
/// MSS 1460, window scale 10 (RFC 9293, 3.2; RFC 7323, 2.2).
const SYN_OPTIONS: [u8; 8] = [2, 4, 0x05, 0xb4, 1, 3, 3, 10];
/// What a SYN-ACK and every segment after it advertise.
const WINDOW: u16 = 0xffff;

/// Partial checksum, segments of TCP over IPv4 (`virtio_net_hdr`).
const NEEDS_CHECKSUM: u8 = 1;
const GSO_TCP_V4: u8 = 1;

/// What a TCP packet said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) local: [u8; 4],
    pub(super) remote: [u8; 4],
    pub(super) local_port: u16,
    pub(super) remote_port: u16,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    /// The shift of its window-scale option, if it is a SYN that has one.
    pub(super) scale: u8,
    /// Bytes of payload.
    pub(super) length: u32,
}

/// What to send to the other side of a packet that was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) flags: u8,
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// Bytes of payload, all of them zero.
    pub(super) length: usize,
}

/// The packet that replies are written into. Its payload stays zero, so that its sum is known.
pub(super) struct Sheet {
    bytes: Box<[u8]>,
    prefix: usize,
    identification: u16,
}

/// A TCP packet over IPv4, or `None`.
pub(super) fn parse(packet: &[u8]) -> Option<Seen> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let tcp = packet.get(header..)?;
    if packet[0] >> 4 != 4 || header < IP || *packet.get(9)? != PROTOCOL_TCP || tcp.len() < TCP {
        return None;
    }
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let offset = usize::from(tcp[12] >> 4) * 4;
    let length = total.checked_sub(header + offset)?;
    let flags = tcp[13];
    Some(Seen {
        remote: word(packet, 12),
        local: word(packet, 16),
        remote_port: u16::from_be_bytes([tcp[0], tcp[1]]),
        local_port: u16::from_be_bytes([tcp[2], tcp[3]]),
        seq: u32::from_be_bytes(word(tcp, 4)),
        ack: u32::from_be_bytes(word(tcp, 8)),
        flags,
        window: u16::from_be_bytes([tcp[14], tcp[15]]),
        scale: if flags & SYN != 0 {
            window_scale(tcp.get(TCP..offset)?).unwrap_or(0)
        } else {
            0
        },
        length: u32::try_from(length).ok()?,
    })
}

/// Turns a UDP datagram around in place. Its sums stay right, since they do not depend on the order of addresses and
/// ports; so does what a `virtio_net_hdr` says of it. `false` if it is something else.
pub(super) fn turn_around(packet: &mut [u8]) -> bool {
    let is_datagram = packet.len() >= IP + 8 && packet[0] == 0x45 && packet[9] == PROTOCOL_UDP;
    if is_datagram {
        let (source, destination) = packet[12..20].split_at_mut(4);
        source.swap_with_slice(destination);
        let (source, destination) = packet[20..24].split_at_mut(2);
        source.swap_with_slice(destination);
    }
    is_datagram
}

impl Sheet {
    pub(super) fn new(prefix: usize) -> Sheet {
        Sheet {
            bytes: vec![0; PREFIX + IP + TCP + SYN_OPTIONS.len() + (64 << 10)].into(),
            prefix,
            identification: 0,
        }
    }

    /// The packet for `reply` to whoever sent `seen`, as it is written to the device.
    pub(super) fn fill(&mut self, seen: &Seen, reply: Reply) -> &[u8] {
        let options: &[u8] = if reply.flags & SYN != 0 {
            &SYN_OPTIONS
        } else {
            &[]
        };
        let headers = TCP + options.len();
        let length = headers + reply.length;
        let total = (IP + length) as u16;
        self.identification = self.identification.wrapping_add(1);
        self.bytes[..self.prefix].fill(0);
        let (front, rest) = self.bytes[self.prefix..].split_at_mut(IP);
        front.fill(0);
        front[0] = 0x45;
        front[2..4].copy_from_slice(&total.to_be_bytes());
        front[4..6].copy_from_slice(&self.identification.to_be_bytes());
        front[6] = 0x40;
        front[8] = 64;
        front[9] = PROTOCOL_TCP;
        front[12..16].copy_from_slice(&seen.local);
        front[16..20].copy_from_slice(&seen.remote);
        let sum = fold(add(0, front));
        front[10..12].copy_from_slice(&(!sum).to_be_bytes());
        let pseudo = add(u32::from(PROTOCOL_TCP) + length as u32, &front[12..20]);

        let tcp = &mut rest[..TCP + SYN_OPTIONS.len()];
        tcp.fill(0);
        tcp[0..2].copy_from_slice(&seen.local_port.to_be_bytes());
        tcp[2..4].copy_from_slice(&seen.remote_port.to_be_bytes());
        tcp[4..8].copy_from_slice(&reply.seq.to_be_bytes());
        tcp[8..12].copy_from_slice(&reply.ack.to_be_bytes());
        tcp[12] = (headers as u8 / 4) << 4;
        tcp[13] = reply.flags;
        tcp[14..16].copy_from_slice(&WINDOW.to_be_bytes());
        tcp[TCP..headers].copy_from_slice(options);
        let is_super = self.prefix > 0 && reply.length > MSS;
        let sum = if is_super {
            fold(pseudo)
        } else {
            !fold(add(pseudo, &tcp[..headers]))
        };
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        if is_super {
            let header = &mut self.bytes[..PREFIX];
            header[0] = NEEDS_CHECKSUM;
            header[1] = GSO_TCP_V4;
            header[2..4].copy_from_slice(&((IP + headers) as u16).to_ne_bytes());
            header[4..6].copy_from_slice(&(MSS as u16).to_ne_bytes());
            header[6..8].copy_from_slice(&(IP as u16).to_ne_bytes());
            header[8..10].copy_from_slice(&16u16.to_ne_bytes());
        }
        &self.bytes[..self.prefix + IP + length]
    }
}

fn word(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

fn window_scale(mut options: &[u8]) -> Option<u8> {
    loop {
        match options {
            [3, 3, shift, ..] => return Some((*shift).min(14)),
            [1, rest @ ..] => options = rest,
            [0, ..] => return None,
            [_, length, ..] => options = options.get(usize::from((*length).max(2))..)?,
            _ => return None,
        }
    }
}

fn add(sum: u32, bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |byte| u32::from(*byte)))
        .fold(sum, u32::wrapping_add)
}

fn fold(mut sum: u32) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests;
