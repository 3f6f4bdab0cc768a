//! The two hosts of a measurement: one sends without end, the other reads and checks.

use super::{Contender, MTU};
use crate::calls;
use crate::peer::SmolHost;
use crate::sim::{Host, Invariants, World, WorldConfig, pattern};
use core::time::Duration;
use netstack_core::{Congestion, Ecn, Instant, RecvError, SendError, SocketId, TcpConfig, TcpInfo};
use smoltcp::socket::tcp;
use txbuf::Packet;

const PORT: u16 = 7;
/// The stream repeats after so many bytes.
const PERIOD: usize = 1 << 16;

/// The stream that every sender sends.
struct Stream {
    /// The period twice, so that any part of it is a slice.
    bytes: Vec<u8>,
    at: u64,
}

impl Stream {
    fn new() -> Stream {
        let bytes = (0..2 * PERIOD).map(|at| pattern(0, (at % PERIOD) as u64));
        Stream {
            bytes: bytes.collect(),
            at: 0,
        }
    }

    /// What comes next, up to a period.
    fn next(&self) -> &[u8] {
        let from = (self.at % PERIOD as u64) as usize;
        &self.bytes[from..from + PERIOD]
    }

    fn check(&mut self, received: &[u8]) {
        for part in received.chunks(PERIOD) {
            assert!(
                part == &self.next()[..part.len()],
                "after {} bytes",
                self.at
            );
            self.at += part.len() as u64;
        }
    }
}

/// One host.
pub(super) struct End {
    host: HostKind,
    sends: bool,
    stream: Stream,
}

enum HostKind {
    Ours(Box<Ours>),
    Smoltcp(Box<SmolHost>),
}

struct Ours {
    host: Host,
    listener: Option<SocketId>,
    socket: Option<SocketId>,
    invariants: Invariants,
}

impl End {
    /// The sender, which connects, and the receiver.
    pub(super) fn pair(contender: Contender, buffer: usize, seed: u64) -> [End; 2] {
        [true, false].map(|sends| End {
            host: match contender {
                Contender::Ours(algorithm) => {
                    HostKind::Ours(Box::new(Ours::new(sends, algorithm, buffer, seed)))
                }
                Contender::Smoltcp(algorithm) => {
                    HostKind::Smoltcp(Box::new(smoltcp(sends, algorithm, buffer, seed)))
                }
            },
            sends,
            stream: Stream::new(),
        })
    }

    /// What this stack's connection knows.
    pub(super) fn info(&self) -> Option<TcpInfo> {
        match &self.host {
            HostKind::Ours(ours) => ours.host.stack.tcp_info(ours.socket?).ok(),
            HostKind::Smoltcp(_) => None,
        }
    }

    /// Bytes that the application has read, or written.
    pub(super) fn received(&self) -> u64 {
        self.stream.at
    }

    /// Lets the application do what it can.
    pub(super) fn work(&mut self) {
        match &mut self.host {
            HostKind::Ours(ours) => ours.work(self.sends, &mut self.stream),
            HostKind::Smoltcp(host) => work_smoltcp(host, self.sends, &mut self.stream),
        }
    }

    /// What the host sends now.
    pub(super) fn sent(&mut self, now: Instant) -> Vec<Packet> {
        match &mut self.host {
            HostKind::Ours(ours) => {
                ours.host.pass_time(now);
                let sent = ours.host.sent(now);
                let info = ours.socket.map(|socket| ours.host.stack.tcp_info(socket));
                if let Some(Ok(info)) = info {
                    ours.invariants.check(&info);
                }
                sent
            }
            HostKind::Smoltcp(host) => host.poll(now),
        }
    }

    /// When the host has something to do next.
    pub(super) fn next(&mut self, now: Instant) -> Option<Instant> {
        match &mut self.host {
            HostKind::Ours(ours) => ours.host.stack.poll_timeout(),
            // smoltcp may say that it has something to do now that it has just left undone.
            HostKind::Smoltcp(host) => host
                .poll_at(now)
                .map(|at| at.max(now + Duration::from_millis(1))),
        }
    }

    /// Hands a packet to the host.
    pub(super) fn receive(&mut self, now: Instant, packet: Packet) {
        match &mut self.host {
            HostKind::Ours(ours) => ours.host.receive(now, packet),
            HostKind::Smoltcp(host) => host.receive(packet),
        }
    }
}

impl Ours {
    fn new(sends: bool, algorithm: Congestion, buffer: usize, seed: u64) -> Ours {
        let mut tcp = TcpConfig::default();
        tcp.congestion = algorithm;
        tcp.ecn = Ecn::Offer;
        tcp.send_buffer = buffer;
        tcp.receive_buffer = buffer;
        let config = WorldConfig {
            seed,
            mtu: MTU,
            tcp,
            ..WorldConfig::default()
        };
        let number = if sends { 1 } else { 2 };
        let mut host = Host::new(number, &config);
        let address = World::address(1, false, PORT);
        let (mut listener, mut socket) = (None, None);
        if sends {
            let connected = host.stack.tcp_connect(Instant::ZERO, address, None);
            socket = Some(connected.expect("a route"));
        } else {
            listener = Some(host.stack.tcp_listen(address, 1).expect("a free port"));
        }
        Ours {
            host,
            listener,
            socket,
            invariants: Invariants::default(),
        }
    }

    fn work(&mut self, sends: bool, stream: &mut Stream) {
        if let (Some(listener), None) = (self.listener, self.socket) {
            let accepted = self.host.stack.tcp_accept(listener);
            self.socket = accepted.ok().map(|(socket, _)| socket);
        }
        match self.socket {
            Some(socket) if sends => self.write(socket, stream),
            Some(socket) => self.read(socket, stream),
            None => {}
        }
    }

    fn write(&mut self, socket: SocketId, stream: &mut Stream) {
        loop {
            match calls::write(&mut self.host.stack, socket, stream.next()) {
                Ok(taken) => stream.at += taken as u64,
                Err(SendError::WouldBlock) => return,
                Err(error) => panic!("send: {error}"),
            }
        }
    }

    fn read(&mut self, socket: SocketId, stream: &mut Stream) {
        loop {
            match calls::read(&mut self.host.stack, socket, PERIOD) {
                Ok(bytes) => stream.check(&bytes),
                Err(RecvError::WouldBlock) => return,
                Err(error) => panic!("receive: {error}"),
            }
        }
    }
}

fn smoltcp(sends: bool, algorithm: Congestion, buffer: usize, seed: u64) -> SmolHost {
    let number = if sends { 1 } else { 2 };
    // Odd seeds have timestamps, as this stack has by default.
    let mut host = SmolHost::new(number, MTU, buffer, seed | 1);
    let control = match algorithm {
        Congestion::Cubic => tcp::CongestionControl::Cubic,
        _ => tcp::CongestionControl::Reno,
    };
    host.tcp().set_congestion_control(control);
    if sends {
        host.connect(World::address(1, false, PORT), 40_000);
    } else {
        host.tcp().listen(PORT).expect("a free socket");
    }
    host
}

fn work_smoltcp(host: &mut SmolHost, sends: bool, stream: &mut Stream) {
    let socket = host.tcp();
    while sends && socket.can_send() {
        let taken = socket.send_slice(stream.next()).expect("it can send");
        stream.at += taken as u64;
    }
    while !sends && socket.can_recv() {
        let received = socket.recv(|bytes| {
            stream.check(bytes);
            (bytes.len(), ())
        });
        received.expect("it can receive");
    }
}
