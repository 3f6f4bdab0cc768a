//! Puts received TCP segments of one flow together again, where their payload lies side by side in storage.
//!
//! The mirror image of the cutter: what a peer's stack cut, or a driver read back to back, goes up as one
//! super-packet, so that the stack above looks at one header for many segments. Only segments that say the same
//! but for their position are joined, in order, so that the result, cut again, is what arrived.

use txbuf::{Checksum, Gso, GsoKind, Packet, checksum};

/// Flows that may be joined at a time; with more in one batch the one that began first is left as it is.
const OPEN_FLOWS: usize = 8;
/// The longest packet that IP can describe.
const LONGEST: usize = 65_535;

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
const TCP: u8 = 6;

/// Where the TCP header starts: IPv4 without options, or IPv6 without extension headers.
const V4_TRANSPORT: usize = 20;
const V6_TRANSPORT: usize = 40;

/// What is remembered of the super-packets that are being made. Empty between calls.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    open: Vec<Open>,
}

/// A packet that more may be joined to.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Where it stands in the batch.
    at: usize,
    transport: usize,
    headers: usize,
    /// The sequence number that continues it.
    next: u32,
    /// Payload bytes in each segment but the last.
    size: usize,
    segments: usize,
    /// A short or pushed segment was the last: nothing may follow.
    complete: bool,
}

/// A segment that could be joined to another.
struct Segment {
    transport: usize,
    headers: usize,
    sequence: u32,
    payload: usize,
}

impl Joiner {
    /// Joins what can be joined among `packets[start..]` and closes the gaps. Returns how many are left of those.
    pub(super) fn join(&mut self, packets: &mut Vec<Packet>, start: usize) -> usize {
        let mut kept = start;
        for index in start..packets.len() {
            let segment = read(&mut packets[index]);
            if let Some(segment) = &segment
                && self.append(packets, index, segment)
            {
                continue;
            }
            packets.swap(kept, index);
            if let Some(segment) = segment {
                self.begin(packets, kept, &segment);
            }
            kept += 1;
        }
        packets.truncate(kept);
        for open in self.open.drain(..) {
            finish(&mut packets[open.at], &open);
        }
        kept - start
    }

    /// Joins the packet at `index` to the one that it continues. False: there is none.
    fn append(&mut self, packets: &mut [Packet], index: usize, segment: &Segment) -> bool {
        let (before, rest) = packets.split_at_mut(index);
        let packet = &mut rest[0];
        let continues = |open: &&mut Open| same_flow(&before[open.at], packet, open, segment);
        let Some(open) = self.open.iter_mut().rev().find(continues) else {
            return false;
        };
        let head = &mut before[open.at];
        let fits = !open.complete
            && open.next == segment.sequence
            && segment.payload <= open.size
            && head.len() + segment.payload <= LONGEST
            && same_words(head, packet, segment);
        if !fits {
            open.complete = true;
            return false;
        }
        let (Some(mut joined), Some(span)) = (head.take_span(), packet.take_span()) else {
            return false;
        };
        let refused = joined.try_merge(span).err();
        head.set_span(joined);
        if let Some(span) = refused {
            packet.set_span(span);
            open.complete = true;
            return false;
        }
        let flags = segment.transport + 13;
        let pushed = packet.headers()[flags] & PSH;
        head.headers_mut()[flags] |= pushed;
        open.next = open.next.wrapping_add(segment.payload as u32);
        open.segments += 1;
        open.complete = pushed != 0 || segment.payload < open.size;
        true
    }

    /// Lets others be joined to the packet at `at`.
    fn begin(&mut self, packets: &mut [Packet], at: usize, segment: &Segment) {
        if self.open.len() == OPEN_FLOWS {
            let oldest = self.open.remove(0);
            finish(&mut packets[oldest.at], &oldest);
        }
        self.open.push(Open {
            at,
            transport: segment.transport,
            headers: segment.headers,
            next: segment.sequence.wrapping_add(segment.payload as u32),
            size: segment.payload,
            segments: 1,
            complete: packets[at].headers()[segment.transport + 13] & PSH != 0,
        });
    }
}

