//! The calls on a stack of one's own.
//!
//! Each checks its arguments as Linux does, on a stack that is locked meanwhile, and returns a value of at least 0 or a
//! negative errno.
//!
//! # Safety
//!
//! Of all functions here: a pointer is null, or has as much memory behind it as the call of POSIX with the same arguments
//! may read or write, which nobody else changes, nor reads where it is written, before the function returns.

#![allow(
    clippy::missing_safety_doc,
    reason = "the same for all, and said above"
)]

use core::ffi::{c_char, c_int, c_short, c_ulong, c_void};
use std::os::fd::IntoRawFd as _;

use libc::{epoll_event, msghdr, nfds_t, pollfd, size_t, sockaddr, socklen_t, ssize_t};
use netstack_sockets::{EpollEvent, Errno};

use crate::edges::{self, Incoming, NameRoom, Outgoing, Place, Row};
use crate::messages::{
    EVENTS_MOST, MANY, OPTION_MOST, PACKET_MOST, Sending, connect, deliver, done, int, ioctl, part,
    poll, receive, send, size, wait,
};
use crate::registry::{self, with, with_fd};
use crate::waiting::{Side, patiently};

/// Makes a stack from a comma list as `ns_init` takes it: its number, to be passed to the other calls, from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_new(opts: *const c_char) -> c_int {
    // SAFETY: promised by the caller.
    let opts = unsafe { opts_of(opts) };
    int(opts.and_then(registry::add))
}

/// Ends a stack with all that is open on it, and wakes the calls that wait. Its number means nothing from then on. One on a
/// device first delivers what closed connections have to, for 5 seconds at most.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_free(stack: c_int) -> c_int {
    if stack == registry::GLOBAL {
        return -libc::EINVAL;
    }
    done(registry::remove(stack))
}

/// Makes a socket, as `socket`. Without a thread of the stack's own it is one that never waits.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_socket(
    stack: c_int,
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> c_int {
    int(with(stack, |on| {
        let flags = on.socket_flags();
        on.sockets.socket(domain, kind | flags, protocol)
    }))
}

/// Closes a descriptor, as `close`. Calls that wait for it give -EBADF. Where the stack has a thread of its own, a connection
/// with `SO_LINGER` is closed once its peer has what was written, or the time is up, and is open to others until then.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_close(stack: c_int, fd: c_int) -> c_int {
    let delivered = patiently(stack, fd, Side::Close, false, |on, attempt| {
        deliver(on, fd, attempt)
    });
    done(delivered.and_then(|()| with_fd(stack, fd, |on| on.close(fd))))
}

/// Binds a socket, as `bind`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_bind(
    stack: c_int,
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    let name = unsafe { edges::name(addr, len) };
    done(with_fd(stack, fd, |on| {
        on.sockets.handle(fd)?;
        on.sockets.bind(fd, name?)
    }))
}

/// Listens, as `listen`.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_listen(stack: c_int, fd: c_int, backlog: c_int) -> c_int {
    done(with_fd(stack, fd, |on| on.sockets.listen(fd, backlog)))
}

/// Accepts a connection, as `accept`; -EAGAIN when none waits and the call does not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_accept(
    stack: c_int,
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    let room = unsafe { NameRoom::if_wanted(addr, len) };
    let accept = || {
        let (accepted, peer) = patiently(stack, fd, Side::Read, false, |on, _| {
            on.sockets.accept(on.now, fd, on.socket_flags())
        })?;
        // Where the name goes is looked at when there is one: a connection that nobody can be told of is lost.
        let told = room.and_then(|room| room.map_or(Ok(()), |room| room.write(&peer)));
        if told.is_err() {
            let _ = with_fd(stack, accepted, |on| on.close(accepted));
        }
        told.map(|()| accepted)
    };
    int(accept())
}

/// Connects, as `connect`; -EINPROGRESS when a connection is begun and the call does not wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_connect(
    stack: c_int,
    fd: c_int,
    addr: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    let name = unsafe { edges::name(addr, len) };
    let mut begun = None;
    done(of_socket(stack, fd, name).and_then(|name| {
        patiently(stack, fd, Side::Write, false, |on, _| {
            connect(on, fd, name, &mut begun)
        })
    }))
}

