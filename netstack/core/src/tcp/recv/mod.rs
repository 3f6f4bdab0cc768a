//! The receiving half of a connection.

pub(crate) mod ack;
pub(crate) mod assembler;
pub(crate) mod window;

use super::seq::Seq;
use ack::AckState;
use assembler::{Assembler, push_merged};
use std::collections::VecDeque;
use txbuf::{IovIter, Span, Unreadable};
use window::Window;

/// What a queued span costs beside its bytes: its slot, and its share of the node it pins.
const SPAN_OVERHEAD: usize = 64;

/// The variables of RFC 9293, 3.3.1 for receiving, the data in order and the data out of order.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// RCV.NXT.
    pub(crate) nxt: Seq,
    /// IRS, the peer's initial sequence number.
    pub(crate) irs: Seq,
    pub(crate) window: Window,
    pub(crate) ack: AckState,
    pub(crate) assembler: Assembler,
    /// The largest segment seen: what "every second full segment" counts in.
    pub(crate) mss: usize,
    /// Where the peer's FIN stands, once it was seen, perhaps out of order.
    pub(crate) fin: Option<Seq>,
    queue: VecDeque<Span>,
    queued: usize,
    limit: usize,
}

impl Receiver {
    /// The state after the peer's SYN with `irs`; the peer was or will be told `window` bytes.
    pub(crate) fn new(irs: Seq, window: usize, scale: u8, limit: usize) -> Self {
        Receiver {
            nxt: irs + 1,
            irs,
            window: Window::new(irs + 1 + window, scale),
            ack: AckState::default(),
            assembler: Assembler::default(),
            mss: 536,
            fin: None,
            queue: VecDeque::new(),
            queued: 0,
            limit,
        }
    }

    /// Bytes the application can read.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Bytes of buffer left for what comes after RCV.NXT.
    pub(crate) fn free(&self) -> usize {
        // Ragged data costs more than its bytes; the window shrinks for it, but not below what was
        // promised: the right edge does not move left.
        self.limit
            .saturating_sub(self.queued + self.queue.len() * SPAN_OVERHEAD)
    }

    /// Puts data that begins at RCV.NXT into the queue, then whatever it makes contiguous.
    pub(crate) fn accept(&mut self, span: Span) {
        self.nxt += span.len();
        self.enqueue(span);
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
        self.queued += span.len();
        push_merged(&mut self.queue, span);
    }

    /// The window field for a segment that is about to leave.
    pub(crate) fn advertise(&mut self) -> u16 {
        let (free, limit, mss) = (self.free(), self.limit, self.mss);
        self.window.advertise(self.nxt, free, limit, mss)
    }

    /// Whether the peer should hear of the room that the application made.
    pub(crate) fn update_due(&self) -> bool {
        self.window
            .update_due(self.nxt, self.free(), self.limit, self.mss)
    }

    /// Moves queued bytes into `into`, at most what it has room for, and returns how many.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when the bytes would have to be copied from memory the processor may not read
    /// and none were copied before; they stay queued.
    pub(crate) fn read(&mut self, into: &mut IovIter<'_>) -> Result<usize, Unreadable> {
        let mut taken = 0;
        while into.remaining() > 0
            && let Some(front) = self.queue.front_mut()
        {
            let n = front.len().min(into.remaining());
            let piece = if n == front.len() {
                None
            } else {
                front.split_to(n).ok()
            };
            let Some(piece) = piece.or_else(|| self.queue.pop_front()) else {
                break;
            };
            let kept = piece.clone();
            if let Err(error) = into.put_span(piece) {
                self.queue.push_front(kept);
                return if taken == 0 { Err(error) } else { Ok(taken) };
            }
            taken += n;
            self.queued -= n;
        }
        Ok(taken)
    }

    /// Copies queued bytes into `into` and leaves them queued (`MSG_PEEK`).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn peek(&self, into: &mut IovIter<'_>) -> Result<usize, Unreadable> {
        let mut taken = 0;
        for span in &self.queue {
            let n = span.len().min(into.remaining());
            if n == 0 {
                break;
            }
            let Ok(piece) = span.slice(0..n) else { break };
            match into.put_span(piece) {
                Ok(n) => taken += n,
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Lets go of what could be read: nobody will. What waits beyond a hole stays, because the peer was told
    /// that it is here.
    pub(crate) fn discard_read(&mut self) {
        self.queue.clear();
        self.queued = 0;
    }

    /// Lets go of everything.
    pub(crate) fn discard(&mut self) {
        self.discard_read();
        self.assembler.clear();
    }
}
