//! Conversations written segment by segment, for shapes that no recorded capture has.

use std::time::Duration;

use pcap_file::DataLink;

use crate::capture::{Capture, Frame, SYN};

const CLIENT: [u8; 4] = [10, 7, 0, 1];
pub(crate) const SERVER: [u8; 4] = [10, 7, 0, 2];
const CLIENT_START: u32 = 0x1234_5678;
const SERVER_START: u32 = 0x7abc_def0;

/// The options of SYNs, and timestamps on all segments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Sack,
    /// Only the maximum segment size.
    Plain,
    Stamped,
}

/// One segment. Numbers count from the initial ones of its side.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) micros: u64,
    pub(crate) is_clients: bool,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) len: usize,
    pub(crate) window: u16,
    pub(crate) sack: Vec<(u32, u32)>,
    pub(crate) stamps: (u32, u32),
    /// What is added to the port and to the initial number of the client.
    pub(crate) port: u16,
    pub(crate) start: u32,
    pub(crate) style: Style,
}

/// A segment of the client.
pub(crate) fn client(ms: f64, flags: u8, seq: u32, ack: u32, len: usize) -> Segment {
    Segment {
        micros: (ms * 1000.0) as u64,
        is_clients: true,
        flags,
        seq,
        ack,
        len,
        window: 60_000,
        sack: Vec::new(),
        stamps: (0, 0),
        port: 0,
        start: 0,
        style: Style::Sack,
    }
}

/// A segment of the server.
pub(crate) fn server(ms: f64, flags: u8, seq: u32, ack: u32, len: usize) -> Segment {
    Segment {
        is_clients: false,
        ..client(ms, flags, seq, ack, len)
    }
}

impl Segment {
    pub(crate) fn window(mut self, window: u16) -> Segment {
        self.window = window;
        self
    }

    pub(crate) fn sack(mut self, blocks: &[(u32, u32)]) -> Segment {
        self.sack = blocks.to_vec();
        self
    }

    pub(crate) fn port(mut self, port: u16) -> Segment {
        self.port = port;
        self
    }

    pub(crate) fn start(mut self, start: u32) -> Segment {
        self.start = start;
        self
    }

    fn options(&self, other: u32) -> Vec<u8> {
        let mut options = Vec::new();
        if self.flags & SYN != 0 {
            options.extend([2, 4]);
            options.extend(560u16.to_be_bytes());
            if self.style != Style::Plain {
                options.extend([4, 2, 1, 1]);
            }
        }
        if self.style == Style::Stamped {
            options.extend([1, 1, 8, 10]);
            options.extend(self.stamps.0.to_be_bytes());
            options.extend(self.stamps.1.to_be_bytes());
        }
        if !self.sack.is_empty() {
            options.extend([1, 1, 5, 2 + 8 * self.sack.len() as u8]);
            for &(left, right) in &self.sack {
                options.extend(other.wrapping_add(left).to_be_bytes());
                options.extend(other.wrapping_add(right).to_be_bytes());
            }
        }
        options
    }

    fn frame(&self) -> Frame {
        let client = CLIENT_START.wrapping_add(self.start);
        let (own, other) = if self.is_clients {
            (client, SERVER_START)
        } else {
            (SERVER_START, client)
        };
        let options = self.options(other);
        let ends = [
            (CLIENT, 40_000 + self.port, self.is_clients),
            (SERVER, 80, !self.is_clients),
        ];
        let from = ends.iter().find(|end| end.2).unwrap();
        let to = ends.iter().find(|end| !end.2).unwrap();
        let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
        bytes.extend(from.0);
        bytes.extend(to.0);
        bytes.extend(from.1.to_be_bytes());
        bytes.extend(to.1.to_be_bytes());
        bytes.extend(own.wrapping_add(self.seq).to_be_bytes());
        let ack = if self.flags & 16 == 0 {
            0
        } else {
            other.wrapping_add(self.ack)
        };
        bytes.extend(ack.to_be_bytes());
        bytes.extend([(5 + options.len() as u8 / 4) << 4, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(options);
        bytes.extend((0..self.len as u32).map(|at| (self.seq.wrapping_add(at) % 251) as u8));
        let mut frame = Frame {
            time: Duration::from_secs(1_000) + Duration::from_micros(self.micros),
            interface: 0,
            bytes,
            ip: 0,
        };
        frame.mend();
        frame
    }
}

/// The capture of a conversation.
pub(crate) fn capture(segments: &[Segment]) -> Capture {
    Capture {
        links: vec![DataLink::RAW],
        frames: segments.iter().map(Segment::frame).collect(),
        cut: 0,
        lost: 0,
    }
}

/// Moves what comes from `place` on by so much.
pub(crate) fn delay(segments: &mut [Segment], place: usize, ms: i64) {
    for segment in &mut segments[place..] {
        segment.micros = segment.micros.saturating_add_signed(ms * 1000);
    }
}
