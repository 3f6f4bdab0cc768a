//! Chains: the one end where nodes are produced and filled.

use std::collections::VecDeque;
use std::fmt;

use crate::completion::Token;
use crate::error::NoMemory;
use crate::node::{NodeRef, Prepaid};
use crate::pool::Pool;
use crate::reservation::Reservation;
use crate::span::{Gatherer, Span};

mod adopt;
mod grow;
mod messages;
mod report;

pub use report::{ChainReport, EntryReport};

/// Most nodes that may be linked one after the other.
pub const RUN_NODES: usize = 16;

/// Most bytes of storage that may be linked one after the other.
pub const RUN_BYTES: usize = 1 << 20;

/// The only producer of its nodes: what is written through it, and nothing
/// else, becomes spans.
///
/// A *stream* is a send queue. It indexes its bytes by position (from 0, in
/// `u64`), keeps them until [`release`](Self::release), and links its own nodes
/// in runs of at most [`RUN_NODES`] nodes and [`RUN_BYTES`] bytes, so that a span
/// over several of them is one pin. A straggler therefore keeps at most one run.
///
/// An *arena* fills nodes for others to hold: received packets, small copies. It
/// links nothing, remembers nothing of what it published, and keeps no node but
/// the one it is filling.
pub struct Chain {
    pool: Pool,
    shape: Shape,
    /// Published bytes of a stream, in order and without holes.
    entries: VecDeque<Entry>,
    /// Entries ever released; entry `i` in the queue has number `released + i`.
    released: u64,
    start: u64,
    end: u64,
    tail: Option<Tail>,
    run: Run,
    /// Storage of the nodes this chain fills or has filled and still pins.
    storage: usize,
    /// Storage of the nodes that were adopted and are still pinned, and how much of it
    /// may be kept whatever it shows.
    adopted: usize,
    carry: usize,
    /// Messages by the position after their last byte.
    messages: VecDeque<(u64, Token)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Stream,
    Arena,
}

/// A stretch of the stream.
struct Entry {
    start: u64,
    span: Span,
    /// Neighbours with the same number are linked.
    run: u64,
    /// In a node that this chain filled.
    own: bool,
    /// Storage that goes with this entry: set on an own node's last one when the
    /// node is no longer the tail, and on the last one of what was adopted.
    storage: u32,
}

/// The node that is being filled.
struct Tail {
    node: NodeRef,
    /// Bytes published so far.
    fill: u32,
    /// Number of the newest entry in this node.
    entry: Option<u64>,
}

/// The nodes linked up to and including the tail.
struct Run {
    number: u64,
    nodes: usize,
    bytes: usize,
}

impl Chain {
    /// A send queue.
    pub fn stream(pool: &Pool) -> Self {
        Self::new(pool, Shape::Stream)
    }

    /// A place to write received packets and small copies to.
    pub fn arena(pool: &Pool) -> Self {
        Self::new(pool, Shape::Arena)
    }

    fn new(pool: &Pool, shape: Shape) -> Self {
        Self {
            pool: pool.clone(),
            shape,
            entries: VecDeque::new(),
            released: 0,
            start: 0,
            end: 0,
            tail: None,
            run: Run {
                number: 0,
                nodes: 0,
                bytes: 0,
            },
            storage: 0,
            adopted: 0,
            carry: 0,
            messages: VecDeque::new(),
        }
    }

    /// Position of the first byte that is not released.
    #[inline]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Position after the last published byte.
    #[inline]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes between the two. An arena has released whatever it published.
    #[inline]
    pub fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    /// True without any unreleased byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// The pool that provides this chain's storage.
    #[inline]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Bytes of storage of the nodes this chain fills, or has filled and still
    /// pins; see [`adopted`](Self::adopted) for those of others.
    #[inline]
    pub fn footprint(&self) -> usize {
        self.storage
    }

