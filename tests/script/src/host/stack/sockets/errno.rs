//! The errors of the stack as Linux numbers them.

use netstack_core::{ConnectError, ConnectionError, RecvError, SendError};

use super::Stop;

pub(super) fn connect_errno(error: ConnectError) -> Stop {
    Stop::Errno(match error {
        ConnectError::NoRoute => libc::ENETUNREACH,
        ConnectError::InUse | ConnectError::NoPorts => libc::EADDRNOTAVAIL,
        ConnectError::InvalidAddress => libc::ENETUNREACH,
        _ => libc::EADDRNOTAVAIL,
    })
}

pub(super) fn connection_errno(error: ConnectionError) -> i32 {
    match error {
        ConnectionError::Refused => libc::ECONNREFUSED,
        ConnectionError::Reset => libc::ECONNRESET,
        ConnectionError::BrokenPipe => libc::EPIPE,
        ConnectionError::TimedOut => libc::ETIMEDOUT,
        ConnectionError::Unreachable => libc::EHOSTUNREACH,
        ConnectionError::TooLong => libc::EMSGSIZE,
        _ => libc::ECONNABORTED,
    }
}

pub(super) fn send_errno(error: SendError) -> i32 {
    match error {
        SendError::Closed => libc::EPIPE,
        SendError::Connection(error) => connection_errno(error),
        SendError::TooLong => libc::EMSGSIZE,
        SendError::NoDestination => libc::EDESTADDRREQ,
        SendError::NoMemory => libc::ENOBUFS,
        SendError::NoRoute => libc::ENETUNREACH,
        _ => libc::EINVAL,
    }
}

pub(super) fn recv_errno(error: RecvError) -> i32 {
    match error {
        RecvError::Connection(error) => connection_errno(error),
        RecvError::NoMemory => libc::ENOMEM,
        _ => libc::ENOTCONN,
    }
}
