//! The kernel's sockets.

use crate::host::{Host, Message, Result};
use std::io;

/// The kernel, in the network namespace of the calling thread.
pub(crate) struct OnKernel;

/// A result that is not negative, or the thread's errno.
fn told(value: i64) -> Result<i64> {
    if value >= 0 {
        return Ok(value);
    }
    Err(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

fn vector(bytes: &[u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    }
}

fn empty() -> libc::msghdr {
    // SAFETY: a structure of numbers and pointers, for which all zeroes mean nothing.
    unsafe { std::mem::zeroed() }
}

fn len_of(bytes: &[u8]) -> libc::socklen_t {
    libc::socklen_t::try_from(bytes.len()).expect("a short name")
}

impl Host for OnKernel {
    /// Its ephemeral ports are none of those that cases want.
    fn forget(&mut self) {}

    fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<i32> {
        // SAFETY: takes no memory.
        let made = unsafe { libc::socket(domain, kind | libc::SOCK_NONBLOCK, protocol) };
        told(made.into()).map(|_| made)
    }

    fn close(&mut self, fd: i32) -> Result<()> {
        // SAFETY: takes no memory; the descriptor is one of the test's own, or none.
        told(unsafe { libc::close(fd) }.into()).map(|_| ())
    }

    fn bind(&mut self, fd: i32, name: &[u8]) -> Result<()> {
        // SAFETY: the name is alive and as long as is said.
        told(unsafe { libc::bind(fd, name.as_ptr().cast(), len_of(name)) }.into()).map(|_| ())
    }

    fn listen(&mut self, fd: i32, backlog: i32) -> Result<()> {
        // SAFETY: takes no memory.
        told(unsafe { libc::listen(fd, backlog) }.into()).map(|_| ())
    }

    fn accept(&mut self, fd: i32) -> Result<i32> {
        let nowhere = std::ptr::null_mut();
        // SAFETY: a null pointer means that no name is wanted.
        let made = unsafe { libc::accept4(fd, nowhere, std::ptr::null_mut(), libc::SOCK_NONBLOCK) };
        told(made.into()).map(|_| made)
    }

    fn connect(&mut self, fd: i32, name: &[u8]) -> Result<()> {
        // SAFETY: the name is alive and as long as is said.
        told(unsafe { libc::connect(fd, name.as_ptr().cast(), len_of(name)) }.into()).map(|_| ())
    }

    fn shutdown(&mut self, fd: i32, how: i32) -> Result<()> {
        // SAFETY: takes no memory.
        told(unsafe { libc::shutdown(fd, how) }.into()).map(|_| ())
    }

    fn send(&mut self, fd: i32, bytes: &[u8], flags: i32, name: Option<&[u8]>) -> Result<usize> {
        let flags = flags | libc::MSG_NOSIGNAL;
        let (to, len) = name.map_or((std::ptr::null(), 0), |name| {
            (name.as_ptr().cast(), len_of(name))
        });
        // SAFETY: bytes and name are alive and as long as is said.
        let sent = unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), flags, to, len) };
        told(sent as i64).map(|sent| sent as usize)
    }

    fn receive(&mut self, fd: i32, len: usize, flags: i32) -> Result<(usize, Vec<u8>)> {
        let mut buffer = vec![0u8; len];
        // SAFETY: the buffer is alive and as long as is said.
        let got = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), len, flags) };
        let got = told(got as i64)? as usize;
        let is_stream = self.get(fd, libc::SOL_SOCKET, libc::SO_TYPE, 4)? == 1i32.to_ne_bytes();
        // On a stream nothing is copied then.
        let taken = match flags & libc::MSG_TRUNC != 0 && is_stream {
            true => 0,
            false => got.min(len),
        };
        buffer.truncate(taken);
        Ok((got, buffer))
    }

    fn send_message(
        &mut self,
        fd: i32,
        bytes: &[u8],
        name: Option<&[u8]>,
        control: &[u8],
        flags: i32,
    ) -> Result<usize> {
        let mut vector = vector(bytes);
        let mut message = empty();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        if let Some(name) = name {
            message.msg_name = name.as_ptr().cast_mut().cast();
            message.msg_namelen = len_of(name);
        }
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len();
        // SAFETY: all that the message points to is alive and as long as is said, and only read.
        let sent = unsafe { libc::sendmsg(fd, &raw const message, flags | libc::MSG_NOSIGNAL) };
        told(sent as i64).map(|sent| sent as usize)
    }

    fn receive_message(&mut self, fd: i32, len: usize, room: usize, flags: i32) -> Result<Message> {
        let (mut buffer, mut name, mut control) = (vec![0; len], vec![0u8; 128], vec![0u8; room]);
        let mut vector = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: len,
        };
        let mut message = empty();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_name = name.as_mut_ptr().cast();
        message.msg_namelen = len_of(&name);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = room;
        // SAFETY: all that the message points to is alive, as long as is said, and nobody else's.
        let got = unsafe { libc::recvmsg(fd, &raw mut message, flags) };
        let returned = told(got as i64)? as usize;
        buffer.truncate(returned);
        name.truncate(message.msg_namelen as usize);
        control.truncate(message.msg_controllen);
        Ok(Message {
            returned,
            bytes: buffer,
            name,
            control,
            flags: message.msg_flags,
        })
    }

    fn own_name(&mut self, fd: i32) -> Result<Vec<u8>> {
        named(|name, len| {
            // SAFETY: both are alive, and the length is that of the buffer.
            unsafe { libc::getsockname(fd, name, len) }
        })
    }

    fn peer_name(&mut self, fd: i32) -> Result<Vec<u8>> {
        named(|name, len| {
            // SAFETY: both are alive, and the length is that of the buffer.
            unsafe { libc::getpeername(fd, name, len) }
        })
    }

    fn get(&mut self, fd: i32, level: i32, name: i32, len: usize) -> Result<Vec<u8>> {
        let mut into = vec![0u8; len];
        let mut len = len_of(&into);
        // SAFETY: both are alive, and the length is that of the buffer.
        let got =
            unsafe { libc::getsockopt(fd, level, name, into.as_mut_ptr().cast(), &raw mut len) };
        told(got.into())?;
        into.truncate(len as usize);
        Ok(into)
    }

    fn set(&mut self, fd: i32, level: i32, name: i32, value: &[u8]) -> Result<()> {
        // SAFETY: the value is alive and as long as is said.
        let set =
            unsafe { libc::setsockopt(fd, level, name, value.as_ptr().cast(), len_of(value)) };
        told(set.into()).map(|_| ())
    }

    fn poll(&mut self, fd: i32, events: i16) -> i16 {
        let mut one = libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        // SAFETY: one structure, which is alive.
        unsafe { libc::poll(&raw mut one, 1, 0) };
        one.revents
    }

    fn ioctl_with(&mut self, fd: i32, request: u64, argument: i32) -> Result<i32> {
        let mut value = [argument, 0, 0, 0];
        // SAFETY: the requests of the tests write an int, or a time.
        let done = unsafe { libc::ioctl(fd, request, value.as_mut_ptr()) };
        told(done.into()).map(|_| value[0])
    }

    fn epoll(&mut self) -> Result<i32> {
        // SAFETY: takes no memory.
        let made = unsafe { libc::epoll_create1(0) };
        told(made.into()).map(|_| made)
    }
}

fn named(call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> i32) -> Result<Vec<u8>> {
    let mut name = vec![0u8; 128];
    let mut len = len_of(&name);
    told(call(name.as_mut_ptr().cast(), &raw mut len).into())?;
    name.truncate(len as usize);
    Ok(name)
}
