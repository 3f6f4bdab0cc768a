//! How connections begin.

use crate::out::Out;
use crate::parse::tcp::Options;
use crate::parse::{MS, SEC, ms};
use crate::rule::rules;
use crate::track::View;

/// A tail probe does not follow the last segment sooner.
const PROBE: u64 = 2 * MS;

rules! {
    SYN_ACK = Error "W-TCPHS-01", "9293 section 3.10.7", "A SYN-ACK acknowledges the SYN, and no more than came with it" [whole];
    OTHER_ISN = Warning "W-TCPHS-02", "9293 section 3.10", "A repeated SYN has the same initial number";
    RETRY = Warning "W-TCPHS-03", "6298 section 5", "SYNs are repeated after a second at first, then less and less often" [time];
    REFUSAL = Error "W-TCPHS-05", "9293 section 3.10.7.1", "A SYN to a closed port is refused with RST and ACK, number 0, acknowledging it" [whole];
    EARLY_DATA = Warning "W-TCPHS-10", "7413 section 4.2", "Data in a SYN come with a Fast Open cookie";
    ECN = Error "W-TCPHS-11", "3168 section 6.1.1", "A SYN-ACK agrees to ECN only when the SYN asked" [whole];
    INITIAL_FLIGHT = Warning "W-TCPHS-12", "6928 section 2; 5681 section 3.1", "The first flight is at most 10 segments" [time near whole];
}

#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    syn_gap: u64,
    flight_reported: bool,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        if view.tcp.flags.syn && !view.tcp.flags.rst {
            if view.tcp.flags.ack {
                judge_syn_ack(view, out);
            } else {
                judge_syn(view, out);
            }
            self.judge_retry(view, out);
        }
        judge_refusal(view, out);
        self.judge_flight(view, out);
    }

    fn judge_retry(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let Some(syn) = view.me().syn.as_ref().filter(|syn| syn.seq == view.tcp.seq) else {
            return;
        };
        // A network may copy packets. A repetition has a newer timestamp; without one, only its sender can tell.
        let stamp = |options: &Options| options.timestamps.map(|stamps| stamps.value);
        let may_be_copy = match stamp(&syn.options) {
            Some(value) => stamp(&view.tcp.options) == Some(value),
            None => !view.flow.near(view.facts.me),
        };
        if may_be_copy {
            return;
        }
        // What the other side has sent meanwhile may have asked for it.
        if view
            .peer()
            .last
            .is_some_and(|last| last.time >= syn.last_time)
        {
            return;
        }
        let side = &mut self.sides[view.facts.me];
        let gap = view.now().saturating_sub(syn.last_time);
        let least = if side.syn_gap == 0 {
            900 * MS
        } else {
            (side.syn_gap / 10 * 9).min(60 * SEC)
        };
        if gap < least {
            out.add(
                &RETRY,
                view.scope(),
                &[view.number(), syn.packet],
                format_args!(
                    "repeated after {:.0} ms, the time before after {:.0}",
                    ms(gap),
                    ms(side.syn_gap)
                ),
            );
        }
        side.syn_gap = gap;
    }

    /// Data sent before any were acknowledged.
    fn judge_flight(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (mine, tcp) = (view.me(), view.tcp);
        let side = &mut self.sides[view.facts.me];
        let Some(syn) = mine.syn.as_ref().filter(|_| view.is_new() && tcp.len > 0) else {
            return;
        };
        let start = syn.seq.plus(1);
        let Some(mss) = view.flow.mss_towards(view.facts.me) else {
            return;
        };
        // What is selectively acknowledged has left the network too (RFC 6675, 4).
        let is_first_flight =
            mine.una.is_none_or(|una| !una.after(start)) && !mine.sacked.has_holes();
        // Limited transmit and a tail probe come on top (RFC 3042; RFC 8985, 7.3).
        let is_probe = mine
            .last_new
            .is_some_and(|last| view.now().saturating_sub(last.time) >= PROBE);
        let most = (10 * mss).max(14_600) + mss * (mine.dups.min(2) + u32::from(is_probe));
        let sent = u32::try_from(tcp.seq.plus(tcp.len).since(start)).unwrap_or(0);
        if is_first_flight && syn.len == 0 && sent > most && !side.flight_reported {
            side.flight_reported = true;
            out.add(
                &INITIAL_FLIGHT,
                view.scope(),
                &[view.number()],
                format_args!(
                    "{sent} bytes before the first acknowledgement, with segments of {mss}"
                ),
            );
        }
    }
}

fn judge_syn(view: &View<'_, '_>, out: &mut Out) {
    let (mine, tcp) = (view.me(), view.tcp);
    if let Some(syn) = mine.syn.as_ref()
        && syn.seq != tcp.seq
        && view.peer().packets == 0
    {
        out.add(
            &OTHER_ISN,
            view.scope(),
            &[view.number(), syn.packet],
            format_args!("a SYN with number {} after one with {}", tcp.seq, syn.seq),
        );
    }
    let cookie = tcp.options.fast_open.unwrap_or(0);
    if tcp.len > 0 && cookie == 0 {
        out.add(
            &EARLY_DATA,
            view.scope(),
            &[view.number()],
            format_args!("{} bytes in a SYN without a cookie", tcp.len),
        );
    }
}

fn judge_syn_ack(view: &View<'_, '_>, out: &mut Out) {
    let tcp = view.tcp;
    let Some(asked) = view.peer().syn.as_ref() else {
        return;
    };
    let first = asked.seq.plus(1);
    if tcp.ack_number.before(first) || tcp.ack_number.after(first.plus(asked.len)) {
        out.add(
            &SYN_ACK,
            view.scope(),
            &[view.number(), asked.packet],
            format_args!(
                "acknowledges {} where the SYN has {}",
                tcp.ack_number, asked.seq
            ),
        );
    }
    let asks = asked.flags.ece && asked.flags.cwr;
    if tcp.flags.ece && !tcp.flags.cwr && !tcp.flags.ae && !asks {
        out.add(
            &ECN,
            view.scope(),
            &[view.number(), asked.packet],
            format_args!("ECE on a SYN-ACK whose SYN did not ask for ECN"),
        );
    }
}

fn judge_refusal(view: &View<'_, '_>, out: &mut Out) {
    let tcp = view.tcp;
    let Some(asked) = view.peer().syn.as_ref().filter(|syn| !syn.flags.ack) else {
        return;
    };
    let is_answer_to_syn = view.me().packets == 0 && view.peer().packets == u64::from(asked.times);
    if !tcp.flags.rst || !is_answer_to_syn {
        return;
    }
    let fin = u32::from(asked.flags.fin);
    let expected = asked.seq.plus(1).plus(asked.len).plus(fin);
    if !tcp.flags.ack || tcp.seq.0 != 0 || tcp.ack_number != expected {
        out.add(
            &REFUSAL,
            view.scope(),
            &[view.number(), asked.packet],
            format_args!(
                "a refusal with number {}, {} {}, not RST and ACK with 0 and {expected}",
                tcp.seq,
                if tcp.flags.ack {
                    "acknowledging"
                } else {
                    "without ACK"
                },
                tcp.ack_number
            ),
        );
    }
}
