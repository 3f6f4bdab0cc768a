//! Sockets of streams: their states, as Linux moves between them.

use core::time::Duration;
use std::net::SocketAddr;

use netstack_core::{BindOptions, How, Instant, SocketId, TcpState};
use txbuf::Completion;

use crate::address::{Domain, SockAddr, Target, to_bind, to_connect};
use crate::create::Shut;
use crate::files::{File, Object};
use crate::options::Options;
use crate::{Errno, Sockets};

/// A socket of a stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) domain: Domain,
    pub(crate) state: StreamState,
    /// What the program bound it to, if it did.
    bound: Option<SocketAddr>,
    pub(crate) shut: Shut,
    pub(crate) options: Options,
    /// What a connection that is no more has left to be told, once.
    pub(crate) left: Option<Errno>,
    /// Messages that were sent without a copy and are to be told of.
    pub(crate) completed: Option<Completion>,
}

/// What a stream socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamState {
    /// Neither bound, nor listening nor connected.
    Fresh,
    Bound(SocketId),
    Listening(SocketId),
    /// A connection was begun, and nobody was told yet how it went.
    Connecting(SocketId),
    Connected(SocketId),
}

impl Stream {
    pub(crate) fn new(domain: Domain, options: Options) -> Stream {
        Stream {
            domain,
            state: StreamState::Fresh,
            bound: None,
            shut: Shut::default(),
            options,
            left: None,
            completed: None,
        }
    }

