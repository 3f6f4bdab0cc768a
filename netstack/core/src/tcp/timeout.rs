//! Timers go off.

use super::connection::Connection;
use super::send::Phase;
use super::state::State;
use super::timer::Timer;
use super::{Context, MtuProbing, TcpConfig};
use crate::Instant;
use crate::socket::ConnectionError;
use core::time::Duration;

/// Timeouts in a row after which long segments are suspected.
const BLACK_HOLE_TIMEOUTS: u8 = 3;
/// The longest that silly-window avoidance holds data back (RFC 9293, 3.8.6.2.1).
const OVERRIDE: Duration = Duration::from_secs(1);
/// The segment size, options included, that no search goes below: what 576 bytes take, of which RFC 791 says that every
/// host does; and what every path of IPv6 takes.
const LEAST_SEGMENT_V4: usize = 536;
const LEAST_SEGMENT_V6: usize = 1220;

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
                // What waits is what it is asked for then.
                Timer::Pace => {}
                Timer::DelayedAck => self.rcv.ack.on_delay_over(),
                Timer::KeepAlive => reset |= self.on_keep_alive(ctx),
                Timer::Close if matches!(self.state, State::TimeWait | State::FinWait2) => {
                    self.enter_closed();
                }
                Timer::Close => {
                    ctx.counters.linger_expired += 1;
                    self.fail(ConnectionError::Aborted);
                    reset = true;
                }
            }
        }
        self.watch_outstanding(ctx.now);
        reset
    }

    /// RFC 6298, 5.4 to 5.6, and the user timeout or R2 of RFC 9293, 3.8.3.
    // req: MUST-22, SHLD-11, RFC6298-15, MUST-19, MUST-20, U-41
    fn on_retransmit_timeout(&mut self, ctx: &mut Context<'_>) {
        ctx.counters.timeouts += 1;
        let limit = match self.state {
            State::SynSent => Some(ctx.config.syn_retries),
            State::SynReceived => Some(ctx.config.synack_retries),
            // How long is the application's to say, and then not how often.
            _ if self.user_timeout().is_some() => None,
            _ => Some(ctx.config.retries),
        };
        // No more are counted than a byte can say.
        let exhausted =
            limit.is_some_and(|limit| u32::from(self.snd.timeouts) >= limit.min(u8::MAX.into()));
        if exhausted || ctx.now >= self.patience_ends() {
            let reason = self.soft_error().unwrap_or(ConnectionError::TimedOut);
            self.fail(reason);
            return;
        }
        if self.is_handshaking() {
            self.snd.timeouts = self.snd.timeouts.saturating_add(1);
            self.snd.rtt.back_off();
            self.handshake_due = true;
        } else {
            self.snd.on_timeout(ctx.now);
            self.suspect_black_hole(ctx);
        }
    }

    /// After timeouts in a row without a word of ICMP, long segments may be what does not get through (RFC 4821, 7.7).
    // req: RFC4821-13
    fn suspect_black_hole(&mut self, ctx: &mut Context<'_>) {
        let probing = ctx.config.mtu_probing != MtuProbing::Off && self.dont_fragment;
        if !probing || self.snd.timeouts < BLACK_HOLE_TIMEOUTS || self.snd.wnd() == 0 {
            return;
        }
        let (base, floor) = self.search_sizes(ctx.config);
        ctx.counters.mtu_black_holes += u64::from(self.snd.on_black_hole(base, floor));
    }

    /// Bytes of payload that a search for the path's segment size begins with, and the least that it comes to.
    fn search_sizes(&self, config: &TcpConfig) -> (usize, usize) {
        let floor = match self.flow.remote().is_ipv4() {
            true => LEAST_SEGMENT_V4,
            false => LEAST_SEGMENT_V6,
        };
        let base = usize::from(config.base_mss).max(floor);
        (self.without_options(base), self.without_options(floor))
    }

    /// The connection is established: where every path is searched, its search begins.
    pub(super) fn begin_search(&mut self, config: &TcpConfig) {
        if config.mtu_probing == MtuProbing::Always && self.dont_fragment {
            let (base, _) = self.search_sizes(config);
            self.snd.search_path(base.min(self.snd.mss));
        }
    }

    /// RFC 9293, 3.8.4. Returns whether the connection was given up.
    // req: MUST-26, MUST-29
    fn on_keep_alive(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(keep_alive) = self.keep_alive() else {
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
        let probes = &mut self.extras_mut().probes;
        if *probes >= keep_alive.probes {
            self.fail(ConnectionError::TimedOut);
            return true;
        }
        *probes += 1;
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

    /// Data left: the probe that asks about the end of the flight waits longer. In fast recovery it asks about
    /// repetitions too.
    pub(crate) fn postpone_probe(&mut self, now: Instant) {
        if (self.timers.is_set(Timer::LossProbe) || self.snd.phase() == Phase::Fast)
            && let Some(interval) = self.snd.probe_interval()
        {
            self.arm_probe(now + interval);
        }
    }

    /// Has a probe leave at `at` in place of the timeout, or when that would come if that is sooner. In recovery the
    /// timeout does come then.
    // req: RFC8985-15
    fn arm_probe(&mut self, at: Instant) {
        let timeout = self.snd.rto_at;
        let timer = match self.snd.phase() == Phase::Fast && at >= timeout {
            true => Timer::Retransmit,
            false => Timer::LossProbe,
        };
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::LossProbe);
        self.timers.set(timer, at.min(timeout));
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
                self.arm_probe(now + interval);
            }
        }
    }

    /// Keeps the persist timer running while there is data that the window or `MSG_MORE`, not the pace, holds back and
    /// nothing is outstanding whose acknowledgement would set it free (RFC 9293, 3.8.6.1).
    // req: MUST-36, MUST-37, SHLD-29
    pub(crate) fn watch_held_back(&mut self, now: Instant) {
        let held = self.snd.unsent() > 0 && !self.snd.outstanding() && self.state.sends_data();
        // A pace that was kept before the window shut is not what keeps this from leaving.
        let paced = || self.timers.is_set(Timer::Pace) && self.sendable(self.snd.unsent()) > 0;
        if !held || paced() {
            self.timers.stop(Timer::Persist);
        } else if !self.timers.is_set(Timer::Persist) {
            let rto = self.snd.rtt.rto();
            let wait = match self.snd.wnd() {
                0 => rto,
                _ => rto.min(OVERRIDE),
            };
            self.timers.set(Timer::Persist, now + wait);
        }
    }
}
