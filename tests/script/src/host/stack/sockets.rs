//! The descriptors of a script, and system calls on them in terms of the stack.

mod errno;
mod options;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use netstack_core::{
    AcceptError, BindError, How, Instant, KeepAlive, ListenError, RecvError, RecvFlags,
    SendControl, SendError, SendFlags, SocketId, SocketOption, Stack,
};
use txbuf::IovIter;

use self::errno::{connect_errno, connection_errno, recv_errno, send_errno};
use self::options::takes;
use crate::calls::{Op, Returned};
use crate::pattern;

/// All descriptors, and the call that waits.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) table: BTreeMap<i64, Socket>,
    waiting: Option<Waiting>,
    /// The connection that was made last.
    current: Option<SocketId>,
}

pub(super) struct Socket {
    kind: Kind,
    nonblocking: bool,
    /// What was set before there was a connection; those of a listener pass on.
    options: Vec<SocketOption>,
    /// When to ask whether the peer is there, if that is switched on.
    keep_times: KeepAlive,
    /// Bytes of the streams that were written and read.
    written: u64,
    read: u64,
}

enum Kind {
    /// A TCP socket that is neither listening nor connected.
    Fresh {
        local: Option<SocketAddr>,
    },
    Listener(SocketId),
    Tcp {
        id: SocketId,
        connecting: bool,
    },
    Datagram {
        id: Option<SocketId>,
        v6: bool,
    },
}

/// A call that waits.
struct Waiting {
    op: Op,
    made: i64,
    /// Bytes that a call to send has handed over already.
    done: usize,
    until: Option<Instant>,
}

/// Why there is no result yet, or will be none.
enum Stop {
    Waits,
    Errno(i32),
    /// The script asks for something that this host does not have.
    Unknown(String),
}

impl From<&str> for Stop {
    fn from(what: &str) -> Stop {
        Stop::Unknown(what.to_owned())
    }
}

type Outcome = Result<Returned, Stop>;

impl Sockets {
    /// The connection that was made last.
    pub(super) fn current(&self) -> Option<SocketId> {
        self.current
    }

