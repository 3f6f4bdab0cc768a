//! One error type per operation; each says what the caller does next.

use thiserror::Error;
use txbuf::{CopyError, TooManyMessages};

/// Why a connection ended other than by both sides closing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// The peer reset the connection.
    #[error("connection reset by peer")]
    Reset,
    /// The peer reset the connection after it had closed its side: what it sent is whole, but it takes nothing more.
    #[error("broken pipe")]
    BrokenPipe,
    /// The peer did not answer for too long.
    #[error("connection timed out")]
    TimedOut,
    /// The network says that the peer cannot be reached.
    #[error("host unreachable")]
    Unreachable,
    /// A datagram that may not be fragmented was longer than its path takes.
    #[error("message too long")]
    TooLong,
    /// This side gave the connection up.
    #[error("connection aborted")]
    Aborted,
}

/// An operation on a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The socket was closed; the handle is of no more use.
    #[error("the socket is closed")]
    BadHandle,
    /// The socket is of another kind.
    #[error("the operation does not suit this kind of socket")]
    WrongKind,
    /// The socket is not connected.
    #[error("the socket is not connected")]
    NotConnected,
}

/// Binding a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the port; choose another.
    #[error("address already in use")]
    InUse,
    /// No interface of the stack has the address.
    #[error("address not available on this stack")]
    NotAvailable,
    /// Every ephemeral port is taken; close something first.
    #[error("no ephemeral port is free")]
    NoPorts,
}

impl From<BindError> for ListenError {
    fn from(error: BindError) -> Self {
        match error {
            BindError::InUse => ListenError::InUse,
            BindError::NotAvailable => ListenError::NotAvailable,
            BindError::NoPorts => ListenError::NoPorts,
        }
    }
}

/// Listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another listener has the port; choose another.
    #[error("address already in use")]
    InUse,
    /// No interface of the stack has the address.
    #[error("address not available on this stack")]
    NotAvailable,
    /// Every ephemeral port is taken; close something first.
    #[error("no ephemeral port is free")]
    NoPorts,
}

/// Accepting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Nothing waits; try again after a readable event.
    #[error("no connection waits")]
    WouldBlock,
    /// The handle is not that of a listener.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No route leads there; add one.
    #[error("no route to host")]
    NoRoute,
    /// No interface of the stack has the local address, or none has an address of the peer's family.
    #[error("address not available on this stack")]
    NotAvailable,
    /// The same connection exists already.
    #[error("address already in use")]
    InUse,
    /// Every ephemeral port towards this peer is taken; close something first.
    #[error("no ephemeral port is free")]
    NoPorts,
    /// The remote address cannot be connected to: an unspecified one, or for a connection multicast, broadcast, or port 0.
    #[error("invalid remote address")]
    InvalidAddress,
    /// The socket [may not send](crate::SocketOption::Broadcast) to broadcast addresses.
    #[error("broadcast is not permitted")]
    NotPermitted,
}

/// Sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The queue is full; try again after a writable event. Nothing was taken.
    #[error("the send queue is full")]
    WouldBlock,
    /// The stack has no storage left; try again later. Nothing was taken.
    #[error("no buffer space")]
    NoMemory,
    /// This side was shut down for writing, or the connection is over.
    #[error("broken pipe")]
    Closed,
    /// The connection failed; told once, afterwards [`SendError::Closed`].
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The datagram does not fit into any IP packet, or one of several segments not into an unfragmented one of the
    /// interface. Nothing was sent.
    #[error("message too long")]
    TooLong,
    /// The message cannot be cut into segments of no bytes, nor into more than 64. Nothing was sent.
    #[error("invalid segment size")]
    InvalidSegment,
    /// The datagram has more than 16 parts, and cannot be copied together because the processor may not read some of
    /// them. Nothing was sent.
    #[error("too many parts in unreadable memory")]
    TooManyParts,
    /// The message is none that this kind of socket sends: no echo request, or no IP packet. Nothing was sent.
    #[error("not a message that this socket sends")]
    InvalidMessage,
    /// A datagram needs a destination: name one or connect the socket.
    #[error("destination address required")]
    NoDestination,
    /// The destination is not one a datagram may go to, or of another family than the socket.
    #[error("invalid destination address")]
    InvalidAddress,
    /// No route leads to the destination.
    #[error("no route to host")]
    NoRoute,
    /// The destination is a broadcast address, and the socket [may not send](crate::SocketOption::Broadcast) there.
    #[error("broadcast is not permitted")]
    NotPermitted,
    /// The iterator is a sink. Nothing was taken.
    #[error("the iterator takes bytes and has none")]
    NotASource,
    /// The handle is not that of a socket that sends.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing is there; try again after a readable event.
    #[error("nothing to receive")]
    WouldBlock,
    /// The data lies in memory that the processor may not read; receive it as spans.
    #[error("the data cannot be read by the processor")]
    Unreadable,
    /// The data has to be copied before it may be kept, and the stack has no storage left. It stays
    /// queued; try again later, or receive into slices.
    #[error("no buffer space")]
    NoMemory,
    /// The iterator is a source. Nothing was put into it.
    #[error("the iterator has bytes and takes none")]
    NotASink,
    /// The connection failed; told once, afterwards the stream is at its end.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The handle is not that of a socket that receives.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

impl From<CopyError> for RecvError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Unreadable => RecvError::Unreadable,
            _ => RecvError::NoMemory,
        }
    }
}

/// Numbering a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// As many messages wait for their completion as may; poll completions first.
    #[error(transparent)]
    TooMany(#[from] TooManyMessages),
    /// The handle is not that of a socket that sends.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Joining or leaving a multicast group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The address is not that of a group.
    #[error("not a multicast group")]
    NotGroup,
    /// There is no such interface, or no route to the group says which.
    #[error("no such interface")]
    NoInterface,
    /// The socket is in the group already.
    #[error("already a member of the group")]
    Already,
    /// The socket is not in the group.
    #[error("not a member of the group")]
    NotMember,
    /// The socket is in 64 groups, or the stack in 4096.
    #[error("a member of too many groups")]
    TooMany,
    /// The handle is not that of a datagram socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Setting an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The value is outside what the option takes.
    #[error("invalid option value")]
    Invalid,
    /// The handle is not that of a socket with this option.
    #[error(transparent)]
    Socket(#[from] SocketError),
}
