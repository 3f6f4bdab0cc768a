//! What the kernel and the driver of an offload device agree on.

use std::os::fd::{AsFd, OwnedFd};

use txbuf::Offloads;

use super::TunError;
use crate::sys;

/// The header that an offload device has in front of each packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VnetHeader {
    /// `struct virtio_net_hdr`, of ten bytes.
    #[default]
    Plain,
    /// `struct virtio_net_hdr_mrg_rxbuf`, of twelve: what virtio 1.0 has, so that frames may be passed on to a guest as
    /// they are.
    Mergeable,
}

impl VnetHeader {
    /// Bytes of it.
    pub(super) fn length(self) -> usize {
        match self {
            VnetHeader::Plain => 10,
            VnetHeader::Mergeable => 12,
        }
    }

    fn of_length(length: usize) -> Option<VnetHeader> {
        let all = [VnetHeader::Plain, VnetHeader::Mergeable];
        all.into_iter().find(|header| header.length() == length)
    }
}

/// What the kernel agreed to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    pub(super) offloads: Offloads,
    pub(super) header: VnetHeader,
}

/// Agrees on offloads with the kernel, for a device that has `header` in front of its packets.
pub(super) fn agree(fd: &OwnedFd, header: VnetHeader) -> Result<Agreement, TunError> {
    let offloads = negotiate(|mask| sys::set_tun_offload(fd.as_fd(), mask))?;
    Ok(Agreement { offloads, header })
}

/// Asks for every offload by `set`: for all at once, and of a kernel that does not know them all for one more each time,
/// keeping what it takes. What may be sent is less than what may be received: a kind counts if both versions of IP have it.
fn negotiate(mut set: impl FnMut(u32) -> rustix::io::Result<()>) -> Result<Offloads, TunError> {
    let (tso, uso) = (
        sys::TUN_F_TSO4 | sys::TUN_F_TSO6,
        sys::TUN_F_USO4 | sys::TUN_F_USO6,
    );
    // Linux knows the two of UDP together or not at all, and refuses ECN without a TCP that it goes with.
    let bits = [
        sys::TUN_F_TSO4,
        sys::TUN_F_TSO6,
        sys::TUN_F_TSO_ECN,
        uso,
        sys::TUN_F_USO4,
        sys::TUN_F_USO6,
    ];
    let all = bits.iter().fold(sys::TUN_F_CSUM, |all, &more| all | more);
    let mut agreed = all;
    if set(all).is_err() {
        agreed = sys::TUN_F_CSUM;
        let mut last = agreed;
        set(agreed).map_err(|errno| {
            TunError::refused(
                "agree on any offload with the kernel; a plain device does without",
                errno,
            )
        })?;
        for more in bits {
            if agreed & more == more {
                continue;
            }
            last = agreed | more;
            if set(last).is_ok() {
                agreed = last;
            }
        }
        if last != agreed {
            // What was agreed to last is what holds, whatever a refusal leaves behind.
            set(agreed)
                .map_err(|errno| TunError::refused("agree on the same offloads again", errno))?;
        }
    }
    Ok(Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: agreed & tso == tso,
        uso: agreed & uso == uso,
    })
}

/// The header that a descriptor's device has in front of each packet.
pub(super) fn header_of(fd: &OwnedFd, name: &str) -> Result<VnetHeader, TunError> {
    let size = sys::tun_vnet_header_size(fd.as_fd())
        .map_err(|errno| TunError::refused("ask for the header size of the TUN device", errno))?;
    VnetHeader::of_length(size).ok_or_else(|| TunError::VnetHeader {
        name: name.to_owned(),
        size,
    })
}

#[cfg(test)]
mod tests;