/// Sends a message, as `sendmsg`; -EAGAIN when there is no room and the call does not wait. One that waits sends all of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_sendmsg(
    stack: c_int,
    fd: c_int,
    msg: *const msghdr,
    flags: c_int,
) -> ssize_t {
    // SAFETY: promised by the caller.
    let message = unsafe { Outgoing::new(msg) };
    let message = of_socket(stack, fd, message);
    let hasty = flags & libc::MSG_DONTWAIT != 0;
    let mut sending = Sending::default();
    let result = message.and_then(|message| {
        patiently(stack, fd, Side::Write, hasty, |on, _| {
            send(on, fd, &message, flags, &mut sending)
        })
    });
    let Sending { sent, parts } = sending;
    size(match result {
        // The time was up, or the descriptor was closed, in the middle. Of a stack that is gone nothing is told.
        Err(_) if sent > 0 => {
            let _ = with(stack, |on| {
                on.sockets.end_message(parts);
                Ok(())
            });
            Ok(sent)
        }
        other => other,
    })
}

/// Receives a message, as `recvmsg`; -EAGAIN when there is none and the call does not wait, as it never does for the error
/// queue and for urgent data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_recvmsg(
    stack: c_int,
    fd: c_int,
    msg: *mut msghdr,
    flags: c_int,
) -> ssize_t {
    // SAFETY: promised by the caller.
    let message = unsafe { Incoming::new(msg) };
    let message = of_socket(stack, fd, message);
    let hasty = flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB) != 0;
    size(message.and_then(|mut message| {
        let mut got = 0;
        let received = patiently(stack, fd, Side::Read, hasty, |on, attempt| {
            receive(on, fd, &mut message, flags, attempt, &mut got)
        });
        let received = match received {
            // The time was up, or the descriptor was closed, in the middle.
            Err(_) if got > 0 => part(got),
            other => other?,
        };
        let name = received.name.as_deref().unwrap_or_default();
        message.write(name, &received.control, received.flags)?;
        Ok(received.bytes)
    }))
}

/// Shuts one or both halves of a socket, as `shutdown`.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_shutdown(stack: c_int, fd: c_int, how: c_int) -> c_int {
    done(with_fd(stack, fd, |on| {
        on.sockets.shutdown(on.now, fd, how)
    }))
}

/// The name that a socket is bound to, as `getsockname`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_getsockname(
    stack: c_int,
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    let room = unsafe { NameRoom::new(addr, len) };
    done(with(stack, |on| {
        let name = on.sockets.getsockname(fd)?;
        room?.write(&name)
    }))
}

/// The name that a socket is connected to, as `getpeername`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_getpeername(
    stack: c_int,
    fd: c_int,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    let room = unsafe { NameRoom::new(addr, len) };
    done(with(stack, |on| {
        let name = on.sockets.getpeername(fd)?;
        room?.write(&name)
    }))
}

/// Answers `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` and `SIOCATMARK` in the int at `arg`, and takes `FIONBIO`, as `ioctl`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_ioctl(
    stack: c_int,
    fd: c_int,
    request: c_ulong,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: promised by the caller.
    let arg = unsafe { Place::new(arg.cast()) };
    done(with_fd(stack, fd, |on| ioctl(on, fd, request, arg)))
}

/// Reads an option, as `getsockopt`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_getsockopt(
    stack: c_int,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: promised by the caller.
    let room = unsafe { edges::sized(value, len, OPTION_MOST) };
    done(with_fd(stack, fd, |on| {
        on.sockets.handle(fd)?;
        let (into, len) = room?;
        let written = on.sockets.getsockopt(fd, level, name, into)?;
        len.write(written as socklen_t)
    }))
}

/// Sets an option, as `setsockopt`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_setsockopt(
    stack: c_int,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    let value = edges::length(len).and_then(|len| {
        // SAFETY: promised by the caller.
        unsafe { edges::bytes(value, len.min(OPTION_MOST)) }
    });
    done(with_fd(stack, fd, |on| {
        on.sockets.handle(fd)?;
        on.sockets.setsockopt(on.now, fd, level, name, value?)
    }))
}

/// Says what can be done with descriptors now, as `poll` with a timeout of 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_poll(stack: c_int, fds: *mut pollfd, n: nfds_t) -> c_int {
    let count = usize::try_from(n).ok().filter(|count| *count <= MANY);
    let fds = count.ok_or(Errno::EINVAL).and_then(|count| {
        // SAFETY: promised by the caller.
        unsafe { Row::new(fds, count) }
    });
    int(with(stack, |on| Ok(poll(on, &fds?))))
}

