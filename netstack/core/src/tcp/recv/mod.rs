//! The receiving half of a connection.

pub(crate) mod ack;
pub(crate) mod assembler;
mod ecn;
mod tuning;
mod urgent;
pub(crate) mod window;

use super::Context;
use super::options::{MAX_SACK_BLOCKS, SackBlock};
use super::seq::{Seq, bounded};
use crate::Instant;
use crate::storage::{self, Taking};
use ack::AckState;
use arrayvec::ArrayVec;
use assembler::Assembler;
use core::time::Duration;
use ecn::EcnEcho;
use std::collections::VecDeque;
use tuning::{Arrival, Tuning};
use txbuf::{Chain, CopyError, Held, IovIter, Span, push_merged};
use window::Window;

/// What a queued span costs beside its bytes: its slot, and its share of the node it pins.
const SPAN_OVERHEAD: usize = 64;
/// A queue of fewer spans is not looked at for what they cost, unless the buffer is small.
const FEW: u32 = 64;
/// What may wait to be read, of one connection, while the stack is short of storage, and while an arena is so too.
const SHORT: u32 = 64 << 10;
const DIRE: u32 = 8 << 10;

/// The variables of RFC 9293, 3.3.1 for receiving, the data in order and the data out of order.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// RCV.NXT.
    pub(crate) nxt: Seq,
    /// RCV.UP: behind what the peer calls urgent, or not ahead of what was read.
    up: Seq,
    /// Whether the last urgent byte was taken out of its turn.
    taken: bool,
    /// IRS, the peer's initial sequence number.
    pub(crate) irs: Seq,
    pub(crate) window: Window,
    pub(crate) ack: AckState,
    pub(crate) assembler: Assembler,
    /// The largest segment seen: what "every second full segment" counts in.
    mss: u16,
    /// Marks of congestion that the peer is to hear of.
    pub(crate) ecn: EcnEcho,
    /// What arrived a second time last, to be reported with the next acknowledgement (RFC 2883).
    pub(crate) duplicate: Option<SackBlock>,
    /// Where the peer's FIN stands, once it was seen, perhaps out of order.
    pub(crate) fin: Option<Seq>,
    queue: VecDeque<Span>,
    /// Bytes of them: never more than a window.
    queued: u32,
    /// How often RCV.NXT has gone round the circle.
    laps: u16,
    limit: u32,
    /// Whether the application chose the limit.
    fixed: bool,
    tuning: Tuning,
    /// With fewer spans, the queue is not looked at for what they cost: so many were left of it the last time, twice.
    tidy_from: u32,
    /// What may wait to be read while storage is short.
    ceiling: u32,
}

impl Receiver {
    /// The state after the peer's SYN with `irs`; the peer was or will be told `window` bytes.
    pub(crate) fn new(irs: Seq, window: usize, scale: u8, limit: usize) -> Self {
        Receiver {
            nxt: irs + 1,
            up: irs + 1,
            taken: false,
            irs,
            window: Window::new(irs + 1 + window, scale),
            ack: AckState::default(),
            assembler: Assembler::default(),
            mss: 536,
            ecn: EcnEcho::default(),
            duplicate: None,
            fin: None,
            queue: VecDeque::new(),
            queued: 0,
            laps: 0,
            limit: bounded(limit),
            fixed: false,
            tuning: Tuning::default(),
            tidy_from: 0,
            ceiling: u32::MAX,
        }
    }

    /// The largest segment seen, in bytes.
    pub(crate) fn mss(&self) -> usize {
        usize::from(self.mss)
    }

    /// Sets that.
    pub(crate) fn set_mss(&mut self, mss: usize) {
        self.mss = u16::try_from(mss).unwrap_or(u16::MAX);
    }

    /// Bytes the application can read.
    pub(crate) fn queued(&self) -> usize {
        self.queued as usize
    }

    /// Bytes of data received in order so far.
    pub(crate) fn received(&self) -> u64 {
        let numbers = u64::from(self.laps) << 32 | u64::from(self.nxt.0.wrapping_sub(self.irs.0));
        // The SYN and the FIN are no data.
        let ended = self.fin.is_some_and(|fin| fin + 1 == self.nxt);
        numbers.saturating_sub(1 + u64::from(ended))
    }

    /// RCV.NXT was `before`.
    fn note_lap(&mut self, before: Seq) {
        let lap = before.0.wrapping_sub(self.irs.0) > self.nxt.0.wrapping_sub(self.irs.0);
        self.laps = self.laps.wrapping_add(lap.into());
    }

