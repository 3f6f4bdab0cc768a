//! Which timestamp is echoed.

use std::collections::VecDeque;

use crate::out::Out;
use crate::parse::MS;
use crate::parse::seq::Seq;
use crate::rule::rules;
use crate::track::View;

/// What passed the capture this shortly before may not have been seen by the host beside it.
const UNSEEN: u64 = 5 * MS;
/// So many values are kept that may be echoed as well.
const KEPT: usize = 64;

rules! {
    OTHER_ECHO = Warning "W-TS-05", "7323 section 4.3", "What is echoed came with the segment at the last acknowledgement: the first of several, the one before a hole, the one that fills it" [time near whole wire];
}

/// For each side as a receiver.
#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    /// TS.Recent.
    recent: Option<u32>,
    /// What it may be as well: it came with bytes that were all acknowledged, which some hosts look at.
    or: Option<u32>,
    /// The oldest and newest that came.
    oldest: u32,
    newest: u32,
    /// Values that may be echoed until a little after this time.
    also: VecDeque<(u32, u64)>,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let Some(stamps) = tcp.options.timestamps else {
            return;
        };
        if tcp.flags.rst || view.facts.is_stray_syn {
            return;
        }
        if tcp.flags.ack {
            self.sides[me].judge_echo(view, stamps.echo, out);
        }
        if !view.flow.drops(me, tcp) {
            self.sides[1 - me].comes(view, stamps.value);
        }
    }
}

impl Side {
    fn judge_echo(&mut self, view: &View<'_, '_>, echo: u32, out: &mut Out) {
        let since = view.now().saturating_sub(UNSEEN);
        self.also.retain(|&(_, until)| until >= since);
        let Some(recent) = self.recent else { return };
        let was_heard = !Seq(echo).before(Seq(self.oldest)) && !Seq(echo).after(Seq(self.newest));
        if self.or == Some(echo) {
            (self.recent, self.or) = (self.or, None);
            return;
        }
        let is_right = echo == recent || self.also.iter().any(|&(value, _)| value == echo);
        if was_heard && !is_right && view.flow.from_start {
            out.add(
                &OTHER_ECHO,
                view.scope(),
                &[view.number()],
                format_args!("echoes {echo}, and {recent} came last in order"),
            );
            self.recent = Some(echo);
        }
    }

    /// A segment of the other side (RFC 7323, 4.3): at the last acknowledgement, its timestamp becomes the one to echo.
    fn comes(&mut self, view: &View<'_, '_>, value: u32) {
        let tcp = view.tcp;
        let Some(recent) = self.recent else {
            (self.recent, self.oldest, self.newest) = (Some(value), value, value);
            return;
        };
        self.newest = Seq(self.newest).max(Seq(value)).0;
        if value == recent || Seq(value).before(Seq(recent)) {
            return;
        }
        let acked = view.peer().acked.map(|ack| ack.number);
        // All of it had arrived before: it is not acceptable any more (RFC 9293, 3.10.7.4), but no harm either.
        if view.me().has_arrived(tcp) || tcp.seq_len() > 0 && acked == Some(tcp.end()) {
            self.or = Some(value);
            return;
        }
        let is_at = acked.is_none_or(|acked| !tcp.seq.after(acked) && !tcp.end().before(acked));
        if self.also.len() >= KEPT {
            self.also.pop_front();
        }
        if is_at {
            self.or = None;
            self.also.push_back((recent, view.now()));
            self.recent = Some(value);
        } else {
            // It may be acknowledged before this one is looked at, which then is at the acknowledgement.
            self.also.push_back((value, view.now()));
        }
    }
}
