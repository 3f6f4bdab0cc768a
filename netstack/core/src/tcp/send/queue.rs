//! The send queue: a chain of storage, addressed by sequence number.
//!
//! What the application wrote stays in the chain until it is acknowledged. A segment, the first time
//! or again, is a span on the same nodes. As no packet is made before the device asks for it, there is no last
//! unsent packet whose tail a small write would have to grow: it grows the tail of the chain.

use crate::Pools;
use crate::storage::{COPYBREAK, in_arena};
use crate::tcp::seq::{Seq, bounded};
use txbuf::{Account, Chain, CopyError, IovIter, NoMemory, OVERPIN, Pool, Span, Token};

/// What one connection may hold for sending while the stack is short of storage.
const PRESSED: usize = 64 << 10;
/// What the place of a message in the queue costs.
const MESSAGE_OVERHEAD: usize = 64;

/// The bytes from SND.UNA to the end of what was written, and whether a FIN stands behind them.
#[derive(Debug)]
pub(crate) struct SendQueue {
    /// Made with the first byte, gone with the last: an idle connection has none.
    chain: Option<Box<Chain>>,
    /// Where the chain's storage comes from, and what that is charged to.
    pool: Pool,
    account: Account,
    /// The sequence number of the chain's position 0; without a chain, of the next byte.
    base: Seq,
    limit: u32,
    /// Whether the application chose the limit.
    fixed: bool,
    fin: bool,
}

impl SendQueue {
    /// An empty queue whose first byte will have the sequence number `base`.
    pub(crate) fn new(pools: &Pools, base: Seq, limit: usize) -> Self {
        SendQueue {
            chain: None,
            pool: pools.send.clone(),
            account: pools.account.clone(),
            base,
            limit: bounded(limit),
            fixed: false,
            fin: false,
        }
    }

    /// Moves bytes from `from` into the queue, as many as there is room for but at most `most`, and keeps a share in `token`
    /// until they are acknowledged.
    ///
    /// Bytes are copied. Spans are taken over as they are, unless they are small, by themselves or beside the buffer
    /// that they lie in, or pin more than the queue may keep of others' storage, or lie in what is to be `vacated`:
    /// those are copied too. The iterator is advanced by exactly what was taken.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when there is room but no storage, and nothing was taken.
    pub(crate) fn write(
        &mut self,
        from: &mut IovIter<'_>,
        most: usize,
        token: Option<&Token>,
        vacated: bool,
    ) -> Result<usize, NoMemory> {
        let carry = OVERPIN.saturating_mul(self.limit_now());
        self.chain_mut().set_carry(carry);
        let written = self.append(from, most, token, vacated);
        self.drop_empty_chain();
        written
    }

    /// Appends what there is room for, at most `most`; returns how much.
    fn append(
        &mut self,
        from: &mut IovIter<'_>,
        most: usize,
        token: Option<&Token>,
        vacated: bool,
    ) -> Result<usize, NoMemory> {
        let mut taken = 0;
        loop {
            let room = self.room().min(most - taken);
            if room == 0 || from.remaining() == 0 {
                break;
            }
            let moved = match from.plain() {
                0 => self.append_span(from, room, token, vacated),
                plain => self.append_bytes(from, room.min(plain)),
            };
            match moved {
                Ok(0) => break,
                Ok(n) => taken += n,
                Err(error) if taken == 0 => return Err(error),
                Err(_) => break,
            }
        }
        if let Some(token) = token.filter(|_| taken > 0) {
            self.chain_mut().end_message(token.clone());
        }
        Ok(taken)
    }

    /// Copies at most `most` bytes; returns how many.
    fn append_bytes(&mut self, from: &mut IovIter<'_>, most: usize) -> Result<usize, NoMemory> {
        let mut reservation = self.chain_mut().reserve(1)?;
        let n = reservation.len().min(most);
        let n = from.copy_from(&mut reservation[..n]);
        reservation.publish(n);
        Ok(n)
    }

