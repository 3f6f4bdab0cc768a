//! States and calls around control messages, error queues, and the sockets below the transports.

use crate::cases::{Made, Maker, Probe, State, show, show_name};
use crate::host::{Host, Message, Result, name};

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const DGRAM: i32 = libc::SOCK_DGRAM;
const RAW: i32 = libc::SOCK_RAW;
const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::IPPROTO_IP;
const IPV6: i32 = libc::IPPROTO_IPV6;
const UDP: i32 = libc::IPPROTO_UDP;
/// A protocol for experiments (RFC 3692).
const NOBODYS: i32 = 253;
const ONE: [u8; 4] = 1i32.to_ne_bytes();
/// The interface of all addresses.
const LO: u32 = 1;

/// What is told of every datagram that is received.
const TOLD: [(i32, i32); 4] = [
    (SOCKET, libc::SO_TIMESTAMPNS),
    (IP, libc::IP_PKTINFO),
    (IP, libc::IP_RECVTTL),
    (IP, libc::IP_RECVTOS),
];
const TOLD_V6: [(i32, i32); 4] = [
    (SOCKET, libc::SO_TIMESTAMP),
    (IPV6, libc::IPV6_RECVPKTINFO),
    (IPV6, libc::IPV6_RECVHOPLIMIT),
    (IPV6, libc::IPV6_RECVTCLASS),
];

pub(crate) fn echo(domain: i32) -> [u8; 12] {
    let kind = if domain == V4 { 8 } else { 128 };
    [kind, 0, 0, 0, 0, 0, 0, 1, b'p', b'i', b'n', b'g']
}

impl Maker<'_> {
    fn set_all(&mut self, fd: i32, options: &[(i32, i32)]) -> Result<()> {
        let mut each = options.iter();
        each.try_for_each(|(level, name)| self.host.set(fd, *level, *name, &ONE))
    }

    /// A socket of UDP that is told all of the datagram that waits for it, which is of another domain perhaps.
    fn told(&mut self, domain: i32, of: i32) -> Result<i32> {
        let fd = self.host.socket(domain, DGRAM, 0)?;
        self.set_all(fd, &TOLD)?;
        if domain == V6 {
            self.set_all(fd, &TOLD_V6)?;
        }
        let any = if domain == V4 { "0.0.0.0" } else { "[::]" };
        let any = name(&format!("{any}:{}", self.port + 1));
        self.host.bind(fd, &any)?;
        let other = self.bound(of, DGRAM, 0)?;
        self.others.push(other);
        let class = 0xB8i32.to_ne_bytes();
        match of {
            V4 => self.host.set(other, IP, libc::IP_TOS, &class)?,
            _ => self.host.set(other, IPV6, libc::IPV6_TCLASS, &class)?,
        }
        let to = self.local(of, 1);
        self.host.send(other, b"hello", 0, Some(&to))?;
        Ok(fd)
    }

    /// One that has sent where nobody is, and is told.
    fn refused_datagram(&mut self, domain: i32, connects: bool) -> Result<i32> {
        let fd = self.host.socket(domain, DGRAM, 0)?;
        match domain {
            V4 => self.host.set(fd, IP, libc::IP_RECVERR, &ONE)?,
            _ => self.host.set(fd, IPV6, libc::IPV6_RECVERR, &ONE)?,
        }
        let to = self.local(domain, 2);
        if connects {
            self.host.connect(fd, &to)?;
        }
        self.host.send(
            fd,
            b"x",
            0,
            Some(&to).filter(|_| !connects).map(Vec::as_slice),
        )?;
        Ok(fd)
    }

    fn zerocopy(&mut self, fd: i32) -> Result<i32> {
        self.host.set(fd, SOCKET, libc::SO_ZEROCOPY, &ONE)?;
        self.host.send(fd, b"hello", libc::MSG_ZEROCOPY, None)?;
        self.host.send(fd, b"again", libc::MSG_ZEROCOPY, None)?;
        Ok(fd)
    }

    fn ping(&mut self, domain: i32) -> Result<i32> {
        let protocol = if domain == V4 {
            libc::IPPROTO_ICMP
        } else {
            libc::IPPROTO_ICMPV6
        };
        self.host.socket(domain, DGRAM, protocol)
    }

    fn pinged(&mut self, domain: i32) -> Result<i32> {
        let fd = self.ping(domain)?;
        let to = self.local(domain, 0);
        self.host.send(fd, &echo(domain), 0, Some(&to))?;
        Ok(fd)
    }

    /// A raw socket for which a message waits, of another of its protocol.
    fn raw(&mut self, domain: i32) -> Result<i32> {
        let fd = self.host.socket(domain, RAW, NOBODYS)?;
        let other = self.host.socket(domain, RAW, NOBODYS)?;
        self.others.push(other);
        let to = self.without_port(domain);
        self.host.send(other, b"hello", 0, Some(&to))?;
        Ok(fd)
    }

    fn without_port(&self, domain: i32) -> Vec<u8> {
        name(if domain == V4 {
            "10.9.9.1:0"
        } else {
            "[fd00:9::1]:0"
        })
    }

    fn packets(&mut self, protocol: i32) -> Result<i32> {
        let fd = self
            .host
            .socket(libc::AF_PACKET, DGRAM, i32::from((protocol as u16).to_be()))?;
        self.host.bind(fd, &link(LO, 0))?;
        Ok(fd)
    }
}

