//! Urgent data of streams (`MSG_OOB`), which older programs read out of its turn: its last byte.

use netstack_core::{TcpState, UrgentByte};
use txbuf::IovIter;

use crate::receive::ReceivedMessage;
use crate::{Errno, Sockets};

impl Sockets {
    /// Receives the last urgent byte.
    pub(crate) fn receive_urgent(
        &mut self,
        fd: i32,
        into: &mut IovIter<'_>,
        flags: i32,
    ) -> Result<ReceivedMessage, Errno> {
        let stream = self.stream(fd)?;
        let shut = stream.shut.read;
        let id = stream.connection().ok_or(Errno::EINVAL)?;
        let peek = flags & libc::MSG_PEEK != 0;
        match self.stack.tcp_urgent_byte(id, peek)? {
            UrgentByte::None => Err(Errno::EINVAL),
            UrgentByte::Awaited if shut || !receives(self.stack.tcp_state(id)?) => {
                Ok(ReceivedMessage::default())
            }
            // It never waits.
            UrgentByte::Awaited => Err(Errno::EAGAIN),
            UrgentByte::Here(_) if into.remaining() == 0 => Ok(ReceivedMessage {
                flags: libc::MSG_OOB | libc::MSG_TRUNC,
                ..ReceivedMessage::default()
            }),
            UrgentByte::Here(byte) => Ok(ReceivedMessage {
                bytes: 1,
                taken: match flags & libc::MSG_TRUNC {
                    0 => into.copy_to(&[byte]),
                    _ => 0,
                },
                flags: libc::MSG_OOB,
                ..ReceivedMessage::default()
            }),
        }
    }

    /// Bytes that can be read, up to an urgent one that has come and is read by itself.
    pub(crate) fn unread_to_mark(&self, fd: i32, unread: usize) -> Result<usize, Errno> {
        let stream = self.stream(fd)?;
        let ahead = match stream.connection() {
            Some(id) if !stream.options.inline() => self.stack.tcp_urgent(id)?,
            _ => None,
        };
        let to_mark = ahead.filter(|ahead| *ahead <= unread);
        Ok(to_mark.map_or(unread, |ahead| ahead - 1))
    }
}

/// Whether more can come in a state.
fn receives(state: TcpState) -> bool {
    matches!(
        state,
        TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2
    )
}
