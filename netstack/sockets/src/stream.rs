//! Sockets of streams: their states, as Linux moves between them.

use std::net::SocketAddr;

use netstack_core::{HeldPort, How, Instant, SocketId, TcpState};

use crate::address::{Domain, SockAddr, Target, to_bind, to_connect};
use crate::create::Shut;
use crate::files::Object;
use crate::options::Options;
use crate::{Errno, Sockets};

/// A socket of a stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) domain: Domain,
    pub(crate) state: StreamState,
    /// The port that was bound, until the socket listens on it.
    held: Option<HeldPort>,
    /// What the program bound it to, if it did.
    bound: Option<SocketAddr>,
    pub(crate) shut: Shut,
    pub(crate) options: Options,
}

/// What a stream socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamState {
    /// Neither listening nor connected.
    Fresh,
    Listening(SocketId),
    /// A connection was begun, and nobody was told yet how it went.
    Connecting(SocketId),
    Connected(SocketId),
}

impl Stream {
    pub(crate) fn new(domain: Domain) -> Stream {
        Stream {
            domain,
            state: StreamState::Fresh,
            held: None,
            bound: None,
            shut: Shut::default(),
            options: Options::default(),
        }
    }

    /// The stack's socket.
    pub(crate) fn id(&self) -> Option<SocketId> {
        match self.state {
            StreamState::Fresh => None,
            StreamState::Listening(id)
            | StreamState::Connecting(id)
            | StreamState::Connected(id) => Some(id),
        }
    }

    /// The stack's socket of a connection, begun or made.
    pub(crate) fn connection(&self) -> Option<SocketId> {
        match self.state {
            StreamState::Connecting(id) | StreamState::Connected(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it holds a port.
    pub(crate) fn is_bound(&self) -> bool {
        self.held.is_some()
    }

    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.state, StreamState::Listening(_))
    }
}

impl Sockets {
    /// Listens; on a port of the stack's choice if the socket is not bound. On a socket that listens it changes the
    /// backlog.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` for a socket of datagrams, `EINVAL` for one with a connection, `EADDRINUSE`.
    pub fn listen(&mut self, fd: i32, backlog: i32) -> Result<(), Errno> {
        let backlog = usize::try_from(backlog)
            .unwrap_or(usize::MAX)
            .min(self.limits.backlog)
            + 1;
        let stream = self.stream_mut(fd)?;
        match stream.state {
            StreamState::Fresh => {}
            StreamState::Listening(id) => {
                return Ok(self.stack.tcp_set_backlog(id, backlog)?);
            }
            _ => return Err(Errno::EINVAL),
        }
        let domain = stream.domain;
        let held = stream.held.take();
        let bound = stream.bound;
        let local = held.as_ref().map_or(domain.unspecified(), HeldPort::local);
        if let Some(held) = held {
            self.stack.tcp_give_back(held);
        }
        match self.stack.tcp_listen(local, backlog) {
            Ok(id) => {
                self.owners.insert(id, fd);
                let stream = self.stream_mut(fd)?;
                stream.state = StreamState::Listening(id);
                stream.shut = Shut::default();
                Ok(())
            }
            Err(error) => {
                let held = bound.and_then(|_| self.stack.tcp_hold(local).ok());
                self.stream_mut(fd)?.held = held;
                Err(error.into())
            }
        }
    }

    /// Takes the connection that has waited longest, and tells its peer. `flags` may have `SOCK_NONBLOCK` and
    /// `SOCK_CLOEXEC`. Options of the listener pass on.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when none waits; `EINVAL` for a socket that does not listen, `EOPNOTSUPP` for one of datagrams; `EMFILE`.
    pub fn accept(&mut self, now: Instant, fd: i32, flags: i32) -> Result<(i32, SockAddr), Errno> {
        if flags & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) != 0 {
            self.files.get(fd)?;
            return Err(Errno::EINVAL);
        }
        let listener = self.stream(fd)?;
        let StreamState::Listening(id) = listener.state else {
            return Err(Errno::EINVAL);
        };
        let mut accepted = Stream::new(listener.domain);
        accepted.options = listener.options.clone();
        // The number first: without one the connection goes on waiting.
        let made = self.open(
            Object::Stream(accepted.into()),
            flags & libc::SOCK_NONBLOCK != 0,
        )?;
        let (connection, peer) = match self.stack.tcp_accept(id) {
            Ok(accepted) => accepted,
            Err(error) => {
                self.files.remove(made)?;
                return Err(error.into());
            }
        };
        self.owners.insert(connection, made);
        let stream = self.stream_mut(made)?;
        stream.state = StreamState::Connected(connection);
        let name = stream.domain.write(peer);
        let options = stream.options.to_apply();
        for option in options {
            // One that the connection does not take was refused when it was set.
            let _ = self.stack.set_option(now, connection, option);
        }
        Ok((made, name))
    }

    pub(crate) fn bind_stream(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let stream = self.stream(fd)?;
        let v6_only = stream.options.v6_only();
        let wanted = to_bind(stream.domain, v6_only, name)?;
        if stream.state != StreamState::Fresh || stream.held.is_some() {
            return Err(Errno::EINVAL);
        }
        let held = self.stack.tcp_hold(wanted)?;
        let stream = self.stream_mut(fd)?;
        stream.bound = Some(wanted);
        stream.held = Some(held);
        Ok(())
    }

