//! Changing the shape of a packet: what the kernel does page by page, here on one
//! span.

use crate::chain::Chain;
use crate::error::{CopyError, NoRoom, OutOfRange, PullError};
use crate::packet::{HEADROOM, Packet};

impl Packet {
    /// Takes out all but the first `len` bytes, which `self` keeps (`skb_split`).
    /// Headers beyond `len` are copied to the other packet's own area; the span
    /// moves there, or is split with one increment. Both have the metadata.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when there are fewer; the packet is unchanged.
    #[inline]
    pub fn split_off(&mut self, len: usize) -> Result<Packet, OutOfRange> {
        let Some(at) = len.checked_sub(self.area_len()) else {
            return self.split_headers(len);
        };
        let mut back = Packet::new();
        back.meta = self.meta;
        match &mut self.span {
            Some(_) if at == 0 => back.span = self.span.take(),
            Some(span) if at == span.len() => {}
            Some(span) => back.span = Some(span.split_off(at)?),
            None if at == 0 => {}
            None => return Err(OutOfRange),
        }
        Ok(back)
    }

    /// Takes out all but the first `len` bytes, which lie in the area.
    #[cold]
    fn split_headers(&mut self, len: usize) -> Result<Packet, OutOfRange> {
        let behind = &self.headers()[len..];
        // Cannot fail: it lay in an area of this size.
        let mut back =
            Packet::with_headers(behind, None, self.meta).map_err(|NoRoom| OutOfRange)?;
        back.span = self.span.take();
        self.tail = self.head + len as u8;
        Ok(back)
    }

    /// Drops the first `n` bytes wherever they lie (`pskb_carve`,
    /// `tcp_trim_head`). Inside the headers nothing is counted; inside the payload
    /// the span moves on, and at most another node is pinned instead.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when there are fewer; the packet is unchanged.
    pub fn carve(&mut self, n: usize) -> Result<(), OutOfRange> {
        let Some(inside) = n.checked_sub(self.area_len()).filter(|&inside| inside > 0) else {
            return self.strip(n);
        };
        self.span.as_mut().ok_or(OutOfRange)?.advance(inside)?;
        self.span = self.span.take().filter(|span| !span.is_empty());
        (self.head, self.tail) = (HEADROOM as u8, HEADROOM as u8);
        Ok(())
    }

    /// Makes sure that `n` bytes can be pushed without another move
    /// (`pskb_expand_head`). The headers are exclusive as ever; no count changes.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] when the area cannot hold them; the packet is unchanged.
    pub fn expand_head(&mut self, n: usize) -> Result<(), NoRoom> {
        if n > self.head as usize {
            self.make_headroom(n)?;
        }
        Ok(())
    }

    /// Another packet with the first `len` bytes of this one, of which at least
    /// `headers` lie in its header area and the rest is shared (`skb_zerocopy`, for
    /// a packet that goes from a stream to a datagram consumer or back).
    ///
    /// # Errors
    ///
    /// [`PullError`] as for [`pull`](Self::pull), and `TooShort` when the packet has
    /// fewer than `len` bytes.
    pub fn zerocopy(&self, len: usize, headers: usize) -> Result<Packet, PullError> {
        if len > self.len() {
            return Err(PullError::TooShort);
        }
        let mut copy = self.clone();
        copy.trim(len).map_err(|OutOfRange| PullError::TooShort)?;
        copy.pull(headers)?;
        Ok(copy)
    }

    /// Puts copies in place of lent bytes (`skb_orphan_frags`), as
    /// [`Span::orphan`](crate::Span::orphan) says.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; the packet is unchanged.
    pub fn orphan(&mut self, into: &mut Chain) -> Result<(), CopyError> {
        self.span.as_mut().map_or(Ok(()), |span| span.orphan(into))
    }

    /// Makes the payload one readable extent (`skb_linearize`), copying into `into`
    /// (an arena) if it is not.
    ///
    /// # Errors
    ///
    /// [`CopyError`] as [`Span::linearise`](crate::Span::linearise) says; the packet
    /// is unchanged.
    pub fn linearise(&mut self, into: &mut Chain) -> Result<(), CopyError> {
        if let Some(span) = &mut self.span
            && span.contiguous().is_none()
        {
            *span = span.linearise(into)?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
