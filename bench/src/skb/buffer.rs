//! The packet object and what is done to it.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::head::{Frag, HEAD_BYTES, Head, MAX_FRAGS, Shared};
use super::page::Page;
use super::slab::{self, Slab};

/// One packet, as a pointer to its object. Dropping it is `kfree_skb`.
pub struct Skb(NonNull<SkBuff>);

/// The object (`struct sk_buff`). A clone gets a copy of the fields in `copied`.
struct SkBuff {
    /// The next one on a `frag_list`.
    next: Option<Skb>,
    copied: Copied,
    len: u32,
    data_len: u32,
    /// Whether `dataref` may be more than one.
    cloned: bool,
    head: NonNull<Head>,
    /// The headers are `head.bytes[data..tail]`.
    data: u32,
    tail: u32,
    truesize: u32,
    users: AtomicU32,
}

/// For the test that compares it with the kernel's.
#[cfg(test)]
pub(super) const OBJECT_SIZE: usize = size_of::<SkBuff>();

/// What `__copy_skb_header` copies: time, device, the control block, and the fields between `headers_start` and
/// `headers_end`.
#[derive(Clone, Copy)]
#[allow(
    dead_code,
    reason = "as many bytes to copy; what they mean is not modelled"
)]
struct Copied {
    tstamp: u64,
    dev: usize,
    control: [u64; 6],
    headers: [u64; 13],
}

thread_local! {
    static OBJECTS: Slab<SkBuff> = const { Slab::new(Vec::new()) };
}

impl SkBuff {
    /// As `__alloc_skb` leaves it: zeroed but for its head.
    #[inline]
    fn new(head: NonNull<Head>) -> SkBuff {
        SkBuff {
            next: None,
            copied: Copied {
                tstamp: 0,
                dev: 0,
                control: [0; 6],
                headers: [0; 13],
            },
            len: 0,
            data_len: 0,
            cloned: false,
            head,
            data: 0,
            tail: 0,
            truesize: 0,
            users: AtomicU32::new(1),
        }
    }
}

#[inline]
fn object(fields: SkBuff) -> Skb {
    let mut object = slab::take(&OBJECTS, || SkBuff::new(NonNull::dangling()));
    *object = fields;
    Skb(NonNull::from(Box::leak(object)))
}

/// Making packets.
impl Skb {
    /// An empty packet with `headroom` bytes before its headers (`alloc_skb`).
    #[inline]
    pub fn alloc(headroom: usize) -> Skb {
        let head = NonNull::from(Box::leak(Head::alloc()));
        let mut fields = SkBuff::new(head);
        (fields.data, fields.tail) = (headroom as u32, headroom as u32);
        fields.truesize = (size_of::<SkBuff>() + size_of::<Head>()) as u32;
        object(fields)
    }

    /// Appends a page of `size` bytes, filled from `data`, all of which the packet has.
    ///
    /// # Panics
    ///
    /// When the packet has [`MAX_FRAGS`] pages or is a clone.
    pub fn add_page(&mut self, size: usize, data: &[u8]) {
        assert!(self.shared().frags().len() < MAX_FRAGS);
        let page = Page::alloc(size, data);
        let len = size as u32;
        self.shared_mut().push(Frag {
            page,
            len,
            offset: 0,
        });
        self.grow(len);
    }

    /// Appends further packets of pages.
    ///
    /// # Panics
    ///
    /// When there are some already or the packet is a clone.
    pub fn set_frag_list(&mut self, packets: Vec<Skb>) {
        assert!(self.shared().frag_list.is_none());
        let mut list = None;
        for mut packet in packets.into_iter().rev() {
            self.grow(packet.skb().len);
            packet.skb_mut().next = list;
            list = Some(packet);
        }
        self.shared_mut().frag_list = list;
    }

    /// Puts `n` bytes in front and returns them (`skb_push`).
    ///
    /// # Panics
    ///
    /// Without room for them, or when the packet is a clone.
    #[inline]
    pub fn push(&mut self, n: usize) -> &mut [u8] {
        assert!(!self.is_cloned());
        let skb = self.skb_mut();
        skb.data -= n as u32;
        skb.len += n as u32;
        let data = skb.data as usize;
        &mut self.head_mut().bytes[data..data + n]
    }