    /// When the call that waits gives up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.as_ref()?.until
    }

    /// Makes a call; `None` when it waits.
    pub(super) fn call(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        op: &Op,
        made: i64,
    ) -> Result<Option<Returned>, String> {
        let until = match op {
            Op::Poll { timeout, .. } if *timeout >= 0 => {
                Some(now + Duration::from_millis(u64::try_from(*timeout).unwrap_or(0)))
            }
            _ => None,
        };
        let mut waiting = Waiting {
            op: op.clone(),
            made,
            done: 0,
            until,
        };
        match self.attempt(stack, now, &mut waiting) {
            Ok(returned) => Ok(Some(returned)),
            Err(Stop::Errno(errno)) => Ok(Some(Returned::error(errno))),
            Err(Stop::Unknown(what)) => Err(what),
            Err(Stop::Waits) if self.waiting.is_some() => Err("a call waits already".into()),
            Err(Stop::Waits) => {
                self.waiting = Some(waiting);
                Ok(None)
            }
        }
    }

    /// Tries the call that waits again.
    pub(super) fn resume(&mut self, stack: &mut Stack, now: Instant) -> Option<Returned> {
        let mut waiting = self.waiting.take()?;
        match self.attempt(stack, now, &mut waiting) {
            Ok(returned) => Some(returned),
            Err(Stop::Errno(errno)) => Some(Returned::error(errno)),
            Err(Stop::Waits | Stop::Unknown(_)) => {
                self.waiting = Some(waiting);
                None
            }
        }
    }

    fn attempt(&mut self, stack: &mut Stack, now: Instant, waiting: &mut Waiting) -> Outcome {
        let made = waiting.made;
        match &waiting.op {
            Op::Socket {
                v6,
                datagram,
                nonblocking,
            } => {
                let kind = if *datagram {
                    Kind::Datagram { id: None, v6: *v6 }
                } else {
                    Kind::Fresh { local: None }
                };
                self.table.insert(made, Socket::new(kind, *nonblocking));
                Ok(Returned::value(made))
            }
            Op::Accept { fd } => self.accept(stack, now, *fd, made),
            Op::Close { fd } => {
                let socket = self.table.remove(fd).ok_or(Stop::Errno(libc::EBADF))?;
                socket.close(stack, now);
                Ok(Returned::value(0))
            }
            Op::Poll { fds, .. } => {
                self.poll(stack, fds, waiting.until.is_some_and(|until| until <= now))
            }
            Op::Connect { fd, to } => {
                let (fd, to) = (*fd, *to);
                let socket = self.table.get_mut(&fd).ok_or(Stop::Errno(libc::EBADF))?;
                let returned = socket.connect(stack, now, to);
                if let Kind::Tcp { id, .. } = socket.kind {
                    self.current = Some(id);
                }
                returned
            }
            op => {
                let fd = op.fd();
                let socket = self.table.get_mut(&fd).ok_or(Stop::Errno(libc::EBADF))?;
                let op = op.clone();
                socket.call(stack, now, &op, &mut waiting.done)
            }
        }
    }

    fn accept(&mut self, stack: &mut Stack, now: Instant, fd: i64, made: i64) -> Outcome {
        let socket = self.table.get(&fd).ok_or(Stop::Errno(libc::EBADF))?;
        let Kind::Listener(listener) = socket.kind else {
            return Err(Stop::Errno(libc::EINVAL));
        };
        let (id, _) = match stack.tcp_accept(listener) {
            Ok(accepted) => accepted,
            Err(AcceptError::WouldBlock) => return socket.wait(),
            Err(_) => return Err(Stop::Errno(libc::EINVAL)),
        };
        let mut accepted = Socket::new(
            Kind::Tcp {
                id,
                connecting: false,
            },
            false,
        );
        accepted.options.clone_from(&socket.options);
        accepted.keep_times = socket.keep_times;
        accepted.apply_options(stack, now, id);
        self.current = Some(id);
        self.table.insert(made, accepted);
        Ok(Returned::value(made))
    }

    fn poll(&self, stack: &Stack, fds: &[(i64, i64)], timed_out: bool) -> Outcome {
        let mut out = Vec::new();
        for (fd, events) in fds {
            let socket = self.table.get(fd).ok_or(Stop::Errno(libc::EBADF))?;
            out.push(socket.events(stack, *events));
        }
        let ready = out.iter().filter(|events| **events != 0).count();
        if ready == 0 && !timed_out {
            return Err(Stop::Waits);
        }
        let value = i64::try_from(ready).unwrap_or(i64::MAX);
        Ok(Returned {
            value,
            out,
            ..Returned::default()
        })
    }
}

impl Socket {
    fn new(kind: Kind, nonblocking: bool) -> Socket {
        Socket {
            kind,
            nonblocking,
            options: Vec::new(),
            keep_times: KeepAlive::default(),
            written: 0,
            read: 0,
        }
    }

    /// Gives a new connection the options that were set before. One that it does not take was refused then.
    fn apply_options(&self, stack: &mut Stack, now: Instant, id: SocketId) {
        for option in &self.options {
            if takes(&self.kind, option) {
                let _ = stack.set_option(now, id, *option);
            }
        }
    }

    fn wait<T>(&self) -> Result<T, Stop> {
        Err(if self.nonblocking {
            Stop::Errno(libc::EAGAIN)
        } else {
            Stop::Waits
        })
    }

    fn id(&self) -> Result<SocketId, Stop> {
        match self.kind {
            Kind::Fresh { .. } | Kind::Datagram { id: None, .. } => {
                Err(Stop::Errno(libc::ENOTCONN))
            }
            Kind::Listener(id) | Kind::Tcp { id, .. } | Kind::Datagram { id: Some(id), .. } => {
                Ok(id)
            }
        }
    }

