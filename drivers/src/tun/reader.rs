//! Reading packets so that their payloads lie side by side.
//!
//! Headers belong into packets of their own, and payloads beside each other, where several segments of one flow can be
//! joined without a gather. The kernel takes longer to fill two pieces than one, and where headers end can only be known
//! after reading. So a packet is read in one piece to where its headers, taken to be as long as those before, cover the end
//! of the payload before; that end is kept aside meanwhile. Nobody has that payload yet: it is published when the next
//! packet lies behind it.
//!
//! ```text
//! in the room   | payload 1 . . . . . . |
//! kept aside                  | . . . . |
//! read                        | headers | payload 2 . . . |
//! put back      | payload 1 . . . . . . | payload 2 . . . |
//! ```

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use txbuf::{Chain, INLINE_MAX, Packet, Pool, Reservation};

use super::channel::{FRONT, RECEIVE_BYTES};
use crate::headers::{self, Headers};

/// The most that is kept aside.
const ASIDE: usize = FRONT + headers::LONGEST;

/// Payloads up to this length are moved to where the last one ended. Moving them costs less than a piece more of a call.
const MOVED: usize = 4096;

/// Where packets are read from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) fd: BorrowedFd<'a>,
    /// Bytes in front of each packet.
    pub(super) prefix: usize,
    /// One byte more than the longest packet has: a longer one shows instead of being cut short.
    pub(super) longest: usize,
}

/// What became of one read.
pub(super) enum Read {
    /// A packet, and what was in front of it.
    Packet([u8; FRONT], Packet),
    /// Less than what is in front of each packet.
    Short,
    TooBig,
    NoMemory,
}

/// An arena to read into.
pub(super) struct Reader {
    arena: Chain,
    /// Bytes of headers that the last packet of some length had, and the next is taken to have.
    headers: usize,
    /// Headers stay where they were read, in front of the payload.
    whole: bool,
}

/// How much may still be read for one caller.
struct Budget {
    reads: usize,
    bytes: usize,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.reads == 0 || self.bytes == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.reads -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Reader {
    pub(super) fn new(pool: &Pool) -> Reader {
        Reader {
            arena: Chain::arena(pool),
            headers: 0,
            whole: false,
        }
    }

    /// Leaves headers in front of payloads from now on.
    pub(super) fn keep_whole(&mut self) {
        self.whole = true;
        self.headers = 0;
    }

    /// Reads up to `max` times, or what is there, and says what became of each read. `scratch` has room for one packet and
    /// what is in front of it: with the arena at its cap a short packet is read there, for it may free memory.
    ///
    /// # Errors
    ///
    /// What ended the reading, [`Errno::AGAIN`] among it.
    pub(super) fn read(
        &mut self,
        source: Source<'_>,
        scratch: &mut [u8],
        max: usize,
        mut each: impl FnMut(Read),
    ) -> Result<(), Errno> {
        // Counted by reads, so that packets which are dropped do not keep the caller here.
        let mut budget = Budget {
            reads: max,
            bytes: RECEIVE_BYTES,
        };
        while !budget.is_spent() {
            match self.arena.reserve(source.prefix + source.longest) {
                Ok(room) => {
                    let mut run = Run {
                        room,
                        headers: &mut self.headers,
                        whole: self.whole,
                        last: None,
                    };
                    let ended = run.fill(source, &mut budget, &mut each);
                    run.finish(&mut each);
                    ended?;
                }
                Err(_) => {
                    let Some(length) = read(source.fd, scratch, &mut budget)? else {
                        continue;
                    };
                    each(match length.checked_sub(source.prefix) {
                        Some(_) => inline(&scratch[..length], source.prefix),
                        None => Read::Short,
                    });
                }
            }
        }
        Ok(())
    }
}

/// One read, if no signal came between.
fn read(fd: BorrowedFd<'_>, into: &mut [u8], budget: &mut Budget) -> Result<Option<usize>, Errno> {
    match rustix::io::read(fd, into) {
        Ok(length) => {
            budget.spend(length);
            Ok(Some(length))
        }
        Err(Errno::INTR) => {
            budget.spend(0);
            Ok(None)
        }
        Err(errno) => Err(errno),
    }
}

/// A packet that fits its own area.
fn inline(read: &[u8], prefix: usize) -> Read {
    let packet = Packet::inline(&read[prefix..]);
    packet.map_or(Read::NoMemory, |packet| {
        Read::Packet(front(read, prefix), packet)
    })
}

/// What is in front of a packet.
fn front(read: &[u8], prefix: usize) -> [u8; FRONT] {
    let mut front = [0; FRONT];
    front[..prefix].copy_from_slice(&read[..prefix]);
    front
}

/// What is read into one segment.
struct Run<'a> {
    room: Reservation<'a>,
    headers: &'a mut usize,
    whole: bool,
    /// The last packet, whose payload is at the beginning of the room.
    last: Option<Last>,
}

