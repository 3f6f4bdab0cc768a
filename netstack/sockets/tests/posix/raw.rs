//! States and calls around raw sockets of ICMP, and what raw sockets have no options for.

use crate::cases::{Made, Maker, Probe, State, show};
use crate::host::{Host, Result, name};

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const RAW: i32 = libc::SOCK_RAW;
const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::IPPROTO_IP;
const IPV6: i32 = libc::IPPROTO_IPV6;
const ICMP: i32 = libc::IPPROTO_ICMP;
const ICMP6: i32 = libc::IPPROTO_ICMPV6;
/// A protocol for experiments (RFC 3692).
const NOBODYS: i32 = 253;
const ONE: [u8; 4] = 1i32.to_ne_bytes();

impl Maker<'_> {
    /// One that sends to this host.
    fn raw_to_itself(&mut self, domain: i32, protocol: i32) -> Result<i32> {
        let fd = self.host.socket(domain, RAW, protocol)?;
        let to = if domain == V4 {
            "10.9.9.1:0"
        } else {
            "[fd00:9::1]:0"
        };
        self.host.connect(fd, &name(to))?;
        Ok(fd)
    }
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("raw of ICMP", |m| m.raw_to_itself(V4, ICMP)),
    ("raw of ICMP, not connected", |m| m.host.socket(V4, RAW, ICMP)),
    ("raw of ICMP with a header", |m| {
        let fd = m.raw_to_itself(V4, ICMP)?;
        m.host.set(fd, IP, libc::IP_HDRINCL, &ONE)?;
        Ok(fd)
    }),
    ("raw6 of ICMPv6", |m| m.raw_to_itself(V6, ICMP6)),
    ("raw6 of ICMPv6, not connected", |m| m.host.socket(V6, RAW, ICMP6)),
    ("raw6 of ICMP", |m| m.raw_to_itself(V6, ICMP)),
    ("raw of ICMPv6", |m| m.raw_to_itself(V4, ICMP6)),
    ("raw", |m| m.raw_to_itself(V4, NOBODYS)),
    ("raw6", |m| m.raw_to_itself(V6, NOBODYS)),
    ("ping", |m| m.host.socket(V4, libc::SOCK_DGRAM, ICMP)),
    ("ping6", |m| m.host.socket(V6, libc::SOCK_DGRAM, ICMP6)),
];

/// Sends the beginnings of an echo request.
fn beginnings(h: &mut dyn Host, m: &Made, to: Option<&str>) -> String {
    let is_v4 = h.get(m.fd, SOCKET, libc::SO_DOMAIN, 4) == Ok(V4.to_ne_bytes().to_vec());
    let request = [if is_v4 { 8 } else { 128 }, 0, 0, 0, 0, 0, 0, 1];
    let to = to.map(name);
    let sent = (0..=request.len()).map(|len| show(h.send(m.fd, &request[..len], 0, to.as_deref())));
    sent.collect::<Vec<_>>().join(" ")
}

fn set_and_get(h: &mut dyn Host, m: &Made, level: i32, option: i32) -> String {
    let set = show(h.set(m.fd, level, option, &ONE));
    format!("{set} {}", show(h.get(m.fd, level, option, 4)))
}

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("send the beginnings of a message", |h, m| beginnings(h, m, None)),
    ("send the beginnings of a message to a host", |h, m| beginnings(h, m, Some("10.9.9.1:0"))),
    ("send the beginnings of a message to a host of IPv6", |h, m| beginnings(h, m, Some("[fd00:9::1]:0"))),
    ("IPV6_V6ONLY", |h, m| set_and_get(h, m, IPV6, libc::IPV6_V6ONLY)),
    ("an option of raw sockets that is none", |h, m| set_and_get(h, m, libc::SOL_RAW, 999)),
    ("a filter of what is no ICMP", |h, m| match h.get(m.fd, SOCKET, libc::SO_PROTOCOL, 4) {
        Ok(protocol) if protocol == ICMP.to_ne_bytes() => String::new(),
        _ => set_and_get(h, m, libc::SOL_RAW, 1),
    }),
    ("an option of ICMPv6 that is none", |h, m| set_and_get(h, m, libc::SOL_ICMPV6, 999)),
    ("an option of TCP", |h, m| set_and_get(h, m, libc::IPPROTO_TCP, libc::TCP_NODELAY)),
    ("bind to a group on a link", |h, m| show(h.bind(m.fd, &name("[ff02::1]:0")))),
];
