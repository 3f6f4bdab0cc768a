//! Timers go off.

use super::Context;
use super::connection::Connection;
use super::state::State;
use super::timer::Timer;
use crate::Instant;
use crate::socket::ConnectionError;

impl Connection {
    /// Handles every timer that is due. Returns whether the peer is to be sent a reset, because the
    /// connection was given up.
    pub(crate) fn on_timeout(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut reset = false;
        while let Some(timer) = self.timers.expired(ctx.now) {
            match timer {
                Timer::Retransmit => self.on_retransmit_timeout(ctx),
                Timer::Reorder => self.snd.on_reorder_timeout(ctx.now),
                Timer::LossProbe => self.on_probe_timeout(ctx.now),
                Timer::Persist => {
                    self.more = false;
                    self.snd.ecn.on_timer();
                    self.probe_due = true;
                }
                // Whoever handles timers has the connection asked for packets.
                Timer::Pace => {}
                Timer::DelayedAck => self.rcv.ack.on_delay_over(),
                Timer::KeepAlive => reset |= self.on_keep_alive(ctx),
                Timer::Close => self.enter_closed(),
            }
        }
        reset
    }

    /// RFC 6298, 5.4 to 5.6, and the user timeout or R2 of RFC 9293, 3.8.3.
    // req: MUST-22, SHLD-11, RFC6298-15
    fn on_retransmit_timeout(&mut self, ctx: &mut Context<'_>) {
        ctx.counters.timeouts += 1;
        let limit = match self.state {
            State::SynSent => ctx.config.syn_retries,
            State::SynReceived => ctx.config.synack_retries,
            _ => ctx.config.retries,
        };
        if u32::from(self.snd.timeouts) >= limit.min(u8::MAX.into())
            || ctx.now >= self.patience_ends()
        {
            self.fail(ConnectionError::TimedOut);
            return;
        }
        if self.is_connecting() {
            self.snd.timeouts = self.snd.timeouts.saturating_add(1);
            self.snd.rtt.back_off();
            self.handshake_due = true;
        } else {
            self.snd.on_timeout(ctx.now);
        }
    }

    /// RFC 9293, 3.8.4. Returns whether the connection was given up.
    // req: MUST-26, MUST-29
    fn on_keep_alive(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(keep_alive) = self.keep_alive.as_deref().copied() else {
            return false;
        };
        if !self.state.is_synchronized() || self.state == State::TimeWait {
            return false;
        }
        if self.snd.outstanding() {
            // The retransmission timer asks already.
            self.timers.set(Timer::KeepAlive, ctx.now + keep_alive.idle);
            return false;
        }
        if self.probes >= keep_alive.probes {
            self.fail(ConnectionError::TimedOut);
            return true;
        }
        self.probes += 1;
        self.keep_alive_due = true;
        self.timers
            .set(Timer::KeepAlive, ctx.now + keep_alive.interval);
        false
    }

    /// RFC 8985, 7.3: a probe leaves, if one may, and the retransmission timer follows.
    // req: RFC8985-18
    fn on_probe_timeout(&mut self, now: Instant) {
        self.snd.on_probe_timeout();
        self.restart_retransmit(now);
    }

    /// The retransmission timer begins anew.
    pub(crate) fn restart_retransmit(&mut self, now: Instant) {
        self.snd.rto_at = (now + self.snd.rtt.rto()).min(self.patience_ends().max(now));
        self.timers.set(Timer::Retransmit, self.snd.rto_at);
        self.timers.stop(Timer::LossProbe);
    }

    /// New data left: the probe that asks about the end of the flight waits longer.
    pub(crate) fn postpone_probe(&mut self, now: Instant) {
        if self.timers.is_set(Timer::LossProbe)
            && let Some(interval) = self.snd.probe_interval()
        {
            self.timers
                .set(Timer::LossProbe, (now + interval).min(self.snd.rto_at));
        }
    }

    /// Keeps the retransmission timer, or the probe's in its place, running exactly while something is outstanding.
    // req: RFC6298-11, RFC6298-12, RFC8985-15, RFC8985-21
    pub(crate) fn watch_outstanding(&mut self, now: Instant) {
        let watching =
            self.snd.outstanding() && !matches!(self.state, State::TimeWait | State::Closed);
        if !watching {
            self.timers.stop(Timer::Retransmit);
            self.timers.stop(Timer::Reorder);
            self.timers.stop(Timer::LossProbe);
            return;
        }
        match self.snd.reorder_at() {
            Instant::FAR_FUTURE => self.timers.stop(Timer::Reorder),
            at => self.timers.set(Timer::Reorder, at),
        }
        let probe = match self.state.is_synchronized() {
            true => self.snd.probe_interval(),
            false => None,
        };
        if self.timers.is_set(Timer::LossProbe) {
            if probe.is_none() {
                self.timers.stop(Timer::LossProbe);
                self.timers.set(Timer::Retransmit, self.snd.rto_at);
            }
        } else if !self.timers.is_set(Timer::Retransmit) {
            self.restart_retransmit(now);
            if let Some(interval) = probe {
                self.timers.stop(Timer::Retransmit);
                self.timers
                    .set(Timer::LossProbe, (now + interval).min(self.snd.rto_at));
            }
        }
    }

    /// Keeps the persist timer running while there is data that the window or `MSG_MORE`, not the pace, holds back and
    /// nothing is outstanding whose acknowledgement would set it free (RFC 9293, 3.8.6.1).
    // req: MUST-36, MUST-37
    pub(crate) fn watch_held_back(&mut self, now: Instant) {
        let held = self.snd.unsent() > 0 && !self.snd.outstanding() && self.state.sends_data();
        if !held || self.timers.is_set(Timer::Pace) {
            self.timers.stop(Timer::Persist);
        } else if !self.timers.is_set(Timer::Persist) {
            self.timers.set(Timer::Persist, now + self.snd.rtt.rto());
        }
    }
}
