//! What leaves by a channel: what stands in front of each packet, and what cannot leave.

use arrayvec::ArrayVec;
use txbuf::{Checksum, Packet, RawExtent, Span, Unreadable};

use super::channel::{Channel, FRONT};
use super::kind::ETHERNET;
use super::vnet;
use crate::device::cuts;
use crate::sys;

/// What leaves by a channel.
pub(crate) trait Outgoing {
    /// The IP packet, or what else is behind the link's header.
    fn packet(&self) -> &Packet;
    /// The link's header, as long as the device's frames have it.
    fn link(&self) -> &[u8];
}

impl Outgoing for Packet {
    fn packet(&self) -> &Packet {
        self
    }

    fn link(&self) -> &[u8] {
        &[]
    }
}

impl Channel {
    /// What is written in front of a packet, and how long it is.
    pub(super) fn front_of(&self, outgoing: &impl Outgoing) -> ([u8; FRONT], usize) {
        let mut front = [0; FRONT];
        let vnet = self.vnet();
        if vnet > 0 {
            let header = vnet::encode(outgoing.packet(), self.kind.front());
            front[..vnet].copy_from_slice(&header[..vnet]);
        }
        let link = outgoing.link();
        let end = vnet + link.len().min(ETHERNET);
        front[vnet..end].copy_from_slice(&link[..end - vnet]);
        (front, end)
    }

    /// Why this device cannot send `packet`, if it cannot.
    pub(super) fn refusal(&self, packet: &Packet) -> Option<Refusal> {
        let length = packet.len();
        let wire = packet.meta.gso.map_or(length, |gso| {
            usize::from(gso.headers) + usize::from(gso.size)
        });
        if !self.takes(packet) {
            Some(Refusal::Unsupported)
        } else if wire > self.mtu || length >= self.room() {
            Some(Refusal::TooBig)
        } else {
            None
        }
    }

    /// Whether the kernel finishes what is left to be done about `packet`.
    fn takes(&self, packet: &Packet) -> bool {
        let offloads = self.offloads().unwrap_or_default();
        let partial = matches!(packet.meta.checksum, Checksum::Partial { .. });
        (!partial || offloads.tx_checksum)
            && packet.meta.gso.is_none_or(|gso| cuts(offloads, gso.kind))
    }
}

pub(super) enum Refusal {
    /// It leaves something to be done that the kernel was not asked to do.
    Unsupported,
    TooBig,
}

/// Copies `front` and `packet` to the beginning of `place`, which has room for both.
///
/// # Errors
///
/// Payload that the CPU may not read.
pub(super) fn join<'a>(
    place: &'a mut [u8],
    front: &[u8],
    packet: &Packet,
) -> Result<&'a [u8], Unreadable> {
    let whole = &mut place[..front.len() + packet.len()];
    let (before, rest) = whole.split_at_mut(front.len());
    before.copy_from_slice(front);
    packet.copy_to(0, rest)?;
    Ok(whole)
}

/// Why a payload is not written from where it lies.
pub(super) enum Obstacle {
    /// To copy it together is quicker, or it has more pieces than one call takes.
    Joined,
    Unreadable,
}

/// The pieces of the payload by address: what is lent is never looked at here, only handed to the kernel. A packet that
/// is more than one piece, with `prefix` bytes in front of it, is to be joined if it has up to `joined` bytes.
pub(super) fn raw_payload(
    packet: &Packet,
    prefix: usize,
    joined: usize,
) -> Result<ArrayVec<RawExtent<'_>, { sys::EXTENTS }>, Obstacle> {
    let pieces = [
        prefix > 0,
        !packet.headers().is_empty(),
        packet.span().is_some(),
    ];
    if packet.len() <= joined && pieces.into_iter().filter(|is_there| *is_there).count() > 1 {
        return Err(Obstacle::Joined);
    }
    let mut raw = ArrayVec::new();
    for extent in packet.span().into_iter().flat_map(Span::extents) {
        let Ok(extent) = extent.raw() else {
            return Err(Obstacle::Unreadable);
        };
        if raw.try_push(extent).is_err() {
            return Err(Obstacle::Joined);
        }
    }
    Ok(raw)
}
