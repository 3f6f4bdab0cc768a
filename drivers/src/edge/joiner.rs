//! Puts received TCP segments of one flow together again, where their payload lies side by side in storage.
//!
//! The mirror image of the cutter: what a peer's stack cut, or a driver read back to back, goes up as one
//! super-packet, so that the stack above looks at one header for many segments. Only segments that say the same
//! but for their position are joined, in order, so that the result, cut again, is what arrived (but for the
//! identification of IPv4 where fragmenting is forbidden, which means nothing then: RFC 6864 section 4). The checksums
//! of the segments were right, and that of the result is left partial, as a sender leaves it: a stack takes it for good,
//! and can send it on by any device.

mod segment;

use txbuf::{Checksum, Gso, Packet, Span};

use segment::{FixedSums, Layout, PSH};

/// Flows that may be joined at a time; with more in one batch the one that began first is left as it is.
const OPEN_FLOWS: usize = 8;
/// The longest packet that is made, as long as IPv4 can describe.
const LONGEST: usize = 65_535;

/// What is remembered of the super-packets that are being made. Empty between calls.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    open: Vec<Open>,
}

/// A packet that more may be joined to.
#[derive(Debug)]
struct Open {
    /// Where its headers are in the batch; they stay those of the first segment until the end.
    at: usize,
    layout: Layout,
    sums: FixedSums,
    /// Its payload so far.
    payload: Span,
    /// The sequence number that continues it.
    next: u32,
    /// The IPv4 identification of its first segment.
    identification: u16,
    /// Payload bytes in each segment but the last.
    size: usize,
    segments: usize,
    /// The last segment was pushed.
    pushed: bool,
    /// Nothing may follow.
    complete: bool,
}

impl Joiner {
    /// Joins what can be joined among `packets[start..]` and closes the gaps. Returns how many are left of those.
    pub(super) fn join(&mut self, packets: &mut Vec<Packet>, start: usize) -> usize {
        let mut kept = start;
        for index in start..packets.len() {
            let (before, rest) = packets.split_at_mut(index);
            let packet = &mut rest[0];
            if self.append(before, packet) {
                continue;
            }
            let pulled = packet.headers().len();
            let layout = Layout::of(packet);
            if let Some(layout) = layout {
                if packet.headers().len() > pulled && self.append(before, packet) {
                    continue;
                }
                self.close(before, packet, layout);
            }
            packets.swap(kept, index);
            if let Some(layout) = layout {
                self.begin(packets, kept, layout);
            }
            kept += 1;
        }
        packets.truncate(kept);
        for open in self.open.drain(..) {
            open.finish(packets);
        }
        kept - start
    }

    /// Joins `packet` to the one among those `before` it that it continues. False: there is none, or the headers are
    /// not all in the header area, and the packet is unchanged.
    #[inline]
    fn append(&mut self, before: &[Packet], packet: &mut Packet) -> bool {
        let continues = |open: &&mut Open| open.layout.says_the_same(&before[open.at], packet);
        let open = self.open.iter_mut().rev().find(continues);
        open.is_some_and(|open| open.append(packet))
    }

    /// Lets nothing more be joined to a packet of the same flow as `packet`, which is about to follow it.
    fn close(&mut self, before: &[Packet], packet: &Packet, layout: Layout) {
        for open in &mut self.open {
            open.complete |= open.layout.same_flow(layout, &before[open.at], packet);
        }
    }

    /// Lets others be joined to the packet at `at`, if it is one with payload and nothing special, and intact.
    fn begin(&mut self, packets: &mut [Packet], at: usize, layout: Layout) {
        let Some(open) = Open::new(packets, at, layout) else {
            return;
        };
        if self.open.len() == OPEN_FLOWS {
            self.open.remove(0).finish(packets);
        }
        self.open.push(open);
    }
}

impl Open {
    fn new(packets: &mut [Packet], at: usize, layout: Layout) -> Option<Open> {
        let packet = &mut packets[at];
        if !layout.is_plain(packet) {
            return None;
        }
        let sums = FixedSums::new(packet.headers(), layout);
        let fields = layout.fields(packet.headers());
        if !sums.verify(packet, &fields) {
            return None;
        }
        packet.meta.checksum = Checksum::Verified;
        let payload = packet.take_span()?;
        Some(Open {
            at,
            layout,
            sums,
            next: fields.sequence.wrapping_add(payload.len() as u32),
            identification: fields.identification,
            size: payload.len(),
            payload,
            segments: 1,
            pushed: fields.flags & PSH != 0,
            complete: fields.flags & PSH != 0,
        })
    }

    /// Takes the payload of `packet`, whose headers lie in its header area and say the same, if it continues this one
    /// and is intact.
    fn append(&mut self, packet: &mut Packet) -> bool {
        let fields = self.layout.fields(packet.headers());
        let length = packet.len() - self.layout.headers;
        let fits = !self.complete
            && fields.length == packet.len()
            && self.next == fields.sequence
            && self
                .layout
                .keeps_identification(packet.headers(), self.when_cut())
            && length <= self.size
            && self.layout.headers + self.payload.len() + length <= LONGEST
            && self.layout.is_plain(packet)
            && self.sums.verify(packet, &fields);
        if !fits {
            return false;
        }
        packet.meta.checksum = Checksum::Verified;
        let Some(span) = packet.take_span() else {
            return false;
        };
        if let Err(span) = self.payload.try_merge(span) {
            packet.set_span(span);
            return false;
        }
        self.next = self.next.wrapping_add(length as u32);
        self.segments += 1;
        self.pushed = fields.flags & PSH != 0;
        self.complete = self.pushed || length < self.size;
        true
    }

    /// The identification that the next segment has when the result is cut.
    fn when_cut(&self) -> u16 {
        self.identification.wrapping_add(self.segments as u16)
    }

    /// Gives the packet its payload, and writes into its headers what has changed. One segment alone stays as it was.
    fn finish(self, packets: &mut [Packet]) {
        let packet = &mut packets[self.at];
        packet.set_span(self.payload);
        if self.segments < 2 {
            return;
        }
        let length = packet.len();
        self.layout
            .set_length(packet.headers_mut(), length, &self.sums);
        if self.pushed {
            self.layout.set_flags(packet.headers_mut(), PSH);
        }
        packet.meta.checksum = self
            .layout
            .leave_checksum(packet.headers_mut(), length, &self.sums);
        packet.meta.gso = Some(Gso {
            kind: self.layout.kind(),
            size: self.size as u16,
            headers: self.layout.headers as u16,
        });
    }
}

#[cfg(test)]
mod tests;
