//! Control messages: `struct cmsghdr` and what follows it, as bytes of a 64-bit machine.

mod receive;
mod send;

pub(crate) use receive::{answers_from, tell_arrival, tell_stamp, tell_time};
pub(crate) use send::{Way, Wishes, of_datagram, of_others};

use crate::Errno;

/// Bytes of `struct cmsghdr`.
const HEADER: usize = 16;
/// What each control message begins at a multiple of.
const ALIGNED: usize = 8;

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Control<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

/// The control messages in `bytes`.
///
/// # Errors
///
/// `EINVAL` for a length that is none.
fn parse(mut bytes: &[u8]) -> Result<Vec<Control<'_>>, Errno> {
    let mut messages = Vec::new();
    // What is too short for a header is none.
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let [a, b, c, d, e, f, g, h, rest @ ..] = *header;
        let len = usize::try_from(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
            .map_err(|_| Errno::EINVAL)?;
        let [l0, l1, l2, l3, k0, k1, k2, k3] = rest;
        let data = bytes.get(HEADER..len).ok_or(Errno::EINVAL)?;
        messages.push(Control {
            level: i32::from_ne_bytes([l0, l1, l2, l3]),
            kind: i32::from_ne_bytes([k0, k1, k2, k3]),
            data,
        });
        bytes = bytes
            .get(len.next_multiple_of(ALIGNED)..)
            .unwrap_or_default();
    }
    Ok(messages)
}

/// Control messages to be handed to a program that has room for some.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    room: usize,
    /// Whether there was not room for all (`MSG_CTRUNC`).
    pub(crate) cut: bool,
}

impl Writer {
    pub(crate) fn new(room: usize) -> Writer {
        Writer {
            bytes: Vec::new(),
            room,
            cut: false,
        }
    }

    /// Adds a control message; one that does not fit is cut.
    pub(crate) fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let left = self.room.saturating_sub(self.bytes.len());
        if left < HEADER {
            self.cut = true;
            return;
        }
        let fits = data.len().min(left - HEADER);
        self.cut |= fits < data.len();
        self.bytes.extend(((HEADER + fits) as u64).to_ne_bytes());
        self.bytes.extend(level.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(data.iter().take(fits));
        let padded = self.bytes.len().next_multiple_of(ALIGNED).min(self.room);
        self.bytes.resize(padded, 0);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
