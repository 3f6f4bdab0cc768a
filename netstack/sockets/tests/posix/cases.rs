//! Every state that a socket can be brought into, and every call that is then made.

use crate::host::{Host, Result, name};

/// A socket in some state, beside those that it took to bring it there.
pub(crate) struct Made {
    pub(crate) fd: i32,
    pub(crate) others: Vec<i32>,
    /// A port that nobody has, and one that somebody listens on or has datagrams sent to.
    pub(crate) free: u16,
    pub(crate) taken: u16,
}

impl Made {
    pub(crate) fn close(self, host: &mut dyn Host) {
        for fd in self.others.into_iter().chain([self.fd]) {
            let _ = host.close(fd);
        }
    }
}

pub(crate) type State = (&'static str, fn(&mut Maker<'_>) -> Result<i32>);
pub(crate) type Probe = (&'static str, fn(&mut dyn Host, &Made) -> String);

/// What brings a socket into a state.
pub(crate) struct Maker<'a> {
    pub(crate) host: &'a mut dyn Host,
    pub(crate) others: Vec<i32>,
    pub(crate) port: u16,
}

/// Makes a socket in a state, with ports from `port` on.
pub(crate) fn make(host: &mut dyn Host, state: &State, port: u16) -> Made {
    let mut maker = Maker {
        host,
        others: Vec::new(),
        port,
    };
    let fd = (state.1)(&mut maker);
    let fd = fd.unwrap_or_else(|errno| panic!("state {}: errno {errno}", state.0));
    Made {
        fd,
        others: maker.others,
        free: port + 3,
        taken: port,
    }
}

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const STREAM: i32 = libc::SOCK_STREAM;
const DGRAM: i32 = libc::SOCK_DGRAM;
const UNSPEC: [u8; 16] = [0; 16];

impl Maker<'_> {
    pub(crate) fn local(&self, domain: i32, offset: u16) -> Vec<u8> {
        let ip = if domain == V4 {
            "10.9.9.1"
        } else {
            "[fd00:9::1]"
        };
        name(&format!("{ip}:{}", self.port + offset))
    }

    pub(crate) fn bound(&mut self, domain: i32, kind: i32, offset: u16) -> Result<i32> {
        let fd = self.host.socket(domain, kind, 0)?;
        let local = self.local(domain, offset);
        self.host.bind(fd, &local)?;
        Ok(fd)
    }

    fn listener(&mut self, domain: i32) -> Result<i32> {
        let fd = self.bound(domain, STREAM, 0)?;
        self.host.listen(fd, 5)?;
        Ok(fd)
    }

    /// Client and server; the listener is among the others.
    pub(crate) fn pair(&mut self, domain: i32) -> Result<(i32, i32)> {
        let listener = self.listener(domain)?;
        self.others.push(listener);
        let client = self.host.socket(domain, STREAM, 0)?;
        let to = self.local(domain, 0);
        assert_eq!(self.host.connect(client, &to), Err(libc::EINPROGRESS));
        self.host.connect(client, &to)?;
        Ok((client, self.host.accept(listener)?))
    }

    pub(crate) fn client(&mut self) -> Result<i32> {
        let (client, server) = self.pair(V4)?;
        self.others.push(server);
        Ok(client)
    }

    fn shut_client(&mut self, how: i32) -> Result<i32> {
        let client = self.client()?;
        self.host.shutdown(client, how)?;
        Ok(client)
    }

    /// A client to which `waits` was sent, that was shut, and to which its peer sent something more.
    fn shut_then_sent_to(&mut self, waits: &[u8]) -> Result<i32> {
        let (client, server) = self.pair(V4)?;
        self.others.push(server);
        if !waits.is_empty() {
            self.host.send(server, waits, 0, None)?;
        }
        self.host.shutdown(client, libc::SHUT_RDWR)?;
        self.host.send(server, b"late", 0, None)?;
        Ok(client)
    }

    /// A client whose peer does something.
    fn peer_does(&mut self, what: fn(&mut dyn Host, i32) -> Result<()>) -> Result<i32> {
        let (client, server) = self.pair(V4)?;
        what(self.host, server)?;
        self.others.push(server);
        Ok(client)
    }

    /// A listener, where a connection waits that its peer reset after `data`, and after its end if `ends`.
    fn reset_before_accepted(&mut self, data: &[u8], ends: bool) -> Result<i32> {
        let listener = self.listener(V4)?;
        let client = self.host.socket(V4, STREAM, 0)?;
        let to = self.local(V4, 0);
        let _ = self.host.connect(client, &to);
        if !data.is_empty() {
            self.host.send(client, data, 0, None)?;
        }
        if ends {
            self.host.shutdown(client, libc::SHUT_WR)?;
        }
        reset(self.host, client)?;
        Ok(listener)
    }

    fn accepted_after_reset(&mut self, data: &[u8], ends: bool) -> Result<i32> {
        let listener = self.reset_before_accepted(data, ends)?;
        self.others.push(listener);
        self.host.accept(listener)
    }

    fn refused(&mut self) -> Result<i32> {
        let fd = self.host.socket(V4, STREAM, 0)?;
        let to = self.local(V4, 0);
        assert_eq!(self.host.connect(fd, &to), Err(libc::EINPROGRESS));
        Ok(fd)
    }

    pub(crate) fn datagrams(&mut self, domain: i32) -> Result<i32> {
        let other = self.bound(domain, DGRAM, 0)?;
        self.others.push(other);
        let fd = self.bound(domain, DGRAM, 1)?;
        let to = self.local(domain, 0);
        self.host.connect(fd, &to)?;
        Ok(fd)
    }
}

