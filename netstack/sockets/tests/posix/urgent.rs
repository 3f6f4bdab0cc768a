//! States and calls around urgent data.

use crate::cases::{Made, Maker, Probe, State, show};
use crate::host::{Host, Result};

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const SOCKET: i32 = libc::SOL_SOCKET;
const OOB: i32 = libc::MSG_OOB;
const PEEK: i32 = libc::MSG_PEEK;
const AT_MARK: u64 = 0x8905;
const ONE: [u8; 4] = 1i32.to_ne_bytes();

impl Maker<'_> {
    /// One whose peer has sent this, each part with its flags, and that has read nothing.
    fn hurried(&mut self, domain: i32, inline: bool, parts: &[(&[u8], i32)]) -> Result<i32> {
        let (client, server) = self.pair(domain)?;
        let inline = i32::from(inline).to_ne_bytes();
        self.host.set(server, SOCKET, libc::SO_OOBINLINE, &inline)?;
        for (bytes, flags) in parts {
            self.host.send(client, bytes, *flags, None)?;
        }
        self.others.push(client);
        Ok(server)
    }

    /// Likewise, and then the peer does something.
    fn hurried_then(
        &mut self,
        inline: bool,
        what: fn(&mut dyn Host, i32) -> Result<()>,
    ) -> Result<i32> {
        let server = self.hurried(V4, inline, &[(b"abc", OOB)])?;
        let client = self.others.pop().unwrap_or(-1);
        what(self.host, client)?;
        Ok(server)
    }
}

fn reset(host: &mut dyn Host, fd: i32) -> Result<()> {
    let now = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    host.set(fd, SOCKET, libc::SO_LINGER, &now)?;
    host.close(fd)
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("tcp", |m| m.host.socket(V4, libc::SOCK_STREAM, 0)),
    ("tcp listening", |m| {
        let fd = m.bound(V4, libc::SOCK_STREAM, 0)?;
        m.host.listen(fd, 5)?;
        Ok(fd)
    }),
    ("tcp connected", |m| m.client()),
    ("tcp nothing urgent", |m| m.hurried(V4, false, &[(b"abc", 0)])),
    ("tcp urgent", |m| m.hurried(V4, false, &[(b"abc", OOB)])),
    ("tcp6 urgent", |m| m.hurried(V6, false, &[(b"abc", OOB)])),
    ("tcp urgent in line", |m| m.hurried(V4, true, &[(b"abc", OOB)])),
    ("tcp one urgent byte", |m| m.hurried(V4, false, &[(b"a", OOB)])),
    ("tcp one urgent byte in line", |m| m.hurried(V4, true, &[(b"a", OOB)])),
    ("tcp urgent between others", |m| m.hurried(V4, false, &[(b"ab", 0), (b"c", OOB), (b"de", 0)])),
    ("tcp urgent between others in line", |m| m.hurried(V4, true, &[(b"ab", 0), (b"c", OOB), (b"de", 0)])),
    ("tcp urgent twice", |m| m.hurried(V4, false, &[(b"a", OOB), (b"b", OOB)])),
    ("tcp urgent twice in line", |m| m.hurried(V4, true, &[(b"a", OOB), (b"b", OOB)])),
    ("tcp urgent twice, with others", |m| m.hurried(V4, false, &[(b"xa", OOB), (b"yb", OOB), (b"z", 0)])),
    ("tcp urgent twice, the first was read", |m| {
        let server = m.hurried(V4, false, &[(b"a", OOB)])?;
        m.host.receive(server, 1, OOB)?;
        let client = m.others.last().copied().unwrap_or(-1);
        m.host.send(client, b"b", OOB, None)?;
        Ok(server)
    }),
    ("tcp urgent, read up to it", |m| {
        let server = m.hurried(V4, false, &[(b"abc", OOB), (b"de", 0)])?;
        m.host.receive(server, 10, 0)?;
        Ok(server)
    }),
    ("tcp urgent in line, read up to it", |m| {
        let server = m.hurried(V4, true, &[(b"abc", OOB), (b"de", 0)])?;
        m.host.receive(server, 10, 0)?;
        Ok(server)
    }),
    ("tcp urgent was read", |m| {
        let server = m.hurried(V4, false, &[(b"abc", OOB)])?;
        m.host.receive(server, 1, OOB)?;
        Ok(server)
    }),
    ("tcp urgent was passed", |m| {
        let server = m.hurried(V4, false, &[(b"abc", OOB), (b"de", 0)])?;
        m.host.receive(server, 10, 0)?;
        m.host.receive(server, 1, 0)?;
        Ok(server)
    }),
    ("tcp urgent, then the end", |m| m.hurried_then(false, |h, fd| h.close(fd))),
    ("tcp urgent in line, then the end", |m| m.hurried_then(true, |h, fd| h.close(fd))),
    ("tcp urgent, then reset", |m| m.hurried_then(false, reset)),
    ("tcp urgent in line, then reset", |m| m.hurried_then(true, reset)),
    ("tcp urgent, shut for reading", |m| {
        let server = m.hurried(V4, false, &[(b"abc", OOB)])?;
        m.host.shutdown(server, libc::SHUT_RD)?;
        Ok(server)
    }),
    ("tcp urgent, low water", |m| {
        let server = m.hurried(V4, false, &[(b"abc", OOB)])?;
        m.host.set(server, SOCKET, libc::SO_RCVLOWAT, &3i32.to_ne_bytes())?;
        Ok(server)
    }),
    ("tcp urgent, seen in line afterwards", |m| {
        let server = m.hurried(V4, false, &[(b"abc", OOB)])?;
        m.host.set(server, SOCKET, libc::SO_OOBINLINE, &ONE)?;
        Ok(server)
    }),
    ("tcp accepted of a listener in line", |m| {
        let listener = m.bound(V4, libc::SOCK_STREAM, 0)?;
        m.host.set(listener, SOCKET, libc::SO_OOBINLINE, &ONE)?;
        m.host.listen(listener, 5)?;
        let client = m.host.socket(V4, libc::SOCK_STREAM, 0)?;
        m.others.extend([listener, client]);
        let to = m.local(V4, 0);
        let _ = m.host.connect(client, &to);
        let server = m.host.accept(listener)?;
        m.host.send(client, b"abc", OOB, None)?;
        Ok(server)
    }),
    ("udp connected", |m| m.datagrams(V4)),
    ("closed", |m| {
        let fd = m.host.socket(V4, libc::SOCK_STREAM, 0)?;
        m.host.close(fd)?;
        Ok(fd)
    }),
    ("epoll", |m| m.host.epoll()),
];

