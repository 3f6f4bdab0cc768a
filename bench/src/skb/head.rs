//! The head of a packet: header bytes, and behind them the shared info (`skb_shared_info`).

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::buffer::Skb;
use super::page::Page;
use super::slab::{self, Slab};

/// Most pages of one packet (`MAX_SKB_FRAGS`).
pub const MAX_FRAGS: usize = 17;

/// Bytes for headers in a head from the small cache (`MAX_TCP_HEADER`).
pub(crate) const HEAD_BYTES: usize = 320;

/// A piece of a page (`skb_frag_t`). Says nothing about who has the reference.
#[derive(Clone, Copy)]
pub(crate) struct Frag {
    pub(crate) page: NonNull<Page>,
    pub(crate) len: u32,
    pub(crate) offset: u32,
}

impl Frag {
    const NONE: Frag = Frag {
        page: NonNull::dangling(),
        len: 0,
        offset: 0,
    };

    /// `__skb_frag_ref`.
    #[inline]
    pub(crate) fn get(&self) {
        // SAFETY: a listed descriptor has a reference on its page, held by the list it is in.
        unsafe { self.page.as_ref() }.get();
    }
}

/// What all clones of a packet have in common.
#[repr(C)]
pub(crate) struct Shared {
    flags: [u8; 2],
    nr_frags: u8,
    tx_flags: u8,
    pub(crate) gso_size: u16,
    pub(crate) gso_segs: u16,
    hwtstamps: u64,
    gso_type: u32,
    tskey: u32,
    pub(crate) dataref: AtomicU32,
    /// The first of the further packets; the list has a count on each.
    pub(crate) frag_list: Option<Skb>,
    destructor_arg: usize,
    frags: [Frag; MAX_FRAGS],
}

/// For the test that compares it with the kernel's.
#[cfg(test)]
pub(super) const SHARED_SIZE: usize = size_of::<Shared>();

impl Shared {
    fn empty() -> Shared {
        Shared {
            flags: [0; 2],
            nr_frags: 0,
            tx_flags: 0,
            gso_size: 0,
            gso_segs: 0,
            hwtstamps: 0,
            gso_type: 0,
            tskey: 0,
            dataref: AtomicU32::new(1),
            frag_list: None,
            destructor_arg: 0,
            frags: [Frag::NONE; MAX_FRAGS],
        }
    }

    /// All but the descriptors as if new, which `__build_skb_around` leaves alone as well.
    #[inline]
    fn reset(&mut self) {
        (self.flags, self.nr_frags, self.tx_flags) = ([0; 2], 0, 0);
        (self.gso_size, self.gso_segs) = (0, 0);
        (self.hwtstamps, self.gso_type, self.tskey) = (0, 0, 0);
        *self.dataref.get_mut() = 1;
        self.destructor_arg = 0;
    }

    #[inline]
    pub(crate) fn frags(&self) -> &[Frag] {
        &self.frags[..usize::from(self.nr_frags)]
    }

    /// Lists a piece; its reference goes to the list.
    #[inline]
    pub(crate) fn push(&mut self, frag: Frag) {
        self.frags[usize::from(self.nr_frags)] = frag;
        self.nr_frags += 1;
    }

    /// Shortens the last piece.
    #[inline]
    pub(crate) fn shorten_last(&mut self, by: u32) {
        self.frags[usize::from(self.nr_frags) - 1].len -= by;
    }

    /// `skb_split_no_header`: hands what lies from `len` bytes on to `back`, which lists nothing yet.
    #[inline]
    pub(crate) fn split(&mut self, len: u32, back: &mut Shared) {
        let nr_frags = std::mem::take(&mut self.nr_frags);
        let mut pos = 0;
        for index in 0..usize::from(nr_frags) {
            let mut frag = self.frags[index];
            let size = frag.len;
            if pos + size > len {
                if pos < len {
                    // The straddled page: both lists have it.
                    frag.get();
                    frag.offset += len - pos;
                    frag.len -= len - pos;
                    self.frags[index].len = len - pos;
                    self.nr_frags += 1;
                }
                back.push(frag);
            } else {
                self.nr_frags += 1;
            }
            pos += size;
        }
    }

    /// Takes over what `from` lists, which lists nothing then. No count changes.
    #[inline]
    pub(crate) fn adopt(&mut self, from: &mut Shared) {
        let frags = from.frags();
        self.frags[..frags.len()].copy_from_slice(frags);
        self.nr_frags = std::mem::take(&mut from.nr_frags);
        self.frag_list = from.frag_list.take();
    }

    /// Lists what `from` lists, with a reference on every page and a count on every packet of the `frag_list`.
    #[inline]
    pub(crate) fn share(&mut self, from: &Shared) {
        let frags = from.frags();
        self.frags[..frags.len()].copy_from_slice(frags);
        self.nr_frags = from.nr_frags;
        frags.iter().for_each(Frag::get);
        if let Some(first) = &from.frag_list {
            let first = first.share_list();
            self.frag_list = Some(first);
        }
    }
}

/// Header bytes and shared info, one object.
pub(crate) struct Head {
    pub(crate) bytes: [u8; HEAD_BYTES],
    pub(crate) shared: Shared,
}

thread_local! {
    static HEADS: Slab<Head> = const { Slab::new(Vec::new()) };
}

impl Head {
    /// A head with unspecified bytes that lists nothing and is counted once.
    #[inline]
    pub(crate) fn alloc() -> Box<Head> {
        let mut head = slab::take(&HEADS, || Head {
            bytes: [0; HEAD_BYTES],
            shared: Shared::empty(),
        });
        head.shared.reset();
        head
    }

    /// The last part of `skb_release_data`: a reference of every page, a count of every further packet, the object.
    #[inline]
    pub(crate) fn free(mut head: Box<Head>) {
        for frag in head.shared.frags() {
            // SAFETY: the list's reference, which nobody else gives up: the head goes.
            unsafe { Page::put(frag.page) };
        }
        head.shared.nr_frags = 0;
        drop(head.shared.frag_list.take());
        slab::give(&HEADS, head);
    }

    /// Gives up one count of a head that was cloned; true with the last one.
    #[inline]
    pub(crate) fn release(head: &Head) -> bool {
        head.shared.dataref.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
