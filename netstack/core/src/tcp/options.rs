//! The TCP option codec.
//!
//! Ours and not `smoltcp::wire`'s, whose options hold three SACK blocks.

use super::fast_open::Cookie;
use super::seq::Seq;
use super::user_timeout::Told;
use arrayvec::ArrayVec;

/// The most SACK blocks that fit the 40 bytes of options.
pub(crate) const MAX_SACK_BLOCKS: usize = 4;
/// The most bytes that options take.
pub(crate) const MAX_OPTIONS_LEN: usize = 40;
/// Bytes of a timestamps option with the two NOPs that align it.
pub(crate) const TIMESTAMPS_LEN: usize = 12;
/// Bytes of a user timeout option.
pub(crate) const USER_TIMEOUT_LEN: usize = 4;

const KIND_END: u8 = 0;
const KIND_NOP: u8 = 1;
const KIND_MSS: u8 = 2;
const KIND_WINDOW_SCALE: u8 = 3;
const KIND_SACK_PERMITTED: u8 = 4;
const KIND_SACK: u8 = 5;
const KIND_TIMESTAMPS: u8 = 8;
const KIND_USER_TIMEOUT: u8 = 28;
const KIND_FAST_OPEN: u8 = 34;

/// The largest shift that a window scale option may ask for (RFC 7323, 2.3).
const MAX_WINDOW_SCALE: u8 = 14;

/// A block of received data: from `left` up to but not including `right`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SackBlock {
    pub(crate) left: Seq,
    pub(crate) right: Seq,
}

/// The timestamps option (RFC 7323, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamps {
    /// The sender's clock.
    pub(crate) val: u32,
    /// The receiver's clock, echoed.
    pub(crate) ecr: u32,
}

/// What the options of one segment say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    pub(crate) timestamps: Option<Timestamps>,
    pub(crate) user_timeout: Option<Told>,
    pub(crate) fast_open: Option<Cookie>,
    pub(crate) sack: ArrayVec<SackBlock, MAX_SACK_BLOCKS>,
}

impl Options {
    /// Reads the options area of a header.
    ///
    /// Unknown options are skipped. An option whose length is impossible ends the reading; what came
    /// before it counts (RFC 9293, 3.1: an illegal length must be handled without a crash, MUST-7).
    // req: MUST-4, MUST-6, MUST-7, MUST-64, RFC7323-10, RFC5482-12, RFC2018-02
    pub(crate) fn parse(mut bytes: &[u8]) -> Options {
        let mut options = Options::default();
        // Nearly every segment carries just timestamps, aligned by two NOPs.
        if let [KIND_NOP, KIND_NOP, KIND_TIMESTAMPS, 10, body @ ..] = bytes
            && body.len() == 8
        {
            options.timestamps = timestamps(body);
            return options;
        }
        loop {
            match bytes {
                [] | [KIND_END, ..] => return options,
                [KIND_NOP, rest @ ..] => bytes = rest,
                [kind, len, ..] => {
                    let len = usize::from(*len);
                    if len < 2 || len > bytes.len() {
                        return options;
                    }
                    options.read(*kind, &bytes[2..len]);
                    bytes = &bytes[len..];
                }
                [_] => return options,
            }
        }
    }

    fn read(&mut self, kind: u8, body: &[u8]) {
        match (kind, body) {
            (KIND_MSS, [a, b]) => self.mss = Some(u16::from_be_bytes([*a, *b])),
            (KIND_WINDOW_SCALE, [shift]) => {
                self.window_scale = Some((*shift).min(MAX_WINDOW_SCALE))
            }
            (KIND_SACK_PERMITTED, []) => self.sack_permitted = true,
            (KIND_TIMESTAMPS, _) if body.len() == 8 => self.timestamps = timestamps(body),
            (KIND_SACK, _) if body.len().is_multiple_of(8) => {
                self.sack = body
                    .chunks_exact(8)
                    .take(MAX_SACK_BLOCKS)
                    .map(sack_block)
                    .collect();
            }
            (KIND_USER_TIMEOUT, [a, b]) => {
                self.user_timeout = Told::from_field(u16::from_be_bytes([*a, *b]));
            }
            (KIND_FAST_OPEN, cookie) => self.fast_open = Cookie::parse(cookie),
            _ => {}
        }
    }