/// A packet without its payload, which is not published.
struct Last {
    front: [u8; FRONT],
    packet: Packet,
    payload: usize,
}

impl Run<'_> {
    /// Reads until the room or the budget is used up, or there is nothing more.
    fn fill(
        &mut self,
        source: Source<'_>,
        budget: &mut Budget,
        each: &mut impl FnMut(Read),
    ) -> Result<(), Errno> {
        while !budget.is_spent() {
            let wanted = source.prefix + *self.headers;
            if self.last.as_ref().is_some_and(|last| last.payload < wanted) {
                self.finish(each);
            }
            // Where the last payload ends, and where the next packet begins.
            let end = self.last.as_ref().map_or(0, |last| last.payload);
            let at = end.saturating_sub(wanted);
            if self.room.len() < end + source.prefix + source.longest {
                return Ok(());
            }
            let mut aside = [0; ASIDE];
            aside[..end - at].copy_from_slice(&self.room[at..end]);
            let length = read(source.fd, &mut self.room[at..], budget);
            let read = match length {
                Ok(Some(length)) => self.sort(at, length, source, &aside[..end - at], each),
                // Nothing was written.
                Ok(None) => None,
                Err(errno) => {
                    self.room[at..end].copy_from_slice(&aside[..end - at]);
                    return Err(errno);
                }
            };
            if let Some(read) = read {
                self.finish(each);
                each(read);
            }
        }
        Ok(())
    }

    /// Finds the payload of what was read to `at`, has it follow the last one, whose end is `aside`, and publishes the last
    /// one. What becomes no packet with a payload, or is short, is returned.
    fn sort(
        &mut self,
        at: usize,
        length: usize,
        source: Source<'_>,
        aside: &[u8],
        each: &mut impl FnMut(Read),
    ) -> Option<Read> {
        let (end, prefix) = (at + aside.len(), source.prefix);
        let read = &self.room[at..at + length];
        let front = front(&read[..prefix.min(length)], prefix.min(length));
        let parted = match length.checked_sub(prefix) {
            None => Err(Read::Short),
            Some(packet) if packet <= INLINE_MAX => Err(inline(read, prefix)),
            Some(packet) if packet >= source.longest => Err(Read::TooBig),
            Some(_) => {
                let headers = match self.whole {
                    true => 0,
                    false => Headers::of(|at| read[prefix + at]).map_or(0, |it| it.payload),
                };
                let packet = Packet::inline(&read[prefix..prefix + headers]);
                packet.map(|packet| (packet, headers)).ok_or(Read::NoMemory)
            }
        };
        let begins = match &parted {
            Ok((_, headers)) => at + prefix + headers,
            Err(_) => end,
        };
        // The first one of a call has its headers in front of it, others if the guess was wrong.
        let stays = aside.is_empty() && at + length - begins > MOVED;
        if begins != end && !stays {
            self.room.copy_within(begins..at + length, end);
        }
        self.room[at..end].copy_from_slice(aside);
        let (packet, headers) = match parted {
            Ok(parted) => parted,
            Err(read) => return Some(read),
        };
        *self.headers = headers;
        self.finish(each);
        if stays {
            self.room.skip(begins - end);
        }
        self.last = Some(Last {
            front,
            packet,
            payload: length - prefix - headers,
        });
        None
    }

    /// Publishes the payload of the last packet, and hands it on.
    fn finish(&mut self, each: &mut impl FnMut(Read)) {
        if let Some(mut last) = self.last.take() {
            last.packet.set_span(self.room.commit_front(last.payload));
            each(Read::Packet(last.front, last.packet));
        }
    }
}

#[cfg(test)]
mod tests;