    /// Takes the FIN, which RCV.NXT has come to.
    pub(crate) fn take_fin(&mut self) {
        let before = self.nxt;
        self.nxt += 1;
        self.note_lap(before);
        // Nothing comes after the end: what claimed to is never read.
        self.assembler.clear();
    }

    /// Bytes of buffer left for what comes after RCV.NXT.
    pub(crate) fn free(&self) -> usize {
        // Ragged data costs more than its bytes; the window shrinks for it, but not below what was
        // promised: the right edge does not move left.
        let limit = self.limit.min(self.ceiling) as usize;
        limit.saturating_sub(self.queued() + self.queue.len() * SPAN_OVERHEAD)
    }

    /// How many bytes may wait to be read, and whether the application chose that.
    pub(crate) fn limit(&self) -> (usize, bool) {
        (self.limit as usize, self.fixed)
    }

    /// Sets how many bytes may wait to be read. What was promised to the peer stays promised.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = bounded(limit);
        self.fixed = true;
    }

    /// The round-trip time as this side sees it, and the most that was read in one; zero where buffers are not tuned.
    pub(crate) fn measured(&self) -> (Duration, usize) {
        self.tuning.measured()
    }

    /// In-order data has arrived: where the application reads more than before in a round trip, more may wait, but not
    /// beyond `most`. `echo` is how long ago the acknowledgement left that the peer heard last, where timestamps tell.
    pub(crate) fn tune(&mut self, now: Instant, echo: Option<Duration>, most: usize) {
        if self.fixed || self.limit as usize >= most || self.ceiling != u32::MAX {
            return;
        }
        let wanted = self.tuning.on_data(&Arrival {
            now,
            nxt: self.nxt,
            edge: self.window.edge(),
            read: self.nxt - self.queued(),
            echo,
            mss: self.mss(),
        });
        let wanted = wanted.unwrap_or_default().min(most);
        self.limit = self.limit.max(bounded(wanted));
    }

    /// Bytes of storage that what was received keeps alive.
    pub(crate) fn storage(&self) -> usize {
        Held::of(self.queue.iter().chain(self.assembler.spans())).footprint
    }

    /// Notes how short storage is: then the window does not grow beyond little.
    pub(crate) fn note_shortage(&mut self, ctx: &Context<'_>) {
        self.ceiling = match (ctx.pools.account.is_pressed(), ctx.arena_pressed) {
            (false, _) => u32::MAX,
            (true, false) => SHORT,
            (true, true) => DIRE,
        };
    }

    /// Whether the peer cannot send another full segment before the application has read something.
    pub(crate) fn is_full(&self) -> bool {
        let most = self
            .window
            .most(self.nxt, self.free(), self.limit as usize, self.mss());
        most < self.mss().min(self.limit as usize / 2)
    }

    /// Whether the pieces that wait could not be copied together and cost more than the limit: no more are taken in,
    /// though they were promised. A limit that was set later is less than what was promised: pieces that cost no more than
    /// their bytes may stay, and a few of any size.
    pub(crate) fn is_overfull(&self) -> bool {
        let most = self.queued().max(self.limit as usize);
        self.queue.len() * SPAN_OVERHEAD > most.max(2 * SPAN_OVERHEAD)
    }

    /// Whether storage is short and the reader lags, so that `len` bytes at `seq` are not taken in though they were
    /// promised. What waits beyond a hole never keeps the hole from being filled.
    pub(crate) fn is_short(&self, seq: Seq, len: usize) -> bool {
        let beyond = match seq == self.nxt {
            true => 0,
            false => self.assembler.bytes(),
        };
        (self.queued() + beyond).saturating_add(len) > self.ceiling as usize
    }

    /// Puts data that begins at RCV.NXT into the queue, then whatever it makes contiguous. Very many small
    /// pieces are copied together, in `small`.
    pub(crate) fn accept(&mut self, span: Span, small: &mut Chain) {
        let before = self.nxt;
        self.nxt += span.len();
        self.enqueue(span);
        self.take_from_assembler();
        self.note_lap(before);
        // Of a small buffer even few would cost more than it holds.
        let few = FEW.min(self.limit / 2 / SPAN_OVERHEAD as u32).max(2);
        if self.queue.len() as u32 >= self.tidy_from.max(few) {
            storage::collapse(&mut self.queue, small);
            self.tidy_from = 2 * self.queue.len() as u32;
        }
    }

    /// Copies what lies in arenas into `small`, so that what nobody reads keeps no device from receiving.
    /// Returns how many bytes.
    pub(crate) fn evacuate(&mut self, small: &mut Chain) -> usize {
        storage::evacuate(&mut self.queue, small) + self.assembler.evacuate(small)
    }

    fn take_from_assembler(&mut self) {
        while !self.assembler.is_empty()
            && let Some((spans, end)) = self.assembler.take(self.nxt)
        {
            self.nxt = end;
            for span in spans {
                self.enqueue(span);
            }
        }
    }

    fn enqueue(&mut self, span: Span) {
        self.queued += span.len() as u32;
        push_merged(&mut self.queue, span);
    }

    /// The window field for a segment that is about to leave.
    pub(crate) fn advertise(&mut self) -> u16 {
        let (free, limit, mss) = (self.free(), self.limit as usize, self.mss());
        self.window.advertise(self.nxt, free, limit, mss)
    }

    /// Whether the peer should hear of the room that the application made.
    pub(crate) fn update_due(&self) -> bool {
        self.window
            .update_due(self.nxt, self.free(), self.limit as usize, self.mss())
    }

    /// Whether an acknowledgement has selective ones to carry.
    pub(crate) fn has_blocks(&self) -> bool {
        !self.assembler.is_empty() || self.duplicate.is_some()
    }

    /// Notes that `left..right` has arrived before, where that is anything.
    pub(crate) fn note_duplicate(&mut self, left: Seq, right: Seq) {
        if left.before(right) {
            self.duplicate = Some(SackBlock { left, right });
        }
    }

    /// The blocks for an acknowledgement with room for so many: what arrived twice, once, then what waits beyond
    /// holes, the newest first.
    // req: RFC2883-01, RFC2883-02, RFC2018-07, RFC2018-08, RFC2018-09
    pub(crate) fn take_blocks(&mut self, room: usize) -> ArrayVec<SackBlock, MAX_SACK_BLOCKS> {
        let mut blocks = ArrayVec::new();
        blocks.extend(self.duplicate.take().filter(|_| room > 0));
        let room = room.min(MAX_SACK_BLOCKS) - blocks.len();
        blocks.extend(self.assembler.sack_blocks(room));
        blocks
    }

    /// Moves at most `most` queued bytes into `into`, as many as it has room for, and returns how many.
    ///
    /// # Errors
    ///
    /// [`CopyError`] when the bytes would have to be copied and cannot be, and none were moved before;
    /// they stay queued.
    pub(crate) fn read(
        &mut self,
        into: &mut IovIter<'_>,
        most: usize,
        taking: &mut Taking<'_>,
    ) -> Result<usize, CopyError> {
        let mut taken = 0;
        while into.remaining().min(most - taken) > 0
            && let Some(front) = self.queue.front_mut()
        {
            let n = front.len().min(into.remaining()).min(most - taken);
            let Ok(piece) = front.slice(..n) else { break };
            let put = match taking.put(piece, into) {
                Ok(put) => put,
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            };
            if put == front.len() || front.advance(put).is_err() {
                self.queue.pop_front();
            }
            taken += put;
            self.queued -= put as u32;
        }
        if self.queue.is_empty() {
            self.discard_read();
        }
        self.carry_urgent();
        Ok(taken)
    }

    /// Puts at most `most` queued bytes into `into`, without the first `skipped`, and leaves all queued (`MSG_PEEK`).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn peek(
        &self,
        into: &mut IovIter<'_>,
        (mut skipped, most): (usize, usize),
        taking: &mut Taking<'_>,
    ) -> Result<usize, CopyError> {
        let mut taken = 0;
        for span in &self.queue {
            let from = skipped.min(span.len());
            skipped -= from;
            if from == span.len() {
                continue;
            }
            let n = (span.len() - from).min(into.remaining()).min(most - taken);
            if n == 0 {
                break;
            }
            let Ok(piece) = span.slice(from..from + n) else {
                break;
            };
            match taking.put(piece, into) {
                Ok(put) => taken += put,
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Puts spans that were just taken as they are back to the front.
    pub(crate) fn put_back(&mut self, spans: VecDeque<Span>) {
        for span in spans.into_iter().rev() {
            self.queued += span.len() as u32;
            self.queue.push_front(span);
        }
    }

    /// Lets go of what could be read: nobody will. What waits beyond a hole stays, because the peer was told
    /// that it is here.
    pub(crate) fn discard_read(&mut self) {
        // The connection may be idle from now on: not even room for spans is kept.
        self.queue = VecDeque::new();
        self.queued = 0;
        self.tidy_from = 0;
        self.carry_urgent();
    }

    /// Lets go of everything.
    pub(crate) fn discard(&mut self) {
        self.discard_read();
        self.assembler.clear();
    }
}
