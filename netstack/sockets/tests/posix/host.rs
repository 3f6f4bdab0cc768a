//! The calls that are compared, on the kernel's sockets and on the stack's.

use std::net::SocketAddr;

use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use netstack_sockets::{Errno, Limits, MessageHead, PollFd, SockAddr, Sockets};
use txbuf::{IovIter, Offloads};

/// A value or an errno.
pub(crate) type Result<T> = core::result::Result<T, i32>;

/// What was received.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) returned: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) control: Vec<u8>,
    pub(crate) flags: i32,
}

pub(crate) trait Host {
    /// A case is over: nothing of it is to be left behind.
    fn forget(&mut self);
    fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<i32>;
    fn close(&mut self, fd: i32) -> Result<()>;
    fn bind(&mut self, fd: i32, name: &[u8]) -> Result<()>;
    fn listen(&mut self, fd: i32, backlog: i32) -> Result<()>;
    fn accept(&mut self, fd: i32) -> Result<i32>;
    fn connect(&mut self, fd: i32, name: &[u8]) -> Result<()>;
    fn shutdown(&mut self, fd: i32, how: i32) -> Result<()>;
    fn send(&mut self, fd: i32, bytes: &[u8], flags: i32, name: Option<&[u8]>) -> Result<usize>;
    /// What is returned, and the bytes.
    fn receive(&mut self, fd: i32, len: usize, flags: i32) -> Result<(usize, Vec<u8>)>;
    /// As `send`, with control messages.
    fn send_message(
        &mut self,
        fd: i32,
        bytes: &[u8],
        name: Option<&[u8]>,
        control: &[u8],
        flags: i32,
    ) -> Result<usize>;
    /// With room for `room` bytes of control messages.
    fn receive_message(&mut self, fd: i32, len: usize, room: usize, flags: i32) -> Result<Message>;
    fn own_name(&mut self, fd: i32) -> Result<Vec<u8>>;
    fn peer_name(&mut self, fd: i32) -> Result<Vec<u8>>;
    fn get(&mut self, fd: i32, level: i32, name: i32, len: usize) -> Result<Vec<u8>>;
    fn set(&mut self, fd: i32, level: i32, name: i32, value: &[u8]) -> Result<()>;
    fn poll(&mut self, fd: i32, events: i16) -> i16;
    fn ioctl(&mut self, fd: i32, request: u64) -> Result<i32> {
        self.ioctl_with(fd, request, 0)
    }
    fn ioctl_with(&mut self, fd: i32, request: u64, argument: i32) -> Result<i32>;
    fn epoll(&mut self) -> Result<i32>;
}

/// The stack, on a loopback of its own.
pub(crate) struct OnStack {
    sockets: Sockets,
}

const NOW: Instant = Instant::from_secs(100);

impl OnStack {
    pub(crate) fn new() -> OnStack {
        let mut stack = Stack::new(Config::new([1; 32]));
        let iface = stack
            .add_interface(InterfaceConfig {
                name: "lo".into(),
                mtu: 65_535,
                offloads: Offloads::default(),
            })
            .expect("an interface");
        for cidr in ["10.9.9.1/24", "fd00:9::1/64"] {
            stack
                .add_address(iface, cidr.parse().expect("a prefix"))
                .expect("an address");
        }
        OnStack {
            sockets: Sockets::with_limits(stack, limits()),
        }
    }

    fn settle(&mut self) {
        let stack = self.sockets.stack_mut();
        while stack.poll_transmit(NOW, IfaceId::new(0)).is_some() {}
    }

    fn told<T>(&mut self, result: core::result::Result<T, Errno>) -> Result<T> {
        self.settle();
        result.map_err(Errno::raw)
    }
}

impl Host for OnStack {
    /// The time stands still, and connections would stay in TIME-WAIT on ports that later cases want.
    fn forget(&mut self) {
        *self = OnStack::new();
    }

    fn socket(&mut self, domain: i32, kind: i32, protocol: i32) -> Result<i32> {
        let made = self
            .sockets
            .socket(domain, kind | libc::SOCK_NONBLOCK, protocol);
        self.told(made)
    }

    fn close(&mut self, fd: i32) -> Result<()> {
        let done = self.sockets.close(NOW, fd);
        self.told(done)
    }

    fn bind(&mut self, fd: i32, name: &[u8]) -> Result<()> {
        let done = self.sockets.bind(fd, name);
        self.told(done)
    }

    fn listen(&mut self, fd: i32, backlog: i32) -> Result<()> {
        let done = self.sockets.listen(fd, backlog);
        self.told(done)
    }

