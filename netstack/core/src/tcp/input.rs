//! A segment arrives: RFC 9293, 3.10.7, step by step, each step one call.

use super::connection::Connection;
use super::recv::ack::Urgency;
use super::reset;
use super::segment::{CE, Flags, Segment};
use super::seq::{Seq, WINDOW};
use super::state::State;
use super::timer::Timer;
use super::{Context, options::Timestamps};
use crate::news::News;
use crate::socket::ConnectionError;
use crate::storage;
use core::time::Duration;
use txbuf::Span;

/// Challenge acknowledgements of one connection are at least this far apart (RFC 5961, 7).
pub(super) const CHALLENGE_INTERVAL: Duration = Duration::from_millis(500);

/// Whether a step lets the segment go on to the next.
pub(super) enum Step {
    Next,
    /// The segment is done with.
    Done,
    /// The segment is done with and answered by this reset.
    Reset(Segment),
}

impl Connection {
    /// Processes a segment of this connection. Returns the reset that answers it, if one is due.
    ///
    /// The connection takes over `payload`. Afterwards the caller collects what happened and offers
    /// the connection to the transmit side.
    pub(crate) fn input(
        &mut self,
        ctx: &mut Context<'_>,
        segment: Segment,
        payload: Option<Span>,
    ) -> Option<Segment> {
        self.rcv.note_shortage(ctx);
        let largest = self.largest_received();
        self.traffic.on_received(ctx.now, segment.len, largest);
        let step = match self.state {
            State::Closed => Step::Reset(segment),
            State::SynSent => self.input_syn_sent(ctx, segment, payload),
            _ => self.input_synchronized(ctx, segment, payload),
        };
        self.watch_outstanding(ctx.now);
        match step {
            Step::Reset(segment) => reset::answer(&segment),
            Step::Next | Step::Done => None,
        }
    }

    /// RFC 9293, 3.10.7.4.
    // req: RFC7323-04, RFC7323-36, U-16
    fn input_synchronized(
        &mut self,
        ctx: &mut Context<'_>,
        mut segment: Segment,
        mut payload: Option<Span>,
    ) -> Step {
        let again = self.state == State::SynReceived
            && segment.flags.has(Flags::SYN)
            && segment.seq == self.rcv.irs;
        if again && self.is_early() {
            return self.answer_again(ctx);
        }
        if again {
            // The SYN of a simultaneous open comes again, now with the acknowledgement that counts.
            segment.flags = segment.flags.without(Flags::SYN);
            segment.seq += 1;
            // The window of a SYN is never scaled (RFC 7323, 2.2), that of what it becomes here is.
            segment.window >>= self.snd.scale;
        }
        for check in [
            Self::check_timestamps,
            Self::check_rst,
            Self::check_sequence,
            Self::check_syn,
            Self::check_ack_number,
        ] {
            match check(self, ctx, &segment) {
                Step::Next => {}
                done => return done,
            }
        }
        // Only what the window accepts says that the peer is there.
        if let Some(extras) = &mut self.extras {
            extras.probes = 0;
        }
        if let Some(keep_alive) = self.keep_alive() {
            self.timers.set(Timer::KeepAlive, ctx.now + keep_alive.idle);
        }
        self.hear_user_timeout(&segment);
        let marked = segment.ecn == CE && segment.len > 0;
        if self
            .rcv
            .ecn
            .on_segment(marked, segment.flags.has(Flags::CWR))
        {
            self.rcv.ack.demand();
        }
        let pushed = segment.flags.has(Flags::PSH);
        let untrimmed = segment.seq;
        self.trim_to_window(ctx, &mut segment, &mut payload);
        self.take_ack(ctx, &segment);
        self.note_timestamp(ctx, untrimmed, &segment);
        self.check_urgent(untrimmed, &segment);
        if let Some(span) = payload
            && let Step::Reset(segment) = self.process_text(ctx, &segment, span, pushed)
        {
            return Step::Reset(segment);
        }
        self.check_fin(ctx, &segment);
        Step::Done
    }

