//! The two functions that all data of applications goes through. What they mean is said in
//! [`messages`](crate::messages).

use super::Stack;
use super::table::Socket;
use crate::news::News;
use crate::socket::{
    ConnectionError, Received, RecvError, RecvFlags, SendControl, SendError, SendFlags,
    SocketError, SocketId,
};
use crate::storage::Taking;
use crate::tcp::connection::Connection;
use txbuf::IovIter;

impl Stack {
    /// Takes a message, or on a stream as much of it as there is room for, out of `from`.
    ///
    /// Bytes are copied; spans are moved and not copied, unless they are too small to be worth it, or the socket keeps
    /// as much storage of others as it may. `from`
    /// is advanced by exactly what was taken, which is returned; by nothing when there is an error.
    /// [`messages`](crate::messages) has the details.
    ///
    /// # Errors
    ///
    /// See [`SendError`]. After [`SendError::WouldBlock`], [`SendError::NoMemory`] and a short transfer, a
    /// writable event follows when there is room again.
    pub fn send_message(
        &mut self,
        socket: SocketId,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let sent = self.send_from(socket, from, flags, control);
        let cut_short = match sent {
            Err(error) => error == SendError::NoMemory,
            Ok(_) => from.remaining() > 0 && self.send_room(socket).is_ok(),
        };
        if cut_short {
            let needed = self.pools.send.segment().min(self.pools.account.limit());
            let waits = self.shortage.account().wait(needed);
            self.short_of_storage(socket, News::WRITABLE, waits);
        }
        sent
    }

