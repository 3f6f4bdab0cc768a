//! The timestamps option.

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::parse::{SEC, ms};
use crate::rule::rules;
use crate::track::{Data, View};

/// A clock of one to a thousand ticks a second is looked at over so long.
const SPAN: u64 = 10 * SEC;

rules! {
    ABSENT = Error "W-TS-01", "7323 section 3.2", "Once both SYNs have them, timestamps are on every segment but a RST";
    BACK = Error "W-TS-02", "7323 section 3.2; 5.4", "The timestamps of new segments do not go back" [near];
    RATE = Warning "W-TS-03", "7323 section 5.4", "The clock of timestamps ticks once to a thousand times a second" [time near];
    UNHEARD = Error "W-TS-04", "7323 section 3.2", "What is echoed was received" [near whole];
    ECHO_IN_SYN = Warning "W-TS-06", "7323 section 3.2", "The echo of the first SYN is zero";
}

#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    first: Option<(u64, u32)>,
    /// The newest value sent by this side, and the oldest seen.
    newest: Option<u32>,
    oldest: Option<u32>,
    rate_reported: bool,
    /// What it echoed and was not seen to receive, and the packet. The other side's next timestamp tells whether the
    /// capture lost what had it.
    unheard: Option<(u32, u64)>,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let number = &[view.number()];
        let Some(stamps) = tcp.options.timestamps else {
            let expected = view.agreed.is_some_and(|agreed| agreed.timestamps);
            if expected && !tcp.flags.rst && !tcp.flags.syn {
                out.add(
                    &ABSENT,
                    view.scope(),
                    number,
                    format_args!("a segment without timestamps"),
                );
            }
            return;
        };
        if tcp.flags.syn && !tcp.flags.ack && stamps.echo != 0 && !view.facts.is_stray_syn {
            out.add(
                &ECHO_IN_SYN,
                view.scope(),
                number,
                format_args!("the SYN echoes {}", stamps.echo),
            );
        }
        if view.facts.is_stray_syn || tcp.flags.rst {
            return;
        }
        self.settle_echo(view, stamps.value, out);
        self.judge_echo(view, stamps.echo);
        let side = &mut self.sides[me];
        if matches!(view.facts.data, Data::New)
            && let Some(before) = view.me().tsval
            && Seq(stamps.value).before(Seq(before))
            && !tcp.flags.syn
        {
            out.add(
                &BACK,
                view.scope(),
                number,
                format_args!("timestamp {} after {before}", stamps.value),
            );
        }
        let newer = |old: u32| Seq(old).max(Seq(stamps.value)).0;
        side.newest = Some(side.newest.map_or(stamps.value, newer));
        side.oldest = Some(
            side.oldest
                .map_or(stamps.value, |old| Seq(old).min(Seq(stamps.value)).0),
        );
        let (began, value) = *side.first.get_or_insert((view.now(), stamps.value));
        let time = view.now().saturating_sub(began);
        let ticks = Seq(stamps.value).since(Seq(value));
        if time < SPAN || side.rate_reported {
            return;
        }
        let per_second = f64::from(ticks) / (ms(time) / 1e3);
        if !(0.5..=1100.0).contains(&per_second) {
            side.rate_reported = true;
            out.add(
                &RATE,
                view.scope(),
                number,
                format_args!("{ticks} ticks in {:.0} ms", ms(time)),
            );
        }
    }

    /// Nobody echoes what the other has not said yet, or longer ago than the capture goes back.
    fn settle_echo(&mut self, view: &View<'_, '_>, value: u32, out: &mut Out) {
        let [own, other] = self.sides(view.facts.me);
        let Some((echo, packet)) = other.unheard.take() else {
            return;
        };
        let (Some(oldest), Some(newest)) = (own.oldest, own.newest) else {
            return;
        };
        if Seq(echo).after(Seq(value)) || Seq(echo).before(Seq(oldest)) {
            out.add(
                &UNHEARD,
                view.peer_scope(),
                &[packet],
                format_args!("echoes {echo}, received were {oldest} to {newest}"),
            );
        }
    }

    fn judge_echo(&mut self, view: &View<'_, '_>, echo: u32) {
        let [own, heard] = self.sides(view.facts.me);
        let (Some(oldest), Some(newest)) = (heard.oldest, heard.newest) else {
            return;
        };
        let is_heard = !Seq(echo).before(Seq(oldest)) && !Seq(echo).after(Seq(newest));
        // What it acknowledges may have passed the capture after it.
        let is_ahead = view
            .peer()
            .nxt
            .is_some_and(|nxt| view.tcp.ack_number.after(nxt));
        if view.tcp.flags.ack && view.flow.from_start && !is_heard && !is_ahead {
            own.unheard.get_or_insert((echo, view.number()));
        }
    }

    /// The state of side `me` and that of the other.
    fn sides(&mut self, me: usize) -> [&mut Side; 2] {
        let [a, b] = &mut self.sides;
        if me == 0 { [a, b] } else { [b, a] }
    }
}
