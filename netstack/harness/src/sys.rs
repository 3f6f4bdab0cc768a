//! The system calls that rustix does not offer in safe form: socket options by number, what a socket has not sent
//! yet, and the offloads of a device.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use rustix::ioctl::{Getter, Opcode, Updater, ioctl};

/// An integer option of a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOption {
    level: c_int,
    name: c_int,
}

/// Cut what is sent into datagrams of so many bytes.
pub(crate) const UDP_SEGMENT: SocketOption = SocketOption {
    level: libc::SOL_UDP,
    name: libc::UDP_SEGMENT,
};
/// Give what came together as one, and say how long its parts are.
pub(crate) const UDP_GRO: SocketOption = SocketOption {
    level: libc::SOL_UDP,
    name: libc::UDP_GRO,
};
/// Choose the port when connecting and not when binding, so that each destination has all ports.
pub(crate) const IP_BIND_ADDRESS_NO_PORT: SocketOption = SocketOption {
    level: libc::IPPROTO_IP,
    name: libc::IP_BIND_ADDRESS_NO_PORT,
};

/// Sets an option.
pub(crate) fn set_option(socket: impl AsFd, option: SocketOption, value: c_int) -> io::Result<()> {
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open while it is borrowed, and the kernel reads `length` bytes of `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            option.level,
            option.name,
            (&raw const value).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes in the send queue of a TCP socket that were not acknowledged yet.
pub(crate) fn unacknowledged(socket: impl AsFd) -> io::Result<u64> {
    const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;
    // SAFETY: SIOCOUTQ writes one int.
    let bytes = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) }?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// An offload that `ethtool -K` switches.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum LinkOffload {
    /// `ETHTOOL_STSO` of linux/ethtool.h.
    Tso = 0x1f,
    /// `ETHTOOL_SGSO`.
    Gso = 0x24,
    /// `ETHTOOL_SGRO`.
    Gro = 0x2c,
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// `struct ifreq` with a pointer, at least as long as on any architecture.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    data: *mut EthtoolValue,
    rest: [u8; 16],
}

/// Switches an offload of the device `name` off; `socket` is any socket of the device's namespace.
pub(crate) fn switch_off(socket: impl AsFd, name: &str, offload: LinkOffload) -> io::Result<()> {
    const SIOCETHTOOL: Opcode = 0x8946;
    let mut value = EthtoolValue {
        command: offload as u32,
        data: 0,
    };
    let mut request = InterfaceRequest {
        name: [0; 16],
        data: &raw mut value,
        rest: [0; 16],
    };
    let room = request.name[..15].get_mut(..name.len());
    room.ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(name.as_bytes());
    // SAFETY: SIOCETHTOOL reads a `struct ifreq`, for which `request` has room, and through its pointer a `struct
    // ethtool_value`, which outlives the call.
    unsafe { ioctl(socket, Updater::<SIOCETHTOOL, _>::new(&mut request)) }?;
    Ok(())
}
