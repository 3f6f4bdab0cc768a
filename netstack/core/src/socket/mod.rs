//! What an application sees of the stack: handles, options, readiness and errors.

mod binding;
mod congestion;
mod error;
mod message;
mod report;
mod stamp;
mod urgent;

pub use binding::{BindOptions, Sees};
pub(crate) use binding::{canonical, mapped};
pub use congestion::{Congestion, UnknownCongestion};
pub use error::{
    AcceptError, BindError, ConnectError, ConnectionError, GroupError, ListenError, OptionError,
    RecvError, SendError, SocketError, TokenError,
};
pub use message::{Arrival, Received, RecvFlags, SendControl, SendFlags};
pub use report::{ErrorOrigin, ErrorReport, ReceivedError};
pub use stamp::{ReceivedStamp, Stamp, StampRequest, StampStage, Stamps};
pub use urgent::{UrgentByte, UrgentData};

use crate::ip::IfaceId;
use core::time::Duration;

/// A handle to one socket of one stack.
///
/// Copying it does not keep the socket: after the socket is closed, every call with the handle fails
/// with an error, and it never names another socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl SocketId {
    /// The handle of no socket.
    pub(crate) const NONE: SocketId = SocketId {
        index: u32::MAX,
        generation: 0,
    };
}

/// Which half of a connection to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Nothing more will be read; what has arrived and what arrives is thrown away.
    Read,
    /// Nothing more will be written; a FIN follows what was.
    Write,
    /// Both. What has arrived can be read; data that arrives afterwards resets the connection, so that its sender knows
    /// that nobody reads it (RFC 1122, 4.2.2.13).
    Both,
}

/// What could be done with a socket right now without waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There is data, the end of the stream, a connection to accept, or an error to take.
    pub readable: bool,
    /// There is room to write, or writing fails at once.
    pub writable: bool,
    /// Both directions are closed.
    pub hangup: bool,
    /// An error waits for `take_error`.
    pub error: bool,
    /// The handshake is still under way.
    pub connecting: bool,
    /// There is something to be told of messages that were sent (`receive_stamp`).
    pub stamped: bool,
    /// The last byte of urgent data is here, and was neither read nor passed.
    pub urgent: bool,
}

/// Something became possible on a socket. Events are edges: each is told once, and several of one
/// socket may be told as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The socket; it may be closed by the time the event is read.
    pub socket: SocketId,
    /// Data, the end of the stream, or a connection to accept arrived.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// A connection attempt succeeded.
    pub connected: bool,
    /// The connection is over, in whichever way; `take_error` says which.
    pub closed: bool,
    /// Messages may be complete; `poll_completion` says which.
    pub completed: bool,
    /// The peer says that data is urgent, up to a mark that was not known; `tcp_urgent` says where that is.
    pub urgent: bool,
    /// A message left or arrived of which is to be told; `receive_stamp` says which, and when.
    pub stamped: bool,
}

/// When to ask a silent peer whether it is still there (RFC 9293, 3.8.4). Times of less than a millisecond are taken for
/// one.
// req: MUST-27, MUST-28
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes after which the connection fails.
    pub probes: u32,
}

impl Default for KeepAlive {
    /// Linux's defaults: two hours, then nine probes 75 seconds apart.
    fn default() -> Self {
        KeepAlive {
            idle: Duration::from_secs(7200),
            interval: Duration::from_secs(75),
            probes: 9,
        }
    }
}

