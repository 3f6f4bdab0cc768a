//! The stack of a [`Netstack`](crate::Netstack), with those that use it: handles of its sockets, and services.

use std::collections::HashSet;

use netstack_core::{Instant, SocketId, Stack};

use crate::driven::{Afterwards, Driven};
use crate::service::ServiceHost;
use crate::waiters::Waiters;

/// Events told to waiters and services in one turn; the rest waits for the next, after packets have moved.
const EVENTS_PER_TURN: usize = 1024;

/// A stack with handles and services on it.
pub(crate) struct Hosted {
    pub(crate) stack: Stack,
    pub(crate) waiters: Waiters,
    pub(crate) services: ServiceHost,
    /// Sockets that a handle owns.
    pub(crate) open: HashSet<SocketId>,
}

impl Hosted {
    pub(crate) fn new(stack: Stack, services: ServiceHost) -> Hosted {
        Hosted {
            stack,
            waiters: Waiters::default(),
            services,
            open: HashSet::new(),
        }
    }

    /// Passes the stack's events on to services and waiters; says whether there were any.
    fn tell(&mut self, now: Instant, after: &mut Afterwards) -> bool {
        for told in 0..EVENTS_PER_TURN {
            let Some(event) = self.stack.poll_event() else {
                return told > 0;
            };
            if !self.services.deliver(&mut self.stack, now, &event) {
                self.waiters.notify(&event, &mut after.woken);
            }
        }
        true
    }
}

impl Driven for Hosted {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn hear(&mut self, now: Instant, after: &mut Afterwards) -> bool {
        let any = self.tell(now, after);
        self.services.take_retired(&mut after.retired);
        any
    }

    fn stop(&mut self, now: Instant) -> bool {
        self.services.stop(&mut self.stack, now)
    }

    fn abandon(&mut self, now: Instant) {
        for socket in self.open.drain() {
            self.stack.abort(now, socket);
        }
    }

    fn over(&mut self, after: &mut Afterwards) {
        self.waiters.notify_all(&mut after.woken);
    }
}
