//! What a connection sends, asked for one packet at a time.

use super::Context;
use super::connection::Connection;
use super::options::{Options, Timestamps, USER_TIMEOUT_LEN};
use super::segment::{ECT, Flags, Segment};
use super::send::Turn;
use super::seq::Seq;
use super::state::State;
use super::timer::Timer;
use crate::Instant;
use txbuf::Span;

/// A segment to send. A payload longer than the segment size is a super-packet, unless it is to leave whole.
pub(crate) struct Outgoing {
    pub(crate) segment: Segment,
    pub(crate) payload: Option<Span>,
    /// One segment, however long: a probe of the path.
    pub(crate) whole: bool,
}

impl Connection {
    /// The next segment to send now, or `None`.
    ///
    /// Pulled: nothing is made before the device has room for it. Call again until `None`.
    pub(crate) fn poll_transmit(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        self.rcv.note_shortage(ctx);
        let outgoing = match self.state {
            State::Closed => None,
            State::SynSent | State::SynReceived => {
                self.handshake(ctx).or_else(|| match self.early_data_due() {
                    true => self.data(ctx),
                    false => None,
                })
            }
            _ => self
                .acknowledge_holes(ctx)
                .or_else(|| self.retransmission(ctx))
                .or_else(|| self.loss_probe(ctx))
                .or_else(|| self.data(ctx))
                .or_else(|| self.window_probe(ctx))
                .or_else(|| self.acknowledgement(ctx))
                .or_else(|| self.keep_alive_probe(ctx)),
        };
        self.watch_outstanding(ctx.now);
        if let Some(outgoing) = &outgoing {
            ctx.counters.out_segments += 1;
            let len = outgoing.payload.as_ref().map_or(0, Span::len);
            let mss = if outgoing.whole { len } else { self.snd.mss };
            self.traffic.on_sent(len, mss);
        }
        if outgoing.is_none() || !self.has_more() {
            self.rest(ctx.now);
        }
        outgoing
    }

    /// Nothing more leaves before something happens: notes why, and what may change that.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.snd.on_nothing_to_send(now);
        self.snd.note_limit(now, self.is_starved());
        self.watch_held_back(now);
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have another segment now. If not, it need not be asked before
    /// something happens.
    pub(crate) fn has_more(&self) -> bool {
        !self.state.is_synchronized()
            || self.rcv.ack.due()
            || self.keep_alive_due
            || self.probe_due
            || self.snd.has_more()
    }

    /// The reset that aborts this connection.
    // req: U-37, RFC7323-22
    pub(crate) fn reset_segment(&self, now: Instant) -> Segment {
        let (local, remote) = (self.flow.local().port(), self.flow.remote().port());
        // The peer believes only a number that its window takes (RFC 5961, 3.2).
        let seq = self.acceptable_seq();
        let flags = Flags::RST | Flags::ACK;
        let mut reset = super::reset::bare(local, remote, seq, self.rcv.nxt, flags);
        reset.options.timestamps = self.timestamps.as_ref().map(|ts| Timestamps {
            val: ts.clock(now),
            ecr: ts.recent(),
        });
        reset
    }

