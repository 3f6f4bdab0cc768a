//! The loop of a bridge.
//!
//! Each turn takes a batch from each device for whose packets there is room on the other side, sends it through the
//! router if there is one and through the impairments of its direction, and gives the devices what is due. When a turn
//! finds nothing to do, the thread sleeps until a device or a deadline needs it: an idle bridge uses no CPU.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use netstack_core::{Instant, Stack};

use super::control::Control;
use super::lane::Lane;
use super::report::{BridgeEnd, BridgeReport};
use crate::clock::Clock;
use crate::destructors::Destructors;
use crate::event_loop::{Came, Port};
use crate::sleep::sleep;

const SIDES: [usize; 2] = [0, 1];

pub(super) struct Carrier {
    pub(super) control: Arc<Control>,
    clock: Clock,
    /// Left and right.
    ports: [Port; 2],
    /// Towards the left and towards the right.
    lanes: [Lane; 2],
    /// Its interfaces have the numbers of the ports. `None`: a wire.
    router: Option<Stack>,
}

impl Carrier {
    pub(super) fn new(
        control: Arc<Control>,
        clock: Clock,
        ports: [Port; 2],
        lanes: [Lane; 2],
        router: Option<Stack>,
    ) -> Carrier {
        Carrier {
            control,
            clock,
            ports,
            lanes,
            router,
        }
    }

    /// Runs until a stop is asked for.
    pub(super) fn run(mut self) -> BridgeEnd {
        while !self.control.stop.load(Ordering::SeqCst) {
            if self.control.asked.load(Ordering::SeqCst) {
                self.answer();
            }
            let control = Arc::clone(&self.control);
            let destructors = Destructors::defer(&control.panics);
            let worked = self.turn();
            drop(destructors);
            if !worked {
                self.rest();
            }
        }
        self.answer();
        let report = self.report();
        // The packets go before the devices, whose storage they are in.
        let destructors = Destructors::defer(&self.control.panics);
        drop((self.lanes, self.router));
        drop(destructors);
        BridgeEnd {
            report,
            devices: self.ports.map(Port::into_device).into(),
        }
    }

    /// Moves what can be moved; says whether there was anything.
    fn turn(&mut self) -> bool {
        let now = self.clock.now();
        let mut worked = false;
        for (port, lane) in self.ports.iter_mut().zip(&mut self.lanes) {
            lane.count_late(port.expire(now));
            lane.expire(now, port.is_stuck(now));
        }
        // Before anything is read: what the router still has goes first, and only what finds room is asked for.
        if let Some(stack) = &mut self.router {
            emit(now, stack, &self.ports, &mut self.lanes);
        }
        for from in SIDES {
            if self.reads(from, now) {
                worked |= self.ports[from].receive(now, usize::MAX) != Came::Nothing;
            }
        }
        match &mut self.router {
            None => carry(now, &mut self.ports, &mut self.lanes),
            Some(stack) => route(now, stack, &mut self.ports, &mut self.lanes),
        }
        for (port, lane) in self.ports.iter_mut().zip(&mut self.lanes) {
            lane.poll(now);
            if port.takes(now) {
                worked |= port.pull(|| lane.pop());
            }
            worked |= port.transmit(now);
        }
        worked
    }

    /// Whether to take packets of one side. While the device on the other is behind they wait where they are; but not
    /// behind one that takes nothing, or nothing of this side would be heard any more. A router reads on at once, for
    /// packets that are its own or go back, and has queues that drop; a wire when what waits is too old to be sent.
    fn reads(&self, from: usize, now: Instant) -> bool {
        let (port, lane) = (&self.ports[1 - from], &self.lanes[1 - from]);
        lane.has_room()
            || match &self.router {
                Some(_) => !port.takes(now),
                None => port.is_stuck(now),
            }
    }

    fn rest(&self) {
        self.control.alarm.prepare();
        // Who asks from here on rings.
        if !self.control.wants_something() && self.control.alarm.fall_asleep() {
            let now = self.clock.now();
            let timeout = self.wake_at(now).map(|at| at - now);
            let devices = SIDES.into_iter().filter(|side| self.reads(*side, now));
            let devices = devices.filter_map(|side| self.ports[side].fd());
            sleep(&self.control.alarm, devices, timeout);
        }
        self.control.alarm.awake();
    }

    /// The earliest of all reasons to wake up by the clock.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let ports = self.ports.iter().filter_map(|port| port.wake_at(now));
        let lanes = self.lanes.iter().filter_map(Lane::poll_at);
        let router = self.router.as_ref().and_then(Stack::poll_timeout);
        ports.chain(lanes).chain(router).min()
    }

    fn answer(&self) {
        self.control.asked.store(false, Ordering::SeqCst);
        let questions = self.control.questions.lock().as_mut().map(mem::take);
        for question in questions.into_iter().flatten() {
            // Who asked may have gone.
            let _ = question.send(self.report());
        }
    }

    fn report(&self) -> BridgeReport {
        BridgeReport {
            interfaces: [0, 1].map(|side| self.ports[side].status()),
            directions: [1, 0]
                .map(|towards| self.lanes[towards].report(self.ports[towards].unsent())),
            router: self.router.as_ref().map(|stack| stack.counters().clone()),
            destructor_panics: self.control.panics.load(Ordering::Relaxed),
        }
    }
}

/// As a wire: what one side has received goes to the other.
fn carry(now: Instant, ports: &mut [Port; 2], lanes: &mut [Lane; 2]) {
    for from in SIDES {
        for packet in ports[from].received() {
            lanes[1 - from].push(now, packet);
        }
    }
}

/// As a router: what was received goes into the stack, and what the stack sends to the side it chooses.
fn route(now: Instant, stack: &mut Stack, ports: &mut [Port; 2], lanes: &mut [Lane; 2]) {
    for port in ports.iter_mut() {
        let id = port.id();
        for packet in port.received() {
            stack.handle_packet(now, id, packet);
        }
    }
    if stack.poll_timeout().is_some_and(|due| due <= now) {
        stack.handle_timeout(now);
    }
    // There are no applications to be told.
    while stack.poll_event().is_some() {}
    emit(now, stack, ports, lanes);
}

/// Moves what the router sends to where it waits for the devices, as far as there is room. For a device that takes
/// nothing it waits in the router, which knows for how long.
fn emit(now: Instant, stack: &mut Stack, ports: &[Port; 2], lanes: &mut [Lane; 2]) {
    for (port, lane) in ports.iter().zip(lanes) {
        while lane.has_room()
            && port.takes(now)
            && let Some(packet) = stack.poll_transmit(now, port.id())
        {
            lane.push(now, packet);
        }
    }
}
