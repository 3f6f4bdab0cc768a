//! The descriptors of a script, and system calls on them in terms of smoltcp's sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use smoltcp::wire::{IpAddress, IpListenEndpoint};

use super::TIMESTAMP;
use crate::calls::{Op, Returned, Value};
use crate::pattern;

/// Where the ports begin that connections without one get.
const FIRST_PORT: u16 = 49_152;

/// All descriptors, and the call that waits.
pub(super) struct Sockets {
    table: BTreeMap<i64, Descriptor>,
    waiting: Option<Waiting>,
    next_port: u16,
    timestamps: bool,
    /// The sizes of buffers for what is received and sent.
    buffers: [usize; 2],
}

impl Default for Sockets {
    fn default() -> Sockets {
        Sockets {
            table: BTreeMap::new(),
            waiting: None,
            next_port: FIRST_PORT,
            timestamps: true,
            buffers: [65_536; 2],
        }
    }
}

struct Descriptor {
    kind: Kind,
    nonblocking: bool,
    options: Options,
    /// Bytes of the streams that were written and read.
    written: u64,
    read: u64,
}

enum Kind {
    /// Neither listening nor connected.
    Fresh { local: Option<SocketAddr> },
    /// Sockets for connections to come: those that listen, and those that nobody has accepted.
    Listener {
        local: IpListenEndpoint,
        backlog: usize,
        handles: Vec<SocketHandle>,
    },
    Tcp {
        handle: SocketHandle,
        connecting: bool,
    },
}

/// What was set, for sockets that are made later.
#[derive(Clone, Copy, Default)]
struct Options {
    no_delay: bool,
    keep_alive: bool,
    keep_idle: Option<u64>,
    user_timeout: Option<u64>,
    hop_limit: Option<u8>,
}

/// A call that waits.
struct Waiting {
    op: Op,
    made: i64,
    /// Bytes that a call to send has handed over already.
    done: usize,
}

/// Why there is no result yet, or will be none.
enum Stop {
    Waits,
    Errno(i32),
    /// smoltcp's sockets have nothing like it.
    Cannot(String),
}

type Outcome = Result<Returned, Stop>;

impl Sockets {
    /// A variable of the host.
    pub(super) fn set(&mut self, name: &str, first: i64, values: &[i64]) -> Result<(), String> {
        let size = values.get(1).and_then(|size| usize::try_from(*size).ok());
        match (name, first, size) {
            ("net.ipv4.tcp_timestamps", value, _) => self.timestamps = value != 0,
            ("net.ipv4.tcp_ecn" | "net.ipv4.tcp_fastopen" | "net.ipv4.tcp_mtu_probing", 0, _)
            | ("net.ipv4.tcp_sack", 1, _) => {}
            ("net.ipv4.tcp_rmem", _, Some(size)) if size > 0 => self.buffers[0] = size,
            ("net.ipv4.tcp_wmem", _, Some(size)) if size > 0 => self.buffers[1] = size,
            _ => return Err(format!("it has no {name}={first}")),
        }
        Ok(())
    }

    /// Makes a call; `None` when it waits.
    pub(super) fn call(
        &mut self,
        interface: &mut Interface,
        set: &mut SocketSet<'static>,
        op: &Op,
        made: i64,
    ) -> Result<Option<Returned>, String> {
        let mut waiting = Waiting {
            op: op.clone(),
            made,
            done: 0,
        };
        match self.attempt(interface, set, &mut waiting) {
            Ok(returned) => Ok(Some(returned)),
            Err(Stop::Errno(errno)) => Ok(Some(Returned::error(errno))),
            Err(Stop::Cannot(what)) => Err(what),
            Err(Stop::Waits) => {
                self.waiting = Some(waiting);
                Ok(None)
            }
        }
    }

