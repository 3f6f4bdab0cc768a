//! Options whose value is a number.

use crate::address::Domain;
use crate::datagram::Kind;
use crate::files::Object;

/// Whose option it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    All,
    Streams,
    /// UDP.
    Udp,
    /// Every socket of IP but raw ones of IPv6.
    Inet,
    /// Sockets of IPv6.
    V6,
}

/// Which numbers it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Any; it is kept as 0 or 1.
    Flag,
    /// From one to the other.
    Range(i32, i32),
    /// 0, or from one to the other.
    ZeroOr(i32, i32),
    Any,
    /// From the one that is given to 255, or -1 for the default.
    Octet(i32),
    /// Any, of which the lowest byte is kept.
    Byte,
    /// The number of bytes that a reader waits for.
    LowWater,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) of: Of,
    pub(super) takes: Takes,
    pub(super) default: i32,
}

const fn entry(level: i32, name: i32, of: Of, takes: Takes, default: i32) -> Entry {
    Entry {
        level,
        name,
        of,
        takes,
        default,
    }
}

const SOCKET: i32 = libc::SOL_SOCKET;
const TCP: i32 = libc::IPPROTO_TCP;
const UDP: i32 = libc::IPPROTO_UDP;
const IP: i32 = libc::IPPROTO_IP;
const IPV6: i32 = libc::IPPROTO_IPV6;

