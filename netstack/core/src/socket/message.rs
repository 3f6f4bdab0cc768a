//! The parameters of the two functions that all data goes through.

use super::StampRequest;
use crate::Instant;
use crate::flags::flags;
use crate::ip::IfaceId;
use std::net::{IpAddr, SocketAddr};
use txbuf::Token;

flags! {
    /// How to send.
    SendFlags {
        /// More will follow at once: a last segment that is not full waits for it (`MSG_MORE`). Means
        /// nothing for datagrams: each call is one.
        MORE = 1,
        /// A front end that would wait does not (`MSG_DONTWAIT`). The stack itself never waits.
        DONTWAIT = 2,
        /// What is written goes with the SYN if that has not left yet, or waits for the handshake (`MSG_FASTOPEN`,
        /// RFC 7413). The peer's application may get such data twice, if the network doubles the SYN: only where that
        /// does no harm. Means nothing where the stack does not do it, see [`FastOpen`](crate::FastOpen).
        FAST_OPEN = 4,
        /// What is written is urgent, up to its end (`MSG_OOB`, RFC 9293, 3.8.5): the peer is told so with every segment
        /// until it has all of it. It stays in the stream (RFC 6093), and nothing is sent out of its turn. Not for new
        /// programs. Means nothing for datagrams.
        OOB = 8,
    }
}

flags! {
    /// How to receive.
    RecvFlags {
        /// What is read stays in the queue (`MSG_PEEK`).
        PEEK = 1,
        /// Nothing is taken from a stream before the iterator can be filled, or nothing more can come
        /// (`MSG_WAITALL`). Means nothing for datagrams.
        WAITALL = 2,
        /// A front end that would wait does not (`MSG_DONTWAIT`). Takes back what
        /// [`WAITALL`](Self::WAITALL) asks for.
        DONTWAIT = 4,
        /// Spans that are collected go on at once: they are copied out and dropped, or sent. They are
        /// given as they are, however much they pin.
        TRANSIENT = 8,
        /// Spans that are collected will be copied: of memory that the processor may not read, none is
        /// given.
        READABLE = 16,
    }
}

/// What goes with a message that is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendControl<'a> {
    /// Where a datagram goes; `None` on a connected socket.
    pub to: Option<SocketAddr>,
    /// The message's token, from [`Stack::message_token`](crate::Stack::message_token). The socket keeps a
    /// clone until it needs the bytes no more: on a stream until they are acknowledged.
    pub token: Option<&'a Token>,
    /// Bytes of payload of each datagram, if the message is several of them one behind the other; the last may have
    /// fewer (`UDP_SEGMENT`). They go as one packet as far as they can. At least one byte, and at most 64 datagrams, each
    /// of which fits an unfragmented packet of the interface. Means nothing on a stream.
    pub segment: Option<u16>,
    /// The address of this host that a datagram comes from (`IP_PKTINFO`); `None` for that of the socket or the route.
    pub source: Option<IpAddr>,
    /// The interface that a datagram leaves by (`IP_PKTINFO`); `None` for that of the route.
    pub iface: Option<IfaceId>,
    /// TTL or hop limit of a datagram (`IP_TTL`, `IPV6_HOPLIMIT`); `None` for that of the socket.
    pub hop_limit: Option<u8>,
    /// DSCP and ECN of a datagram (`IP_TOS`, `IPV6_TCLASS`); `None` for those of the socket.
    pub traffic_class: Option<u8>,
    /// Whether a datagram is never fragmented (`IPV6_DONTFRAG`); `None` for what the socket has.
    pub dont_fragment: Option<bool>,
    /// Whether to tell when the message leaves, and when it has arrived (`SO_TIMESTAMPING`), by
    /// [`Stack::receive_stamp`](crate::Stack::receive_stamp). Means nothing on a packet socket.
    pub stamp: Option<StampRequest>,
}

impl SendControl<'_> {
    /// A datagram to `to`.
    pub fn to(to: SocketAddr) -> Self {
        SendControl {
            to: Some(to),
            ..SendControl::default()
        }
    }

    /// Datagrams to `to`, each of `segment` bytes of payload but for the last.
    pub fn segments(to: SocketAddr, segment: u16) -> Self {
        SendControl {
            segment: Some(segment),
            ..SendControl::to(to)
        }
    }
}

/// What came with a message that was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes put into the iterator. Zero on a stream means its end.
    pub bytes: usize,
    /// Bytes of the whole datagram, whatever there was room for; of a stream, as `bytes`.
    pub len: usize,
    /// Who sent the datagram.
    pub from: Option<SocketAddr>,
    /// The datagram was longer than the iterator had room for (`MSG_TRUNC`); unless it was only looked
    /// at, the rest is gone.
    pub truncated: bool,
    /// Bytes of payload of each datagram, if these are several of one sender; the last may have fewer. Only for who
    /// asked for that ([`SocketOption::UdpGro`](crate::SocketOption::UdpGro)).
    pub segment: Option<u16>,
    /// When the last of the bytes of a stream could be read, by the time that the stack was told, if it came after the
    /// application asked for that ([`SocketOption::ReceiveTimes`](crate::SocketOption::ReceiveTimes)). Of more than 1024
    /// arrivals that wait to be read, the latest are told as one.
    pub time: Option<Instant>,
    /// How the datagram arrived; `None` on a stream.
    pub arrival: Option<Arrival>,
}

/// How a datagram arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The very address that it was sent to: one of this host's, a broadcast address, or a group (`IP_PKTINFO`).
    pub to: IpAddr,
    /// The interface that it came by.
    pub iface: IfaceId,
    /// Its TTL or hop limit (`IP_RECVTTL`).
    pub hop_limit: u8,
    /// Its DSCP and ECN (`IP_RECVTOS`).
    pub traffic_class: u8,
    /// When it came, by the time that the stack was told (`SO_TIMESTAMPNS`).
    pub time: Instant,
    /// A packet that did not arrive but leave, which packet sockets see too (`PACKET_OUTGOING`).
    pub outgoing: bool,
}
