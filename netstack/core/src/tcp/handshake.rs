//! Half-open connections: what a listener remembers of a SYN (RFC 9293, SYN-RECEIVED).

use super::fast_open::Cookie;
use super::flow::FlowKey;
use super::input::CHALLENGE_INTERVAL;
use super::options::{Options, Timestamps};
use super::recv::window::scale_for;
use super::segment::{Flags, Segment};
use super::send::rtt::RttEstimator;
use super::seq::Seq;
use super::{Ecn, TcpConfig};
use crate::Instant;

/// The segment size of a peer that names none (RFC 9293, 3.7.1).
const DEFAULT_MSS_V4: u16 = 536;
const DEFAULT_MSS_V6: u16 = 1220;
/// Segment sizes below this are taken for it: a peer that names one would make every packet a header.
const MIN_MSS: u16 = 64;

/// Where a connection starts from, apart from what the peer says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) flow: FlowKey,
    pub(crate) iss: Seq,
    /// The largest segment that the path to the peer takes, by what this host knows.
    pub(crate) mss: u16,
    /// The largest segment that the interface takes in. What the SYN announces: the way back may be another one
    /// than the path there, and finds its own limit (RFC 1191, 6.1).
    // req: MUST-67, RFC1191-08, RFC2923-04
    pub(crate) receive_mss: u16,
    pub(crate) timestamp_offset: u32,
    /// Whether the path takes packets that forbid fragmentation.
    pub(crate) dont_fragment: bool,
}

/// What the two SYNs of a connection settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) irs: Seq,
    /// The largest segment the peer takes.
    pub(crate) mss: u16,
    /// The shift of the peer's window field; `None` when either end does not scale.
    pub(crate) scale: Option<u8>,
    pub(crate) sack: bool,
    /// The peer's latest timestamp; `None` when either end has none.
    pub(crate) timestamp: Option<u32>,
    pub(crate) timestamp_offset: u32,
    /// Whether both ends understand marks of congestion.
    pub(crate) ecn: bool,
    /// The window that our SYN told the peer.
    pub(crate) window: usize,
}

impl Agreed {
    /// What `syn` says, with what our side offers.
    // req: MUST-15, RFC7323-03
    pub(crate) fn from_syn(syn: &Segment, is_v4: bool, offset: u32, config: &TcpConfig) -> Agreed {
        let default_mss = if is_v4 {
            DEFAULT_MSS_V4
        } else {
            DEFAULT_MSS_V6
        };
        Agreed {
            irs: syn.seq,
            mss: syn.options.mss.unwrap_or(default_mss).max(MIN_MSS),
            scale: syn.options.window_scale,
            sack: syn.options.sack_permitted && config.sack,
            timestamp: syn
                .options
                .timestamps
                .filter(|_| config.timestamps)
                .map(|ts| ts.val),
            timestamp_offset: offset,
            ecn: syn.asks_for_ecn() && config.ecn != Ecn::Off,
            window: syn_window(config),
        }
    }
}

/// The window that a SYN announces: never scaled (RFC 7323, 2.2).
// req: RFC7323-05
pub(crate) fn syn_window(config: &TcpConfig) -> usize {
    config.receive_buffer_at_first().min(usize::from(u16::MAX))
}

/// A half-open connection.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    pub(crate) agreed: Agreed,
    /// What was agreed on before a later SYN of the peer offered less.
    withdrawn: Option<Agreed>,
    our_scale: u8,
    /// SYN-ACKs sent again.
    pub(crate) retries: u32,
    /// When the SYN-ACK left, if it did so once: then its acknowledgement measures the path (RFC 6298, 3).
    pub(crate) sent_once: Option<Instant>,
    /// Whether it left at all.
    sent: bool,
    /// Before this, no SYN-ACK is sent just because somebody asks (RFC 5961, 7).
    pub(crate) quiet_until: Instant,
    /// When the SYN-ACK is to be sent again.
    pub(crate) deadline: Instant,
    /// A SYN-ACK is to leave.
    pub(crate) due: bool,
    /// What the first one gives the peer for its next connections (RFC 7413).
    pub(crate) cookie: Option<Cookie>,
}

impl Request {
    pub(crate) fn new(origin: Origin, agreed: Agreed, now: Instant, config: &TcpConfig) -> Request {
        Request {
            origin,
            agreed,
            withdrawn: None,
            our_scale: scale_for(config.receive_buffer),
            retries: 0,
            sent_once: None,
            sent: false,
            quiet_until: now,
            deadline: now + RttEstimator::default().rto(),
            due: true,
            cookie: None,
        }
    }