    fn call(&mut self, stack: &mut Stack, now: Instant, op: &Op, done: &mut usize) -> Outcome {
        match op {
            Op::Bind { to, .. } => self.bind(stack, now, *to),
            Op::Listen { backlog, .. } => self.listen(stack, now, *backlog),
            Op::Send { len, flags, to, .. } => self.send(stack, now, (*len, *flags), *to, done),
            Op::Receive { len, flags, .. } => self.receive(stack, *len, *flags),
            Op::SetOption {
                level, name, value, ..
            } => self.set_option(stack, now, (*level, *name), value),
            Op::ReadOption { level, name, .. } => self.read_option(stack, (*level, *name)),
            Op::Shutdown { how, .. } => {
                let how = match *how {
                    0 => How::Read,
                    1 => How::Write,
                    _ => How::Both,
                };
                match stack.shutdown(self.id()?, how) {
                    Ok(()) => Ok(Returned::value(0)),
                    Err(_) => Err(Stop::Errno(libc::ENOTCONN)),
                }
            }
            Op::SetFlags { flags, .. } => {
                self.nonblocking = flags & i64::from(libc::O_NONBLOCK) != 0;
                Ok(Returned::value(0))
            }
            Op::ReadFlags { .. } => {
                let nonblocking = if self.nonblocking {
                    libc::O_NONBLOCK
                } else {
                    0
                };
                Ok(Returned::value(i64::from(libc::O_RDWR | nonblocking)))
            }
            Op::Ioctl { request, .. } => self.ioctl(stack, *request),
            _ => Err("this call is not known here".into()),
        }
    }

    fn bind(&mut self, stack: &mut Stack, now: Instant, to: SocketAddr) -> Outcome {
        match &mut self.kind {
            Kind::Fresh { local } => *local = Some(to),
            Kind::Datagram { id: id @ None, .. } => match stack.udp_bind(to) {
                Ok(bound) => {
                    *id = Some(bound);
                    self.apply_options(stack, now, bound);
                }
                Err(BindError::InUse) => return Err(Stop::Errno(libc::EADDRINUSE)),
                Err(_) => return Err(Stop::Errno(libc::EADDRNOTAVAIL)),
            },
            _ => return Err(Stop::Errno(libc::EINVAL)),
        }
        Ok(Returned::value(0))
    }

    /// The datagram socket in the stack; one that was not bound gets a port now.
    fn open_datagram(&mut self, stack: &mut Stack, now: Instant) -> Result<SocketId, Stop> {
        let Kind::Datagram { id: id @ None, v6 } = &mut self.kind else {
            return self.id();
        };
        let any = if *v6 { "[::]:0" } else { "0.0.0.0:0" };
        let any = any.parse().map_err(|_| Stop::Errno(libc::EINVAL))?;
        let bound = stack.udp_bind(any);
        let bound = bound.map_err(|_| Stop::Errno(libc::EADDRNOTAVAIL))?;
        *id = Some(bound);
        self.apply_options(stack, now, bound);
        Ok(bound)
    }

    fn listen(&mut self, stack: &mut Stack, now: Instant, backlog: i64) -> Outcome {
        let Kind::Fresh { local: Some(local) } = self.kind else {
            return Err(Stop::Errno(libc::EINVAL));
        };
        let backlog = usize::try_from(backlog).unwrap_or(0).max(1);
        match stack.tcp_listen(local, backlog) {
            Ok(id) => {
                self.kind = Kind::Listener(id);
                self.apply_options(stack, now, id);
            }
            Err(ListenError::InUse) => return Err(Stop::Errno(libc::EADDRINUSE)),
            Err(_) => return Err(Stop::Errno(libc::EADDRNOTAVAIL)),
        }
        Ok(Returned::value(0))
    }

