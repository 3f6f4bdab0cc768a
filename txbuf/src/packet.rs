//! Packets: exclusive headers before a shared payload.

use std::fmt;

use crate::area::{Area, HEADER_AREA};
use crate::chain::Chain;
use crate::checksum;
use crate::error::{ChecksumError, NoMemory, NoRoom, OutOfRange, PullError, Unreadable};
use crate::meta::{Checksum, Meta};
use crate::span::Span;

mod payload;
mod shape;

/// Bytes that received packets keep free in front of their headers.
pub const HEADROOM: usize = 16;

/// The longest received packet that is kept in the header area as a whole.
pub const INLINE_MAX: usize = HEADER_AREA - HEADROOM;

/// Where the checksum field lies in a UDP header; in no other protocol's that
/// uses the Internet checksum does it lie there.
const UDP_CHECKSUM_AT: u16 = 6;

/// One packet: the bytes of its header area, followed by those of at most one
/// span.
///
/// The area belongs to this packet alone and may be written; the span is shared
/// and cannot be, by no method. A packet is a small value whose area comes from a
/// pool of the thread: in the steady state making, moving and dropping one
/// allocates nothing. A clone copies the headers and takes at most one increment.
pub struct Packet {
    area: Area,
    /// The headers are `area[head..tail]`.
    head: u8,
    tail: u8,
    /// Never empty.
    span: Option<Span>,
    /// What travels with the bytes.
    pub meta: Meta,
}

const _: () = assert!(size_of::<Packet>() <= 80 && HEADER_AREA <= u8::MAX as usize);

impl Clone for Packet {
    #[inline]
    fn clone(&self) -> Self {
        let mut area = Area::take();
        area[self.head as usize..self.tail as usize].copy_from_slice(self.headers());
        Packet {
            area,
            head: self.head,
            tail: self.tail,
            span: self.span.clone(),
            meta: self.meta,
        }
    }
}

/// Making packets.
impl Packet {
    /// An empty packet for building from the back: headers are
    /// [`push`](Self::push)ed in front, each before what it carries.
    #[inline]
    pub fn new() -> Self {
        Self::at(HEADER_AREA as u8, None)
    }

    /// A packet to be sent: the payload, and the whole area free for headers in
    /// front of it. The packet owns the span.
    #[inline]
    pub fn with_payload(span: Span) -> Self {
        Self::at(HEADER_AREA as u8, Some(span))
    }

    /// A packet to be sent of which the headers are known: a copy of them, and the
    /// payload. The packet owns the span.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] when the area cannot hold the headers; the span is dropped.
    #[inline(always)]
    pub fn with_headers(headers: &[u8], payload: Option<Span>, meta: Meta) -> Result<Self, NoRoom> {
        let head = HEADER_AREA.checked_sub(headers.len()).ok_or(NoRoom)?;
        let mut area = Area::take();
        copy_headers(headers, &mut area[head..]);
        Ok(Self {
            area,
            head: head as u8,
            tail: HEADER_AREA as u8,
            span: payload.filter(|span| !span.is_empty()),
            meta,
        })
    }

    /// A received packet of which no byte was copied yet; its headers are
    /// [`pull`](Self::pull)ed into the area. The packet owns the span.
    #[inline]
    pub fn from_span(span: Span) -> Self {
        Self::at(HEADROOM as u8, Some(span))
    }

    /// A received packet copied into the area as a whole; none when it is longer
    /// than [`INLINE_MAX`].
    #[inline]
    pub fn inline(data: &[u8]) -> Option<Self> {
        if data.len() > INLINE_MAX {
            return None;
        }
        let mut packet = Self::at(HEADROOM as u8, None);
        packet.area[HEADROOM..HEADROOM + data.len()].copy_from_slice(data);
        packet.tail += data.len() as u8;
        Some(packet)
    }

    /// A received packet copied: into the area if it fits, else into the arena.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when the arena's pool is at its cap or its segments are
    /// shorter than the packet.
    pub fn copy_from(data: &[u8], arena: &mut Chain) -> Result<Self, NoMemory> {
        match Self::inline(data) {
            Some(packet) => Ok(packet),
            None => arena.copy(data).map(Self::from_span),
        }
    }

    #[inline]
    fn at(place: u8, span: Option<Span>) -> Self {
        Self {
            area: Area::take(),
            head: place,
            tail: place,
            span: span.filter(|span| !span.is_empty()),
            meta: Meta::default(),
        }
    }
}

/// The bytes.
impl Packet {
    /// The content of the exclusive area: the packet's first bytes.
    #[inline]
    pub fn headers(&self) -> &[u8] {
        &self.area[self.head as usize..self.tail as usize]
    }

