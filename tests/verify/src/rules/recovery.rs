//! What a sender does about a loss, and how much it sends then.

use crate::out::Out;
use crate::parse::{MS, ms};
use crate::rule::rules;
use crate::track::{Track, View};

use super::retransmit::is_after_silence;

/// What is sent this soon after a timeout was not paced, and nobody has acknowledged anything.
const BURST: u64 = 100 * MS;

rules! {
    TIMEOUT_FLIGHT = Warning "W-RTX-04", "5681 section 3.1", "After a timeout one segment is under way" [time near whole];
    SLOW = Warning "W-RTX-05", "5681 section 3.2; 8985 section 6.2", "A loss is repaired when three segments beyond it have arrived, and not only by a timer" [time near whole];
}

#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    timeout: Option<Timeout>,
    /// Equal acknowledgements in a row, by number and window.
    equal: u32,
}

struct Timeout {
    time: u64,
    packet: u64,
    bytes: u32,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let me = view.facts.me;
        self.hear(view);
        if view.tcp.len == 0 || view.tcp.flags.syn || view.tcp.flags.rst {
            return;
        }
        self.judge_flight(view, out);
        if let Some(again) = view.again().filter(|again| again.at_una && !again.acked)
            && is_after_silence(view, again)
        {
            if again.times == 1 && !view.me().is_recovering() && self.shows_loss(view) {
                out.add(
                    &SLOW,
                    view.scope(),
                    &[view.number(), again.last_packet],
                    format_args!(
                        "sent again only after {:.0} ms, though what followed it had arrived",
                        ms(again.since)
                    ),
                );
            }
            self.sides[me].timeout = Some(Timeout {
                time: view.now(),
                packet: view.number(),
                bytes: view.tcp.len,
            });
        }
    }

    fn hear(&mut self, view: &View<'_, '_>) {
        let tcp = view.tcp;
        let sender = &mut self.sides[1 - view.facts.me];
        sender.timeout = None;
        let last = view.me().acked.map(|ack| (ack.number, ack.window));
        let is_equal = last == Some((tcp.ack_number, tcp.window)) && tcp.is_pure_ack();
        sender.equal = match is_equal && view.peer().flight() > 0 {
            true => sender.equal + 1,
            false => 0,
        };
    }

    /// Whether what has been heard tells that the first unacknowledged segment is lost.
    fn shows_loss(&self, view: &View<'_, '_>) -> bool {
        let largest = view.me().largest;
        if view.agreed.is_some_and(|agreed| agreed.sack) {
            return largest > 0 && view.me().sacked.held() >= 4 * largest;
        }
        self.sides[view.facts.me].equal >= 3
    }

    fn judge_flight(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let Some(most) = most_at_once(view.flow, view.facts.me) else {
            return;
        };
        let place = &mut self.sides[view.facts.me].timeout;
        let Some(timeout) = place else { return };
        timeout.bytes = timeout.bytes.saturating_add(view.tcp.len);
        if view.now().saturating_sub(timeout.time) > BURST {
            *place = None;
        } else if timeout.bytes > most {
            out.add(
                &TIMEOUT_FLIGHT,
                view.scope(),
                &[view.number(), timeout.packet],
                format_args!(
                    "{} bytes since a timeout, nothing was heard meanwhile",
                    timeout.bytes
                ),
            );
            *place = None;
        }
    }
}

/// One segment, which may have been cut in two since it was sent first.
fn most_at_once(flow: &Track, side: usize) -> Option<u32> {
    flow.mss_towards(side).map(|mss| 2 * mss)
}
