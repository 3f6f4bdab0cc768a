//! A smoltcp interface with one TCP socket on an end of a memory link.

use core::cell::Cell;
use drivers::Device as _;
use drivers::memory::{MemoryConfig, MemoryEnd, raw_pair};
use netstack_core::Instant;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::wire::{HardwareAddress, IpCidr};
use std::collections::VecDeque;
use txbuf::{Ledger, Offloads, Packet, Span};

/// smoltcp's view of its end of the link.
struct Link {
    end: MemoryEnd,
    mtu: usize,
    /// Storage of what smoltcp sends: apart from the stack's own.
    ledger: Ledger,
}

thread_local! {
    /// The clock of smoltcp's timestamps, which it asks through a plain function.
    static TIMESTAMP: Cell<u32> = const { Cell::new(0) };
}

/// A packet that smoltcp receives.
struct Received(Vec<u8>);
/// A place for a packet that smoltcp sends.
struct Slot<'a>(&'a mut Link);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Slot<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut bytes = vec![0; len];
        let result = f(&mut bytes);
        let span = Span::from_bytes(&self.0.ledger, bytes.into()).expect("a packet is short");
        let mut packets = VecDeque::from([Packet::from_span(span)]);
        self.0
            .end
            .transmit(&mut packets)
            .expect("a link does not fail");
        result
    }
}

impl Device for Link {
    type RxToken<'a> = Received;
    type TxToken<'a> = Slot<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(Received, Slot<'_>)> {
        let mut packets = Vec::new();
        self.end
            .receive(&mut packets, 1)
            .expect("a link does not fail");
        let bytes = packets
            .pop()?
            .to_vec()
            .expect("simulated memory is readable");
        Some((Received(bytes), Slot(self)))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Slot<'_>> {
        Some(Slot(self))
    }
}

/// A host that runs smoltcp, with one TCP socket.
pub struct SmolHost {
    interface: Interface,
    link: Link,
    wire: MemoryEnd,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
}

impl SmolHost {
    /// The host with the addresses 10.0.0.`number`/24 and, where the MTU allows it, fd00::`number`/64,
    /// whose socket has `buffer` bytes each way. With an odd `seed` it offers timestamps.
    ///
    /// # Panics
    ///
    /// Never: the link and the addresses are possible.
    pub fn new(number: u8, mtu: usize, buffer: usize, seed: u64) -> SmolHost {
        let config = MemoryConfig {
            queue: 1 << 16,
            ..MemoryConfig::symmetric(mtu, Offloads::default())
        };
        let (end, wire) = raw_pair(config).expect("no descriptor");
        let mut link = Link {
            end,
            mtu,
            ledger: Ledger::new(),
        };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut link, smoltcp::time::Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            let literal = [format!("10.0.0.{number}/24"), format!("fd00::{number}/64")];
            for address in literal.iter().take(if mtu < 1280 { 1 } else { 2 }) {
                let cidr: IpCidr = address.parse().expect("literal");
                addresses.push(cidr).expect("room for two");
            }
        });
        let ring = || tcp::SocketBuffer::new(vec![0; buffer]);
        let mut sockets = SocketSet::new(Vec::new());
        let mut socket = tcp::Socket::new(ring(), ring());
        if seed % 2 == 1 {
            socket.set_tsval_generator(Some(|| TIMESTAMP.get()));
        }
        let socket = sockets.add(socket);
        SmolHost {
            interface,
            link,
            wire,
            sockets,
            socket,
        }
    }

    /// The socket.
    pub fn tcp(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.socket)
    }

    /// Connects the socket.
    ///
    /// # Panics
    ///
    /// When it is in use.
    pub fn connect(&mut self, remote: std::net::SocketAddr, local_port: u16) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.socket);
        socket
            .connect(self.interface.context(), remote, local_port)
            .expect("a free socket");
    }

    /// Hands a packet to the host; it is looked at with the next [`poll`](Self::poll).
    ///
    /// # Panics
    ///
    /// When the link fails.
    pub fn receive(&mut self, packet: Packet) {
        let mut packets = VecDeque::from([packet]);
        self.wire
            .transmit(&mut packets)
            .expect("a link does not fail");
    }

    /// Lets smoltcp do all it can; returns what it sends.
    ///
    /// # Panics
    ///
    /// When the link fails.
    pub fn poll(&mut self, now: Instant) -> Vec<Packet> {
        let mut sent = Vec::new();
        TIMESTAMP.set(now.as_millis() as u32);
        let now = time(now);
        while self.interface.poll(now, &mut self.link, &mut self.sockets)
            != smoltcp::iface::PollResult::None
        {
            self.wire
                .receive(&mut sent, usize::MAX)
                .expect("a link does not fail");
        }
        self.wire
            .receive(&mut sent, usize::MAX)
            .expect("a link does not fail");
        sent
    }

    /// When [`poll`](Self::poll) has something to do next.
    pub fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        let at = self.interface.poll_at(time(now), &self.sockets)?;
        Some(Instant::from_micros(
            u64::try_from(at.total_micros()).unwrap_or(0),
        ))
    }
}

/// The same time on smoltcp's clock.
fn time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(now.as_micros() as i64)
}
