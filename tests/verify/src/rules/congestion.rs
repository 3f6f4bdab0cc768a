//! How much is under way.

use crate::out::Out;
use crate::rule::rules;
use crate::track::View;

rules! {
    TOO_MUCH = Note "W-CC-06", "5681 section 3.1", "No more is under way than the initial window and what was acknowledged allow" [near whole];
}

#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    acked: u64,
    reported: bool,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let me = view.facts.me;
        self.sides[1 - me].acked += u64::from(view.facts.newly);
        let side = &mut self.sides[me];
        let Some(mss) = view.flow.mss_towards(me).filter(|_| view.flow.from_start) else {
            return;
        };
        if !view.is_new() || view.tcp.len == 0 || side.reported {
            return;
        }
        // Without SACK each duplicate acknowledgement says that a segment has left the network (RFC 5681, 3.2).
        let left = if view.me().sacked.has_holes() {
            0
        } else {
            u64::from(view.me().dups) * u64::from(mss)
        };
        let flight = (u64::from(view.me().surely_under_way()) + u64::from(view.tcp.len))
            .saturating_sub(left);
        // Limited transmit and a tail probe come on top.
        let most = u64::from((10 * mss).max(14_600) + 3 * mss) + side.acked;
        if flight > most {
            side.reported = true;
            out.add(
                &TOO_MUCH,
                view.scope(),
                &[view.number()],
                format_args!("{flight} bytes under way, at most {most} can be allowed"),
            );
        }
    }
}
