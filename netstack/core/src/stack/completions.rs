//! Telling applications which of their messages the stack needs no more. The doorbell says whose.

use super::Stack;
use super::table::Socket;
use crate::news::News;
use crate::socket::{SocketError, SocketId, TokenError};
use txbuf::{Completion, Completions, Order, Token};

impl Stack {
    /// The token of the socket's next message, to be lent memory with, attached to buffers, and given to
    /// [`send_message`](Self::send_message) with every part of it. Messages are numbered from 0.
    ///
    /// The caller owns the token, and the message is complete only after it has dropped it.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]; no number is used up.
    pub fn message_token(&mut self, socket: SocketId) -> Result<Token, TokenError> {
        let order = match self.table.get(socket)? {
            Socket::Bound(_) | Socket::Listener(_) | Socket::Gateway(_) => {
                return Err(SocketError::WrongKind.into());
            }
            Socket::Tcp(_) => Order::Stream,
            Socket::Datagram(_) => Order::Datagram,
        };
        let doorbell = &self.doorbell;
        let completions = self
            .table
            .completions_mut(socket)?
            .get_or_insert_with(|| Box::new(doorbell.completions(socket, order)));
        Ok(completions.token()?)
    }

    /// Takes back the number of the socket's latest message, of which nothing was sent, if nobody has another clone of its
    /// token. Otherwise says no, and the message is reported.
    pub fn revoke_token(&mut self, socket: SocketId, token: Token) -> bool {
        let completions = self.table.completions_mut(socket);
        match completions.map(Option::as_mut) {
            Ok(Some(completions)) => completions.revoke(token),
            _ => false,
        }
    }

    /// The next range of the socket's messages that are complete, or `None` when there is none yet; then a
    /// completed event follows. In order on a stream, as they come on a datagram socket.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`].
    pub fn poll_completion(&mut self, socket: SocketId) -> Result<Option<Completion>, SocketError> {
        let completions = self.table.completions_mut(socket)?;
        Ok(completions
            .as_mut()
            .and_then(|completions| completions.poll()))
    }

    /// Takes the end at which the socket's completions come, so that they can be waited for after the
    /// socket was closed; `None` if no message had a token. The socket numbers later messages from 0 again.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`].
    pub fn detach_completions(
        &mut self,
        socket: SocketId,
    ) -> Result<Option<Completions>, SocketError> {
        let completions = self.table.completions_mut(socket)?.take();
        Ok(completions.map(|completions| *completions))
    }

    /// Turns what the doorbell noted of messages into events.
    pub(super) fn tell_completed(&mut self) {
        for socket in self.doorbell.take_completed() {
            if let Some(pending) = self.table.pending_mut(socket) {
                self.events.push(socket, pending, News::COMPLETED);
            }
        }
    }
}
