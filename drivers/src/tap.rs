//! A capture tap: a layer around any device that writes what passes into a pcapng file.
//!
//! The device's thread only clones packets (one reference each) into a bounded queue; a thread of the tap's own
//! writes them. When that one cannot keep up, the *capture* of a packet is dropped and counted, never the packet.
//!
//! A capture holds up nobody. Payload that an application lent is copied at once, and its message reported as copied;
//! of a packet with payload that the CPU may not read only the part before it is kept, which a comment in the capture
//! says.

mod clock;
mod queue;
mod record;
mod writer;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use txbuf::{Chain, Packet};

use crate::{Capabilities, Device, DeviceCounters};
pub use clock::Clock;
use queue::Queue;
use record::Direction;

/// A file that takes nothing for so long will not take the rest of a capture either.
const STALL: Duration = Duration::from_secs(5);
/// How often the end of a capture is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// How a capture is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TapConfig {
    /// The name of the interface in the capture.
    pub name: String,
    /// Bytes of each packet that are written; the rest is left out. `None` writes all.
    pub snap_length: Option<u32>,
    /// How many packets are captured, both ways together. `None` captures until the end.
    pub packets: Option<u64>,
    /// Packets that may wait for the writer.
    pub queue_packets: usize,
    /// Bytes of packets that may wait for the writer. Where they must be copied they may take twice as many, and 128
    /// KiB.
    pub queue_bytes: usize,
    /// What packets are stamped with.
    pub clock: Clock,
}

impl TapConfig {
    /// Captures all of every packet, with up to 4096 packets and 16 MiB waiting for the writer.
    pub fn new(name: impl Into<String>) -> TapConfig {
        TapConfig {
            name: name.into(),
            snap_length: None,
            packets: None,
            queue_packets: 4096,
            queue_bytes: 16 << 20,
            clock: Clock::machine(),
        }
    }

    /// Captures only the first `packets`, both ways together.
    pub fn first(self, packets: u64) -> TapConfig {
        TapConfig {
            packets: Some(packets),
            ..self
        }
    }

    /// Stamps packets with the time of `clock`.
    pub fn clock(self, clock: Clock) -> TapConfig {
        TapConfig { clock, ..self }
    }

    /// Writes at most `bytes` of each packet.
    pub fn snap(self, bytes: u32) -> TapConfig {
        TapConfig {
            snap_length: Some(bytes),
            ..self
        }
    }
}

/// A device with a tap on it. To capture what is on the wire, put it below the [`Edge`](crate::Edge).
///
/// Packets are stamped with [`Meta::timestamp`](txbuf::Meta) if it is set, else with the time at which they pass by
/// [`TapConfig::clock`].
#[derive(Debug)]
pub struct Tap<D> {
    inner: D,
    queue: Arc<Queue>,
    /// Shared by the taps of one capture; the last of them ends it.
    ending: Arc<Ending>,
    /// Where what cannot be kept as it is is copied to.
    copies: Chain,
    /// Clones of what the inner device is being given. Empty between calls; kept for its allocation.
    offered: VecDeque<Packet>,
    /// What the inner device is being given. Empty between calls; kept for its allocation.
    outgoing: VecDeque<Packet>,
    /// How many packets are still to be captured.
    remaining: u64,
    clock: Clock,
    dropped: u64,
}

impl<D: Device> Tap<D> {
    /// Puts a tap on `inner` that writes to `file`, from a thread of its own. The capture is complete once
    /// [`Capture::finish`] has returned.
    ///
    /// # Errors
    ///
    /// The head of the file could not be written, or the thread not be started.
    pub fn new<W: Write + Send + 'static>(
        inner: D,
        file: W,
        config: TapConfig,
    ) -> io::Result<(Tap<D>, Capture)> {
        let remaining = config.packets.unwrap_or(u64::MAX);
        let queue = Arc::new(Queue::new(config.queue_packets, config.queue_bytes));
        let copies = record::copies(config.queue_bytes);
        let clock = config.clock.clone();
        let writer = writer::start(file, config, Arc::clone(&queue))?;
        let burst = inner.capabilities().burst;
        let tap = Tap {
            inner,
            queue: Arc::clone(&queue),
            ending: Arc::new(Ending(Arc::clone(&queue))),
            copies,
            offered: VecDeque::with_capacity(burst),
            outgoing: VecDeque::with_capacity(burst),
            remaining,
            clock,
            dropped: 0,
        };
        Ok((
            tap,
            Capture {
                queue,
                writer: Some(writer),
            },
        ))
    }

    /// Puts a tap on another device, which writes to the same capture: another queue of an interface, that is. What both
    /// capture stands in the order in which the writer gets it. A limit on the number of packets is each tap's own.
    pub fn beside<E: Device>(&self, inner: E) -> Tap<E> {
        let burst = inner.capabilities().burst;
        Tap {
            inner,
            queue: Arc::clone(&self.queue),
            ending: Arc::clone(&self.ending),
            copies: record::copies(self.queue.byte_limit()),
            offered: VecDeque::with_capacity(burst),
            outgoing: VecDeque::with_capacity(burst),
            remaining: self.remaining,
            clock: self.clock.clone(),
            dropped: 0,
        }
    }

    /// The device inside.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// The device inside, for what is not part of [`Device`].
    pub fn inner_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    /// Packets that passed without being captured because the writer was behind, or had failed.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn capture(&mut self, packet: Packet, direction: Direction, now: u64) {
        if self.remaining == 0 {
            return;
        }
        if self.queue.offer(packet, &mut self.copies, direction, now) {
            self.remaining -= 1;
        } else {
            self.dropped += 1;
        }
    }

    /// Hands at most one burst from `from` to the inner device. Returns how many were taken, and whether it has
    /// no room for more.
    fn transmit_burst(&mut self, from: &mut VecDeque<Packet>) -> io::Result<(usize, bool)> {
        let count = from.len().min(self.inner.capabilities().burst.max(1));
        self.outgoing.extend(from.drain(..count));
        self.offered.extend(self.outgoing.iter().cloned());
        // Before they leave, as whoever sends them has it: what takes long afterwards makes nothing later.
        let now = self.clock.now();
        let result = self.inner.transmit(&mut self.outgoing);
        let unsent = self.outgoing.len();
        while let Some(packet) = self.outgoing.pop_back() {
            from.push_front(packet);
        }
        self.offered.truncate(count - unsent);
        while let Some(packet) = self.offered.pop_front() {
            self.capture(packet, Direction::Out, now);
        }
        self.queue.wake_writer();
        result.map(|_| (count - unsent, unsent > 0))
    }
}

