//! The far end of one TCP connection, played by the test segment by segment.

use super::Lab;
use crate::calls;
use crate::wire::{ACK, FIN, PSH, SYN, Tcp, options};
use core::time::Duration;
use netstack_core::{RecvError, SocketId, TcpInfo, TcpState};
use std::net::SocketAddr;

/// What the SYN of the far end offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Over IPv6.
    pub v6: bool,
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale.
    pub scale: Option<u8>,
    /// Selective acknowledgement.
    pub sack: bool,
    /// The timestamp.
    pub timestamp: Option<u32>,
    /// The window field of every segment.
    pub window: u16,
    /// How long the answer to a SYN takes.
    pub rtt: Duration,
}

impl Default for Offer {
    fn default() -> Self {
        Offer {
            v6: false,
            mss: Some(1460),
            scale: None,
            sack: false,
            timestamp: None,
            window: 65_535,
            rtt: Duration::ZERO,
        }
    }
}

impl Offer {
    /// The options of the SYN.
    pub fn options(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.mss.map(options::mss).unwrap_or_default());
        bytes.extend(if self.sack {
            options::sack_permitted()
        } else {
            Vec::new()
        });
        bytes.extend(
            self.timestamp
                .map(|val| options::timestamps(val, 0))
                .unwrap_or_default(),
        );
        bytes.extend(self.scale.map(options::window_scale).unwrap_or_default());
        bytes
    }
}

/// The far end. Its own numbers are named as RFC 9293 names them.
pub struct Remote {
    /// The stack and the clock.
    pub lab: Lab,
    /// The stack's socket.
    pub socket: SocketId,
    /// The far end's address.
    pub local: SocketAddr,
    /// The stack's address.
    pub stack: SocketAddr,
    /// SND.NXT.
    pub nxt: u32,
    /// RCV.NXT: everything before was received.
    pub rcv: u32,
    /// What the window field says.
    pub window: u16,
    /// TSval and TSecr, where agreed.
    pub timestamps: Option<(u32, u32)>,
    /// The stack's ISS.
    pub irs: u32,
    /// The SYN, with or without an acknowledgement, of the stack.
    pub syn: Tcp,
}

/// The far end's initial sequence number.
const ISS: u32 = 0xffff_f000;
const REMOTE_PORT: u16 = 40_000;
const STACK_PORT: u16 = 80;

impl Remote {
    /// The far end connects to a listener of the stack; the connection is established and accepted.
    ///
    /// # Panics
    ///
    /// When the handshake goes wrong.
    pub fn connects(lab: Lab, offer: &Offer) -> Remote {
        Remote::connects_to(lab, offer, 16)
    }

    fn connects_to(mut lab: Lab, offer: &Offer, backlog: usize) -> Remote {
        let stack = SocketAddr::new(Lab::address(offer.v6), STACK_PORT);
        let local = SocketAddr::new(Lab::neighbour(offer.v6), REMOTE_PORT);
        let listener = lab
            .host
            .stack
            .tcp_listen(stack, backlog)
            .expect("a free port");
        let syn = Remote::syn(local, stack, offer);
        lab.inject(&syn.to_packet());
        let answer = only(&mut lab);
        assert_eq!(
            (answer.flags, answer.ack),
            (SYN | ACK, ISS.wrapping_add(1)),
            "{answer:?}"
        );
        let mut remote = Remote::of(lab, listener, offer, answer);
        remote.send(ACK, b"");
        let (socket, from) = remote
            .lab
            .host
            .stack
            .tcp_accept(listener)
            .expect("a connection");
        assert_eq!(from, local);
        remote.lab.host.stack.close(remote.lab.now, listener);
        remote.socket = socket;
        remote.sent();
        remote
    }

    /// The stack connects to the far end; the connection is established.
    ///
    /// # Panics
    ///
    /// When the handshake goes wrong.
    pub fn accepts(mut lab: Lab, offer: &Offer) -> Remote {
        let local = SocketAddr::new(Lab::neighbour(offer.v6), STACK_PORT);
        let socket = lab
            .host
            .stack
            .tcp_connect(lab.now, local, None)
            .expect("a route");
        let syn = only(&mut lab);
        assert_eq!(syn.flags, SYN, "{syn:?}");
        let mut remote = Remote::of(lab, socket, offer, syn);
        remote.nxt = ISS;
        let answer = Tcp {
            options: offer.options(),
            ..remote.segment(SYN | ACK, b"")
        };
        let echoed = remote.syn.timestamps().map_or(0, |(val, _)| val);
        let answer = match offer.timestamp {
            Some(val) => Tcp {
                options: with_timestamps(&answer.options, val, echoed),
                ..answer
            },
            None => answer,
        };
        remote.nxt = ISS.wrapping_add(1);
        remote.lab.pass(offer.rtt);
        remote.inject(&answer);
        let ack = remote.one();
        assert_eq!((ack.flags, ack.ack), (ACK, remote.nxt));
        remote
    }

    /// The SYN of a far end.
    pub fn syn(local: SocketAddr, stack: SocketAddr, offer: &Offer) -> Tcp {
        Tcp {
            src: local,
            dst: stack,
            seq: ISS,
            ack: 0,
            flags: SYN,
            window: offer.window,
            urgent: 0,
            options: offer.options(),
            payload: Vec::new(),
        }
    }

    /// The third segment of a handshake, with `payload`: what a client answers `syn_ack` with.
    pub fn third(syn_ack: &Tcp, payload: &[u8]) -> Tcp {
        let echo = |(val, ecr): (u32, u32)| options::timestamps(ecr.wrapping_add(1), val);
        Tcp {
            src: syn_ack.dst,
            dst: syn_ack.src,
            seq: syn_ack.ack,
            ack: syn_ack.seq.wrapping_add(1),
            flags: ACK | PSH,
            window: 1_000,
            urgent: 0,
            options: syn_ack.timestamps().map(echo).unwrap_or_default(),
            payload: payload.to_vec(),
        }
    }

