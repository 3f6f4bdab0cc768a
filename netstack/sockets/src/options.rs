//! `getsockopt` and `setsockopt`, by Linux's numbers.
//!
//! Options that are a number stand in one table ([`table`]); the few that are something else have code of their own.

mod groups;
pub(crate) mod places;
mod read;
mod set;
mod table;

use core::time::Duration;
use std::net::IpAddr;

use netstack_core::{BindOptions, Congestion, IfaceId, KeepAlive, SocketOption, UrgentData};

use crate::address::Domain;
use crate::stamps::RX_SOFTWARE;
use groups::GroupInterface;
use places::Place;
pub(crate) use set::options_mut;
use table::{Entry, TABLE};

/// What a program has set of a socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Numbers that were set, by their place in the table.
    numbers: Vec<(usize, i32)>,
    /// `SO_LINGER`: seconds, if it is on.
    linger: Option<i32>,
    /// Seconds that were set while it is off.
    linger_off: i32,
    congestion: Option<Congestion>,
    /// `SO_MAX_PACING_RATE`, in bytes a second.
    pacing: Option<u64>,
    /// `SO_SNDBUF` and `SO_RCVBUF`, doubled.
    send_buffer: Option<i32>,
    receive_buffer: Option<i32>,
    /// `SO_BINDTODEVICE`.
    device: Option<IfaceId>,
    /// Where datagrams to groups leave, of either version.
    pub(crate) group_interface_v4: GroupInterface,
    pub(crate) group_interface_v6: Option<IfaceId>,
    /// The number of the next datagram, or of the next byte of a stream, in times that are told (`SO_TIMESTAMPING`).
    pub(crate) stamp_key: u32,
}

impl Options {
    /// The number of an option, which is its default unless it was set.
    fn number(&self, level: i32, name: i32) -> i32 {
        table::find(level, name).map_or(0, |at| self.at(at))
    }

    fn flag(&self, level: i32, name: i32) -> bool {
        self.number(level, name) != 0
    }

    /// The number of an option that is asked for with every message.
    pub(crate) fn value(&self, place: Place) -> i32 {
        self.at(place.0)
    }

    /// Whether such an option is on.
    pub(crate) fn is_on(&self, place: Place) -> bool {
        self.value(place) != 0
    }

    fn at(&self, at: usize) -> i32 {
        let set = self.numbers.iter().find(|(of, _)| *of == at);
        set.map_or_else(
            || TABLE.get(at).map_or(0, |entry| entry.default),
            |(_, value)| *value,
        )
    }

    fn store(&mut self, at: usize, value: i32) {
        match self.numbers.iter_mut().find(|(of, _)| *of == at) {
            Some((_, old)) => *old = value,
            None => self.numbers.push((at, value)),
        }
    }

    /// Sets an option as if the program had, to a value that it takes.
    pub(crate) fn begin_with(&mut self, level: i32, name: i32, value: i32) {
        if let Some(at) = table::find(level, name) {
            self.store(at, value);
        }
    }