    /// The bytes that [`emit`](Self::emit) writes: a multiple of four.
    pub(crate) fn emitted_len(&self) -> usize {
        let mut len = 0;
        len += if self.mss.is_some() { 4 } else { 0 };
        len += match (self.sack_permitted, self.timestamps.is_some()) {
            (true, true) | (false, true) => TIMESTAMPS_LEN,
            (true, false) => 4,
            (false, false) => 0,
        };
        len += if self.window_scale.is_some() { 4 } else { 0 };
        len += if self.user_timeout.is_some() { 4 } else { 0 };
        len += self.fast_open.map_or(0, |cookie| fast_open_len(&cookie));
        len += if self.sack.is_empty() {
            0
        } else {
            4 + 8 * self.sack.len()
        };
        len
    }

    /// Writes the options in Linux's order: MSS, SACK-permitted, timestamps, NOP, window scale, user timeout, Fast Open,
    /// SACK.
    ///
    /// `out` must be [`emitted_len`](Self::emitted_len) long.
    // req: MUST-68
    pub(crate) fn emit(&self, out: &mut [u8]) {
        let mut out = Writer { out, at: 0 };
        if let Some(mss) = self.mss {
            out.put(&[KIND_MSS, 4]);
            out.put(&mss.to_be_bytes());
        }
        match (self.sack_permitted, self.timestamps.is_some()) {
            (true, true) => out.put(&[KIND_SACK_PERMITTED, 2]),
            (true, false) => out.put(&[KIND_NOP, KIND_NOP, KIND_SACK_PERMITTED, 2]),
            (false, true) => out.put(&[KIND_NOP, KIND_NOP]),
            (false, false) => {}
        }
        if let Some(timestamps) = self.timestamps {
            out.put(&[KIND_TIMESTAMPS, 10]);
            out.put(&timestamps.val.to_be_bytes());
            out.put(&timestamps.ecr.to_be_bytes());
        }
        if let Some(shift) = self.window_scale {
            out.put(&[KIND_NOP, KIND_WINDOW_SCALE, 3, shift]);
        }
        if let Some(told) = self.user_timeout {
            out.put(&[KIND_USER_TIMEOUT, 4]);
            out.put(&told.field().to_be_bytes());
        }
        if let Some(cookie) = &self.fast_open {
            let len = 2 + cookie.bytes().len();
            out.put(&[KIND_FAST_OPEN, len as u8]);
            out.put(cookie.bytes());
            out.put(&[KIND_NOP; 3][..fast_open_len(cookie) - len]);
        }
        if !self.sack.is_empty() {
            out.put(&[KIND_NOP, KIND_NOP, KIND_SACK, 2 + 8 * self.sack.len() as u8]);
            for block in &self.sack {
                out.put(&block.left.0.to_be_bytes());
                out.put(&block.right.0.to_be_bytes());
            }
        }
    }

    /// How many SACK blocks fit beside what is there already.
    pub(crate) fn room_for_sack(&self) -> usize {
        (MAX_OPTIONS_LEN - self.emitted_len()).saturating_sub(4) / 8
    }
}

/// Bytes of a Fast Open option with what aligns it.
fn fast_open_len(cookie: &Cookie) -> usize {
    (2 + cookie.bytes().len()).next_multiple_of(4)
}

fn timestamps(body: &[u8]) -> Option<Timestamps> {
    let (val, ecr) = body.split_first_chunk::<4>()?;
    let ecr = ecr.first_chunk::<4>()?;
    Some(Timestamps {
        val: u32::from_be_bytes(*val),
        ecr: u32::from_be_bytes(*ecr),
    })
}

fn sack_block(body: &[u8]) -> SackBlock {
    let edge = |at: usize| {
        Seq(u32::from_be_bytes([
            body[at],
            body[at + 1],
            body[at + 2],
            body[at + 3],
        ]))
    };
    SackBlock {
        left: edge(0),
        right: edge(4),
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

#[cfg(test)]
mod tests;