    /// The stack's socket.
    pub(crate) fn id(&self) -> Option<SocketId> {
        match self.state {
            StreamState::Fresh => None,
            StreamState::Bound(id)
            | StreamState::Listening(id)
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

    /// How it shares what it is bound to.
    fn sharing(&self) -> BindOptions {
        self.options.sharing(self.domain)
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
        let stream = self.stream(fd)?;
        let id = match stream.state {
            StreamState::Bound(id) => id,
            StreamState::Fresh => {
                let any = stream.domain.unspecified();
                self.stack.tcp_bind(any, &stream.sharing())?
            }
            StreamState::Listening(id) => {
                return Ok(self.stack.tcp_set_backlog(id, backlog)?);
            }
            _ => return Err(Errno::EINVAL),
        };
        self.owners.insert(id, fd);
        self.stream_mut(fd)?.state = StreamState::Bound(id);
        self.stack.tcp_listen_on(id, backlog)?;
        let stream = self.stream_mut(fd)?;
        stream.state = StreamState::Listening(id);
        stream.shut = Shut::default();
        self.apply_options(self.stack.latest_time(), fd, id)
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
        let accepted = Stream::new(listener.domain, listener.options.clone());
        let mut file = File::new(
            Object::Stream(accepted.into()),
            flags & libc::SOCK_NONBLOCK != 0,
        );
        file.timeouts = self.files.get(fd)?.timeouts;
        // The number first: without one the connection goes on waiting.
        let made = self.files.insert(file)?;
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
        self.apply_options(now, made, connection)?;
        Ok((made, name))
    }

    /// Has a socket of the stack know what was set before there was one.
    fn apply_options(&mut self, now: Instant, fd: i32, id: SocketId) -> Result<(), Errno> {
        let on_v4 = self.is_on_v4(id);
        let options = self.stream(fd)?.options.to_apply(on_v4);
        for option in options {
            // One that it does not take was refused when it was set, or is one that a listener passes on.
            let _ = self.stack.set_option(now, id, option);
        }
        Ok(())
    }

    pub(crate) fn bind_stream(&mut self, fd: i32, name: &[u8]) -> Result<(), Errno> {
        let stream = self.stream(fd)?;
        let v6_only = stream.options.v6_only();
        let wanted = to_bind(stream.domain, v6_only, name)?;
        self.give_up_port(fd)?;
        let stream = self.stream(fd)?;
        if stream.state != StreamState::Fresh {
            return Err(self.bound_already(wanted));
        }
        self.bind_to_scope(fd, name, wanted.ip())?;
        let stream = self.stream(fd)?;
        let id = self.stack.tcp_bind(wanted, &stream.sharing())?;
        self.owners.insert(id, fd);
        let stream = self.stream_mut(fd)?;
        stream.bound = Some(wanted);
        stream.state = StreamState::Bound(id);
        stream.options.on_bound(wanted.ip());
        Ok(())
    }

    /// A connection that is over has no port any more, unless the program bound it: the socket is as new, but for what is
    /// still to be told of it.
    fn give_up_port(&mut self, fd: i32) -> Result<(), Errno> {
        let stream = self.stream(fd)?;
        let Some(id) = stream.connection().filter(|_| stream.bound.is_none()) else {
            return Ok(());
        };
        if self.stack.tcp_state(id)? != TcpState::Closed {
            return Ok(());
        }
        let error = self.stack.take_error(id)?;
        self.disconnect(self.stack.latest_time(), fd)?;
        self.stream_mut(fd)?.left = error.map(Errno::from);
        Ok(())
    }

    /// Why a socket that is bound is not bound to `wanted`: the address is looked at first.
    pub(crate) fn bound_already(&self, wanted: SocketAddr) -> Errno {
        // Of IPv6 it is not.
        match wanted.is_ipv6() || self.stack.can_bind(wanted.ip()) {
            true => Errno::EINVAL,
            false => Errno::EADDRNOTAVAIL,
        }
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
            StreamState::Fresh | StreamState::Bound(_) => {
                to_connect(stream.domain, stream.options.v6_only(), name)?
            }
        };
        let Target::Peer(peer) = target else {
            return self.disconnect(now, fd);
        };
        let id = match stream.state {
            StreamState::Bound(id) => {
                let peer = self.not_unspecified(peer, || self.stack.local_addr(id).ok());
                self.stack.tcp_connect_from(now, id, peer)?;
                id
            }
            _ => {
                let peer = self.not_unspecified(peer, || None);
                let on_wire = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                self.stack.tcp_connect(now, on_wire, None)?
            }
        };
        self.owners.insert(id, fd);
        self.apply_options(now, fd, id)?;
        let stream = self.stream_mut(fd)?;
        stream.left = None;
        stream.state = StreamState::Connecting(id);
        stream.shut = Shut::default();
        // It may wait for the data that is to go with the SYN.
        match self.stack.readiness(id)?.connecting {
            true => Err(Errno::EINPROGRESS),
            false => Ok(()),
        }
    }

    /// Says how a connection attempt went.
    pub(crate) fn conclude(&mut self, now: Instant, fd: i32, id: SocketId) -> Result<(), Errno> {
        if self.stack.readiness(id)?.connecting {
            return Err(Errno::EALREADY);
        }
        let state = self.stack.tcp_state(id)?;
        if state == TcpState::SynSent {
            return Err(Errno::EISCONN);
        }
        if state != TcpState::Closed {
            self.stream_mut(fd)?.state = StreamState::Connected(id);
            return Ok(());
        }
        let error = self.stack.take_error(id)?;
        self.disconnect(now, fd)?;
        Err(error.map_or(Errno::ECONNABORTED, Errno::from))
    }

    /// Makes a socket fresh again, or only bound: it keeps what the program bound it to.
    fn disconnect(&mut self, now: Instant, fd: i32) -> Result<(), Errno> {
        let stream = self.stream_mut(fd)?;
        let (id, state, bound) = (stream.id(), stream.state, stream.bound);
        let sharing = stream.sharing();
        if let StreamState::Bound(_) = state {
            return Ok(());
        }
        stream.state = StreamState::Fresh;
        stream.shut = Shut::default();
        if let Some(id) = id {
            self.owners.remove(&id);
            // Who ends a connection before its time is told that it was reset, as its peer is.
            let is_over = |state| {
                use TcpState::{Closed, Closing, LastAck, TimeWait};
                matches!(state, Closed | TimeWait | LastAck | Closing)
            };
            let early = self.stack.tcp_state(id).is_ok_and(|state| !is_over(state));
            self.stream_mut(fd)?.left = early.then_some(Errno::ECONNRESET);
            match state {
                StreamState::Listening(_) => self.stack.close(now, id),
                _ => self.stack.abort(now, id),
            }
        }
        if let Some(wanted) = bound.filter(|wanted| wanted.port() != 0) {
            // It has the port still, whatever connections are there.
            let shared = BindOptions {
                reuse_address: true,
                ..sharing
            };
            let mut ways = [sharing, shared].into_iter();
            let id = ways.find_map(|way| self.stack.tcp_bind(wanted, &way).ok());
            if let Some(id) = id {
                self.owners.insert(id, fd);
                self.stream_mut(fd)?.state = StreamState::Bound(id);
            }
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
            StreamState::Fresh | StreamState::Bound(_) => {
                let stream = self.stream_mut(fd)?;
                stream.shut = stream.shut.and(how);
                self.wake(fd, u32::MAX);
                return Err(Errno::ENOTCONN);
            }
            StreamState::Connecting(id) | StreamState::Connected(id) => id,
        };
        let stream = self.stream_mut(fd)?;
        stream.shut = stream.shut.and(how);
        let Shut { read, write } = stream.shut;
        let over = matches!(
            self.stack.tcp_state(id)?,
            TcpState::Closed | TcpState::TimeWait
        );
        // Reading alone ends when what waits was read, and does not keep more from coming: the stack's own shutting of it
        // throws everything away.
        let shut = match (read, write) {
            (true, true) => self.stack.shutdown(id, How::Both),
            (false, true) => self.stack.shutdown(id, How::Write),
            (_, false) => Ok(()),
        };
        self.wake(fd, u32::MAX);
        if over {
            return Err(Errno::ENOTCONN);
        }
        Ok(shut?)
    }

    /// How long closing the descriptor of a connection waits for what was written (`SO_LINGER`), where somebody waits; `None`
    /// where it waits for nothing. A front end that waits [shuts](Self::shutdown) it for writing first, and closes it once
    /// it [is delivered](Self::is_delivered) or the time is up.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn lingers(&self, fd: i32) -> Result<Option<Duration>, Errno> {
        let Object::Stream(stream) = &self.files.get(fd)?.object else {
            return Ok(None);
        };
        let info = stream.connection().map(|id| self.stack.tcp_info(id));
        // What came and was not read is lost, and the peer is told so at once.
        let ends = matches!(info, Some(Ok(info)) if info.unread == 0);
        Ok(stream.options.lingers().filter(|_| ends))
    }

