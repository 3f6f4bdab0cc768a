//! The kernel's sockets as the subject: echo, discard and chargen, one thread, level-triggered; and a proxy beside them.

mod relay;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, bind, listen, recv,
    recvfrom, send, sendto, socket_with, sockopt,
};
use rustix::time::Timespec;
use slab::Slab;

use super::say_ready;

const ECHO: u16 = 7;
const DISCARD: u16 = 9;
const CHARGEN: u16 = 19;

/// Bytes for one call.
const BLOCK: usize = 128 << 10;
/// Room for datagrams that arrive while others are read.
const DATAGRAM_ROOM: usize = 4 << 20;
const BACKLOG: i32 = 1024;

/// What to do with what arrives on a descriptor.
enum Role {
    Listener(u16),
    /// What could not be sent back yet.
    Echo(Vec<u8>),
    Discard,
    Chargen,
    EchoDatagrams,
    DiscardDatagrams,
}

struct Socket {
    fd: OwnedFd,
    role: Role,
}

struct Server {
    epoll: OwnedFd,
    sockets: Slab<Socket>,
    block: Vec<u8>,
}

/// Whether a socket goes on or is done.
#[derive(PartialEq)]
enum Then {
    Keep,
    Close,
}

/// Serves until `end`.
pub(super) fn run(end: Instant) -> io::Result<()> {
    let mut server = Server {
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        sockets: Slab::new(),
        block: vec![b'y'; BLOCK],
    };
    for port in [ECHO, DISCARD, CHARGEN] {
        let listener = open(SocketType::STREAM)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        // Connections inherit it; the machine's default may pace.
        sockopt::set_tcp_congestion(&listener, "cubic")?;
        bind(&listener, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
        listen(&listener, BACKLOG)?;
        server.add(listener, Role::Listener(port), EventFlags::IN)?;
    }
    for (port, role) in [
        (ECHO, Role::EchoDatagrams),
        (DISCARD, Role::DiscardDatagrams),
    ] {
        let socket = open(SocketType::DGRAM)?;
        sockopt::set_socket_recv_buffer_size(&socket, DATAGRAM_ROOM)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
        server.add(socket, role, EventFlags::IN)?;
    }
    relay::start()?;
    say_ready()?;
    server.serve(end)
}

impl Server {
    fn add(&mut self, fd: OwnedFd, role: Role, interest: EventFlags) -> io::Result<()> {
        let key = self.sockets.insert(Socket { fd, role });
        let fd = &self.sockets[key].fd;
        Ok(epoll::add(
            &self.epoll,
            fd,
            EventData::new_u64(key as u64),
            interest,
        )?)
    }

    fn serve(&mut self, end: Instant) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let wait = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&wait),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            for event in &events {
                let key = event.data.u64() as usize;
                if self.turn(key)? == Then::Close {
                    self.sockets.try_remove(key);
                }
            }
        }
    }

    fn turn(&mut self, key: usize) -> io::Result<Then> {
        let Some(Socket { fd, role }) = self.sockets.get_mut(key) else {
            return Ok(Then::Keep);
        };
        let block = self.block.as_mut_slice();
        Ok(match role {
            Role::Listener(port) => {
                let port = *port;
                self.accept(key, port)?;
                Then::Keep
            }
            Role::Echo(pending) => {
                let was_waiting = !pending.is_empty();
                let then = echo(fd, pending, block);
                let is_waiting = !pending.is_empty();
                if is_waiting != was_waiting && then == Then::Keep {
                    let interest = if is_waiting {
                        EventFlags::OUT
                    } else {
                        EventFlags::IN
                    };
                    epoll::modify(&self.epoll, &*fd, EventData::new_u64(key as u64), interest)?;
                }
                then
            }
            Role::Discard => finish(recv(&*fd, block, RecvFlags::empty()).map(|(bytes, _)| bytes)),
            Role::Chargen => chargen(fd, block),
            Role::EchoDatagrams => {
                while let Ok((bytes, _, Some(peer))) =
                    recvfrom(&*fd, &mut *block, RecvFlags::empty())
                {
                    // A datagram may get lost.
                    let _ = sendto(&*fd, &block[..bytes], SendFlags::empty(), &peer);
                }
                Then::Keep
            }
            Role::DiscardDatagrams => {
                while recv(&*fd, &mut *block, RecvFlags::empty()).is_ok() {}
                Then::Keep
            }
        })
    }

    fn accept(&mut self, key: usize, port: u16) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(connection) = accept_with(&self.sockets[key].fd, flags) {
            sockopt::set_tcp_nodelay(&connection, true)?;
            let (role, interest) = match port {
                ECHO => (Role::Echo(Vec::new()), EventFlags::IN),
                DISCARD => (Role::Discard, EventFlags::IN),
                _ => (Role::Chargen, EventFlags::IN | EventFlags::OUT),
            };
            self.add(connection, role, interest)?;
        }
        Ok(())
    }
}

/// Sends back what has come. What cannot be sent yet is kept, and nothing more is received until it is gone.
fn echo(fd: &OwnedFd, pending: &mut Vec<u8>, block: &mut [u8]) -> Then {
    loop {
        if !pending.is_empty() {
            match send(fd, pending, SendFlags::NOSIGNAL) {
                Ok(bytes) => drop(pending.drain(..bytes)),
                Err(Errno::AGAIN) => return Then::Keep,
                Err(_) => return Then::Close,
            }
            continue;
        }
        let bytes = match recv(fd, &mut *block, RecvFlags::empty()) {
            Ok((bytes @ 1.., _)) => bytes,
            other => return finish(other.map(|(bytes, _)| bytes)),
        };
        let sent = match send(fd, &block[..bytes], SendFlags::NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::AGAIN) => 0,
            Err(_) => return Then::Close,
        };
        pending.extend_from_slice(&block[sent..bytes]);
        if bytes < block.len() && pending.is_empty() {
            return Then::Keep;
        }
    }
}

/// Sends a block; looks for the end of the connection, too.
fn chargen(fd: &OwnedFd, block: &[u8]) -> Then {
    let mut byte = [0];
    if finish(recv(fd, &mut byte, RecvFlags::empty()).map(|(bytes, _)| bytes)) == Then::Close {
        return Then::Close;
    }
    match send(fd, block, SendFlags::NOSIGNAL) {
        Ok(_) | Err(Errno::AGAIN) => Then::Keep,
        Err(_) => Then::Close,
    }
}

fn finish(received: rustix::io::Result<usize>) -> Then {
    match received {
        Ok(1..) | Err(Errno::AGAIN) => Then::Keep,
        Ok(0) | Err(_) => Then::Close,
    }
}

fn open(kind: SocketType) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::INET, kind, flags, None)?)
}