    fn send_from(
        &mut self,
        socket: SocketId,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> Result<usize, SendError> {
        let vacated = self.vacates_arenas();
        match self.table.get_mut(socket)? {
            Socket::Bound(_) => Err(SendError::Socket(SocketError::NotConnected)),
            Socket::Listener(_) | Socket::Gateway(_) => {
                Err(SendError::Socket(SocketError::WrongKind))
            }
            _ if !from.is_source() => Err(SendError::NotASource),
            Socket::Datagram(_) => self.datagram_send(socket, from, control),
            Socket::Tcp(_) if flags.has(SendFlags::FAST_OPEN) => {
                self.offer_fast_open(socket, false);
                self.write_to(socket, from, flags, control, vacated)
            }
            Socket::Tcp(_) => self.write_to(socket, from, flags, control, vacated),
        }
    }

    fn write_to(
        &mut self,
        socket: SocketId,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
        vacated: bool,
    ) -> Result<usize, SendError> {
        let connection = &mut self.table.tcp_mut(socket)?.connection;
        let early = flags.has(SendFlags::FAST_OPEN) && connection.is_unsent();
        if !early {
            writable(connection)?;
        }
        let wanted = from.remaining();
        let more = flags.has(SendFlags::MORE);
        let taken = connection.write(from, more, control.token, vacated);
        let taken = taken.map_err(|_| SendError::NoMemory)?;
        if taken == 0 && wanted > 0 {
            return Err(SendError::WouldBlock);
        }
        if taken > 0 && flags.has(SendFlags::OOB) {
            connection.snd.mark_urgent();
        }
        if let Some(request) = control.stamp {
            connection.await_stamp(request, taken, &mut self.counters.tcp);
        }
        self.settle(socket);
        Ok(taken)
    }

    /// Puts a message, or on a stream as much as there is, into `into`.
    ///
    /// Bytes are copied into slices; an iterator that collects spans takes them as they are, unless they
    /// would pin much more than they hold. `into` is advanced by exactly what was put into it; by nothing
    /// when there is an error. [`messages`](crate::messages) has the details.
    ///
    /// # Errors
    ///
    /// See [`RecvError`]. After [`RecvError::WouldBlock`] a readable event follows when there is
    /// something, after [`RecvError::NoMemory`] when there is storage again. The end of a stream is `Ok` with zero bytes.
    pub fn receive_message(
        &mut self,
        socket: SocketId,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Result<Received, RecvError> {
        let mut waits = false;
        let received = self.receive_into(socket, into, flags, &mut waits);
        if received == Err(RecvError::NoMemory) {
            self.short_of_storage(socket, News::READABLE, waits);
        }
        received
    }

    /// `waits`: after [`RecvError::NoMemory`], whether word will be left when there is storage.
    fn receive_into(
        &mut self,
        socket: SocketId,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
        waits: &mut bool,
    ) -> Result<Received, RecvError> {
        let (reader, mut taking) = self.reader(socket, flags, waits)?;
        match reader {
            Socket::Bound(_) => Err(RecvError::Socket(SocketError::NotConnected)),
            Socket::Listener(_) | Socket::Gateway(_) => {
                Err(RecvError::Socket(SocketError::WrongKind))
            }
            _ if into.is_source() => Err(RecvError::NotASink),
            Socket::Datagram(entry) => {
                let peek = flags.has(RecvFlags::PEEK);
                entry.socket.recv(into, peek, &mut taking)
            }
            Socket::Tcp(tcp) => {
                let connection = &mut tcp.connection;
                // Who asks for nothing passes nothing.
                let asks = into.remaining() > 0 || connection.rcv.queued() == 0;
                if asks && connection.readable() == 0 {
                    if !flags.has(RecvFlags::PEEK) {
                        connection.pass_urgent();
                    }
                    return nothing_to_read(connection);
                }
                let patient = flags.has(RecvFlags::WAITALL) && !flags.has(RecvFlags::DONTWAIT);
                if patient && connection.may_fill(into.remaining()) {
                    return Err(RecvError::WouldBlock);
                }
                let acknowledged = connection.rcv.ack.due();
                let peek = flags.has(RecvFlags::PEEK);
                let bytes = connection.read(into, peek, &mut taking)?;
                let time = connection.time_of(bytes, peek);
                if connection.rcv.ack.due() != acknowledged {
                    self.settle(socket);
                }
                Ok(Received {
                    bytes,
                    len: bytes,
                    time,
                    ..Received::default()
                })
            }
        }
    }

    /// A socket that is read, and how what it holds is handed out.
    pub(super) fn reader<'a>(
        &'a mut self,
        socket: SocketId,
        flags: RecvFlags,
        waits: &'a mut bool,
    ) -> Result<(&'a mut Socket, Taking<'a>), SocketError> {
        let (reader, kept) = self.table.reader(socket)?;
        let taking = Taking {
            flags,
            evict: self.pressure.is_on(),
            pools: &self.pools,
            kept,
            most: self.reader_keeps,
            waits_with: self.shortage.account(),
            doorbell: &self.doorbell,
            waits,
        };
        Ok((reader, taking))
    }

    /// How many bytes [`send_message`](Self::send_message) would take now.
    ///
    /// # Errors
    ///
    /// The error that it would give; [`SendError::WouldBlock`] when there is no room, and then a
    /// writable event follows.
    pub fn send_room(&mut self, socket: SocketId) -> Result<usize, SendError> {
        match self.table.get_mut(socket)? {
            Socket::Bound(_) => Err(SendError::Socket(SocketError::NotConnected)),
            Socket::Listener(_) | Socket::Gateway(_) => {
                Err(SendError::Socket(SocketError::WrongKind))
            }
            Socket::Datagram(entry) if entry.socket.is_writable() => Ok(usize::MAX),
            Socket::Datagram(_) => Err(SendError::WouldBlock),
            Socket::Tcp(tcp) => {
                writable(&mut tcp.connection)?;
                match tcp.connection.snd.room() {
                    0 => {
                        tcp.connection.wait_for_room();
                        Err(SendError::WouldBlock)
                    }
                    room => Ok(room),
                }
            }
        }
    }
}

fn writable(connection: &mut Connection) -> Result<(), SendError> {
    if let Some(error) = connection.take_error() {
        return Err(SendError::Connection(error));
    }
    if connection.is_connecting() {
        return Err(SendError::WouldBlock);
    }
    if connection.may_write() {
        Ok(())
    } else {
        Err(SendError::Closed)
    }
}

fn nothing_to_read(connection: &mut Connection) -> Result<Received, RecvError> {
    if connection.error() == Some(ConnectionError::BrokenPipe) {
        // The stream has its end; who writes is told.
        return Ok(Received::default());
    }
    match connection.take_error() {
        // What this side ended itself, it ended.
        Some(ConnectionError::Aborted) | None if connection.at_end() => Ok(Received::default()),
        Some(error) => Err(RecvError::Connection(error)),
        None => Err(RecvError::WouldBlock),
    }
}
