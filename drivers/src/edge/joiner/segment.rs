//! What the headers of a received TCP segment say, as far as joining goes.

use txbuf::{Checksum, GsoKind, Packet, checksum};

const ACK: u8 = 0x10;
pub(super) const PSH: u8 = 0x08;
const TCP: u8 = 6;
/// In byte 6 of an IPv4 header.
const DONT_FRAGMENT: u8 = 0x40;
/// Where the checksum lies in a TCP header.
const CHECKSUM_AT: usize = 16;

/// Where the TCP header starts: IPv4 without options, or IPv6 without extension headers.
const V4_TRANSPORT: usize = 20;
const V6_TRANSPORT: usize = 40;

/// The longest TCP header.
const TCP_LONGEST: usize = 60;

/// The bits in which the headers of segments that are joined may not differ.
const V4_MASK: [[u8; 4]; (V4_TRANSPORT + TCP_LONGEST) / 4] = mask(V4_TRANSPORT);
const V6_MASK: [[u8; 4]; (V6_TRANSPORT + TCP_LONGEST) / 4] = mask(V6_TRANSPORT);

const fn mask<const WORDS: usize>(transport: usize) -> [[u8; 4]; WORDS] {
    let mut mask = [[0xff; 4]; WORDS];
    if transport == V4_TRANSPORT {
        // Length and identification; checksum.
        mask[0] = [0xff, 0xff, 0, 0];
        mask[1] = [0, 0, 0xff, 0xff];
        mask[2] = [0xff, 0xff, 0, 0];
    } else {
        // Length.
        mask[1] = [0, 0, 0xff, 0xff];
    }
    let tcp = transport / 4;
    // Sequence number; PSH; checksum.
    mask[tcp + 1] = [0; 4];
    mask[tcp + 3] = [0xff, !PSH, 0xff, 0xff];
    mask[tcp + 4] = [0, 0, 0xff, 0xff];
    mask
}

/// Where the headers of a packet end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) transport: usize,
    pub(super) headers: usize,
}

/// The fields in which segments that are joined may differ.
pub(super) struct Fields {
    /// Bytes of the packet.
    pub(super) length: usize,
    pub(super) identification: u16,
    header_check: u16,
    pub(super) sequence: u32,
    pub(super) flags: u8,
    /// Header length and flags, as they are summed.
    flags_word: u16,
    check: u16,
}

impl Layout {
    /// Moves the headers of `packet` into its header area. `None` for whatever is not an unfragmented TCP segment
    /// with headers and a length that make sense: it goes up as it is, for the stack to judge.
    #[inline]
    pub(super) fn of(packet: &mut Packet) -> Option<Layout> {
        // No more than the shortest header, so that no payload of others is torn in two.
        packet.pull(V4_TRANSPORT).ok()?;
        let head: &[u8; V4_TRANSPORT] = packet.headers().first_chunk()?;
        let (transport, length) = match head[0] {
            0x45 if head[9] == TCP && head[6] & 0x3f == 0 && head[7] == 0 => {
                (V4_TRANSPORT, word(head, 2).into())
            }
            0x60..=0x6f if head[6] == TCP => {
                (V6_TRANSPORT, V6_TRANSPORT + usize::from(word(head, 4)))
            }
            _ => return None,
        };
        packet.pull(transport + 20).ok()?;
        let headers = transport + usize::from(packet.headers()[transport + 12] >> 4) * 4;
        if headers < transport + 20 || length != packet.len() {
            return None;
        }
        packet.pull(headers).ok()?;
        Some(Layout { transport, headers })
    }

    /// Whether the packet is one segment with payload, all of it in the span, and no flag but ACK and PSH.
    #[inline]
    pub(super) fn is_plain(self, packet: &Packet) -> bool {
        let head = packet.headers();
        let unmarked = matches!(
            packet.meta.checksum,
            Checksum::Complete | Checksum::Verified
        );
        unmarked
            && packet.meta.gso.is_none()
            && packet.span().is_some()
            && head.len() == self.headers
            && head[self.transport + 13] & !PSH == ACK
    }

    /// Whether all headers of two packets, one of this layout, say the same but for length, identification, sequence
    /// number, PSH and checksums. The other is then of this layout too, if its length is right.
    #[inline]
    pub(super) fn says_the_same(self, one: &Packet, other: &Packet) -> bool {
        let masks: &[[u8; 4]] = if self.transport == V4_TRANSPORT {
            &V4_MASK
        } else {
            &V6_MASK
        };
        let (one, _) = one.headers().as_chunks::<4>();
        let (other, _) = other.headers().as_chunks::<4>();
        let number = |word: &[u8; 4]| u32::from_ne_bytes(*word);
        let words = one.iter().zip(other).zip(masks);
        let differ = |((one, other), mask)| (number(one) ^ number(other)) & number(mask);
        one.len() == other.len() && words.map(differ).fold(0, |all, bits| all | bits) == 0
    }