    fn connect(&mut self, stack: &mut Stack, now: Instant, to: SocketAddr) -> Outcome {
        match &mut self.kind {
            Kind::Fresh { local } => {
                let local = *local;
                let id = stack.tcp_connect(now, to, local).map_err(connect_errno)?;
                self.kind = Kind::Tcp {
                    id,
                    connecting: true,
                };
                self.apply_options(stack, now, id);
                if stack.readiness(id).is_ok_and(|ready| !ready.connecting) {
                    // The SYN waits for data.
                    return Ok(Returned::value(0));
                }
                Err(if self.nonblocking {
                    Stop::Errno(libc::EINPROGRESS)
                } else {
                    Stop::Waits
                })
            }
            Kind::Tcp { id, connecting } if *connecting => {
                let ready = stack.readiness(*id).map_err(|_| Stop::Errno(libc::EBADF))?;
                if ready.connecting {
                    return Err(if self.nonblocking {
                        Stop::Errno(libc::EALREADY)
                    } else {
                        Stop::Waits
                    });
                }
                *connecting = false;
                match stack.take_error(*id) {
                    Ok(Some(error)) => Err(Stop::Errno(connection_errno(error))),
                    _ => Ok(Returned::value(0)),
                }
            }
            Kind::Datagram { .. } => {
                let bound = self.open_datagram(stack, now)?;
                stack.udp_connect(bound, to).map_err(connect_errno)?;
                Ok(Returned::value(0))
            }
            _ => Err(Stop::Errno(libc::EISCONN)),
        }
    }

    fn send(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (len, flags): (usize, i64),
        to: Option<SocketAddr>,
        done: &mut usize,
    ) -> Outcome {
        let datagram = matches!(self.kind, Kind::Datagram { .. });
        if datagram {
            self.open_datagram(stack, now)?;
        }
        let mut flags_now = SendFlags::NONE;
        for (flag, meaning) in [
            (libc::MSG_MORE, SendFlags::MORE),
            (libc::MSG_OOB, SendFlags::OOB),
            (libc::MSG_FASTOPEN, SendFlags::FAST_OPEN),
        ] {
            if flags & i64::from(flag) != 0 {
                flags_now = flags_now | meaning;
            }
        }
        if flags_now.has(SendFlags::FAST_OPEN)
            && let (Kind::Fresh { local }, Some(to)) = (&self.kind, to)
        {
            let id = stack.tcp_connect(now, to, *local).map_err(connect_errno)?;
            self.kind = Kind::Tcp {
                id,
                connecting: true,
            };
            self.apply_options(stack, now, id);
        }
        let (id, dontwait) = (self.send_id()?, flags & i64::from(libc::MSG_DONTWAIT) != 0);
        loop {
            let at = if datagram { 0 } else { self.written };
            let bytes = pattern::bytes(at, len - *done);
            let control = SendControl {
                to,
                ..SendControl::default()
            };
            match stack.send_message(id, &mut IovIter::bytes(&bytes), flags_now, &control) {
                Ok(taken) => {
                    self.written += taken as u64;
                    *done += taken;
                    if *done >= len || self.nonblocking || dontwait || datagram {
                        return Ok(Returned::value(i64::try_from(*done).unwrap_or(i64::MAX)));
                    }
                }
                Err(SendError::WouldBlock) if self.nonblocking || dontwait => {
                    return Err(Stop::Errno(libc::EAGAIN));
                }
                Err(SendError::WouldBlock) => return Err(Stop::Waits),
                Err(error) => return Err(Stop::Errno(send_errno(error))),
            }
        }
    }

    /// Writing without a connection is a broken pipe, as if there had been one.
    fn send_id(&self) -> Result<SocketId, Stop> {
        match self.kind {
            Kind::Fresh { .. } | Kind::Listener(_) => Err(Stop::Errno(libc::EPIPE)),
            _ => self.id(),
        }
    }

