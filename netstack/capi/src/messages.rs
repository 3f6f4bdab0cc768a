//! What calls do that have more than one argument in memory, and what calls return.

use core::ffi::{c_int, c_ulong};
use core::mem::take;

use libc::{epoll_event, pollfd, ssize_t};
use netstack_core::SocketId;
use netstack_sockets::{EpollEvent, Errno, MessageHead, Parts, PollFd, ReceivedMessage};
use txbuf::IovIter;

use crate::edges::{Incoming, Outgoing, Place, Row};
use crate::instance::Instance;
use crate::waiting::Try;

/// The longest IP packet.
pub(crate) const PACKET_MOST: usize = 65_535;
/// No option's value is longer.
pub(crate) const OPTION_MOST: usize = 4096;
/// Descriptors and events that one call looks at.
pub(crate) const MANY: usize = 1 << 20;
/// The most events that a program may ask for, as Linux has it.
pub(crate) const EVENTS_MOST: usize = i32::MAX as usize / size_of::<epoll_event>();

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

/// A message that is being sent.
#[derive(Default)]
pub(crate) struct Sending {
    /// Bytes of it that are sent.
    pub(crate) sent: usize,
    pub(crate) parts: Parts,
}

/// Sends what is left of a message. Where the call waits, all of it is to be sent: then [`Errno::EAGAIN`] says that some is
/// left.
pub(crate) fn send(
    on: &mut Instance,
    fd: c_int,
    message: &Outgoing<'_>,
    flags: c_int,
    sending: &mut Sending,
) -> Result<usize, Errno> {
    let result = send_parts(on, fd, message, flags, sending);
    if result.is_ok() {
        on.sockets.end_message(take(&mut sending.parts));
    }
    result
}

fn send_parts(
    on: &mut Instance,
    fd: c_int,
    message: &Outgoing<'_>,
    flags: c_int,
    Sending { sent, parts }: &mut Sending,
) -> Result<usize, Errno> {
    let head = MessageHead {
        name: message.name,
        control: message.control,
        token: None,
    };
    let waits = on.waits(fd)? && flags & libc::MSG_DONTWAIT == 0;
    let mut from = IovIter::source(&message.vectors);
    from.advance(*sent).map_err(|_| Errno::EINVAL)?;
    loop {
        if *sent > 0 && on.has_failed(fd) {
            return Ok(*sent);
        }
        // Only its first bytes begin a connection.
        let flags = match *sent {
            0 => flags,
            _ => flags & !libc::MSG_FASTOPEN,
        };
        match on.sockets.sendmsg_part(fd, &mut from, &head, flags, parts) {
            Ok(more) => *sent += more,
            Err(Errno::EAGAIN | Errno::ENOBUFS) if waits => return Err(Errno::EAGAIN),
            // What was sent before is told first.
            Err(_) if *sent > 0 => return Ok(*sent),
            Err(error) => return Err(error),
        }
        if !waits || from.remaining() == 0 {
            return Ok(*sent);
        }
    }
}

/// Receives what is missing of a message of which `got` bytes are there; what comes with it is for [`Incoming::write`].
/// Where the call waits for all of it, [`Errno::EAGAIN`] says that some is missing: of a stream, more than its buffer holds
/// comes in parts.
pub(crate) fn receive(
    on: &mut Instance,
    fd: c_int,
    message: &mut Incoming<'_>,
    flags: c_int,
    attempt: Try,
    got: &mut usize,
) -> Result<ReceivedMessage, Errno> {
    let flags = match attempt {
        // Not all has come in time: what there is has to do.
        Try::Last => (flags & !libc::MSG_WAITALL) | libc::MSG_DONTWAIT,
        Try::First | Try::Again => flags,
    };
    let once = libc::MSG_DONTWAIT | libc::MSG_PEEK | libc::MSG_ERRQUEUE;
    let all = flags & (libc::MSG_WAITALL | once) == libc::MSG_WAITALL;
    let all = all && on.waits(fd)? && on.sockets.is_stream(fd)?;
    let room = message.control_room();
    let mut into = IovIter::sink(&mut message.vectors);
    into.advance(*got).map_err(|_| Errno::EINVAL)?;
    loop {
        // What is behind an urgent byte is not read together with what is before it.
        if *got > 0 && (on.has_failed(fd) || on.sockets.is_at_mark(fd)?) {
            return Ok(part(*got));
        }
        let received = on.sockets.recvmsg(fd, &mut into, room, flags)?;
        *got += received.bytes;
        let over = received.bytes == 0 || into.remaining() == 0;
        if !all || over {
            return Ok(ReceivedMessage {
                bytes: *got,
                ..received
            });
        }
        // What was thrown away (`MSG_TRUNC`) was not put there.
        let skipped = received.bytes.saturating_sub(received.taken);
        into.advance(skipped).map_err(|_| Errno::EINVAL)?;
    }
}