    /// The content of the exclusive area, for writing.
    #[inline]
    pub fn headers_mut(&mut self) -> &mut [u8] {
        &mut self.area[self.head as usize..self.tail as usize]
    }

    #[inline]
    fn area_len(&self) -> usize {
        (self.tail - self.head) as usize
    }

    /// Number of bytes, headers and span.
    #[inline]
    pub fn len(&self) -> usize {
        self.area_len() + self.span.as_ref().map_or(0, Span::len)
    }

    /// True without any byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head == self.tail && self.span.is_none()
    }

    /// The shared part, when there is one. It is never empty.
    #[inline]
    pub fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    /// Takes the shared part out; the caller owns it.
    #[inline]
    pub fn take_span(&mut self) -> Option<Span> {
        self.span.take()
    }

    /// Puts a span behind the headers, in place of the one that was there. The
    /// packet owns it.
    #[inline]
    pub fn set_span(&mut self, span: Span) {
        self.span = Some(span).filter(|span| !span.is_empty());
    }

    /// Copies bytes from `offset` on, until the packet or `dst` ends; returns how
    /// many.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] as [`Span::copy_to`] says.
    pub fn copy_to(&self, offset: usize, dst: &mut [u8]) -> Result<usize, Unreadable> {
        let front = self.headers().get(offset..).unwrap_or(&[]);
        let n = front.len().min(dst.len());
        dst[..n].copy_from_slice(&front[..n]);
        let Some(span) = &self.span else {
            return Ok(n);
        };
        let offset = offset.saturating_sub(self.area_len());
        Ok(n + span.copy_to(offset, &mut dst[n..])?)
    }

    /// A copy of the whole packet.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] as [`Span::to_vec`] says.
    pub fn to_vec(&self) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::with_capacity(self.len());
        bytes.extend_from_slice(self.headers());
        for extent in self.span.iter().flat_map(Span::extents) {
            extent.append_to(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// The verbs of the kernel's packet buffer.
impl Packet {
    /// Puts `n` zeroed bytes in front (`skb_push`) and returns them.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] when the area cannot hold them; the packet is unchanged.
    #[inline]
    pub fn push(&mut self, n: usize) -> Result<&mut [u8], NoRoom> {
        if n > self.head as usize {
            self.make_headroom(n)?;
        }
        let head = self.head as usize - n;
        let pushed = &mut self.area[head..head + n];
        pushed.fill(0);
        self.head = head as u8;
        Ok(pushed)
    }

    /// Puts `n` zeroed bytes behind the headers (`skb_put`) and returns them.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] when the area cannot hold them, or a span follows; the packet
    /// is unchanged.
    pub fn put(&mut self, n: usize) -> Result<&mut [u8], NoRoom> {
        if self.span.is_some() {
            return Err(NoRoom);
        }
        self.make_tailroom(n)?;
        let tail = self.tail as usize;
        let put = &mut self.area[tail..tail + n];
        put.fill(0);
        self.tail = (tail + n) as u8;
        Ok(put)
    }

    /// Brings the packet's first `n` bytes into the header area
    /// (`pskb_may_pull`), where they can be read as one slice and written. Bytes
    /// move out of the span; those beyond `n` stay there, uncopied.
    ///
    /// # Errors
    ///
    /// [`PullError`]; the packet is unchanged.
    #[inline]
    pub fn pull(&mut self, n: usize) -> Result<(), PullError> {
        match n.checked_sub(self.area_len()) {
            None | Some(0) => Ok(()),
            Some(missing) => self.pull_from_span(missing),
        }
    }

    /// Drops `n` bytes from the front of the headers (`skb_pull`).
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when the area holds fewer; the packet is unchanged.
    #[inline]
    pub fn strip(&mut self, n: usize) -> Result<(), OutOfRange> {
        if n > self.area_len() {
            return Err(OutOfRange);
        }
        self.head += n as u8;
        Ok(())
    }

    /// Cuts the packet to its first `len` bytes (`pskb_trim`).
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when it has fewer; the packet is unchanged.
    #[inline]
    pub fn trim(&mut self, len: usize) -> Result<(), OutOfRange> {
        if len > self.len() {
            return Err(OutOfRange);
        }
        match len.checked_sub(self.area_len()) {
            None | Some(0) => {
                self.tail = self.head + len as u8;
                self.span = None;
                Ok(())
            }
            Some(keep) => match &mut self.span {
                Some(span) => span.truncate(keep),
                None => Ok(()),
            },
        }
    }

    fn pull_from_span(&mut self, missing: usize) -> Result<(), PullError> {
        let span = self.span.as_ref().filter(|span| span.len() >= missing);
        if span.is_none() {
            return Err(PullError::TooShort);
        }
        self.make_tailroom(missing)
            .map_err(|NoRoom| PullError::NoRoom)?;
        let tail = self.tail as usize;
        if let Some(span) = &mut self.span {
            let room = &mut self.area[tail..tail + missing];
            let first = span.extents().next().map(|extent| extent.bytes());
            if let Some(Ok(bytes)) = first
                && let Some(bytes) = bytes.get(..missing)
            {
                room.copy_from_slice(bytes);
            } else {
                span.copy_to(0, room)
                    .map_err(|Unreadable| PullError::Unreadable)?;
            }
            if span.len() == missing {
                self.span = None;
            } else if span.advance(missing).is_err() {
                return Err(PullError::TooShort);
            }
        }
        self.tail += missing as u8;
        Ok(())
    }

    /// Moves the headers so that `n` bytes before them are free.
    fn make_headroom(&mut self, n: usize) -> Result<(), NoRoom> {
        if n > HEADER_AREA - self.area_len() {
            return Err(NoRoom);
        }
        self.move_headers(HEADER_AREA - self.area_len());
        Ok(())
    }

    /// Moves the headers, if need be, so that `n` bytes after them are free.
    fn make_tailroom(&mut self, n: usize) -> Result<(), NoRoom> {
        if n <= HEADER_AREA - self.tail as usize {
            return Ok(());
        }
        let free = HEADER_AREA - self.area_len();
        if n > free {
            return Err(NoRoom);
        }
        // Headroom is kept as far as there is room for it.
        self.move_headers((free - n).min(HEADROOM));
        Ok(())
    }

    fn move_headers(&mut self, to: usize) {
        let len = self.area_len();
        self.area
            .copy_within(self.head as usize..self.tail as usize, to);
        (self.head, self.tail) = (to as u8, (to + len) as u8);
    }
}

/// Copies headers to a place of their length. Most have between 32 and 64 bytes:
/// two moves of known length, which overlap, take half the time of a call.
#[inline]
fn copy_headers(from: &[u8], to: &mut [u8]) {
    if from.len() <= 64
        && let (Some(first), Some(last)) = (from.first_chunk::<32>(), from.last_chunk::<32>())
        && let Some(last_at) = to.len().checked_sub(32)
    {
        to[..32].copy_from_slice(first);
        to[last_at..].copy_from_slice(last);
    } else {
        to.copy_from_slice(from);
    }
}

/// Checksums.
impl Packet {
    /// The ones-complement sum of the bytes from `from` on, not inverted. Zero
    /// when there are none.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when some lie in memory the CPU may not read.
    pub fn checksum(&self, from: usize) -> Result<u16, Unreadable> {
        let front = self.headers().get(from..).unwrap_or(&[]);
        let sum = checksum::sum(front);
        let Some(span) = &self.span else {
            return Ok(sum);
        };
        let rest = match from.saturating_sub(self.area_len()) {
            0 => span.checksum()?,
            skip if skip < span.len() => {
                span.cut(skip as u32, span.len - skip as u32).checksum()?
            }
            _ => return Ok(sum),
        };
        Ok(checksum::combine(sum, rest, front.len() % 2 == 1))
    }

    /// Writes the final checksum of a packet whose checksum is
    /// [`Partial`](Checksum::Partial) and marks it complete; does nothing
    /// otherwise. A UDP checksum that comes out as zero is written as `0xffff`
    /// (RFC 768), a TCP one is not.
    ///
    /// # Errors
    ///
    /// [`ChecksumError`]; the packet's bytes are unchanged.
    pub fn complete_checksum(&mut self) -> Result<(), ChecksumError> {
        let Checksum::Partial { start, offset } = self.meta.checksum else {
            return Ok(());
        };
        let at = usize::from(start) + usize::from(offset);
        self.pull(at + 2).map_err(|error| match error {
            PullError::Unreadable => ChecksumError::Unreadable,
            _ => ChecksumError::Field,
        })?;
        let mut check = !self.checksum(usize::from(start))?;
        if check == 0 && offset == UDP_CHECKSUM_AT {
            check = 0xffff;
        }
        self.headers_mut()[at..at + 2].copy_from_slice(&check.to_be_bytes());
        self.meta.checksum = Checksum::Complete;
        Ok(())
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("headers", &self.headers())
            .field("span", &self.span)
            .field("meta", &self.meta)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
