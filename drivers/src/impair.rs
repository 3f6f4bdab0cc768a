//! What a bad network does to packets: delay, jitter, loss, reordering, duplication, corruption, a limited rate with marks.
//!
//! A [`Pipeline`] is a row of small [`Stage`]s through which packets go in one direction. Nothing in it reads a clock
//! or draws a number of its own: the time is passed in, as a [`Duration`] since an origin of the caller's choosing,
//! and all chances follow from one seed. So the same seed and the same packets at the same times give the same
//! result, on a device and in a simulation.
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Duration;
//! use drivers::impair::{Chance, Impairments};
//! use txbuf::Packet;
//!
//! let link = Impairments {
//!     delay: Duration::from_millis(20),
//!     loss: Chance::per_mille(10),
//!     ..Impairments::default()
//! };
//! let mut pipeline = link.pipeline(7, 0);
//! let mut out = VecDeque::new();
//! pipeline.push(Duration::ZERO, Packet::inline(&[0x45; 20]).unwrap(), &mut out);
//! assert!(out.is_empty());
//! let due = pipeline.poll_at().unwrap();
//! pipeline.poll(due, &mut out);
//! assert_eq!((out.len(), due), (1, Duration::from_millis(20)));
//! ```
//!
//! Most stages count packets as they are on the wire: a super-packet is cut, by span, in front of the first of them.
//! One that only lets time pass lets it through whole. What is held is bounded, and every packet that does not come
//! out has a counter with a name.

mod chance;
mod corrupt;
mod delay;
mod duplicate;
mod loss;
mod pipeline;
mod rate;

use std::collections::VecDeque;
use std::time::Duration;

use txbuf::Packet;

pub use chance::{Chance, Dice};
pub use corrupt::Corrupt;
pub use delay::Delay;
pub use duplicate::Duplicate;
pub use loss::Loss;
pub use pipeline::Pipeline;
pub use rate::Rate;

/// Packets that leave a stage, each with the time at which it does.
pub type Released = VecDeque<(Duration, Packet)>;

/// One thing that happens to packets.
///
/// The caller, a [`Pipeline`], never lets time go backwards.
pub trait Stage: Send {
    /// Takes the packet that arrives at `now`. What leaves at once is appended to `out`.
    fn push(&mut self, now: Duration, packet: Packet, out: &mut Released);

    /// Appends what was held and leaves until `now`, in the order of the times.
    fn release(&mut self, _now: Duration, _out: &mut Released) {}

    /// When [`release`](Stage::release) has something next; `None` if nothing is held.
    fn release_at(&self) -> Option<Duration> {
        None
    }

    /// Packets that were pushed and have neither left nor been dropped.
    fn held(&self) -> usize {
        0
    }

    /// Whether the stage reckons with packets as they are on the wire, and takes no super-packets.
    fn counts_packets(&self) -> bool {
        true
    }

    /// Tells each counter with its name. A name says of which stage it is.
    fn counters(&self, tell: &mut dyn FnMut(&'static str, u64));
}

/// Bytes that wait at most for their time to pass, if nothing else is said.
const HELD_BYTES: usize = 64 << 20;
/// Packets that a stage holds at most: what they cost beside their bytes is bounded too.
const HELD_PACKETS: usize = 1 << 16;
/// Time for which packets may wait for a limited rate, if nothing else is said.
const QUEUE_TIME: Duration = Duration::from_millis(100);
/// The smallest queue of a limited rate, if nothing else is said.
const LEAST_QUEUE: usize = 64 << 10;
/// For how long a reordered packet is held back at least, if nothing else is said.
const LEAST_HOLD: Duration = Duration::from_millis(5);

/// What one direction of a network does. By default: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impairments {
    /// Time that every packet takes.
    pub delay: Duration,
    /// By how much the time differs from packet to packet, in either direction. Packets stay in order.
    pub jitter: Duration,
    /// Packets that are lost.
    pub loss: Chance,
    /// Packets that are held back, so that others overtake them.
    pub reorder: Chance,
    /// For how long they are held back at most; by default for the delay, but not less than 5 ms.
    pub reorder_hold: Option<Duration>,
    /// Packets that arrive twice.
    pub duplicate: Chance,
    /// Packets of which a burst of at most 15 bits is flipped, which the Internet checksum detects wherever it covers
    /// them: all but the first word and the hop limit of IPv6.
    pub corrupt: Chance,
    /// Bits of IP packets in a second.
    pub rate: Option<u64>,
    /// Bytes that may wait for their turn; what does not fit is dropped. By default as many as pass in 100 ms, but
    /// not less than 64 KiB.
    pub queue: Option<usize>,
    /// Packets of senders that speak ECN are marked when they find so many bytes waiting (RFC 3168 section 5).
    pub mark: Option<usize>,
}

impl Impairments {
    /// Whether nothing happens to packets.
    pub fn is_none(&self) -> bool {
        self.stages(0, 0).is_empty()
    }

    /// The pipeline that does it: the queue of the slow link first, then what happens on its way. `direction` keeps
    /// two pipelines of the same seed apart.
    pub fn pipeline(&self, seed: u64, direction: u32) -> Pipeline {
        Pipeline::new(self.stages(seed, direction))
    }

    fn stages(&self, seed: u64, direction: u32) -> Vec<Box<dyn Stage>> {
        // A stream of numbers for each stage, so that changing the chance of one does not change what another does.
        let dice = |stage| Dice::new(seed, direction, stage);
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        if let Some(rate) = self.rate {
            let queue = self.queue.unwrap_or_else(|| default_queue(rate));
            stages.push(Box::new(Rate::new(rate, queue).marking(self.mark)));
        }
        if !self.loss.is_never() {
            stages.push(Box::new(Loss::new(self.loss, dice(0))));
        }
        if !self.duplicate.is_never() {
            stages.push(Box::new(Duplicate::new(self.duplicate, dice(1))));
        }
        if !self.corrupt.is_never() {
            stages.push(Box::new(Corrupt::new(self.corrupt, dice(2))));
        }
        if !(self.delay.is_zero() && self.jitter.is_zero() && self.reorder.is_never()) {
            let hold = self.reorder_hold.unwrap_or(self.delay.max(LEAST_HOLD));
            let delay = Delay::new(self.delay, self.jitter, dice(3), HELD_BYTES);
            stages.push(Box::new(delay.reordering(self.reorder, hold)));
        }
        stages
    }
}

fn default_queue(rate: u64) -> usize {
    let bytes = u128::from(rate) * QUEUE_TIME.as_millis() / 8000;
    usize::try_from(bytes)
        .unwrap_or(usize::MAX)
        .clamp(LEAST_QUEUE, HELD_BYTES)
}

#[cfg(test)]
mod tests;
