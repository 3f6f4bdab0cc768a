//! What calls do that have more than one argument in memory, and what calls return.

use core::ffi::{c_int, c_ulong, c_void};

use libc::{epoll_event, msghdr, nfds_t, pollfd, sockaddr, socklen_t, ssize_t};
use netstack_sockets::{EpollEvent, Errno, MessageHead, PollFd, SockAddr};
use txbuf::IovIter;

use crate::edges;
use crate::instance::Instance;

/// The longest IP packet.
pub(crate) const PACKET_MOST: usize = 65_535;
/// No option's value is longer.
pub(crate) const OPTION_MOST: usize = 4096;
/// The longest name: `struct sockaddr_storage`.
const NAME_MOST: usize = 128;
/// The most bytes of control messages (`net.core.optmem_max`).
const CONTROL_MOST: usize = 128 << 10;
/// Descriptors and events that one call looks at.
const MANY: usize = 1 << 20;

/// A result as an int: nothing is 0.
pub(crate) fn done(result: Result<(), Errno>) -> c_int {
    int(result.map(|()| 0))
}

/// A result as an int.
pub(crate) fn int(result: Result<i32, Errno>) -> c_int {
    result.unwrap_or_else(|error| -error.raw())
}

/// A result as a size.
pub(crate) fn size(result: Result<usize, Errno>) -> ssize_t {
    match result {
        Ok(size) => ssize_t::try_from(size).unwrap_or(ssize_t::MAX),
        // No error has so great a number that it would not fit.
        Err(error) => -(error.raw() as ssize_t),
    }
}

/// The bytes of a name.
pub(crate) fn name_of<'a>(addr: *const sockaddr, len: socklen_t) -> Result<&'a [u8], Errno> {
    let len = usize::try_from(len as i32).map_err(|_| Errno::EINVAL)?;
    if len > NAME_MOST {
        return Err(Errno::EINVAL);
    }
    edges::bytes(addr.cast(), len)
}