    /// At least `at_least` (and one) contiguous bytes to write: all that is left
    /// in the tail, or a whole segment. A tail that nobody pins any more is
    /// filled from its start again.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] at the pool's cap, and when `at_least` exceeds a segment; the
    /// chain is unchanged.
    #[inline]
    pub fn reserve(&mut self, at_least: usize) -> Result<Reservation<'_>, NoMemory> {
        self.make_room(at_least)?;
        Ok(Reservation::new(self))
    }

    /// Appends a copy of `src` to the stream; returns how much, which is less
    /// only if the pool ran out on the way. In an arena the bytes would be out
    /// of reach: use [`copy`](Self::copy) there.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when not even one byte found room.
    pub fn append(&mut self, src: &[u8]) -> Result<usize, NoMemory> {
        let mut done = 0;
        while done < src.len() {
            let mut room = match self.reserve(1) {
                Ok(room) => room,
                Err(full) if done == 0 => return Err(full),
                Err(_) => break,
            };
            let n = room.len().min(src.len() - done);
            room[..n].copy_from_slice(&src[done..done + n]);
            room.publish(n);
            done += n;
        }
        Ok(done)
    }

    /// A contiguous copy of `src` as a span; in a stream it also becomes the end
    /// of the chain.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] as for [`reserve`](Self::reserve).
    pub fn copy(&mut self, src: &[u8]) -> Result<Span, NoMemory> {
        let mut room = self.reserve(src.len())?;
        room[..src.len()].copy_from_slice(src);
        Ok(room.commit(src.len()))
    }

    /// A pin on at most `len` bytes of the stream from `pos` on, clipped to
    /// [`end`](Self::end): one increment inside a run, a gather over several
    /// (then at most [`GATHER_MAX`](crate::GATHER_MAX) leaves, so possibly
    /// fewer bytes). Empty when `pos` is released or not yet there.
    ///
    /// Takes time logarithmic in the number of nodes.
    pub fn span(&self, pos: u64, len: usize) -> Span {
        if pos < self.start || pos >= self.end {
            return Span::empty();
        }
        let most = (self.end - pos).min(u64::from(u32::MAX));
        let len = u32::try_from(len)
            .unwrap_or(u32::MAX)
            .min(u32::try_from(most).unwrap_or(u32::MAX));
        let first = self.entry_at(pos);
        let run_end = self.contiguous_until(first, pos + u64::from(len));
        let take = |index: usize, pos: u64, end: u64| {
            let entry: &Entry = &self.entries[index];
            // Both fit, the first because entries are no longer than `u32`.
            let at = u32::try_from(pos - entry.start).unwrap_or(u32::MAX);
            let len = u32::try_from(end - pos).unwrap_or(u32::MAX);
            entry.span.cut(at, len)
        };
        let end = pos + u64::from(len);
        if run_end >= end {
            return take(first, pos, end);
        }
        let mut gatherer = Gatherer::new();
        let (mut index, mut pos, mut until) = (first, pos, run_end);
        while gatherer.add(take(index, pos, until)).is_ok() && until < end {
            pos = until;
            index = self.entry_at(pos);
            until = self.contiguous_until(index, end).min(end);
        }
        gatherer.finish(self.pool.ledger())
    }

    /// Lets go of everything below `pos`: nodes wholly below it are freed unless
    /// spans still pin them.
    pub fn release(&mut self, pos: u64) {
        let pos = pos.min(self.end);
        if pos <= self.start {
            return;
        }
        self.start = pos;
        let gone = self.entries.partition_point(|entry| entry.end() <= pos);
        self.released += gone as u64;
        // Counted before anything is dropped: an owner's destructor may panic.
        for entry in self.entries.range(..gone) {
            if entry.own {
                self.storage -= entry.storage as usize;
            } else {
                self.adopted -= entry.storage as usize;
            }
        }
        // Backwards: then the drop of a run's first node frees the run in one step.
        self.entries.drain(..gone).rev().for_each(drop);
        if let Some(entry) = self.entries.front_mut()
            && !entry.own
            && entry.start < pos
        {
            // A span from elsewhere may reach over several nodes: let go of those
            // that are behind.
            let gone = usize::try_from(pos - entry.start).unwrap_or(usize::MAX);
            if entry.span.advance(gone).is_ok() {
                entry.start = pos;
                self.adopted -= entry.recount();
            }
        }
        // Last: who is told of a message may panic.
        self.release_messages();
    }

    /// Gives the segment that is being filled back, if no unreleased byte lies in the
    /// chain: for one that will be idle. The next byte takes a new segment.
    pub fn release_tail(&mut self) {
        if self.is_empty()
            && let Some(tail) = self.tail.take()
        {
            self.storage -= tail.node.capacity() as usize;
        }
    }

    /// Index of the entry with the byte at `pos`, which lies in the chain.
    fn entry_at(&self, pos: u64) -> usize {
        self.entries
            .partition_point(|entry| entry.start <= pos)
            .saturating_sub(1)
    }

    /// How far one span can reach that starts in the entry at `index`. Not
    /// looked for further than `wanted`.
    fn contiguous_until(&self, index: usize, wanted: u64) -> u64 {
        let entry = &self.entries[index];
        if entry.end() >= wanted || !entry.own {
            return entry.end();
        }
        let run = entry.run;
        let next = self.entries.partition_point(|entry| entry.run <= run);
        self.entries.get(next).map_or(self.end, |next| next.start)
    }
}

/// The tail.
impl Chain {
    /// Room for `at_least` bytes in the tail, which exists afterwards.
    fn make_room(&mut self, at_least: usize) -> Result<(), NoMemory> {
        if at_least > self.pool.segment() {
            return Err(NoMemory);
        }
        if let Some(tail) = &mut self.tail {
            let indexed = tail.entry.is_some_and(|entry| entry >= self.released);
            if tail.fill > 0 && !indexed && tail.node.is_unique() {
                (tail.fill, tail.entry) = (0, None);
            }
            if (tail.node.capacity() - tail.fill) as usize >= at_least.max(1) {
                return Ok(());
            }
        }
        let node = self.pool.take()?;
        self.replace_tail(node, 0);
        Ok(())
    }