    /// The SYN-ACK.
    // req: U-06, RFC7323-06, RFC7323-11, RFC7323-17, MUST-65, RFC2018-01, RFC7323-01, RFC7323-02, MUST-45
    pub(crate) fn syn_ack(&mut self, now: Instant) -> Segment {
        self.due = false;
        self.sent_once = (!core::mem::replace(&mut self.sent, true)).then_some(now);
        self.quiet_until = now + CHALLENGE_INTERVAL;
        let clock = (now.as_millis() as u32).wrapping_add(self.origin.timestamp_offset);
        Segment {
            src_port: self.origin.flow.local().port(),
            dst_port: self.origin.flow.remote().port(),
            seq: self.origin.iss,
            ack: self.agreed.irs + 1,
            // req: RFC3168-06, RFC3168-07, RFC3168-10, RFC3168-11
            flags: if self.agreed.ecn {
                Flags::SYN | Flags::ACK | Flags::ECE
            } else {
                Flags::SYN | Flags::ACK
            },
            window: self.agreed.window as u16,
            urgent: 0,
            options: Options {
                mss: Some(self.origin.receive_mss),
                window_scale: self.agreed.scale.map(|_| self.our_scale),
                sack_permitted: self.agreed.sack,
                timestamps: self.agreed.timestamp.map(|recent| Timestamps {
                    val: clock,
                    ecr: recent,
                }),
                // req: RFC7413-13
                fast_open: self.cookie.take(),
                ..Options::default()
            },
            len: 0,
            ecn: 0,
        }
    }

    /// The peer's SYN came again. One without the bits of ECN means that it will not use it (RFC 3168, 6.1.1), one without
    /// other options that it leaves them out because nobody answers (BSD does). Its time is what is echoed from now on, or
    /// the peer would take its own waiting for the round trip (RFC 7323, 4.3).
    // req: RFC3168-08, RFC7323-37
    pub(crate) fn note_repeated(&mut self, segment: &Segment) {
        let alone = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
        if alone && segment.seq == self.agreed.irs {
            self.withdraw(&segment.options);
        }
        if let (Some(recent), Some(times)) =
            (&mut self.agreed.timestamp, segment.options.timestamps)
            && segment.seq == self.agreed.irs
            && times.val.wrapping_sub(*recent) < 1 << 31
        {
            *recent = times.val;
        }
        if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ECE | Flags::CWR) {
            self.agreed.ecn = false;
        }
    }

    /// Only what this SYN offers as well is agreed on any more.
    fn withdraw(&mut self, offered: &Options) {
        let agreed = &mut self.agreed;
        let less = Agreed {
            scale: agreed.scale.and(offered.window_scale),
            sack: agreed.sack && offered.sack_permitted,
            timestamp: agreed.timestamp.filter(|_| offered.timestamps.is_some()),
            ..*agreed
        };
        if less != *agreed {
            self.withdrawn = Some(core::mem::replace(agreed, less));
        }
    }

    /// `segment` completes the handshake: where it has a timestamp, it answers a SYN-ACK from before they were withdrawn,
    /// and all that this offered holds.
    pub(crate) fn settle(&mut self, segment: &Segment) {
        if segment.options.timestamps.is_some()
            && self.agreed.timestamp.is_none()
            && let Some(first) = self.withdrawn.take_if(|first| first.timestamp.is_some())
        {
            self.agreed = Agreed {
                ecn: self.agreed.ecn,
                ..first
            };
        }
    }

    /// The SYN-ACK was not answered in time. Returns false when it was sent often enough.
    pub(crate) fn on_timeout(&mut self, now: Instant, config: &TcpConfig) -> bool {
        if self.retries >= config.synack_retries {
            return false;
        }
        self.retries += 1;
        self.due = true;
        let mut rtt = RttEstimator::default();
        for _ in 0..self.retries {
            rtt.back_off();
        }
        self.deadline = now + rtt.rto();
        true
    }

    /// What a segment for this half-open connection means.
    // req: U-18, U-19
    pub(crate) fn judge(&self, segment: &Segment) -> Answer {
        let nxt = self.agreed.irs + 1;
        let in_window =
            segment.seq.at_or_after(nxt) && segment.seq.before(nxt + self.agreed.window.max(1));
        if segment.flags.has(Flags::RST) {
            // RFC 5961, 3.2: only the exact number resets; others in the window are challenged.
            return match (segment.seq == nxt, in_window) {
                (true, _) => Answer::Forget,
                (false, true) => Answer::Repeat,
                (false, false) => Answer::Ignore,
            };
        }
        if segment.flags.has(Flags::SYN) {
            return Answer::Repeat;
        }
        if !in_window {
            return Answer::Repeat;
        }
        match (
            segment.flags.has(Flags::ACK),
            segment.ack == self.origin.iss + 1,
        ) {
            (false, _) => Answer::Ignore,
            (true, true) => Answer::Establish,
            (true, false) => Answer::Reset,
        }
    }
}

/// What to do about a segment for a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The handshake is through.
    Establish,
    /// The SYN-ACK is to be sent again: the peer seems not to have it.
    Repeat,
    /// The peer gave up.
    Forget,
    /// The segment acknowledges what was never sent: reset.
    Reset,
    /// Nothing.
    Ignore,
}