fn reset(host: &mut dyn Host, fd: i32) -> Result<()> {
    let now = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    host.set(fd, libc::SOL_SOCKET, libc::SO_LINGER, &now)?;
    host.close(fd)
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("tcp", |m| m.host.socket(V4, STREAM, 0)),
    ("tcp6", |m| m.host.socket(V6, STREAM, 0)),
    ("tcp bound", |m| m.bound(V4, STREAM, 0)),
    ("tcp listening", |m| m.listener(V4)),
    ("tcp6 listening", |m| m.listener(V6)),
    ("tcp listening, one waits", |m| {
        let listener = m.listener(V4)?;
        let client = m.host.socket(V4, STREAM, 0)?;
        let to = m.local(V4, 0);
        let _ = m.host.connect(client, &to);
        m.others.push(client);
        Ok(listener)
    }),
    ("tcp listening, one waits that is reset", |m| m.reset_before_accepted(b"", false)),
    ("tcp reset before it was accepted", |m| m.accepted_after_reset(b"", false)),
    ("tcp data and a reset before it was accepted", |m| m.accepted_after_reset(b"hello", false)),
    ("tcp data, the end and a reset before it was accepted", |m| m.accepted_after_reset(b"hello", true)),
    ("tcp no longer listening", |m| {
        let listener = m.listener(V4)?;
        m.host.shutdown(listener, libc::SHUT_RDWR)?;
        Ok(listener)
    }),
    ("tcp connected", |m| m.client()),
    ("tcp accepted", |m| {
        let (client, server) = m.pair(V4)?;
        m.others.push(client);
        Ok(server)
    }),
    ("tcp6 connected", |m| {
        let (client, server) = m.pair(V6)?;
        m.others.push(server);
        Ok(client)
    }),
    ("tcp6 connected to a mapped address", |m| {
        let listener = m.listener(V4)?;
        m.others.push(listener);
        let client = m.host.socket(V6, STREAM, 0)?;
        let to = name(&format!("[::ffff:10.9.9.1]:{}", m.port));
        let _ = m.host.connect(client, &to);
        m.host.connect(client, &to)?;
        Ok(client)
    }),
    ("tcp connected, nobody was told", |m| {
        let listener = m.listener(V4)?;
        m.others.push(listener);
        let client = m.host.socket(V4, STREAM, 0)?;
        let to = m.local(V4, 0);
        let _ = m.host.connect(client, &to);
        Ok(client)
    }),
    ("tcp6 accepted a mapped peer", |m| {
        let listener = m.host.socket(V6, STREAM, 0)?;
        let any = name(&format!("[::]:{}", m.port));
        m.host.bind(listener, &any)?;
        m.host.listen(listener, 5)?;
        let client = m.host.socket(V4, STREAM, 0)?;
        let to = m.local(V4, 0);
        let _ = m.host.connect(client, &to);
        m.others.extend([listener, client]);
        m.host.accept(listener)
    }),
    ("tcp data waits", |m| m.peer_does(|host, server| host.send(server, b"hello", 0, None).map(|_| ()))),
    ("tcp shut for reading", |m| m.shut_client(libc::SHUT_RD)),
    ("tcp shut for writing", |m| m.shut_client(libc::SHUT_WR)),
    ("tcp shut", |m| m.shut_client(libc::SHUT_RDWR)),
    ("tcp shut, and then the peer sends", |m| m.shut_then_sent_to(b"")),
    ("tcp shut with data, and then the peer sends more", |m| m.shut_then_sent_to(b"hello")),
    ("tcp sent to a peer that is shut", |m| {
        let client = m.peer_does(|host, server| host.shutdown(server, libc::SHUT_RDWR))?;
        m.host.send(client, b"late", 0, None)?;
        Ok(client)
    }),
    ("tcp data waits below the low water mark", |m| {
        let client = m.peer_does(|host, server| host.send(server, b"hello", 0, None).map(|_| ()))?;
        m.host.set(client, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &100i32.to_ne_bytes())?;
        Ok(client)
    }),
    ("tcp the end below the low water mark", |m| {
        let client = m.peer_does(|host, server| {
            host.send(server, b"hello", 0, None)?;
            host.shutdown(server, libc::SHUT_WR)
        })?;
        m.host.set(client, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &100i32.to_ne_bytes())?;
        Ok(client)
    }),
    ("tcp peer shut for writing", |m| m.peer_does(|host, server| host.shutdown(server, libc::SHUT_WR))),
    ("tcp data waits, then the end", |m| m.peer_does(|host, server| {
        host.send(server, b"hello", 0, None)?;
        host.shutdown(server, libc::SHUT_WR)
    })),
    ("tcp peer gone", |m| m.peer_does(|host, server| host.close(server))),
    ("tcp both shut for writing", |m| {
        let client = m.peer_does(|host, server| host.shutdown(server, libc::SHUT_WR))?;
        m.host.shutdown(client, libc::SHUT_WR)?;
        Ok(client)
    }),
    ("tcp reset", |m| m.peer_does(reset)),
    ("tcp reset, the error was taken", |m| {
        let client = m.peer_does(reset)?;
        m.host.get(client, libc::SOL_SOCKET, libc::SO_ERROR, 4)?;
        Ok(client)
    }),
    ("tcp refused", |m| m.refused()),
    ("tcp refused, the error was taken", |m| {
        let fd = m.refused()?;
        m.host.get(fd, libc::SOL_SOCKET, libc::SO_ERROR, 4)?;
        Ok(fd)
    }),
    ("tcp refused and told", |m| {
        let fd = m.refused()?;
        let to = m.local(V4, 0);
        assert_eq!(m.host.connect(fd, &to), Err(libc::ECONNREFUSED));
        Ok(fd)
    }),
    ("tcp dissolved", |m| {
        let client = m.client()?;
        m.host.connect(client, &UNSPEC)?;
        Ok(client)
    }),
    ("udp", |m| m.host.socket(V4, DGRAM, 0)),
    ("udp6", |m| m.host.socket(V6, DGRAM, 0)),
    ("udp bound", |m| m.bound(V4, DGRAM, 0)),
    ("udp connected", |m| m.datagrams(V4)),
    ("udp6 connected", |m| m.datagrams(V6)),
    ("udp dissolved", |m| {
        let fd = m.datagrams(V4)?;
        m.host.connect(fd, &UNSPEC)?;
        Ok(fd)
    }),
    ("udp a datagram waits", |m| {
        let fd = m.datagrams(V4)?;
        let to = m.local(V4, 1);
        let other = m.others[0];
        m.host.send(other, b"hello", 0, Some(&to))?;
        Ok(fd)
    }),
    ("udp6 a datagram of IPv4 waits", |m| {
        let other = m.bound(V4, DGRAM, 0)?;
        m.others.push(other);
        let fd = m.host.socket(V6, DGRAM, 0)?;
        let any = name(&format!("[::]:{}", m.port + 1));
        m.host.bind(fd, &any)?;
        let to = m.local(V4, 1);
        m.host.send(other, b"hello", 0, Some(&to))?;
        Ok(fd)
    }),
    ("udp6 connected to a mapped address", |m| {
        let fd = m.host.socket(V6, DGRAM, 0)?;
        let to = name(&format!("[::ffff:10.9.9.1]:{}", m.port));
        m.host.connect(fd, &to)?;
        Ok(fd)
    }),
    ("udp refused", |m| {
        let fd = m.host.socket(V4, DGRAM, 0)?;
        let to = m.local(V4, 2);
        m.host.connect(fd, &to)?;
        m.host.send(fd, b"x", 0, None)?;
        Ok(fd)
    }),
    ("udp shut for writing", |m| {
        let fd = m.datagrams(V4)?;
        m.host.shutdown(fd, libc::SHUT_WR)?;
        Ok(fd)
    }),
    ("udp shut for reading", |m| {
        let fd = m.datagrams(V4)?;
        m.host.shutdown(fd, libc::SHUT_RD)?;
        Ok(fd)
    }),
    ("closed", |m| {
        let fd = m.host.socket(V4, STREAM, 0)?;
        m.host.close(fd)?;
        Ok(fd)
    }),
    ("epoll", |m| m.host.epoll()),
];

