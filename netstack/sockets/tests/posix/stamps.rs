//! States and calls around times of what is sent and received (`SO_TIMESTAMPING`).

use crate::cases::{Made, Maker, Probe, State, show};
use crate::host::{Host, Message, Result, name};
use crate::messages::{cmsg, echo, show_control};

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::IPPROTO_IP;
const IPV6: i32 = libc::IPPROTO_IPV6;
const TCP: i32 = libc::IPPROTO_TCP;
const STAMPS: i32 = libc::SO_TIMESTAMPING;
const ONE: [u8; 4] = 1i32.to_ne_bytes();

const TX: u32 = libc::SOF_TIMESTAMPING_TX_SOFTWARE;
const RX: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE;
const SOFT: u32 = libc::SOF_TIMESTAMPING_SOFTWARE;
const HARD: u32 = libc::SOF_TIMESTAMPING_TX_HARDWARE;
const SCHED: u32 = libc::SOF_TIMESTAMPING_TX_SCHED;
const ACK: u32 = libc::SOF_TIMESTAMPING_TX_ACK;
const ID: u32 = libc::SOF_TIMESTAMPING_OPT_ID;
const CMSG: u32 = libc::SOF_TIMESTAMPING_OPT_CMSG;
const ONLY: u32 = libc::SOF_TIMESTAMPING_OPT_TSONLY;
const STATS: u32 = 1 << 12;
const PHC: u32 = 1 << 15;
const ID_TCP: u32 = 1 << 16;

/// How much more than the messages here an error queue may have.
const MANY: usize = 6;

