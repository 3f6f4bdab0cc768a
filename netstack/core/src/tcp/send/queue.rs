//! The send queue: a chain of storage, addressed by sequence number.
//!
//! What the application wrote stays in the chain until it is acknowledged. A segment, the first time
//! or again, is a span on the same nodes.

use crate::tcp::seq::Seq;
use txbuf::{Chain, IovIter, NoMemory, Pool, Span};

/// The bytes from SND.UNA to the end of what was written, and whether a FIN stands behind them.
#[derive(Debug)]
pub(crate) struct SendQueue {
    chain: Chain,
    /// The sequence number of the chain's position 0: ISS + 1.
    base: Seq,
    limit: usize,
    fin: bool,
}

impl SendQueue {
    /// An empty queue whose first byte will have the sequence number `base`.
    pub(crate) fn new(pool: &Pool, base: Seq, limit: usize) -> Self {
        SendQueue {
            chain: Chain::stream(pool),
            base,
            limit,
            fin: false,
        }
    }

    /// Moves bytes from `from` into the queue, as many as there is room for.
    ///
    /// Spans are taken over as they are; bytes are copied. The iterator is advanced by exactly what
    /// was taken.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when there is room but no storage, and nothing was taken.
    pub(crate) fn write(&mut self, from: &mut IovIter<'_>) -> Result<usize, NoMemory> {
        let mut taken = 0;
        while self.room() > 0 && from.remaining() > 0 {
            if from.is_spans() {
                let Some(span) = from.take_span(self.room()) else {
                    break;
                };
                taken += span.len();
                self.chain.append_span(span);
                continue;
            }
            let want = self.room().min(from.remaining());
            match self.chain.reserve(1) {
                Ok(mut reservation) => {
                    let n = reservation.len().min(want);
                    let n = from.copy_from(&mut reservation[..n]);
                    reservation.publish(n);
                    taken += n;
                    if n == 0 {
                        break;
                    }
                }
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Puts a FIN behind the data: nothing more can be written.
    pub(crate) fn finish(&mut self) {
        self.fin = true;
    }

    /// Whether a FIN stands behind the data.
    pub(crate) fn finished(&self) -> bool {
        self.fin
    }

    /// How many more bytes may be written.
    pub(crate) fn room(&self) -> usize {
        self.limit.saturating_sub(self.chain.len())
    }

    /// Bytes held, sent or not.
    pub(crate) fn len(&self) -> usize {
        self.chain.len()
    }

    /// Sets how many bytes the queue may hold; what it holds already stays.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The sequence number behind the last byte, where a FIN would stand.
    pub(crate) fn end(&self) -> Seq {
        self.seq_of(self.chain.end())
    }

    /// Pins `len` bytes from `seq` on: fewer if the queue ends before, or the span would be too ragged.
    pub(crate) fn span(&self, seq: Seq, len: usize) -> Span {
        let start = self.seq_of(self.chain.start());
        self.chain
            .span(self.chain.start() + seq.since(start) as u64, len)
    }

    /// Lets go of everything before `una`.
    pub(crate) fn acknowledge(&mut self, una: Seq) {
        let start = self.seq_of(self.chain.start());
        let position = self.chain.start() + una.since(start) as u64;
        self.chain.release(position.min(self.chain.end()));
    }

    fn seq_of(&self, position: u64) -> Seq {
        Seq(self.base.0.wrapping_add(position as u32))
    }
}