    /// What the call that waits returns, if it does now.
    pub(super) fn resume(
        &mut self,
        interface: &mut Interface,
        set: &mut SocketSet<'static>,
    ) -> Option<Result<Returned, String>> {
        let mut waiting = self.waiting.take()?;
        match self.attempt(interface, set, &mut waiting) {
            Ok(returned) => Some(Ok(returned)),
            Err(Stop::Errno(errno)) => Some(Ok(Returned::error(errno))),
            Err(Stop::Cannot(what)) => Some(Err(what)),
            Err(Stop::Waits) => {
                self.waiting = Some(waiting);
                None
            }
        }
    }

    /// A listener is made of as many sockets as connections may wait, of which one listens.
    pub(super) fn keep_listening(&mut self, set: &mut SocketSet<'static>) {
        let (timestamps, buffers) = (self.timestamps, self.buffers);
        for descriptor in self.table.values_mut() {
            let options = descriptor.options;
            let Kind::Listener {
                local,
                backlog,
                handles,
            } = &mut descriptor.kind
            else {
                continue;
            };
            handles.retain(|handle| set.get::<Socket<'_>>(*handle).state() != State::Closed);
            let listens =
                |handle: &SocketHandle| set.get::<Socket<'_>>(*handle).state() == State::Listen;
            if !handles.iter().any(listens) && handles.len() <= *backlog {
                let mut socket = options.socket(timestamps, buffers);
                if socket.listen(*local).is_ok() {
                    handles.push(set.add(socket));
                }
            }
        }
    }

    fn attempt(
        &mut self,
        interface: &mut Interface,
        set: &mut SocketSet<'static>,
        waiting: &mut Waiting,
    ) -> Outcome {
        match &waiting.op {
            Op::Socket { datagram: true, .. } => Err(Stop::Cannot("only its TCP is asked".into())),
            Op::Socket { nonblocking, .. } => {
                self.open(waiting.made, Kind::Fresh { local: None }, *nonblocking);
                Ok(Returned::value(waiting.made))
            }
            Op::Accept { fd } => self.accept(set, *fd, waiting.made),
            Op::Connect { fd, to } => self.connect(interface, set, *fd, *to),
            Op::Listen { fd, backlog } => {
                let backlog = usize::try_from(*backlog).unwrap_or(0);
                let descriptor = self.descriptor(*fd)?;
                let Kind::Fresh { local } = descriptor.kind else {
                    return Err(Stop::Cannot("listening once more".into()));
                };
                let local = local.ok_or(Stop::Cannot("listening on any port".into()))?;
                descriptor.kind = Kind::Listener {
                    local: endpoint(local),
                    backlog,
                    handles: Vec::new(),
                };
                self.keep_listening(set);
                Ok(Returned::value(0))
            }
            Op::Close { fd } => {
                let descriptor = self.table.remove(fd).ok_or(Stop::Errno(libc::EBADF))?;
                match descriptor.kind {
                    Kind::Fresh { .. } => {}
                    Kind::Tcp { handle, .. } => set.get_mut::<Socket<'_>>(handle).close(),
                    Kind::Listener { handles, .. } => {
                        for handle in handles {
                            set.get_mut::<Socket<'_>>(handle).abort();
                        }
                    }
                }
                Ok(Returned::value(0))
            }
            Op::Poll { fds, timeout } => self.poll(set, fds, *timeout),
            op => {
                let descriptor = self.descriptor(op.fd())?;
                descriptor.attempt(set, op, &mut waiting.done)
            }
        }
    }

    fn descriptor(&mut self, fd: i64) -> Result<&mut Descriptor, Stop> {
        self.table.get_mut(&fd).ok_or(Stop::Errno(libc::EBADF))
    }

    fn open(&mut self, made: i64, kind: Kind, nonblocking: bool) {
        let descriptor = Descriptor {
            kind,
            nonblocking,
            options: Options::default(),
            written: 0,
            read: 0,
        };
        self.table.insert(made, descriptor);
    }

    fn accept(&mut self, set: &mut SocketSet<'static>, fd: i64, made: i64) -> Outcome {
        let descriptor = self.descriptor(fd)?;
        let Kind::Listener { handles, .. } = &mut descriptor.kind else {
            return Err(Stop::Errno(libc::EINVAL));
        };
        let opening = [State::Listen, State::SynReceived, State::Closed];
        let opened = |handle: &SocketHandle| {
            let state = set.get::<Socket<'_>>(*handle).state();
            !opening.contains(&state)
        };
        let Some(place) = handles.iter().position(opened) else {
            return descriptor.wait();
        };
        let handle = handles.remove(place);
        let connecting = false;
        self.open(made, Kind::Tcp { handle, connecting }, false);
        self.keep_listening(set);
        Ok(Returned::value(made))
    }

    fn connect(
        &mut self,
        interface: &mut Interface,
        set: &mut SocketSet<'static>,
        fd: i64,
        to: SocketAddr,
    ) -> Outcome {
        let (timestamps, buffers, port) = (self.timestamps, self.buffers, self.next_port);
        let descriptor = self.descriptor(fd)?;
        match &mut descriptor.kind {
            Kind::Fresh { local } => {
                let port = local.map_or(port, |local| local.port());
                let mut socket = descriptor.options.socket(timestamps, buffers);
                let to = SocketAddr::new(to.ip().to_canonical(), to.port());
                if socket.connect(interface.context(), to, port).is_err() {
                    return Err(Stop::Errno(libc::EADDRNOTAVAIL));
                }
                let handle = set.add(socket);
                descriptor.kind = Kind::Tcp {
                    handle,
                    connecting: true,
                };
                let stop = match descriptor.nonblocking {
                    true => Stop::Errno(libc::EINPROGRESS),
                    false => Stop::Waits,
                };
                self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
                Err(stop)
            }
            Kind::Tcp { handle, connecting } if *connecting => {
                match set.get::<Socket<'_>>(*handle).state() {
                    State::SynSent | State::SynReceived if descriptor.nonblocking => {
                        Err(Stop::Errno(libc::EALREADY))
                    }
                    State::SynSent | State::SynReceived => Err(Stop::Waits),
                    State::Closed => Err(Stop::Cannot(
                        "it does not tell why a connection was not made".into(),
                    )),
                    _ => {
                        *connecting = false;
                        Ok(Returned::value(0))
                    }
                }
            }
            _ => Err(Stop::Errno(libc::EISCONN)),
        }
    }

