//! What is left of a connection in TIME-WAIT whose application has let go: enough to answer old segments
//! (RFC 9293, 3.10.7.4) and to know a new connection when it comes (RFC 6191).

use super::TcpConfig;
use super::challenge::Challenges;
use super::connection::Connection;
use super::flow::FlowKey;
use super::input::CHALLENGE_INTERVAL;
use super::options::{Options, Timestamps};
use super::reset;
use super::segment::{Flags, Segment};
use super::seq::Seq;
use crate::Instant;
use crate::counters::TcpCounters;

/// A connection in TIME-WAIT.
#[derive(Debug)]
pub(crate) struct TimeWait {
    pub(crate) flow: FlowKey,
    /// SND.NXT, behind our FIN.
    pub(crate) snd_nxt: Seq,
    /// RCV.NXT, behind the peer's.
    rcv_nxt: Seq,
    /// What was left of the receive window, and how the last acknowledgement said it.
    window: u32,
    field: u16,
    has_timestamps: bool,
    /// TS.Recent, and what our clock is ahead of the stack's.
    recent: u32,
    offset: u32,
    /// Before this, nothing doubtful is answered again.
    quiet_until: Instant,
}

/// What a segment in TIME-WAIT leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing.
    Nothing,
    /// The acknowledgement is to be sent again.
    Answer,
    /// The same, and TIME-WAIT begins anew: the peer's FIN came again.
    Restart,
}

impl TimeWait {
    /// What is to be kept of `connection`, which is in TIME-WAIT.
    pub(crate) fn of(connection: &mut Connection) -> TimeWait {
        let field = connection.rcv.advertise();
        let rcv = &connection.rcv;
        let timestamps = connection.timestamps.as_ref();
        TimeWait {
            flow: connection.flow,
            snd_nxt: connection.snd.nxt,
            rcv_nxt: rcv.nxt,
            window: u32::try_from(rcv.window.size(rcv.nxt)).unwrap_or(u32::MAX),
            field,
            has_timestamps: timestamps.is_some(),
            recent: timestamps.map_or(0, |state| state.recent()),
            offset: timestamps.map_or(0, |state| state.offset),
            quiet_until: connection.quiet_until,
        }
    }

    #[cfg(test)]
    pub(crate) fn new(flow: FlowKey) -> TimeWait {
        TimeWait {
            flow,
            snd_nxt: Seq(1_000),
            rcv_nxt: Seq(5_000),
            window: 100,
            field: 100,
            has_timestamps: true,
            recent: 70,
            offset: 0,
            quiet_until: Instant::ZERO,
        }
    }

    /// TS.Recent, where timestamps were agreed on.
    pub(crate) fn recent(&self) -> Option<u32> {
        self.has_timestamps.then_some(self.recent)
    }

    /// The acknowledgement of the peer's FIN.
    pub(crate) fn acknowledgement(&self, now: Instant) -> Segment {
        let (local, remote) = (self.flow.local().port(), self.flow.remote().port());
        let clock = (now.as_millis() as u32).wrapping_add(self.offset);
        let timestamps = self.recent().map(|recent| Timestamps {
            val: clock,
            ecr: recent,
        });
        Segment {
            window: self.field,
            options: Options {
                timestamps,
                ..Options::default()
            },
            ..reset::bare(local, remote, self.snd_nxt, self.rcv_nxt, Flags::ACK)
        }
    }

    /// Whether a SYN opens a new connection in the place of this one.
    pub(crate) fn gives_way_to(&self, syn: &Segment, config: &TcpConfig) -> bool {
        is_newer(syn, self.recent(), self.rcv_nxt, config)
    }