    /// Whether the peer has all that was written to a connection and the end behind it, or never will.
    ///
    /// # Errors
    ///
    /// Not a descriptor of a stream.
    pub fn is_delivered(&self, fd: i32) -> Result<bool, Errno> {
        let Some(id) = self.stream(fd)?.connection() else {
            return Ok(true);
        };
        Ok(matches!(
            self.stack.tcp_state(id),
            Ok(TcpState::FinWait2 | TcpState::TimeWait | TcpState::Closed) | Err(_)
        ))
    }

    pub(crate) fn close_stream(&mut self, now: Instant, stream: Stream) {
        let Some(id) = stream.id() else {
            return;
        };
        self.owners.remove(&id);
        self.stack.close(now, id);
    }

    pub(crate) fn local_of_stream(&self, stream: &Stream) -> SocketAddr {
        let own = stream.id().and_then(|id| self.stack.local_addr(id).ok());
        own.unwrap_or_else(|| stream.domain.unspecified())
    }

    pub(crate) fn peer_of_stream(&self, stream: &Stream) -> Option<SocketAddr> {
        let id = stream.connection()?;
        match self.stack.tcp_state(id).ok()? {
            TcpState::Closed | TcpState::TimeWait | TcpState::SynSent => None,
            _ => self.stack.peer_addr(id).ok(),
        }
    }
}