const ALL: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP | libc::POLLPRI | libc::POLLRDNORM;

fn receive(h: &mut dyn Host, fd: i32, flags: i32) -> String {
    let message = h.receive_message(fd, 10, 0, flags);
    show(message.map(|message| (message.returned, message.bytes, message.flags)))
}

/// What is asked of a socket, at any time.
fn seen(h: &mut dyn Host, fd: i32) -> String {
    let at_mark = show(h.ioctl(fd, AT_MARK));
    let unread = show(h.ioctl(fd, libc::FIONREAD));
    format!("[{at_mark} {unread} {:#x}]", h.poll(fd, ALL))
}

/// A row of receives, with what is seen after each.
fn row(h: &mut dyn Host, fd: i32, flags: &[i32]) -> String {
    let mut all = Vec::new();
    for flags in flags {
        let got = receive(h, fd, *flags);
        all.push(format!("{got} {}", seen(h, fd)));
    }
    all.join("; ")
}

fn inline(h: &mut dyn Host, m: &Made, on: i32) -> String {
    show(h.set(m.fd, SOCKET, libc::SO_OOBINLINE, &on.to_ne_bytes()))
}

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("seen", |h, m| seen(h, m.fd)),
    ("recv", |h, m| row(h, m.fd, &[0])),
    ("recv until nothing", |h, m| row(h, m.fd, &[0, 0, 0, 0])),
    ("recv with MSG_OOB", |h, m| row(h, m.fd, &[OOB])),
    ("recv with MSG_OOB twice", |h, m| row(h, m.fd, &[OOB, OOB])),
    ("recv with MSG_OOB and MSG_PEEK", |h, m| row(h, m.fd, &[OOB | PEEK, OOB, OOB | PEEK])),
    ("recv with MSG_OOB, then the rest", |h, m| row(h, m.fd, &[OOB, 0, 0, 0])),
    ("recv, then MSG_OOB", |h, m| row(h, m.fd, &[0, OOB, 0, OOB])),
    ("recv twice, then MSG_OOB", |h, m| row(h, m.fd, &[0, 0, OOB])),
    ("recv with MSG_PEEK", |h, m| row(h, m.fd, &[PEEK, PEEK, 0, PEEK, 0])),
    ("recv with MSG_TRUNC", |h, m| show(h.receive(m.fd, 10, libc::MSG_TRUNC).map(|got| got.0)) + &seen(h, m.fd)),
    ("recv with MSG_WAITALL", |h, m| row(h, m.fd, &[libc::MSG_WAITALL, libc::MSG_WAITALL])),
    ("recv with MSG_OOB and MSG_TRUNC", |h, m| show(h.receive(m.fd, 10, OOB | libc::MSG_TRUNC).map(|got| got.0)) + &seen(h, m.fd)),
    ("recv nothing with MSG_OOB", |h, m| {
        let message = h.receive_message(m.fd, 0, 0, OOB);
        format!("{} {}", show(message.map(|one| (one.returned, one.flags))), receive(h, m.fd, OOB))
    }),
    ("recv nothing", |h, m| {
        let message = h.receive_message(m.fd, 0, 0, 0);
        format!("{} {}", show(message.map(|one| (one.returned, one.flags))), seen(h, m.fd))
    }),
    ("recv little", |h, m| {
        let mut all: Vec<String> = Vec::new();
        for _ in 0..4 {
            all.push(show(h.receive(m.fd, 1, 0)));
            all.push(seen(h, m.fd));
        }
        all.join(" ")
    }),
    ("SO_OOBINLINE on, then all", |h, m| inline(h, m, 1) + &row(h, m.fd, &[OOB, 0, 0])),
    ("SO_OOBINLINE off, then all", |h, m| inline(h, m, 0) + &row(h, m.fd, &[OOB, 0, 0])),
    ("TCP_INQ", |h, m| {
        let _ = h.set(m.fd, libc::IPPROTO_TCP, libc::TCP_INQ, &ONE);
        let message = h.receive_message(m.fd, 1, 64, 0);
        show(message.map(|message| (message.bytes, message.control)))
    }),
    ("send with MSG_OOB", |h, m| format!("{} {}", show(h.send(m.fd, b"xyz", OOB, None)), seen(h, m.fd))),
    ("send nothing with MSG_OOB", |h, m| show(h.send(m.fd, b"", OOB, None))),
    ("send with MSG_OOB, shut", |h, m| format!("{} {}", show(h.shutdown(m.fd, libc::SHUT_WR)), show(h.send(m.fd, b"x", OOB, None)))),
    ("what the peer gets", |h, m| {
        let Some(peer) = m.others.last().copied() else {
            return "there is none".into();
        };
        let sent = show(h.send(m.fd, b"xyz", OOB, None));
        format!("{sent} {}", row(h, peer, &[OOB, 0, 0]))
    }),
];