    /// RFC 9293, 3.10.7.4, for a state in which nothing new can come.
    // req: U-29, RFC1337-01
    pub(crate) fn input(
        &mut self,
        now: Instant,
        segment: &Segment,
        counters: &mut TcpCounters,
        challenges: &mut Challenges,
    ) -> Heard {
        if segment.flags.has(Flags::RST) {
            counters.in_resets_ignored += 1;
            return Heard::Nothing;
        }
        if let Some(recent) = self.recent() {
            let Some(Timestamps { val, .. }) = segment.options.timestamps else {
                counters.in_no_timestamp += 1;
                return Heard::Nothing;
            };
            if (val.wrapping_sub(recent) as i32) < 0 {
                counters.in_paws += 1;
                return match self.repeats(segment) {
                    true => Heard::Answer,
                    false => self.challenge(now, counters, challenges),
                };
            }
        }
        if !self.accepts(segment) {
            counters.in_out_of_window += 1;
            let repeated = segment.flags.has(Flags::FIN) && segment.end() == self.rcv_nxt;
            return match repeated {
                true => Heard::Restart,
                false if self.repeats(segment) => Heard::Answer,
                false => self.challenge(now, counters, challenges),
            };
        }
        if segment.flags.has(Flags::SYN) {
            return self.challenge(now, counters, challenges);
        }
        if !segment.flags.has(Flags::ACK) {
            counters.in_bad_flags += 1;
        } else if segment.ack.after(self.snd_nxt) {
            counters.in_bad_ack += 1;
            return self.challenge(now, counters, challenges);
        } else {
            self.note_timestamp(segment);
            counters.in_after_fin += u64::from(segment.len > 0);
        }
        Heard::Nothing
    }

    /// The update of TS.Recent (RFC 7323, 5.3, R3), from a segment that proved acceptable.
    // req: RFC7323-37
    fn note_timestamp(&mut self, segment: &Segment) {
        if let Some(Timestamps { val, .. }) = segment.options.timestamps
            && segment.seq.at_or_before(self.rcv_nxt)
        {
            self.recent = val;
        }
    }

    /// Whether any of the segment lies in the window.
    fn accepts(&self, segment: &Segment) -> bool {
        let edge = self.rcv_nxt + self.window.max(1) as usize;
        let inside = |seq: Seq| seq.at_or_after(self.rcv_nxt) && seq.before(edge);
        let len = segment.seq_len();
        inside(segment.seq) || len > 0 && inside(segment.seq + (len - 1))
    }

    /// Whether it repeats what was received: the peer lacks our acknowledgement, and sends its end only after it. What is
    /// older than a window is a guess.
    fn repeats(&self, segment: &Segment) -> bool {
        let oldest = self.rcv_nxt - self.window.max(u16::MAX.into()) as usize;
        segment.seq_len() > 0
            && !segment.flags.has(Flags::SYN)
            && segment.seq.at_or_after(oldest)
            && segment.end().at_or_before(self.rcv_nxt)
    }

    /// Answers something doubtful, but not too often (RFC 5961, 7).
    fn challenge(
        &mut self,
        now: Instant,
        counters: &mut TcpCounters,
        challenges: &mut Challenges,
    ) -> Heard {
        if now < self.quiet_until || !challenges.allow(now) {
            counters.challenges_withheld += 1;
            return Heard::Nothing;
        }
        self.quiet_until = now + CHALLENGE_INTERVAL;
        counters.out_challenges += 1;
        Heard::Answer
    }
}

/// Whether a SYN is newer beyond doubt than a connection in TIME-WAIT (RFC 6191, 2) that heard the timestamp `recent`
/// last, if any, and expects `rcv_nxt`.
// req: MAY-2, SHLD-4, RFC6191-01, RFC6191-02, RFC6191-03, RFC6191-04, RFC6191-05
pub(crate) fn is_newer(
    syn: &Segment,
    recent: Option<u32>,
    rcv_nxt: Seq,
    config: &TcpConfig,
) -> bool {
    let ahead = syn.seq.after(rcv_nxt);
    match (recent, syn.options.timestamps.filter(|_| config.timestamps)) {
        (Some(recent), Some(ts)) if ts.val != recent => (ts.val.wrapping_sub(recent) as i32) > 0,
        (None, Some(_)) => true,
        _ => ahead,
    }
}

#[cfg(test)]
mod tests;
