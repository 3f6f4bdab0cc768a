//! The one thread that owns the devices and drives the stack; of a stack of several shards, that of one.
//!
//! Each turn takes batches from the devices, hands them to the stack under the lock together with whatever
//! timer is due, tells waiters and services what happened, pulls packets for devices that have room, and
//! gives the packets to the devices outside the lock. Destructors of buffers that applications handed over run
//! outside it too, and may panic. When a turn finds nothing to do, the thread sleeps
//! until a device, a timer or a handle needs it: an idle stack uses no CPU. With busy polling it watches
//! for a while first.

mod pace;
mod port;

use std::hint;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use netstack_core::Instant;

use self::pace::{Look, Pace};
pub(crate) use self::port::{Came, LONGEST_WAIT, Port};
use crate::clock::Clock;
use crate::driven::{Afterwards, Driven};
use crate::mailbox::Mail;
use crate::running::Remains;
use crate::shared::{Shared, State};
use crate::sleep::sleep;

/// How soon to offer packets again to a shard that had no room for more.
const STRAY_RETRY: Duration = Duration::from_millis(1);

/// How old what is said of the interfaces may get while there is work. A loop that has none says it as it is.
const TELL_EVERY: Duration = Duration::from_millis(10);

/// How long the loop goes on for peers that have everything and may close their side as well: whoever ends right behind
/// its last word would leave them repeating theirs to nobody.
const PARTING: Duration = Duration::from_secs(1);

/// The loop and what it alone touches.
pub(crate) struct EventLoop<D: Driven> {
    shared: Arc<Shared<D>>,
    clock: Clock,
    ports: Vec<Port>,
    /// What goes between the shards, if there are several.
    mail: Option<Mail>,
    after: Afterwards,
    /// How long to watch the devices before sleeping.
    busy_poll: Duration,
    pace: Pace,
    /// When to say again how the interfaces do.
    told_until: Instant,
    /// As the last turn, sleep or look at the devices had it.
    now: Instant,
}

/// What a turn under the lock came to.
enum Turn {
    /// Something was done, so that there may be more to do.
    Worked,
    /// There was nothing to do; there may be at that time.
    Idle(Option<Instant>),
    /// The loop shall end. Whether every connection had delivered what it had to.
    Ended(bool),
}

impl<D: Driven> EventLoop<D> {
    pub(crate) fn new(
        shared: Arc<Shared<D>>,
        clock: Clock,
        ports: Vec<Port>,
        mail: Option<Mail>,
        busy_poll: Duration,
    ) -> Self {
        let now = clock.now();
        EventLoop {
            shared,
            clock,
            ports,
            mail,
            after: Afterwards::default(),
            busy_poll,
            pace: Pace::default(),
            told_until: now,
            now,
        }
    }

    /// Runs until a stop is asked for and done.
    pub(crate) fn run(mut self) -> Remains {
        // Should a turn panic, nobody may be left waiting for a loop that is gone.
        let last_words = LastWords(Arc::clone(&self.shared));
        let mut look = Look::Now;
        let finished = loop {
            let came = match look {
                Look::Now => self.receive(self.pace.worth_asking()),
                Look::Before(came) => came,
                Look::Asleep => Came::Nothing,
            };
            if came == Came::Nothing {
                // This may be the last look before sleeping: from here on handles ring. A device that gets packets
                // after it was read ends the sleep.
                self.shared.alarm.prepare();
            }
            let turn = self.turn();
            self.after.run();
            let sent = self.transmit();
            self.pace.turned(came, sent);
            look = match turn {
                Turn::Ended(finished) => break finished,
                Turn::Idle(wake_at) if came == Came::Nothing && !sent => self.rest(wake_at),
                _ => look.next(came, sent),
            };
            if came == Came::Nothing {
                self.shared.alarm.awake();
            }
        };
        // From here on nobody finds the sockets, which are reset next.
        let mut state = self.shared.take_state();
        drop(last_words);
        if let Some(state) = &mut state {
            self.abandon(state);
        }
        self.remains(state, finished)
    }

    /// Takes a batch of at most `most` packets from each device; says what the one that had most of them had.
    fn receive(&mut self, most: usize) -> Came {
        let _destructors = self.shared.defer();
        let mut came = Came::Nothing;
        for port in &mut self.ports {
            came = came.max(port.receive(self.now, most));
        }
        came
    }

    /// Gives the devices what was pulled for them; says whether they took something.
    fn transmit(&mut self) -> bool {
        let _destructors = self.shared.defer();
        let mut any = false;
        for port in &mut self.ports {
            any |= port.transmit(self.now);
        }
        any
    }

