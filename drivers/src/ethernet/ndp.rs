//! Neighbour solicitations and advertisements (RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use txbuf::{Checksum, Packet, checksum};

use super::mac::Mac;

const HEADER: usize = 40;
/// Bytes of a message without options.
const LEAST: usize = 24;
/// A message with one option, which holds a link-layer address.
const LENGTH: usize = LEAST + 8;
const ICMPV6: u8 = 58;
/// Nobody beyond the link can have sent a packet that has it.
const HOP_LIMIT: u8 = 255;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_OPTION: u8 = 1;
const TARGET_OPTION: u8 = 2;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// What a message wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Solicitation,
    Advertisement { solicited: bool, replace: bool },
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ndp {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) body: Body,
    pub(super) target: Ipv6Addr,
    /// The sender's of a solicitation, the target's of an advertisement.
    pub(super) mac: Option<Mac>,
}

/// A message that breaks a rule of RFC 4861, 7.1: nothing of it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid;

impl Ndp {
    /// Reads `packet`, whose IPv6 header is in its header area. `None` for a packet that is no such message.
    ///
    /// # Errors
    ///
    /// [`Invalid`] for a message that is not to be believed.
    pub(super) fn parse(packet: &Packet) -> Option<Result<Ndp, Invalid>> {
        let header: &[u8; HEADER] = packet.headers().first_chunk()?;
        if header[0] >> 4 != 6 || header[6] != ICMPV6 {
            return None;
        }
        let mut kind = [0];
        let read = packet.copy_to(HEADER, &mut kind).ok()?;
        let is_ours = read == 1 && matches!(kind[0], SOLICITATION | ADVERTISEMENT);
        is_ours.then(|| judge(header, packet))
    }

    /// The message as a packet.
    pub(super) fn packet(&self) -> Packet {
        let (kind, flags, option) = match self.body {
            Body::Solicitation => (SOLICITATION, 0, SOURCE_OPTION),
            Body::Advertisement { solicited, replace } => {
                let solicited = if solicited { SOLICITED } else { 0 };
                let replace = if replace { OVERRIDE } else { 0 };
                (ADVERTISEMENT, solicited | replace, TARGET_OPTION)
            }
        };
        let length = match self.mac {
            Some(_) => LENGTH,
            None => LEAST,
        };
        let mut bytes = [0; HEADER + LENGTH];
        bytes[0] = 0x60;
        bytes[5] = length as u8;
        (bytes[6], bytes[7]) = (ICMPV6, HOP_LIMIT);
        bytes[8..24].copy_from_slice(&self.source.octets());
        bytes[24..40].copy_from_slice(&self.destination.octets());
        (bytes[40], bytes[44]) = (kind, flags);
        bytes[48..64].copy_from_slice(&self.target.octets());
        if let Some(mac) = self.mac {
            (bytes[64], bytes[65]) = (option, 1);
            bytes[66..72].copy_from_slice(&mac.0);
        }
        let sum = !sum_of(
            self.source,
            self.destination,
            &bytes[HEADER..HEADER + length],
        );
        bytes[42..44].copy_from_slice(&sum.to_be_bytes());
        // It is shorter than what fits.
        Packet::inline(&bytes[..HEADER + length]).unwrap_or_default()
    }
}

/// The group in which whoever has `address` listens (RFC 4291, 2.7.1).
pub(super) fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u128::from(u32::from_be_bytes([0, a, b, c]));
    Ipv6Addr::from(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0).to_bits() | low)
}

fn judge(header: &[u8; HEADER], packet: &Packet) -> Result<Ndp, Invalid> {
    let address = |bytes: &[u8]| match bytes.first_chunk::<16>() {
        Some(bytes) => Ipv6Addr::from(*bytes),
        None => Ipv6Addr::UNSPECIFIED,
    };
    let (source, destination) = (address(&header[8..]), address(&header[24..]));
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // Options that matter come in far fewer bytes than these.
    let mut message = [0; 256];
    let message = message.get_mut(..length).ok_or(Invalid)?;
    if packet.copy_to(HEADER, message) != Ok(length) || length < LEAST {
        return Err(Invalid);
    }
    let sum_is_right = match packet.meta.checksum {
        Checksum::Complete => sum_of(source, destination, message) == 0xffff,
        Checksum::Verified => true,
        _ => false,
    };
    let target = address(&message[8..]);
    if header[7] != HOP_LIMIT || message[1] != 0 || !sum_is_right || target.is_multicast() {
        return Err(Invalid);
    }
    let (body, wanted) = match message[0] {
        SOLICITATION => (Body::Solicitation, SOURCE_OPTION),
        _ => {
            let body = Body::Advertisement {
                solicited: message[4] & SOLICITED != 0,
                replace: message[4] & OVERRIDE != 0,
            };
            (body, TARGET_OPTION)
        }
    };
    let mac = option(&message[LEAST..], wanted)?;
    let sound = match body {
        // Whoever asks without an address of its own asks the group, and has no address to be told by.
        Body::Solicitation if source.is_unspecified() => {
            destination == solicited_node(target) && mac.is_none()
        }
        Body::Solicitation => !source.is_multicast(),
        Body::Advertisement { solicited, .. } => {
            let is_one_host = !source.is_multicast() && !source.is_unspecified();
            is_one_host && !(solicited && destination.is_multicast())
        }
    };
    let message = Ndp {
        source,
        destination,
        body,
        target,
        mac,
    };
    if sound { Ok(message) } else { Err(Invalid) }
}

/// The address in the first option of this type. The others are passed over.
fn option(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, Invalid> {
    let mut found = None;
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * 8;
        let (option, rest) = options.split_at_checked(length).ok_or(Invalid)?;
        if length == 0 {
            return Err(Invalid);
        }
        if kind == wanted && found.is_none() {
            let mac = Mac::at(&option[2..]).filter(Mac::is_unicast);
            found = Some(mac.ok_or(Invalid)?);
        }
        options = rest;
    }
    if options.is_empty() {
        Ok(found)
    } else {
        Err(Invalid)
    }
}

/// The sum of a message with its pseudo-header (RFC 8200, 8.1).
fn sum_of(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let mut pseudo = [0; 40];
    pseudo[..16].copy_from_slice(&source.octets());
    pseudo[16..32].copy_from_slice(&destination.octets());
    pseudo[34..36].copy_from_slice(&(message.len() as u16).to_be_bytes());
    pseudo[39] = ICMPV6;
    checksum::combine(checksum::sum(&pseudo), checksum::sum(message), false)
}

/// Whether `address` can be that of one neighbour.
pub(super) fn is_neighbour(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}

#[cfg(test)]
mod tests;