    // req: MUST-14, SHLD-5, U-12, MAY-3, RFC7323-18, MUST-65, MUST-10, RFC2018-01, RFC7323-01, RFC7323-02
    fn handshake(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if self.waits_for_data() || !core::mem::take(&mut self.handshake_due) {
            return None;
        }
        // Also where the peer's SYN brought data.
        let simultaneous = self.state == State::SynReceived;
        let offers_ecn = self.offers_ecn(ctx.config);
        let clock = self
            .timestamps
            .as_ref()
            .map(|ts| (ts.clock(ctx.now), ts.recent()));
        let mut options = Options {
            mss: Some(self.receive_mss),
            window_scale: (!self.unscaled).then_some(self.our_scale),
            sack_permitted: self.snd.sack,
            timestamps: clock.map(|(val, ecr)| Timestamps { val, ecr }),
            ..Options::default()
        };
        self.show_cookie(&mut options);
        options.user_timeout = self.user_timeout_of_syn(options.emitted_len());
        let payload = self.syn_data(&options);
        let len = payload.as_ref().map_or(0, Span::len);
        let segment = Segment {
            src_port: self.flow.local().port(),
            dst_port: self.flow.remote().port(),
            seq: self.snd.iss,
            ack: if simultaneous { self.rcv.nxt } else { Seq(0) },
            // req: RFC3168-06
            flags: match (simultaneous, offers_ecn) {
                (true, _) if self.is_early() && self.snd.ecn.is_enabled() => {
                    Flags::SYN | Flags::ACK | Flags::ECE
                }
                (true, _) => Flags::SYN | Flags::ACK,
                (false, true) => Flags::SYN | Flags::ECE | Flags::CWR,
                (false, false) => Flags::SYN,
            },
            window: self.syn_window,
            urgent: 0,
            options,
            len,
            ecn: 0,
        };
        self.snd.on_send(ctx.now, self.snd.iss, 1 + len);
        self.last_ack = self.rcv.nxt;
        Some(Outgoing {
            segment,
            payload,
            whole: false,
        })
    }

    /// While data waits beyond a hole, or something arrived twice, acknowledgements leave alone: they carry the SACK
    /// blocks that would not fit beside data, and only bare ones count as duplicates.
    fn acknowledge_holes(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if self.rcv.has_blocks() {
            self.acknowledgement(ctx)
        } else {
            None
        }
    }

    /// What was lost, again.
    // req: U-42
    fn retransmission(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if !self.state.sends_data() {
            return None;
        }
        if let Some((seq, len)) = self.snd.take_forced() {
            return Some(self.resend(ctx, seq, len));
        }
        let (seq, len) = self.snd.next_retransmission()?;
        self.keeps_pace(ctx.now).then(|| self.resend(ctx, seq, len))
    }

    /// Sends the `len` sequence numbers from `seq` on again; the FIN is the last of them, or none.
    fn resend(&mut self, ctx: &mut Context<'_>, seq: Seq, len: usize) -> Outgoing {
        let data = len.min(self.snd.queue.end().since(seq));
        let first = seq == self.snd.una;
        let outgoing = self.send_at(ctx, seq, data);
        let sent = outgoing.payload.as_ref().map_or(1, Span::len);
        ctx.counters.retransmits += sent.div_ceil(self.snd.mss) as u64;
        // req: RFC6298-10
        if first {
            self.restart_retransmit(ctx.now);
        }
        self.postpone_probe(ctx.now);
        outgoing
    }

    /// A segment that asks about the end of the flight (RFC 8985, 7.3). It is pushed: somebody waits for its
    /// acknowledgement, which Linux does not delay then.
    // req: RFC8985-17
    fn loss_probe(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if !self.snd.take_probe() {
            return None;
        }
        let (seq, len) = self.snd.probe_segment()?;
        ctx.counters.out_loss_probes += 1;
        let resent = seq != self.snd.nxt;
        let mut outgoing = match resent {
            true => self.resend(ctx, seq, len),
            false => self.send_at(ctx, seq, len),
        };
        if outgoing.payload.is_some() {
            outgoing.segment.flags |= Flags::PSH;
        }
        self.snd.on_probe(resent);
        self.restart_retransmit(ctx.now);
        Some(outgoing)
    }

