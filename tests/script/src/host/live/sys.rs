//! System calls on sockets, with results as a script sees them.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};

use crate::calls::{Returned, Value};

/// Moves the calling thread into a new network namespace.
pub(super) fn new_network() -> io::Result<()> {
    // SAFETY: takes no memory; other threads stay where they are.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the calling thread, and those that it starts, run before others. Without the right to that nothing changes.
pub(crate) fn run_first() {
    // SAFETY: all zeroes are a value of this structure of numbers.
    let mut parameters: libc::sched_param = unsafe { mem::zeroed() };
    parameters.sched_priority = 1;
    // SAFETY: the parameters are alive; the thread is the calling one.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) };
}

/// Takes over a descriptor that a call has just made.
pub(super) fn own(raw: RawFd) -> OwnedFd {
    // SAFETY: `socket` and `accept` return descriptors that nobody else has.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// What a call returned, or the thread's error.
fn outcome(value: i64) -> Returned {
    if value >= 0 {
        return Returned::value(value);
    }
    Returned::error(
        io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EINVAL),
    )
}

fn int(value: i64) -> libc::c_int {
    libc::c_int::try_from(value).unwrap_or(libc::c_int::MAX)
}

/// The size of a value that the kernel reads or writes.
fn size<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

pub(super) fn socket(v6: bool, datagram: bool, nonblocking: bool) -> Returned {
    let domain = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    let kind = if datagram {
        libc::SOCK_DGRAM
    } else {
        libc::SOCK_STREAM
    };
    let flags = if nonblocking { libc::SOCK_NONBLOCK } else { 0 } | libc::SOCK_CLOEXEC;
    // SAFETY: takes no memory.
    outcome(unsafe { libc::socket(domain, kind | flags, 0) }.into())
}

/// An address as the kernel reads it, and its size.
fn raw_address(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all zeroes are a value of this structure of numbers.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let place: *mut libc::sockaddr_storage = &raw mut storage;
    let size = match address {
        SocketAddr::V4(v4) => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*v4.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is as large and as aligned as any address.
            unsafe { place.cast::<libc::sockaddr_in>().write(address) };
            size::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let address = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: 0,
            };
            // SAFETY: as above.
            unsafe { place.cast::<libc::sockaddr_in6>().write(address) };
            size::<libc::sockaddr_in6>()
        }
    };
    (storage, size)
}

pub(super) fn bind(fd: RawFd, to: SocketAddr) -> Returned {
    let (address, size) = raw_address(to);
    // SAFETY: the address is alive and of this size.
    outcome(unsafe { libc::bind(fd, (&raw const address).cast(), size) }.into())
}

pub(super) fn connect(fd: RawFd, to: SocketAddr) -> Returned {
    let (address, size) = raw_address(to);
    // SAFETY: the address is alive and of this size.
    outcome(unsafe { libc::connect(fd, (&raw const address).cast(), size) }.into())
}

pub(super) fn listen(fd: RawFd, backlog: i64) -> Returned {
    // SAFETY: takes no memory.
    outcome(unsafe { libc::listen(fd, int(backlog)) }.into())
}

pub(super) fn accept(fd: RawFd) -> Returned {
    // SAFETY: no address is asked for.
    outcome(unsafe { libc::accept(fd, std::ptr::null_mut(), std::ptr::null_mut()) }.into())
}

pub(super) fn close(fd: OwnedFd) -> Returned {
    // SAFETY: the descriptor is given up here and used by nobody afterwards.
    outcome(unsafe { libc::close(fd.into_raw_fd()) }.into())
}

pub(super) fn shutdown(fd: RawFd, how: i64) -> Returned {
    // SAFETY: takes no memory.
    outcome(unsafe { libc::shutdown(fd, int(how)) }.into())
}

pub(super) fn send(fd: RawFd, bytes: &[u8], flags: i64, to: Option<SocketAddr>) -> Returned {
    let flags = int(flags) | libc::MSG_NOSIGNAL;
    let address = to.map(raw_address);
    let (place, size) = match &address {
        Some((address, size)) => (std::ptr::from_ref(address).cast(), *size),
        None => (std::ptr::null(), 0),
    };
    // SAFETY: the bytes and the address, if there is one, are alive and of these sizes.
    let sent = unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, place, size) };
    outcome(i64::try_from(sent).unwrap_or(-1))
}

pub(super) fn receive(fd: RawFd, buffer: &mut [u8], flags: i64) -> Returned {
    // SAFETY: the buffer is ours alone and of this size.
    let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), int(flags)) };
    outcome(i64::try_from(got).unwrap_or(-1))
}