/// All of them, with Linux's limits and defaults.
#[rustfmt::skip]
pub(super) const TABLE: &[Entry] = &[
    entry(SOCKET, libc::SO_REUSEADDR, Of::All, Takes::Flag, 0),
    entry(SOCKET, libc::SO_REUSEPORT, Of::All, Takes::Flag, 0),
    entry(SOCKET, libc::SO_KEEPALIVE, Of::All, Takes::Flag, 0),
    entry(SOCKET, libc::SO_BROADCAST, Of::All, Takes::Flag, 0),
    // Nothing asks for it: routes have no marks.
    entry(SOCKET, libc::SO_MARK, Of::All, Takes::Any, 0),
    entry(SOCKET, libc::SO_OOBINLINE, Of::All, Takes::Flag, 0),
    entry(SOCKET, libc::SO_RCVLOWAT, Of::All, Takes::LowWater, 1),
    entry(SOCKET, libc::SO_TIMESTAMP, Of::All, Takes::Flag, 0),
    entry(SOCKET, libc::SO_TIMESTAMPNS, Of::All, Takes::Flag, 0),
    entry(SOCKET, libc::SO_TIMESTAMPING, Of::All, Takes::Any, 0),
    entry(SOCKET, libc::SO_ZEROCOPY, Of::All, Takes::Range(0, 1), 0),
    entry(SOCKET, libc::SO_SELECT_ERR_QUEUE, Of::All, Takes::Flag, 0),
    entry(TCP, libc::TCP_NODELAY, Of::Streams, Takes::Flag, 0),
    entry(TCP, libc::TCP_CORK, Of::Streams, Takes::Flag, 0),
    entry(TCP, libc::TCP_QUICKACK, Of::Streams, Takes::Flag, 1),
    entry(TCP, libc::TCP_USER_TIMEOUT, Of::Streams, Takes::Range(0, i32::MAX), 0),
    entry(TCP, libc::TCP_MAXSEG, Of::Streams, Takes::ZeroOr(88, 32_767), 0),
    entry(TCP, libc::TCP_KEEPIDLE, Of::Streams, Takes::Range(1, 32_767), 7200),
    entry(TCP, libc::TCP_KEEPINTVL, Of::Streams, Takes::Range(1, 32_767), 75),
    entry(TCP, libc::TCP_KEEPCNT, Of::Streams, Takes::Range(1, 127), 9),
    entry(TCP, libc::TCP_NOTSENT_LOWAT, Of::Streams, Takes::Any, 0),
    entry(TCP, libc::TCP_INQ, Of::Streams, Takes::Range(0, 1), 0),
    entry(TCP, libc::TCP_FASTOPEN, Of::Streams, Takes::Range(0, i32::MAX), 0),
    entry(TCP, libc::TCP_FASTOPEN_CONNECT, Of::Streams, Takes::Range(0, 1), 0),
    entry(UDP, libc::UDP_SEGMENT, Of::Udp, Takes::Range(0, 65_535), 0),
    entry(UDP, libc::UDP_GRO, Of::Udp, Takes::Flag, 0),
    entry(IP, libc::IP_PKTINFO, Of::Inet, Takes::Flag, 0),
    entry(IP, libc::IP_RECVTTL, Of::Inet, Takes::Flag, 0),
    entry(IP, libc::IP_RECVTOS, Of::Inet, Takes::Flag, 0),
    entry(IP, libc::IP_RECVERR, Of::Inet, Takes::Flag, 0),
    entry(IP, libc::IP_MTU_DISCOVER, Of::Inet, Takes::Range(0, 5), 1),
    entry(IP, libc::IP_MULTICAST_TTL, Of::Inet, Takes::Octet(0), 1),
    entry(IP, libc::IP_MULTICAST_LOOP, Of::Inet, Takes::Flag, 1),
    entry(IP, libc::IP_HDRINCL, Of::Inet, Takes::Flag, 0),
    entry(IP, libc::IP_TTL, Of::Inet, Takes::Octet(1), 64),
    entry(IP, libc::IP_TOS, Of::Inet, Takes::Byte, 0),
    entry(IPV6, libc::IPV6_V6ONLY, Of::V6, Takes::Flag, 0),
    entry(IPV6, libc::IPV6_RECVPKTINFO, Of::V6, Takes::Flag, 0),
    entry(IPV6, libc::IPV6_RECVHOPLIMIT, Of::V6, Takes::Flag, 0),
    entry(IPV6, libc::IPV6_RECVTCLASS, Of::V6, Takes::Flag, 0),
    entry(IPV6, libc::IPV6_RECVERR, Of::V6, Takes::Flag, 0),
    entry(IPV6, libc::IPV6_MTU_DISCOVER, Of::V6, Takes::Range(0, 5), 1),
    entry(IPV6, libc::IPV6_DONTFRAG, Of::V6, Takes::Flag, 0),
    entry(IPV6, libc::IPV6_MULTICAST_HOPS, Of::V6, Takes::Octet(0), 1),
    entry(IPV6, libc::IPV6_MULTICAST_LOOP, Of::V6, Takes::Range(0, 1), 1),
    entry(IPV6, libc::IPV6_UNICAST_HOPS, Of::V6, Takes::Octet(1), 64),
    entry(IPV6, libc::IPV6_TCLASS, Of::V6, Takes::Octet(0), 0),
];

/// Where an option stands in the table.
pub(super) const fn find(level: i32, name: i32) -> Option<usize> {
    let mut rest = TABLE;
    while let Some((entry, before)) = rest.split_last() {
        if entry.level == level && entry.name == name {
            return Some(before.len());
        }
        rest = before;
    }
    None
}

/// Likewise, if a socket has it.
pub(super) fn find_for(object: &Object, level: i32, name: i32) -> Option<usize> {
    let at = find(level, name)?;
    let (kind, domain) = match object {
        Object::Stream(stream) => (None, Some(stream.domain)),
        Object::Datagram(datagram) => (Some(datagram.kind), Some(datagram.domain)),
        Object::Packet(_) => (None, None),
        Object::Epoll(_) => return None,
    };
    let has = match TABLE.get(at)?.of {
        Of::All => true,
        Of::Streams => matches!(object, Object::Stream(_)),
        Of::Udp => kind == Some(Kind::Udp),
        Of::Inet => match kind {
            Some(Kind::Raw(_)) => domain == Some(Domain::V4),
            _ => domain.is_some(),
        },
        Of::V6 => domain == Some(Domain::V6),
    };
    has.then_some(at)
}
