//! The calls on a stack of one's own.
//!
//! Each checks its arguments as Linux does, on a stack that is locked meanwhile, and returns a value of at least 0 or a
//! negative errno.

use core::ffi::{c_char, c_int, c_ulong, c_void};

use libc::{epoll_event, msghdr, nfds_t, pollfd, size_t, sockaddr, socklen_t, ssize_t};
use netstack_sockets::{EpollEvent, Errno};

use crate::edges;
use crate::messages::{
    OPTION_MOST, PACKET_MOST, done, give_name, int, ioctl, name_of, poll, receive, room_for_name,
    send, size, wait, write_name,
};
use crate::registry::{self, with};

/// Makes a stack from a comma list as `ns_init` takes it: its number, to be passed to the other calls, from any thread.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_new(opts: *const c_char) -> c_int {
    int(opts_of(opts).and_then(registry::add))
}

/// Ends a stack with all that is open on it. Its number means nothing from then on.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_free(stack: c_int) -> c_int {
    if stack == registry::GLOBAL {
        return -libc::EINVAL;
    }
    done(registry::remove(stack))
}

/// A null pointer means defaults.
pub(crate) fn opts_of<'a>(opts: *const c_char) -> Result<&'a str, Errno> {
    if opts.is_null() {
        Ok("")
    } else {
        edges::text(opts)
    }
}

/// Makes a socket, as `socket`. It never waits.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_socket(
    stack: c_int,
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> c_int {
    int(with(stack, |on| {
        // Nothing waits here, and so all sockets are such that do not.
        on.sockets
            .socket(domain, kind | libc::SOCK_NONBLOCK, protocol)
    }))
}

/// Closes a descriptor, as `close`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_close(stack: c_int, fd: c_int) -> c_int {
    done(with(stack, |on| on.sockets.close(on.now, fd)))
}

/// Binds a socket, as `bind`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_bind(
    stack: c_int,
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> c_int {
    done(with(stack, |on| {
        let name = name_of(addr, len)?;
        on.sockets.bind(fd, name)
    }))
}

/// Listens, as `listen`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_listen(stack: c_int, fd: c_int, backlog: c_int) -> c_int {
    done(with(stack, |on| on.sockets.listen(fd, backlog)))
}

/// Accepts a connection, as `accept`; -EAGAIN when none waits.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_accept(
    stack: c_int,
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    int(with(stack, |on| {
        let room = room_for_name(addr, len)?;
        let (accepted, peer) = on.sockets.accept(on.now, fd, libc::SOCK_NONBLOCK)?;
        write_name(addr, len, room, &peer)?;
        Ok(accepted)
    }))
}

/// Connects, as `connect`; -EINPROGRESS when a connection is begun.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_connect(
    stack: c_int,
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> c_int {
    done(with(stack, |on| {
        let name = name_of(addr, len)?;
        on.sockets.connect(on.now, fd, name)
    }))
}

/// Sends a message, as `sendmsg`; -EAGAIN when there is no room.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_sendmsg(
    stack: c_int,
    fd: c_int,
    msg: *const msghdr,
    flags: c_int,
) -> ssize_t {
    size(with(stack, |on| send(on, fd, msg, flags)))
}

/// Receives a message, as `recvmsg`; -EAGAIN when there is none.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_recvmsg(
    stack: c_int,
    fd: c_int,
    msg: *mut msghdr,
    flags: c_int,
) -> ssize_t {
    size(with(stack, |on| receive(on, fd, msg, flags)))
}

/// Shuts one or both halves of a socket, as `shutdown`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_shutdown(stack: c_int, fd: c_int, how: c_int) -> c_int {
    done(with(stack, |on| on.sockets.shutdown(on.now, fd, how)))
}

/// The name that a socket is bound to, as `getsockname`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_getsockname(
    stack: c_int,
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    done(with(stack, |on| {
        let name = on.sockets.getsockname(fd)?;
        give_name(&name, addr, len)
    }))
}

