//! What stands between an IP header and what IP carries, of a packet that a host sends.

use super::build::UDP;

/// The parts of IP headers that a script may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layers {
    /// The identification; of IPv6 only fragments have one.
    pub(crate) id: Option<u32>,
    /// The flags of IPv4: the reserved one, and that fragmentation is forbidden.
    pub(crate) reserved: bool,
    pub(crate) dont_fragment: bool,
    /// Where a fragment begins, and whether others follow.
    pub(crate) fragment: Option<(u16, bool)>,
    /// Options of IPv4.
    pub(crate) options: Vec<u8>,
    /// Extension headers of IPv6 without that of fragments: their kinds, and what follows the kind of the next one.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    /// What kind of thing that is.
    pub(crate) protocol: u8,
    /// What IP carries: of a fragment, its part of it.
    pub(crate) body: Vec<u8>,
}

impl Layers {
    /// The ports of a datagram of which this is the first part.
    pub(crate) fn ports_of_datagram(&self) -> Option<(u16, u16)> {
        let is_first = self.protocol == UDP && self.fragment.is_some_and(|(at, _)| at == 0);
        (is_first && self.body.len() >= 4).then(|| (word(&self.body, 0), word(&self.body, 2)))
    }
}

const HEADER6: usize = 40;
const FRAGMENT6: u8 = 44;
/// Options for each hop, routing, options for the destination.
const EXTENSIONS6: [u8; 3] = [0, 43, 60];

/// Reads the layers of a packet whose fixed header is whole.
pub(super) fn layers(packet: &[u8]) -> Layers {
    if packet.first().is_some_and(|first| first >> 4 == 6) {
        layers6(packet)
    } else {
        layers4(packet)
    }
}

fn layers4(packet: &[u8]) -> Layers {
    let word = |at| word(packet, at);
    let header = usize::from(packet.first().copied().unwrap_or(0) & 15) * 4;
    let field = word(6);
    let (offset, more) = ((field & 0x1fff) << 3, field & 0x2000 != 0);
    let end = usize::from(word(2)).min(packet.len());
    Layers {
        id: Some(word(4).into()),
        reserved: field & 0x8000 != 0,
        dont_fragment: field & 0x4000 != 0,
        fragment: (offset != 0 || more).then_some((offset, more)),
        options: packet.get(20..header).unwrap_or_default().to_vec(),
        extensions: Vec::new(),
        protocol: packet.get(9).copied().unwrap_or(0),
        body: packet.get(header..end).unwrap_or_default().to_vec(),
    }
}

fn layers6(packet: &[u8]) -> Layers {
    let mut layers = Layers::default();
    let (mut next, mut at) = (packet.get(6).copied().unwrap_or(59), HEADER6);
    while let Some(&[following, length, ..]) = packet.get(at..at + 8) {
        if next == FRAGMENT6 {
            let field = word(packet, at + 2);
            let id = u32::from(word(packet, at + 4)) << 16 | u32::from(word(packet, at + 6));
            layers.id = Some(id);
            layers.fragment = Some((field & !7, field & 1 != 0));
            (next, at) = (following, at + 8);
            break;
        }
        if !EXTENSIONS6.contains(&next) {
            break;
        }
        let end = at + 8 + 8 * usize::from(length);
        let body = packet.get(at + 1..end).unwrap_or_default().to_vec();
        layers.extensions.push((next, body));
        (next, at) = (following, end);
    }
    layers.protocol = next;
    let end = (HEADER6 + usize::from(word(packet, 4))).min(packet.len());
    layers.body = packet.get(at..end).unwrap_or_default().to_vec();
    layers
}

fn word(packet: &[u8], at: usize) -> u16 {
    let bytes = packet.get(at..at + 2).and_then(|two| two.try_into().ok());
    u16::from_be_bytes(bytes.unwrap_or_default())
}