    /// New data, and the FIN behind it.
    // req: U-32, U-33
    fn data(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if !self.state.sends_data() && !self.is_early() {
            return None;
        }
        let nxt = self.snd.nxt;
        let available = self.snd.unsent();
        if available == 0 {
            // A FIN that stands alone is sent whatever the window says: it needs no buffer.
            let fin_unsent = self.snd.fin_seq() == Some(nxt);
            return fin_unsent.then(|| self.send_at(ctx, nxt, 0));
        }
        if ctx.config.slow_start_after_idle {
            self.snd.restart_after_idle(ctx.now);
        }
        match self.path_turn(ctx.now) {
            None => {}
            Some(Turn::Wait) => return None,
            Some(Turn::Now(len)) => return Some(self.path_probe(ctx, len)),
        }
        let len = self.sendable(available);
        if len == 0 || !self.keeps_pace(ctx.now) {
            return None;
        }
        let mut outgoing = self.send_at(ctx, nxt, len);
        self.snd.note_small(outgoing.segment.len);
        self.postpone_probe(ctx.now);
        // req: RFC3168-16, RFC3168-17, RFC3168-20, RFC3168-21, RFC3168-23
        outgoing.segment.ecn = if self.snd.may_be_marked() { ECT } else { 0 };
        if self.snd.ecn.take_reduced() {
            outgoing.segment.flags |= Flags::CWR;
        }
        Some(outgoing)
    }

    /// Whether it is time to find out if the path takes a longer segment. Where the data lies too ragged for one span, it
    /// is not.
    // req: RFC4821-15, RFC8899-02
    fn path_turn(&mut self, now: Instant) -> Option<Turn> {
        if !self.dont_fragment || self.snd.paced_until(now).is_some() {
            return None;
        }
        let turn = self.snd.path_probe(now)?;
        let ragged = |len| self.snd.queue.span(self.snd.nxt, len).len() < len;
        match turn {
            Turn::Now(len) if ragged(len) => None,
            turn => Some(turn),
        }
    }

    /// One segment longer than others: a span over data that would be several.
    // req: RFC4821-05, RFC8899-01
    fn path_probe(&mut self, ctx: &mut Context<'_>, len: usize) -> Outgoing {
        let start = self.snd.nxt;
        let outgoing = self.send_at(ctx, start, len);
        self.snd.on_path_probe(start, len);
        ctx.counters.out_mtu_probes += 1;
        Outgoing {
            whole: true,
            ..outgoing
        }
    }

    /// Whether another packet may leave now; else it is looked at again when one may.
    fn keeps_pace(&mut self, now: Instant) -> bool {
        let held = self.snd.paced_until(now);
        if let Some(until) = held {
            self.timers.set(Timer::Pace, until);
        }
        held.is_none()
    }

    /// How much of `available` bytes leaves in one packet: whole segments, and the rest behind them
    /// unless it should wait (Nagle and silly-window avoidance, RFC 9293, 3.7.4 and 3.8.6.2.1). As Minshall has it, a
    /// tail waits for the small segment before it and not for full ones, which the peer acknowledges without delay.
    // req: SHLD-7, MUST-17, MUST-38, SHLD-28, SHLD-27, MAY-16, MUST-60
    pub(super) fn sendable(&self, available: usize) -> usize {
        let mss = self.snd.mss;
        let most = match self.snd.ecn.is_reduced() {
            // Of a super-packet only the first segment may say so.
            true => mss,
            false => self.snd.largest(),
        };
        let len = available.min(self.snd.usable()).min(most);
        let whole = len - len % mss;
        if len == available {
            let hurries = self.snd.queue.finished() || self.snd.urgent().is_some();
            let waits = !self.nodelay && self.snd.small_outstanding();
            let tail_leaves = hurries || !self.more && !self.cork && !waits;
            return if tail_leaves { len } else { whole };
        }
        if whole == 0 && len >= self.snd.max_wnd() / 2 {
            return len;
        }
        whole
    }

    /// A little data beyond what the window allows, because nothing else would ever leave.
    // req: MUST-36, SHLD-30
    fn window_probe(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if !core::mem::take(&mut self.probe_due) || self.snd.unsent() == 0 || self.snd.outstanding()
        {
            return None;
        }
        ctx.counters.out_window_probes += 1;
        if self.snd.wnd() == 0 {
            // The next one comes as the repetition of this, after twice the time.
            self.snd.rtt.back_off();
        }
        let len = self.snd.wnd().clamp(1, self.snd.mss).min(self.snd.unsent());
        Some(self.send_at(ctx, self.snd.nxt, len))
    }

