//! Shut windows and silent connections.

use crate::out::Out;
use crate::parse::{MS, SEC, ms};
use crate::rule::rules;
use crate::track::{Data, View};

rules! {
    FIRST_PROBE = Warning "W-ZWP-01", "9293 section 3.8.6.1", "A shut window is probed no sooner than after a timeout" [time near];
    PROBE_GAPS = Warning "W-ZWP-02", "9293 section 3.8.6.1", "Probes become less frequent" [time near];
    UNANSWERED_PROBE = Error "W-ZWP-03", "9293 section 3.8.6.1", "Every probe is answered" [time near whole];
    KEEP_ALIVE = Warning "W-ZWP-06", "9293 section 3.8.4", "Keep-alives come only on idle connections" [time near];
    UNANSWERED_KEEP_ALIVE = Error "W-ZWP-07", "9293 section 3.8.4; 1122", "A keep-alive is answered" [time near whole];
}

#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default, Clone, Copy)]
struct Side {
    /// The last probe: when, in which packet, and how long after the one before.
    last: Option<(u64, u64, u64)>,
    /// Questions since the other side was last heard.
    unanswered: u32,
    shut_at: Option<u64>,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (me, tcp) = (view.facts.me, view.tcp);
        self.sides[1 - me].unanswered = 0;
        if tcp.flags.ack && !tcp.flags.rst {
            let other = &mut self.sides[1 - me];
            if tcp.window == 0 {
                other.shut_at.get_or_insert(view.now());
            } else {
                *other = Side::default();
            }
        }
        match view.facts.data {
            Data::Probe => self.judge_probe(view, out),
            Data::KeepAlive => self.judge_keep_alive(view, out),
            _ => {}
        }
    }

    fn judge_probe(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let side = &mut self.sides[view.facts.me];
        let now = view.now();
        let mut gap = 0;
        if let Some((time, packet, before)) = side.last {
            gap = now.saturating_sub(time);
            if before > 0 && gap < before.min(40 * SEC) / 4 * 5 {
                out.add(
                    &PROBE_GAPS,
                    view.scope(),
                    &[view.number(), packet],
                    format_args!(
                        "probed after {:.0} ms, the time before after {:.0}",
                        ms(gap),
                        ms(before)
                    ),
                );
            }
            if side.unanswered >= 2 && gap >= 500 * MS {
                out.add(
                    &UNANSWERED_PROBE,
                    view.peer_scope(),
                    &[packet, view.number()],
                    format_args!("{} probes were not answered", side.unanswered),
                );
            }
        } else if let Some(shut) = side.shut_at
            && now.saturating_sub(shut) < 150 * MS
        {
            out.add(
                &FIRST_PROBE,
                view.scope(),
                &[view.number()],
                format_args!(
                    "probed {:.0} ms after the window was shut",
                    ms(now.saturating_sub(shut))
                ),
            );
        }
        side.last = Some((now, view.number(), gap));
        side.unanswered += 1;
    }

    fn judge_keep_alive(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let idle = [view.me().last, view.peer().last]
            .iter()
            .flatten()
            .map(|last| view.now().saturating_sub(last.time))
            .min();
        if let Some(idle) = idle
            && idle < 900 * MS
        {
            out.add(
                &KEEP_ALIVE,
                view.scope(),
                &[view.number()],
                format_args!("a keep-alive after {:.0} ms", ms(idle)),
            );
        }
        let side = &mut self.sides[view.facts.me];
        side.unanswered += 1;
        if side.unanswered == 3 {
            out.add(
                &UNANSWERED_KEEP_ALIVE,
                view.peer_scope(),
                &[view.number()],
                format_args!("{} keep-alives were not answered", side.unanswered - 1),
            );
        }
    }
}
