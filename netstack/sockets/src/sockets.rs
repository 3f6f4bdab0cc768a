//! A stack with descriptors.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;

use netstack_core::{Instant, SocketId, Stack};

use crate::Errno;
use crate::datagram::Datagram;
use crate::epoll::wakes;
use crate::files::{File, Files, Object};
use crate::options::Options;
use crate::stream::Stream;

/// How descriptors are numbered, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The lowest number.
    pub first: i32,
    /// The most that are open at a time.
    pub files: usize,
    /// The greatest size that a program may set a buffer to, before it is doubled (`net.core.rmem_max`).
    pub receive_buffer: usize,
    /// Likewise for sending (`net.core.wmem_max`).
    pub send_buffer: usize,
    /// The most connections that may wait to be accepted (`net.core.somaxconn`).
    pub backlog: usize,
    /// What the time of day was when the stack's clock was zero, since the beginning of 1970: for receive timestamps.
    pub epoch: Duration,
}

impl Default for Limits {
    /// As Linux has them, but for the number of descriptors: a million.
    fn default() -> Limits {
        Limits {
            first: 3,
            files: 1 << 20,
            receive_buffer: 212_992,
            send_buffer: 212_992,
            backlog: 4096,
            epoch: Duration::ZERO,
        }
    }
}

/// A stack, and descriptors on it.
///
/// No call waits: what would have to gives [`Errno::EAGAIN`] or [`Errno::EINPROGRESS`]. A front end that waits for its
/// caller tries again when [`poll`](Self::poll) or [`epoll_wait`](Self::epoll_wait) say so; whether it should is kept for
/// it ([`is_nonblocking`](Self::is_nonblocking)).
///
/// Packets and the time are given to the stack itself ([`stack_mut`](Self::stack_mut)), whose events belong to the
/// descriptors: nobody else should take them.
pub struct Sockets {
    pub(crate) stack: Stack,
    pub(crate) files: Files,
    pub(crate) limits: Limits,
    /// What sockets begin with, where a variable says otherwise than Linux does.
    pub(crate) defaults: Options,
    /// Whose descriptor a socket of the stack is.
    pub(crate) owners: HashMap<SocketId, i32>,
    /// Descriptors that something happened to, of those that are followed; each once.
    pub(crate) news: Vec<i32>,
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Sockets {
    /// Descriptors on a stack, none of them open.
    pub fn new(stack: Stack) -> Sockets {
        Sockets::with_limits(stack, Limits::default())
    }

    /// As [`new`](Self::new), with limits.
    pub fn with_limits(stack: Stack, limits: Limits) -> Sockets {
        Sockets {
            stack,
            files: Files::new(limits.first, limits.files),
            limits,
            defaults: Options::default(),
            owners: HashMap::new(),
            news: Vec::new(),
        }
    }

    /// The stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The stack, for packets, the time and its configuration.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// The stack's own handle of what a descriptor is open on, for what descriptors cannot do; `None` before there is one.
    ///
    /// # Errors
    ///
    /// Not a descriptor of a socket.
    pub fn handle(&self, fd: i32) -> Result<Option<SocketId>, Errno> {
        match &self.files.get(fd)?.object {
            Object::Stream(stream) => Ok(stream.id()),
            Object::Datagram(datagram) => Ok(datagram.id),
            Object::Packet(packet) => Ok(Some(packet.id)),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    /// Whether a descriptor is of a socket of a stream.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn is_stream(&self, fd: i32) -> Result<bool, Errno> {
        Ok(matches!(self.files.get(fd)?.object, Object::Stream(_)))
    }

    /// Every open descriptor.
    pub fn descriptors(&self) -> Vec<i32> {
        self.files.all()
    }

    /// Whether a front end that would wait for this descriptor does not.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn is_nonblocking(&self, fd: i32) -> Result<bool, Errno> {
        Ok(self.files.get(fd)?.nonblocking)
    }

    /// Sets [`is_nonblocking`](Self::is_nonblocking) (`O_NONBLOCK`).
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn set_nonblocking(&mut self, fd: i32, nonblocking: bool) -> Result<(), Errno> {
        self.files.get_mut(fd)?.nonblocking = nonblocking;
        Ok(())
    }

    /// Closes a descriptor: its number may be given to the next one. A connection delivers what was written in the
    /// background, or is reset at once if [lingering](libc::SO_LINGER) for no time was asked for.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn close(&mut self, now: Instant, fd: i32) -> Result<(), Errno> {
        // What happened to it before is nobody's news afterwards.
        self.take_events();
        let file = self.files.remove(fd)?;
        self.forget_interest(fd, &file.watchers);
        if file.has_news {
            self.news.retain(|news| *news != fd);
        }
        match file.object {
            Object::Stream(stream) => self.close_stream(now, *stream),
            Object::Datagram(datagram) => {
                if let Some(id) = datagram.id {
                    self.owners.remove(&id);
                    self.stack.close(now, id);
                }
            }
            Object::Packet(packet) => {
                self.owners.remove(&packet.id);
                self.stack.close(now, packet.id);
            }
            Object::Epoll(epoll) => {
                for watched in epoll.watched() {
                    if let Ok(file) = self.files.get_mut(watched) {
                        file.watchers.remove(&fd);
                    }
                }
            }
        }
        Ok(())
    }

    /// Passes what happened in the stack on to those that watch it.
    pub(crate) fn take_events(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            if let Some(fd) = self.owners.get(&event.socket).copied() {
                if event.completed {
                    self.fetch_completion(fd, event.socket);
                }
                self.wake(fd, wakes(&event));
            }
        }
    }

    pub(crate) fn stream(&self, fd: i32) -> Result<&Stream, Errno> {
        match &self.files.get(fd)?.object {
            Object::Stream(stream) => Ok(stream),
            Object::Datagram(_) | Object::Packet(_) => Err(Errno::EOPNOTSUPP),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    pub(crate) fn stream_mut(&mut self, fd: i32) -> Result<&mut Stream, Errno> {
        match &mut self.files.get_mut(fd)?.object {
            Object::Stream(stream) => Ok(stream),
            Object::Datagram(_) | Object::Packet(_) => Err(Errno::EOPNOTSUPP),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    pub(crate) fn datagram(&self, fd: i32) -> Result<&Datagram, Errno> {
        match &self.files.get(fd)?.object {
            Object::Datagram(datagram) => Ok(datagram),
            Object::Stream(_) | Object::Packet(_) => Err(Errno::EOPNOTSUPP),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    pub(crate) fn datagram_mut(&mut self, fd: i32) -> Result<&mut Datagram, Errno> {
        match &mut self.files.get_mut(fd)?.object {
            Object::Datagram(datagram) => Ok(datagram),
            Object::Stream(_) | Object::Packet(_) => Err(Errno::EOPNOTSUPP),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    /// What a program has set of a socket.
    pub(crate) fn options(&self, fd: i32) -> Result<&Options, Errno> {
        match &self.files.get(fd)?.object {
            Object::Stream(stream) => Ok(&stream.options),
            Object::Datagram(datagram) => Ok(&datagram.options),
            Object::Packet(packet) => Ok(&packet.options),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    /// Opens a descriptor.
    pub(crate) fn open(&mut self, object: Object, nonblocking: bool) -> Result<i32, Errno> {
        self.files.insert(File::new(object, nonblocking))
    }
}