/// Reads the headers of `packet` and verifies its checksums. `None` for whatever is not a plain TCP segment with
/// payload in a span: it goes up as it is, for the stack to judge.
fn read(packet: &mut Packet) -> Option<Segment> {
    let known = matches!(
        packet.meta.checksum,
        Checksum::Complete | Checksum::Verified
    );
    if !known || packet.meta.gso.is_some() || packet.span().is_none() {
        return None;
    }
    packet.pull(V6_TRANSPORT).ok()?;
    let length = packet.len();
    let head = packet.headers();
    let transport = match head[0] {
        0x45 => {
            let plain = head[6] & 0x3f == 0 && head[7] == 0 && head[9] == TCP;
            let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let intact = checksum::sum(&head[..V4_TRANSPORT]) == 0xffff;
            (plain && total == length && intact).then_some(V4_TRANSPORT)?
        }
        first if first >> 4 == 6 => {
            let total = usize::from(u16::from_be_bytes([head[4], head[5]])) + V6_TRANSPORT;
            (head[6] == TCP && total == length).then_some(V6_TRANSPORT)?
        }
        _ => return None,
    };
    packet.pull(transport + 20).ok()?;
    let headers = transport + usize::from(packet.headers()[transport + 12] >> 4) * 4;
    if headers < transport + 20 {
        return None;
    }
    packet.pull(headers).ok()?;
    let head = packet.headers();
    let plain = head[transport + 13] & !PSH == ACK && head.len() == headers && length > headers;
    if !plain {
        return None;
    }
    let at = transport + 4;
    let sequence = u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if packet.meta.checksum == Checksum::Complete {
        if !verifies(packet, transport) {
            return None;
        }
        packet.meta.checksum = Checksum::Verified;
    }
    Some(Segment {
        transport,
        headers,
        sequence,
        payload: length - headers,
    })
}

fn verifies(packet: &Packet, transport: usize) -> bool {
    let head = packet.headers();
    let addresses = if transport == V4_TRANSPORT {
        12..20
    } else {
        8..40
    };
    let length = (packet.len() - transport) as u16;
    let pseudo = [0, TCP, (length >> 8) as u8, length as u8];
    let pseudo = checksum::combine(
        checksum::sum(&head[addresses]),
        checksum::sum(&pseudo),
        false,
    );
    let Ok(segment) = packet.checksum(transport) else {
        return false;
    };
    checksum::combine(pseudo, segment, false) == 0xffff
}

/// Whether two packets have the same addresses and ports.
fn same_flow(one: &Packet, other: &Packet, open: &Open, segment: &Segment) -> bool {
    let names = if segment.transport == V4_TRANSPORT {
        12..24
    } else {
        8..44
    };
    open.transport == segment.transport
        && open.headers == segment.headers
        && one.headers()[names.clone()] == other.headers()[names]
}

/// Whether the headers of two packets of one flow say the same but for length, identification, sequence number, PSH
/// and checksums.
fn same_words(one: &Packet, other: &Packet, segment: &Segment) -> bool {
    let (a, b) = (one.headers(), other.headers());
    let transport = segment.transport;
    let same = |range: core::ops::Range<usize>| a[range.clone()] == b[range];
    // Version and traffic class; what lies before the addresses, lengths and IPv4 checksum left out.
    let ip = if transport == V4_TRANSPORT {
        same(0..2) && same(6..10)
    } else {
        same(0..4) && same(6..8)
    };
    let flags = (a[transport + 13] ^ b[transport + 13]) & !PSH == 0;
    // Acknowledgement and data offset; window; urgent pointer and options.
    ip && flags
        && same(transport + 8..transport + 13)
        && same(transport + 14..transport + 16)
        && same(transport + 18..segment.headers)
}

/// Writes what has changed into the headers of a packet to which others were joined.
fn finish(packet: &mut Packet, open: &Open) {
    if open.segments < 2 {
        return;
    }
    let length = packet.len();
    let head = packet.headers_mut();
    let kind = if open.transport == V4_TRANSPORT {
        head[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        head[10..12].fill(0);
        let sum = !checksum::sum(&head[..V4_TRANSPORT]);
        head[10..12].copy_from_slice(&sum.to_be_bytes());
        GsoKind::TcpV4
    } else {
        head[4..6].copy_from_slice(&((length - V6_TRANSPORT) as u16).to_be_bytes());
        GsoKind::TcpV6
    };
    packet.meta.gso = Some(Gso {
        kind,
        size: open.size as u16,
        headers: open.headers as u16,
    });
}