    /// Takes the next span over, or a copy of it; returns how many bytes that are.
    fn append_span(
        &mut self,
        from: &mut IovIter<'_>,
        room: usize,
        token: Option<&Token>,
        vacated: bool,
    ) -> Result<usize, NoMemory> {
        let Some(mut span) = from.take_span(room) else {
            return Ok(0);
        };
        let len = span.len();
        let pool = &self.pool;
        // Received segments are shared with their neighbours, so they are judged together. A little of a large buffer is
        // not worth it.
        let wasteful = match in_arena(&span, pool) {
            true => vacated,
            false => len <= pool.segment() && span.overpins(),
        };
        // What a sender lends is its own in any case, and what lies in the stack's segments is charged there.
        let stays = span.is_lent()
            || pool.provides(&span)
            || !(wasteful && span.is_readable())
                && self
                    .chain
                    .as_ref()
                    .is_some_and(|chain| chain.carries(&span));
        if len > COPYBREAK && stays {
            self.chain_mut().append_span(span);
            return Ok(len);
        }
        let copied = self.chain_mut().append_copy(&span);
        if copied.is_ok() {
            token.into_iter().for_each(Token::mark_copied);
        } else if len <= COPYBREAK {
            self.chain_mut().append_span(span);
            return Ok(len);
        }
        if span.advance(copied.unwrap_or(0)).is_ok() && !span.is_empty() {
            let _ = from.put_back(span);
        }
        match copied {
            Ok(n) => Ok(n),
            // It waits until there is room for it as it is.
            Err(CopyError::Unreadable) => Ok(0),
            Err(_) => Err(NoMemory),
        }
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
        let held = |chain: &Chain| chain.len() + chain.messages() * MESSAGE_OVERHEAD;
        let held = self.chain.as_deref().map_or(0, held);
        self.limit_now().saturating_sub(held)
    }

    fn limit_now(&self) -> usize {
        match self.account.is_pressed() {
            true => self.limit().min(PRESSED),
            false => self.limit(),
        }
    }

    /// Bytes of storage that the queue keeps: segments of its own, and what it took over of others'. The
    /// latter is at most four times its limit, or one buffer, and what senders lend.
    pub(crate) fn storage(&self) -> usize {
        let storage = |chain: &Chain| chain.footprint() + chain.adopted();
        self.chain.as_deref().map_or(0, storage)
    }

    /// Bytes held, sent or not.
    pub(crate) fn len(&self) -> usize {
        self.chain.as_deref().map_or(0, Chain::len)
    }

    /// Sets how many bytes the queue may hold; what it holds already stays.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = bounded(limit);
        self.fixed = true;
    }

    /// Lets the queue hold twice what may be in the network, so that it is never empty while that is acknowledged, but
    /// not more than `most`, and nothing else where the application chose.
    pub(crate) fn grow_for(&mut self, window: usize, most: usize) {
        if !self.fixed {
            let wanted = window.saturating_mul(2).min(most);
            self.limit = self.limit.max(bounded(wanted));
        }
    }

    /// How many bytes the queue may hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// The sequence number behind the last byte, where a FIN would stand.
    pub(crate) fn end(&self) -> Seq {
        seq_of(self.base, self.chain.as_deref().map_or(0, Chain::end))
    }

    /// Pins `len` bytes from `seq` on: fewer if the queue ends before, or the span would be too ragged.
    pub(crate) fn span(&self, seq: Seq, len: usize) -> Span {
        let Some(chain) = self.chain.as_deref() else {
            return Span::empty();
        };
        let start = seq_of(self.base, chain.start());
        chain.span(chain.start() + seq.since(start) as u64, len)
    }

    /// Lets go of everything before `una`. When nothing is left, not even the chain is kept, nor a segment to fill:
    /// the connection may be idle from now on.
    pub(crate) fn acknowledge(&mut self, una: Seq) {
        let Some(chain) = self.chain.as_deref_mut() else {
            return;
        };
        let start = seq_of(self.base, chain.start());
        let position = chain.start() + una.since(start) as u64;
        chain.release(position.min(chain.end()));
        self.drop_empty_chain();
    }

    fn chain_mut(&mut self) -> &mut Chain {
        self.chain
            .get_or_insert_with(|| Box::new(Chain::stream(&self.pool)))
    }

    fn drop_empty_chain(&mut self) {
        if self.chain.as_deref().is_some_and(Chain::is_empty) {
            self.base = self.end();
            self.chain = None;
        }
    }
}

/// The sequence number at `position` of a chain that begins with `base`.
fn seq_of(base: Seq, position: u64) -> Seq {
    Seq(base.0.wrapping_add(position as u32))
}

#[cfg(test)]
mod tests;