    /// PAWS (RFC 7323, 5.3, R1).
    // req: RFC7323-35, RFC7323-23, RFC7323-24, RFC7323-25, RFC7323-32, RFC7323-36
    fn check_timestamps(&mut self, ctx: &mut Context<'_>, segment: &Segment) -> Step {
        let Some(state) = &self.timestamps else {
            return Step::Next;
        };
        if segment.flags.has(Flags::RST) {
            return Step::Next;
        }
        let Some(Timestamps { val, .. }) = segment.options.timestamps else {
            ctx.counters.in_no_timestamp += 1;
            return Step::Done;
        };
        if state.is_old(val, ctx.now) {
            ctx.counters.in_paws += 1;
            // Data that were overtaken are dropped here, and the peer must hear that they are still missing. Nobody
            // answers an acknowledgement with data, so only what carries none could go on for ever.
            // What no window has been near to is a guess, here as well; what probes one that is shut stands at its edge.
            let near = segment.seq.at_or_after(self.oldest())
                && segment.seq.at_or_before(self.rcv.window.edge());
            if near && segment.seq_len() > 0 && !segment.flags.has(Flags::SYN) {
                self.rcv.ack.demand();
            } else {
                self.challenge(ctx);
            }
            return Step::Done;
        }
        Step::Next
    }

    /// The update of TS.Recent (RFC 7323, 5.3, R3), from a segment that began at `seq`. Only one that
    /// proved acceptable counts: who cannot see the connection must not set its clock forward.
    // req: RFC7323-29, RFC7323-30, RFC7323-31, RFC7323-33, RFC7323-37
    fn note_timestamp(&mut self, ctx: &Context<'_>, seq: Seq, segment: &Segment) {
        if let Some(state) = &mut self.timestamps
            && let Some(Timestamps { val, .. }) = segment.options.timestamps
            && seq.at_or_before(self.last_ack)
        {
            state.set_recent(val, ctx.now);
        }
    }

    /// Second in RFC 9293, but judged on the untrimmed sequence number (RFC 5961, 3.2).
    // req: MUST-11, MUST-12, SHLD-2, RFC5961-01, RFC5961-02, RFC5961-03, RFC5961-06, RFC5961-11, U-36
    fn check_rst(&mut self, ctx: &mut Context<'_>, segment: &Segment) -> Step {
        if !segment.flags.has(Flags::RST) {
            return Step::Next;
        }
        // A reset does not shorten TIME-WAIT (RFC 1337, fix F1).
        if self.state == State::TimeWait {
            ctx.counters.in_resets_ignored += 1;
            return Step::Done;
        }
        if segment.seq == self.rcv.nxt {
            ctx.counters.in_resets += 1;
            self.fail(match self.state {
                // One that the application has, with the data of its SYN, was there.
                State::SynReceived if !self.early => ConnectionError::Refused,
                State::CloseWait => ConnectionError::BrokenPipe,
                _ => ConnectionError::Reset,
            });
        } else if segment.seq.after(self.rcv.nxt) && segment.seq.before(self.rcv.window.edge()) {
            self.challenge(ctx);
        } else {
            ctx.counters.in_out_of_window += 1;
        }
        Step::Done
    }

    /// First: whether any of the segment lies in the window.
    // req: U-17, U-14, U-15, U-35, U-46, RFC7323-13
    fn check_sequence(&mut self, ctx: &mut Context<'_>, segment: &Segment) -> Step {
        let (nxt, edge, len) = (self.rcv.nxt, self.rcv.window.edge(), segment.seq_len());
        let starts_inside = segment.seq.at_or_after(nxt) && segment.seq.before(edge);
        let acceptable = match (len, edge == nxt) {
            (0, true) => segment.seq == nxt,
            // Who has filled the window acknowledges from its edge.
            (0, false) => starts_inside || segment.seq == edge,
            // With a shut window the data is cut away, but the acknowledgement counts.
            (_, true) => segment.seq == nxt,
            (_, false) => {
                let last = segment.seq + (len - 1);
                starts_inside || (last.at_or_after(nxt) && last.before(edge))
            }
        };
        if acceptable {
            return Step::Next;
        }
        ctx.counters.in_out_of_window += 1;
        self.heed_old(ctx, segment);
        // Beyond the window, or so far before it that nobody sends it again, is a guess.
        let near = segment.seq.at_or_after(self.oldest()) && segment.seq.before(edge);
        if near && len == 0 {
            self.answer_question(ctx);
        } else if near {
            // An old segment again: the peer lacks our acknowledgement.
            // req: RFC2883-03
            self.note_duplicate(segment.seq, (segment.seq + segment.len).earlier(nxt));
            self.rcv.ack.demand();
            if self.state == State::TimeWait && segment.flags.has(Flags::FIN) {
                self.timers
                    .set(Timer::Close, ctx.now + ctx.config.time_wait);
            }
        } else {
            self.challenge(ctx);
        }
        Step::Done
    }

    /// Answers what carries nothing and stands before what is expected: a keep-alive, or a question for the window. Of the
    /// limit of the whole stack it takes nothing, and nothing is left to it: others must not keep a peer from being told
    /// that this side is there.
    fn answer_question(&mut self, ctx: &mut Context<'_>) {
        if ctx.now < self.quiet_until {
            ctx.counters.challenges_withheld += 1;
            return;
        }
        self.quiet_until = ctx.now + CHALLENGE_INTERVAL;
        self.rcv.ack.demand();
    }