impl<D: Device> Device for Tap<D> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        let before = into.len();
        let result = self.inner.receive(into, max);
        if self.remaining > 0 && into.len() > before {
            let now = self.clock.now();
            for packet in &into[before..] {
                self.capture(packet.clone(), Direction::In, now);
            }
            self.queue.wake_writer();
        }
        result
    }

    fn receive_whole(&mut self) {
        self.inner.receive_whole();
    }

    fn transmit_summed(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        if self.remaining == 0 {
            self.inner.transmit_summed(from)
        } else {
            self.transmit(from)
        }
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        let mut taken = 0;
        while !from.is_empty() {
            if self.remaining == 0 {
                return Ok(taken + self.inner.transmit(from)?);
            }
            let (sent, stopped) = self.transmit_burst(from)?;
            taken += sent;
            if stopped {
                break;
            }
        }
        Ok(taken)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.poll_fd()
    }

    fn counters(&self) -> DeviceCounters {
        let mut counters = self.inner.counters();
        counters.capture_dropped += self.dropped;
        counters
    }
}

/// Ends the capture when the last of its taps is gone.
#[derive(Debug)]
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What a capture came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureReport {
    /// Packets in the file.
    pub written: u64,
    /// Bytes of packets in the file, as far as they were captured.
    pub bytes: u64,
    /// Packets that passed the tap but are not in the file because its writer was behind.
    pub dropped: u64,
    /// Packets of which only the front is in the file, because the CPU may not read the rest.
    pub unreadable: u64,
}

/// The writing end of a tap. Dropping it ends the capture as [`finish`](Capture::finish) does, without a result.
#[derive(Debug)]
pub struct Capture {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<io::Result<CaptureReport>>>,
}

impl Capture {
    /// Writes what waits, flushes the file, and says what was captured. A tap that is still in use goes on passing
    /// packets, uncaptured and counted as dropped.
    ///
    /// Blocks while the file takes anything. When it has taken nothing for five seconds, what waits is given up; the
    /// thread that writes ends once the file lets go of it.
    ///
    /// # Errors
    ///
    /// The file could not be written, now or earlier: the disk is full, or the reader of a pipe is gone.
    /// [`TimedOut`](io::ErrorKind::TimedOut): it takes nothing any more, as a pipe that nobody reads from.
    pub fn finish(mut self) -> io::Result<CaptureReport> {
        self.end()
    }

    /// Whether the writer has ended by itself, which it does only on an error: [`finish`](Capture::finish) tells it.
    pub fn has_failed(&self) -> bool {
        self.writer.as_ref().is_some_and(JoinHandle::is_finished) && self.queue.has_failed()
    }

    fn end(&mut self) -> io::Result<CaptureReport> {
        self.queue.close();
        let Some(writer) = self.writer.take() else {
            return Ok(CaptureReport::default());
        };
        self.outcome_of(writer).map_err(|error| {
            // What was in hand, or had been handed over and not yet written, is missing besides.
            let missing = self.queue.dropped();
            let sentence = format!("{error}, and at least {missing} packets are missing from it");
            io::Error::new(error.kind(), sentence)
        })
    }

    fn outcome_of(
        &self,
        writer: JoinHandle<io::Result<CaptureReport>>,
    ) -> io::Result<CaptureReport> {
        self.wait_for(&writer)?;
        writer.join().unwrap_or_else(|_| {
            Err(io::Error::other(
                "the thread that writes the capture has panicked",
            ))
        })
    }

    /// Waits until the writer has ended, as long as it gets on.
    fn wait_for(&self, writer: &JoinHandle<io::Result<CaptureReport>>) -> io::Result<()> {
        let mut progress = self.queue.progress();
        let mut since = Instant::now();
        while !writer.is_finished() {
            if self.queue.progress() != progress {
                progress = self.queue.progress();
                since = Instant::now();
            } else if since.elapsed() >= STALL {
                self.queue.abandon();
                let why = format!("it has taken nothing for {} seconds", STALL.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // Whoever wants to know calls `finish`.
            let _ = self.end();
        }
    }
}

#[cfg(test)]
mod tests;
