//! How much is under way.

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::parse::{MS, SEC, ms};
use crate::rule::rules;
use crate::track::View;

/// A timeout is shorter, and a window that is halved for each of them is back at its initial size.
const IDLE: u64 = 20 * SEC;
/// What is sent together; more than this apart, it may be paced.
const TOGETHER: u64 = 5 * MS;

rules! {
    BURST = Warning "W-CC-05", "5681 section 4.1; 6928", "After an idle time no more than the initial window is sent at once" [time near whole];
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
    /// After an idle time: the first number that was sent, when, and in which packet.
    restart: Option<(Seq, u64, u64)>,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let me = view.facts.me;
        self.sides[1 - me].acked += u64::from(view.facts.newly);
        let side = &mut self.sides[me];
        let Some(mss) = view.flow.mss_towards(me).filter(|_| view.flow.from_start) else {
            return;
        };
        if !view.is_new() || view.tcp.len == 0 {
            return;
        }
        side.judge_restart(view, mss, out);
        if side.reported {
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

impl Side {
    fn judge_restart(&mut self, view: &View<'_, '_>, mss: u32, out: &mut Out) {
        let (mine, tcp, now) = (view.me(), view.tcp, view.now());
        let idle = mine
            .last_new
            .map_or(0, |last| now.saturating_sub(last.time));
        if mine.flight() == 0 && idle >= IDLE {
            self.restart = Some((tcp.seq, now, view.number()));
        }
        let Some((from, began, packet)) = self.restart else {
            return;
        };
        let time = now.saturating_sub(began);
        if time > TOGETHER || mine.una.is_some_and(|una| una.after(from)) {
            self.restart = None;
            return;
        }
        let sent = u32::try_from(tcp.seq.plus(tcp.len).since(from)).unwrap_or(0);
        if sent > (10 * mss).max(14_600) + 3 * mss {
            self.restart = None;
            out.add(
                &BURST,
                view.scope(),
                &[view.number(), packet],
                format_args!("{sent} bytes within {:.1} ms after an idle time", ms(time)),
            );
        }
    }
}