    /// Where what the peer may send again begins, at the earliest: a window before what is expected.
    fn oldest(&self) -> Seq {
        let (nxt, edge) = (self.rcv.nxt, self.rcv.window.edge());
        nxt - edge.since(nxt).max(usize::from(u16::MAX))
    }

    /// What a segment that was received before acknowledges counts, as far as it is news: it may be all that is left of
    /// many acknowledgements. One without data was overtaken by others that say more. For who guesses from outside, such
    /// numbers are as hard to hit as those in the window.
    fn heed_old(&mut self, ctx: &mut Context<'_>, segment: &Segment) {
        let (nxt, oldest) = (self.rcv.nxt, self.oldest());
        let repeated = segment.seq_len() > 0
            && segment.end().at_or_before(nxt)
            && segment.seq.at_or_after(oldest);
        let plain = segment
            .flags
            .without(Flags::PSH | Flags::FIN | Flags::ECE | Flags::CWR);
        let news = segment.ack.after(self.snd.una) && segment.ack.at_or_before(self.snd.nxt);
        if repeated && plain == Flags::ACK && news && self.state.is_synchronized() {
            self.snd.update_window(segment);
            self.advance(ctx, segment);
        }
    }

    /// Fourth: a SYN in a synchronized state is challenged (RFC 5961, 4.2).
    // req: RFC5961-05, RFC5961-12
    fn check_syn(&mut self, ctx: &mut Context<'_>, segment: &Segment) -> Step {
        if !segment.flags.has(Flags::SYN) {
            return Step::Next;
        }
        self.challenge(ctx);
        Step::Done
    }

    /// Cuts away what was received before and what lies beyond the window.
    // req: U-16
    fn trim_to_window(
        &mut self,
        ctx: &mut Context<'_>,
        segment: &mut Segment,
        payload: &mut Option<Span>,
    ) {
        let old = self.rcv.nxt.since(segment.seq).min(segment.len);
        if old > 0 {
            ctx.counters.in_partly_old += 1;
            // req: RFC2883-05
            self.note_duplicate(segment.seq, segment.seq + old);
            segment.seq += old;
            segment.len -= old;
            if payload
                .as_mut()
                .is_none_or(|span| span.advance(old).is_err())
            {
                *payload = None;
            }
            self.rcv.ack.demand();
        }
        let room = self.rcv.window.edge().since(segment.seq);
        if segment.len > room {
            ctx.counters.in_beyond_window += 1;
            segment.len = room;
            segment.flags = segment.flags.without(Flags::FIN);
            if payload
                .as_mut()
                .is_none_or(|span| span.truncate(room).is_err())
            {
                *payload = None;
            }
            self.rcv.ack.demand();
        }
        if segment.len == 0 {
            *payload = None;
        }
    }

    /// Fifth, before anything else of the segment counts: whether what it acknowledges is possible.
    // req: RFC5961-07, RFC5961-08, MAY-12
    fn check_ack_number(&mut self, ctx: &mut Context<'_>, segment: &Segment) -> Step {
        if !segment.flags.has(Flags::ACK) {
            ctx.counters.in_bad_flags += 1;
            return Step::Done;
        }
        let ack = segment.ack;
        if self.state == State::SynReceived {
            if !ack.after(self.snd.iss) || ack.after(self.snd.nxt) {
                ctx.counters.in_bad_ack += 1;
                return Step::Reset(segment.clone());
            }
            return Step::Next;
        }
        // Beyond what was sent, or older than any window could be (RFC 5961, 5.2).
        let oldest = self.snd.una - self.snd.max_wnd().min(WINDOW);
        if ack.after(self.snd.nxt) || ack.before(oldest) {
            ctx.counters.in_bad_ack += 1;
            self.challenge(ctx);
            return Step::Done;
        }
        Step::Next
    }