impl Maker<'_> {
    /// A connection whose peer acknowledges at once.
    fn hasty(&mut self, domain: i32) -> Result<i32> {
        let (client, server) = self.pair(domain)?;
        self.others.push(server);
        self.host.set(server, TCP, libc::TCP_QUICKACK, &ONE)?;
        Ok(client)
    }

    /// Beside what the network says.
    fn stamped_refused(&mut self, domain: i32) -> Result<i32> {
        // As long as one wants to know when something comes, the kernel looks at its clock for all.
        let curious = self.host.socket(domain, libc::SOCK_DGRAM, 0)?;
        self.host
            .set(curious, SOCKET, STAMPS, &(SOFT | RX).to_ne_bytes())?;
        self.others.push(curious);
        let fd = self.host.socket(domain, libc::SOCK_DGRAM, 0)?;
        self.host.set(fd, IP, libc::IP_RECVERR, &ONE)?;
        let to = self.local(domain, 2);
        self.host.connect(fd, &to)?;
        self.host
            .set(fd, SOCKET, STAMPS, &(SOFT | TX | ONLY).to_ne_bytes())?;
        self.host.send(fd, b"x", 0, None)?;
        Ok(fd)
    }
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("udp", |m| m.host.socket(V4, libc::SOCK_DGRAM, 0)),
    ("udp connected", |m| m.datagrams(V4)),
    ("udp6 connected", |m| m.datagrams(V6)),
    ("udp6 connected to a mapped address", |m| {
        let other = m.bound(V4, libc::SOCK_DGRAM, 0)?;
        m.others.push(other);
        let fd = m.host.socket(V6, libc::SOCK_DGRAM, 0)?;
        let to = name(&format!("[::ffff:10.9.9.1]:{}", m.port));
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("udp stamped and refused", |m| m.stamped_refused(V4)),
    ("tcp", |m| m.host.socket(V4, libc::SOCK_STREAM, 0)),
    ("tcp listening", |m| {
        let fd = m.bound(V4, libc::SOCK_STREAM, 0)?;
        m.host.listen(fd, 5)?;
        Ok(fd)
    }),
    ("tcp connected", |m| m.hasty(V4)),
    ("tcp6 connected", |m| m.hasty(V6)),
    ("tcp accepted of a listener with times", |m| {
        let listener = m.bound(V4, libc::SOCK_STREAM, 0)?;
        m.host.set(listener, SOCKET, STAMPS, &(SOFT | TX | RX | ONLY).to_ne_bytes())?;
        m.host.listen(listener, 5)?;
        let client = m.host.socket(V4, libc::SOCK_STREAM, 0)?;
        m.others.extend([listener, client]);
        let to = m.local(V4, 0);
        let _ = m.host.connect(client, &to);
        m.host.accept(listener)
    }),
    ("tcp peer gone", |m| {
        let (client, server) = m.pair(V4)?;
        m.host.close(server)?;
        Ok(client)
    }),
    ("ping connected", |m| {
        let fd = m.host.socket(V4, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)?;
        let to = m.local(V4, 0);
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("raw connected", |m| {
        let fd = m.host.socket(V4, libc::SOCK_RAW, 253)?;
        let to = m.local(V4, 0);
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("closed", |m| {
        let fd = m.host.socket(V4, libc::SOCK_DGRAM, 0)?;
        m.host.close(fd)?;
        Ok(fd)
    }),
    ("epoll", |m| m.host.epoll()),
];

fn set(h: &mut dyn Host, m: &Made, flags: u32) -> Result<()> {
    h.set(m.fd, SOCKET, STAMPS, &flags.to_ne_bytes())
}

/// Sets flags, and reads them.
fn flags(h: &mut dyn Host, m: &Made, flags: u32) -> String {
    let done = set(h, m, flags);
    format!("{} {}", show(done), show(h.get(m.fd, SOCKET, STAMPS, 8)))
}

/// A message that every kind of socket sends.
fn send(h: &mut dyn Host, m: &Made, control: &[u8]) -> String {
    show(h.send_message(m.fd, &echo(V4), None, control, 0))
}

/// A message without the header of the link that the kernel's loopback has, and of a packet only its length: it differs in
/// identification, ports, numbers and checksums.
fn show_packet(message: Result<Message>) -> String {
    show(message.map(|message| {
        let Message {
            mut returned,
            mut bytes,
            name,
            control,
            flags,
        } = message;
        if bytes.len() > 14 && bytes.starts_with(&[0; 12]) {
            bytes.drain(..14);
            returned -= 14;
        }
        let bytes = match bytes.first() {
            Some(0x45 | 0x60) => format!("a packet of {}", bytes.len()),
            _ => format!("{bytes:?}"),
        };
        format!(
            "{returned}: {bytes}, {name:?}, [{}], {flags:#x}",
            show_control(&control)
        )
    }))
}

/// What waits, and what is said when nothing does any more. Times and errors that the network told of have no order among
/// each other on the stack: the times are shown first.
fn errors(h: &mut dyn Host, m: &Made, room: usize) -> String {
    let (mut times, mut others) = (Vec::new(), Vec::new());
    for _ in 0..MANY {
        let one = h.receive_message(m.fd, 200, room, libc::MSG_ERRQUEUE);
        let last = one.is_err();
        match &one {
            // Only errors name whom a datagram was for.
            Ok(message) if message.name.is_empty() => times.push(show_packet(one)),
            _ => others.push(show_packet(one)),
        }
        if last {
            break;
        }
    }
    times.extend(others);
    times.join("; ")
}

/// What is told of two messages with flags.
fn stamped(h: &mut dyn Host, m: &Made, flags: u32) -> String {
    let done = show(set(h, m, flags));
    let sent = [send(h, m, &[]), send(h, m, &[])].join(" ");
    format!("{done} {sent} {}", errors(h, m, 512))
}

/// What is told of a message that asks itself, between two that do not.
fn asked(h: &mut dyn Host, m: &Made, flags: u32, own: u32) -> String {
    let done = show(set(h, m, flags));
    let control = cmsg(SOCKET, STAMPS, &own.to_ne_bytes());
    let sent = [send(h, m, &[]), send(h, m, &control), send(h, m, &[])].join(" ");
    format!("{done} {sent} {}", errors(h, m, 512))
}

const ALL: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP | libc::POLLPRI;

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("stamping of nothing", |h, m| flags(h, m, 0)),
    ("stamping of what is sent", |h, m| flags(h, m, SOFT | TX)),
    ("stamping of all", |h, m| flags(h, m, SOFT | TX | RX | SCHED | ACK | ID | CMSG | ONLY)),
    ("stamping with hardware", |h, m| flags(h, m, HARD | SOFT)),
    ("stamping without a number that is for streams", |h, m| flags(h, m, ID_TCP)),
    ("stamping with a number that is for streams", |h, m| flags(h, m, ID | ID_TCP)),
    ("stamping with a number", |h, m| flags(h, m, ID)),
    ("stamping with statistics and packets", |h, m| flags(h, m, STATS)),
    ("stamping with statistics", |h, m| flags(h, m, STATS | ONLY)),
    ("stamping by a clock of hardware", |h, m| flags(h, m, PHC)),
    ("stamping with the greatest flag", |h, m| flags(h, m, 1 << 18)),
    ("stamping with a flag that is none", |h, m| flags(h, m, 1 << 19)),
    ("stamping with every flag", |h, m| flags(h, m, (1 << 19) - 1)),
    ("stamping with the greatest number", |h, m| flags(h, m, u32::MAX >> 1)),
    ("stamping with two bytes", |h, m| show(h.set(m.fd, SOCKET, STAMPS, &[1, 0]))),
    ("stamping with eight bytes", |h, m| show(h.set(m.fd, SOCKET, STAMPS, &[0x10, 0, 0, 0, 0, 0, 0, 0]))),
    ("stamping into four bytes", |h, m| show(h.get(m.fd, SOCKET, STAMPS, 4))),
    ("stamping into sixteen bytes", |h, m| show(h.get(m.fd, SOCKET, STAMPS, 16))),
    ("sent, not told in software", |h, m| stamped(h, m, TX)),
    ("sent", |h, m| stamped(h, m, SOFT | TX)),
    ("sent, without packets", |h, m| stamped(h, m, SOFT | TX | ONLY)),
    ("sent, numbered", |h, m| stamped(h, m, SOFT | TX | ID | ONLY)),
    ("sent, numbered for streams", |h, m| stamped(h, m, SOFT | TX | ID | ID_TCP | ONLY)),
    ("sent by hardware, numbered", |h, m| stamped(h, m, SOFT | HARD | ID | ONLY)),
    ("scheduled", |h, m| stamped(h, m, SOFT | SCHED)),
    ("scheduled and sent, numbered", |h, m| stamped(h, m, SOFT | SCHED | TX | ID | ONLY)),
    ("acknowledged", |h, m| stamped(h, m, SOFT | ACK)),
    ("scheduled, sent, acknowledged", |h, m| stamped(h, m, SOFT | SCHED | TX | ACK | ID)),
    ("acknowledged, numbered", |h, m| stamped(h, m, SOFT | ACK | ID | ONLY)),
    ("sent, with control", |h, m| {
        for (level, option) in [(IP, libc::IP_PKTINFO), (IP, libc::IP_RECVTTL), (IPV6, libc::IPV6_RECVPKTINFO), (IPV6, libc::IPV6_RECVHOPLIMIT)] {
            let _ = h.set(m.fd, level, option, &ONE);
        }
        stamped(h, m, SOFT | TX | CMSG)
    }),
    ("sent, with control without packets", |h, m| {
        let _ = h.set(m.fd, IP, libc::IP_PKTINFO, &ONE);
        stamped(h, m, SOFT | TX | CMSG | ONLY)
    }),
    ("sent, and SO_TIMESTAMPNS", |h, m| {
        let _ = h.set(m.fd, SOCKET, libc::SO_TIMESTAMPNS, &ONE);
        stamped(h, m, SOFT | TX | ONLY)
    }),
    ("one message asks", |h, m| asked(h, m, SOFT | ONLY, TX)),
    ("one message asks, numbered", |h, m| asked(h, m, SOFT | ONLY | ID, TX)),
    ("one message asks for two", |h, m| asked(h, m, SOFT | ONLY | ID, TX | SCHED)),
    ("one message asks for nothing", |h, m| asked(h, m, SOFT | TX | ONLY | ID, 0)),
    ("one message asks for what it may not", |h, m| asked(h, m, SOFT | ONLY, TX | SOFT)),
    ("one message asks for acknowledgement", |h, m| asked(h, m, SOFT | ONLY | ID, ACK)),
    ("sent, without room for control", |h, m| { let _ = set(h, m, SOFT | TX | ONLY); format!("{} {}", send(h, m, &[]), errors(h, m, 0)) }),
    ("sent, with room for a part", |h, m| { let _ = set(h, m, SOFT | TX | ONLY); format!("{} {}", send(h, m, &[]), errors(h, m, 70)) }),
    ("sent, poll", |h, m| {
        let _ = set(h, m, SOFT | TX | ONLY);
        let (sent, before) = (send(h, m, &[]), h.poll(m.fd, ALL));
        let error = show(h.get(m.fd, SOCKET, libc::SO_ERROR, 4));
        let _ = errors(h, m, 512);
        format!("{sent} {before} {error} {}", h.poll(m.fd, ALL))
    }),
    ("sent, poll with SO_SELECT_ERR_QUEUE", |h, m| {
        let _ = set(h, m, SOFT | TX | ONLY);
        let _ = h.set(m.fd, SOCKET, libc::SO_SELECT_ERR_QUEUE, &ONE);
        format!("{} {}", send(h, m, &[]), h.poll(m.fd, ALL))
    }),
    ("sent, then no longer asked", |h, m| {
        let _ = set(h, m, SOFT | TX | ONLY | ID);
        let sent = send(h, m, &[]);
        format!("{sent} {} {}", show(set(h, m, 0)), errors(h, m, 512))
    }),
    ("sent, numbered again", |h, m| {
        let _ = set(h, m, SOFT | TX | ONLY | ID);
        let mut sent = send(h, m, &[]);
        for flags in [0, SOFT | TX | ONLY | ID] {
            let _ = set(h, m, flags);
            sent += &send(h, m, &[]);
        }
        format!("{sent} {}", errors(h, m, 512))
    }),
    ("sent, IP_RECVERR off", |h, m| {
        let _ = set(h, m, SOFT | TX | ONLY);
        let sent = send(h, m, &[]);
        let _ = h.set(m.fd, IP, libc::IP_RECVERR, &[0; 4]);
        format!("{sent} {}", errors(h, m, 512))
    }),
    ("nothing is sent", |h, m| {
        let _ = set(h, m, SOFT | TX | ONLY);
        format!("{} {}", show(h.send(m.fd, b"", 0, None)), errors(h, m, 512))
    }),
    ("received", |h, m| {
        let done = show(set(h, m, SOFT | RX));
        format!("{done} {} {}", to_itself(h, m), show_packet(h.receive_message(m.fd, 100, 512, 0)))
    }),
    ("received, not told in software", |h, m| {
        let done = show(set(h, m, RX));
        format!("{done} {} {}", to_itself(h, m), show_packet(h.receive_message(m.fd, 100, 512, 0)))
    }),
    ("received, and SO_TIMESTAMP", |h, m| {
        let done = show(set(h, m, SOFT | RX));
        let _ = h.set(m.fd, SOCKET, libc::SO_TIMESTAMP, &ONE);
        format!("{done} {} {}", to_itself(h, m), show_packet(h.receive_message(m.fd, 100, 512, 0)))
    }),
];

/// Has whoever the socket speaks with send it something.
fn to_itself(h: &mut dyn Host, m: &Made) -> String {
    let own = h.own_name(m.fd).unwrap_or_default();
    let Some(other) = m.others.last() else {
        return "nobody".into();
    };
    show(h.send(*other, b"hello", 0, Some(&own)))
}