/// How much of a name may be written, if it is wanted.
pub(crate) fn room_for_name(
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> Result<Option<usize>, Errno> {
    if addr.is_null() {
        return Ok(None);
    }
    let room = edges::read(len)?;
    let room = usize::try_from(room as i32).map_err(|_| Errno::EINVAL)?;
    Ok(Some(room.min(NAME_MOST)))
}

/// Writes as much of a name as there is room for, and its length.
pub(crate) fn write_name(
    addr: *mut sockaddr,
    len: *mut socklen_t,
    room: Option<usize>,
    name: &SockAddr,
) -> Result<(), Errno> {
    let Some(room) = room else {
        return Ok(());
    };
    copy(name, edges::bytes_mut(addr.cast(), room.min(name.len()))?);
    edges::write(len, name.len() as socklen_t)
}

/// Writes a name that is all that is asked for.
pub(crate) fn give_name(
    name: &SockAddr,
    addr: *mut sockaddr,
    len: *mut socklen_t,
) -> Result<(), Errno> {
    let room = edges::read(len)?;
    let room = usize::try_from(room as i32).map_err(|_| Errno::EINVAL)?;
    if addr.is_null() && room > 0 {
        return Err(Errno::EFAULT);
    }
    write_name(addr, len, Some(room.min(NAME_MOST)), name)
}

pub(crate) fn send(
    on: &mut Instance,
    fd: c_int,
    msg: *const msghdr,
    flags: c_int,
) -> Result<usize, Errno> {
    let message = edges::read(msg)?;
    let len = usize::try_from(message.msg_namelen as i32).map_err(|_| Errno::EINVAL)?;
    let name = match len.min(NAME_MOST) {
        0 => None,
        _ if message.msg_name.is_null() => None,
        len => Some(edges::bytes(message.msg_name, len)?),
    };
    let control = control_len(&message)?;
    let head = MessageHead {
        name,
        control: edges::bytes(message.msg_control, control)?,
        token: None,
    };
    let vectors = edges::vectors(&message)?;
    on.sockets
        .sendmsg(fd, &mut IovIter::source(&vectors), &head, flags)
}

pub(crate) fn receive(
    on: &mut Instance,
    fd: c_int,
    msg: *mut msghdr,
    flags: c_int,
) -> Result<usize, Errno> {
    let mut message = edges::read(msg.cast_const())?;
    let name_room = usize::try_from(message.msg_namelen as i32).map_err(|_| Errno::EINVAL)?;
    let control_room = control_len(&message)?;
    let control = edges::bytes_mut(message.msg_control, control_room)?;
    let mut vectors = edges::vectors_mut(&message)?;
    let mut into = IovIter::sink(&mut vectors);
    let received = on.sockets.recvmsg(fd, &mut into, control_room, flags)?;
    if !message.msg_name.is_null() {
        let name = received.name.as_deref().unwrap_or_default();
        let room = name_room.min(name.len());
        copy(name, edges::bytes_mut(message.msg_name, room)?);
        message.msg_namelen = name.len() as socklen_t;
    }
    copy(&received.control, control);
    message.msg_controllen = received.control.len() as _;
    message.msg_flags = received.flags;
    edges::write(msg, message)?;
    Ok(received.bytes)
}

pub(crate) fn ioctl(
    on: &mut Instance,
    fd: c_int,
    request: c_ulong,
    arg: *mut c_void,
) -> Result<(), Errno> {
    let arg: *mut c_int = arg.cast();
    let argument = match request {
        libc::FIONBIO => edges::read(arg.cast_const())?,
        _ => 0,
    };
    match on.sockets.ioctl(on.now, fd, request, argument)? {
        Some(number) => edges::write(arg, number),
        None => Ok(()),
    }
}

pub(crate) fn poll(on: &mut Instance, fds: *mut pollfd, n: nfds_t) -> Result<i32, Errno> {
    let count = usize::try_from(n)
        .ok()
        .filter(|count| *count <= MANY)
        .ok_or(Errno::EINVAL)?;
    let mut all = edges::read_all(fds.cast_const(), count)?;
    let mut polled: Vec<_> = all
        .iter()
        .map(|one| PollFd {
            fd: one.fd,
            events: one.events,
            revents: 0,
        })
        .collect();
    let ready = on.sockets.poll(&mut polled);
    for (one, polled) in all.iter_mut().zip(&polled) {
        one.revents = polled.revents;
    }
    edges::write_all(fds, &all)?;
    Ok(i32::try_from(ready).unwrap_or(i32::MAX))
}

pub(crate) fn wait(
    on: &mut Instance,
    ep: c_int,
    events: *mut epoll_event,
    max: c_int,
) -> Result<i32, Errno> {
    let most = usize::try_from(max).unwrap_or(0).min(MANY);
    if most > 0 && events.is_null() {
        return Err(Errno::EFAULT);
    }
    let open = on.sockets.descriptors().len();
    let mut told = vec![EpollEvent::default(); most.min(open)];
    let count = on.sockets.epoll_wait(ep, &mut told)?;
    let written: Vec<_> = told
        .iter()
        .take(count)
        .map(|event| epoll_event {
            events: event.events,
            u64: event.data,
        })
        .collect();
    edges::write_all(events, &written)?;
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

fn control_len(message: &msghdr) -> Result<usize, Errno> {
    // A size that differs between C libraries.
    #[allow(clippy::unnecessary_cast)]
    let len = message.msg_controllen as usize;
    if len > CONTROL_MOST {
        return Err(Errno::ENOBUFS);
    }
    Ok(len)
}

/// Copies as much as both have.
fn copy(from: &[u8], into: &mut [u8]) {
    let len = from.len().min(into.len());
    if let (Some(from), Some(into)) = (from.get(..len), into.get_mut(..len)) {
        into.copy_from_slice(from);
    }
}
