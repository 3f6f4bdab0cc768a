//! From the core's errors to the `io::Error`s that `std::net` has taught everybody to expect.

use std::error::Error;
use std::io::{self, ErrorKind};

use netstack_core::{
    AcceptError, BindError, ConnectError, ConnectionError, FlowError, ListenError, OptionError,
    RecvError, SendError, SocketError, SpliceError, TokenError,
};

/// Turns an error of the core into an [`io::Error`] of the kind `std::net` gives.
pub(crate) trait IntoIo: Error + Send + Sync + Sized + 'static {
    /// The kind it has in `std::net`.
    fn kind(&self) -> ErrorKind;

    fn into_io(self) -> io::Error {
        match self.kind() {
            // The one that happens on every wait: no allocation for it.
            ErrorKind::WouldBlock => ErrorKind::WouldBlock.into(),
            kind => io::Error::new(kind, self),
        }
    }
}

impl IntoIo for ConnectionError {
    fn kind(&self) -> ErrorKind {
        match self {
            ConnectionError::Refused => ErrorKind::ConnectionRefused,
            ConnectionError::Reset => ErrorKind::ConnectionReset,
            ConnectionError::BrokenPipe => ErrorKind::BrokenPipe,
            ConnectionError::TimedOut => ErrorKind::TimedOut,
            ConnectionError::Unreachable => ErrorKind::HostUnreachable,
            ConnectionError::Aborted => ErrorKind::ConnectionAborted,
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for SocketError {
    fn kind(&self) -> ErrorKind {
        match self {
            SocketError::BadHandle | SocketError::NotConnected => ErrorKind::NotConnected,
            SocketError::WrongKind => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for BindError {
    fn kind(&self) -> ErrorKind {
        match self {
            BindError::InUse | BindError::NoPorts => ErrorKind::AddrInUse,
            BindError::NotAvailable => ErrorKind::AddrNotAvailable,
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for ListenError {
    fn kind(&self) -> ErrorKind {
        match self {
            ListenError::InUse | ListenError::NoPorts => ErrorKind::AddrInUse,
            ListenError::NotAvailable => ErrorKind::AddrNotAvailable,
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for AcceptError {
    fn kind(&self) -> ErrorKind {
        match self {
            AcceptError::WouldBlock => ErrorKind::WouldBlock,
            AcceptError::Socket(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for ConnectError {
    fn kind(&self) -> ErrorKind {
        match self {
            ConnectError::NoRoute => ErrorKind::NetworkUnreachable,
            ConnectError::NotAvailable | ConnectError::NoPorts => ErrorKind::AddrNotAvailable,
            ConnectError::InUse => ErrorKind::AddrInUse,
            ConnectError::InvalidAddress => ErrorKind::InvalidInput,
            ConnectError::NotPermitted => ErrorKind::PermissionDenied,
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for SendError {
    fn kind(&self) -> ErrorKind {
        match self {
            SendError::WouldBlock => ErrorKind::WouldBlock,
            SendError::NoMemory => ErrorKind::OutOfMemory,
            SendError::Closed => ErrorKind::BrokenPipe,
            SendError::Connection(error) => error.kind(),
            SendError::TooLong
            | SendError::InvalidMessage
            | SendError::InvalidSegment
            | SendError::TooManyParts
            | SendError::InvalidAddress
            | SendError::NotASource => ErrorKind::InvalidInput,
            SendError::NoDestination => ErrorKind::NotConnected,
            SendError::NoRoute => ErrorKind::NetworkUnreachable,
            SendError::NotPermitted => ErrorKind::PermissionDenied,
            SendError::Socket(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for RecvError {
    fn kind(&self) -> ErrorKind {
        match self {
            RecvError::WouldBlock => ErrorKind::WouldBlock,
            RecvError::Unreadable => ErrorKind::Unsupported,
            RecvError::NoMemory => ErrorKind::OutOfMemory,
            RecvError::NotASink => ErrorKind::InvalidInput,
            RecvError::Connection(error) => error.kind(),
            RecvError::Socket(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for FlowError {
    fn kind(&self) -> ErrorKind {
        match self {
            FlowError::Gone => ErrorKind::ConnectionAborted,
            FlowError::Full => ErrorKind::QuotaExceeded,
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for SpliceError {
    fn kind(&self) -> ErrorKind {
        match self {
            SpliceError::From(error) => error.kind(),
            SpliceError::To(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for TokenError {
    fn kind(&self) -> ErrorKind {
        match self {
            // As Linux says it of too many notifications.
            TokenError::TooMany(_) => ErrorKind::QuotaExceeded,
            TokenError::Socket(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}

impl IntoIo for OptionError {
    fn kind(&self) -> ErrorKind {
        match self {
            OptionError::Invalid => ErrorKind::InvalidInput,
            OptionError::Socket(error) => error.kind(),
            _ => ErrorKind::Other,
        }
    }
}

#[cfg(test)]
mod tests;
