//! Commands to a socket, of two shapes: what returns a number, and what reads or writes a structure of a fixed size. There
//! are no pointers in them: whoever has some brings the bytes.

use netstack_core::Instant;

use crate::datagram::Kind;
use crate::files::Object;
use crate::stream::StreamState;
use crate::{Errno, Sockets};

const SIOCATMARK: u64 = 0x8905;
const SIOCOUTQNSD: u64 = 0x894B;
const SIOCGSTAMP: u64 = 0x8906;
const SIOCGSTAMPNS: u64 = 0x8907;
/// Those of programs whose times have 64 bits.
const SIOCGSTAMP_NEW: u64 = 0x8010_8906;
const SIOCGSTAMPNS_NEW: u64 = 0x8010_8907;

/// A number that a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Bytes that can be read, of the next datagram, or of a stream up to the urgent mark (`SIOCINQ`, `FIONREAD`).
    Unread,
    /// Bytes that were written and not acknowledged, or have not left (`SIOCOUTQ`).
    Outstanding,
    /// Of these, bytes of a stream that have not been sent yet (`SIOCOUTQNSD`).
    Unsent,
    /// Whether the last urgent byte is what comes next in the stream (`SIOCATMARK`).
    AtMark,
}

impl Count {
    /// The number that an `ioctl` asks for; `None` for another request.
    pub fn of_request(request: u64) -> Option<Count> {
        match significant(request) {
            libc::FIONREAD => Some(Count::Unread),
            libc::TIOCOUTQ => Some(Count::Outstanding),
            SIOCOUTQNSD => Some(Count::Unsent),
            SIOCATMARK => Some(Count::AtMark),
            _ => None,
        }
    }
}

/// What the kernel looks at of a request.
fn significant(request: u64) -> u64 {
    request & u64::from(u32::MAX)
}

/// A command to a socket.
#[derive(Debug, PartialEq, Eq)]
pub enum SocketCommand<'a> {
    /// Asks for a number.
    Count(Count),
    /// Reads an option, or a structure such as `TCP_INFO`, into bytes.
    Get {
        /// `SOL_SOCKET`, `IPPROTO_TCP` and so on.
        level: i32,
        /// The option.
        name: i32,
        /// Where its value goes.
        into: &'a mut [u8],
    },
    /// Sets an option from bytes.
    Set {
        /// `SOL_SOCKET`, `IPPROTO_TCP` and so on.
        level: i32,
        /// The option.
        name: i32,
        /// Its value.
        value: &'a [u8],
    },
}

impl Sockets {
    /// Gives a command to a socket. Returns the number that was asked for, bytes that were written, or 0.
    ///
    /// # Errors
    ///
    /// `EBADF`, `ENOTSOCK`; `EINVAL` for a number that the socket has not in its state; others as
    /// [`getsockopt`](Self::getsockopt) and [`setsockopt`](Self::setsockopt).
    pub fn command(
        &mut self,
        now: Instant,
        fd: i32,
        command: SocketCommand<'_>,
    ) -> Result<usize, Errno> {
        match command {
            SocketCommand::Count(count) => self.count(fd, count),
            SocketCommand::Get { level, name, into } => self.getsockopt(fd, level, name, into),
            SocketCommand::Set { level, name, value } => {
                self.setsockopt(now, fd, level, name, value).map(|()| 0)
            }
        }
    }

    /// Answers an `ioctl` whose argument is an `int`: `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` and `SIOCATMARK` return what
    /// belongs there; `FIONBIO` takes `argument` and returns `None`, as do `FIOASYNC`, `FIOCLEX` and `FIONCLEX`, which mean
    /// nothing here.
    ///
    /// # Errors
    ///
    /// `ENOTTY` for a request that is not known, `ENOENT` for `SIOCGSTAMP`, of which there never is one, `EINVAL` for those of
    /// an epoll descriptor; others as [`command`](Self::command).
    pub fn ioctl(
        &mut self,
        now: Instant,
        fd: i32,
        request: u64,
        argument: i32,
    ) -> Result<Option<i32>, Errno> {
        let object = &self.files.get(fd)?.object;
        let is_socket = !matches!(object, Object::Epoll(_));
        match significant(request) {
            libc::FIONBIO => self.set_nonblocking(fd, argument != 0).map(|()| None),
            libc::FIOCLEX | libc::FIONCLEX => Ok(None),
            // There are no signals.
            libc::FIOASYNC if is_socket || argument == 0 => Ok(None),
            libc::FIOASYNC => Err(Errno::ENOTTY),
            _ if !is_socket => Err(Errno::EINVAL),
            SIOCGSTAMP | SIOCGSTAMPNS | SIOCGSTAMP_NEW | SIOCGSTAMPNS_NEW => Err(Errno::ENOENT),
            request => self.number_for(now, fd, request).map(Some),
        }
    }

    fn number_for(&mut self, now: Instant, fd: i32, request: u64) -> Result<i32, Errno> {
        let count = Count::of_request(request).ok_or(Errno::ENOTTY)?;
        let number = self.command(now, fd, SocketCommand::Count(count))?;
        Ok(i32::try_from(number).unwrap_or(i32::MAX))
    }

    /// Whether the next byte of a connection is an urgent one, at which a read ends (`SIOCATMARK`).
    ///
    /// # Errors
    ///
    /// `EBADF`, and `ENOTTY` or `ENOTSOCK` for what is no stream.
    pub fn is_at_mark(&self, fd: i32) -> Result<bool, Errno> {
        self.count(fd, Count::AtMark).map(|at| at > 0)
    }

    fn count(&self, fd: i32, count: Count) -> Result<usize, Errno> {
        let stream = match &self.files.get(fd)?.object {
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
            Object::Datagram(datagram) if datagram.kind == Kind::Ping => {
                return Err(Errno::ENOTTY);
            }
            Object::Datagram(_) | Object::Packet(_) => {
                let id = self.handle(fd)?;
                let queued = id.map(|id| self.stack.datagram_queued(id));
                let (next, waiting) = queued.transpose()?.unwrap_or_default();
                return match count {
                    Count::Unread => Ok(next),
                    Count::Outstanding => Ok(waiting),
                    Count::Unsent | Count::AtMark => Err(Errno::ENOTTY),
                };
            }
            Object::Stream(stream) => stream,
        };
        let connection = stream.connection();
        let info = match stream.state {
            // Only whether it is at the mark can be asked of any.
            StreamState::Listening(_) if count == Count::AtMark => return Ok(0),
            StreamState::Listening(_) => return Err(Errno::EINVAL),
            StreamState::Fresh | StreamState::Bound(_) => return Ok(0),
            StreamState::Connecting(id) | StreamState::Connected(id) => self.stack.tcp_info(id)?,
        };
        Ok(match count {
            Count::Unread => self.unread_to_mark(fd, info.unread)?,
            Count::Outstanding => info.outstanding + info.unsent,
            Count::Unsent => info.unsent,
            Count::AtMark => {
                let ahead = connection.map(|id| self.stack.tcp_urgent(id)).transpose()?;
                usize::from(ahead.flatten() == Some(1))
            }
        })
    }
}
