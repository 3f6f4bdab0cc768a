//! Applications on both ends of one connection between our stack and smoltcp.

use super::world::PeerWorld;
use crate::calls;
use crate::sim::pattern;
use core::time::Duration;
use netstack_core::{AcceptError, ConnectionError, How, Instant, RecvError, SendError, SocketId};
use smoltcp::socket::tcp;

/// What our end does first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ours connects, smoltcp listens.
    Connects,
    /// smoltcp connects, ours listens.
    Listens,
}

/// When an end closes its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// After it has written all it has to send.
    AfterSending,
    /// After that, and after the other side was closed.
    AfterPeer,
    /// After that, and after it has received all that the other side sends.
    AfterReceiving,
    /// It resets the connection once it has received so many bytes.
    Abort(u64),
}

/// What one end does.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Bytes it sends.
    pub sends: u64,
    /// Nothing is read before.
    pub reads_from: Instant,
    /// When it closes its side.
    pub close: Close,
}

impl End {
    /// Sends `bytes`, reads at once and closes after sending.
    pub fn sending(bytes: u64) -> End {
        End {
            sends: bytes,
            reads_from: Instant::ZERO,
            close: Close::AfterSending,
        }
    }

    /// Closes at another time.
    #[must_use]
    pub fn closing(self, close: Close) -> End {
        End { close, ..self }
    }

    /// Does not read before `time` has passed.
    #[must_use]
    pub fn reading_after(self, time: Duration) -> End {
        End {
            reads_from: Instant::ZERO + time,
            ..self
        }
    }
}

/// How far one end is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    sent: u64,
    received: u64,
    closed: bool,
    end_seen: bool,
    done: bool,
}

impl Progress {
    fn closes_now(&self, end: &End, other: &End) -> bool {
        !self.closed
            && self.sent == end.sends
            && match end.close {
                Close::AfterSending => true,
                Close::AfterPeer => self.end_seen,
                Close::AfterReceiving => self.received == other.sends,
                Close::Abort(_) => false,
            }
    }

    fn check(&mut self, side: usize, bytes: &[u8]) {
        for byte in bytes {
            assert_eq!(
                *byte,
                pattern(1 - side, self.received),
                "end {side}, byte {}",
                self.received
            );
            self.received += 1;
        }
    }
}

/// The applications of one connection: end 0 is ours, end 1 smoltcp's. Every byte is checked.
pub struct Exchange {
    ends: [End; 2],
    progress: [Progress; 2],
    listener: Option<SocketId>,
    socket: Option<SocketId>,
}

const PORT: u16 = 7;

