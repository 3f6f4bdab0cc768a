//! A stack of a C program, with its descriptors, its clock, and those that wait for it.

use netstack_core::{Config, Instant, Stack};
use netstack_sockets::{Errno, Sockets};
use runtime::{Afterwards, Driven};

use crate::hearers::Hearers;
use crate::opts::Opts;
use crate::wire::Wire;

/// Deadlines that are looked at in one call; what is left after so many comes with the next.
const DEADLINES: usize = 1 << 20;

/// A stack of a C program.
pub(crate) struct Instance {
    pub(crate) sockets: Sockets,
    pub(crate) now: Instant,
    pub(crate) hearers: Hearers,
    /// Its packets, if the program has them; otherwise the stack runs by itself.
    wire: Option<Wire>,
}

impl Instance {
    /// A stack whose packets and whose time are the program's.
    pub(crate) fn new(opts: &Opts) -> Result<Instance, Errno> {
        let mut stack = Stack::new(Config::new(opts.seed()));
        let wire = Wire::new(&mut stack, opts)?;
        Ok(Instance {
            wire: Some(wire),
            ..Instance::attached(stack)
        })
    }

    /// A stack that runs by itself.
    pub(crate) fn attached(stack: Stack) -> Instance {
        Instance {
            sockets: Sockets::new(stack),
            now: Instant::ZERO,
            hearers: Hearers::default(),
            wire: None,
        }
    }

    /// Flags of a new socket: without a thread of its own nothing ever waits here.
    pub(crate) fn socket_flags(&self) -> i32 {
        match self.wire {
            Some(_) => libc::SOCK_NONBLOCK,
            None => 0,
        }
    }

    /// Whether a call waits that has to.
    pub(crate) fn waits(&self, fd: i32) -> Result<bool, Errno> {
        Ok(self.is_attached() && !self.sockets.is_nonblocking(fd)?)
    }

    /// Whether somebody runs the stack while a call waits.
    pub(crate) fn is_attached(&self) -> bool {
        self.wire.is_none()
    }

    /// Whether an error waits to be told, which the next call takes: one that has done a part of its work leaves it there.
    pub(crate) fn has_failed(&self, fd: i32) -> bool {
        let stack = self.sockets.stack();
        let id = self.sockets.handle(fd).ok().flatten();
        id.and_then(|id| stack.readiness(id).ok())
            .is_some_and(|ready| ready.error)
    }

    /// Closes a descriptor, of which those hear that wait for it.
    pub(crate) fn close(&mut self, fd: i32) -> Result<(), Errno> {
        self.sockets.close(self.now, fd)?;
        self.hearers.close(fd);
        Ok(())
    }

    /// Passes on what happened; says whether anything did.
    pub(crate) fn settle(&mut self) -> bool {
        self.hearers.settle(&mut self.sockets)
    }

    /// Takes a packet in, copying it.
    pub(crate) fn input(&mut self, packet: &[u8]) -> Result<(), Errno> {
        let wire = self.wire.as_mut().ok_or(Errno::EOPNOTSUPP)?;
        wire.input(self.sockets.stack_mut(), self.now, packet)
    }

    /// Copies the next packet into `into`; its length, or 0 when there is none.
    pub(crate) fn output(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        let wire = self.wire.as_mut().ok_or(Errno::EOPNOTSUPP)?;
        wire.output(self.sockets.stack_mut(), self.now, into)
    }

    /// When something is due, in microseconds; `u64::MAX` when nothing is, for the program.
    pub(crate) fn poll_at(&self) -> u64 {
        let at = self.sockets.stack().poll_timeout();
        at.filter(|_| self.wire.is_some()).map_or(u64::MAX, |at| {
            at.as_nanos()
                .div_ceil(1000)
                .max(self.now.as_micros().saturating_add(1))
        })
    }

    /// Sets the clock and does what is due.
    pub(crate) fn run(&mut self, now_us: u64) -> Result<(), Errno> {
        if self.wire.is_none() {
            return Err(Errno::EOPNOTSUPP);
        }
        let nanos = now_us.checked_mul(1000).ok_or(Errno::EINVAL)?;
        let now = Instant::from_nanos(nanos);
        if now < self.now {
            return Err(Errno::EINVAL);
        }
        self.now = now;
        let stack = self.sockets.stack_mut();
        stack.handle_timeout(now);
        for _ in 0..DEADLINES {
            match stack.poll_timeout() {
                Some(at) if at <= now => stack.handle_timeout(now),
                _ => break,
            }
        }
        Ok(())
    }

    pub(crate) fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        self.sockets.sysctl(name, value)
    }
}

impl Driven for Instance {
    fn stack(&self) -> &Stack {
        self.sockets.stack()
    }

    fn stack_mut(&mut self) -> &mut Stack {
        self.sockets.stack_mut()
    }

    fn hear(&mut self, now: Instant, _: &mut Afterwards) -> bool {
        self.now = now;
        self.settle()
    }

    fn stop(&mut self, _: Instant) -> bool {
        false
    }

    fn abandon(&mut self, now: Instant) {
        for fd in self.sockets.descriptors() {
            if let Ok(Some(socket)) = self.sockets.handle(fd) {
                self.sockets.stack_mut().abort(now, socket);
            }
        }
    }

    fn over(&mut self, _: &mut Afterwards) {
        self.hearers.close_all();
    }
}
