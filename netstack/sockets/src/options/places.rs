//! The places in the table of options that are looked at with every message: found by the compiler, and not each time.

use super::table::find;

/// Where an option stands in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(pub(super) usize);

/// Of an option that the table has: otherwise this does not compile.
const fn place(level: i32, name: i32) -> Place {
    match find(level, name) {
        Some(at) => Place(at),
        None => panic!("no such option"),
    }
}

pub(crate) const SO_OOBINLINE: Place = place(libc::SOL_SOCKET, libc::SO_OOBINLINE);
pub(crate) const SO_RCVLOWAT: Place = place(libc::SOL_SOCKET, libc::SO_RCVLOWAT);
pub(crate) const SO_TIMESTAMP: Place = place(libc::SOL_SOCKET, libc::SO_TIMESTAMP);
pub(crate) const SO_TIMESTAMPNS: Place = place(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
pub(crate) const SO_TIMESTAMPING: Place = place(libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
pub(crate) const SO_ZEROCOPY: Place = place(libc::SOL_SOCKET, libc::SO_ZEROCOPY);
pub(crate) const SO_SELECT_ERR_QUEUE: Place = place(libc::SOL_SOCKET, libc::SO_SELECT_ERR_QUEUE);
pub(crate) const TCP_INQ: Place = place(libc::IPPROTO_TCP, libc::TCP_INQ);
pub(crate) const UDP_SEGMENT: Place = place(libc::IPPROTO_UDP, libc::UDP_SEGMENT);
pub(crate) const IP_PKTINFO: Place = place(libc::IPPROTO_IP, libc::IP_PKTINFO);
pub(crate) const IP_RECVTTL: Place = place(libc::IPPROTO_IP, libc::IP_RECVTTL);
pub(crate) const IP_RECVTOS: Place = place(libc::IPPROTO_IP, libc::IP_RECVTOS);
pub(crate) const IP_HDRINCL: Place = place(libc::IPPROTO_IP, libc::IP_HDRINCL);
pub(crate) const IP_MULTICAST_TTL: Place = place(libc::IPPROTO_IP, libc::IP_MULTICAST_TTL);
pub(crate) const IP_TTL: Place = place(libc::IPPROTO_IP, libc::IP_TTL);
pub(crate) const IP_TOS: Place = place(libc::IPPROTO_IP, libc::IP_TOS);
pub(crate) const IPV6_V6ONLY: Place = place(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
pub(crate) const IPV6_RECVPKTINFO: Place = place(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO);
pub(crate) const IPV6_RECVHOPLIMIT: Place = place(libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT);
pub(crate) const IPV6_RECVTCLASS: Place = place(libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS);
pub(crate) const IPV6_MULTICAST_HOPS: Place = place(libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS);
pub(crate) const IPV6_UNICAST_HOPS: Place = place(libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS);
pub(crate) const IPV6_TCLASS: Place = place(libc::IPPROTO_IPV6, libc::IPV6_TCLASS);