/// A `struct sockaddr_ll`.
fn link(interface: u32, protocol: u16) -> Vec<u8> {
    let family = (libc::AF_PACKET as u16).to_ne_bytes();
    let parts = [family, protocol.to_be_bytes()].concat();
    [parts.as_slice(), &interface.to_ne_bytes(), &[0; 12]].concat()
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("udp", |m| m.host.socket(V4, DGRAM, 0)),
    ("udp6", |m| m.host.socket(V6, DGRAM, 0)),
    ("udp connected", |m| m.datagrams(V4)),
    ("udp6 connected", |m| m.datagrams(V6)),
    ("udp6 connected to a mapped address", |m| {
        let fd = m.host.socket(V6, DGRAM, 0)?;
        let to = name(&format!("[::ffff:10.9.9.1]:{}", m.port));
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("udp told all", |m| m.told(V4, V4)),
    ("udp6 told all", |m| m.told(V6, V6)),
    ("udp6 told all of IPv4", |m| m.told(V6, V4)),
    ("udp errors queued", |m| m.refused_datagram(V4, true)),
    ("udp6 errors queued", |m| m.refused_datagram(V6, true)),
    ("udp errors queued, unconnected", |m| m.refused_datagram(V4, false)),
    ("udp errors queued, told all", |m| {
        let fd = m.refused_datagram(V4, true)?;
        m.set_all(fd, &TOLD)?;
        Ok(fd)
    }),
    ("udp sent without a copy", |m| { let fd = m.datagrams(V4)?; m.zerocopy(fd) }),
    ("udp6 sent without a copy", |m| { let fd = m.datagrams(V6)?; m.zerocopy(fd) }),
    ("udp in a group", |m| {
        let fd = m.host.socket(V4, DGRAM, 0)?;
        m.host.set(fd, IP, libc::IP_ADD_MEMBERSHIP, &[239, 1, 2, 3, 10, 9, 9, 1])?;
        Ok(fd)
    }),
    ("udp6 in a group", |m| {
        let fd = m.host.socket(V6, DGRAM, 0)?;
        m.host.set(fd, IPV6, libc::IPV6_ADD_MEMBERSHIP, &group_v6(LO))?;
        Ok(fd)
    }),
    ("tcp", |m| m.host.socket(V4, libc::SOCK_STREAM, 0)),
    ("tcp connected", |m| m.client()),
    ("tcp6 connected", |m| {
        let (client, server) = m.pair(V6)?;
        m.others.push(server);
        Ok(client)
    }),
    ("tcp sent without a copy", |m| { let fd = m.client()?; m.zerocopy(fd) }),
    ("ping", |m| m.ping(V4)),
    ("ping6", |m| m.ping(V6)),
    ("ping bound", |m| {
        let fd = m.ping(V4)?;
        let local = m.local(V4, 0);
        m.host.bind(fd, &local)?;
        Ok(fd)
    }),
    ("ping connected", |m| {
        let fd = m.ping(V4)?;
        let to = m.local(V4, 0);
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("ping answered", |m| m.pinged(V4)),
    ("ping6 answered", |m| m.pinged(V6)),
    ("ping answered, told all", |m| {
        let fd = m.ping(V4)?;
        m.set_all(fd, &TOLD[1..])?;
        let to = m.local(V4, 0);
        m.host.send(fd, &echo(V4), 0, Some(&to))?;
        Ok(fd)
    }),
    ("raw", |m| m.host.socket(V4, RAW, NOBODYS)),
    ("raw6", |m| m.host.socket(V6, RAW, NOBODYS)),
    ("raw with header", |m| m.host.socket(V4, RAW, libc::IPPROTO_RAW)),
    ("raw bound", |m| {
        let fd = m.host.socket(V4, RAW, NOBODYS)?;
        let local = m.without_port(V4);
        m.host.bind(fd, &local)?;
        Ok(fd)
    }),
    ("raw connected", |m| {
        let fd = m.host.socket(V4, RAW, NOBODYS)?;
        let to = m.local(V4, 0);
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("raw a message waits", |m| m.raw(V4)),
    ("raw6 a message waits", |m| m.raw(V6)),
    ("packet", |m| m.host.socket(libc::AF_PACKET, RAW, i32::from((libc::ETH_P_IP as u16).to_be()))),
    ("packet bound", |m| m.packets(libc::ETH_P_IP)),
    ("packet for nothing", |m| m.packets(0)),
    ("closed", |m| {
        let fd = m.host.socket(V4, DGRAM, 0)?;
        m.host.close(fd)?;
        Ok(fd)
    }),
    ("epoll", |m| m.host.epoll()),
];

fn group_v6(interface: u32) -> Vec<u8> {
    let mut group = [0; 16];
    (group[0], group[1], group[15]) = (0xFF, 0x05, 0x77);
    [group.as_slice(), &interface.to_ne_bytes()].concat()
}

/// A control message.
pub(crate) fn cmsg(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let len = (16 + data.len()) as u64;
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Control messages without what differs: times, and ports.
pub(crate) fn show_control(mut bytes: &[u8]) -> String {
    let mut shown = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(16) {
        let len = u64::from_ne_bytes(header[..8].try_into().expect("eight")) as usize;
        let level = i32::from_ne_bytes(header[8..12].try_into().expect("four"));
        let kind = i32::from_ne_bytes(header[12..].try_into().expect("four"));
        let data = rest.get(..len.saturating_sub(16)).unwrap_or(rest);
        shown.push(match level {
            SOCKET => format!("{level}/{kind}: {} bytes", data.len()),
            _ => format!("{level}/{kind}: {data:?}"),
        });
        bytes = bytes.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    shown.join(", ")
}

fn show_message(message: Result<Message>) -> String {
    show(message.map(|message| {
        let Message {
            returned,
            bytes,
            name,
            control,
            flags,
        } = message;
        // What is behind the header of a packet differs in identification and ports.
        let bytes = match bytes.first() {
            Some(0x45) => bytes.len().to_string(),
            Some(0 | 129) => format!("{:?}", bytes.get(6..)),
            _ => format!("{bytes:?}"),
        };
        format!(
            "{returned} {bytes} from {} with [{}] {flags:#x}",
            show_link(name),
            show_control(&control)
        )
    }))
}

/// A name without ports, and without the link that the kernel's loopback is.
fn show_link(mut name: Vec<u8>) -> String {
    if name.first() == Some(&(libc::AF_PACKET as u8)) {
        name.truncate(8);
        return format!("{name:?}");
    }
    show_name(Ok(name))
}

fn receive(h: &mut dyn Host, m: &Made, room: usize, flags: i32) -> String {
    show_message(h.receive_message(m.fd, 100, room, flags))
}

/// What a socket of the kind sends: packets begin with a header, pings are requests.
fn message(h: &mut dyn Host, m: &Made) -> Vec<u8> {
    let domain = h.get(m.fd, SOCKET, libc::SO_DOMAIN, 4);
    match domain.ok().and_then(|domain| domain.first().copied()) {
        Some(17) => vec![
            0x45, 0, 0, 20, 0, 0, 0, 0, 9, 253, 0, 0, 10, 9, 9, 1, 192, 0, 2, 1,
        ],
        Some(10) => echo(V6).to_vec(),
        _ => echo(V4).to_vec(),
    }
}

fn send(h: &mut dyn Host, m: &Made, control: &[u8]) -> String {
    let message = message(h, m);
    show(h.send_message(m.fd, &message, None, control, 0))
}

fn send_flagged(h: &mut dyn Host, m: &Made, flags: i32) -> String {
    let message = message(h, m);
    show(h.send(m.fd, &message, flags, None))
}

fn set(h: &mut dyn Host, m: &Made, level: i32, name: i32, value: i32) -> String {
    let set = h.set(m.fd, level, name, &value.to_ne_bytes());
    let seen = h.get(m.fd, level, name, 4);
    format!("{} {}", show(set), show(seen))
}

fn info(address: [u8; 4], interface: u32) -> Vec<u8> {
    let data = [interface.to_ne_bytes(), address, [0; 4]].concat();
    cmsg(IP, libc::IP_PKTINFO, &data)
}

fn info_v6(address: &str, interface: u32) -> Vec<u8> {
    let address: std::net::Ipv6Addr = address.parse().expect("an address");
    let data = [address.octets().as_slice(), &interface.to_ne_bytes()].concat();
    cmsg(IPV6, libc::IPV6_PKTINFO, &data)
}

fn int(level: i32, kind: i32, value: i32) -> Vec<u8> {
    cmsg(level, kind, &value.to_ne_bytes())
}

const ALL: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP | libc::POLLPRI;

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("recvmsg", |h, m| receive(h, m, 512, 0)),
    ("recvmsg twice", |h, m| format!("{}; {}", receive(h, m, 512, 0), receive(h, m, 512, 0))),
    ("recvmsg without room for control", |h, m| receive(h, m, 0, 0)),
    ("recvmsg with room for half a header", |h, m| receive(h, m, 10, 0)),
    ("recvmsg with room for a part", |h, m| receive(h, m, 20, 0)),
    ("recvmsg with room for one", |h, m| receive(h, m, 36, 0)),
    ("recvmsg with MSG_PEEK", |h, m| format!("{}; {}", receive(h, m, 512, libc::MSG_PEEK), receive(h, m, 512, 0))),
    ("errors", |h, m| receive(h, m, 512, libc::MSG_ERRQUEUE)),
    ("errors twice", |h, m| format!("{}; {}", receive(h, m, 512, libc::MSG_ERRQUEUE), receive(h, m, 512, libc::MSG_ERRQUEUE))),
    ("errors without room for control", |h, m| receive(h, m, 0, libc::MSG_ERRQUEUE)),
    ("errors with room for a part", |h, m| receive(h, m, 40, libc::MSG_ERRQUEUE)),
    ("poll", |h, m| h.poll(m.fd, ALL).to_string()),
    ("poll, errors, poll", |h, m| { let (a, b) = (h.poll(m.fd, ALL), receive(h, m, 512, libc::MSG_ERRQUEUE)); format!("{a}; {b}; {}", h.poll(m.fd, ALL)) }),
    ("poll, SO_ERROR, poll", |h, m| { let (a, b) = (h.poll(m.fd, ALL), show(h.get(m.fd, SOCKET, libc::SO_ERROR, 4))); format!("{a}; {b}; {}", h.poll(m.fd, ALL)) }),
    ("poll with SO_SELECT_ERR_QUEUE", |h, m| format!("{} {}", set(h, m, SOCKET, libc::SO_SELECT_ERR_QUEUE, 1), h.poll(m.fd, ALL))),
    ("send", |h, m| send(h, m, &[])),
    ("send what is no echo request", |h, m| show(h.send(m.fd, b"abcdefghij", 0, None))),
    ("send little", |h, m| show(h.send(m.fd, b"abc", 0, None))),
    ("send to a host", |h, m| show(h.send(m.fd, &[8, 0, 0, 0, 0, 0, 0, 1], 0, Some(&name("10.9.9.1:0"))))),
    ("send with IP_TTL", |h, m| send(h, m, &int(IP, libc::IP_TTL, 9))),
    ("send with IP_TTL of nothing", |h, m| send(h, m, &int(IP, libc::IP_TTL, 0))),
    ("send with IP_TTL of too much", |h, m| send(h, m, &int(IP, libc::IP_TTL, 256))),
    ("send with a short IP_TTL", |h, m| send(h, m, &cmsg(IP, libc::IP_TTL, &[1]))),
    ("send with IP_TOS", |h, m| send(h, m, &cmsg(IP, libc::IP_TOS, &[0xB8]))),
    ("send with IP_TOS as a number", |h, m| send(h, m, &int(IP, libc::IP_TOS, 0xB8))),
    ("send with IP_TOS of too much", |h, m| send(h, m, &int(IP, libc::IP_TOS, 256))),
    ("send with IP_TOS of two bytes", |h, m| send(h, m, &cmsg(IP, libc::IP_TOS, &[1, 2]))),
    ("send with IP_PKTINFO", |h, m| send(h, m, &info([10, 9, 9, 1], LO))),
    ("send with IP_PKTINFO of another host", |h, m| send(h, m, &info([192, 0, 2, 1], 0))),
    ("send with IP_PKTINFO of no interface", |h, m| send(h, m, &info([0; 4], 77))),
    ("send with a short IP_PKTINFO", |h, m| send(h, m, &cmsg(IP, libc::IP_PKTINFO, &[0; 11]))),
    ("send with IP's unknown", |h, m| send(h, m, &int(IP, 99, 0))),
    ("send with IPV6_HOPLIMIT", |h, m| send(h, m, &int(IPV6, libc::IPV6_HOPLIMIT, 9))),
    ("send with IPV6_HOPLIMIT of the socket", |h, m| send(h, m, &int(IPV6, libc::IPV6_HOPLIMIT, -1))),
    ("send with IPV6_HOPLIMIT of too much", |h, m| send(h, m, &int(IPV6, libc::IPV6_HOPLIMIT, 256))),
    ("send with IPV6_TCLASS", |h, m| send(h, m, &int(IPV6, libc::IPV6_TCLASS, 0xB8))),
    ("send with IPV6_TCLASS of too little", |h, m| send(h, m, &int(IPV6, libc::IPV6_TCLASS, -2))),
    ("send with a short IPV6_TCLASS", |h, m| send(h, m, &cmsg(IPV6, libc::IPV6_TCLASS, &[1, 2]))),
    ("send with IPV6_DONTFRAG", |h, m| send(h, m, &int(IPV6, libc::IPV6_DONTFRAG, 1))),
    ("send with IPV6_DONTFRAG of two", |h, m| send(h, m, &int(IPV6, libc::IPV6_DONTFRAG, 2))),
    ("send with IPV6_PKTINFO", |h, m| send(h, m, &info_v6("fd00:9::1", LO))),
    ("send with IPV6_PKTINFO, mapped", |h, m| send(h, m, &info_v6("::ffff:10.9.9.1", 0))),
    ("send with IPV6_PKTINFO of another host", |h, m| send(h, m, &info_v6("2001:db8::1", 0))),
    ("send with IPV6_PKTINFO of no interface", |h, m| send(h, m, &info_v6("::", 77))),
    ("send with a short IPV6_PKTINFO", |h, m| send(h, m, &cmsg(IPV6, libc::IPV6_PKTINFO, &[0; 19]))),
    ("send with IPv6's unknown", |h, m| send(h, m, &int(IPV6, 99, 0))),
    ("send with UDP_SEGMENT", |h, m| send(h, m, &cmsg(UDP, libc::UDP_SEGMENT, &4u16.to_ne_bytes()))),
    ("send with UDP_SEGMENT as a number", |h, m| send(h, m, &int(UDP, libc::UDP_SEGMENT, 4))),
    ("send with UDP's unknown", |h, m| send(h, m, &int(UDP, 99, 0))),
    ("send with the socket's unknown", |h, m| send(h, m, &int(SOCKET, 99, 0))),
    ("send with SCM_RIGHTS", |h, m| send(h, m, &cmsg(SOCKET, libc::SCM_RIGHTS, &[]))),
    ("send with SO_TIMESTAMPING", |h, m| send(h, m, &int(SOCKET, libc::SO_TIMESTAMPING, 0))),
    ("send with SO_MARK", |h, m| send(h, m, &int(SOCKET, libc::SO_MARK, 7))),
    ("send with a short SO_MARK", |h, m| send(h, m, &cmsg(SOCKET, libc::SO_MARK, &[7, 0]))),
    ("send with a level that is none", |h, m| send(h, m, &int(999, 1, 0))),
    ("send with control of no length", |h, m| send(h, m, &[0; 16])),
    ("send with control of wild length", |h, m| send(h, m, &[0xFF; 24])),
    ("send with half a header of control", |h, m| send(h, m, &[0xFF; 8])),
    ("send with MSG_ZEROCOPY unasked", |h, m| send_flagged(h, m, libc::MSG_ZEROCOPY)),
    ("send with MSG_OOB", |h, m| send_flagged(h, m, libc::MSG_OOB)),
    ("bind", |h, m| show(h.bind(m.fd, &name(&format!("10.9.9.1:{}", m.free))))),
    ("bind to IPv6", |h, m| show(h.bind(m.fd, &name(&format!("[fd00:9::1]:{}", m.free))))),
    ("bind to a foreign address", |h, m| show(h.bind(m.fd, &name("192.0.2.1:9")))),
    ("bind to a link", |h, m| show(h.bind(m.fd, &link(LO, 0x0800)))),
    ("bind to a link that is none", |h, m| show(h.bind(m.fd, &link(77, 0)))),
    ("bind with a short name", |h, m| show(h.bind(m.fd, &link(LO, 0)[..12]))),
    ("listen", |h, m| show(h.listen(m.fd, 1))),
    ("accept", |h, m| { let made = h.accept(m.fd); show(made.map(|fd| { let _ = h.close(fd); })) }),
    ("connect to a host", |h, m| format!("{} {}", show(h.connect(m.fd, &name(&format!("10.9.9.1:{}", m.taken)))), show_name(h.peer_name(m.fd)))),
    ("connect to nobody", |h, m| show(h.connect(m.fd, &[0; 16]))),
    ("shut", |h, m| format!("{} {}", show(h.shutdown(m.fd, libc::SHUT_RDWR)), h.poll(m.fd, ALL))),
    ("getsockname", |h, m| show_link(h.own_name(m.fd).unwrap_or_default())),
    ("getpeername", |h, m| show_name(h.peer_name(m.fd))),
    ("SO_TYPE", |h, m| show(h.get(m.fd, SOCKET, libc::SO_TYPE, 4))),
    ("SO_DOMAIN", |h, m| show(h.get(m.fd, SOCKET, libc::SO_DOMAIN, 4))),
    ("SO_PROTOCOL", |h, m| show(h.get(m.fd, SOCKET, libc::SO_PROTOCOL, 4))),
    ("SO_MARK", |h, m| set(h, m, SOCKET, libc::SO_MARK, 7)),
    ("IP_PKTINFO", |h, m| set(h, m, IP, libc::IP_PKTINFO, 7)),
    ("IP_RECVTTL", |h, m| set(h, m, IP, libc::IP_RECVTTL, 1)),
    ("IP_RECVTOS", |h, m| set(h, m, IP, libc::IP_RECVTOS, 1)),
    ("IP_RECVERR", |h, m| set(h, m, IP, libc::IP_RECVERR, 1)),
    ("IP_MTU_DISCOVER", |h, m| set(h, m, IP, libc::IP_MTU_DISCOVER, 2)),
    ("IP_MTU_DISCOVER of too much", |h, m| set(h, m, IP, libc::IP_MTU_DISCOVER, 6)),
    ("IP_MULTICAST_TTL", |h, m| set(h, m, IP, libc::IP_MULTICAST_TTL, 5)),
    ("IP_MULTICAST_TTL of the default", |h, m| set(h, m, IP, libc::IP_MULTICAST_TTL, -1)),
    ("IP_MULTICAST_TTL of too much", |h, m| set(h, m, IP, libc::IP_MULTICAST_TTL, 256)),
    ("IP_MULTICAST_LOOP", |h, m| set(h, m, IP, libc::IP_MULTICAST_LOOP, 0)),
    ("IP_MULTICAST_IF", |h, m| format!("{} {}", show(h.set(m.fd, IP, libc::IP_MULTICAST_IF, &[10, 9, 9, 1])), show(h.get(m.fd, IP, libc::IP_MULTICAST_IF, 4)))),
    ("IP_MULTICAST_IF of another host", |h, m| show(h.set(m.fd, IP, libc::IP_MULTICAST_IF, &[192, 0, 2, 1]))),
    ("IP_MULTICAST_IF of three bytes", |h, m| show(h.set(m.fd, IP, libc::IP_MULTICAST_IF, &[10, 9, 9]))),
    ("IP_MULTICAST_IF by number", |h, m| format!("{} {}", show(h.set(m.fd, IP, libc::IP_MULTICAST_IF, &mreqn([0; 4], LO))), show(h.get(m.fd, IP, libc::IP_MULTICAST_IF, 4)))),
    ("IP_MULTICAST_IF by a wrong number", |h, m| show(h.set(m.fd, IP, libc::IP_MULTICAST_IF, &mreqn([0; 4], 77)))),
    ("IP_ADD_MEMBERSHIP", |h, m| format!("{} {}", show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &[239, 1, 2, 3, 10, 9, 9, 1])), show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &[239, 1, 2, 3, 10, 9, 9, 1])))),
    ("IP_ADD_MEMBERSHIP by number", |h, m| show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &mreqn([239, 1, 2, 4], LO)))),
    ("IP_ADD_MEMBERSHIP by a wrong number", |h, m| show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &mreqn([239, 1, 2, 4], 77)))),
    ("IP_ADD_MEMBERSHIP of another host", |h, m| show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &[239, 1, 2, 3, 192, 0, 2, 1]))),
    ("IP_ADD_MEMBERSHIP of no group", |h, m| show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &[10, 1, 2, 3, 10, 9, 9, 1]))),
    ("IP_ADD_MEMBERSHIP of seven bytes", |h, m| show(h.set(m.fd, IP, libc::IP_ADD_MEMBERSHIP, &[239, 1, 2, 3, 10, 9, 9]))),
    ("IP_DROP_MEMBERSHIP", |h, m| format!("{} {}", show(h.set(m.fd, IP, libc::IP_DROP_MEMBERSHIP, &[239, 1, 2, 3, 10, 9, 9, 1])), show(h.set(m.fd, IP, libc::IP_DROP_MEMBERSHIP, &[239, 1, 2, 3, 10, 9, 9, 1])))),
    ("IPV6_RECVPKTINFO", |h, m| set(h, m, IPV6, libc::IPV6_RECVPKTINFO, 7)),
    ("IPV6_RECVHOPLIMIT", |h, m| set(h, m, IPV6, libc::IPV6_RECVHOPLIMIT, 1)),
    ("IPV6_RECVTCLASS", |h, m| set(h, m, IPV6, libc::IPV6_RECVTCLASS, 1)),
    ("IPV6_RECVERR", |h, m| set(h, m, IPV6, libc::IPV6_RECVERR, 1)),
    ("IPV6_MTU_DISCOVER", |h, m| set(h, m, IPV6, libc::IPV6_MTU_DISCOVER, 2)),
    ("IPV6_DONTFRAG", |h, m| set(h, m, IPV6, libc::IPV6_DONTFRAG, 1)),
    ("IPV6_MULTICAST_HOPS", |h, m| set(h, m, IPV6, libc::IPV6_MULTICAST_HOPS, 5)),
    ("IPV6_MULTICAST_HOPS of too much", |h, m| set(h, m, IPV6, libc::IPV6_MULTICAST_HOPS, 256)),
    ("IPV6_MULTICAST_LOOP", |h, m| set(h, m, IPV6, libc::IPV6_MULTICAST_LOOP, 0)),
    ("IPV6_MULTICAST_LOOP of two", |h, m| set(h, m, IPV6, libc::IPV6_MULTICAST_LOOP, 2)),
    ("IPV6_MULTICAST_IF", |h, m| set(h, m, IPV6, libc::IPV6_MULTICAST_IF, 1)),
    ("IPV6_MULTICAST_IF that is none", |h, m| set(h, m, IPV6, libc::IPV6_MULTICAST_IF, 77)),
    ("IPV6_JOIN_GROUP", |h, m| format!("{} {}", show(h.set(m.fd, IPV6, libc::IPV6_ADD_MEMBERSHIP, &group_v6(LO))), show(h.set(m.fd, IPV6, libc::IPV6_ADD_MEMBERSHIP, &group_v6(LO))))),
    ("IPV6_JOIN_GROUP by a wrong number", |h, m| show(h.set(m.fd, IPV6, libc::IPV6_ADD_MEMBERSHIP, &group_v6(77)))),
    ("IPV6_JOIN_GROUP of no group", |h, m| show(h.set(m.fd, IPV6, libc::IPV6_ADD_MEMBERSHIP, &[1; 20]))),
    ("IPV6_JOIN_GROUP of nineteen bytes", |h, m| show(h.set(m.fd, IPV6, libc::IPV6_ADD_MEMBERSHIP, &group_v6(LO)[..19]))),
    ("IPV6_LEAVE_GROUP", |h, m| format!("{} {}", show(h.set(m.fd, IPV6, libc::IPV6_DROP_MEMBERSHIP, &group_v6(LO))), show(h.set(m.fd, IPV6, libc::IPV6_DROP_MEMBERSHIP, &group_v6(LO))))),
    ("SO_TIMESTAMP", |h, m| format!("{} {}", set(h, m, SOCKET, libc::SO_TIMESTAMP, 1), show(h.get(m.fd, SOCKET, libc::SO_TIMESTAMPNS, 4)))),
    ("SO_TIMESTAMPNS", |h, m| format!("{} {}", set(h, m, SOCKET, libc::SO_TIMESTAMPNS, 1), show(h.get(m.fd, SOCKET, libc::SO_TIMESTAMP, 4)))),
    ("SO_TIMESTAMP off", |h, m| format!("{} {}", set(h, m, SOCKET, libc::SO_TIMESTAMP, 0), show(h.get(m.fd, SOCKET, libc::SO_TIMESTAMPNS, 4)))),
    ("SO_ZEROCOPY", |h, m| set(h, m, SOCKET, libc::SO_ZEROCOPY, 1)),
    ("SO_ZEROCOPY of two", |h, m| set(h, m, SOCKET, libc::SO_ZEROCOPY, 2)),
    ("SO_BINDTODEVICE", |h, m| format!("{} {}", show(h.set(m.fd, SOCKET, libc::SO_BINDTODEVICE, b"lo")), show(h.get(m.fd, SOCKET, libc::SO_BINDTODEVICE, 16)))),
    ("SO_BINDTODEVICE that is none", |h, m| show(h.set(m.fd, SOCKET, libc::SO_BINDTODEVICE, b"none"))),
    ("SO_BINDTODEVICE of nothing", |h, m| format!("{} {}", show(h.set(m.fd, SOCKET, libc::SO_BINDTODEVICE, b"")), show(h.get(m.fd, SOCKET, libc::SO_BINDTODEVICE, 16)))),
    ("SO_BINDTODEVICE into little", |h, m| format!("{} {}", show(h.set(m.fd, SOCKET, libc::SO_BINDTODEVICE, b"lo\0")), show(h.get(m.fd, SOCKET, libc::SO_BINDTODEVICE, 8)))),
    ("SO_BINDTOIFINDEX", |h, m| set(h, m, SOCKET, libc::SO_BINDTOIFINDEX, 1)),
    ("SO_BINDTOIFINDEX that is none", |h, m| set(h, m, SOCKET, libc::SO_BINDTOIFINDEX, 77)),
    ("IP_HDRINCL", |h, m| set(h, m, IP, libc::IP_HDRINCL, 1)),
    ("SIOCINQ", |h, m| show(h.ioctl(m.fd, libc::FIONREAD))),
];

/// A `struct ip_mreqn` without an address.
fn mreqn(group: [u8; 4], interface: u32) -> Vec<u8> {
    [group, [0; 4], interface.to_ne_bytes()].concat()
}
