//! The pseudo-header that binds a transport checksum to its addresses.

use std::net::IpAddr;

use smoltcp::wire::IpProtocol;
use txbuf::{Checksum, Packet, Unreadable, checksum};

/// The folded, not inverted ones-complement sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200
/// section 8.1).
///
/// `len` is the length of the transport header and its payload. With it in a checksum field the
/// packet is in the state `Partial`; added to the sum of a received transport segment it gives
/// `0xffff` if the checksum is right.
pub(crate) fn pseudo_header_sum(src: IpAddr, dst: IpAddr, protocol: IpProtocol, len: usize) -> u16 {
    let mut total = address_sum(src) + address_sum(dst);
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    total += u32::from(u8::from(protocol)) + (len >> 16) + (len & 0xffff);
    fold(total)
}

/// What a check of a received transport checksum found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The device vouches for it, or it is right.
    Good,
    /// It is wrong.
    Bad,
}

/// Checks the checksum of the transport segment that fills `packet` from `header_len` on.
///
/// `pseudo` is the segment's pseudo-header sum and `field` where its checksum lies in it. The payload is
/// read only if the device has not vouched for it: a packet that is still to be completed
/// (`Partial`) was never on a wire, but is believed only if it means this very checksum.
///
/// # Errors
///
/// The payload lies in memory that the CPU may not read.
pub(crate) fn verify(
    packet: &Packet,
    header_len: usize,
    field: u16,
    pseudo: u16,
) -> Result<Trust, Unreadable> {
    match packet.meta.checksum {
        Checksum::Verified => return Ok(Trust::Good),
        Checksum::Partial { start, offset }
            if usize::from(start) == header_len && offset == field =>
        {
            return Ok(Trust::Good);
        }
        Checksum::Partial { .. } | Checksum::Complete => {}
    }
    let sum = checksum::combine(pseudo, packet.checksum(header_len)?, false);
    Ok(if sum == 0xffff {
        Trust::Good
    } else {
        Trust::Bad
    })
}

/// The checksum state of an answer made in place from a request, before the IP header is pushed.
pub(crate) fn reply_state(partial: bool, field: u16) -> Checksum {
    if partial {
        Checksum::Partial {
            start: 0,
            offset: field,
        }
    } else {
        Checksum::Complete
    }
}

/// Ones-complement addition of the 16-bit words in `total`.
fn fold(total: u32) -> u16 {
    let once = (total >> 16) + (total & 0xffff);
    ((once >> 16) + (once & 0xffff)) as u16
}

fn address_sum(addr: IpAddr) -> u32 {
    match addr {
        IpAddr::V4(addr) => {
            let bits = addr.to_bits();
            (bits >> 16) + (bits & 0xffff)
        }
        IpAddr::V6(addr) => addr.segments().into_iter().map(u32::from).sum(),
    }
}

#[cfg(test)]
mod tests;
