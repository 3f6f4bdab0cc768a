//! Cutting a packet that exceeds its path into fragments.

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6FragmentHeader, Ipv6Packet};
use txbuf::{Checksum, HEADER_AREA, Packet, checksum};

use super::{IPV4_HEADER, IPV6_HEADER, options};

/// Why a packet was not cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FragmentError {
    /// Its IPv4 header forbids it (RFC 791 section 2.3, RFC 6864).
    #[error("the packet must not be fragmented")]
    Forbidden,
    /// Not even 8 bytes of payload fit next to the header.
    #[error("no fragment fits the path")]
    PathTooSmall,
    /// It is a super-packet, to be cut into segments, or no packet this module can cut.
    #[error("the packet is not one that can be fragmented")]
    NotOnePacket,
    /// Its checksum must be completed first, and cannot: the payload is not readable.
    #[error("the packet's checksum cannot be completed")]
    Checksum,
}

/// The fragments of one packet, in order.
///
/// Each refers to a slice of the packet's span: no payload is copied.
pub(crate) struct Fragments {
    packet: Packet,
    /// Bytes of `packet` before what is cut.
    header_len: usize,
    /// The header of the first fragment, and that of all others.
    first: Template,
    later: Template,
    mtu: usize,
    /// Where in the datagram the packet's payload starts: not 0 if it is a fragment itself.
    base: usize,
    /// Whether the last fragment has more after it, for the same reason.
    more_after: bool,
    /// How much of the payload is in fragments already given out.
    done: usize,
}

/// Cuts `packet`, which starts with its IP header, into fragments of at most `mtu` bytes. One that fits
/// comes out as it is.
///
/// `ident` is the IPv6 identification; IPv4 uses the one in the header. A partial checksum is completed
/// first, because no device could do it from a piece.
///
/// # Errors
///
/// The packet is dropped; the error says why it could not be cut.
// req: RFC791-07, RFC791-08, RFC8200-13, RFC5722-01
pub(crate) fn fragment(
    mut packet: Packet,
    mtu: usize,
    ident: u32,
) -> Result<Fragments, FragmentError> {
    if packet.meta.gso.is_some() {
        return Err(FragmentError::NotOnePacket);
    }
    let whole = packet.len() <= mtu;
    if !whole && matches!(packet.meta.checksum, Checksum::Partial { .. }) {
        packet
            .complete_checksum()
            .map_err(|_| FragmentError::Checksum)?;
    }
    packet.pull(1).map_err(|_| FragmentError::NotOnePacket)?;
    let fragments = match packet.headers().first().map(|byte| byte >> 4) {
        Some(4) => cut_v4(packet, mtu)?,
        Some(6) => cut_v6(packet, mtu, ident)?,
        _ => return Err(FragmentError::NotOnePacket),
    };
    let too_small = |template| fragments.room(template).is_none_or(|room| room < UNIT);
    if !whole && (too_small(&fragments.first) || too_small(&fragments.later)) {
        return Err(FragmentError::PathTooSmall);
    }
    Ok(fragments)
}

impl Iterator for Fragments {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        let rest = self.packet.len().checked_sub(self.header_len + self.done)?;
        if self.done > 0 && rest == 0 {
            return None;
        }
        if self.done == 0 && self.packet.len() <= self.mtu {
            let whole = core::mem::take(&mut self.packet);
            // An empty packet: there is no more to come.
            self.header_len = usize::MAX / 2;
            return Some(whole);
        }
        let template = if self.done == 0 {
            &self.first
        } else {
            &self.later
        };
        let room = self.room(template)?;
        let len = if rest <= room {
            rest
        } else {
            room - room % UNIT
        };
        let more = len < rest || self.more_after;
        let fragment = self.build(template, len, more)?;
        self.done += len;
        Some(fragment)
    }
}

impl Fragments {
    /// How much payload the next fragment may hold.
    fn room(&self, template: &Template) -> Option<usize> {
        let room = self.mtu.checked_sub(template.len)?;
        // Payload that lies in the header area moves to the fragment's, which has its own headers to hold.
        let in_area = self
            .packet
            .headers()
            .len()
            .saturating_sub(self.header_len + self.done);
        let spare = HEADER_AREA - template.len;
        Some(if in_area > spare {
            room.min(spare - spare % UNIT)
        } else {
            room
        })
    }

    fn build(&self, template: &Template, len: usize, more: bool) -> Option<Packet> {
        let area = self.packet.headers().get(self.header_len..)?;
        let from_area = area.get(self.done.min(area.len())..(self.done + len).min(area.len()))?;
        let mut fragment = match self.packet.span() {
            Some(span) if from_area.len() < len => {
                let start = self.done.saturating_sub(area.len());
                Packet::with_payload(span.slice(start..self.done + len - area.len()).ok()?)
            }
            _ => Packet::new(),
        };
        fragment
            .push(from_area.len())
            .ok()?
            .copy_from_slice(from_area);
        let header = fragment.push(template.len).ok()?;
        template.write(header, self.base + self.done, len, more);
        fragment.meta = self.packet.meta;
        Some(fragment)
    }
}

/// Fragments other than the last hold a multiple of this.
const UNIT: usize = 8;
const FRAGMENT_HEADER: usize = 8;
/// Bytes of the fragment header before what the view calls by that name.
const NEXT_AND_RESERVED: usize = 2;
const MAX_IPV4_HEADER: usize = 60;

