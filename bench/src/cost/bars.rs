//! What the ratios have to be.

use super::{Operation, Subject, Table};

/// "No slower" allows for this much, since equal work is measured equal only so far.
const NOISE: f64 = 0.95;

/// One requirement: the peer's median, divided by ours, is at least `least`.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// The operation.
    pub operation: Operation,
    /// Extents of the packet.
    pub extents: usize,
    /// Whose operation ours is compared with.
    pub peer: Subject,
    /// The least ratio; 1 for "no slower".
    pub least: f64,
}

/// The requirements.
pub const BARS: &[Bar] = &[
    bar(Operation::Clone, 16, Subject::Skb, 1.0),
    bar(Operation::Clone, 16, Subject::Rope, 8.0),
    bar(Operation::ClonePacket, 16, Subject::Skb, 1.0),
    bar(Operation::ClonePacket, 16, Subject::Rope, 8.0),
    bar(Operation::Copy, 16, Subject::Skb, 8.0),
    bar(Operation::SplitCloned, 16, Subject::Skb, 4.0),
    bar(Operation::Split, 16, Subject::Skb, 2.0),
    bar(Operation::Drop, 16, Subject::Skb, 4.0),
    bar(Operation::Drop, 16, Subject::Rope, 4.0),
    bar(Operation::Free, 16, Subject::Skb, 1.0),
    bar(Operation::Free, 16, Subject::Rope, 1.0),
    bar(Operation::Segment, 16, Subject::Skb, 2.0),
    bar(Operation::Clone, 1, Subject::Bytes, 1.0),
    bar(Operation::CloneDrop, 1, Subject::Bytes, 1.0),
    bar(Operation::SplitBytes, 1, Subject::Bytes, 1.0),
    bar(Operation::Advance, 1, Subject::Bytes, 1.0),
];

const fn bar(operation: Operation, extents: usize, peer: Subject, least: f64) -> Bar {
    Bar {
        operation,
        extents,
        peer,
        least,
    }
}

/// How a bar was met.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// The requirement.
    pub bar: Bar,
    /// Our median, in nanoseconds.
    pub ours: f64,
    /// The peer's.
    pub peer: f64,
}

impl Verdict {
    /// The peer's median divided by ours.
    pub fn ratio(&self) -> f64 {
        self.peer / self.ours
    }

    /// Whether that is enough. For "no slower", 5 % are noise.
    pub fn holds(&self) -> bool {
        let least = self.bar.least;
        self.ratio() >= if least == 1.0 { NOISE } else { least }
    }
}

/// Compares every bar with what was measured. A bar whose cases were not measured is left out.
pub fn judge(table: &Table) -> Vec<Verdict> {
    let verdict = |bar: &Bar| {
        Some(Verdict {
            bar: *bar,
            ours: table.median(bar.operation, Subject::Txbuf, bar.extents)?,
            peer: table.median(bar.operation, bar.peer, bar.extents)?,
        })
    };
    BARS.iter().filter_map(verdict).collect()
}
