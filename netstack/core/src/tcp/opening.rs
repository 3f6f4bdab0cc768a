//! The end of a handshake, and handshakes that carry data (RFC 7413).

use super::Context;
use super::connection::Connection;
use super::fast_open::{Learned, Opening};
use super::handshake::Agreed;
use super::input::{CHALLENGE_INTERVAL, Step};
use super::options::Options;
use super::segment::{Flags, Segment};
use super::state::State;
use super::timer::Timer;
use crate::news::News;
use crate::socket::ConnectionError;
use crate::storage;
use txbuf::Span;

impl Connection {
    /// RFC 9293, 3.10.7.3.
    // req: MUST-10, U-09, U-10, U-11, U-13, RFC5961-04, RFC7323-19, U-31
    pub(super) fn input_syn_sent(
        &mut self,
        ctx: &mut Context<'_>,
        mut segment: Segment,
        payload: Option<Span>,
    ) -> Step {
        let has_ack = segment.flags.has(Flags::ACK);
        let acceptable = segment.ack.after(self.snd.iss) && segment.ack.at_or_before(self.snd.nxt);
        if has_ack && !acceptable {
            ctx.counters.in_bad_ack += 1;
            return Step::Reset(segment);
        }
        if has_ack && segment.flags.has(Flags::RST) {
            ctx.counters.in_resets += 1;
            self.fail(ConnectionError::Refused);
            return Step::Done;
        }
        if segment.flags.has(Flags::RST) || !segment.flags.has(Flags::SYN) {
            ctx.counters.in_bad_flags += 1;
            return Step::Done;
        }
        let offset = self.timestamps.as_ref().map_or(0, |ts| ts.offset);
        let is_v4 = self.flow.remote().is_ipv4();
        let mut agreed = Agreed::from_syn(&segment, is_v4, offset, ctx.config);
        // Ends that open at once do not tell each other.
        agreed.ecn &= has_ack;
        agreed.window = usize::from(self.syn_window);
        self.agree(&agreed, ctx);
        self.hear_user_timeout(&segment);
        // The window of a SYN is never scaled (RFC 7323, 2.2).
        self.snd.open_window(&segment, 0);
        if has_ack {
            self.handshake_due = false;
            self.learn_fast_open(ctx, &segment, agreed.mss);
            self.note_handshake_loss();
            self.advance(ctx, &segment);
            self.rcv.ack.demand();
            self.enter_established(ctx);
            self.snd.resend_refused();
            segment.seq += 1;
            segment.flags = segment.flags.without(Flags::SYN | Flags::FIN);
            let fits = |span: &Span| span.len() <= self.rcv.window.size(self.rcv.nxt);
            if let Some(span) = payload.filter(fits) {
                return self.process_text(ctx, &segment, span, false);
            }
        } else {
            // Both ends opened at once: the SYN goes out again, with an acknowledgement.
            self.state = State::SynReceived;
            self.handshake_due = true;
        }
        Step::Done
    }

    /// The SYN of which the data was taken comes again: the peer seems not to have the answer.
    pub(super) fn answer_again(&mut self, ctx: &mut Context<'_>) -> Step {
        if ctx.now >= self.quiet_until {
            self.quiet_until = ctx.now + CHALLENGE_INTERVAL;
            self.handshake_due = true;
        } else {
            ctx.counters.challenges_withheld += 1;
        }
        Step::Done
    }

    /// A SYN that was sent again leaves its mark on how data begins.
    pub(super) fn note_handshake_loss(&mut self) {
        if self.snd.timeouts > 0 {
            self.snd.on_handshake_loss();
        }
    }

    pub(super) fn enter_established(&mut self, ctx: &Context<'_>) {
        self.state = State::Established;
        // While the handshake was under way the timer may have gone off for nothing.
        if let Some(keep_alive) = self.keep_alive() {
            self.timers.set(Timer::KeepAlive, ctx.now + keep_alive.idle);
        }
        self.begin_search(ctx.config);
        self.note(News::CONNECTED | News::WRITABLE);
        if self.snd.queue.finished() {
            self.state = State::FinWait1;
        }
    }

    /// Whether the peer's SYN brought data that was accepted, and the SYN-ACK is not acknowledged yet.
    #[inline]
    pub(crate) fn is_early(&self) -> bool {
        self.early && self.state == State::SynReceived
    }

    /// Takes the data of the SYN. If there is no storage for it the peer sends it again.
    // req: RFC7413-11
    pub(crate) fn take_early(&mut self, ctx: &mut Context<'_>, payload: Span) {
        if payload.len() > self.rcv.window.size(self.rcv.nxt) {
            ctx.counters.in_beyond_window += 1;
            return;
        }
        let Ok(span) = storage::bounded(payload, ctx.small) else {
            ctx.counters.in_no_memory += 1;
            return;
        };
        self.rcv.accept(span, ctx.small);
        self.note_time(ctx.now);
        self.last_ack = self.rcv.nxt;
        self.note(News::READABLE);
    }

    /// Whether data may leave before the SYN-ACK is acknowledged: the initial window, behind the SYN-ACK.
    // req: RFC7413-15
    pub(super) fn early_data_due(&self) -> bool {
        self.is_early() && self.snd.outstanding() && self.snd.unsent() > 0
    }

    /// What a SYN, or the SYN that answers one, shows of Fast Open: the first time only, for what drops it drops the
    /// next one too.
    // req: RFC7413-09, RFC7413-13
    pub(super) fn show_cookie(&self, options: &mut Options) {
        if self.snd.timeouts == 0
            && let Some(opening) = self.opening()
        {
            options.fast_open = opening.cookie;
        }
    }

    /// The data that a SYN with `options` carries, if any.
    // req: RFC7413-08
    pub(super) fn syn_data(&mut self, options: &Options) -> Option<Span> {
        let (first, len) = (self.is_unsent(), self.snd.queue.len());
        let start = self.snd.iss + 1;
        let opening = self.extras.as_mut()?.opening.as_mut()?;
        if !first {
            return None;
        }
        let room = usize::from(opening.most).saturating_sub(options.emitted_len());
        let len = len.min(room);
        opening.sent = Some(len as u16);
        let span = (len > 0).then(|| self.snd.queue.span(start, len))?;
        opening.sent = Some(span.len() as u16);
        Some(span)
    }

    /// Notes what the SYN-ACK `segment` shows, of a peer that takes segments of `mss` bytes.
    // req: RFC7413-05, RFC7413-06
    pub(super) fn learn_fast_open(&mut self, ctx: &mut Context<'_>, segment: &Segment, mss: u16) {
        let again = self.snd.timeouts > 0;
        let taken = segment.ack.since(self.snd.iss + 1);
        let Some(opening) = self
            .extras
            .as_mut()
            .and_then(|extras| extras.opening.as_mut())
        else {
            return;
        };
        let Some(sent) = opening.sent else { return };
        let asked = opening.cookie.is_some_and(|shown| shown.is_empty());
        let given = segment.options.fast_open.filter(|given| !given.is_empty());
        let refused = again || asked || usize::from(sent) > taken;
        opening.learned = match given {
            Some(given) => Some(Learned::Cookie(given, mss)),
            None if refused => Some(Learned::Refused),
            None => None,
        };
        ctx.counters.fast_open_active += u64::from(sent > 0 && !again && taken > 0);
        ctx.counters.fast_open_failures += u64::from(given.is_none() && refused);
    }

    fn opening(&self) -> Option<&Opening> {
        self.extras.as_ref()?.opening.as_ref()
    }
}