    /// Seventh: the data.
    // req: U-30, U-27, RFC5681-17, RFC2018-03
    pub(super) fn process_text(
        &mut self,
        ctx: &mut Context<'_>,
        segment: &Segment,
        span: Span,
        pushed: bool,
    ) -> Step {
        if !self.state.may_receive() {
            ctx.counters.in_after_fin += 1;
            return Step::Next;
        }
        if self.is_orphan() || self.is_shut() {
            // Nobody will ever read this: say so (RFC 9293, 3.6.1).
            ctx.counters.in_after_close += 1;
            self.fail(ConnectionError::Reset);
            return Step::Reset(segment.clone());
        }
        let overfull = self.rcv.is_overfull();
        if overfull || self.rcv.is_short(segment.seq, span.len()) {
            ctx.counters.in_receive_full += 1;
            if overfull {
                // Silence would say that nobody is there. Short of storage it has the peer send less.
                self.rcv.ack.demand();
            }
            return Step::Next;
        }
        if !self.rcv.assembler.is_empty()
            && let Some((left, right)) = self.rcv.assembler.overlap(segment.seq, segment.end())
        {
            // req: RFC2883-04
            self.note_duplicate(left, right);
        }
        if segment.seq != self.rcv.nxt {
            self.keep_out_of_order(ctx, segment.seq, span);
            return Step::Next;
        }
        // A peer that sends little at a time must not have much kept for it until somebody reads.
        let span = match segment.len <= storage::COPYBREAK {
            true => storage::bounded(span, ctx.small),
            false => Ok(span),
        };
        let Ok(span) = span else {
            ctx.counters.in_no_memory += 1;
            return Step::Next;
        };
        let seen = segment.len.min(self.largest_received());
        self.rcv.set_mss(self.rcv.mss().max(seen));
        let had_holes = !self.rcv.assembler.is_empty();
        self.rcv.accept(span, ctx.small);
        self.note_time(ctx.now);
        let echo = self.echo_age(ctx.now, segment);
        self.rcv.tune(ctx.now, echo, ctx.config.receive_buffer);
        if self.read_shut {
            ctx.counters.in_read_shut += 1;
            self.rcv.discard_read();
        }
        if had_holes {
            // RFC 5681, 4.2: at once while holes are there, and when one is filled.
            self.rcv.ack.demand();
        }
        let urgency = self.rcv.ack.on_data(segment.len, self.rcv.mss(), pushed);
        if urgency == Urgency::Delayed && !self.timers.is_set(Timer::DelayedAck) {
            let delay = self.rcv.ack.delay(self.snd.rtt.smoothed());
            self.timers.set(Timer::DelayedAck, ctx.now + delay);
        }
        self.note(News::READABLE);
        Step::Next
    }

    /// Keeps data beyond a hole, in storage of its own where it would pin too much, and acknowledges
    /// at once.
    // req: SHLD-31, MAY-13, RFC5681-16, RFC2018-06
    fn keep_out_of_order(&mut self, ctx: &mut Context<'_>, seq: Seq, span: Span) {
        ctx.counters.in_out_of_order += 1;
        self.rcv.ack.demand();
        let Ok(span) = storage::bounded(span, ctx.small) else {
            ctx.counters.in_no_memory += 1;
            return;
        };
        if self.rcv.assembler.insert(seq, span).is_err() {
            ctx.counters.in_assembler_full += 1;
        }
        self.rcv.assembler.tidy(ctx.small);
    }

    /// Has the next acknowledgement report that `left..right` arrived twice, where the peer would understand that.
    fn note_duplicate(&mut self, left: Seq, right: Seq) {
        if self.snd.sack {
            self.rcv.note_duplicate(left, right);
        }
    }

    /// Eighth: the FIN, when everything before it is there.
    // req: U-24, U-25, U-26
    fn check_fin(&mut self, ctx: &mut Context<'_>, segment: &Segment) {
        if !self.state.may_receive() {
            return;
        }
        // A FIN that data has overrun was a lie, and not one to be met again when the numbers come round.
        self.rcv.fin.take_if(|fin| fin.before(self.rcv.nxt));
        if segment.flags.has(Flags::FIN) {
            // Of two the nearer one: where that is a lie, data overruns it.
            let end = segment.seq + segment.len;
            self.rcv.fin = Some(self.rcv.fin.map_or(end, |fin| fin.earlier(end)));
            self.rcv.ack.demand();
        }
        if self.rcv.fin != Some(self.rcv.nxt) {
            return;
        }
        self.rcv.take_fin();
        // Also of one that came before the data: the delay of that data's acknowledgement may end with the connection.
        self.rcv.ack.demand();
        self.note(News::READABLE);
        match self.state {
            State::Established => self.state = State::CloseWait,
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => self.enter_time_wait(ctx),
            _ => {}
        }
    }

    /// Answers something doubtful with an acknowledgement, but not too often (RFC 5961, 7).
    // req: RFC5961-09
    fn challenge(&mut self, ctx: &mut Context<'_>) {
        if ctx.now < self.quiet_until || !ctx.challenges.allow(ctx.now) {
            ctx.counters.challenges_withheld += 1;
            return;
        }
        self.quiet_until = ctx.now + CHALLENGE_INTERVAL;
        ctx.counters.out_challenges += 1;
        self.rcv.ack.demand();
    }
}
