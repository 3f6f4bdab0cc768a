//! Control messages of what is received: how a datagram came.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use netstack_core::{Arrival, Instant, Stack};

use super::Writer;
use crate::address::Domain;
use crate::interfaces::number_of;
use crate::options::{Options, places};
use crate::stamps::SOFTWARE;

/// Bytes of `struct scm_timestamping`: three times.
const SCM_TIMESTAMPING: usize = 48;

/// When something came, if the program wants to know: to the microsecond or the nanosecond.
pub(crate) fn tell_time(writer: &mut Writer, options: &Options, epoch: Duration, time: Instant) {
    tell(writer, (options, options.tells_arrivals()), epoch, time);
}

/// When something happened to a message that was sent.
pub(crate) fn tell_stamp(writer: &mut Writer, options: &Options, epoch: Duration, time: Instant) {
    let stamped = options.stamping() & SOFTWARE != 0;
    tell(writer, (options, stamped), epoch, time);
}

fn tell(writer: &mut Writer, (options, stamped): (&Options, bool), epoch: Duration, time: Instant) {
    let since = epoch.saturating_add(time.since(Instant::ZERO));
    let seconds = i64::try_from(since.as_secs())
        .unwrap_or(i64::MAX)
        .to_ne_bytes();
    let with = |part: u32| [seconds, i64::from(part).to_ne_bytes()].concat();
    if options.is_on(places::SO_TIMESTAMPNS) {
        let time = with(since.subsec_nanos());
        writer.push(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &time);
    } else if options.is_on(places::SO_TIMESTAMP) {
        let time = with(since.subsec_micros());
        writer.push(libc::SOL_SOCKET, libc::SO_TIMESTAMP, &time);
    }
    if stamped {
        // A `struct scm_timestamping`: there is no hardware that would fill in the other two.
        let mut times = with(since.subsec_nanos());
        times.resize(SCM_TIMESTAMPING, 0);
        writer.push(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &times);
    }
}

/// What the program wants to know of how a datagram came: of IPv4 by the options of IPv4, whatever the socket is.
/// `answers` says where an answer would come from, if it is one to be answered.
pub(crate) fn tell_arrival(
    writer: &mut Writer,
    (options, domain): (&Options, Domain),
    arrival: &Arrival,
    answers: impl FnOnce() -> Ipv4Addr,
) {
    let to = arrival.to.to_canonical();
    let number = number_of(arrival.iface);
    if domain == Domain::V6 && options.is_on(places::IPV6_RECVPKTINFO) {
        let octets = match to {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let info = [octets.as_slice(), &number.to_ne_bytes()].concat();
        writer.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
    }
    match to {
        IpAddr::V4(to) => tell_v4(writer, options, (to, number), arrival, answers),
        IpAddr::V6(_) => {
            let limit = i32::from(arrival.hop_limit).to_ne_bytes();
            let class = i32::from(arrival.traffic_class).to_ne_bytes();
            for (option, kind, value) in [
                (places::IPV6_RECVHOPLIMIT, libc::IPV6_HOPLIMIT, limit),
                (places::IPV6_RECVTCLASS, libc::IPV6_TCLASS, class),
            ] {
                if options.is_on(option) {
                    writer.push(libc::IPPROTO_IPV6, kind, &value);
                }
            }
        }
    }
}

/// Where an answer to what came so comes from: the address that it was sent to, or if that is one of many the first
/// of the interface.
pub(crate) fn answers_from(arrival: &Arrival, stack: &Stack) -> Ipv4Addr {
    let v4 = |address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    };
    let to = arrival.to.to_canonical();
    let own = stack.interface_of(to).and(v4(to));
    let mut all = stack.addresses(arrival.iface);
    own.or_else(|| all.find_map(|cidr| v4(IpAddr::from(cidr.address()))))
        .unwrap_or(Ipv4Addr::UNSPECIFIED)
}

fn tell_v4(
    writer: &mut Writer,
    options: &Options,
    (to, number): (Ipv4Addr, u32),
    arrival: &Arrival,
    answers: impl FnOnce() -> Ipv4Addr,
) {
    if options.is_on(places::IP_PKTINFO) {
        let info = [number.to_ne_bytes(), answers().octets(), to.octets()].concat();
        writer.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
    }
    if options.is_on(places::IP_RECVTTL) {
        let limit = i32::from(arrival.hop_limit).to_ne_bytes();
        writer.push(libc::IPPROTO_IP, libc::IP_TTL, &limit);
    }
    if options.is_on(places::IP_RECVTOS) {
        writer.push(libc::IPPROTO_IP, libc::IP_TOS, &[arrival.traffic_class]);
    }
}
