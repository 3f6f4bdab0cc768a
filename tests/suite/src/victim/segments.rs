//! Well-formed packets whose interesting parts a fuzzer chooses: it need not find checksums, lengths or
//! addresses first.

use super::{Victim, neighbour};
use crate::lab::Lab;
use crate::wire::{Tcp, ip4, ip6, protocol};
use core::time::Duration;
use std::net::IpAddr;
use txbuf::Checksum;

/// What a fuzzer's bytes are taken from; zeroes behind their end.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

impl Victim {
    /// Feeds segments to the established connections, with the sequence numbers, flags, windows and
    /// options that `bytes` say, between acts of the applications and the passing of time.
    ///
    /// # Panics
    ///
    /// As [`packet`](Self::packet).
    pub fn feed_segments(&mut self, bytes: &[u8]) {
        let mut source = Source(bytes);
        while !source.0.is_empty() {
            let act = source.byte();
            match act & 7 {
                0 => self.read(),
                1 => self.write(),
                2 => self.pass(Duration::from_millis(1 << (act >> 3))),
                3 if act == 0xfb => self.shut_down(),
                3 => self.accept(),
                _ => self.feed_segment(&mut source, act >> 3),
            }
        }
    }

    fn feed_segment(&mut self, source: &mut Source<'_>, kind: u8) {
        let mut segment = self.segment(kind & 1 == 1, source.byte(), &[]);
        let (seq, ack) = (source.word(), source.word());
        segment.seq = segment.seq.wrapping_add(spread(seq));
        segment.ack = segment.ack.wrapping_add(spread(ack));
        segment.window = source.word();
        if kind & 2 == 2 {
            // Another connection, to the listener or to nobody.
            let port = neighbour(false).port() + u16::from(source.byte() % 8);
            segment.src.set_port(port);
        }
        let lengths = source.byte();
        segment.options = source.take(usize::from(lengths & 15).min(10) * 4);
        segment
            .options
            .resize(segment.options.len().next_multiple_of(4), 0);
        let data = source.byte();
        segment.payload = vec![data; usize::from(lengths >> 4) * usize::from(data)];
        if kind & 4 == 4 {
            self.learn(&segment);
        }
        self.packet(&segment.to_packet(), Checksum::Complete);
    }

    /// Later numbers count from behind this segment, as those of a peer that sent it would.
    fn learn(&mut self, segment: &Tcp) {
        let connection = &mut self.established[usize::from(segment.src.is_ipv6())];
        connection.nxt = segment.end();
        connection.rcv = segment.ack;
    }

    /// Feeds fragments, with the positions, lengths and identifications that `bytes` say.
    ///
    /// # Panics
    ///
    /// As [`packet`](Self::packet).
    pub fn feed_fragments(&mut self, bytes: &[u8]) {
        let mut source = Source(bytes);
        while !source.0.is_empty() {
            let kind = source.byte();
            let position = source.word();
            let protocol = [protocol::UDP, protocol::TCP, protocol::ICMP, source.byte()]
                [usize::from(kind >> 1 & 3)];
            let ident = kind >> 3 & 3;
            let len = source.byte();
            let payload = if kind >= 0x80 {
                vec![len; usize::from(len) * 8]
            } else {
                source.take(len.into())
            };
            if kind & 0x60 == 0x60 {
                self.pass(Duration::from_secs(u64::from(len)));
            }
            let packet = match (Lab::neighbour(kind & 1 == 1), Lab::address(kind & 1 == 1)) {
                (IpAddr::V4(src), IpAddr::V4(dst)) => ip4(
                    src,
                    dst,
                    protocol,
                    ident.into(),
                    position & 0x3fff,
                    &[],
                    &payload,
                ),
                (IpAddr::V6(src), IpAddr::V6(dst)) => {
                    let mut extended = vec![protocol, 0];
                    extended.extend(position.to_be_bytes());
                    extended.extend([0, 0, 0, ident]);
                    extended.extend(&payload);
                    ip6(src, dst, protocol::FRAGMENT, &extended)
                }
                _ => continue,
            };
            self.packet(&packet, Checksum::Complete);
        }
    }
}

/// Most distances are small, and around zero; a few are anywhere.
fn spread(word: u16) -> u32 {
    match word {
        0..0x4000 => u32::from(word),
        0x4000..0x8000 => u32::from(word - 0x4000).wrapping_neg(),
        0x8000..0xc000 => u32::from(word - 0x8000) << 8,
        _ => u32::from(word) << 16,
    }
}