impl Exchange {
    /// Opens the connection.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    pub fn start(world: &mut PeerWorld, v6: bool, role: Role, ends: [End; 2]) -> Exchange {
        let (mut listener, mut socket) = (None, None);
        match role {
            Role::Connects => {
                world.smol.tcp().listen(PORT).expect("a free socket");
                let remote = PeerWorld::address(1, v6, PORT);
                socket = Some(
                    world
                        .ours
                        .stack
                        .tcp_connect(world.now, remote, None)
                        .expect("a route"),
                );
            }
            Role::Listens => {
                let local = PeerWorld::address(0, v6, PORT);
                listener = Some(world.ours.stack.tcp_listen(local, 4).expect("a free port"));
                world.smol.connect(local, 50_000);
            }
        }
        Exchange {
            ends,
            progress: Default::default(),
            listener,
            socket,
        }
    }

    /// Runs the world until nothing more happens in it.
    ///
    /// # Panics
    ///
    /// When a byte is wrong, a connection fails that should not, or an hour was not enough.
    pub fn run(&mut self, world: &mut PeerWorld) {
        loop {
            self.work(world);
            let starts = self
                .ends
                .iter()
                .map(|end| end.reads_from)
                .filter(|at| *at > world.now);
            let limit = starts.min().unwrap_or(Instant::FAR_FUTURE);
            if !world.step_until(limit) {
                // What smoltcp received last, its application has not seen yet.
                self.work(world);
                break;
            }
            assert!(
                world.now < Instant::from_secs(3600),
                "no end: {:?}",
                self.progress
            );
        }
        assert!(
            self.progress.iter().all(|end| end.done),
            "stalled at {:?}: {:?}",
            world.now,
            self.progress
        );
    }

    /// Lets both applications do what they can.
    fn work(&mut self, world: &mut PeerWorld) {
        if let Some(listener) = self.listener {
            match world.ours.stack.tcp_accept(listener) {
                Ok((socket, _)) => {
                    self.socket = Some(socket);
                    world.ours.stack.close(world.now, listener);
                    self.listener = None;
                }
                Err(AcceptError::WouldBlock) => {}
                Err(error) => panic!("accept: {error}"),
            }
        }
        if let Some(socket) = self.socket {
            self.work_ours(world, socket);
        }
        if !self.progress[1].done {
            self.work_smol(world);
        }
    }

    fn work_ours(&mut self, world: &mut PeerWorld, socket: SocketId) {
        let (end, other) = (self.ends[0], self.ends[1]);
        let now = world.now;
        let stack = &mut world.ours.stack;
        let progress = &mut self.progress[0];
        let reset_expected = matches!(other.close, Close::Abort(_));
        let mut reset = false;
        while progress.sent < end.sends {
            let chunk = chunk(0, progress.sent, end.sends);
            match calls::write(stack, socket, &chunk) {
                Ok(taken) => progress.sent += taken as u64,
                Err(SendError::WouldBlock) => break,
                Err(SendError::Connection(ConnectionError::Reset) | SendError::Closed)
                    if reset_expected =>
                {
                    reset = true;
                    break;
                }
                Err(error) => panic!("ours sends: {error}"),
            }
        }
        while now >= end.reads_from && !progress.end_seen && !reset {
            match calls::read(stack, socket, 10_000) {
                Ok(bytes) if bytes.is_empty() => progress.end_seen = true,
                Ok(bytes) => progress.check(0, &bytes),
                Err(RecvError::WouldBlock) => break,
                Err(RecvError::Connection(ConnectionError::Reset)) if reset_expected => {
                    reset = true
                }
                Err(error) => panic!("ours receives: {error}"),
            }
        }
        if let Close::Abort(after) = end.close
            && progress.received >= after
        {
            stack.abort(now, socket);
            progress.done = true;
        } else if reset {
            stack.close(now, socket);
            progress.done = true;
        } else if progress.closes_now(&end, &other) && stack.shutdown(socket, How::Write).is_ok() {
            progress.closed = true;
        }
        if progress.closed && progress.end_seen {
            assert_eq!(progress.received, other.sends, "ours received all");
            stack.close(now, socket);
            progress.done = true;
        }
        if progress.done {
            self.socket = None;
        }
    }

    fn work_smol(&mut self, world: &mut PeerWorld) {
        let (end, other) = (self.ends[1], self.ends[0]);
        let now = world.now;
        let socket = world.smol.tcp();
        let progress = &mut self.progress[1];
        let opening = [
            tcp::State::Listen,
            tcp::State::SynSent,
            tcp::State::SynReceived,
        ];
        if opening.contains(&socket.state()) {
            return;
        }
        if socket.state() == tcp::State::Closed && matches!(other.close, Close::Abort(_)) {
            progress.done = true;
            return;
        }
        while progress.sent < end.sends && socket.can_send() {
            let chunk = chunk(1, progress.sent, end.sends);
            progress.sent += socket.send_slice(&chunk).expect("it can send") as u64;
        }
        while now >= end.reads_from && socket.can_recv() {
            let mut buffer = [0; 10_000];
            let n = socket.recv_slice(&mut buffer).expect("it can receive");
            progress.check(1, &buffer[..n]);
        }
        if now >= end.reads_from && !socket.may_recv() {
            progress.end_seen = true;
        }
        if let Close::Abort(after) = end.close
            && progress.received >= after
        {
            socket.abort();
            progress.done = true;
        } else if progress.closes_now(&end, &other) {
            socket.close();
            progress.closed = true;
        }
        if progress.closed && progress.end_seen {
            assert_eq!(progress.received, other.sends, "smoltcp received all");
            progress.done = true;
        }
    }
}

fn chunk(side: usize, from: u64, until: u64) -> Vec<u8> {
    (from..until.min(from + 10_000))
        .map(|at| pattern(side, at))
        .collect()
}
