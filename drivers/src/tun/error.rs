//! Why a TUN device could not be opened, each in one sentence that says what to do.

use std::io;

use rustix::io::Errno;

use super::kind::LinkKind;
use crate::netlink::NetlinkError;

/// Why a TUN device could not be opened or adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunError {
    /// The kernel has no TUN driver, or the container was not given its device node.
    #[error(
        "/dev/net/tun does not exist: load the driver by `modprobe tun`, or give the container the device (`--device /dev/net/tun`)"
    )]
    NoDeviceNode,
    /// There is something of that name, such as an empty file that a container's set-up has left.
    #[error(
        "/dev/net/tun is not the TUN device node: remove it and make it anew by `mknod /dev/net/tun c 10 200`"
    )]
    NotDeviceNode,
    /// The device node is closed to this user: mode 0600 on some machines, 0666 on most.
    #[error(
        "this user may not open /dev/net/tun (its mode is {mode:04o}): run as root, or have an administrator run `chmod 0666 /dev/net/tun`"
    )]
    DeviceNodeDenied {
        /// The permission bits of the node.
        mode: u32,
    },
    /// The node may be opened, but no device made or attached to.
    #[error(
        "no permission to create {kind} device {name} or attach to it: this needs CAP_NET_ADMIN, so run as root, or make \
         a device for this user by `ip tuntap add dev NAME mode {} user USER`",
        kind.mode()
    )]
    NoPermission {
        /// What was asked for.
        kind: LinkKind,
        /// The name that was asked for.
        name: String,
    },
    /// Somebody else has the device open.
    #[error(
        "{kind} device {name} is in use by another process: end that one or choose another name"
    )]
    Busy {
        /// What was asked for.
        kind: LinkKind,
        /// The name that was asked for.
        name: String,
    },
    /// The kernel is not to be told to take in packets by a thread.
    #[error(
        "no thread of the kernel for {name} (threaded NAPI): it takes CAP_SYS_ADMIN and CAP_NET_ADMIN over the device's \
         namespace, a sysfs and Linux 5.12; leave the option out"
    )]
    NoThreads {
        /// The device.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The name belongs to a device of another kind.
    #[error(
        "{name} exists but is not a {kind} device with a single queue: choose another name, or delete it by `ip link delete {name}`"
    )]
    OtherKind {
        /// What was asked for.
        kind: LinkKind,
        /// The name that was asked for.
        name: String,
    },
    /// The name belongs to a device of another kind, or to one that was made for a single queue.
    #[error(
        "{name} exists but is not a TUN device with several queues: choose another name, or make it anew by \
         `ip tuntap add dev {name} mode tun multi_queue`"
    )]
    NotMultiQueue {
        /// The name that was asked for.
        name: String,
    },
    /// The number is not that of an open descriptor.
    #[error(
        "descriptor {number} is not open: whoever starts this program must pass it on, as in `program 3<>/dev/net/tun`"
    )]
    NotOpen {
        /// The number that was given.
        number: i32,
    },
    /// The descriptor is open, but is something else.
    #[error(
        "the descriptor is not one of /dev/net/tun: pass one that TUNSETIFF has attached to a TUN device"
    )]
    NotATunDescriptor,
    /// The descriptor is of /dev/net/tun, but has no device.
    #[error(
        "the descriptor is not attached to a TUN device (or the device was deleted): attach it by the ioctl TUNSETIFF first"
    )]
    NotAttached,
    /// Ethernet frames instead of IP packets.
    #[error(
        "device {name} is a TAP device (it carries Ethernet frames), of which no descriptor can be taken over: name the device instead"
    )]
    Tap {
        /// The name of the device.
        name: String,
    },
    /// Four bytes of packet information in front of each packet.
    #[error(
        "device {name} puts packet information in front of each packet, which is not supported: attach with IFF_NO_PI"
    )]
    PacketInformation {
        /// The name of the device.
        name: String,
    },
    /// A `virtio_net_hdr` of an unknown length in front of each packet.
    #[error(
        "device {name} puts a virtio header of {size} bytes in front of each packet, and only 10 and 12 are supported: \
         set its length by TUNSETVNETHDRSZ, or attach without IFF_VNET_HDR"
    )]
    VnetHeader {
        /// The name of the device.
        name: String,
        /// The length of the header.
        size: usize,
    },
    /// io_uring was asked for.
    #[error(
        "io_uring cannot be used ({0}): it needs Linux 5.6, `sysctl kernel.io_uring_disabled=0` and, in a container, a seccomp profile that allows it; or leave the choice of backend open"
    )]
    NoRing(io::Error),
    /// The pool for received packets has segments that are too small.
    #[error(
        "device {name} needs a pool for received packets with segments of {least} bytes or more, and this one's have {segment}: make one with larger segments"
    )]
    ArenaTooSmall {
        /// The name of the device.
        name: String,
        /// What its segments must hold: a packet of the MTU and a byte; with offload two super-packets of 64 KiB.
        least: usize,
        /// The pool's segment size.
        segment: usize,
    },
    /// The kernel's side could not be looked at or set up.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The kernel refused for a reason that has no sentence of its own.
    #[error(
        "could not {what}: {source}; `ip -details link show` tells what the kernel knows of the device"
    )]
    Refused {
        /// The action that failed.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl TunError {
    /// For what has no sentence of its own.
    pub(super) fn refused(what: &str, errno: Errno) -> TunError {
        TunError::Refused {
            what: what.to_owned(),
            source: errno.into(),
        }
    }
}
