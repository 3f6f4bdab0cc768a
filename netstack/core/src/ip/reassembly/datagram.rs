//! One datagram of which some fragments have arrived.

use std::collections::BTreeMap;

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};
use txbuf::{Checksum, Meta, Packet, Span, checksum};

use super::super::{FragmentInfo, IPV4_HEADER, IPV6_HEADER, IpHeader};
use super::{HeaderBytes, ReassemblyDrop};
use crate::time::Instant;

/// The fragments of one datagram.
pub(super) struct Datagram {
    /// By their position. They do not overlap.
    pieces: BTreeMap<u16, Span>,
    /// Length of the whole payload, once the last fragment has arrived.
    end: Option<usize>,
    /// Payload bytes that have arrived.
    have: usize,
    head: Option<Head>,
    /// Which ECN code points were seen, one bit each.
    ecn_seen: u8,
    expires: Instant,
    refused: bool,
}

/// What the first fragment brought beside its payload.
struct Head {
    bytes: HeaderBytes,
    meta: Meta,
    is_v4: bool,
}

/// What is held of a fragment.
pub(super) struct Fragment {
    /// The IP header, if it is the first.
    pub(super) head: Option<HeaderBytes>,
    pub(super) meta: Meta,
    pub(super) span: Span,
}

/// What has to go.
pub(super) enum Refusal {
    /// Only the fragment.
    Fragment(ReassemblyDrop),
    /// All of the datagram, come and yet to come.
    Whole(ReassemblyDrop),
}

/// All parts of a datagram, in order.
pub(super) struct Whole {
    /// The header that it would have had in one piece.
    pub(super) header: HeaderBytes,
    pub(super) meta: Meta,
    pub(super) pieces: Vec<Span>,
}

/// What one fragment costs beside its payload: a map entry, a span, its share of nodes.
const PER_FRAGMENT: usize = 128;
/// What a datagram costs beside its fragments.
const PER_DATAGRAM: usize = 512;
const FRAGMENT_HEADER: usize = 8;
const NOT_ECT: u8 = 0b00;
const CONGESTION: u8 = 0b11;

impl Datagram {
    pub(super) fn new(expires: Instant) -> Self {
        Datagram {
            pieces: BTreeMap::new(),
            end: None,
            have: 0,
            head: None,
            ecn_seen: 0,
            expires,
            refused: false,
        }
    }

