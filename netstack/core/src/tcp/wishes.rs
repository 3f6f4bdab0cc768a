//! What few applications ask of a connection: keep-alive, a user timeout, lingering, data with the SYN.

use super::connection::Connection;
use super::extras::Extras;
use super::fast_open::{Cookie, Learned, Opening};
use super::options::{MAX_OPTIONS_LEN, USER_TIMEOUT_LEN};
use super::segment::Segment;
use super::state::State;
use super::timer::Timer;
use super::user_timeout::Told;
use crate::Instant;
use crate::socket::KeepAlive;
use core::time::Duration;

/// Less silence than this is not waited for: who asks more often asks for nothing else.
const LEAST_SILENCE: Duration = Duration::from_millis(1);

impl Connection {
    pub(super) fn extras_mut(&mut self) -> &mut Extras {
        let told = Told::from_field(self.told_timeout);
        self.extras.get_or_insert_with(|| {
            let mut extras = Box::<Extras>::default();
            told.into_iter()
                .for_each(|told| extras.user_timeout.hear(told));
            extras
        })
    }

    /// Starts or stops asking whether the peer is there: until then nobody does.
    // req: MAY-5, MUST-24, MUST-25
    pub(crate) fn set_keep_alive(&mut self, now: Instant, keep_alive: Option<KeepAlive>) {
        let extras = self.extras_mut();
        extras.keep_alive = keep_alive;
        extras.probes = 0;
        match self.keep_alive() {
            Some(keep_alive) => self.timers.set(Timer::KeepAlive, now + keep_alive.idle),
            None => self.timers.stop(Timer::KeepAlive),
        }
    }

    /// When to ask whether the peer is there: not before a timeout that follows from what it said would be over.
    // req: RFC5482-13
    #[inline]
    pub(super) fn keep_alive(&self) -> Option<KeepAlive> {
        let extras = self.extras.as_deref()?;
        let mut keep_alive = extras.keep_alive?;
        keep_alive.idle = keep_alive.idle.max(LEAST_SILENCE);
        keep_alive.interval = keep_alive.interval.max(LEAST_SILENCE);
        if let Some(agreed) = extras.user_timeout.agreed() {
            keep_alive.idle = keep_alive.idle.max(agreed + Duration::from_secs(1));
        }
        Some(keep_alive)
    }

    /// Sets what closing may take; `None` for any time.
    pub(crate) fn set_linger(&mut self, linger: Option<Duration>) {
        self.extras_mut().linger = linger;
    }

    /// Sets how long sent data may stay unacknowledged, in whole milliseconds.
    pub(crate) fn set_user_timeout(&mut self, now: Instant, timeout: Option<Duration>) {
        let whole = |time: Duration| {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            Duration::from_millis(millis.max(1))
        };
        self.extras_mut().user_timeout.choose(timeout.map(whole));
        if self.snd.outstanding() {
            self.restart_retransmit(now);
        }
    }

    /// Tells the peer how long sent data may stay unacknowledged, and heeds what it says, or neither.
    pub(crate) fn advertise_user_timeout(&mut self, told: Option<Told>) {
        self.extras_mut().user_timeout.advertise(told);
    }

    /// Takes what a segment says about the peer's timeout.
    // req: RFC5482-03
    pub(super) fn hear_user_timeout(&mut self, segment: &Segment) {
        if let Some(told) = segment.options.user_timeout {
            // A peer alone does not make a connection larger.
            match &mut self.extras {
                Some(extras) => extras.user_timeout.hear(told),
                None => self.told_timeout = told.field(),
            }
        }
    }

    /// What a SYN says about our timeout, if there is room beside `len` bytes of other options.
    // req: RFC5482-02
    pub(super) fn user_timeout_of_syn(&self, len: usize) -> Option<Told> {
        let fits = len + USER_TIMEOUT_LEN <= MAX_OPTIONS_LEN;
        self.extras.as_ref().filter(|_| fits)?.user_timeout.of_syn()
    }

    /// How long sent data may stay unacknowledged, if anybody says.
    pub(super) fn user_timeout(&self) -> Option<Duration> {
        self.extras.as_ref()?.user_timeout.in_force()
    }

    /// When the connection fails if nothing is acknowledged before, as the application has it.
    // req: MUST-21
    pub(crate) fn patience_ends(&self) -> Instant {
        match self.user_timeout() {
            Some(timeout) => self.snd.progress_at + timeout,
            None => Instant::FAR_FUTURE,
        }
    }

    /// Whether the SYN has not left yet: then it can still carry data.
    pub(crate) fn is_unsent(&self) -> bool {
        self.state == State::SynSent && !self.snd.outstanding()
    }

    /// The SYN, or the SYN that answers one, shows `cookie`, and of what is written `most` bytes with headers. One that
    /// `waits` does not leave before there is something.
    pub(crate) fn offer(&mut self, cookie: Option<Cookie>, most: u16, waits: bool) {
        self.extras_mut().opening = Some(Opening {
            cookie,
            most,
            waits,
            sent: None,
            learned: None,
        });
    }

    /// The SYN is a plain one after all, and leaves at once.
    pub(crate) fn open_plainly(&mut self) {
        if let Some(extras) = &mut self.extras {
            extras.opening = None;
        }
    }

    /// Whether the SYN will carry data, or ask for the right to.
    pub(crate) fn is_offering(&self) -> bool {
        self.extras
            .as_ref()
            .is_some_and(|extras| extras.opening.is_some())
    }

    /// Whether the SYN waits for something to carry.
    pub(crate) fn waits_for_data(&self) -> bool {
        let opening = self
            .extras
            .as_ref()
            .and_then(|extras| extras.opening.as_ref());
        opening.is_some_and(|opening| opening.waits)
            && self.is_unsent()
            && self.snd.queue.len() == 0
    }

    /// What the handshake showed of Fast Open, once.
    pub(crate) fn take_learned(&mut self) -> Option<Learned> {
        self.extras
            .as_mut()?
            .opening
            .take_if(|opening| opening.learned.is_some())?
            .learned
    }
}
