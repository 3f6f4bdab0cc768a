//! What waits for the capture's writer: bounded in packets, in bytes, and in memory pinned.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use txbuf::{Chain, Packet};

use super::record::{Direction, Record, keep};

/// So many packets may wait as clones, whatever storage their spans pin. Those behind them wait as copies if they
/// would pin more than four times their length.
pub(super) const CLONES: usize = 64;

/// While packets come, the writer looks for them once in this time, so that the device's thread seldom has to make
/// the system call that wakes it.
const LINGER: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Queue {
    records: ArrayQueue<Record>,
    /// Bytes of packets in `records`.
    bytes: AtomicUsize,
    byte_limit: usize,
    dropped: AtomicU64,
    closed: AtomicBool,
    failed: AtomicBool,
    asleep: AtomicBool,
    /// Changes whenever the writer gets on.
    progress: AtomicU64,
    writer: OnceLock<Thread>,
}

impl Queue {
    pub(super) fn new(packets: usize, byte_limit: usize) -> Queue {
        Queue {
            records: ArrayQueue::new(packets.max(1)),
            bytes: AtomicUsize::new(0),
            byte_limit,
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            progress: AtomicU64::new(0),
            writer: OnceLock::new(),
        }
    }

    /// Puts a clone in the queue, or what may be kept of it, with copies in `copies`. False: there is no room, or the
    /// capture has ended.
    pub(super) fn offer(
        &self,
        packet: Packet,
        copies: &mut Chain,
        direction: Direction,
        now: u64,
    ) -> bool {
        let queued = self.try_offer(packet, copies, direction, now).is_some();
        if !queued {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        queued
    }

    fn try_offer(
        &self,
        packet: Packet,
        copies: &mut Chain,
        direction: Direction,
        now: u64,
    ) -> Option<()> {
        let length = packet.len();
        let waiting = self.bytes.load(Ordering::Relaxed);
        if self.closed.load(Ordering::Relaxed)
            || self.failed.load(Ordering::Relaxed)
            || self.records.is_full()
            || waiting.saturating_add(length) > self.byte_limit
        {
            return None;
        }
        let timestamp = match packet.meta.timestamp {
            0 => now,
            stamped => stamped,
        };
        let packet = keep(packet, copies, self.records.len() >= CLONES)?;
        let kept = packet.len();
        // Before the record is visible: the writer subtracts when it has taken it.
        self.bytes.fetch_add(kept, Ordering::Relaxed);
        let queued = self.records.push(Record {
            packet,
            length,
            direction,
            timestamp,
        });
        if queued.is_err() {
            self.bytes.fetch_sub(kept, Ordering::Relaxed);
        }
        queued.ok()
    }

    /// Wakes the writer if it sleeps for good. Call after offering.
    pub(super) fn wake_writer(&self) {
        // Pairs with the fence in `wait`: either the writer sees what was pushed or this thread sees it asleep.
        fence(Ordering::SeqCst);
        let behind = self.records.len() > self.records.capacity() / 2;
        if (behind || self.asleep.load(Ordering::Relaxed))
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    /// Bytes of packets that may wait.
    pub(super) fn byte_limit(&self) -> usize {
        self.byte_limit
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// For the writer: it is the calling thread.
    pub(super) fn adopt_writer(&self) {
        let _ = self.writer.set(std::thread::current());
    }

    /// For the writer: the next packet, if one waits.
    pub(super) fn take(&self) -> Option<Record> {
        let record = self.records.pop()?;
        self.bytes.fetch_sub(record.packet.len(), Ordering::Relaxed);
        Some(record)
    }

    /// Lets go of what waits, which counts as dropped. Nothing more is taken.
    pub(super) fn abandon(&self) {
        self.failed.store(true, Ordering::Relaxed);
        let waiting = std::iter::from_fn(|| self.take()).count();
        self.dropped.fetch_add(waiting as u64, Ordering::Relaxed);
    }

    /// For the writer: it has got on.
    pub(super) fn note_progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Another value than before: the writer has got on since.
    pub(super) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// For the writer: sleeps for a moment, in which more may come.
    pub(super) fn linger(&self) {
        if !self.is_closed() {
            std::thread::park_timeout(LINGER);
        }
    }

    /// For the writer: sleeps until there is something to take, or the capture ends.
    pub(super) fn wait(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while self.records.is_empty() && !self.is_closed() {
            std::thread::park();
        }
        self.asleep.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