pub(crate) fn show<T: core::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(errno) => match netstack_sockets::Errno::from_raw(errno).name() {
            Some(name) => name.into(),
            None => format!("errno {errno}"),
        },
    }
}

/// A name without the numbers of ports, which differ.
pub(crate) fn show_name(name: Result<Vec<u8>>) -> String {
    show(name.map(|mut name| {
        let port = name.get(2..4).is_some_and(|port| port != [0, 0]);
        if let Some(place) = name.get_mut(2..4) {
            place.copy_from_slice(&[0, u8::from(port)]);
        }
        name
    }))
}

fn set_and_get(host: &mut dyn Host, fd: i32, level: i32, option: i32, value: i32) -> String {
    let set = host.set(fd, level, option, &value.to_ne_bytes());
    let seen = host.get(fd, level, option, 4);
    format!("{} {}", show(set), show(seen))
}

const ALL: i16 = libc::POLLIN
    | libc::POLLOUT
    | libc::POLLRDHUP
    | libc::POLLPRI
    | libc::POLLRDNORM
    | libc::POLLWRNORM;
const SOCKET: i32 = libc::SOL_SOCKET;
const TCP: i32 = libc::IPPROTO_TCP;

fn to(port: u16) -> Vec<u8> {
    name(&format!("10.9.9.1:{port}"))
}

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("bind", |h, m| show(h.bind(m.fd, &to(m.free)))),
    ("bind to a taken port", |h, m| show(h.bind(m.fd, &to(m.taken)))),
    ("bind to a foreign address", |h, m| show(h.bind(m.fd, &name("192.0.2.1:9")))),
    ("bind to IPv6", |h, m| show(h.bind(m.fd, &name(&format!("[fd00:9::1]:{}", m.free))))),
    ("bind with a short name", |h, m| show(h.bind(m.fd, &to(m.free)[..8]))),
    ("bind with a long name", |h, m| show(h.bind(m.fd, &[2; 129]))),
    ("bind to family 77", |h, m| show(h.bind(m.fd, &[[77, 0].as_slice(), &[0; 26]].concat()))),
    ("listen", |h, m| show(h.listen(m.fd, 1))),
    ("listen with a negative backlog", |h, m| show(h.listen(m.fd, -1))),
    ("accept", |h, m| { let made = h.accept(m.fd); show(made.map(|fd| { let _ = h.close(fd); })) }),
    ("accept after SO_RCVTIMEO", |h, m| {
        let two_seconds = [2i64.to_ne_bytes(), 0i64.to_ne_bytes()].concat();
        let set = show(h.set(m.fd, SOCKET, libc::SO_RCVTIMEO, &two_seconds));
        let client = h.socket(V4, STREAM, 0);
        let _ = client.and_then(|client| h.connect(client, &to(m.taken)));
        let passed_on = h.accept(m.fd).and_then(|made| {
            let seen = h.get(made, SOCKET, libc::SO_RCVTIMEO, 16);
            h.close(made)?;
            seen
        });
        let _ = client.and_then(|client| h.close(client));
        format!("{set} {}", show(passed_on))
    }),
    ("connect with a short name", |h, m| show(h.connect(m.fd, &to(m.free)[..8]))),
    ("connect with one byte", |h, m| show(h.connect(m.fd, &[2]))),
    ("connect with a long name", |h, m| show(h.connect(m.fd, &[2; 129]))),
    ("connect to family 77", |h, m| show(h.connect(m.fd, &[[77, 0].as_slice(), &[0; 26]].concat()))),
    ("connect where nobody is", |h, m| show(h.connect(m.fd, &to(m.free)))),
    ("connect to nobody", |h, m| show(h.connect(m.fd, &UNSPEC))),
    ("send", |h, m| show(h.send(m.fd, b"abc", 0, None))),
    ("send twice", |h, m| format!("{} {}", show(h.send(m.fd, b"abc", 0, None)), show(h.send(m.fd, b"abc", 0, None)))),
    ("send nothing", |h, m| show(h.send(m.fd, b"", 0, None))),
    ("send with MSG_MORE", |h, m| show(h.send(m.fd, b"abc", libc::MSG_MORE, None))),
    ("send with MSG_FASTOPEN", |h, m| show(h.send(m.fd, b"abc", libc::MSG_FASTOPEN, None))),
    ("send too much for a datagram", |h, m| show(h.send(m.fd, &[0; 65_536], 0, None).map(|n| n > 0))),
    ("sendto", |h, m| show(h.send(m.fd, b"abc", 0, Some(&to(m.free))))),
    ("sendto port 0", |h, m| show(h.send(m.fd, b"abc", 0, Some(&to(0))))),
    ("sendto with a short name", |h, m| show(h.send(m.fd, b"abc", 0, Some(&to(m.free)[..8])))),
    ("sendto family 77", |h, m| show(h.send(m.fd, b"abc", 0, Some(&[[77, 0].as_slice(), &[0; 26]].concat())))),
    ("recv", |h, m| show(h.receive(m.fd, 10, 0))),
    ("recv twice", |h, m| format!("{} {}", show(h.receive(m.fd, 10, 0)), show(h.receive(m.fd, 10, 0)))),
    ("recv little", |h, m| format!("{} {}", show(h.receive(m.fd, 2, 0)), show(h.receive(m.fd, 10, 0)))),
    ("recv nothing", |h, m| show(h.receive(m.fd, 0, 0))),
    ("recv with MSG_PEEK", |h, m| format!("{} {}", show(h.receive(m.fd, 2, libc::MSG_PEEK)), show(h.receive(m.fd, 10, 0)))),
    ("recv with MSG_TRUNC", |h, m| format!("{} {}", show(h.receive(m.fd, 2, libc::MSG_TRUNC)), show(h.receive(m.fd, 10, 0)))),
    ("recv with MSG_WAITALL", |h, m| show(h.receive(m.fd, 10, libc::MSG_WAITALL))),
    ("recv with MSG_OOB", |h, m| show(h.receive(m.fd, 10, libc::MSG_OOB))),
    ("recv with MSG_ERRQUEUE", |h, m| show(h.receive(m.fd, 10, libc::MSG_ERRQUEUE))),
    ("shut for reading", |h, m| format!("{} {} {}", show(h.shutdown(m.fd, libc::SHUT_RD)), show(h.receive(m.fd, 10, 0)), h.poll(m.fd, ALL))),
    ("shut for writing", |h, m| format!("{} {} {}", show(h.shutdown(m.fd, libc::SHUT_WR)), show(h.send(m.fd, b"a", 0, None)), h.poll(m.fd, ALL))),
    ("shut", |h, m| format!("{} {}", show(h.shutdown(m.fd, libc::SHUT_RDWR)), h.poll(m.fd, ALL))),
    ("shut twice", |h, m| format!("{} {}", show(h.shutdown(m.fd, libc::SHUT_WR)), show(h.shutdown(m.fd, libc::SHUT_WR)))),
    ("shut what is none", |h, m| format!("{} {}", show(h.shutdown(m.fd, 3)), show(h.shutdown(m.fd, -1)))),
    ("getsockname", |h, m| show_name(h.own_name(m.fd))),
    ("getpeername", |h, m| show_name(h.peer_name(m.fd))),
    ("SO_ERROR", |h, m| format!("{} {}", show(h.get(m.fd, SOCKET, libc::SO_ERROR, 4)), show(h.get(m.fd, SOCKET, libc::SO_ERROR, 4)))),
    ("SO_TYPE", |h, m| show(h.get(m.fd, SOCKET, libc::SO_TYPE, 4))),
    ("SO_DOMAIN", |h, m| show(h.get(m.fd, SOCKET, libc::SO_DOMAIN, 4))),
    ("SO_PROTOCOL", |h, m| show(h.get(m.fd, SOCKET, libc::SO_PROTOCOL, 4))),
    ("SO_ACCEPTCONN", |h, m| show(h.get(m.fd, SOCKET, libc::SO_ACCEPTCONN, 4))),
    ("SO_TYPE into two bytes", |h, m| show(h.get(m.fd, SOCKET, libc::SO_TYPE, 2))),
    ("SO_TYPE into eight bytes", |h, m| show(h.get(m.fd, SOCKET, libc::SO_TYPE, 8))),
    ("set SO_TYPE", |h, m| show(h.set(m.fd, SOCKET, libc::SO_TYPE, &[1, 0, 0, 0]))),
    ("SO_REUSEADDR", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_REUSEADDR, 7)),
    ("SO_KEEPALIVE", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_KEEPALIVE, 1)),
    ("SO_BROADCAST", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_BROADCAST, -1)),
    ("SO_SNDBUF", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_SNDBUF, 50_000)),
    ("SO_RCVBUF", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_RCVBUF, 50_000)),
    ("SO_RCVBUF of nothing", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_RCVBUF, 0)),
    ("SO_SNDBUF of more than allowed", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_SNDBUF, i32::MAX)),
    ("SO_RCVLOWAT", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_RCVLOWAT, 0)),
    ("SO_LINGER", |h, m| format!("{} {}", show(h.set(m.fd, SOCKET, libc::SO_LINGER, &[1, 0, 0, 0, 9, 0, 0, 0])), show(h.get(m.fd, SOCKET, libc::SO_LINGER, 8)))),
    ("SO_LINGER with four bytes", |h, m| show(h.set(m.fd, SOCKET, libc::SO_LINGER, &[1, 0, 0, 0]))),
    ("SO_RCVTIMEO", |h, m| format!("{} {}", show(h.set(m.fd, SOCKET, libc::SO_RCVTIMEO, &[1; 4])), show(h.get(m.fd, SOCKET, libc::SO_RCVTIMEO, 16)))),
    ("an option with two bytes", |h, m| show(h.set(m.fd, SOCKET, libc::SO_REUSEADDR, &[1, 0]))),
    ("an option that is none", |h, m| format!("{} {}", show(h.set(m.fd, SOCKET, 999, &[0; 4])), show(h.get(m.fd, SOCKET, 999, 4)))),
    ("a level that is none", |h, m| format!("{} {}", show(h.set(m.fd, 999, 1, &[0; 4])), show(h.get(m.fd, 999, 1, 4)))),
    ("TCP_NODELAY", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_NODELAY, 2)),
    ("TCP_CORK", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_CORK, 1)),
    ("TCP_KEEPIDLE", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_KEEPIDLE, 50)),
    ("TCP_KEEPIDLE of nothing", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_KEEPIDLE, 0)),
    ("TCP_KEEPINTVL of too much", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_KEEPINTVL, 32_768)),
    ("TCP_KEEPCNT of too much", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_KEEPCNT, 128)),
    ("TCP_USER_TIMEOUT", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_USER_TIMEOUT, 5000)),
    ("TCP_USER_TIMEOUT below nothing", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_USER_TIMEOUT, -1)),
    ("TCP_MAXSEG of too little", |h, m| show(h.set(m.fd, TCP, libc::TCP_MAXSEG, &87i32.to_ne_bytes()))),
    ("TCP_NOTSENT_LOWAT", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_NOTSENT_LOWAT, 1000)),
    ("TCP_INQ of two", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_INQ, 2)),
    ("TCP_NODELAY with one byte", |h, m| show(h.set(m.fd, TCP, libc::TCP_NODELAY, &[1]))),
    ("TCP_CONGESTION of none", |h, m| show(h.set(m.fd, TCP, libc::TCP_CONGESTION, b"nothing"))),
    ("TCP_CONGESTION", |h, m| format!("{} {}", show(h.set(m.fd, TCP, libc::TCP_CONGESTION, b"reno")), show(h.get(m.fd, TCP, libc::TCP_CONGESTION, 16)))),
    ("state in TCP_INFO", |h, m| show(h.get(m.fd, TCP, libc::TCP_INFO, 1))),
    ("TCP_CC_INFO of reno", |h, m| format!("{} {}", show(h.set(m.fd, TCP, libc::TCP_CONGESTION, b"reno")), show(h.get(m.fd, TCP, libc::TCP_CC_INFO, 64)))),
    ("SO_MEMINFO", |h, m| show(h.get(m.fd, SOCKET, libc::SO_MEMINFO, 64).map(|info| info.len()))),
    ("IP_TTL", |h, m| show(h.get(m.fd, libc::IPPROTO_IP, libc::IP_TTL, 4))),
    ("IP_TTL into one byte", |h, m| show(h.get(m.fd, libc::IPPROTO_IP, libc::IP_TTL, 1))),
    ("IP_TTL of too much", |h, m| show(h.set(m.fd, libc::IPPROTO_IP, libc::IP_TTL, &256i32.to_ne_bytes()))),
    ("IP_TTL without a value", |h, m| show(h.set(m.fd, libc::IPPROTO_IP, libc::IP_TTL, &[]))),
    ("IP_MULTICAST_TTL without a value", |h, m| show(h.set(m.fd, libc::IPPROTO_IP, libc::IP_MULTICAST_TTL, &[]))),
    ("IP_MULTICAST_LOOP without a value", |h, m| show(h.set(m.fd, libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP, &[]))),
    ("IP_TOS without a value", |h, m| show(h.set(m.fd, libc::IPPROTO_IP, libc::IP_TOS, &[]))),
    ("IP_TTL of nothing", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IP, libc::IP_TTL, 0)),
    ("IP_TTL of 9", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IP, libc::IP_TTL, 9)),
    ("IP_TTL of the default", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IP, libc::IP_TTL, -1)),
    ("IP_TOS", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IP, libc::IP_TOS, 0x1B9)),
    ("IPV6_UNICAST_HOPS", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, 9)),
    ("IPV6_UNICAST_HOPS of too much", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, 256)),
    ("IPV6_TCLASS", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, 0xB9)),
    ("IPV6_TCLASS of too much", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, 256)),
    ("SO_REUSEPORT", |h, m| set_and_get(h, m.fd, SOCKET, libc::SO_REUSEPORT, 1)),
    ("TCP_FASTOPEN", |h, m| show(h.set(m.fd, TCP, libc::TCP_FASTOPEN, &5i32.to_ne_bytes()))),
    ("TCP_FASTOPEN below nothing", |h, m| show(h.set(m.fd, TCP, libc::TCP_FASTOPEN, &(-1i32).to_ne_bytes()))),
    ("TCP_FASTOPEN_CONNECT", |h, m| set_and_get(h, m.fd, TCP, libc::TCP_FASTOPEN_CONNECT, 1)),
    ("IPV6_V6ONLY", |h, m| set_and_get(h, m.fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)),
    ("UDP_SEGMENT", |h, m| set_and_get(h, m.fd, libc::IPPROTO_UDP, libc::UDP_SEGMENT, 1000)),
    ("UDP_SEGMENT of too much", |h, m| set_and_get(h, m.fd, libc::IPPROTO_UDP, libc::UDP_SEGMENT, 65_536)),
    ("poll", |h, m| h.poll(m.fd, ALL).to_string()),
    ("poll for nothing", |h, m| h.poll(m.fd, 0).to_string()),
    ("poll after receiving", |h, m| { let got = show(h.receive(m.fd, 10, 0)); format!("{got} {}", h.poll(m.fd, ALL)) }),
    ("poll after sending", |h, m| { let sent = show(h.send(m.fd, b"abc", 0, None)); format!("{sent} {}", h.poll(m.fd, ALL)) }),
    ("SIOCINQ", |h, m| show(h.ioctl(m.fd, libc::FIONREAD))),
    ("SIOCOUTQ", |h, m| show(h.ioctl(m.fd, libc::TIOCOUTQ))),
    ("SIOCOUTQNSD", |h, m| show(h.ioctl(m.fd, 0x894B))),
    ("SIOCATMARK", |h, m| show(h.ioctl(m.fd, 0x8905))),
    ("an ioctl that is none", |h, m| show(h.ioctl(m.fd, 0x89FF_FFFF))),
    ("SIOCATMARK and more than 32 bits", |h, m| show(h.ioctl(m.fd, (1 << 32) | 0x8905))),
    ("FIOASYNC", |h, m| format!("{} {}", show(h.ioctl_with(m.fd, libc::FIOASYNC, 1)), show(h.ioctl_with(m.fd, libc::FIOASYNC, 0)))),
    ("FIOCLEX and FIONCLEX", |h, m| format!("{} {}", show(h.ioctl(m.fd, libc::FIOCLEX)), show(h.ioctl(m.fd, libc::FIONCLEX)))),
    ("SIOCGSTAMP", |h, m| format!("{} {}", show(h.ioctl(m.fd, 0x8906)), show(h.ioctl(m.fd, 0x8907)))),
    ("SIOCGSTAMP of 64 bits", |h, m| format!("{} {}", show(h.ioctl(m.fd, 0x8010_8906)), show(h.ioctl(m.fd, 0x8010_8907)))),
    ("close twice", |h, m| format!("{} {}", show(h.close(m.fd)), show(h.close(m.fd)))),
];
