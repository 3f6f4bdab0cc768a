//! `recvmsg`.

use std::net::Ipv4Addr;

use netstack_core::{Received, RecvError, RecvFlags, SocketId, TcpState};
use txbuf::IovIter;

use crate::address::SockAddr;
use crate::control::{Writer, answers_from, tell_arrival, tell_time};
use crate::datagram::Kind;
use crate::files::Object;
use crate::options::places;
use crate::stream::StreamState;
use crate::{Errno, Sockets};

/// What was received, beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Bytes of it; those of the whole datagram with `MSG_TRUNC`. Zero on a stream means its end.
    pub bytes: usize,
    /// Bytes that were put into the iterator: fewer than `bytes` where those were not asked for.
    pub taken: usize,
    /// Who sent a datagram.
    pub name: Option<SockAddr>,
    /// Control messages, as many as there was room for.
    pub control: Vec<u8>,
    /// `MSG_TRUNC` for a datagram that was longer, `MSG_CTRUNC` for control messages that were cut, `MSG_OOB` for an urgent
    /// byte, `MSG_ERRQUEUE` for what was on the error queue.
    pub flags: i32,
}

impl Sockets {
    /// Receives a message, or on a stream what there is, into `into`, with at most `room` bytes of control messages.
    /// `flags` may have `MSG_PEEK`, `MSG_TRUNC`, `MSG_DONTWAIT`, `MSG_OOB`, `MSG_ERRQUEUE` and, where the descriptor is not
    /// non-blocking, `MSG_WAITALL`: then nothing is taken before all is there, as nothing is before there is as much as
    /// `SO_RCVLOWAT` says.
    ///
    /// # Errors
    ///
    /// As Linux has them.
    pub fn recvmsg(
        &mut self,
        fd: i32,
        into: &mut IovIter<'_>,
        room: usize,
        flags: i32,
    ) -> Result<ReceivedMessage, Errno> {
        let file = self.files.get(fd)?;
        let patient = !file.nonblocking;
        match &file.object {
            Object::Stream(_) if flags & libc::MSG_ERRQUEUE != 0 => {
                self.receive_error(fd, into, room)
            }
            Object::Stream(_) => self.receive_stream(fd, into, room, flags, patient),
            Object::Datagram(_) if flags & libc::MSG_ERRQUEUE != 0 => {
                self.receive_error(fd, into, room)
            }
            Object::Datagram(_) => self.receive_datagram(fd, into, room, flags),
            Object::Packet(_) => self.receive_packet(fd, into, room, flags),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    fn receive_stream(
        &mut self,
        fd: i32,
        into: &mut IovIter<'_>,
        room: usize,
        flags: i32,
        patient: bool,
    ) -> Result<ReceivedMessage, Errno> {
        let stream = self.stream_mut(fd)?;
        let inq = stream.options.is_on(places::TCP_INQ);
        let (shut, state) = (stream.shut, stream.state);
        let id = match state {
            StreamState::Listening(_) => return Err(Errno::ENOTCONN),
            _ if flags & libc::MSG_OOB != 0 => return self.receive_urgent(fd, into, flags),
            StreamState::Fresh | StreamState::Bound(_) if stream.left.is_some() => {
                return Err(stream.left.take().unwrap_or(Errno::ENOTCONN));
            }
            StreamState::Fresh | StreamState::Bound(_) if shut.read => {
                return Ok(ReceivedMessage::default());
            }
            StreamState::Fresh | StreamState::Bound(_) => return Err(Errno::ENOTCONN),
            StreamState::Connecting(id) | StreamState::Connected(id) => id,
        };
        let mut wanted = RecvFlags::NONE;
        if flags & libc::MSG_PEEK != 0 {
            wanted = wanted | RecvFlags::PEEK;
        }
        if patient && flags & libc::MSG_DONTWAIT == 0 {
            if flags & libc::MSG_WAITALL != 0 {
                wanted = wanted | RecvFlags::WAITALL;
            } else if !self.has_enough(self.stream(fd)?, id, into.remaining()) {
                return Err(Errno::EAGAIN);
            }
        }
        let discards = flags & libc::MSG_TRUNC != 0;
        let received = if discards {
            let mut nowhere = IovIter::discard(into.remaining());
            self.stack.receive_message(id, &mut nowhere, wanted)
        } else {
            self.stack.receive_message(id, into, wanted)
        };
        let received = match received {
            // What a connection attempt failed with is told once; afterwards it is the end.
            Err(RecvError::WouldBlock) if shut.read => Received::default(),
            received => received?,
        };
        let bytes = received.bytes;
        let mut control = Writer::new(room);
        if let Some(time) = received.time {
            let options = &self.stream(fd)?.options;
            tell_time(&mut control, options, self.limits.epoch, time);
        }
        if inq {
            let left = self.unread(id);
            control.push(libc::IPPROTO_TCP, libc::TCP_CM_INQ, &left.to_ne_bytes());
        }
        Ok(message(
            bytes,
            if discards { 0 } else { bytes },
            None,
            control,
            0,
        ))
    }

    /// Bytes that wait to be read, and the end of the stream, which counts as one.
    fn unread(&self, id: SocketId) -> i32 {
        let Ok(info) = self.stack.tcp_info(id) else {
            return 0;
        };
        let open = matches!(
            info.state,
            TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2
        );
        let ended = matches!(
            info.state,
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait
        );
        match info.unread {
            0 if !open => 1,
            unread => i32::try_from(unread + usize::from(ended)).unwrap_or(i32::MAX),
        }
    }

    fn receive_datagram(
        &mut self,
        fd: i32,
        into: &mut IovIter<'_>,
        room: usize,
        flags: i32,
    ) -> Result<ReceivedMessage, Errno> {
        // A ping that was never bound has received nothing.
        let id = self.datagram(fd)?.id.ok_or(Errno::EAGAIN)?;
        let mut wanted = RecvFlags::NONE;
        if flags & libc::MSG_PEEK != 0 {
            wanted = wanted | RecvFlags::PEEK;
        }
        let received = self.stack.receive_message(id, into, wanted)?;
        let datagram = self.datagram(fd)?;
        let (domain, options) = (datagram.domain, &datagram.options);
        let mut control = Writer::new(room);
        if let Some(arrival) = &received.arrival {
            tell_time(&mut control, options, self.limits.epoch, arrival.time);
        }
        if let Some(segment) = received.segment {
            let segment = i32::from(segment).to_ne_bytes();
            control.push(libc::IPPROTO_UDP, libc::UDP_GRO, &segment);
        }
        if let Some(arrival) = &received.arrival {
            let answers = || match datagram.kind {
                // What came is an answer.
                Kind::Ping => Ipv4Addr::UNSPECIFIED,
                Kind::Udp | Kind::Raw(_) => answers_from(arrival, &self.stack),
            };
            tell_arrival(&mut control, (options, domain), arrival, answers);
        }
        let told = if flags & libc::MSG_TRUNC != 0 {
            received.len
        } else {
            received.bytes
        };
        let truncated = if received.truncated {
            libc::MSG_TRUNC
        } else {
            0
        };
        let name = received.from.map(|from| domain.write(from));
        Ok(message(told, received.bytes, name, control, truncated))
    }
}

pub(crate) fn message(
    bytes: usize,
    taken: usize,
    name: Option<SockAddr>,
    control: Writer,
    flags: i32,
) -> ReceivedMessage {
    let cut = if control.cut { libc::MSG_CTRUNC } else { 0 };
    ReceivedMessage {
        bytes,
        taken,
        name,
        control: control.into_bytes(),
        flags: flags | cut,
    }
}
