//! smoltcp on a link of the same kind: two queues of packets whose buffers are used again.

use super::{CHUNK, Work, payload};
use core::time::Duration;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use suite::crowd::QUEUE;

#[derive(Default)]
struct Wire {
    packets: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

type Shared = Rc<RefCell<Wire>>;

struct Link {
    receive: Shared,
    transmit: Shared,
    mtu: usize,
}

struct Received(Vec<u8>, Shared);
struct Slot(Shared);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let result = f(&self.0);
        self.1.borrow_mut().spare.push(self.0);
        result
    }
}

impl TxToken for Slot {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut buffer = self.0.borrow_mut().spare.pop().unwrap_or_default();
        buffer.resize(len, 0);
        let result = f(&mut buffer);
        self.0.borrow_mut().packets.push_back(buffer);
        result
    }
}

impl Device for Link {
    type RxToken<'a> = Received;
    type TxToken<'a> = Slot;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }

    fn receive(&mut self, _: Instant) -> Option<(Received, Slot)> {
        if self.transmit.borrow().packets.len() >= QUEUE {
            return None;
        }
        let packet = self.receive.borrow_mut().packets.pop_front()?;
        Some((
            Received(packet, self.receive.clone()),
            Slot(self.transmit.clone()),
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<Slot> {
        (self.transmit.borrow().packets.len() < QUEUE).then(|| Slot(self.transmit.clone()))
    }
}

struct Host {
    interface: Interface,
    link: Link,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
}

impl Host {
    fn new(number: u8, mut link: Link, buffer: usize) -> Host {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = u64::from(number);
        let mut interface = Interface::new(config, &mut link, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses
                .push(IpCidr::new(IpAddress::v4(10, 0, 0, number), 24))
                .expect("room for one");
        });
        let ring = || tcp::SocketBuffer::new(vec![0; buffer]);
        let mut sockets = SocketSet::new(Vec::new());
        let mut socket = tcp::Socket::new(ring(), ring());
        socket.set_congestion_control(tcp::CongestionControl::Reno);
        let socket = sockets.add(socket);
        Host {
            interface,
            link,
            sockets,
            socket,
        }
    }

    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.link, &mut self.sockets);
    }

    fn tcp(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.socket)
    }
}

/// Moves the work's bytes over smoltcp and returns how long it took.
///
/// # Panics
///
/// When the connection fails.
pub fn smoltcp(work: &Work) -> Duration {
    let (there, back) = (Shared::default(), Shared::default());
    let mtu = if work.offload { 65_535 } else { work.mtu };
    let link = |receive: &Shared, transmit: &Shared| Link {
        receive: receive.clone(),
        transmit: transmit.clone(),
        mtu,
    };
    let mut server = Host::new(1, link(&there, &back), work.buffer);
    let mut client = Host::new(2, link(&back, &there), work.buffer);
    server.tcp().listen(9).expect("a port");
    let Host {
        interface,
        sockets,
        socket,
        ..
    } = &mut client;
    let context = interface.context();
    let remote = (IpAddress::v4(10, 0, 0, 1), 9);
    sockets
        .get_mut::<tcp::Socket>(*socket)
        .connect(context, remote, 50_000)
        .expect("a free socket");
    let clock = std::time::Instant::now();
    let now = || Instant::from_micros(clock.elapsed().as_micros() as i64);
    while !(client.tcp().may_send() && server.tcp().may_recv()) {
        client.poll(now());
        server.poll(now());
    }
    let start = std::time::Instant::now();
    let source = payload();
    let mut sink = vec![0; CHUNK];
    let (mut sent, mut received) = (0, 0);
    while received < work.bytes {
        while sent < work.bytes && client.tcp().can_send() {
            sent += client.tcp().send_slice(&source).expect("open") as u64;
        }
        let now = now();
        client.poll(now);
        server.poll(now);
        while server.tcp().can_recv() {
            received += server.tcp().recv_slice(&mut sink).expect("open") as u64;
        }
    }
    start.elapsed()
}
