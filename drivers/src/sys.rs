//! The system calls that rustix does not offer in safe form: TUN ioctls, descriptors by number, `unshare`, and writing
//! from memory that others may write to.

#![allow(unsafe_code)]

pub(crate) mod ring;
#[cfg(test)]
mod testing;

use std::ffi::{c_int, c_uint};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use arrayvec::ArrayVec;
use rustix::io::{Errno, Result};
use rustix::ioctl::{IntegerSetter, Opcode, Setter, Updater, ioctl, opcode};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use txbuf::RawExtent;

/// A layer 3 device (`IFF_TUN` of linux/if_tun.h).
pub(crate) const IFF_TUN: u16 = 0x0001;
/// A layer 2 device: Ethernet frames.
pub(crate) const IFF_TAP: u16 = 0x0002;
/// The kernel takes in what is written by NAPI, which joins segments.
pub(crate) const IFF_NAPI: u16 = 0x0010;
/// One of several queues of a device.
pub(crate) const IFF_MULTI_QUEUE: u16 = 0x0100;
/// A `virtio_net_hdr` stands in front of each packet.
pub(crate) const IFF_VNET_HDR: u16 = 0x4000;
/// No packet information in front of each packet.
const IFF_NO_PI: u16 = 0x1000;
/// The device outlives its last descriptor.
pub(crate) const IFF_PERSIST: u16 = 0x0800;

/// The peer may leave checksums to be completed (`TUN_F_CSUM`).
pub(crate) const TUN_F_CSUM: u32 = 0x01;
/// Super-packets of TCP over IPv4 and IPv6, also with CWR set, and of UDP over IPv4 and IPv6.
pub(crate) const TUN_F_TSO4: u32 = 0x02;
pub(crate) const TUN_F_TSO6: u32 = 0x04;
pub(crate) const TUN_F_TSO_ECN: u32 = 0x08;
pub(crate) const TUN_F_USO4: u32 = 0x20;
pub(crate) const TUN_F_USO6: u32 = 0x40;

const TUNSETIFF: Opcode = opcode::write::<c_int>(b'T', 202);
const TUNSETOFFLOAD: Opcode = opcode::write::<c_uint>(b'T', 208);
const TUNSETTXFILTER: Opcode = opcode::write::<c_uint>(b'T', 209);
const TUNGETIFF: Opcode = opcode::read::<c_uint>(b'T', 210);
const TUNGETVNETHDRSZ: Opcode = opcode::read::<c_int>(b'T', 215);
const TUNSETVNETHDRSZ: Opcode = opcode::write::<c_int>(b'T', 216);

/// `struct ifreq` as far as the TUN driver uses it, at least as long as on any architecture.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// What TUNGETIFF says of a descriptor. Its flag 0x1000 says nothing: it is `IFF_NO_PI` or `IFF_NOFILTER`.
pub(crate) struct TunFlags {
    pub(crate) name: String,
    pub(crate) flags: u16,
}

/// Name and flags of the device a TUN descriptor is attached to. `fd` must be one of /dev/net/tun.
pub(crate) fn tun_flags(fd: BorrowedFd<'_>) -> Result<TunFlags> {
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: 0,
        rest: [0; 22],
    };
    // SAFETY: TUNGETIFF writes a `struct ifreq` (40 bytes on 64-bit, 32 on 32-bit machines), for which
    // `InterfaceRequest` has room; every bit pattern is valid for its fields.
    unsafe { ioctl(fd, Updater::<TUNGETIFF, _>::new(&mut request)) }?;
    let end = request
        .name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(request.name.len());
    Ok(TunFlags {
        name: String::from_utf8_lossy(&request.name[..end]).into_owned(),
        flags: request.flags,
    })
}

/// Attaches `node`, a fresh descriptor of /dev/net/tun, to the device `name`, whose kind is in `flags`, beside what every
/// device has. The name must be shorter than 16 bytes.
pub(crate) fn attach_tun(node: BorrowedFd<'_>, name: &str, flags: u16) -> Result<()> {
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: IFF_NO_PI | flags,
        rest: [0; 22],
    };
    let room = request.name[..15]
        .get_mut(..name.len())
        .ok_or(Errno::INVAL)?;
    room.copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads and writes a `struct ifreq`, for which `InterfaceRequest` has room; every bit pattern
    // is valid for its fields.
    unsafe { ioctl(node, Updater::<TUNSETIFF, _>::new(&mut request)) }
}

