//! States and calls around addresses of many, of nobody in particular, and ports that nobody has.

use crate::cases::{Made, Maker, Probe, State, show, show_name};
use crate::host::{Host, Result, name};
use crate::messages::echo;

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const DGRAM: i32 = libc::SOCK_DGRAM;
const RAW: i32 = libc::SOCK_RAW;
const STREAM: i32 = libc::SOCK_STREAM;
const SOCKET: i32 = libc::SOL_SOCKET;
/// A protocol for experiments (RFC 3692).
const NOBODYS: i32 = 253;
const ONE: [u8; 4] = 1i32.to_ne_bytes();

impl Maker<'_> {
    /// One that may send to broadcast addresses.
    fn broadcaster(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<i32> {
        let fd = self.host.socket(domain, kind, protocol)?;
        self.host.set(fd, SOCKET, libc::SO_BROADCAST, &ONE)?;
        Ok(fd)
    }

    fn without_peer_port(&mut self, domain: i32, to: &str) -> Result<i32> {
        let fd = match to.contains("ffff") {
            true => self.bound_to_any(domain)?,
            false => self.bound(domain, DGRAM, 1)?,
        };
        self.host.connect(fd, &name(to))?;
        let other = self.bound(V4, DGRAM, 0)?;
        self.others.push(other);
        Ok(fd)
    }

    fn bound_to_any(&mut self, domain: i32) -> Result<i32> {
        let fd = self.host.socket(domain, DGRAM, 0)?;
        let any = if domain == V4 { "0.0.0.0" } else { "[::]" };
        let any = name(&format!("{any}:{}", self.port + 1));
        self.host.bind(fd, &any)?;
        Ok(fd)
    }
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("udp", |m| m.host.socket(V4, DGRAM, 0)),
    ("udp that broadcasts", |m| m.broadcaster(V4, DGRAM, 0)),
    ("udp bound", |m| m.bound(V4, DGRAM, 0)),
    ("udp bound, that broadcasts", |m| {
        let fd = m.bound(V4, DGRAM, 0)?;
        m.host.set(fd, SOCKET, libc::SO_BROADCAST, &ONE)?;
        Ok(fd)
    }),
    ("udp that broadcasts no longer", |m| {
        let fd = m.broadcaster(V4, DGRAM, 0)?;
        m.host.set(fd, SOCKET, libc::SO_BROADCAST, &[0; 4])?;
        Ok(fd)
    }),
    ("udp connected", |m| m.datagrams(V4)),
    ("udp connected to port 0", |m| m.without_peer_port(V4, "10.9.9.1:0")),
    ("udp6 connected to port 0", |m| m.without_peer_port(V6, "[fd00:9::1]:0")),
    ("udp6 connected to port 0 of a mapped address", |m| m.without_peer_port(V6, "[::ffff:10.9.9.1]:0")),
    ("udp connected to a broadcast address", |m| {
        let fd = m.broadcaster(V4, DGRAM, 0)?;
        m.host.connect(fd, &name("10.9.9.255:9"))?;
        m.host.set(fd, SOCKET, libc::SO_BROADCAST, &[0; 4])?;
        Ok(fd)
    }),
    ("udp by an interface", |m| {
        let fd = m.host.socket(V4, DGRAM, 0)?;
        m.host.set(fd, SOCKET, libc::SO_BINDTODEVICE, b"lo")?;
        Ok(fd)
    }),
    ("udp to groups by an interface", |m| {
        let fd = m.host.socket(V4, DGRAM, 0)?;
        m.host.set(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &[10, 9, 9, 1])?;
        Ok(fd)
    }),
    ("udp6", |m| m.host.socket(V6, DGRAM, 0)),
    ("udp6 that broadcasts", |m| m.broadcaster(V6, DGRAM, 0)),
    ("ping", |m| m.host.socket(V4, DGRAM, libc::IPPROTO_ICMP)),
    ("ping that broadcasts", |m| m.broadcaster(V4, DGRAM, libc::IPPROTO_ICMP)),
    ("raw", |m| m.host.socket(V4, RAW, NOBODYS)),
    ("raw that broadcasts", |m| m.broadcaster(V4, RAW, NOBODYS)),
    ("tcp", |m| m.host.socket(V4, STREAM, 0)),
    ("tcp bound", |m| m.bound(V4, STREAM, 0)),
    ("tcp6", |m| m.host.socket(V6, STREAM, 0)),
];