    fn replace_tail(&mut self, node: NodeRef, fill: u32) {
        if let Some(old) = self.tail.take() {
            let last = old.entry.and_then(|entry| entry.checked_sub(self.released));
            let last = last.and_then(|index| usize::try_from(index).ok());
            match last.and_then(|index| self.entries.get_mut(index)) {
                Some(entry) => entry.storage = old.node.capacity(),
                None => self.storage -= old.node.capacity() as usize,
            }
        }
        self.storage += node.capacity() as usize;
        self.tail = Some(Tail {
            node,
            fill,
            entry: None,
        });
    }

    pub(crate) fn tail_room(&self) -> u32 {
        let room = |tail: &Tail| tail.node.capacity() - tail.fill;
        self.tail.as_ref().map_or(0, room)
    }

    /// Address of the first unpublished byte of the tail.
    pub(crate) fn tail_base(&self) -> *mut u8 {
        match &self.tail {
            Some(tail) => tail.node.base().as_ptr().wrapping_add(tail.fill as usize),
            None => core::ptr::NonNull::dangling().as_ptr(),
        }
    }

    /// Tells the models that the unpublished bytes of the tail are written.
    #[inline(always)]
    pub(crate) fn tail_writes(&self) {
        if let Some(tail) = &self.tail {
            tail.node.writes(tail.fill);
        }
    }

    /// Publishes `n` bytes of the tail, which has them.
    pub(crate) fn publish(&mut self, n: u32) {
        if n == 0 {
            return;
        }
        let Some(tail) = &mut self.tail else { return };
        let at = tail.fill;
        tail.fill += n;
        match self.shape {
            Shape::Arena => self.start += u64::from(n),
            Shape::Stream => {
                if !self.grow_last(n) {
                    self.index(at, n, 1);
                }
            }
        }
        self.end += u64::from(n);
    }

    /// As [`publish`](Self::publish), with a span of the bytes.
    pub(crate) fn publish_span(&mut self, n: u32) -> Span {
        let Some(tail) = self.tail.as_mut().filter(|_| n > 0) else {
            return Span::empty();
        };
        let at = tail.fill;
        tail.fill += n;
        match self.shape {
            Shape::Arena => {
                let span = Span::new(tail.node.clone(), at, n);
                self.start += u64::from(n);
                self.end += u64::from(n);
                span
            }
            Shape::Stream => {
                let pin = if self.grow_last(n) {
                    self.tail.as_ref().map(|tail| tail.node.clone())
                } else {
                    self.index(at, n, 2)
                };
                self.end += u64::from(n);
                pin.map_or_else(Span::empty, |pin| Span::new(pin, at, n))
            }
        }
    }

    /// Adds `n` bytes to the last entry, if the tail's newest bytes are the
    /// stream's.
    fn grow_last(&mut self, n: u32) -> bool {
        let number = self.released + self.entries.len() as u64;
        let newest = self.tail.as_ref().and_then(|tail| tail.entry);
        match self.entries.back_mut() {
            Some(last) if newest.is_some_and(|newest| newest + 1 == number) => {
                last.span.len += n;
                true
            }
            _ => false,
        }
    }

    /// A new entry for the `n` bytes of the tail from `at` on. Takes `pins` pins
    /// in one addition, one for the entry; returns another if there is one.
    fn index(&mut self, at: u32, n: u32, pins: usize) -> Option<NodeRef> {
        self.enter_run(at == 0);
        let number = self.released + self.entries.len() as u64;
        let tail = self.tail.as_mut()?;
        tail.entry = Some(number);
        let mut pins = Prepaid::new(tail.node.at(), pins);
        self.entries.push_back(Entry {
            start: self.end,
            span: Span::new(pins.take()?, at, n),
            run: self.run.number,
            own: true,
            storage: 0,
        });
        pins.take()
    }

    /// Links the last entry's node to the tail, if the tail is `fresh`, follows
    /// it in the stream, and the run is not full; else begins another run.
    fn enter_run(&mut self, fresh: bool) {
        let Some(tail) = self.tail.as_ref().filter(|_| fresh) else {
            // The same node again, after bytes from elsewhere: it is linked as
            // before, and the count goes on. Those bytes brought another run
            // number, so no span runs over them.
            return;
        };
        let room = tail.node.capacity() as usize;
        if let Some(last) = self.entries.back()
            && last.own
            && self.run.nodes < RUN_NODES
            && self.run.bytes + room <= RUN_BYTES
        {
            last.span
                .node
                .link(last.span.offset + last.span.len, tail.node.clone());
            self.run.nodes += 1;
            self.run.bytes += room;
        } else {
            self.run.number += 1;
            (self.run.nodes, self.run.bytes) = (1, room);
        }
    }
}

impl Entry {
    fn end(&self) -> u64 {
        self.start + u64::from(self.span.len)
    }

    /// Takes the storage of what was adopted as it is now; returns by how much it is less.
    fn recount(&mut self) -> usize {
        if self.storage == 0 || !self.span.node.is_linked() {
            return 0;
        }
        let now = self.span.storage().min(self.storage);
        (core::mem::replace(&mut self.storage, now) - now) as usize
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("shape", &self.shape)
            .field("start", &self.start)
            .field("end", &self.end)
            .field("entries", &self.entries.len())
            .field("footprint", &self.storage)
            .field("adopted", &self.adopted)
            .finish()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