    fn of(lab: Lab, socket: SocketId, offer: &Offer, syn: Tcp) -> Remote {
        let echoed = syn.timestamps().map_or(0, |(val, _)| val);
        Remote {
            lab,
            socket,
            local: syn.dst,
            stack: syn.src,
            nxt: ISS.wrapping_add(1),
            rcv: syn.seq.wrapping_add(1),
            window: offer.window,
            timestamps: offer.timestamp.map(|val| (val, echoed)),
            irs: syn.seq,
            syn,
        }
    }

    /// The segment that the far end would send now, with `flags` and `payload`.
    pub fn segment(&self, flags: u8, payload: &[u8]) -> Tcp {
        Tcp {
            src: self.local,
            dst: self.stack,
            seq: self.nxt,
            ack: self.rcv,
            flags,
            window: self.window,
            urgent: 0,
            options: self
                .timestamps
                .map(|(val, ecr)| options::timestamps(val, ecr))
                .unwrap_or_default(),
            payload: payload.to_vec(),
        }
    }

    /// Sends that segment.
    pub fn send(&mut self, flags: u8, payload: &[u8]) {
        let segment = self.segment(flags, payload);
        self.nxt = segment.end();
        self.inject(&segment);
    }

    /// Sends any segment.
    pub fn inject(&mut self, segment: &Tcp) {
        self.lab.inject(&segment.to_packet());
    }

    /// Acknowledges everything up to the end of `segment`.
    pub fn acknowledge(&mut self, segment: &Tcp) {
        self.rcv = segment.end();
        self.send(ACK, b"");
    }

    /// What the stack sends now.
    ///
    /// # Panics
    ///
    /// When it sends anything but TCP.
    pub fn sent(&mut self) -> Vec<Tcp> {
        self.lab
            .sent()
            .iter()
            .map(|packet| Tcp::parse(packet).expect("TCP"))
            .collect()
    }

    /// The one segment that the stack sends now.
    ///
    /// # Panics
    ///
    /// When it sends none or several.
    #[track_caller]
    pub fn one(&mut self) -> Tcp {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:#?}");
        sent.remove(0)
    }

    /// The stack sends nothing now.
    ///
    /// # Panics
    ///
    /// When it does.
    #[track_caller]
    pub fn nothing(&mut self) {
        let sent = self.sent();
        assert!(sent.is_empty(), "{sent:#?}");
    }

    /// Lets `time` pass; returns what the stack sends by itself, and how long after now.
    ///
    /// # Panics
    ///
    /// When it sends anything but TCP.
    pub fn pass(&mut self, time: Duration) -> Vec<(Duration, Tcp)> {
        let sent = self.lab.pass(time).into_iter();
        sent.map(|(at, packet)| (at, Tcp::parse(&packet).expect("TCP")))
            .collect()
    }

    /// The application writes; all of it must find room.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn write(&mut self, data: &[u8]) {
        let taken = calls::write(&mut self.lab.host.stack, self.socket, data).expect("room");
        assert_eq!(taken, data.len());
    }

    /// The application reads what is there; `None` at the end of the stream.
    ///
    /// # Panics
    ///
    /// When the connection failed.
    pub fn read(&mut self) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        loop {
            match calls::read(&mut self.lab.host.stack, self.socket, 1 << 16) {
                Ok(bytes) if bytes.is_empty() => return (!read.is_empty()).then_some(read),
                Ok(bytes) => read.extend(bytes),
                Err(RecvError::WouldBlock) => return Some(read),
                Err(error) => panic!("read: {error}"),
            }
        }
    }

    /// What the stack says about the connection.
    ///
    /// # Panics
    ///
    /// When the application has closed it.
    pub fn info(&self) -> TcpInfo {
        self.lab
            .host
            .stack
            .tcp_info(self.socket)
            .expect("a connection")
    }

    /// The state of the connection.
    ///
    /// # Panics
    ///
    /// As [`info`](Self::info).
    pub fn state(&self) -> TcpState {
        self.info().state
    }

    /// The connections that the stack has, closed by their applications or not.
    pub fn connections(&self) -> usize {
        self.lab.host.stack.tcp_connections().count()
    }

    /// Closes the connection from both ends and waits until it is forgotten; then no storage is left.
    ///
    /// # Panics
    ///
    /// When it does not end as it should.
    #[track_caller]
    pub fn finish(mut self) {
        self.read();
        self.lab.host.stack.close(self.lab.now, self.socket);
        if let Some(last) = self.sent().pop() {
            self.rcv = last.end();
        }
        self.send(FIN | ACK, b"");
        self.pass(Duration::from_secs(61));
        assert_eq!(self.connections(), 0);
        assert_eq!(self.lab.host.live_nodes(), 0);
        assert_eq!(self.lab.held(), 0);
    }
}

/// The one segment that the stack sends now.
#[track_caller]
fn only(lab: &mut Lab) -> Tcp {
    let sent = lab.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    Tcp::parse(&sent[0]).expect("TCP")
}

/// `options` with the timestamps replaced.
fn with_timestamps(old: &[u8], val: u32, ecr: u32) -> Vec<u8> {
    let stale = options::timestamps(val, 0);
    let at = old
        .windows(stale.len())
        .position(|window| window == stale)
        .expect("timestamps");
    let mut new = old.to_vec();
    new[at..at + stale.len()].copy_from_slice(&options::timestamps(val, ecr));
    new
}
