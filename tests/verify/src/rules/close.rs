//! How connections end.

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::parse::{SEC, ms};
use crate::rule::rules;
use crate::track::{Track, View};

/// What TIME-WAIT is at least in practice (RFC 9293 says four minutes).
const TIME_WAIT: u64 = 60 * SEC;

rules! {
    REUSED = Warning "W-CLOSE-02", "9293 section 3.6.1; 6191", "Ports are not used again in TIME-WAIT unless the number or the timestamp is higher" [time];
    HALF = Error "W-CLOSE-04", "9293 section 3.6", "What arrives after a FIN was sent is still acknowledged" [time near whole];
    BOTH = Error "W-CLOSE-06", "9293 section 3.6", "Both FINs are acknowledged" [time near whole];
}

#[derive(Default)]
pub(super) struct State;

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let Some(previous) = view.flow.previous.filter(|previous| previous.orderly) else {
            return;
        };
        if !tcp.flags.syn || tcp.flags.ack || view.me().packets > 0 {
            return;
        }
        let since = view.now().saturating_sub(previous.closed_at);
        let number_is_higher = previous.nxt[me].is_none_or(|nxt| tcp.seq.after(nxt));
        let time_is_later = match (previous.tsval[me], tcp.options.timestamps) {
            (Some(old), Some(new)) => Seq(new.value).after(Seq(old)),
            _ => false,
        };
        if since < TIME_WAIT && !number_is_higher && !time_is_later {
            out.add(
                &REUSED,
                view.scope(),
                &[view.number()],
                format_args!(
                    "used again {:.0} ms after the end, with number {}",
                    ms(since),
                    tcp.seq
                ),
            );
        }
    }

    pub(super) fn end(&mut self, flow: &Track, now: u64, out: &mut Out) {
        if flow.is_reset() {
            return;
        }
        for side in 0..2 {
            let (own, other) = (&flow.halves[side], &flow.halves[1 - side]);
            let (Some(fin), Some(last)) = (own.fin, other.last_new) else {
                continue;
            };
            let is_acked = other.una == other.nxt;
            let waited = now.saturating_sub(last.time);
            let fits = other
                .nxt
                .zip(own.last_edge)
                .is_none_or(|(nxt, edge)| !nxt.after(edge));
            if is_acked || last.packet < fin.packet || waited < 2 * SEC || !fits {
                continue;
            }
            let rule = if other.fin.is_some() { &BOTH } else { &HALF };
            out.add(
                rule,
                flow.scope(side, true),
                &[last.packet, fin.packet],
                format_args!(
                    "what arrived after the FIN was not acknowledged in {:.0} ms",
                    ms(waited)
                ),
            );
        }
    }
}
