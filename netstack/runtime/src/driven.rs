//! What the event loop drives: a stack, and whoever uses it.

use std::fmt;
use std::task::Waker;

use netstack_core::{Instant, Stack};

use crate::service::Service;

/// What a [`Driver`](crate::Driver) drives: a stack, and whoever uses it. The loop calls all of these under its lock, and hands packets and
/// timers to the stack by itself.
pub trait Driven: Send + 'static {
    /// The stack.
    fn stack(&self) -> &Stack;

    /// The stack, for packets and timers.
    fn stack_mut(&mut self) -> &mut Stack;

    /// Takes the stack's events, in each turn after its packets and timers, and does what follows from them; says whether
    /// there were any.
    fn hear(&mut self, now: Instant, after: &mut Afterwards) -> bool;

    /// Called in each turn from when an end was asked for, before events are taken; says whether it did anything. The loop
    /// goes on while connections that are closed have something to deliver.
    fn stop(&mut self, now: Instant) -> bool;

    /// Resets what is still open: the loop is about to end.
    fn abandon(&mut self, now: Instant);

    /// The loop has ended, or died of a panic: tells everybody who waits.
    fn over(&mut self, after: &mut Afterwards);
}

/// What is to be done when the lock of a stack is given back.
#[derive(Default)]
pub struct Afterwards {
    pub(crate) woken: Vec<Waker>,
    /// Services that ended: they may own handles.
    pub(crate) retired: Vec<Box<dyn Service>>,
}

impl Afterwards {
    /// Has a task woken.
    pub fn wake(&mut self, waker: Waker) {
        self.woken.push(waker);
    }

    /// Does it.
    pub(crate) fn run(&mut self) {
        self.woken.drain(..).for_each(Waker::wake);
        self.retired.clear();
    }
}

impl fmt::Debug for Afterwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Afterwards").finish_non_exhaustive()
    }
}