    pub(super) fn expires(&self) -> Instant {
        self.expires
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// What the datagram costs, derived from what it holds.
    pub(super) fn charge(&self) -> usize {
        PER_DATAGRAM + self.pieces.len() * PER_FRAGMENT + self.have
    }

    /// What a fragment of `len` bytes adds to that.
    pub(super) fn charge_for(len: usize) -> usize {
        PER_FRAGMENT + len
    }

    /// Whether a fragment of `len` bytes goes with those that are here.
    pub(super) fn admit(&self, info: FragmentInfo, len: usize, ecn: u8) -> Result<(), Refusal> {
        if self.refused {
            return Err(Refusal::Fragment(ReassemblyDrop::Refused));
        }
        let start = usize::from(info.offset);
        let stop = start + len;
        if self
            .pieces
            .get(&info.offset)
            .is_some_and(|piece| piece.len() == len)
        {
            return Err(match self.end {
                Some(end) if info.more != (stop != end) => {
                    Refusal::Whole(ReassemblyDrop::Inconsistent)
                }
                None if !info.more => Refusal::Whole(ReassemblyDrop::Inconsistent),
                _ => Refusal::Fragment(ReassemblyDrop::Duplicate),
            });
        }
        let before = self.pieces.range(..=info.offset).next_back();
        let overlaps_before =
            before.is_some_and(|(&at, piece)| usize::from(at) + piece.len() > start);
        let after = self.pieces.range(info.offset..).next();
        if overlaps_before || after.is_some_and(|(&at, _)| usize::from(at) < stop) {
            return Err(Refusal::Whole(ReassemblyDrop::Overlap));
        }
        let ends_wrong = match self.end {
            // Only a second last fragment, or one beyond the last, gets here.
            Some(end) => !info.more || stop > end,
            None => !info.more && after.is_some(),
        };
        if ends_wrong {
            return Err(Refusal::Whole(ReassemblyDrop::Inconsistent));
        }
        // req: RFC3168-05
        let seen = self.ecn_seen | (1 << ecn);
        if seen & (1 << NOT_ECT) != 0 && seen & (1 << CONGESTION) != 0 {
            return Err(Refusal::Whole(ReassemblyDrop::BadEcn));
        }
        Ok(())
    }

    /// Keeps a fragment that was admitted.
    pub(super) fn insert(&mut self, info: FragmentInfo, header: &IpHeader, fragment: Fragment) {
        let Fragment { head, meta, span } = fragment;
        if !info.more {
            self.end = Some(usize::from(info.offset) + span.len());
        }
        if let Some(bytes) = head {
            self.head = Some(Head {
                bytes,
                meta,
                is_v4: header.is_v4(),
            });
        }
        self.ecn_seen |= 1 << header.ecn();
        self.have += span.len();
        self.pieces.insert(info.offset, span);
    }

    /// Whether every byte is here.
    pub(super) fn is_complete(&self) -> bool {
        self.end == Some(self.have)
    }

    /// Lets go of all that is here, and of all that comes.
    pub(super) fn refuse(&mut self) {
        *self = Datagram {
            refused: true,
            ..Datagram::new(self.expires)
        };
    }

    /// The first fragment as it was received.
    pub(super) fn into_first(mut self) -> Option<Packet> {
        let head = self.head?;
        let mut packet = Packet::inline(&head.bytes)?;
        packet.set_span(self.pieces.remove(&0)?);
        packet.meta = Meta {
            checksum: Checksum::Complete,
            gso: None,
            ..head.meta
        };
        Some(packet)
    }

    /// Everything, if it makes one packet of a possible length.
    pub(super) fn into_whole(self) -> Option<Whole> {
        let head = self.head?;
        // req: RFC3168-04
        let congestion = self.ecn_seen & (1 << CONGESTION) != 0;
        let header = if head.is_v4 {
            whole_v4(head.bytes, self.have, congestion)
        } else {
            whole_v6(head.bytes, self.have, congestion)
        };
        Some(Whole {
            header: header?,
            meta: head.meta,
            pieces: merged(self.pieces),
        })
    }
}

/// The IPv4 header of the datagram (RFC 791 section 3.2).
fn whole_v4(mut header: HeaderBytes, payload_len: usize, congestion: bool) -> Option<HeaderBytes> {
    if header.len() < IPV4_HEADER {
        return None;
    }
    let total_len = u16::try_from(header.len() + payload_len).ok()?;
    let mut view = Ipv4Packet::new_unchecked(&mut header[..]);
    view.set_total_len(total_len);
    view.set_more_frags(false);
    view.set_frag_offset(0);
    if congestion {
        view.set_ecn(CONGESTION);
    }
    view.set_checksum(0);
    let check = !checksum::sum(&header);
    Ipv4Packet::new_unchecked(&mut header[..]).set_checksum(check);
    Some(header)
}

/// The IPv6 headers of the datagram: those of the first fragment without the fragment header, which is
/// the last of them (RFC 8200 section 4.5).
fn whole_v6(mut header: HeaderBytes, payload_len: usize, congestion: bool) -> Option<HeaderBytes> {
    let kept = header
        .len()
        .checked_sub(FRAGMENT_HEADER)
        .filter(|&kept| kept >= IPV6_HEADER)?;
    let after = *header.get(kept)?;
    let named_at = names_fragment(header.get(..kept)?)?;
    *header.get_mut(named_at)? = after;
    header.truncate(kept);
    let mut view = Ipv6Packet::new_unchecked(&mut header[..]);
    view.set_payload_len(u16::try_from(kept - IPV6_HEADER + payload_len).ok()?);
    if congestion {
        let class = view.traffic_class() | CONGESTION;
        view.set_traffic_class(class);
    }
    Some(header)
}

/// Where in these headers the byte lies that says that a fragment header follows.
fn names_fragment(headers: &[u8]) -> Option<usize> {
    const NEXT_HEADER_AT: usize = 6;
    let (mut named_at, mut at) = (NEXT_HEADER_AT, IPV6_HEADER);
    while at < headers.len() {
        named_at = at;
        at += (usize::from(*headers.get(at + 1)?) + 1) * 8;
    }
    (*headers.get(named_at)? == u8::from(IpProtocol::Ipv6Frag)).then_some(named_at)
}

/// The pieces in order, those that lie next to each other in storage as one.
fn merged(pieces: BTreeMap<u16, Span>) -> Vec<Span> {
    let mut merged = Vec::<Span>::with_capacity(pieces.len().min(txbuf::GATHER_MAX));
    for mut piece in pieces.into_values() {
        if let Some(last) = merged.last_mut() {
            match last.try_merge(piece) {
                Ok(()) => continue,
                Err(separate) => piece = separate,
            }
        }
        merged.push(piece);
    }
    merged
}