    /// Everything that needs the lock.
    fn turn(&mut self) -> Turn {
        let mut guard = self.shared.lock();
        let Some(state) = guard.as_mut() else {
            return Turn::Ended(false);
        };
        let now = self.clock.now();
        self.now = now;
        let mut worked = false;
        for port in &mut self.ports {
            let id = port.id();
            for packet in port.received() {
                state.driven.stack_mut().handle_packet(now, id, packet);
                worked = true;
            }
        }
        if let Some(mail) = &self.mail {
            worked |= mail.deliver(state.driven.stack_mut(), now);
        }
        let stack = state.driven.stack_mut();
        if stack.poll_timeout().is_some_and(|due| due <= now) {
            stack.handle_timeout(now);
            worked = true;
        }
        if state.stop.is_some() {
            worked |= state.driven.stop(now);
        }
        worked |= state.driven.hear(now, &mut self.after);
        for port in &mut self.ports {
            let id = port.id();
            worked |= port.pull(|| state.driven.stack_mut().poll_transmit(now, id));
        }
        if !worked || self.told_until <= now {
            self.told_until = now + TELL_EVERY;
            for (port, status) in self.ports.iter().zip(&mut state.interfaces) {
                port.refresh(status);
            }
        }
        if let Some(mail) = &self.mail {
            worked |= mail.collect(state.driven.stack_mut());
        }
        match end(state, now, &self.ports, worked) {
            Some(finished) => Turn::Ended(finished),
            None if worked => Turn::Worked,
            None => {
                state.wakes_at = self.wake_at(state, now);
                Turn::Idle(state.wakes_at)
            }
        }
    }

    /// The earliest of all reasons to wake up by the clock.
    fn wake_at(&self, state: &State<D>, now: Instant) -> Option<Instant> {
        // The next shard had no room.
        let stack = state.driven.stack();
        let strays = stack.has_strays().then(|| now + STRAY_RETRY);
        let stop = state.stop.map(|stop| stop.at());
        let ports = self.ports.iter().filter_map(|port| port.wake_at(now));
        ports
            .chain(stack.poll_timeout())
            .chain(strays)
            .chain(stop)
            .min()
    }

    /// Waits for something to do: watching first, then asleep.
    fn rest(&mut self, wake_at: Option<Instant>) -> Look {
        let mut came = self.watch(wake_at);
        if came == Came::Nothing {
            came = self.offer();
        }
        if came != Came::Nothing {
            return Look::Before(came);
        }
        if self.shared.alarm.fall_asleep() {
            self.sleep(wake_at);
            self.now = self.clock.now();
        }
        Look::Now
    }

    /// Looks at the devices again and again, for as long as busy polling allows.
    fn watch(&mut self, wake_at: Option<Instant>) -> Came {
        if self.busy_poll.is_zero() {
            return Came::Nothing;
        }
        let until = self.clock.now() + self.busy_poll;
        let until = wake_at.map_or(until, |at| until.min(at));
        loop {
            self.now = self.clock.now();
            // What comes while nothing is done comes alone: looking for a second would keep the first waiting.
            let came = self.receive(1);
            if came != Came::Nothing || self.shared.alarm.has_rung() || self.now >= until {
                return came;
            }
            hint::spin_loop();
        }
    }

    /// Lets others have the core, where that brought packets before.
    fn offer(&mut self) -> Came {
        if self.shared.alarm.has_rung() || !self.pace.worth_offering() {
            return Came::Nothing;
        }
        let before = self.clock.now();
        thread::yield_now();
        self.now = self.clock.now();
        let came = self.receive(self.pace.worth_asking());
        let took = self.now - before;
        self.pace.offered(came != Came::Nothing, took);
        came
    }

    /// Sleeps until a device or the alarm has something, or until `wake_at`.
    fn sleep(&self, wake_at: Option<Instant>) {
        let timeout = wake_at.map(|at| at - self.clock.now());
        sleep(
            &self.shared.alarm,
            self.ports.iter().filter_map(Port::fd),
            timeout,
        );
    }

    /// Resets what is still open, so that no peer is left believing in it.
    fn abandon(&mut self, state: &mut State<D>) {
        let destructors = self.shared.defer();
        state.driven.abandon(self.now);
        let stack = state.driven.stack_mut();
        stack.abort_closing(self.now);
        for port in &mut self.ports {
            let id = port.id();
            port.pull(|| stack.poll_transmit(self.now, id));
        }
        drop(destructors);
        self.transmit();
    }

    fn remains(self, state: Option<State<D>>, finished: bool) -> Remains {
        let interfaces = self.ports.iter().map(Port::status).collect();
        let counters = state
            .as_ref()
            .map(|state| state.driven.stack().counters().clone())
            .unwrap_or_default();
        // The stack goes before the devices, so that what it still held of their storage is back.
        let destructors = self.shared.defer();
        drop(state);
        drop(destructors);
        Remains {
            finished,
            counters,
            interfaces,
            devices: self.ports.into_iter().map(Port::into_device).collect(),
        }
    }
}

/// Whether it is time to end, and then whether everything was delivered. With nothing left to do that is at once, else
/// when peers had their time to close, or patience ends.
fn end<D: Driven>(
    state: &mut State<D>,
    now: Instant,
    ports: &[Port],
    worked: bool,
) -> Option<bool> {
    let stop = state.stop.as_mut()?;
    let stack = state.driven.stack();
    let delivered = stack.closing() == 0;
    if delivered {
        let quiet = !worked && ports.iter().all(Port::is_drained);
        if quiet && stack.half_closed() == 0 {
            return Some(true);
        }
        stop.parting.get_or_insert(now + PARTING);
    } else {
        stop.parting = None;
    }
    (stop.at() <= now).then_some(delivered)
}

/// Wakes everybody when the loop ends, however it ends.
struct LastWords<D: Driven>(Arc<Shared<D>>);

impl<D: Driven> Drop for LastWords<D> {
    fn drop(&mut self) {
        let _destructors = self.0.defer();
        drop(self.0.take_state());
    }
}