pub(super) fn set_option(fd: RawFd, level: i64, name: i64, value: &Value) -> Returned {
    let (level, name) = (int(level), int(name));
    let result = match value {
        Value::Int(value) => set_value(fd, level, name, &int(*value)),
        Value::Linger { on, seconds } => {
            let value = libc::linger {
                l_onoff: i32::from(*on),
                l_linger: int(*seconds),
            };
            set_value(fd, level, name, &value)
        }
        Value::Group(IpAddr::V4(group)) => {
            let value = libc::ip_mreq {
                imr_multiaddr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(group.octets()),
                },
                imr_interface: libc::in_addr { s_addr: 0 },
            };
            set_value(fd, level, name, &value)
        }
        Value::Group(IpAddr::V6(group)) => {
            let value = libc::ipv6_mreq {
                ipv6mr_multiaddr: libc::in6_addr {
                    s6_addr: group.octets(),
                },
                ipv6mr_interface: 0,
            };
            set_value(fd, level, name, &value)
        }
        Value::Text(text) => {
            let Ok(text) = CString::new(text.as_str()) else {
                return Returned::error(libc::EINVAL);
            };
            let len = libc::socklen_t::try_from(text.as_bytes().len()).unwrap_or(0);
            // SAFETY: the text is alive and of this size.
            unsafe { libc::setsockopt(fd, level, name, text.as_ptr().cast(), len) }
        }
    };
    outcome(result.into())
}

/// Sets an option whose value is `value`.
fn set_value<T>(fd: RawFd, level: libc::c_int, name: libc::c_int, value: &T) -> libc::c_int {
    // SAFETY: the value is alive and of this size.
    unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size::<T>(),
        )
    }
}

pub(super) fn read_option(fd: RawFd, level: i64, name: i64) -> Returned {
    let mut value: libc::c_int = 0;
    let mut size = size::<libc::c_int>();
    // SAFETY: the value and its size are ours alone, and the size is the value's.
    let result = unsafe {
        libc::getsockopt(
            fd,
            int(level),
            int(name),
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    let mut returned = outcome(result.into());
    returned.out.push(value.into());
    returned
}

pub(super) fn set_flags(fd: RawFd, flags: i64) -> Returned {
    // SAFETY: takes no memory.
    outcome(unsafe { libc::fcntl(fd, libc::F_SETFL, int(flags)) }.into())
}

pub(super) fn read_flags(fd: RawFd) -> Returned {
    // SAFETY: takes no memory.
    outcome(unsafe { libc::fcntl(fd, libc::F_GETFL) }.into())
}

pub(super) fn ioctl(fd: RawFd, request: i64) -> Returned {
    let mut value: libc::c_int = 0;
    let request = libc::Ioctl::try_from(request).unwrap_or(0);
    // SAFETY: the requests that a script can name write one number.
    let result = unsafe { libc::ioctl(fd, request, &raw mut value) };
    let mut returned = outcome(result.into());
    returned.out.push(value.into());
    returned
}

pub(super) fn poll(fds: &[(RawFd, i64)], timeout: i64) -> Returned {
    let polled = fds.iter().map(|(fd, events)| libc::pollfd {
        fd: *fd,
        events: libc::c_short::try_from(*events).unwrap_or(0),
        revents: 0,
    });
    let mut polled: Vec<libc::pollfd> = polled.collect();
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    // SAFETY: the structures are ours alone and so many.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), count, int(timeout)) };
    let mut returned = outcome(result.into());
    returned.out = polled.iter().map(|polled| polled.revents.into()).collect();
    returned
}

/// The fields of `TCP_INFO` that assertions may name.
pub(super) fn tcp_info(fd: RawFd) -> Option<BTreeMap<&'static str, i128>> {
    // SAFETY: all zeroes are a value of this structure of numbers.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut size = size::<libc::tcp_info>();
    // SAFETY: the structure and its size are ours alone, and the size is the structure's.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut size,
        )
    };
    if result != 0 {
        return None;
    }
    Some(BTreeMap::from([
        ("tcpi_state", info.tcpi_state.into()),
        ("tcpi_ca_state", info.tcpi_ca_state.into()),
        ("tcpi_retransmits", info.tcpi_retransmits.into()),
        ("tcpi_probes", info.tcpi_probes.into()),
        ("tcpi_backoff", info.tcpi_backoff.into()),
        ("tcpi_options", info.tcpi_options.into()),
        ("tcpi_rto", info.tcpi_rto.into()),
        ("tcpi_ato", info.tcpi_ato.into()),
        ("tcpi_snd_mss", info.tcpi_snd_mss.into()),
        ("tcpi_rcv_mss", info.tcpi_rcv_mss.into()),
        ("tcpi_unacked", info.tcpi_unacked.into()),
        ("tcpi_sacked", info.tcpi_sacked.into()),
        ("tcpi_lost", info.tcpi_lost.into()),
        ("tcpi_retrans", info.tcpi_retrans.into()),
        ("tcpi_pmtu", info.tcpi_pmtu.into()),
        ("tcpi_rcv_ssthresh", info.tcpi_rcv_ssthresh.into()),
        ("tcpi_rtt", info.tcpi_rtt.into()),
        ("tcpi_rttvar", info.tcpi_rttvar.into()),
        ("tcpi_snd_ssthresh", info.tcpi_snd_ssthresh.into()),
        ("tcpi_snd_cwnd", info.tcpi_snd_cwnd.into()),
        ("tcpi_advmss", info.tcpi_advmss.into()),
        ("tcpi_reordering", info.tcpi_reordering.into()),
        ("tcpi_rcv_space", info.tcpi_rcv_space.into()),
        ("tcpi_total_retrans", info.tcpi_total_retrans.into()),
    ]))
}
