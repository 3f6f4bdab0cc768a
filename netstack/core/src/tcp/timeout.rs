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
                Timer::Persist => {
                    self.more = false;
                    self.probe_due = true;
                }
                Timer::DelayedAck => self.rcv.ack.on_delay_over(),
                Timer::KeepAlive => reset |= self.on_keep_alive(ctx),
                Timer::Close => self.enter_closed(),
            }
        }
        reset
    }

    /// RFC 6298, 5.4 to 5.6, and R2 of RFC 9293, 3.8.3.
    // req: MUST-22, SHLD-11, RFC6298-15
    fn on_retransmit_timeout(&mut self, ctx: &mut Context<'_>) {
        ctx.counters.timeouts += 1;
        let limit = if self.is_connecting() {
            ctx.config.syn_retries
        } else {
            ctx.config.retries
        };
        if self.snd.timeouts >= limit {
            self.fail(ConnectionError::TimedOut);
            return;
        }
        if self.is_connecting() {
            self.snd.timeouts += 1;
            self.snd.rtt.back_off();
            self.handshake_due = true;
        } else {
            self.snd.on_timeout();
        }
    }

    /// RFC 9293, 3.8.4. Returns whether the connection was given up.
    // req: MUST-26, MUST-29
    fn on_keep_alive(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(keep_alive) = self.keep_alive.filter(|_| self.state.is_synchronized()) else {
            return false;
        };
        if self.state == State::TimeWait {
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

    /// Keeps the retransmission timer running exactly while something is outstanding.
    pub(crate) fn watch_outstanding(&mut self, now: Instant) {
        let watching =
            self.snd.outstanding() && !matches!(self.state, State::TimeWait | State::Closed);
        if !watching {
            self.timers.stop(Timer::Retransmit);
        } else if !self.timers.is_set(Timer::Retransmit) {
            self.timers.set(Timer::Retransmit, now + self.snd.rtt.rto());
        }
    }

    /// Keeps the persist timer running while there is data that the window or `MSG_MORE` holds back and
    /// nothing is outstanding whose acknowledgement would set it free (RFC 9293, 3.8.6.1).
    // req: MUST-36, MUST-37
    pub(crate) fn watch_held_back(&mut self, now: Instant) {
        let held = self.snd.unsent() > 0 && !self.snd.outstanding() && self.state.sends_data();
        if !held {
            self.timers.stop(Timer::Persist);
        } else if !self.timers.is_set(Timer::Persist) {
            self.timers.set(Timer::Persist, now + self.snd.rtt.rto());
        }
    }
}
