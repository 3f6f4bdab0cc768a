//! The calls on the one stack of the process, which is the stack of number 0.
//!
//! # Safety
//!
//! As in [`stack`].

#![allow(
    clippy::missing_safety_doc,
    reason = "the same for all, and said there"
)]

use core::ffi::{c_char, c_int, c_short, c_ulong, c_void};

use libc::{epoll_event, msghdr, nfds_t, pollfd, size_t, sockaddr, socklen_t, ssize_t};

use crate::messages::done;
use crate::registry::{self, GLOBAL};
use crate::stack;

/// The version of this interface: major times 65536 plus minor. What is there stays as it is while the major version does.
#[unsafe(no_mangle)]
pub extern "C" fn ns_version() -> u32 {
    1 << 16 | 1
}

/// Makes the stack of the process from a comma list: `addr=192.168.0.1/16` (several times), `gateway=192.168.0.2`,
/// `mtu=1500`, `mtu6=1520`, `seed=7`; what is not said has a default. -EBUSY when there is one already.
///
/// With `tun=tun0` the stack runs by itself, by a thread of its own on this TUN device, and its calls wait where those of
/// POSIX do; then `mtu=` is the device's, `peer=192.168.0.2/16` (several times) is the kernel's address on it, `netns=blue`
/// names its network namespace, if that is not the calling thread's, and `offload=1` has super-packets go by it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_init(opts: *const c_char) -> c_int {
    // SAFETY: promised by the caller.
    let opts = unsafe { stack::opts_of(opts) };
    done(opts.and_then(|opts| registry::add_as(GLOBAL, opts)))
}

/// Ends the stack of the process, as `ns_stack_free` does.
#[unsafe(no_mangle)]
pub extern "C" fn ns_fini() -> c_int {
    done(registry::remove(GLOBAL))
}

/// Makes a socket, as `socket`. Without a thread of the stack's own it is one that never waits.
#[unsafe(no_mangle)]
pub extern "C" fn ns_socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    stack::ns_stack_socket(GLOBAL, domain, kind, protocol)
}

/// Closes a descriptor, as `close`. Calls that wait for it give -EBADF. Where the stack has a thread of its own, a connection
/// with `SO_LINGER` is closed once its peer has what was written, or the time is up, and is open to others until then.
#[unsafe(no_mangle)]
pub extern "C" fn ns_close(fd: c_int) -> c_int {
    stack::ns_stack_close(GLOBAL, fd)
}

/// Binds a socket, as `bind`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_bind(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_bind(GLOBAL, fd, addr, len) }
}

/// Listens, as `listen`.
#[unsafe(no_mangle)]
pub extern "C" fn ns_listen(fd: c_int, backlog: c_int) -> c_int {
    stack::ns_stack_listen(GLOBAL, fd, backlog)
}

/// Accepts a connection, as `accept`; -EAGAIN when none waits and the call does not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_accept(fd: c_int, addr: *mut sockaddr, len: *mut socklen_t) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_accept(GLOBAL, fd, addr, len) }
}

/// Connects, as `connect`; -EINPROGRESS when a connection is begun and the call does not wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_connect(fd: c_int, addr: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_connect(GLOBAL, fd, addr, len) }
}

/// Sends a message, as `sendmsg`; -EAGAIN when there is no room and the call does not wait. One that waits sends all of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_sendmsg(fd: c_int, msg: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_sendmsg(GLOBAL, fd, msg, flags) }
}

/// Receives a message, as `recvmsg`; -EAGAIN when there is none and the call does not wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_recvmsg(fd: c_int, msg: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_recvmsg(GLOBAL, fd, msg, flags) }
}

/// Shuts one or both halves of a socket, as `shutdown`.
#[unsafe(no_mangle)]
pub extern "C" fn ns_shutdown(fd: c_int, how: c_int) -> c_int {
    stack::ns_stack_shutdown(GLOBAL, fd, how)
}

/// The name that a socket is bound to, as `getsockname`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_getsockname(
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_getsockname(GLOBAL, fd, addr, len) }
}

/// The name that a socket is connected to, as `getpeername`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_getpeername(
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_getpeername(GLOBAL, fd, addr, len) }
}

/// Answers `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` and `SIOCATMARK` in the int at `arg`, and takes `FIONBIO`, as `ioctl`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_ioctl(fd: c_int, request: c_ulong, arg: *mut c_void) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_ioctl(GLOBAL, fd, request, arg) }
}

/// Reads an option, as `getsockopt`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_getsockopt(GLOBAL, fd, level, name, value, len) }
}

/// Sets an option, as `setsockopt`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_setsockopt(GLOBAL, fd, level, name, value, len) }
}

/// Says what can be done with descriptors now, as `poll` with a timeout of 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_poll(fds: *mut pollfd, n: nfds_t) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_poll(GLOBAL, fds, n) }
}

/// Makes a descriptor that watches others, as `epoll_create1`.
#[unsafe(no_mangle)]
pub extern "C" fn ns_epoll_create() -> c_int {
    stack::ns_stack_epoll_create(GLOBAL)
}

/// Watches a descriptor, as `epoll_ctl`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_epoll_ctl(
    ep: c_int,
    op: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_epoll_ctl(GLOBAL, ep, op, fd, event) }
}

/// Tells what there is now of what is watched, as `epoll_wait` with a timeout of 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_epoll_wait(ep: c_int, events: *mut epoll_event, max: c_int) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_epoll_wait(GLOBAL, ep, events, max) }
}

/// A descriptor of the host, for its `poll` and `epoll`, that is readable as long as one of `events`, which are bits of `poll`,
/// is so of `fd`, or an error or a hang-up, and when `fd` is closed. It is the program's, to be closed by `close` and not to be
/// read. Now and then it is readable in vain.
#[unsafe(no_mangle)]
pub extern "C" fn ns_eventfd(fd: c_int, events: c_short) -> c_int {
    stack::ns_stack_eventfd(GLOBAL, fd, events)
}

/// Takes in an IP packet, which is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_input(packet: *const c_void, len: size_t) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_input(GLOBAL, packet, len) }
}

/// Copies the next IP packet, of at most the MTU, to `buf`: its length, or 0 when there is none; -EMSGSIZE, and the packet is
/// kept, when `cap` is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_output(buf: *mut c_void, cap: size_t) -> ssize_t {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_output(GLOBAL, buf, cap) }
}

/// When `run` is to be called next, in microseconds; UINT64_MAX when nothing waits for time to pass, or the stack runs by
/// itself.
#[unsafe(no_mangle)]
pub extern "C" fn ns_poll_at() -> u64 {
    stack::ns_stack_poll_at(GLOBAL)
}

/// Sets the clock, which never goes back, and does what is due; afterwards `poll_at` is later.
#[unsafe(no_mangle)]
pub extern "C" fn ns_run(now_us: u64) -> c_int {
    stack::ns_stack_run(GLOBAL, now_us)
}

/// Sets a variable by its name in Linux, with or without `net.ipv4.`; -ENOENT for one that the stack has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_sysctl(name: *const c_char, value: *const c_char) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { stack::ns_stack_sysctl(GLOBAL, name, value) }
}
