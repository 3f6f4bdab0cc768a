//! Packets put together byte by byte, to be added to a capture.

use std::time::Duration;

use crate::capture::{Capture, Frame};

pub(crate) const A4: [u8; 4] = [10, 9, 0, 1];
pub(crate) const B4: [u8; 4] = [10, 9, 0, 2];
pub(crate) const A6: [u8; 16] = v6(0xfd, 1);
pub(crate) const B6: [u8; 16] = v6(0xfd, 2);

pub(crate) const UDP: u8 = 17;
pub(crate) const TCP: u8 = 6;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMP6: u8 = 58;

const fn v6(first: u8, last: u8) -> [u8; 16] {
    [first, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

/// An IPv4 packet; `word` are the flags and the offset of a fragment.
pub(crate) struct V4 {
    pub(crate) from: [u8; 4],
    pub(crate) to: [u8; 4],
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) id: u16,
    pub(crate) word: u16,
    pub(crate) options: &'static [u8],
    pub(crate) payload: Vec<u8>,
}

impl V4 {
    pub(crate) fn new(protocol: u8, payload: Vec<u8>) -> V4 {
        V4 {
            from: A4,
            to: B4,
            protocol,
            ttl: 64,
            id: 0x7171,
            word: 0,
            options: &[],
            payload,
        }
    }

    /// The packet's bytes, with right checksums unless it is a fragment.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut bytes = vec![0x40 | (header / 4) as u8, 0];
        bytes.extend(((header + self.payload.len()) as u16).to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.word.to_be_bytes());
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(self.from);
        bytes.extend(self.to);
        bytes.extend(self.options);
        bytes.extend(&self.payload);
        let mut frame = frame(bytes);
        frame.mend();
        frame.bytes
    }
}

/// An IPv6 packet, with a right checksum where the transport header is the first.
pub(crate) fn packet6(from: [u8; 16], to: [u8; 16], next: u8, hops: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((rest.len() as u16).to_be_bytes());
    bytes.extend([next, hops]);
    bytes.extend(from);
    bytes.extend(to);
    bytes.extend(rest);
    let mut frame = frame(bytes);
    if matches!(next, UDP | ICMP6) {
        frame.mend();
    }
    frame.bytes
}

/// A UDP datagram of so many bytes of payload; its checksum is made by the packet around it.
pub(crate) fn udp(len: usize) -> Vec<u8> {
    let mut bytes = Vec::from([0x13, 0x88, 0x17, 0x70]);
    bytes.extend(((8 + len) as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend((0..len).map(|at| at as u8));
    bytes
}

/// An ICMP message of either version about `quote`.
pub(crate) fn icmp(kind: u8, code: u8, word: u32, quote: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(word.to_be_bytes());
    bytes.extend(quote);
    bytes
}

fn frame(bytes: Vec<u8>) -> Frame {
    Frame {
        time: Duration::ZERO,
        interface: 0,
        bytes,
        ip: 0,
    }
}

/// Adds `packet` in an Ethernet frame, so long after all others.
pub(crate) fn add(capture: &mut Capture, ms: u64, interface: u32, packet: &[u8]) {
    add_from(capture, [2, 0, 0, 0, 0, 9], ms, interface, packet);
}

/// As [`add`], from a hardware address.
pub(crate) fn add_from(
    capture: &mut Capture,
    mac: [u8; 6],
    ms: u64,
    interface: u32,
    packet: &[u8],
) {
    let last = capture.frames.iter().map(|frame| frame.time).max();
    let mut bytes = vec![2, 0, 0, 0, 0, 8];
    bytes.extend(mac);
    bytes.extend(if packet[0] >> 4 == 4 {
        [8, 0]
    } else {
        [0x86, 0xdd]
    });
    bytes.extend(packet);
    // Ethernet pads what is shorter.
    bytes.resize(bytes.len().max(60), 0);
    capture.frames.push(Frame {
        time: last.unwrap_or_default() + Duration::from_millis(ms),
        interface,
        bytes,
        ip: 14,
    });
}