/// The header of a fragment, but for its position and length.
struct Template {
    bytes: [u8; MAX_IPV4_HEADER],
    len: usize,
}

impl Template {
    fn new(parts: [&[u8]; 2]) -> Option<Self> {
        let mut bytes = [0; MAX_IPV4_HEADER];
        let len = parts[0].len() + parts[1].len();
        bytes.get_mut(..parts[0].len())?.copy_from_slice(parts[0]);
        bytes
            .get_mut(parts[0].len()..len)?
            .copy_from_slice(parts[1]);
        Some(Template { bytes, len })
    }

    /// Writes the header for the `payload_len` bytes at `offset` into `to`, which is as long as it.
    fn write(&self, to: &mut [u8], offset: usize, payload_len: usize, more: bool) {
        let Some(bytes) = self.bytes.get(..self.len) else {
            return;
        };
        to.copy_from_slice(bytes);
        if bytes[0] >> 4 == 4 {
            let mut view = Ipv4Packet::new_unchecked(&mut *to);
            view.set_header_len(self.len as u8);
            view.set_total_len((self.len + payload_len) as u16);
            view.set_more_frags(more);
            view.set_frag_offset(offset as u16);
            view.set_checksum(0);
            let check = !checksum::sum(to);
            Ipv4Packet::new_unchecked(to).set_checksum(check);
        } else {
            Ipv6Packet::new_unchecked(&mut *to)
                .set_payload_len((FRAGMENT_HEADER + payload_len) as u16);
            if let Some(bytes) = to.get_mut(IPV6_HEADER + NEXT_AND_RESERVED..) {
                let mut view = Ipv6FragmentHeader::new_unchecked(bytes);
                view.set_frag_offset((offset / UNIT) as u16);
                view.set_more_frags(more);
            }
        }
    }
}

fn cut_v4(mut packet: Packet, mtu: usize) -> Result<Fragments, FragmentError> {
    packet
        .pull(IPV4_HEADER)
        .map_err(|_| FragmentError::NotOnePacket)?;
    let view = Ipv4Packet::new_unchecked(packet.headers());
    let (header_len, forbidden) = (usize::from(view.header_len()), view.dont_frag());
    let (base, more_after) = (usize::from(view.frag_offset()), view.more_frags());
    if forbidden && packet.len() > mtu {
        return Err(FragmentError::Forbidden);
    }
    packet
        .pull(header_len)
        .map_err(|_| FragmentError::NotOnePacket)?;
    let header = packet
        .headers()
        .get(..header_len)
        .ok_or(FragmentError::NotOnePacket)?;
    let (fixed, opts) = header
        .split_at_checked(IPV4_HEADER)
        .ok_or(FragmentError::NotOnePacket)?;
    let mut copied = [0; MAX_IPV4_HEADER - IPV4_HEADER];
    let room = copied
        .get_mut(..opts.len())
        .ok_or(FragmentError::NotOnePacket)?;
    let copied_len = options::copied_v4(opts, room);
    let first = Template::new([fixed, opts]).ok_or(FragmentError::NotOnePacket)?;
    let later = Template::new([fixed, copied.get(..copied_len).unwrap_or_default()]);
    let later = later.ok_or(FragmentError::NotOnePacket)?;
    Ok(Fragments {
        packet,
        header_len,
        first,
        later,
        mtu,
        base,
        more_after,
        done: 0,
    })
}

/// Only the source of a packet fragments IPv6 (RFC 8200 section 4.5), and this stack sends no packet
/// with extension headers that is too big: what follows the fixed header is what is cut.
fn cut_v6(mut packet: Packet, mtu: usize, ident: u32) -> Result<Fragments, FragmentError> {
    packet
        .pull(IPV6_HEADER)
        .map_err(|_| FragmentError::NotOnePacket)?;
    let fixed = packet
        .headers()
        .get(..IPV6_HEADER)
        .ok_or(FragmentError::NotOnePacket)?;
    let next = Ipv6Packet::new_unchecked(fixed).next_header();
    let unfragmentable = matches!(
        next,
        IpProtocol::HopByHop | IpProtocol::Ipv6Route | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Frag
    );
    if unfragmentable && packet.len() > mtu {
        return Err(FragmentError::NotOnePacket);
    }
    let mut extension = [0; FRAGMENT_HEADER];
    extension[0] = next.into();
    Ipv6FragmentHeader::new_unchecked(&mut extension[NEXT_AND_RESERVED..]).set_ident(ident);
    let template = || {
        let mut template = Template::new([fixed, &extension])?;
        let fixed = template.bytes.get_mut(..IPV6_HEADER)?;
        Ipv6Packet::new_unchecked(fixed).set_next_header(IpProtocol::Ipv6Frag);
        Some(template)
    };
    let first = template().ok_or(FragmentError::NotOnePacket)?;
    let later = template().ok_or(FragmentError::NotOnePacket)?;
    Ok(Fragments {
        packet,
        header_len: IPV6_HEADER,
        first,
        later,
        mtu,
        base: 0,
        more_after: false,
        done: 0,
    })
}

#[cfg(test)]
mod tests;
