//! Applications that move a known pattern both ways over one connection and check every byte.

use super::host::Host;
use super::invariants::Invariants;
use super::pace::Turns;
use super::plan::{Finish, Habits, Plan};
use super::progress::Progress;
use super::world::{World, WorldConfig};
use crate::calls;
use core::time::Duration;
use netstack_core::{
    AcceptError, How, Instant, RecvError, RecvFlags, SendError, SocketId, SocketOption,
};
use std::io::IoSliceMut;
use txbuf::IovIter;

/// The most bytes that are offered, and that are asked for, at a time.
const OFFERED: u64 = 10_000;
const ASKED: usize = 16 << 10;

/// The byte at position `at` of the stream that `sender` sends.
pub fn pattern(sender: usize, at: u64) -> u8 {
    let x = (at ^ (sender as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x >> 56) as u8
}

/// A transfer between the two hosts of a world, from the handshake to both ends closed.
pub struct Transfer {
    plan: Plan,
    listener: Option<SocketId>,
    ends: [End; 2],
}

impl Transfer {
    /// Runs one transfer of `size` bytes each way in a world of its own to its end, TIME-WAIT included, and returns the
    /// world as it is then.
    ///
    /// # Panics
    ///
    /// As [`run_all`](Transfer::run_all) does.
    pub fn run(config: &WorldConfig, v6: bool, size: u64) -> World {
        let mut world = World::new(config);
        Transfer::run_in(&mut world, v6, size);
        world
    }

    /// Runs one transfer to its end, TIME-WAIT included.
    ///
    /// # Panics
    ///
    /// As [`run_all`](Transfer::run_all) does.
    pub fn run_in(world: &mut World, v6: bool, size: u64) {
        Transfer::run_all(world, [Plan::plain(v6, 7, size)]);
    }

    /// Runs transfers to the end of all, TIME-WAIT included.
    ///
    /// # Panics
    ///
    /// When one stalls or all take more than an hour, and as [`work`](Transfer::work) does.
    pub fn run_all(world: &mut World, plans: impl IntoIterator<Item = Plan>) {
        let seed = world.seed;
        let planned = plans.into_iter().map(|plan| Transfer::new(plan, seed));
        let mut transfers: Vec<Transfer> = planned.collect();
        let limit = world.now + Duration::from_secs(3600);
        loop {
            for transfer in &mut transfers {
                transfer.work(world);
            }
            let wakes = transfers.iter().map(|transfer| transfer.wakes(world.now));
            let wakes = wakes.min().unwrap_or(Instant::FAR_FUTURE);
            if !world.step_until(wakes) {
                break;
            }
            assert!(world.now < limit, "seed {seed}: no end after an hour");
        }
        for transfer in transfers {
            let (done, plan) = (transfer.is_done(), transfer.plan);
            assert!(done, "seed {seed}: stalled at {:?}: {plan:#?}", world.now);
        }
    }

    /// Opens a connection for `size` bytes each way: host 1 listens on `port`, host 0 connects.
    pub fn start(world: &mut World, v6: bool, port: u16, size: u64) -> Transfer {
        let mut transfer = Transfer::new(Plan::plain(v6, port, size), world.seed);
        transfer.open(world);
        transfer
    }

    fn new(plan: Plan, seed: u64) -> Transfer {
        let ends = [0, 1].map(|side| End::new(&plan, side, seed));
        Transfer {
            plan,
            listener: None,
            ends,
        }
    }

    fn open(&mut self, world: &mut World) {
        let (opener, now) = (self.plan.opener, world.now);
        let address = World::address(1 - opener, self.plan.v6, self.plan.port);
        let listening = &mut world.hosts[1 - opener].stack;
        self.listener = Some(listening.tcp_listen(address, 16).expect("a free port"));
        let host = &mut world.hosts[opener];
        let client = host.stack.tcp_connect(now, address, None);
        self.ends[opener].take(now, host, client.expect("a route"));
    }

    /// Lets both applications do what they can.
    ///
    /// # Panics
    ///
    /// When a byte is wrong, a connection fails, or the stream ends early; and when the connection does what it must
    /// not, or fails to do what it must.
    pub fn work(&mut self, world: &mut World) {
        let now = world.now;
        let passive = 1 - self.plan.opener;
        match self.listener {
            None if now < Instant::ZERO + self.plan.after => return,
            None => self.open(world),
            Some(listener) if self.ends[passive].is_awaited() => {
                let host = &mut world.hosts[passive];
                match host.stack.tcp_accept(listener) {
                    Ok((socket, _)) => {
                        self.ends[passive].take(now, host, socket);
                        host.stack.close(now, listener);
                    }
                    Err(AcceptError::WouldBlock) => {}
                    Err(error) => panic!("accept: {error}"),
                }
            }
            Some(_) => {}
        }
        for (end, host) in self.ends.iter_mut().zip(&mut world.hosts) {
            end.work(now, host);
        }
    }

    /// When an application does something though nothing has happened.
    fn wakes(&self, now: Instant) -> Instant {
        if self.listener.is_none() {
            return Instant::ZERO + self.plan.after;
        }
        let wakes = self.ends.iter().flat_map(End::wakes);
        let later = wakes.filter(|at| *at > now);
        later.min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Whether both ends have sent, received and closed everything.
    pub fn is_done(&self) -> bool {
        self.ends.iter().all(|end| end.ended)
    }
}

/// One end of a transfer.
struct End {
    /// The host, the stream that it sends, that which it receives, and how long the latter is.
    side: usize,
    sends: usize,
    receives: usize,
    expected: u64,
    habits: Habits,
    writes: Turns,
    reads: Turns,
    socket: Option<SocketId>,
    /// Since when it has it.
    since: Instant,
    sent: u64,
    /// What comes next of the stream, as far as it was offered already.
    offered: Vec<u8>,
    received: u64,
    /// When everything is sent that will be, and when the half is shut down then.
    finishes: Option<Instant>,
    finished: bool,
    ended: bool,
    invariants: Invariants,
    progress: Progress,
}

impl End {
    fn new(plan: &Plan, side: usize, seed: u64) -> End {
        let habits = plan.ends[side].clone();
        let stream = 2 * plan.number;
        let turns = |pace, number: usize| {
            let number = 4 * (stream + side) + number;
            Turns::new(pace, seed ^ (number as u64 + 1) << 48)
        };
        End {
            side,
            sends: stream + side,
            receives: stream + 1 - side,
            expected: plan.ends[1 - side].size,
            writes: turns(habits.writes, 0),
            reads: turns(habits.reads, 1),
            habits,
            socket: None,
            since: Instant::ZERO,
            sent: 0,
            offered: Vec::new(),
            received: 0,
            finishes: None,
            finished: false,
            ended: false,
            invariants: Invariants::default(),
            progress: Progress::default(),
        }
    }

    /// Whether the connection that was asked for is not there yet.
    fn is_awaited(&self) -> bool {
        self.socket.is_none() && !self.ended
    }

    /// The connection is there.
    fn take(&mut self, now: Instant, host: &mut Host, socket: SocketId) {
        self.look(now, host, socket);
        for option in &self.habits.options {
            let set = host.stack.set_option(now, socket, *option);
            set.expect("an option of connections");
        }
        self.socket = Some(socket);
        self.since = now;
    }

    /// Sets what it is time to set.
    fn change(&mut self, now: Instant, host: &mut Host, socket: SocketId) {
        let since = self.since;
        let due = |(after, _): &&(Duration, SocketOption)| since + *after <= now;
        let due = self.habits.later.iter().take_while(due).count();
        for (_, option) in self.habits.later.drain(..due) {
            let set = host.stack.set_option(now, socket, option);
            set.expect("an option of connections");
        }
    }

    fn work(&mut self, now: Instant, host: &mut Host) {
        let Some(socket) = self.socket else { return };
        self.look(now, host, socket);
        self.change(now, host, socket);
        self.send(now, host, socket);
        self.finish(now, host, socket);
        let end_seen = self.receive(now, host, socket);
        self.finish(now, host, socket);
        if end_seen && self.finished {
            assert_eq!(
                self.received, self.expected,
                "host {} received all",
                self.side
            );
            host.stack.close(now, socket);
            self.socket = None;
            self.ended = true;
        }
    }

    fn look(&mut self, now: Instant, host: &Host, socket: SocketId) {
        if let Ok(info) = host.stack.tcp_info(socket) {
            self.invariants.check(&info);
            self.progress.check(now, &info);
        }
    }

    fn send(&mut self, now: Instant, host: &mut Host, socket: SocketId) {
        loop {
            let len = (self.habits.size - self.sent).min(OFFERED);
            let len = len.min(self.writes.allowed(now));
            if len == 0 {
                return;
            }
            let known = self.offered.len() as u64;
            let more = (self.sent + known..self.sent + len).map(|at| pattern(self.sends, at));
            self.offered.extend(more);
            match calls::write(&mut host.stack, socket, &self.offered[..len as usize]) {
                Ok(taken) => {
                    self.offered.drain(..taken);
                    self.sent += taken as u64;
                    self.writes.took(now, taken as u64);
                }
                Err(SendError::WouldBlock) => return,
                Err(error) => panic!("host {} sends at {}: {error}", self.side, self.sent),
            }
        }
    }

    /// Shuts down the half that sends, if it is time.
    fn finish(&mut self, now: Instant, host: &mut Host, socket: SocketId) {
        let connecting = || host.stack.readiness(socket).is_ok_and(|can| can.connecting);
        if self.finished || self.sent < self.habits.size || connecting() {
            return;
        }
        let due = match self.habits.finishes {
            Finish::AtOnce => true,
            Finish::After(time) => *self.finishes.get_or_insert(now + time) <= now,
            Finish::WhenRead => self.received == self.expected,
        };
        if due {
            match host.stack.shutdown(socket, How::Write) {
                Ok(()) => self.finished = true,
                Err(error) => panic!("host {} shuts down: {error}", self.side),
            }
        }
    }

    /// Reads what is there and may be read; returns whether the stream is at its end.
    fn receive(&mut self, now: Instant, host: &mut Host, socket: SocketId) -> bool {
        let mut buffer = [0; ASKED];
        loop {
            let most = self.reads.allowed(now).min(ASKED as u64) as usize;
            if most == 0 {
                return false;
            }
            let mut slices = [IoSliceMut::new(&mut buffer[..most])];
            let mut into = IovIter::sink(&mut slices);
            match host
                .stack
                .receive_message(socket, &mut into, RecvFlags::NONE)
            {
                Ok(received) if received.bytes == 0 => return true,
                Ok(received) => {
                    self.compare(&buffer[..received.bytes]);
                    self.reads.took(now, received.bytes as u64);
                }
                Err(RecvError::WouldBlock) => return false,
                Err(error) => panic!("host {} receives: {error}", self.side),
            }
        }
    }

    fn compare(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let expected = pattern(self.receives, self.received);
            assert_eq!(*byte, expected, "byte {}", self.received);
            self.received += 1;
        }
    }

    /// When it does something of its own.
    fn wakes(&self) -> impl Iterator<Item = Instant> {
        let turns = [self.writes.resumes(), self.reads.resumes()];
        let open = self.socket.is_some();
        let changes = self
            .habits
            .later
            .first()
            .map(|(after, _)| self.since + *after);
        let own = turns.into_iter().chain(self.finishes).chain(changes);
        own.filter(move |_| open)
    }
}