/// An option of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// Small segments leave at once instead of waiting for an acknowledgement (`TCP_NODELAY`).
    NoDelay(bool),
    /// Small segments wait until more is written or this is switched off, for a retransmission timeout at most
    /// (`TCP_CORK`).
    Cork(bool),
    /// Everything that is received is acknowledged at once, until this is switched off (`TCP_QUICKACK`).
    QuickAck(bool),
    /// How long sent data may stay unacknowledged before the connection fails (`TCP_USER_TIMEOUT`, RFC 9293, 3.8.3), in whole
    /// milliseconds;
    /// `None` for as long as it is repeated. It counts in the handshake too, and while the peer's window is shut.
    UserTimeout(Option<Duration>),
    /// Tell the peer that sent data may stay unacknowledged for so long (RFC 5482), rounded up to seconds or minutes, and
    /// heed what it tells, unless [`UserTimeout`](Self::UserTimeout) is set: then the longer of both is in force, from 150
    /// seconds to an hour. `None` ends that.
    AdvertiseUserTimeout(Option<Duration>),
    /// What closing does (`SO_LINGER`): `None` for delivering what was written in the background, however long it takes;
    /// zero for a reset at once; else for delivering it in that time, and a reset if that is not enough.
    Linger(Option<Duration>),
    /// Of a listener: how many connections whose SYN came with data may wait for the rest of their handshake
    /// (`TCP_FASTOPEN`); 0 for none. Takes effect where the stack is a [`FastOpen::SERVER`](crate::FastOpen::SERVER). Such
    /// data may be delivered again, if the network doubles the SYN or somebody plays it again: only where that does no
    /// harm.
    // req: RFC7413-01, RFC7413-16
    FastOpen(u16),
    /// Of a connection whose SYN has not left: it waits for the first write, and carries that, if the peer has given a
    /// cookie before (`TCP_FASTOPEN_CONNECT`); if not, it leaves at once and asks for one.
    FastOpenConnect(bool),
    /// The most bytes of a segment, headers not counted (`TCP_MAXSEG`), at least 88. Set before the SYN leaves, the peer
    /// hears of it; it never makes segments longer.
    MaxSegment(u16),
    /// Note when bytes come, for [`Received::time`] (`SO_TIMESTAMPNS`). Of datagrams that is always known.
    ReceiveTimes(bool),
    /// What reading does with urgent data (`SO_OOBINLINE`).
    Urgent(UrgentData),
    /// How many bytes may wait to be sent for the first time (`TCP_NOTSENT_LOWAT`): beyond, a socket is not writable.
    /// What is written later can so be newer. `None` for what
    /// [`TcpConfig::not_sent_low_water`](crate::TcpConfig) says.
    NotSentLowWater(Option<usize>),
    /// Ask a silent peer whether it is there (`SO_KEEPALIVE`); `None` stops it.
    KeepAlive(Option<KeepAlive>),
    /// Bytes that the socket may hold for sending (`SO_SNDBUF`, without Linux's doubling). It is not tuned from then on.
    SendBuffer(usize),
    /// Bytes that the socket may hold for reading (`SO_RCVBUF`, without Linux's doubling). It is not tuned from then on;
    /// what the peer was promised stays promised. Before the SYN of a connection has left, that announces no more, and what
    /// it takes to offer all of it; afterwards, and on connections that a peer opens, no window is larger than
    /// [`TcpConfig::receive_buffer`](crate::TcpConfig::receive_buffer) could be said to be.
    ReceiveBuffer(usize),
    /// The rate that packets leave no faster than, in bytes of payload a second (`SO_MAX_PACING_RATE`); `None` for none.
    /// Congestion control may want less.
    PacingRate(Option<u64>),
    /// What bounds the data in flight from now on (`TCP_CONGESTION`); the window stays as it is.
    Congestion(Congestion),
    /// Datagrams of one sender that a device has received as one packet are received as one, with
    /// [`Received::segment`] (`UDP_GRO`). Otherwise one by one, which is so at the beginning.
    UdpGro(bool),
    /// TTL or hop limit of packets to one host (`IP_TTL`, `IPV6_UNICAST_HOPS`), at least 1; `None` for the stack's own.
    HopLimit(Option<u8>),
    /// DSCP of packets, in the upper six bits (`IP_TOS`, `IPV6_TCLASS`). The lower two, ECN, mean nothing on a connection.
    TrafficClass(u8),
    /// Datagrams are never fragmented: one longer than its path takes is refused with
    /// [`SendError::TooLong`](crate::SendError::TooLong) (`IP_MTU_DISCOVER`).
    DontFragment(bool),
    /// TTL or hop limit of datagrams to groups (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`), 1 at the beginning. With 0
    /// they do not leave the host.
    MulticastHopLimit(u8),
    /// Whether datagrams to groups that this host is in are received by it too (`IP_MULTICAST_LOOP`), which is so at the
    /// beginning.
    MulticastLoop(bool),
    /// The interface by which datagrams to groups leave (`IP_MULTICAST_IF`); `None` for that of the route.
    MulticastInterface(Option<IfaceId>),
    /// Whether datagrams may go to broadcast addresses (`SO_BROADCAST`), which is so at the beginning: it is programs of
    /// POSIX that have to ask for it.
    Broadcast(bool),
    /// Errors about datagrams, also of a socket that is not connected, are queued to be read by
    /// [`receive_error`](crate::Stack::receive_error) (`IP_RECVERR`).
    QueueErrors(bool),
    /// What a raw socket sends begins with an IP header (`IP_HDRINCL`).
    WithHeader(bool),
}
