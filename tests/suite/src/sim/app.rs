//! Applications that move a known pattern both ways over one connection and check every byte.

use super::host::Host;
use super::invariants::Invariants;
use super::world::{World, WorldConfig};
use core::time::Duration;
use netstack_core::{
    AcceptError, How, Instant, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId,
};
use std::io::{IoSlice, IoSliceMut};
use txbuf::IovIter;

/// The byte at position `at` of the stream that `sender` sends.
pub fn pattern(sender: usize, at: u64) -> u8 {
    let x = (at ^ (sender as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x >> 56) as u8
}

/// One end of a transfer.
struct End {
    socket: Option<SocketId>,
    sent: u64,
    received: u64,
    finished: bool,
    ended: bool,
    invariants: Invariants,
}

/// A transfer of `size` bytes each way between the two hosts of a world, from the handshake to both
/// ends closed.
pub struct Transfer {
    size: u64,
    listener: SocketId,
    ends: [End; 2],
}

impl Transfer {
    /// Runs one transfer in a world of its own to its end, TIME-WAIT included, and returns the world as it is then.
    ///
    /// # Panics
    ///
    /// As [`run_in`](Transfer::run_in) does.
    pub fn run(config: &WorldConfig, v6: bool, size: u64) -> World {
        let mut world = World::new(config);
        Transfer::run_in(&mut world, v6, size);
        world
    }

    /// Runs one transfer to its end, TIME-WAIT included.
    ///
    /// # Panics
    ///
    /// When the transfer stalls or takes more than an hour, and as [`work`](Transfer::work) does.
    pub fn run_in(world: &mut World, v6: bool, size: u64) {
        let mut transfer = Transfer::start(world, v6, 7, size);
        let limit = world.now + Duration::from_secs(3600);
        loop {
            transfer.work(world);
            if !world.step() {
                break;
            }
            let seed = world.seed;
            assert!(world.now < limit, "seed {seed}: no end after an hour");
        }
        let (seed, now) = (world.seed, world.now);
        assert!(transfer.is_done(), "seed {seed}: stalled at {now:?}");
    }

    /// Opens the connection: host 1 listens on `port`, host 0 connects.
    pub fn start(world: &mut World, v6: bool, port: u16, size: u64) -> Transfer {
        let address = World::address(1, v6, port);
        let listener = world.hosts[1]
            .stack
            .tcp_listen(address, 16)
            .expect("a free port");
        let now = world.now;
        let client = world.hosts[0]
            .stack
            .tcp_connect(now, address, None)
            .expect("a route");
        let end = |socket| End {
            socket,
            sent: 0,
            received: 0,
            finished: false,
            ended: false,
            invariants: Invariants::default(),
        };
        Transfer {
            size,
            listener,
            ends: [end(Some(client)), end(None)],
        }
    }

    /// Lets both applications do what they can.
    ///
    /// # Panics
    ///
    /// When a byte is wrong, a connection fails, or the stream ends early.
    pub fn work(&mut self, world: &mut World) {
        let now = world.now;
        if self.ends[1].socket.is_none() && !self.ends[1].ended {
            match world.hosts[1].stack.tcp_accept(self.listener) {
                Ok((socket, _)) => {
                    self.ends[1].socket = Some(socket);
                    world.hosts[1].stack.close(now, self.listener);
                }
                Err(AcceptError::WouldBlock) => {}
                Err(error) => panic!("accept: {error}"),
            }
        }
        for side in 0..2 {
            self.ends[side].work(now, &mut world.hosts[side], side, self.size);
        }
    }

    /// Whether both ends have sent, received and closed everything.
    pub fn is_done(&self) -> bool {
        self.ends.iter().all(|end| end.ended)
    }
}

impl End {
    fn work(&mut self, now: Instant, host: &mut Host, side: usize, size: u64) {
        let Some(socket) = self.socket else { return };
        self.invariants.check(host, socket);
        self.send(host, socket, side, size);
        let end_seen = self.receive(host, socket, side);
        if end_seen && self.finished {
            assert_eq!(self.received, size, "host {side} received all");
            host.stack.close(now, socket);
            self.socket = None;
            self.ended = true;
        }
    }

    fn send(&mut self, host: &mut Host, socket: SocketId, side: usize, size: u64) {
        while self.sent < size {
            let len = (size - self.sent).min(10_000);
            let chunk: Vec<u8> = (self.sent..self.sent + len)
                .map(|at| pattern(side, at))
                .collect();
            let slices = [IoSlice::new(&chunk)];
            let mut from = IovIter::source(&slices);
            match host.stack.send_message(
                socket,
                &mut from,
                SendFlags::NONE,
                &SendControl::default(),
            ) {
                Ok(taken) => self.sent += taken as u64,
                Err(SendError::WouldBlock) => return,
                Err(error) => panic!("host {side} sends at {}: {error}", self.sent),
            }
        }
        if !self.finished {
            match host.stack.shutdown(socket, How::Write) {
                Ok(()) => self.finished = true,
                Err(error) => panic!("host {side} shuts down: {error}"),
            }
        }
    }

    /// Reads what is there; returns whether the stream is at its end.
    fn receive(&mut self, host: &mut Host, socket: SocketId, side: usize) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let mut into = IovIter::sink(&mut slices);
            match host
                .stack
                .receive_message(socket, &mut into, RecvFlags::NONE)
            {
                Ok(received) if received.bytes == 0 => return true,
                Ok(received) => {
                    for byte in &buffer[..received.bytes] {
                        assert_eq!(
                            *byte,
                            pattern(1 - side, self.received),
                            "byte {}",
                            self.received
                        );
                        self.received += 1;
                    }
                }
                Err(RecvError::WouldBlock) => return false,
                Err(error) => panic!("host {side} receives: {error}"),
            }
        }
    }
}