/// Sets the offloads that the kernel may use towards this descriptor (`TUN_F_*`).
pub(crate) fn set_tun_offload(fd: BorrowedFd<'_>, mask: u32) -> Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value and touches no memory of ours.
    unsafe { ioctl(fd, IntegerSetter::<TUNSETOFFLOAD>::new_usize(mask as usize)) }
}

/// Sets the length of the `virtio_net_hdr`, for when the flag `IFF_VNET_HDR` is on.
pub(crate) fn set_tun_vnet_header_size(fd: BorrowedFd<'_>, size: c_int) -> Result<()> {
    // SAFETY: TUNSETVNETHDRSZ reads one int through the pointer it is given.
    unsafe { ioctl(fd, Setter::<TUNSETVNETHDRSZ, c_int>::new(size)) }
}

/// `struct tun_filter` with no address.
#[repr(C)]
struct TapFilter {
    flags: u16,
    count: u16,
}

/// Lets a TAP device have frames for all destinations again.
pub(crate) fn clear_tap_filter(fd: BorrowedFd<'_>) -> Result<()> {
    let filter = TapFilter { flags: 0, count: 0 };
    // SAFETY: TUNSETTXFILTER reads a `struct tun_filter` through the pointer it is given, and as many addresses behind it
    // as that says: none.
    unsafe { ioctl(fd, Setter::<TUNSETTXFILTER, TapFilter>::new(filter)) }
}

/// The length of the `virtio_net_hdr`.
pub(crate) fn tun_vnet_header_size(fd: BorrowedFd<'_>) -> Result<usize> {
    let mut size: c_int = 0;
    // SAFETY: TUNGETVNETHDRSZ writes one int through the pointer it is given; every bit pattern is one.
    unsafe { ioctl(fd, Updater::<TUNGETVNETHDRSZ, _>::new(&mut size)) }?;
    usize::try_from(size).map_err(|_| Errno::INVAL)
}

/// Takes the descriptor out of the `tun-tap` crate's interface.
pub(crate) fn into_owned_fd(iface: tun_tap::Iface) -> OwnedFd {
    // SAFETY: `into_raw_fd` gives up the interface's ownership of an open descriptor; nobody else holds it.
    unsafe { OwnedFd::from_raw_fd(iface.into_raw_fd()) }
}

/// An own duplicate of a descriptor that is known only by its number.
///
/// The number itself stays open: whoever opened it owns it. An error says that it is not open.
pub(crate) fn duplicate_by_number(number: RawFd) -> Result<OwnedFd> {
    if number < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the number is not negative, and it is borrowed only for a call that duplicates it: if it is not
    // open the kernel says EBADF, if it is, its owner does not notice.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3)
}

/// The most extents that [`write_extents`] takes.
pub(crate) const EXTENTS: usize = 30;

/// Writes the two slices and the extents behind them by one call. More than [`EXTENTS`] are `INVAL`.
pub(crate) fn write_extents(
    fd: BorrowedFd<'_>,
    front: [&[u8]; 2],
    extents: &[RawExtent<'_>],
) -> Result<usize> {
    if extents.len() > EXTENTS {
        return Err(Errno::INVAL);
    }
    if let ([], []) = (front[0], extents) {
        return rustix::io::write(fd, front[1]);
    }
    // What is empty costs the kernel as much as others.
    let front = &front[usize::from(front[0].is_empty())..];
    let slices = front.iter().map(|part| (part.as_ptr(), part.len()));
    let raw = extents.iter().map(|extent| (extent.as_ptr(), extent.len()));
    let vectors: ArrayVec<_, { 2 + EXTENTS }> = slices
        .chain(raw)
        .map(|(base, length)| libc::iovec {
            iov_base: base.cast_mut().cast(),
            iov_len: length,
        })
        .collect();
    let count = vectors.len();
    // SAFETY: the kernel reads `count` vectors, which are there, and through them the bytes of slices and extents that
    // are borrowed for the call; `RawExtent` says that its bytes can be read as long as it lives. It writes to none,
    // and what others write meanwhile changes what is sent and nothing else.
    let written = unsafe { libc::writev(fd.as_raw_fd(), vectors.as_ptr(), count as c_int) };
    usize::try_from(written).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno::from_io_error(&error).unwrap_or(Errno::IO)
    })
}

/// Moves the calling thread into new namespaces. Descriptor tables stay shared.
pub(crate) fn unshare_namespaces(flags: UnshareFlags) -> Result<()> {
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    // SAFETY: the one hazard of `unshare` is a separate table of descriptors, which nobody here asks for.
    unsafe { unshare_unsafe(flags.difference(UnshareFlags::FILES)) }
}

#[cfg(test)]
pub(crate) use testing::{open_tun_with, set_tap_filter, set_tun_persistent};
