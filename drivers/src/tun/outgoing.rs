//! What leaves by a channel: what stands in front of each packet, and what cannot leave.

use arrayvec::ArrayVec;
use txbuf::{Checksum, Packet, RawExtent, Span};

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

/// Why a payload cannot be written from where it lies.
pub(super) enum Obstacle {
    /// It has more pieces than one call takes: they are copied together.
    TooMany,
    Unreadable,
}

/// The pieces of the payload by address: what is lent is never looked at here, only handed to the kernel.
pub(super) fn raw_payload(
    packet: &Packet,
) -> Result<ArrayVec<RawExtent<'_>, { sys::EXTENTS }>, Obstacle> {
    let mut raw = ArrayVec::new();
    for extent in packet.span().into_iter().flat_map(Span::extents) {
        let Ok(extent) = extent.raw() else {
            return Err(Obstacle::Unreadable);
        };
        if raw.try_push(extent).is_err() {
            return Err(Obstacle::TooMany);
        }
    }
    Ok(raw)
}
