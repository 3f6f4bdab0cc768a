//! `sendmsg`.

use netstack_core::{SendControl, SendError, SendFlags};
use txbuf::{IovIter, Token};

use crate::address::{Domain, to_send};
use crate::control::parse;
use crate::files::Object;
use crate::stream::StreamState;
use crate::{Errno, Sockets};

/// The longest datagram, headers and all.
const LONGEST: usize = 0xFFFF;

/// What goes with a message that is sent, beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageHead<'a> {
    /// Whom a datagram is for; `None` for the peer. On a stream it means nothing.
    pub name: Option<&'a [u8]>,
    /// Control messages.
    pub control: &'a [u8],
    /// The message's token ([`Stack::message_token`](netstack_core::Stack::message_token)).
    pub token: Option<&'a Token>,
}

impl Sockets {
    /// Sends a message, or on a stream as much of it as there is room for. `from` is advanced by what was taken, which is
    /// returned. `flags` may have `MSG_MORE`, `MSG_DONTWAIT`, `MSG_NOSIGNAL` (there is no signal anyway) and others that
    /// mean nothing here.
    ///
    /// # Errors
    ///
    /// As Linux has them. Nothing was taken.
    pub fn sendmsg(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
    ) -> Result<usize, Errno> {
        match &self.files.get(fd)?.object {
            Object::Stream(_) => self.send_stream(fd, from, head, flags),
            Object::Datagram(_) => self.send_datagram(fd, from, head, flags),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    fn send_stream(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
    ) -> Result<usize, Errno> {
        if flags & (libc::MSG_OOB | libc::MSG_FASTOPEN) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let stream = self.stream_mut(fd)?;
        let id = match stream.state {
            StreamState::Fresh | StreamState::Bound(_) | StreamState::Listening(_) => {
                return Err(Errno::EPIPE);
            }
            StreamState::Connecting(id) | StreamState::Connected(id) => id,
        };
        let control = SendControl {
            token: head.token,
            ..SendControl::default()
        };
        Ok(self
            .stack
            .send_message(id, from, send_flags(flags), &control)?)
    }

    fn send_datagram(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
    ) -> Result<usize, Errno> {
        let too_long = from.remaining() > LONGEST;
        if too_long && self.datagram_mut(fd)?.domain == Domain::V4 {
            return Err(Errno::EMSGSIZE);
        }
        if flags & libc::MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let datagram = self.datagram_mut(fd)?;
        let v6_only = datagram.options.v6_only();
        let named = match head.name {
            Some(name) => to_send(datagram.domain, v6_only, name)?,
            None => None,
        };
        if named.or(datagram.peer).is_none() {
            return Err(Errno::EDESTADDRREQ);
        }
        if too_long {
            return Err(Errno::EMSGSIZE);
        }
        let mut segment = u16::try_from(
            datagram
                .options
                .number(libc::IPPROTO_UDP, libc::UDP_SEGMENT),
        )
        .ok()
        .filter(|size| *size > 0);
        for message in parse(head.control)? {
            match (message.level, message.kind, message.data.first_chunk()) {
                (libc::IPPROTO_UDP, libc::UDP_SEGMENT, Some(size)) if message.data.len() == 2 => {
                    let size = u16::from_ne_bytes(*size);
                    segment = (size > 0).then_some(size);
                }
                (libc::SOL_SOCKET | libc::IPPROTO_UDP | libc::IPPROTO_IP, ..) => {
                    return Err(Errno::EINVAL);
                }
                _ => {}
            }
        }
        let shut = datagram.shut.write;
        let id = self.bound_datagram(fd)?;
        if shut {
            let error = self.stack.take_error(id)?;
            return Err(error.map_or(Errno::EPIPE, Errno::from));
        }
        let control = SendControl {
            to: named,
            token: head.token,
            segment: segment.filter(|size| usize::from(*size) < from.remaining()),
            ..SendControl::default()
        };
        let sent = self
            .stack
            .send_message(id, from, send_flags(flags), &control);
        sent.map_err(|error| match error {
            // The address is one that no way leads to.
            SendError::InvalidAddress => Errno::ENETUNREACH,
            error => error.into(),
        })
    }
}

fn send_flags(flags: i32) -> SendFlags {
    let mut meant = SendFlags::NONE;
    for (flag, meaning) in [
        (libc::MSG_MORE, SendFlags::MORE),
        (libc::MSG_DONTWAIT, SendFlags::DONTWAIT),
    ] {
        if flags & flag != 0 {
            meant = meant | meaning;
        }
    }
    meant
}