    fn receive(&mut self, stack: &mut Stack, len: usize, flags: i64) -> Outcome {
        let has = |flag: i32| flags & i64::from(flag) != 0;
        if has(libc::MSG_OOB) {
            return Err("urgent data stays in the stream".into());
        }
        let mut wanted = RecvFlags::NONE;
        for (flag, meaning) in [
            (libc::MSG_PEEK, RecvFlags::PEEK),
            (libc::MSG_WAITALL, RecvFlags::WAITALL),
        ] {
            if has(flag) {
                wanted = wanted | meaning;
            }
        }
        let mut buffer = vec![0; len];
        let received =
            match stack.receive_message(self.id()?, &mut IovIter::buffer(&mut buffer), wanted) {
                Ok(received) => received,
                Err(RecvError::WouldBlock) if has(libc::MSG_DONTWAIT) => {
                    return Err(Stop::Errno(libc::EAGAIN));
                }
                Err(RecvError::WouldBlock) => return self.wait(),
                Err(error) => return Err(Stop::Errno(recv_errno(error))),
            };
        let datagram = matches!(self.kind, Kind::Datagram { .. });
        let data = buffer.get(..received.bytes).unwrap_or_default();
        let wrong_data = pattern::fault(if datagram { 0 } else { self.read }, data);
        if !has(libc::MSG_PEEK) {
            self.read += received.bytes as u64;
        }
        let told = if has(libc::MSG_TRUNC) {
            received.len
        } else {
            received.bytes
        };
        Ok(Returned {
            value: i64::try_from(told).unwrap_or(i64::MAX),
            wrong_data,
            ..Returned::default()
        })
    }

    fn ioctl(&self, stack: &Stack, request: i64) -> Outcome {
        let info = stack
            .tcp_info(self.id()?)
            .map_err(|_| Stop::Errno(libc::EINVAL))?;
        let value = match request {
            0x541B => info.unread,
            0x5411 => info.outstanding + info.unsent,
            0x894B => info.unsent,
            other => {
                return Err(Stop::Unknown(format!(
                    "the request {other:#x} is not known here"
                )));
            }
        };
        Ok(Returned {
            out: vec![i64::try_from(value).unwrap_or(i64::MAX)],
            ..Returned::default()
        })
    }

    fn events(&self, stack: &Stack, wanted: i64) -> i64 {
        let Some(ready) = self.id().ok().and_then(|id| stack.readiness(id).ok()) else {
            return i64::from(libc::POLLOUT | libc::POLLHUP) & (wanted | i64::from(libc::POLLHUP));
        };
        let urgent = self
            .id()
            .is_ok_and(|id| stack.tcp_urgent(id).is_ok_and(|ahead| ahead.is_some()));
        let events = [
            (urgent, libc::POLLPRI),
            (ready.readable, libc::POLLIN),
            (ready.writable, libc::POLLOUT),
            (ready.hangup, libc::POLLHUP),
            (ready.error, libc::POLLERR),
        ];
        let always = i64::from(libc::POLLERR | libc::POLLHUP);
        let of = events
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, event)| i64::from(*event));
        of.fold(0, |all, event| all | event) & (wanted | always)
    }

    fn close(self, stack: &mut Stack, now: Instant) {
        if let Ok(id) = self.id() {
            stack.close(now, id);
        }
    }
}

impl Op {
    /// The descriptor that the call is about.
    pub(crate) fn fd(&self) -> i64 {
        match self {
            Op::Socket { .. } | Op::Poll { .. } => -1,
            Op::Bind { fd, .. }
            | Op::Listen { fd, .. }
            | Op::Accept { fd }
            | Op::Connect { fd, .. }
            | Op::Send { fd, .. }
            | Op::Receive { fd, .. }
            | Op::SetOption { fd, .. }
            | Op::ReadOption { fd, .. }
            | Op::Shutdown { fd, .. }
            | Op::Close { fd }
            | Op::SetFlags { fd, .. }
            | Op::ReadFlags { fd }
            | Op::Ioctl { fd, .. } => *fd,
        }
    }
}