    fn accept(&mut self, fd: i32) -> Result<i32> {
        let done = self.sockets.accept(NOW, fd, libc::SOCK_NONBLOCK);
        self.told(done).map(|(fd, _)| fd)
    }

    fn connect(&mut self, fd: i32, name: &[u8]) -> Result<()> {
        let done = self.sockets.connect(NOW, fd, name);
        self.told(done)
    }

    fn shutdown(&mut self, fd: i32, how: i32) -> Result<()> {
        let done = self.sockets.shutdown(NOW, fd, how);
        self.told(done)
    }

    fn send(&mut self, fd: i32, bytes: &[u8], flags: i32, name: Option<&[u8]>) -> Result<usize> {
        let head = MessageHead {
            name,
            ..MessageHead::default()
        };
        let done = self
            .sockets
            .sendmsg(fd, &mut IovIter::bytes(bytes), &head, flags);
        self.told(done)
    }

    fn receive(&mut self, fd: i32, len: usize, flags: i32) -> Result<(usize, Vec<u8>)> {
        let mut buffer = vec![0; len];
        let done = self
            .sockets
            .recvmsg(fd, &mut IovIter::buffer(&mut buffer), 0, flags);
        let received = self.told(done)?;
        buffer.truncate(received.taken);
        Ok((received.bytes, buffer))
    }

    fn send_message(
        &mut self,
        fd: i32,
        bytes: &[u8],
        name: Option<&[u8]>,
        control: &[u8],
        flags: i32,
    ) -> Result<usize> {
        let head = MessageHead {
            name,
            control,
            token: None,
        };
        let done = self
            .sockets
            .sendmsg(fd, &mut IovIter::bytes(bytes), &head, flags);
        self.told(done)
    }

    fn receive_message(&mut self, fd: i32, len: usize, room: usize, flags: i32) -> Result<Message> {
        let mut buffer = vec![0; len];
        let done = self
            .sockets
            .recvmsg(fd, &mut IovIter::buffer(&mut buffer), room, flags);
        let received = self.told(done)?;
        buffer.truncate(received.taken);
        Ok(Message {
            returned: received.bytes,
            bytes: buffer,
            name: received.name.map(|name| name.to_vec()).unwrap_or_default(),
            control: received.control,
            flags: received.flags,
        })
    }

    fn own_name(&mut self, fd: i32) -> Result<Vec<u8>> {
        let name = self.sockets.getsockname(fd);
        self.told(name).map(|name: SockAddr| name.to_vec())
    }

    fn peer_name(&mut self, fd: i32) -> Result<Vec<u8>> {
        let name = self.sockets.getpeername(fd);
        self.told(name).map(|name: SockAddr| name.to_vec())
    }

    fn get(&mut self, fd: i32, level: i32, name: i32, len: usize) -> Result<Vec<u8>> {
        let mut into = vec![0; len];
        let done = self.sockets.getsockopt(fd, level, name, &mut into);
        let len = self.told(done)?;
        into.truncate(len);
        Ok(into)
    }

    fn set(&mut self, fd: i32, level: i32, name: i32, value: &[u8]) -> Result<()> {
        let done = self.sockets.setsockopt(NOW, fd, level, name, value);
        self.told(done)
    }

    fn poll(&mut self, fd: i32, events: i16) -> i16 {
        let mut fds = [PollFd {
            fd,
            events,
            revents: 0,
        }];
        self.sockets.poll(&mut fds);
        fds[0].revents
    }

    fn ioctl_with(&mut self, fd: i32, request: u64, argument: i32) -> Result<i32> {
        let done = self.sockets.ioctl(NOW, fd, request, argument);
        self.told(done).map(|told| told.unwrap_or(argument))
    }

    fn epoll(&mut self) -> Result<i32> {
        let made = self.sockets.epoll_create();
        self.told(made)
    }
}

/// As large buffers as this kernel allows; its default where it does not say.
fn limits() -> Limits {
    let most = |name: &str, default| {
        let read = std::fs::read_to_string(format!("/proc/sys/net/core/{name}"));
        let number = read.ok().and_then(|text| text.trim().parse().ok());
        number.unwrap_or(default)
    };
    let default = Limits::default();
    Limits {
        receive_buffer: most("rmem_max", default.receive_buffer),
        send_buffer: most("wmem_max", default.send_buffer),
        ..default
    }
}

/// The bytes of a name.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let address: SocketAddr = text.parse().expect("an address");
    SockAddr::from(address).to_vec()
}