/// Makes a descriptor that watches others, as `epoll_create1`.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_epoll_create(stack: c_int) -> c_int {
    int(with(stack, |on| on.sockets.epoll_create()))
}

/// Watches a descriptor, as `epoll_ctl`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_epoll_ctl(
    stack: c_int,
    ep: c_int,
    op: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    // SAFETY: promised by the caller.
    let event = unsafe { Place::new(event) };
    done(with_fd(stack, ep, |on| {
        let event = match op {
            libc::EPOLL_CTL_DEL => EpollEvent::default(),
            _ => {
                let epoll_event { events, u64: data } = event.read()?;
                EpollEvent { events, data }
            }
        };
        on.sockets.epoll_ctl(ep, op, fd, event)
    }))
}

/// Tells what there is now of what is watched, as `epoll_wait` with a timeout of 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_epoll_wait(
    stack: c_int,
    ep: c_int,
    events: *mut epoll_event,
    max: c_int,
) -> c_int {
    let allowed = usize::try_from(max).ok().filter(|max| *max <= EVENTS_MOST);
    let most = allowed.unwrap_or(0).min(MANY);
    // SAFETY: promised by the caller.
    let events = unsafe { Row::new(events, most) };
    int(with_fd(stack, ep, |on| wait(on, ep, &events?)))
}

/// A descriptor of the host, for its `poll` and `epoll`, that is readable as long as one of `events`, which are bits of `poll`,
/// is so of `fd`, or an error or a hang-up, and when `fd` is closed. It is the program's, to be closed by `close` and not to be
/// read. Now and then it is readable in vain.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_eventfd(stack: c_int, fd: c_int, events: c_short) -> c_int {
    int(with(stack, |on| {
        let own = on.hearers.eventfd(&mut on.sockets, fd, events)?;
        Ok(own.into_raw_fd())
    }))
}

/// Takes in an IP packet, which is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_input(stack: c_int, packet: *const c_void, len: size_t) -> c_int {
    if len > PACKET_MOST {
        return -libc::EMSGSIZE;
    }
    // SAFETY: promised by the caller.
    let packet = unsafe { edges::bytes(packet, len) };
    done(with(stack, |on| on.input(packet?)))
}

/// Copies the next IP packet, of at most the MTU, to `buf`: its length, or 0 when there is none; -EMSGSIZE, and the packet is
/// kept, when `cap` is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_output(stack: c_int, buf: *mut c_void, cap: size_t) -> ssize_t {
    // None is longer.
    let cap = cap.min(PACKET_MOST);
    // SAFETY: promised by the caller.
    let into = unsafe { edges::bytes_mut(buf, cap) };
    size(with(stack, |on| on.output(into?)))
}

/// When `run` is to be called next, in microseconds; UINT64_MAX when nothing waits for time to pass, or the stack runs by
/// itself.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_poll_at(stack: c_int) -> u64 {
    with(stack, |on| Ok(on.poll_at())).unwrap_or(u64::MAX)
}

/// Sets the clock, which never goes back, and does what is due; afterwards `poll_at` is later.
#[unsafe(no_mangle)]
pub extern "C" fn ns_stack_run(stack: c_int, now_us: u64) -> c_int {
    done(with(stack, |on| on.run(now_us)))
}

/// Sets a variable by its name in Linux, with or without `net.ipv4.`; -ENOENT for one that the stack has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_stack_sysctl(
    stack: c_int,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    // SAFETY: promised by the caller.
    let (name, value) = unsafe { (edges::text(name), edges::text(value)) };
    done(with(stack, |on| on.sysctl(name?, value?)))
}

/// An argument of a call on a descriptor. What is wrong with it matters only where that is one of a socket.
fn of_socket<T>(stack: c_int, fd: c_int, argument: Result<T, Errno>) -> Result<T, Errno> {
    if argument.is_err() {
        with(stack, |on| on.sockets.handle(fd))?;
    }
    argument
}

/// A null pointer means defaults.
///
/// # Safety
///
/// As for [`edges::text`].
pub(crate) unsafe fn opts_of<'a>(opts: *const c_char) -> Result<&'a str, Errno> {
    if opts.is_null() {
        Ok("")
    } else {
        // SAFETY: as promised.
        unsafe { edges::text(opts) }
    }
}
