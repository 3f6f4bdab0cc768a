//! A model of Linux's `sk_buff` with its `skb_shared_info`, to compare with.
//!
//! It does what the kernel does to counts, descriptors and header memory, and leaves out what has no
//! counterpart here (routes, extensions, checksums). A packet is a small object from a slab; its head is another,
//! with the header bytes in front and the shared info behind. The shared info lists at most [`MAX_FRAGS`] pages
//! with a reference on each; more than those hang on its `frag_list` as further packets.
//!
//! * `skb_clone` copies the packet object and counts once, on the shared info.
//! * `pskb_copy`, `pskb_expand_head` of a clone, `skb_segment` and the last drop count on every page.
//! * `skb_split` moves descriptors and counts on the page that it straddles; a cloned packet is made exclusive
//!   before (`skb_unclone`), as `tcp_fragment` does it.
//!
//! Where the kernel has a fast path it is taken: a sole owner frees without an atomic, a packet that was never
//! cloned does not touch `dataref`. Packet objects, heads and pages come from lists of the thread, as they come
//! from lists of the CPU there; a list of pages is under its own uncontended lock, as there.

mod buffer;
mod head;
mod page;
mod segment;
mod slab;

pub use buffer::Skb;
pub use head::MAX_FRAGS;
pub use page::{Page, live_pages};

#[cfg(test)]
mod tests;
