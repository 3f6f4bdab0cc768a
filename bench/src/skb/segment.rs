//! `skb_segment`: a super-packet into packets.

use super::buffer::Skb;
use super::head::Frag;

/// Room for the link header before those that are copied.
const HEADROOM: usize = 64;

impl Skb {
    /// Cuts the packet into packets of `size` payload bytes, each with a copy of the headers, descriptors of its own
    /// and a reference on every page it touches. The packet stays as it is.
    pub fn segment(&self, size: usize, out: &mut Vec<Skb>) {
        let mut source = Source {
            packet: self,
            frag: 0,
            used: 0,
        };
        let mut left = self.len() - self.headers().len();
        while left > 0 {
            let len = left.min(size);
            let mut segment = Skb::alloc(HEADROOM);
            self.copy_fields(&mut segment);
            segment.put_headers(self.headers());
            source.move_to(&mut segment, len as u32);
            segment.grow(len as u32);
            out.push(segment);
            left -= len;
        }
    }
}

/// Where in the pages the next segment begins.
struct Source<'a> {
    packet: &'a Skb,
    frag: usize,
    /// Bytes of that page that are in segments already.
    used: u32,
}

impl Source<'_> {
    #[inline]
    fn move_to(&mut self, segment: &mut Skb, len: u32) {
        let to = segment.shared_mut();
        let mut missing = len;
        while missing > 0 {
            let Some(frag) = self.current() else { return };
            frag.get();
            let rest = frag.len - self.used;
            to.push(Frag {
                page: frag.page,
                len: rest,
                offset: frag.offset + self.used,
            });
            if rest > missing {
                to.shorten_last(rest - missing);
                self.used += missing;
                return;
            }
            missing -= rest;
            (self.frag, self.used) = (self.frag + 1, 0);
        }
    }

    /// The page that is being cut, going on along the `frag_list`.
    #[inline]
    fn current(&mut self) -> Option<Frag> {
        loop {
            if let Some(frag) = self.packet.shared().frags().get(self.frag) {
                return Some(*frag);
            }
            let further = self.packet.shared().frag_list.as_ref();
            self.packet = further.or_else(|| self.packet.next())?;
            self.frag = 0;
        }
    }
}