    #[inline]
    pub(super) fn grow(&mut self, len: u32) {
        let skb = self.skb_mut();
        (skb.len, skb.data_len) = (skb.len + len, skb.data_len + len);
        skb.truesize += len;
    }
}

/// The bytes.
impl Skb {
    /// Number of bytes.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "a model")]
    pub fn len(&self) -> usize {
        self.skb().len as usize
    }

    /// The header bytes.
    #[inline]
    pub fn headers(&self) -> &[u8] {
        let skb = self.skb();
        &self.head().bytes[skb.data as usize..skb.tail as usize]
    }

    /// Number of pages, without those of the `frag_list`.
    pub fn frags(&self) -> usize {
        self.shared().frags().len()
    }

    /// A copy of all bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = self.headers().to_vec();
        for frag in self.shared().frags() {
            // SAFETY: the list has a reference on the page.
            let memory = unsafe { frag.page.as_ref() }.memory();
            let from = frag.offset as usize;
            bytes.extend_from_slice(&memory[from..from + frag.len as usize]);
        }
        let mut further = self.shared().frag_list.as_ref();
        while let Some(packet) = further {
            bytes.extend(packet.to_vec());
            further = packet.next();
        }
        bytes
    }
}

/// The operations that are compared.
impl Skb {
    /// `skb_clone`: another packet object, the same head with one more count. No allocation but the object.
    #[inline]
    pub fn skb_clone(&mut self) -> Skb {
        self.skb_mut().cloned = true;
        self.shared().dataref.fetch_add(1, Ordering::Relaxed);
        let from = self.skb();
        object(SkBuff {
            next: None,
            copied: from.copied,
            len: from.len,
            data_len: from.data_len,
            cloned: true,
            head: from.head,
            data: from.data,
            tail: from.tail,
            truesize: from.truesize,
            users: AtomicU32::new(1),
        })
    }

    /// `pskb_copy`: a packet with headers and descriptors of its own.
    #[inline]
    pub fn pskb_copy(&self) -> Skb {
        let from = self.skb();
        let mut copy = Skb::alloc(from.data as usize);
        let to = copy.skb_mut();
        (to.tail, to.len, to.data_len) = (from.tail, from.len, from.data_len);
        to.copied = from.copied;
        to.truesize += from.data_len;
        let headers = from.data as usize..from.tail as usize;
        copy.head_mut().bytes[headers.clone()].copy_from_slice(&self.head().bytes[headers]);
        copy.shared_mut().share(self.shared());
        self.copy_gso(&mut copy);
        copy
    }

    /// `pskb_expand_head`: a head of the packet's own, with `more` bytes more before the headers.
    ///
    /// # Panics
    ///
    /// Without room for them.
    #[inline]
    pub fn pskb_expand_head(&mut self, more: usize) {
        let mut head = Head::alloc();
        let (data, tail) = (self.skb().data as usize, self.skb().tail as usize);
        head.bytes[data + more..tail + more].copy_from_slice(&self.head().bytes[data..tail]);
        let from = self.shared();
        (head.shared.gso_size, head.shared.gso_segs) = (from.gso_size, from.gso_segs);
        if self.is_cloned() {
            head.shared.share(from);
        } else {
            head.shared.adopt(self.shared_mut());
        }
        self.release_head();
        let skb = self.skb_mut();
        skb.head = NonNull::from(Box::leak(head));
        (skb.data, skb.tail) = ((data + more) as u32, (tail + more) as u32);
        skb.cloned = false;
    }

    /// `skb_unclone`: a head of the packet's own, unless it has it.
    #[inline]
    pub fn unclone(&mut self) {
        if self.is_cloned() {
            self.pskb_expand_head(0);
        }
    }

    /// `tcp_fragment`: makes the packet exclusive, takes a new one and hands it all but the first `len` bytes. The
    /// split lies in the pages.
    ///
    /// # Panics
    ///
    /// When `len` lies in the headers or beyond the packet, or there is a `frag_list`: packets of a send queue have
    /// none, and `skb_split` does not know of it.
    #[inline]
    pub fn tcp_fragment(&mut self, len: usize) -> Skb {
        self.unclone();
        let mut back = Skb::alloc(HEAD_BYTES);
        let headers = self.headers().len();
        assert!(headers <= len && len <= self.len() && self.shared().frag_list.is_none());
        let to = back.skb_mut();
        to.copied = self.skb().copied;
        self.copy_gso(&mut back);
        let moved = (self.len() - len) as u32;
        back.grow(moved);
        let skb = self.skb_mut();
        (skb.len, skb.data_len) = (len as u32, (len - headers) as u32);
        skb.truesize -= moved;
        self.shared_mut()
            .split((len - headers) as u32, back.shared_mut());
        back
    }

