//! Mutable I/O vectors under one lifetime.

use std::io::IoSliceMut;

/// Vectors to fill. They are reached one at a time and only as bytes: no vector
/// is ever replaced by another.
pub(super) struct Vectors<'a>(&'a mut [IoSliceMut<'a>]);

impl<'a> Vectors<'a> {
    pub(super) fn new<'b: 'a>(vectors: &'a mut [IoSliceMut<'b>]) -> Self {
        // SAFETY: the two types differ in a lifetime only. Shortening it behind
        // `&mut` would be wrong if a shorter-lived vector could be stored in the
        // slice; this type never stores one, it only hands out the bytes.
        Self(unsafe {
            core::mem::transmute::<&'a mut [IoSliceMut<'b>], &'a mut [IoSliceMut<'a>]>(vectors)
        })
    }

    pub(super) fn len(&self, index: usize) -> Option<usize> {
        self.0.get(index).map(|vector| vector.len())
    }

    pub(super) fn total(&self) -> usize {
        self.0.iter().map(|vector| vector.len()).sum()
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut [u8]> {
        self.0.get_mut(index).map(|vector| &mut **vector)
    }
}