    /// Whether two packets, of this layout and of `other`, have the same addresses and ports.
    pub(super) fn same_flow(self, layout: Layout, one: &Packet, other: &Packet) -> bool {
        let names = if self.transport == V4_TRANSPORT {
            12..V4_TRANSPORT + 4
        } else {
            8..V6_TRANSPORT + 4
        };
        self.transport == layout.transport && one.headers()[names.clone()] == other.headers()[names]
    }

    #[inline]
    pub(super) fn fields(self, head: &[u8]) -> Fields {
        let tcp = &head[self.transport..self.headers];
        let length = if self.transport == V4_TRANSPORT {
            word(head, 2).into()
        } else {
            V6_TRANSPORT + usize::from(word(head, 4))
        };
        Fields {
            length,
            identification: word(head, 4),
            header_check: word(head, 10),
            sequence: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
            flags: tcp[13],
            flags_word: word(tcp, 12),
            check: word(tcp, CHECKSUM_AT),
        }
    }

    /// Whether a segment has the identification that cutting gives it, or needs none. One that may be fragmented needs its
    /// own: others of its sender must not have it.
    #[inline]
    pub(super) fn keeps_identification(self, head: &[u8], when_cut: u16) -> bool {
        self.transport == V6_TRANSPORT || head[6] & DONT_FRAGMENT != 0 || word(head, 4) == when_cut
    }

    /// Makes the packet `length` bytes long.
    pub(super) fn set_length(self, head: &mut [u8], length: usize, sums: &FixedSums) {
        if self.transport == V4_TRANSPORT {
            let fields = self.fields(head);
            let varying = length as u32 + u32::from(fields.identification);
            let check = !fold(u32::from(sums.ip) + varying);
            head[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            head[10..12].copy_from_slice(&check.to_be_bytes());
        } else {
            let counted = (length - V6_TRANSPORT) as u16;
            head[4..6].copy_from_slice(&counted.to_be_bytes());
        }
    }

    pub(super) fn set_flags(self, head: &mut [u8], flags: u8) {
        head[self.transport + 13] |= flags;
    }

    /// Puts the sum of the pseudo-header of a packet of `length` bytes where the checksum goes, to be completed from
    /// there.
    pub(super) fn leave_checksum(
        self,
        head: &mut [u8],
        length: usize,
        sums: &FixedSums,
    ) -> Checksum {
        let at = self.transport + CHECKSUM_AT;
        let sum = fold(u32::from(sums.pseudo) + (length - self.transport) as u32);
        head[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        Checksum::Partial {
            start: self.transport as u16,
            offset: CHECKSUM_AT as u16,
        }
    }

    pub(super) fn kind(self) -> GsoKind {
        if self.transport == V4_TRANSPORT {
            GsoKind::TcpV4
        } else {
            GsoKind::TcpV6
        }
    }
}

/// Sums of all that is the same in the headers of the segments that are joined.
#[derive(Debug)]
pub(super) struct FixedSums {
    layout: Layout,
    /// The IPv4 header, less length, identification and checksum.
    ip: u16,
    /// Addresses and protocol.
    pseudo: u16,
    /// These, and the TCP header less sequence number, flags and checksum.
    tcp: u16,
}

impl FixedSums {
    /// `head`: the headers of a packet of this layout.
    pub(super) fn new(head: &[u8], layout: Layout) -> FixedSums {
        let Layout { transport, headers } = layout;
        let mut copy = [0; V6_TRANSPORT + TCP_LONGEST];
        let copy = &mut copy[..headers];
        copy.copy_from_slice(&head[..headers]);
        let (ip, tcp) = copy.split_at_mut(transport);
        tcp[4..8].fill(0);
        tcp[12..14].fill(0);
        tcp[CHECKSUM_AT..CHECKSUM_AT + 2].fill(0);
        let addresses = if transport == V4_TRANSPORT { 12 } else { 8 };
        let pseudo = fold(u32::from(checksum::sum(&ip[addresses..])) + u32::from(TCP));
        let tcp = fold(u32::from(pseudo) + u32::from(checksum::sum(tcp)));
        ip[2..6].fill(0);
        ip[10..12].fill(0);
        let ip = checksum::sum(ip);
        FixedSums {
            layout,
            ip,
            pseudo,
            tcp,
        }
    }

    /// Whether the checksums of a packet with these headers are right. That of TCP is taken for right if the device
    /// says so.
    #[inline]
    pub(super) fn verify(&self, packet: &Packet, fields: &Fields) -> bool {
        let length = packet.len() as u32;
        if self.layout.transport == V4_TRANSPORT {
            let varying =
                length + u32::from(fields.identification) + u32::from(fields.header_check);
            if fold(u32::from(self.ip) + varying) != 0xffff {
                return false;
            }
        }
        if packet.meta.checksum == Checksum::Verified {
            return true;
        }
        let Some(Ok(payload)) = packet.span().map(txbuf::Span::checksum) else {
            return false;
        };
        let varying = length - self.layout.transport as u32
            + (fields.sequence >> 16)
            + (fields.sequence & 0xffff)
            + u32::from(fields.flags_word)
            + u32::from(fields.check);
        fold(u32::from(self.tcp) + varying + u32::from(payload)) == 0xffff
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// A sum of few words, with all carries brought back in.
#[inline]
fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}
