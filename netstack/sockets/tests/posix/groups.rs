//! States and calls around ports that several listeners share (`SO_REUSEPORT`).

use crate::cases::{Made, Maker, Probe, State, show};
use crate::host::{Host, Result, name};

const V4: i32 = libc::AF_INET;
const V6: i32 = libc::AF_INET6;
const STREAM: i32 = libc::SOCK_STREAM;
const SOCKET: i32 = libc::SOL_SOCKET;
const PORT: Option<i32> = Some(libc::SO_REUSEPORT);
const ADDRESS: Option<i32> = Some(libc::SO_REUSEADDR);
const ONE: [u8; 4] = 1i32.to_ne_bytes();
/// Connections: so many that each of a group gets some.
const MANY: usize = 64;

impl Maker<'_> {
    /// One that says how it shares its port, bound to it.
    fn sharer(&mut self, ip: &str, option: Option<i32>) -> Result<i32> {
        let fd = self.host.socket(V4, STREAM, 0)?;
        if let Some(option) = option {
            self.host.set(fd, SOCKET, option, &ONE)?;
        }
        let local = name(&format!("{ip}:{}", self.port));
        self.host.bind(fd, &local)?;
        Ok(fd)
    }

    fn alone(&mut self, option: Option<i32>) -> Result<i32> {
        let fd = self.sharer("10.9.9.1", option)?;
        self.host.listen(fd, 128)?;
        Ok(fd)
    }

    /// The last of a group that listens; the others are among the others.
    fn group(&mut self, ip: &str, of: usize) -> Result<i32> {
        for _ in 1..of {
            let fd = self.sharer(ip, PORT)?;
            self.host.listen(fd, 128)?;
            self.others.push(fd);
        }
        let fd = self.sharer(ip, PORT)?;
        self.host.listen(fd, 128)?;
        Ok(fd)
    }
}

#[rustfmt::skip]
pub(crate) static STATES: &[State] = &[
    ("one alone listens", |m| m.alone(None)),
    ("one that shares its address listens", |m| m.alone(ADDRESS)),
    ("one that shares is bound", |m| m.sharer("10.9.9.1", PORT)),
    ("a group of one", |m| m.group("10.9.9.1", 1)),
    ("a group of two", |m| m.group("10.9.9.1", 2)),
    ("a group of four", |m| m.group("10.9.9.1", 4)),
    ("a group on all addresses", |m| m.group("0.0.0.0", 2)),
    ("a group of two, one bound only", |m| {
        let first = m.alone(PORT)?;
        m.others.push(first);
        m.sharer("10.9.9.1", PORT)
    }),
    ("a group of two, one no longer", |m| {
        let last = m.group("10.9.9.1", 2)?;
        let first = m.others.last().copied().unwrap_or(-1);
        m.host.shutdown(first, libc::SHUT_RD)?;
        Ok(last)
    }),
    ("a group of two, one closed", |m| {
        let last = m.group("10.9.9.1", 2)?;
        let first = m.others.pop().unwrap_or(-1);
        m.host.close(first)?;
        Ok(last)
    }),
];

/// Whether another socket that says this can have the port, and listen on it.
fn another(h: &mut dyn Host, m: &Made, option: Option<i32>, ip: &str) -> String {
    let domain = if ip.starts_with('[') { V6 } else { V4 };
    let Ok(fd) = h.socket(domain, STREAM, 0) else {
        return "no socket".into();
    };
    if let Some(option) = option {
        let _ = h.set(fd, SOCKET, option, &ONE);
    }
    let local = name(&format!("{ip}:{}", m.taken));
    let bound = h.bind(fd, &local);
    // Without the port it would listen on another.
    let listens = match bound {
        Ok(()) => show(h.listen(fd, 5)),
        Err(_) => "-".into(),
    };
    let _ = h.close(fd);
    format!("{} {listens}", show(bound))
}

/// How many connections are accepted by the socket, and by it and the others.
fn accepted(h: &mut dyn Host, m: &Made) -> (usize, usize) {
    let to = name(&format!("10.9.9.1:{}", m.taken));
    let mut clients = Vec::new();
    for _ in 0..MANY {
        if let Ok(client) = h.socket(V4, STREAM, 0) {
            let _ = h.connect(client, &to);
            clients.push(client);
        }
    }
    let mut count = |fd: i32| {
        let mut accepted = 0;
        while let Ok(server) = h.accept(fd) {
            let _ = h.close(server);
            accepted += 1;
        }
        accepted
    };
    let own = count(m.fd);
    let others: usize = m.others.iter().map(|other| count(*other)).sum();
    for client in clients {
        let _ = h.close(client);
    }
    (own, own + others)
}

fn all(h: &mut dyn Host, m: &Made) -> usize {
    accepted(h, m).1
}

#[rustfmt::skip]
pub(crate) static PROBES: &[Probe] = &[
    ("another alone", |h, m| another(h, m, None, "10.9.9.1")),
    ("another that shares its address", |h, m| another(h, m, ADDRESS, "10.9.9.1")),
    ("another of the group", |h, m| another(h, m, PORT, "10.9.9.1")),
    ("another on all addresses", |h, m| another(h, m, None, "0.0.0.0")),
    ("another of the group on all addresses", |h, m| another(h, m, PORT, "0.0.0.0")),
    ("another of IPv6 on all addresses", |h, m| another(h, m, None, "[::]")),
    ("another of the group, of IPv6 on all addresses", |h, m| another(h, m, PORT, "[::]")),
    ("all connections", |h, m| all(h, m).to_string()),
    ("a share of the connections", |h, m| { let (own, all) = accepted(h, m); format!("{} {}", own > 0, own == all) }),
    ("listen", |h, m| show(h.listen(m.fd, 5))),
    ("listen, then all connections", |h, m| { let listens = show(h.listen(m.fd, 128)); format!("{listens} {}", all(h, m)) }),
    ("shares no longer, then another", |h, m| {
        let done = show(h.set(m.fd, SOCKET, libc::SO_REUSEPORT, &[0; 4]));
        format!("{done} {}", another(h, m, PORT, "10.9.9.1"))
    }),
    ("closed, then another alone", |h, m| { let done = show(h.close(m.fd)); format!("{done} {}", another(h, m, None, "10.9.9.1")) }),
    ("closed, then all connections", |h, m| { let done = show(h.close(m.fd)); format!("{done} {}", all(h, m)) }),
    ("no longer listening, then all connections", |h, m| { let done = show(h.shutdown(m.fd, libc::SHUT_RD)); format!("{done} {}", all(h, m)) }),
];