/// The name that a socket is connected to, as `getpeername`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_getpeername(
    stack: c_int,
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    done(with(stack, |on| {
        let name = on.sockets.getpeername(fd)?;
        give_name(&name, addr, len)
    }))
}

/// Answers `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` and `SIOCATMARK` in the int at `arg`, and takes `FIONBIO`, as `ioctl`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_ioctl(
    stack: c_int,
    fd: c_int,
    request: c_ulong,
    arg: *mut c_void,
) -> c_int {
    done(with(stack, |on| ioctl(on, fd, request, arg)))
}

/// Reads an option, as `getsockopt`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_getsockopt(
    stack: c_int,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    done(with(stack, |on| {
        let room = edges::read(len)?;
        let room = usize::try_from(room as i32).map_err(|_| Errno::EINVAL)?;
        let into = edges::bytes_mut(value, room.min(OPTION_MOST))?;
        let written = on.sockets.getsockopt(fd, level, name, into)?;
        edges::write(len, written as socklen_t)
    }))
}

/// Sets an option, as `setsockopt`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_setsockopt(
    stack: c_int,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    done(with(stack, |on| {
        let len = usize::try_from(len as i32).map_err(|_| Errno::EINVAL)?;
        let value = edges::bytes(value, len.min(OPTION_MOST))?;
        on.sockets.setsockopt(on.now, fd, level, name, value)
    }))
}

/// Says what can be done with descriptors now, as `poll` with a timeout of 0.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_poll(stack: c_int, fds: *mut pollfd, n: nfds_t) -> c_int {
    int(with(stack, |on| poll(on, fds, n)))
}

/// Makes a descriptor that watches others, as `epoll_create1`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_epoll_create(stack: c_int) -> c_int {
    int(with(stack, |on| on.sockets.epoll_create()))
}

/// Watches a descriptor, as `epoll_ctl`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_epoll_ctl(
    stack: c_int,
    ep: c_int,
    op: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    done(with(stack, |on| {
        let event = match op {
            libc::EPOLL_CTL_DEL => EpollEvent::default(),
            _ => {
                let epoll_event { events, u64: data } = edges::read(event)?;
                EpollEvent { events, data }
            }
        };
        on.sockets.epoll_ctl(ep, op, fd, event)
    }))
}

/// Tells what there is now of what is watched, as `epoll_wait` with a timeout of 0.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_epoll_wait(
    stack: c_int,
    ep: c_int,
    events: *mut epoll_event,
    max: c_int,
) -> c_int {
    int(with(stack, |on| wait(on, ep, events, max)))
}

/// Takes in an IP packet, which is copied.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_input(stack: c_int, packet: *const c_void, len: size_t) -> c_int {
    done(with(stack, |on| {
        if len > PACKET_MOST {
            return Err(Errno::EMSGSIZE);
        }
        on.input(edges::bytes(packet, len)?)
    }))
}

/// Copies the next IP packet, of at most the MTU, to `buf`: its length, or 0 when there is none; -EMSGSIZE, and the packet is kept, when `cap` is too small.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_output(stack: c_int, buf: *mut c_void, cap: size_t) -> ssize_t {
    size(with(stack, |on| {
        // None is longer.
        let into = edges::bytes_mut(buf, cap.min(PACKET_MOST))?;
        on.output(into)
    }))
}

/// When `run` is to be called next, in microseconds; UINT64_MAX when nothing waits for time to pass.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_poll_at(stack: c_int) -> u64 {
    with(stack, |on| Ok(on.poll_at())).unwrap_or(u64::MAX)
}

/// Sets the clock, which never goes back, and does what is due; afterwards `poll_at` is later.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_run(stack: c_int, now_us: u64) -> c_int {
    done(with(stack, |on| on.run(now_us)))
}

/// Sets a variable by its name in Linux, with or without `net.ipv4.`; -ENOENT for one that the stack has not.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_sysctl(
    stack: c_int,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    done(with(stack, |on| {
        on.sysctl(edges::text(name)?, edges::text(value)?)
    }))
}
