//! What applications ask about urgent data.

use super::Stack;
use crate::socket::{RecvError, SocketError, SocketId, UrgentByte, UrgentData};
use crate::tcp::TcpState;

impl Stack {
    /// Bytes of the stream from what is read next to the end of urgent data, some of which may not have arrived yet
    /// (RFC 9293, 3.8.5); `None` where there is none or all of it was read. With 1 the last urgent byte is what comes next,
    /// as `SIOCATMARK` tells. What reading does there, [`SocketOption::Urgent`](crate::SocketOption::Urgent) says.
    ///
    /// # Errors
    ///
    /// [`SocketError::WrongKind`] where the socket is no connection.
    // req: MUST-33
    pub fn tcp_urgent(&self, socket: SocketId) -> Result<Option<usize>, SocketError> {
        Ok(self.table.tcp(socket)?.connection.rcv.urgent())
    }

    /// The last byte of urgent data, of a connection that has it [out of band](UrgentData::OutOfBand) (`MSG_OOB`). It can
    /// be had once, unless the call only `peek`s; what comes before it in the stream need not have been read.
    ///
    /// # Errors
    ///
    /// [`SocketError::NotConnected`] when there is a byte and the connection has failed; [`RecvError::Unreadable`] where it
    /// lies in memory that the processor may not read.
    pub fn tcp_urgent_byte(
        &mut self,
        socket: SocketId,
        peek: bool,
    ) -> Result<UrgentByte, RecvError> {
        let connection = &mut self.table.tcp_mut(socket)?.connection;
        if connection.urgent_data != UrgentData::OutOfBand {
            return Ok(UrgentByte::None);
        }
        let found = connection.rcv.urgent_byte();
        let found = found.map_err(|_| RecvError::Unreadable)?;
        let failed = connection.state == TcpState::Closed && connection.rcv.fin.is_none();
        match found {
            UrgentByte::None => {}
            _ if failed => return Err(SocketError::NotConnected.into()),
            UrgentByte::Here(_) if !peek => connection.rcv.take_urgent(),
            _ => {}
        }
        Ok(found)
    }
}