    pub(crate) fn connect_stream(
        &mut self,
        now: Instant,
        fd: i32,
        name: &[u8],
    ) -> Result<(), Errno> {
        let stream = self.stream(fd)?;
        if name.len() < 2 {
            return Err(Errno::EINVAL);
        }
        let target = match stream.state {
            _ if name.starts_with(&(libc::AF_UNSPEC as u16).to_ne_bytes()) => Target::Nobody,
            StreamState::Connected(_) | StreamState::Listening(_) => return Err(Errno::EISCONN),
            StreamState::Connecting(id) => return self.conclude(now, fd, id),
            StreamState::Fresh => to_connect(stream.domain, stream.options.v6_only(), name)?,
        };
        let Target::Peer(peer) = target else {
            return self.disconnect(now, fd);
        };
        let local = stream.held.as_ref().map(HeldPort::local);
        let options = stream.options.to_apply();
        let id = self.stack.tcp_connect(now, peer, local)?;
        for option in options {
            // One that the connection does not take was refused when it was set.
            let _ = self.stack.set_option(now, id, option);
        }
        self.owners.insert(id, fd);
        let stream = self.stream_mut(fd)?;
        stream.state = StreamState::Connecting(id);
        stream.shut = Shut::default();
        Err(Errno::EINPROGRESS)
    }

    /// Says how a connection attempt went.
    fn conclude(&mut self, now: Instant, fd: i32, id: SocketId) -> Result<(), Errno> {
        if self.stack.readiness(id)?.connecting {
            return Err(Errno::EALREADY);
        }
        if self.stack.tcp_state(id)? != TcpState::Closed {
            self.stream_mut(fd)?.state = StreamState::Connected(id);
            return Ok(());
        }
        let error = self.stack.take_error(id)?;
        self.disconnect(now, fd)?;
        Err(error.map_or(Errno::ECONNABORTED, Errno::from))
    }

    /// Makes a socket fresh again: it keeps what the program bound it to.
    fn disconnect(&mut self, now: Instant, fd: i32) -> Result<(), Errno> {
        let stream = self.stream_mut(fd)?;
        let (state, bound) = (stream.state, stream.bound);
        stream.state = StreamState::Fresh;
        stream.shut = Shut::default();
        let local = match state {
            StreamState::Listening(id) => {
                let local = self.stack.local_addr(id).ok();
                self.owners.remove(&id);
                self.stack.close(now, id);
                local
            }
            StreamState::Connecting(id) | StreamState::Connected(id) => {
                self.owners.remove(&id);
                self.stack.abort(now, id);
                None
            }
            StreamState::Fresh => None,
        };
        if let (Some(wanted), Some(local)) = (bound, local)
            && wanted.port() != 0
        {
            let held = self.stack.tcp_hold(local).ok();
            self.stream_mut(fd)?.held = held;
        }
        self.wake(fd, u32::MAX);
        Ok(())
    }

    pub(crate) fn shutdown_stream(
        &mut self,
        now: Instant,
        fd: i32,
        how: Shut,
    ) -> Result<(), Errno> {
        let id = match self.stream(fd)?.state {
            StreamState::Listening(_) if !how.read => return Ok(()),
            StreamState::Listening(_) => return self.disconnect(now, fd),
            StreamState::Connecting(id) if self.stack.readiness(id)?.connecting => {
                return self.disconnect(now, fd);
            }
            StreamState::Fresh => {
                let stream = self.stream_mut(fd)?;
                stream.shut = stream.shut.and(how);
                self.wake(fd, u32::MAX);
                return Err(Errno::ENOTCONN);
            }
            StreamState::Connecting(id) | StreamState::Connected(id) => id,
        };
        let stream = self.stream_mut(fd)?;
        stream.shut = stream.shut.and(how);
        let over = matches!(
            self.stack.tcp_state(id)?,
            TcpState::Closed | TcpState::TimeWait
        );
        let which = match (how.read, how.write) {
            (true, true) => How::Both,
            (true, false) => How::Read,
            _ => How::Write,
        };
        let shut = self.stack.shutdown(id, which);
        self.wake(fd, u32::MAX);
        if over {
            return Err(Errno::ENOTCONN);
        }
        Ok(shut?)
    }

    pub(crate) fn close_stream(&mut self, now: Instant, stream: Stream) {
        if let Some(held) = stream.held {
            self.stack.tcp_give_back(held);
        }
        let resets = stream.options.resets();
        let id = match stream.state {
            StreamState::Fresh => return,
            StreamState::Listening(id)
            | StreamState::Connecting(id)
            | StreamState::Connected(id) => id,
        };
        self.owners.remove(&id);
        if resets {
            self.stack.abort(now, id);
        } else {
            self.stack.close(now, id);
        }
    }

    pub(crate) fn local_of_stream(&self, stream: &Stream) -> SocketAddr {
        let own = stream.id().and_then(|id| self.stack.local_addr(id).ok());
        let held = || stream.held.as_ref().map(HeldPort::local);
        own.or_else(held)
            .unwrap_or_else(|| stream.domain.unspecified())
    }

    pub(crate) fn peer_of_stream(&self, stream: &Stream) -> Option<SocketAddr> {
        let id = stream.connection()?;
        match self.stack.tcp_state(id).ok()? {
            TcpState::Closed | TcpState::TimeWait | TcpState::SynSent => None,
            _ => self.stack.peer_addr(id).ok(),
        }
    }
}