    fn poll(&self, set: &SocketSet<'static>, fds: &[(i64, i64)], timeout: i64) -> Outcome {
        let events = |(fd, wanted): &(i64, i64)| {
            let found = self.table.get(fd).map(|descriptor| descriptor.events(set));
            found.unwrap_or(i64::from(libc::POLLNVAL))
                & (wanted | i64::from(libc::POLLHUP | libc::POLLERR | libc::POLLNVAL))
        };
        let out: Vec<i64> = fds.iter().map(events).collect();
        let ready = out.iter().filter(|events| **events != 0).count();
        match (ready, timeout) {
            (0, ..=-1) => Err(Stop::Waits),
            (0, 1..) => Err(Stop::Cannot("waiting for events for a time".into())),
            _ => Ok(Returned {
                value: ready as i64,
                out,
                ..Returned::default()
            }),
        }
    }
}

impl Descriptor {
    /// A call that would wait.
    fn wait(&self) -> Outcome {
        Err(match self.nonblocking {
            true => Stop::Errno(libc::EAGAIN),
            false => Stop::Waits,
        })
    }

    fn attempt(&mut self, set: &mut SocketSet<'static>, op: &Op, done: &mut usize) -> Outcome {
        match op {
            Op::Bind { to, .. } => {
                self.kind = Kind::Fresh { local: Some(*to) };
                Ok(Returned::value(0))
            }
            Op::Send { len, flags, .. } => self.send(set, *len, *flags, done),
            Op::Receive { len, flags, .. } => self.receive(set, *len, *flags),
            Op::Shutdown { how, .. } if *how != i64::from(libc::SHUT_RD) => {
                self.tcp(set)?.close();
                Ok(Returned::value(0))
            }
            Op::Shutdown { .. } => Err(Stop::Cannot("shutting the reading side".into())),
            Op::SetFlags { flags, .. } => {
                self.nonblocking = flags & i64::from(libc::O_NONBLOCK) != 0;
                Ok(Returned::value(0))
            }
            Op::ReadFlags { .. } => {
                let nonblocking = if self.nonblocking {
                    libc::O_NONBLOCK
                } else {
                    0
                };
                Ok(Returned::value(i64::from(libc::O_RDWR | nonblocking)))
            }
            Op::SetOption {
                level, name, value, ..
            } => self.set_option(set, (*level, *name), value),
            Op::ReadOption { level, name, .. } => Err(Stop::Cannot(format!(
                "reading option {name} of level {level}"
            ))),
            Op::Ioctl { request, .. } => {
                let socket = self.tcp(set)?;
                let queued = match request {
                    0x541B => socket.recv_queue(),
                    0x5411 => socket.send_queue(),
                    other => return Err(Stop::Cannot(format!("the request {other:#x}"))),
                };
                Ok(Returned {
                    out: vec![queued as i64],
                    ..Returned::default()
                })
            }
            _ => Err(Stop::Cannot(format!("{op:?}"))),
        }
    }

