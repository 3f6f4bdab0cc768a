//! What a segment acknowledges: fifth in RFC 9293, 3.10.7.4.

use super::Context;
use super::connection::Connection;
use super::segment::{Flags, Segment};
use super::send::{Ack, MtuOutcome};
use super::state::State;
use super::timer::Timer;
use crate::Instant;
use crate::news::News;
use core::time::Duration;

impl Connection {
    /// What the segment acknowledges.
    // req: U-20, U-21, U-22, RFC6298-16
    pub(super) fn take_ack(&mut self, ctx: &mut Context<'_>, segment: &Segment) {
        let opens = self.state == State::SynReceived;
        if opens {
            self.snd.open_window(segment, self.snd.scale);
            self.handshake_due = false;
            self.note_handshake_loss();
            self.enter_established(ctx);
        }
        if segment.ack.after(self.snd.una) {
            self.snd.update_window(segment);
            self.advance(ctx, segment);
        } else {
            self.on_same_ack(ctx.now, segment);
        }
        if opens && !self.early {
            self.snd.resend_refused();
        }
    }

    /// An acknowledgement of nothing new: a window update, the answer to a probe, or a duplicate. One that was
    /// overtaken by another may still say what arrived beyond a hole.
    // req: U-23, SHLD-17, MUST-35
    fn on_same_ack(&mut self, now: Instant, segment: &Segment) {
        if segment.ack.before(self.snd.una) {
            if !segment.options.sack.is_empty() {
                self.acknowledge(now, segment, false);
            }
            return;
        }
        let was_shut = self.snd.wnd() == 0;
        let changed = self.snd.update_window(segment);
        if (self.snd.wnd() == 0 || was_shut) && !self.is_orphan() {
            // The peer is there; that its window stays shut is no reason to give up, unless nobody holds
            // the connection any more.
            self.snd.timeouts = 0;
        }
        if was_shut && self.snd.wnd() > 0 {
            self.snd.reopen(now);
            self.timers.stop(Timer::Retransmit);
            // What a small window holds back does not wait for the next probe of a shut one.
            self.timers.stop(Timer::Persist);
            return;
        }
        if self.snd.wnd() > 0 && self.snd.outstanding() {
            let empty = segment.len == 0 && !segment.flags.has(Flags::FIN);
            self.acknowledge(now, segment, empty && !changed);
        }
    }

    /// Tells the sender of an acknowledgement; `bare` when the segment carries nothing else. Returns whether it
    /// acknowledges anything new.
    // req: RFC6675-09
    fn acknowledge(&mut self, now: Instant, segment: &Segment, bare: bool) -> bool {
        let sent = |age| now.as_millis().checked_sub(u64::from(age));
        let echoed = self.echoed_age(now, segment).and_then(sent);
        let ack = Ack {
            ack: segment.ack,
            blocks: &segment.options.sack,
            bare,
            echoed: echoed.map(Instant::from_millis),
            marked: segment.flags.has(Flags::ECE) && !segment.flags.has(Flags::SYN),
        };
        let advanced = self.snd.on_ack(now, &ack);
        if self.snd.ecn.take_restart() {
            self.restart_retransmit(now);
        }
        advanced
    }

    fn count_path_probe(&mut self, ctx: &mut Context<'_>) {
        match self.snd.take_path_outcome() {
            Some(MtuOutcome::Passed) => ctx.counters.mtu_probes_passed += 1,
            Some(MtuOutcome::Lost) => ctx.counters.mtu_probes_lost += 1,
            None => {}
        }
    }

    /// How many milliseconds ago the timestamp was made that a segment echoes.
    fn echoed_age(&self, now: Instant, segment: &Segment) -> Option<u32> {
        let (state, ts) = (self.timestamps.as_ref()?, segment.options.timestamps?);
        let age = state.clock(now).wrapping_sub(ts.ecr);
        (ts.ecr != 0 && age < 1 << 24).then_some(age)
    }

    /// The same as a time that is not too short for the clock of timestamps.
    pub(super) fn echo_age(&self, now: Instant, segment: &Segment) -> Option<Duration> {
        let millis = self.echoed_age(now, segment)?.max(1);
        Some(Duration::from_millis(u64::from(millis)))
    }

    /// New data, or our SYN or FIN, is acknowledged.
    // req: U-28, RFC8961-08
    pub(super) fn advance(&mut self, ctx: &mut Context<'_>, segment: &Segment) {
        self.acknowledge(ctx.now, segment, false);
        self.stamp_acknowledged(ctx.now, ctx.counters);
        self.clear_soft_error();
        // RFC 6298, 5.3: the timer starts anew with every acknowledgement of new data.
        // req: RFC6298-13
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::LossProbe);
        self.count_path_probe(ctx);
        let window = self.snd.congestion.window();
        self.snd.queue.grow_for(window, ctx.config.send_buffer);
        self.note_room();
        if !self.snd.fin_acknowledged() {
            return;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.is_orphan() {
                    self.timers
                        .set(Timer::Close, ctx.now + ctx.config.fin_timeout);
                } else {
                    // Who waits with closing until all has arrived hears of it.
                    self.note(News::WRITABLE);
                }
            }
            State::Closing => self.enter_time_wait(ctx),
            State::LastAck => self.enter_closed(),
            _ => {}
        }
    }
}