/// A message of which nothing is known but how long it is.
pub(crate) fn part(bytes: usize) -> ReceivedMessage {
    ReceivedMessage {
        bytes,
        ..ReceivedMessage::default()
    }
}

/// Has the peer of a connection that lingers (`SO_LINGER`) get what was written, and the end behind it; [`Errno::EAGAIN`]
/// says that it has not all yet.
pub(crate) fn deliver(on: &mut Instance, fd: c_int, attempt: Try) -> Result<(), Errno> {
    if on.sockets.lingers(fd)?.is_none() || attempt == Try::Last {
        return Ok(());
    }
    if attempt == Try::First {
        // One that is over already has nothing to deliver.
        let _ = on.sockets.shutdown(on.now, fd, libc::SHUT_WR);
    }
    match on.sockets.is_delivered(fd)? {
        true => Ok(()),
        false => Err(Errno::EAGAIN),
    }
}

/// Connects; a call that waits is told how it went. `begun` is the connection that it waits for, once there is one.
pub(crate) fn connect(
    on: &mut Instance,
    fd: c_int,
    name: &[u8],
    begun: &mut Option<SocketId>,
) -> Result<(), Errno> {
    if begun.is_some() && on.sockets.handle(fd)? != *begun {
        // It was shut, or somebody else heard how it failed: another one is not begun.
        return Err(Errno::ECONNABORTED);
    }
    match on.sockets.connect(on.now, fd, name) {
        // Somebody else asked first how it went.
        Err(Errno::EISCONN) if begun.is_some() => Ok(()),
        Err(error @ (Errno::EINPROGRESS | Errno::EALREADY)) => {
            *begun = on.sockets.handle(fd)?;
            Err(error)
        }
        other => other,
    }
}

pub(crate) fn ioctl(
    on: &mut Instance,
    fd: c_int,
    request: c_ulong,
    arg: Place<c_int>,
) -> Result<(), Errno> {
    // The kernel looks at no more of it.
    let argument = match request & c_ulong::from(u32::MAX) {
        libc::FIONBIO | libc::FIOASYNC => {
            // Whether there is such a descriptor is said first.
            on.sockets.is_nonblocking(fd)?;
            arg.read()?
        }
        _ => 0,
    };
    match on.sockets.ioctl(on.now, fd, request, argument)? {
        Some(number) => arg.write(number),
        None => Ok(()),
    }
}

pub(crate) fn poll(on: &mut Instance, fds: &Row<pollfd>) -> i32 {
    let mut all = fds.read();
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
    fds.write(&all);
    i32::try_from(ready).unwrap_or(i32::MAX)
}

pub(crate) fn wait(on: &mut Instance, ep: c_int, events: &Row<epoll_event>) -> Result<i32, Errno> {
    // Room for no more than there is to tell, but for one, where that is nothing: none would be an error.
    let listed = on.sockets.epoll_listed(ep)?.max(1);
    let mut told = vec![EpollEvent::default(); events.len().min(listed)];
    let count = on.sockets.epoll_wait(ep, &mut told)?;
    let written: Vec<_> = told
        .iter()
        .take(count)
        .map(|event| epoll_event {
            events: event.events,
            u64: event.data,
        })
        .collect();
    events.write(&written);
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}
