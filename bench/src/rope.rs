//! A rope: reference-counted slices in a deque, as many stacks in Rust hold a packet.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;

/// Slices one after the other. The deque is the header object here, and comes from a list of the thread.
pub struct Rope {
    parts: VecDeque<Bytes>,
    len: usize,
}

/// Deques that a thread keeps.
const SPARE: usize = 1024;

/// Room of a new deque.
const PARTS: usize = 64;

thread_local! {
    static DEQUES: RefCell<Vec<VecDeque<Bytes>>> = const { RefCell::new(Vec::new()) };
}

impl Rope {
    /// A rope without slices.
    #[inline]
    pub fn new() -> Rope {
        let spare = DEQUES.try_with(|deques| deques.borrow_mut().pop());
        let parts = spare.ok().flatten();
        Rope {
            parts: parts.unwrap_or_else(|| VecDeque::with_capacity(PARTS)),
            len: 0,
        }
    }

    /// Appends a slice.
    #[inline]
    pub fn push(&mut self, part: Bytes) {
        self.len += part.len();
        self.parts.push_back(part);
    }

    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without any byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of slices.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Takes out all but the first `len` bytes.
    ///
    /// # Panics
    ///
    /// When there are fewer.
    #[inline]
    pub fn split_off(&mut self, len: usize) -> Rope {
        assert!(len <= self.len);
        let mut back = Rope::new();
        let (mut index, mut pos) = (0, 0);
        while pos < len {
            pos += self.parts[index].len();
            index += 1;
        }
        if pos > len {
            let straddled = &mut self.parts[index - 1];
            let keep = straddled.len() - (pos - len);
            back.parts.push_back(straddled.split_off(keep));
        }
        back.parts.extend(self.parts.drain(index..));
        back.len = self.len - len;
        self.len = len;
        back
    }

    /// Cuts the rope into ropes of `size` bytes.
    #[inline]
    pub fn segment(mut self, size: usize, out: &mut Vec<Rope>) {
        while self.len > 0 {
            let mut segment = Rope::new();
            let mut missing = size;
            while missing > 0 {
                let Some(part) = self.parts.front_mut() else {
                    break;
                };
                if part.len() > missing {
                    let piece = part.split_to(missing);
                    self.len -= missing;
                    segment.push(piece);
                    break;
                }
                missing -= part.len();
                self.len -= part.len();
                segment.len += part.len();
                segment.parts.extend(self.parts.pop_front());
            }
            out.push(segment);
        }
    }

    /// A copy of all bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.parts.iter().flatten().copied().collect()
    }
}

impl Default for Rope {
    fn default() -> Self {
        Rope::new()
    }
}

impl Clone for Rope {
    #[inline]
    fn clone(&self) -> Self {
        let mut copy = Rope::new();
        copy.parts.extend(self.parts.iter().cloned());
        copy.len = self.len;
        copy
    }
}

impl Drop for Rope {
    #[inline]
    fn drop(&mut self) {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        let _ = DEQUES.try_with(move |deques| {
            let mut deques = deques.borrow_mut();
            if deques.len() < SPARE {
                deques.push(parts);
            }
        });
    }
}

#[cfg(test)]
mod tests;