/// Connects, tells what is seen of it, and sends.
fn connect(h: &mut dyn Host, m: &Made, to: &str) -> String {
    let to = to.replace("PORT", &m.free.to_string());
    let connected = show(h.connect(m.fd, &name(&to)));
    let address = |name: Vec<u8>| {
        let ip = if name.len() == 16 { 4..8 } else { 8..24 };
        name[ip].to_vec()
    };
    let own = show(h.own_name(m.fd).map(address));
    let peer = show(h.peer_name(m.fd).map(address));
    let sent = show(h.send(m.fd, &echo(V4), 0, None));
    format!("{connected} {own} {peer} {sent}")
}

/// As `connect`, without the address that this host has for it.
fn connect_to_any(h: &mut dyn Host, m: &Made, to: &str) -> String {
    let to = to.replace("PORT", &m.free.to_string());
    let connected = show(h.connect(m.fd, &name(&to)));
    let peer = show(h.peer_name(m.fd).map(|_| ()));
    let sent = show(h.send(m.fd, &echo(V4), 0, None));
    let error = show(h.get(m.fd, SOCKET, libc::SO_ERROR, 4));
    format!("{connected} {peer} {sent} {error}")
}

fn send(h: &mut dyn Host, m: &Made, to: &str) -> String {
    let to = to.replace("PORT", &m.free.to_string());
    show(h.send(m.fd, &echo(V4), 0, Some(&name(&to))))
}

