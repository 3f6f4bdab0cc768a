//! What only tests do to a device: attach with any flags, make it persistent, filter.

use std::ffi::{c_int, c_uint};
use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Result;
use rustix::ioctl::{IntegerSetter, Opcode, Setter, Updater, ioctl, opcode};

use super::InterfaceRequest;

const TUNSETIFF: Opcode = opcode::write::<c_int>(b'T', 202);
const TUNSETPERSIST: Opcode = opcode::write::<c_int>(b'T', 203);
const TUNSETTXFILTER: Opcode = opcode::write::<c_uint>(b'T', 209);

/// Creates or attaches to a device with exactly these flags.
pub(crate) fn open_tun_with(name: &str, flags: u16) -> Result<OwnedFd> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map_err(|error| {
            rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
        })?;
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads and writes a `struct ifreq`, for which `InterfaceRequest` has room.
    unsafe { ioctl(&file, Updater::<TUNSETIFF, _>::new(&mut request)) }?;
    Ok(file.into())
}

/// Makes the device outlive its descriptors, or not.
pub(crate) fn set_tun_persistent(fd: BorrowedFd<'_>, persistent: bool) -> Result<()> {
    // SAFETY: TUNSETPERSIST takes its argument by value and touches no memory of ours.
    unsafe {
        ioctl(
            fd,
            IntegerSetter::<TUNSETPERSIST>::new_usize(persistent.into()),
        )
    }
}

/// `struct tun_filter` with one address.
#[repr(C)]
struct OneAddress {
    flags: u16,
    count: u16,
    address: [u8; 6],
}

/// Lets a TAP device have frames for one destination only.
pub(crate) fn set_tap_filter(fd: BorrowedFd<'_>, address: [u8; 6]) -> Result<()> {
    let filter = OneAddress {
        flags: 0,
        count: 1,
        address,
    };
    // SAFETY: TUNSETTXFILTER reads a `struct tun_filter` and as many addresses behind it as that says: one.
    unsafe { ioctl(fd, Setter::<TUNSETTXFILTER, OneAddress>::new(filter)) }
}
