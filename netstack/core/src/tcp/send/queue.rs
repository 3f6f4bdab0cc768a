//! The send queue: a chain of storage, addressed by sequence number.
//!
//! What the application wrote stays in the chain until it is acknowledged. A segment, the first time
//! or again, is a span on the same nodes.

use crate::Pools;
use crate::storage::COPYBREAK;
use crate::tcp::seq::Seq;
use txbuf::{Account, Chain, IovIter, NoMemory, Span, Token};

/// What one connection may hold for sending while the stack is short of storage.
const PRESSED: usize = 64 << 10;
/// What the place of a message in the queue costs.
const MESSAGE_OVERHEAD: usize = 64;

/// The bytes from SND.UNA to the end of what was written, and whether a FIN stands behind them.
#[derive(Debug)]
pub(crate) struct SendQueue {
    chain: Chain,
    /// What the stack's storage is charged to.
    account: Account,
    /// The sequence number of the chain's position 0: ISS + 1.
    base: Seq,
    limit: usize,
    fin: bool,
}

impl SendQueue {
    /// An empty queue whose first byte will have the sequence number `base`.
    pub(crate) fn new(pools: &Pools, base: Seq, limit: usize) -> Self {
        SendQueue {
            chain: Chain::stream(&pools.send),
            account: pools.account.clone(),
            base,
            limit,
            fin: false,
        }
    }

    /// Moves bytes from `from` into the queue, as many as there is room for, and keeps a share in `token`
    /// until they are acknowledged.
    ///
    /// Bytes are copied. Spans are taken over as they are, unless they are small or pin much more than they
    /// hold: those are copied too. The iterator is advanced by exactly what was taken.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when there is room but no storage, and nothing was taken.
    pub(crate) fn write(
        &mut self,
        from: &mut IovIter<'_>,
        token: Option<&Token>,
    ) -> Result<usize, NoMemory> {
        let mut taken = 0;
        loop {
            let room = self.room();
            if room == 0 || from.remaining() == 0 {
                break;
            }
            let n = match from.plain() {
                0 => self.append_span(from.take_span(room), token),
                plain => match self.chain.reserve(1) {
                    Ok(mut reservation) => {
                        let n = reservation.len().min(room).min(plain);
                        let n = from.copy_from(&mut reservation[..n]);
                        reservation.publish(n);
                        n
                    }
                    Err(error) if taken == 0 => return Err(error),
                    Err(_) => break,
                },
            };
            if n == 0 {
                break;
            }
            taken += n;
        }
        if let Some(token) = token.filter(|_| taken > 0) {
            self.chain.end_message(token.clone());
        }
        Ok(taken)
    }

    /// Takes a span over; one that costs less to copy than to keep is copied if it can be. Returns its length.
    fn append_span(&mut self, span: Option<Span>, token: Option<&Token>) -> usize {
        let Some(span) = span else { return 0 };
        let len = span.len();
        let costly = len <= COPYBREAK || !span.is_lent() && span.overpins();
        if costly && self.chain.append_copy(&span).is_ok() {
            token.into_iter().for_each(Token::mark_copied);
        } else {
            self.chain.append_span(span);
        }
        len
    }

    /// Puts a FIN behind the data: nothing more can be written.
    pub(crate) fn finish(&mut self) {
        self.fin = true;
    }

    /// Whether a FIN stands behind the data.
    pub(crate) fn finished(&self) -> bool {
        self.fin
    }

    /// How many more bytes may be written. While the stack is short of storage that is little, but not
    /// nothing where nothing waits.
    pub(crate) fn room(&self) -> usize {
        let limit = match self.account.is_pressed() {
            true => self.limit.min(PRESSED),
            false => self.limit,
        };
        let held = self.chain.len() + self.chain.messages() * MESSAGE_OVERHEAD;
        limit.saturating_sub(held)
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

    /// Lets go of everything before `una`. When nothing is left, not even a segment to fill is kept: the
    /// connection may be idle from now on.
    pub(crate) fn acknowledge(&mut self, una: Seq) {
        let start = self.seq_of(self.chain.start());
        let position = self.chain.start() + una.since(start) as u64;
        self.chain.release(position.min(self.chain.end()));
        self.chain.release_tail();
    }

    fn seq_of(&self, position: u64) -> Seq {
        Seq(self.base.0.wrapping_add(position as u32))
    }
}