    // req: RFC5681-32, MUST-59
    fn acknowledgement(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if !self.rcv.ack.due() {
            return None;
        }
        let segment = self.header(ctx, self.acceptable_seq(), Flags::ACK, 0);
        Some(Outgoing {
            segment,
            payload: None,
            whole: false,
        })
    }

    /// The number of a segment without data: SND.NXT, but not that behind a probe of the window or beyond one that shrank.
    /// What is beyond its window a peer drops with what it acknowledges, and would wait for that for ever.
    fn acceptable_seq(&self) -> Seq {
        let edge = self.snd.una + self.snd.wnd();
        self.snd.nxt.earlier(edge)
    }

    // req: SHLD-12
    fn keep_alive_probe(&mut self, ctx: &mut Context<'_>) -> Option<Outgoing> {
        if !core::mem::take(&mut self.keep_alive_due) {
            return None;
        }
        let segment = self.header(ctx, self.snd.nxt - 1, Flags::ACK, 0);
        Some(Outgoing {
            segment,
            payload: None,
            whole: false,
        })
    }

    /// Sends `len` bytes from `seq` on, with the FIN if it stands right behind them.
    // req: MUST-61, U-33
    fn send_at(&mut self, ctx: &mut Context<'_>, seq: Seq, len: usize) -> Outgoing {
        let mut payload = (len > 0).then(|| self.snd.queue.span(seq, len));
        if let Some(span) = &mut payload
            && span.len() < len
            && span.len() > self.snd.mss
        {
            let whole = span.len() - span.len() % self.snd.mss;
            // Cutting to a length below the span's own cannot fail; if it did, the whole span would
            // go out, which is right too.
            let _ = span.truncate(whole);
        }
        let len = payload.as_ref().map_or(0, Span::len);
        let end = seq + len;
        let mut flags = Flags::ACK;
        if len > 0 && end == self.snd.queue.end() {
            flags |= Flags::PSH;
        }
        let fin = self.snd.fin_seq() == Some(end) && self.state.sends_data();
        if fin {
            flags |= Flags::FIN;
        }
        let segment = self.header(ctx, seq, flags, len);
        self.snd.on_send(ctx.now, seq, len + usize::from(fin));
        Outgoing {
            segment,
            payload,
            whole: false,
        }
    }

    /// The header of a segment from `seq` on, with everything that is to be acknowledged.
    // req: U-44, RFC7323-20, RFC7323-21, RFC2018-01, RFC2018-05, RFC7323-26
    fn header(&mut self, ctx: &Context<'_>, seq: Seq, flags: Flags, len: usize) -> Segment {
        let clock = self
            .timestamps
            .as_ref()
            .map(|ts| (ts.clock(ctx.now), ts.recent()));
        let mut options = Options {
            timestamps: clock.map(|(val, ecr)| Timestamps { val, ecr }),
            ..Options::default()
        };
        if let Some(extras) = &mut self.extras
            && len + USER_TIMEOUT_LEN <= self.snd.mss
        {
            options.user_timeout = extras.user_timeout.take_due();
        }
        if self.snd.sack && len == 0 && self.rcv.has_blocks() {
            options.sack = self.rcv.take_blocks(options.room_for_sack());
        }
        let mut flags = flags;
        if self.rcv.ecn.echoes() {
            flags |= Flags::ECE;
        }
        let urgent = self.snd.urgent_pointer(seq);
        if urgent.is_some() {
            flags |= Flags::URG;
        }
        self.timers.stop(Timer::DelayedAck);
        self.rcv.ack.on_sent(len > 0);
        self.last_ack = self.rcv.nxt;
        Segment {
            src_port: self.flow.local().port(),
            dst_port: self.flow.remote().port(),
            seq,
            ack: self.rcv.nxt,
            flags,
            window: self.rcv.advertise(),
            urgent: urgent.unwrap_or(0),
            options,
            len,
            ecn: 0,
        }
    }
}