/// What is told of messages that were sent without a copy.
fn show_errors(h: &mut dyn Host, m: &Made) -> String {
    let told = h.receive_message(m.fd, 9, 512, libc::MSG_ERRQUEUE);
    show(told.map(|told| (told.returned, told.control, told.flags)))
}

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("connect to the broadcast address", |h, m| connect(h, m, "10.9.9.255:PORT")),
    ("connect to all", |h, m| connect(h, m, "255.255.255.255:PORT")),
    ("connect to a group", |h, m| connect(h, m, "224.0.0.1:PORT")),
    ("connect to nobody in particular", |h, m| connect_to_any(h, m, "0.0.0.0:PORT")),
    ("connect to what is no address", |h, m| connect(h, m, "240.0.0.1:PORT")),
    ("connect to port 0", |h, m| connect(h, m, "10.9.9.1:0")),
    ("connect to port 0 of the broadcast address", |h, m| connect(h, m, "10.9.9.255:0")),
    ("connect to port 0 of all", |h, m| connect(h, m, "255.255.255.255:0")),
    ("connect to port 0 of a group", |h, m| connect(h, m, "224.0.0.1:0")),
    ("connect to port 0 of nobody in particular", |h, m| connect_to_any(h, m, "0.0.0.0:0")),
    ("connect to the broadcast address, mapped", |h, m| connect(h, m, "[::ffff:10.9.9.255]:PORT")),
    ("connect to all, mapped", |h, m| connect(h, m, "[::ffff:255.255.255.255]:PORT")),
    ("connect to nobody in particular, mapped", |h, m| connect_to_any(h, m, "[::ffff:0.0.0.0]:PORT")),
    ("connect to nobody in particular of IPv6", |h, m| connect_to_any(h, m, "[::]:PORT")),
    ("connect to port 0 of IPv6", |h, m| connect(h, m, "[fd00:9::1]:0")),
    ("connect to a group of IPv6", |h, m| connect(h, m, "[ff05::77]:PORT")),
    ("connect, then to the broadcast address", |h, m| {
        let first = show(h.connect(m.fd, &name("10.9.9.1:9")));
        format!("{first} {}", connect(h, m, "10.9.9.255:PORT"))
    }),
    ("send to the broadcast address", |h, m| send(h, m, "10.9.9.255:PORT")),
    ("send to the first broadcast address", |h, m| send(h, m, "10.9.9.0:PORT")),
    ("send to all", |h, m| send(h, m, "255.255.255.255:PORT")),
    ("send to a group", |h, m| send(h, m, "224.0.0.1:PORT")),
    ("send to nobody in particular", |h, m| send(h, m, "0.0.0.0:PORT")),
    ("send to nobody in particular of IPv6", |h, m| send(h, m, "[::]:PORT")),
    ("send to the broadcast address, mapped", |h, m| send(h, m, "[::ffff:10.9.9.255]:PORT")),
    ("send to the broadcast address at port 0", |h, m| send(h, m, "10.9.9.255:0")),
    ("send to the broadcast address, without a copy", |h, m| {
        let _ = h.set(m.fd, SOCKET, libc::SO_ZEROCOPY, &ONE);
        let to = name("10.9.9.255:9");
        let sent = show(h.send(m.fd, &echo(V4), libc::MSG_ZEROCOPY, Some(&to)));
        format!("{sent} {}", show(h.receive(m.fd, 9, libc::MSG_ERRQUEUE)))
    }),
    ("send to the peer twice", |h, m| {
        let first = show(h.send(m.fd, &echo(V4), 0, None));
        format!("{first} {}", show(h.send(m.fd, &echo(V4), 0, None)))
    }),
    ("the peer sends", |h, m| {
        let own = h.own_name(m.fd).unwrap_or_default();
        let Some(other) = m.others.last().copied() else {
            return "there is none".into();
        };
        let port = own.get(2..4).map_or([0; 2], |port| [port[0], port[1]]);
        let to = name(&format!("10.9.9.1:{}", u16::from_be_bytes(port)));
        let sent = show(h.send(other, b"hello", 0, Some(&to)));
        format!("{sent} {}", show(h.receive(m.fd, 9, 0)))
    }),
    ("send nothing, one byte and nothing without a copy", |h, m| {
        let _ = h.set(m.fd, SOCKET, libc::SO_ZEROCOPY, &ONE);
        let sent = [b"".as_slice(), b"a", b""].map(|bytes| show(h.send(m.fd, bytes, libc::MSG_ZEROCOPY, None)));
        format!("{sent:?} {}", show_errors(h, m))
    }),
    ("send urgently to nobody in particular of IPv6", |h, m| {
        let to = [name(&format!("[::]:{}", m.free)), name(&format!("[::ffff:0.0.0.0]:{}", m.free))];
        to.map(|to| show(h.send(m.fd, b"a", libc::MSG_OOB, Some(&to)))).join(" ")
    }),
    ("bind to a group on a link", |h, m| show(h.bind(m.fd, &name(&format!("[ff02::1]:{}", m.free))))),
    ("bind to a group on an interface", |h, m| show(h.bind(m.fd, &name(&format!("[ff02::1%1]:{}", m.free))))),
    ("bind to a group on an interface that is none", |h, m| show(h.bind(m.fd, &name(&format!("[ff02::1%77]:{}", m.free))))),
    ("bind to a group on the socket's interface", |h, m| {
        let done = show(h.set(m.fd, SOCKET, libc::SO_BINDTODEVICE, b"lo"));
        format!("{done} {}", show(h.bind(m.fd, &name(&format!("[ff02::1]:{}", m.free)))))
    }),
    ("bind to an address of a link", |h, m| show(h.bind(m.fd, &name(&format!("[fe80::1]:{}", m.free))))),
    ("bind to a group of IPv6", |h, m| show(h.bind(m.fd, &name(&format!("[ff05::77]:{}", m.free))))),
    ("bind to another host's address", |h, m| show(h.bind(m.fd, &name(&format!("[2001:db8::7]:{}", m.free))))),
    ("connect in vain, then bind", |h, m| {
        let connected = show(h.connect(m.fd, &[[77, 0].as_slice(), &[0; 26]].concat()));
        let own = show_name(h.own_name(m.fd));
        format!("{connected} {own} {}", show(h.bind(m.fd, &name(&format!("10.9.9.1:{}", m.free)))))
    }),
    ("send in vain, then bind", |h, m| {
        let sent = show(h.send(m.fd, b"a", libc::MSG_OOB, Some(&name("10.9.9.1:9"))));
        let own = show_name(h.own_name(m.fd));
        format!("{sent} {own} {}", show(h.bind(m.fd, &name(&format!("10.9.9.1:{}", m.free)))))
    }),
    ("shut", |h, m| show(h.shutdown(m.fd, libc::SHUT_WR))),
    ("connect to nobody", |h, m| {
        let done = show(h.connect(m.fd, &[0; 16]));
        format!("{done} {}", show(h.send(m.fd, &echo(V4), 0, None)))
    }),
];