    fn tcp<'s>(&self, set: &'s mut SocketSet<'static>) -> Result<&'s mut Socket<'static>, Stop> {
        match self.kind {
            Kind::Tcp { handle, .. } => Ok(set.get_mut(handle)),
            _ => Err(Stop::Errno(libc::ENOTCONN)),
        }
    }

    fn send(
        &mut self,
        set: &mut SocketSet<'static>,
        len: usize,
        flags: i64,
        done: &mut usize,
    ) -> Outcome {
        let known = i64::from(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        if flags & !known != 0 {
            return Err(Stop::Cannot(format!("sending with flags {flags:#x}")));
        }
        let socket = self.tcp(set).map_err(|_| Stop::Errno(libc::EPIPE))?;
        let bytes = pattern::bytes(self.written, len.saturating_sub(*done));
        let taken = match socket.send_slice(&bytes) {
            Ok(taken) => taken,
            Err(_) if matches!(socket.state(), State::SynSent | State::SynReceived) => 0,
            Err(_) => return Err(Stop::Errno(libc::EPIPE)),
        };
        self.written += taken as u64;
        *done += taken;
        let at_once = self.nonblocking || flags & i64::from(libc::MSG_DONTWAIT) != 0;
        match (*done, at_once) {
            (0, true) if len > 0 => Err(Stop::Errno(libc::EAGAIN)),
            (done, false) if done < len => Err(Stop::Waits),
            (done, _) => Ok(Returned::value(done as i64)),
        }
    }

    fn receive(&mut self, set: &mut SocketSet<'static>, len: usize, flags: i64) -> Outcome {
        let has = |flag: i32| flags & i64::from(flag) != 0;
        if flags & !i64::from(libc::MSG_PEEK | libc::MSG_DONTWAIT) != 0 {
            return Err(Stop::Cannot(format!("receiving with flags {flags:#x}")));
        }
        let socket = self.tcp(set)?;
        let mut buffer = vec![0; len];
        let taken = match has(libc::MSG_PEEK) {
            true => socket.peek_slice(&mut buffer),
            false => socket.recv_slice(&mut buffer),
        };
        let taken = match taken {
            Ok(0) if len > 0 && has(libc::MSG_DONTWAIT) => return Err(Stop::Errno(libc::EAGAIN)),
            Ok(0) if len > 0 => return self.wait(),
            Ok(taken) => taken,
            Err(RecvError::Finished) => 0,
            Err(RecvError::InvalidState) if socket.state() == State::SynSent => {
                return self.wait();
            }
            Err(RecvError::InvalidState) => return Err(Stop::Errno(libc::ECONNRESET)),
        };
        let wrong_data = pattern::fault(self.read, buffer.get(..taken).unwrap_or_default());
        if !has(libc::MSG_PEEK) {
            self.read += taken as u64;
        }
        Ok(Returned {
            value: taken as i64,
            wrong_data,
            ..Returned::default()
        })
    }

    fn set_option(
        &mut self,
        set: &mut SocketSet<'static>,
        (level, name): (i64, i64),
        value: &Value,
    ) -> Outcome {
        let number = match value {
            Value::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        };
        let (Ok(level), Ok(name), Some(number)) =
            (i32::try_from(level), i32::try_from(name), number)
        else {
            return Err(Stop::Cannot(format!("option {name} of level {level}")));
        };
        let options = &mut self.options;
        match (level, name) {
            (libc::SOL_SOCKET, libc::SO_REUSEADDR) => {}
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => options.keep_alive = number != 0,
            (libc::IPPROTO_TCP, libc::TCP_NODELAY) => options.no_delay = number != 0,
            (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE | libc::TCP_KEEPINTVL) => {
                // It has one time for both.
                options.keep_idle = Some(number * 1000);
            }
            (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => options.user_timeout = Some(number),
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => {
                options.hop_limit = u8::try_from(number).ok().filter(|limit| *limit > 0);
            }
            _ => return Err(Stop::Cannot(format!("option {name} of level {level}"))),
        }
        let options = *options;
        if let Kind::Tcp { handle, .. } = self.kind {
            options.apply(set.get_mut(handle));
        }
        Ok(Returned::value(0))
    }

    fn events(&self, set: &SocketSet<'static>) -> i64 {
        let of = |is: bool, event: i16| if is { i64::from(event) } else { 0 };
        match &self.kind {
            Kind::Fresh { .. } => i64::from(libc::POLLOUT | libc::POLLHUP),
            Kind::Listener { handles, .. } => {
                let opened = handles
                    .iter()
                    .any(|handle| set.get::<Socket<'_>>(*handle).may_send());
                of(opened, libc::POLLIN)
            }
            Kind::Tcp { handle, .. } => {
                let socket = set.get::<Socket<'_>>(*handle);
                let opens = matches!(socket.state(), State::SynSent | State::SynReceived);
                let is_closed = socket.state() == State::Closed;
                of(
                    socket.can_recv() || !opens && !socket.may_recv(),
                    libc::POLLIN,
                ) | of(socket.can_send() || is_closed, libc::POLLOUT)
                    | of(is_closed, libc::POLLHUP)
            }
        }
    }
}

impl Options {
    fn socket(&self, timestamps: bool, buffers: [usize; 2]) -> Socket<'static> {
        let [receive, send] = buffers.map(|size| SocketBuffer::new(vec![0; size]));
        let mut socket = Socket::new(receive, send);
        if timestamps {
            socket.set_tsval_generator(Some(|| TIMESTAMP.get()));
        }
        self.apply(&mut socket);
        socket
    }

    fn apply(&self, socket: &mut Socket<'static>) {
        let millis = smoltcp::time::Duration::from_millis;
        let idle = self.keep_idle.unwrap_or(7_200_000);
        socket.set_nagle_enabled(!self.no_delay);
        socket.set_keep_alive(self.keep_alive.then(|| millis(idle)));
        socket.set_timeout(self.user_timeout.map(millis));
        socket.set_hop_limit(self.hop_limit);
    }
}

fn endpoint(local: SocketAddr) -> IpListenEndpoint {
    let ip = local.ip().to_canonical();
    IpListenEndpoint {
        addr: (!ip.is_unspecified()).then(|| IpAddress::from(ip)),
        port: local.port(),
    }
}