    /// `skb_cloned`: whether somebody else has the head too.
    #[inline]
    pub fn is_cloned(&self) -> bool {
        self.skb().cloned && self.shared().dataref.load(Ordering::Acquire) != 1
    }

    #[inline]
    fn copy_gso(&self, to: &mut Skb) {
        let from = self.shared();
        let to = to.shared_mut();
        (to.gso_size, to.gso_segs) = (from.gso_size, from.gso_segs);
    }

    /// `skb_get` on this and all after it on a `frag_list`.
    pub(super) fn share_list(&self) -> Skb {
        let mut packet = Some(self);
        while let Some(skb) = packet {
            skb.skb().users.fetch_add(1, Ordering::Relaxed);
            packet = skb.next();
        }
        Skb(self.0)
    }
}

/// Access to the parts.
impl Skb {
    #[inline]
    fn skb(&self) -> &SkBuff {
        // SAFETY: this handle is a count on the object, which therefore lives. Fields other than `users` are written
        // only through `skb_mut`.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn skb_mut(&mut self) -> &mut SkBuff {
        debug_assert_eq!(self.skb().users.load(Ordering::Relaxed), 1);
        // SAFETY: as above; outside `frag_list`s, whose packets are never handed out mutably once listed, a packet
        // has one handle, and it is borrowed mutably.
        unsafe { self.0.as_mut() }
    }

    #[inline]
    fn head(&self) -> &Head {
        // SAFETY: a packet has a count on its head, which is written only through `head_mut`.
        unsafe { self.skb().head.as_ref() }
    }

    #[inline]
    fn head_mut(&mut self) -> &mut Head {
        assert!(!self.is_cloned());
        // SAFETY: nobody else has a count on the head, and this handle is borrowed mutably.
        unsafe { self.skb_mut().head.as_mut() }
    }

    #[inline]
    pub(super) fn shared(&self) -> &Shared {
        &self.head().shared
    }

    #[inline]
    pub(super) fn shared_mut(&mut self) -> &mut Shared {
        &mut self.head_mut().shared
    }

    /// The packet after this one on a `frag_list`.
    #[inline]
    pub(super) fn next(&self) -> Option<&Skb> {
        self.skb().next.as_ref()
    }

    /// `__copy_skb_header`.
    #[inline]
    pub(super) fn copy_fields(&self, to: &mut Skb) {
        to.skb_mut().copied = self.skb().copied;
    }

    /// `skb_put_data`: appends to the headers.
    #[inline]
    pub(super) fn put_headers(&mut self, headers: &[u8]) {
        let skb = self.skb_mut();
        let tail = skb.tail as usize;
        skb.tail += headers.len() as u32;
        skb.len += headers.len() as u32;
        self.head_mut().bytes[tail..tail + headers.len()].copy_from_slice(headers);
    }

    /// `skb_release_data`.
    #[inline]
    fn release_head(&mut self) {
        let skb = self.skb();
        if skb.cloned && !Head::release(self.head()) {
            return;
        }
        // SAFETY: leaked by `Head::alloc`'s callers; the last count on it is given up here.
        Head::free(unsafe { Box::from_raw(skb.head.as_ptr()) });
    }
}

impl Drop for Skb {
    #[inline]
    fn drop(&mut self) {
        let skb = self.skb();
        let next = skb.next.as_ref().map(|next| next.0);
        // `skb_unref`: a sole owner needs no atomic.
        if skb.users.load(Ordering::Acquire) != 1 && skb.users.fetch_sub(1, Ordering::AcqRel) != 1 {
            // The `frag_list` that goes had a count on each of its packets.
            drop(next.map(Skb));
            return;
        }
        self.release_head();
        // SAFETY: leaked by `object`; the last count on it is given up here.
        let mut object = unsafe { Box::from_raw(self.0.as_ptr()) };
        let next = object.next.take();
        slab::give(&OBJECTS, object);
        // At most a handful: a `frag_list` has few packets.
        drop(next);
    }
}
