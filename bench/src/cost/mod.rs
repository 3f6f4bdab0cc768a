//! What operations on packets cost: this project's, those of a model of Linux's `sk_buff`, and those of a rope.
//!
//! Every case does one operation on a packet of 64 KiB in a number of extents. The criterion bench and the program
//! that checks the ratios run the same cases.

mod bars;
mod measure;
mod ours;
mod plot;
mod ropes;
mod skbs;
mod timing;

use std::time::Duration;

pub use bars::{BARS, Bar, Verdict, judge};
pub use measure::{Effort, Measured, Table, measure};
pub use plot::plot;

/// Payload bytes of every packet.
pub(crate) const PAYLOAD: usize = 64 << 10;

/// Payload bytes of a segment: 45 of them make a packet.
pub(crate) const SEGMENT: usize = 1460;

/// Bytes of headers.
pub(crate) const HEADERS: usize = 52;

/// Where packets are split: in the middle, not between two extents.
pub(crate) const SPLIT: usize = PAYLOAD / 2 + 1;

/// Bytes of an advance.
pub(crate) const STEP: usize = 16;

/// Numbers of extents.
pub const EXTENTS: [usize; 4] = [1, 4, 16, 64];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Another handle on the same bytes: of a packet that has headers elsewhere, without them.
    Clone,
    /// Another handle on a packet, headers and all, whose bytes may be shared.
    ClonePacket,
    /// Another packet with headers of its own.
    Copy,
    /// A packet that nobody shares into two.
    Split,
    /// A packet of which there is a clone into two, each with headers of its own.
    SplitCloned,
    /// The end of a packet whose storage others keep.
    Drop,
    /// The end of a packet and of its storage.
    Free,
    /// A packet into segments.
    Segment,
    /// The front moved on by a few bytes (one extent).
    Advance,
    /// Bytes alone, without a packet around them, into two (one extent).
    SplitBytes,
    /// A clone and its end.
    CloneDrop,
}

impl Operation {
    /// Every operation, in the order of a report.
    pub const ALL: [Operation; 11] = [
        Operation::Clone,
        Operation::ClonePacket,
        Operation::CloneDrop,
        Operation::Copy,
        Operation::Split,
        Operation::SplitCloned,
        Operation::Drop,
        Operation::Free,
        Operation::Segment,
        Operation::SplitBytes,
        Operation::Advance,
    ];

    /// Its name in reports and in criterion's.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Clone => "clone",
            Operation::ClonePacket => "clone of a packet",
            Operation::CloneDrop => "clone and drop",
            Operation::Copy => "clone with private header",
            Operation::Split => "split",
            Operation::SplitCloned => "split of a clone",
            Operation::Drop => "drop, storage lives",
            Operation::Free => "drop, storage freed",
            Operation::Segment => "64 KiB into 45 segments",
            Operation::SplitBytes => "split of bytes",
            Operation::Advance => "advance",
        }
    }
}

/// Whose operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// This project's crate.
    Txbuf,
    /// The model of Linux's packets.
    Skb,
    /// The rope.
    Rope,
    /// One slice of the kind that the rope is made of.
    Bytes,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Subject; 4] = [Subject::Txbuf, Subject::Skb, Subject::Rope, Subject::Bytes];

    /// Its name in reports and in criterion's.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Txbuf => "txbuf",
            Subject::Skb => "skb",
            Subject::Rope => "rope",
            Subject::Bytes => "bytes",
        }
    }
}

/// One operation of one subject on one packet.
pub struct Case {
    /// The operation.
    pub operation: Operation,
    /// Whose it is.
    pub subject: Subject,
    /// Extents of the packet.
    pub extents: usize,
    run: Box<dyn FnMut(u64) -> Duration>,
}

impl Case {
    /// How long `times` operations take, without what prepares them and cleans up after them.
    pub fn run(&mut self, times: u64) -> Duration {
        (self.run)(times)
    }
}

/// All cases. Some make no sense for some subjects: a packet of a kernel's send queue has at most 17 extents, so
/// there is no split of 64.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in Operation::ALL {
        for extents in EXTENTS {
            for subject in Subject::ALL {
                let run = match subject {
                    Subject::Txbuf => ours::run(operation, extents),
                    Subject::Skb => skbs::run(operation, extents),
                    Subject::Rope => ropes::run(operation, extents),
                    Subject::Bytes if extents == 1 => ropes::run_bytes(operation),
                    Subject::Bytes => None,
                };
                cases.extend(run.map(|run| Case {
                    operation,
                    subject,
                    extents,
                    run,
                }));
            }
        }
    }
    cases
}

/// A case's work: does it a number of times and says how long that took.
type Run = Box<dyn FnMut(u64) -> Duration>;

#[cfg(test)]
mod tests;