    /// Of timestamps only one kind is on: what is off takes the other with it, and so does what is on.
    fn settle_stamps(&mut self, level: i32, name: i32) {
        let other = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_TIMESTAMP) => libc::SO_TIMESTAMPNS,
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => libc::SO_TIMESTAMP,
            _ => return,
        };
        if let Some(at) = table::find(level, other) {
            self.store(at, 0);
        }
    }

    /// The only interface of the socket.
    pub(crate) fn device(&self) -> Option<IfaceId> {
        self.device
    }

    pub(crate) fn v6_only(&self) -> bool {
        self.is_on(places::IPV6_V6ONLY)
    }

    /// How a socket shares what it is bound to.
    pub(crate) fn sharing(&self, domain: Domain) -> BindOptions {
        BindOptions {
            dual: domain == Domain::V6 && !self.v6_only(),
            reuse_address: self.flag(libc::SOL_SOCKET, libc::SO_REUSEADDR),
            reuse_port: self.flag(libc::SOL_SOCKET, libc::SO_REUSEPORT),
            device: self.device,
        }
    }

    /// The socket was bound: to an address of IPv6, it is for IPv6 only from then on.
    pub(crate) fn on_bound(&mut self, address: IpAddr) {
        let is_v6 = address.is_ipv6() && address.to_canonical().is_ipv6();
        if is_v6 && !address.is_unspecified() {
            self.begin_with(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1);
        }
    }

    /// What the socket sends begins with a header of IP.
    pub(crate) fn set_with_header(&mut self) {
        self.begin_with(libc::IPPROTO_IP, libc::IP_HDRINCL, 1);
    }

    fn broadcast(&self) -> SocketOption {
        SocketOption::Broadcast(self.flag(libc::SOL_SOCKET, libc::SO_BROADCAST))
    }

    /// What reading does with urgent data.
    fn urgency(&self) -> SocketOption {
        SocketOption::Urgent(match self.inline() {
            true => UrgentData::Marked,
            false => UrgentData::OutOfBand,
        })
    }

    /// Whether urgent data is read like any other.
    pub(crate) fn inline(&self) -> bool {
        self.is_on(places::SO_OOBINLINE)
    }

    /// What closing does: a reset where it lingers for no time. Otherwise Linux delivers in the background what closing
    /// did not wait for.
    fn lingering(&self) -> SocketOption {
        SocketOption::Linger((self.linger == Some(0)).then_some(Duration::ZERO))
    }

    /// How long closing waits, where somebody does.
    pub(crate) fn lingers(&self) -> Option<Duration> {
        let seconds = self.linger.filter(|seconds| *seconds != 0)?;
        // Greater than any that anybody waits for, if it is negative.
        Some(Duration::from_secs(u64::from(seconds as u32)))
    }

    /// Bytes below which a socket is not readable.
    pub(crate) fn least_to_read(&self) -> usize {
        usize::try_from(self.value(places::SO_RCVLOWAT)).unwrap_or(1)
    }

    /// Everything that was set and that a socket of the stack has to know, which sends IPv4 or not.
    pub(crate) fn to_apply(&self, on_v4: bool) -> Vec<SocketOption> {
        let entries = self.numbers.iter().filter_map(|(at, _)| TABLE.get(*at));
        let numbers = entries
            .filter(|entry| concerns((entry.level, entry.name), on_v4))
            .filter_map(|entry| self.meaning(entry));
        let others = [
            Some(self.urgency()),
            Some(self.broadcast()),
            self.linger.map(|_| self.lingering()),
            self.congestion.map(SocketOption::Congestion),
            self.pacing.map(|rate| SocketOption::PacingRate(Some(rate))),
            self.send_buffer.map(half).map(SocketOption::SendBuffer),
            self.receive_buffer
                .map(half)
                .map(SocketOption::ReceiveBuffer),
        ];
        numbers.chain(others.into_iter().flatten()).collect()
    }

    /// What an option means for the stack; `None` for one that only descriptors know.
    fn meaning(&self, entry: &Entry) -> Option<SocketOption> {
        let value = self.number(entry.level, entry.name);
        let on = value != 0;
        let count = u64::try_from(value).unwrap_or(0);
        Some(match (entry.level, entry.name) {
            (libc::IPPROTO_TCP, libc::TCP_NODELAY) => SocketOption::NoDelay(on),
            (libc::IPPROTO_TCP, libc::TCP_CORK) => SocketOption::Cork(on),
            (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => SocketOption::QuickAck(on),
            (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
                SocketOption::UserTimeout(on.then(|| Duration::from_millis(count)))
            }
            (libc::IPPROTO_TCP, libc::TCP_MAXSEG) if on => {
                SocketOption::MaxSegment(u16::try_from(value).unwrap_or(u16::MAX))
            }
            (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT) => {
                // A number without a sign, of which 0 and the greatest mean none.
                let most = value as u32;
                SocketOption::NotSentLowWater(
                    (most != 0 && most != u32::MAX).then_some(most as usize),
                )
            }
            (
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMP | libc::SO_TIMESTAMPNS | libc::SO_TIMESTAMPING,
            ) => SocketOption::ReceiveTimes(
                self.flag(libc::SOL_SOCKET, libc::SO_TIMESTAMP)
                    || self.flag(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)
                    || self.stamping() & RX_SOFTWARE != 0,
            ),
            (libc::SOL_SOCKET, libc::SO_OOBINLINE) => self.urgency(),
            (libc::SOL_SOCKET, libc::SO_BROADCAST) => self.broadcast(),
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE)
            | (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE | libc::TCP_KEEPINTVL | libc::TCP_KEEPCNT) => {
                SocketOption::KeepAlive(self.keep_alive())
            }
            (libc::IPPROTO_TCP, libc::TCP_FASTOPEN) => {
                SocketOption::FastOpen(u16::try_from(value).unwrap_or(u16::MAX))
            }
            (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT) => SocketOption::FastOpenConnect(on),
            (libc::IPPROTO_UDP, libc::UDP_GRO) => SocketOption::UdpGro(on),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                SocketOption::QueueErrors(
                    self.flag(libc::IPPROTO_IP, libc::IP_RECVERR)
                        || self.flag(libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
                )
            }
            (libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP)
            | (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP) => SocketOption::MulticastLoop(on),
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
            | (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER | libc::IPV6_DONTFRAG) => {
                SocketOption::DontFragment(self.forbids_fragments(entry.level))
            }
            (libc::IPPROTO_IP, libc::IP_HDRINCL) => SocketOption::WithHeader(on),
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => {
                SocketOption::HopLimit(u8::try_from(value).ok())
            }
            (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                SocketOption::TrafficClass(u8::try_from(value).unwrap_or(0))
            }
            _ => return None,
        })
    }

    /// Whether datagrams of a version are never fragmented.
    fn forbids_fragments(&self, level: i32) -> bool {
        let never = [libc::IP_PMTUDISC_DO, libc::IP_PMTUDISC_PROBE];
        match level {
            libc::IPPROTO_IP => never.contains(&self.number(level, libc::IP_MTU_DISCOVER)),
            _ => {
                self.flag(level, libc::IPV6_DONTFRAG)
                    || never.contains(&self.number(level, libc::IPV6_MTU_DISCOVER))
            }
        }
    }

    fn keep_alive(&self) -> Option<KeepAlive> {
        let of = |name| u32::try_from(self.number(libc::IPPROTO_TCP, name)).unwrap_or(1);
        let seconds = |name| Duration::from_secs(u64::from(of(name)));
        let on = self.flag(libc::SOL_SOCKET, libc::SO_KEEPALIVE);
        on.then(|| KeepAlive {
            idle: seconds(libc::TCP_KEEPIDLE),
            interval: seconds(libc::TCP_KEEPINTVL),
            probes: of(libc::TCP_KEEPCNT),
        })
    }
}

/// Whether an option means something for what a socket sends: IPv4, or IPv6. Errors are queued whatever they are about.
fn concerns((level, name): (i32, i32), on_v4: bool) -> bool {
    match (level, name) {
        (libc::IPPROTO_IP, libc::IP_RECVERR) => true,
        (libc::IPPROTO_IP, _) => on_v4,
        (libc::IPPROTO_IPV6, _) => !on_v4,
        _ => true,
    }
}

/// What the stack counts of a size that was doubled.
fn half(doubled: i32) -> usize {
    usize::try_from(doubled / 2).unwrap_or(0).max(1)
}
