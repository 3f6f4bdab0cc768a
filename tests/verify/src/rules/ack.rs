//! When and how acknowledgements are sent.

use crate::out::{Out, Scope};
use crate::parse::seq::Seq;
use crate::parse::{MS, ms};
use crate::rule::{Rule, rules};
use crate::track::{Data, Track, View};

/// A delayed acknowledgement may wait no longer than this.
const DELAY: u64 = 500 * MS;
/// What arrived longer ago than this has been answered.
const ANSWERED: u64 = 200 * MS;
/// Equal acknowledgements in turn that make a war.
const WAR: u32 = 6;

rules! {
    LATE = Error "W-ACK-01", "9293 section 3.8.6.3; 5681 section 4.2", "Data in order are acknowledged within 500 ms" [time near whole];
    TOO_MANY = Warning "W-ACK-03", "5681 section 4.2", "There is no more than one pure acknowledgement for a segment, window updates aside" [near whole wire];
    SLOW_DUP = Warning "W-ACK-04", "5681 section 4.2", "What comes out of order is acknowledged at once" [time near whole];
    SLOW_FILL = Warning "W-ACK-05", "5681 section 4.2", "What fills a hole is acknowledged at once" [time near whole];
    NUMBER = Error "W-ACK-07", "9293 section 3.10.7.4", "A pure acknowledgement has the next sequence number of its sender" [near whole];
    TWIN = Warning "W-ACK-08", "9293 section 3.8.6.3", "An acknowledgement is not sent again when nothing has arrived since" [time near whole wire];
    UNRECEIVED = Error "J-ACK-01", "9293 section 3.4", "Nothing is acknowledged that has not arrived" [near whole];
    WAR_RULE = Error "W-ACK-09", "9293; 5961", "Two sides do not answer acknowledgements with acknowledgements" [whole];
}

#[derive(Default)]
pub(super) struct State {
    /// For the data of each side: when the oldest that the other has not acknowledged came, and in which packet.
    waiting: [Option<Waiting>; 2],
    /// Segments that reached each side since it last acknowledged; credit for pure acknowledgements.
    arrivals: [u32; 2],
    /// Equal acknowledgements that answer each other, and who sent the last of them.
    war: u32,
    war_of: usize,
    /// A number beyond what its side was seen to send, and the packet.
    ahead: [Option<(Seq, u64)>; 2],
    /// The last pure acknowledgement of each side.
    said: [Option<Said>; 2],
}

#[derive(Clone, PartialEq, Eq)]
struct Said {
    seq: Seq,
    number: Seq,
    window: u16,
    has_ece: bool,
    blocks: Vec<(Seq, Seq)>,
}

#[derive(Clone, Copy)]
struct Waiting {
    since: u64,
    packet: u64,
    /// Why it must be quick.
    hurry: Option<Hurry>,
}

impl Waiting {
    /// The rule that says how soon it is to be acknowledged, and how soon that is.
    fn rule(self) -> (&'static Rule, u64) {
        match self.hurry {
            None => (&LATE, DELAY),
            Some(Hurry::OutOfOrder) => (&SLOW_DUP, 30 * MS),
            Some(Hurry::Fills) => (&SLOW_FILL, 30 * MS),
        }
    }

    fn is_overdue(self, now: u64) -> bool {
        now.saturating_sub(self.since) > self.rule().1
    }

    fn tell(self, scope: Scope, now: u64, out: &mut Out) {
        let waited = now.saturating_sub(self.since);
        out.add(
            self.rule().0,
            scope,
            &[self.packet],
            format_args!("not acknowledged in {:.1} ms", ms(waited)),
        );
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hurry {
    OutOfOrder,
    Fills,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        self.judge_overdue(view, out);
        if tcp.flags.rst {
            self.waiting = [None; 2];
            return;
        }
        if !tcp.flags.syn {
            self.judge_number(view, out);
        }
        if tcp.is_pure_ack() && !tcp.flags.syn {
            self.judge_twin(view, out);
            self.judge_count(view, out);
        } else {
            self.said[me] = None;
            self.war = 0;
        }
        if tcp.flags.ack {
            self.judge_delay(view, out);
            judge_unreceived(view, out);
        }
        self.arrivals[1 - me] =
            self.arrivals[1 - me].saturating_add(1 + 2 * u32::from(tcp.seq_len() > 0));
    }

    /// At the end of a connection, or of the capture, at `now`: what was not acknowledged until then.
    pub(super) fn end(&mut self, flow: &Track, now: u64, out: &mut Out) {
        for side in 0..2 {
            let late = self.waiting[side].filter(|waiting| waiting.is_overdue(now));
            if let Some(waiting) = late.filter(|_| !flow.is_reset()) {
                waiting.tell(flow.scope(1 - side, true), now, out);
            }
        }
    }

    /// Remembers when a segment that is to be acknowledged arrived.
    pub(super) fn wait(&mut self, view: &View<'_, '_>) {
        let (tcp, me) = (view.tcp, view.facts.me);
        if tcp.flags.rst || tcp.seq_len() == 0 || tcp.flags.syn || view.facts.is_stray_syn {
            return;
        }
        // Who has not spoken may have no connection at all.
        if view.peer().packets == 0 {
            return;
        }
        // What is dropped is challenged at most now and then (RFC 5961, 7).
        if view.flow.drops(me, view.tcp) {
            return;
        }
        let arrived = &view.me().arrived;
        let hurry = match view.facts.data {
            Data::Gap => Some(Hurry::OutOfOrder),
            Data::Late | Data::Again(_)
                if arrived.to() == Some(view.tcp.seq) && arrived.has_holes() =>
            {
                Some(Hurry::Fills)
            }
            _ => None,
        };
        // Repeated bytes are answered under other rules, and a shut window may refuse them.
        let counts = matches!(view.facts.data, Data::New) || hurry.is_some();
        if counts
            && view
                .peer()
                .last_edge
                .is_none_or(|edge| !view.tcp.end().after(edge))
        {
            self.waiting[me].get_or_insert(Waiting {
                since: view.now(),
                packet: view.number(),
                hurry,
            });
        }
    }

    fn judge_delay(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let other = 1 - view.facts.me;
        let Some(waiting) = self.waiting[other].take() else {
            return;
        };
        if waiting.is_overdue(view.now()) {
            let delay = view.now().saturating_sub(waiting.since);
            out.add(
                waiting.rule().0,
                view.scope(),
                &[view.number(), waiting.packet],
                format_args!("acknowledged after {:.1} ms", ms(delay)),
            );
        }
    }

    /// What should have been acknowledged before this segment, which does not do so.
    fn judge_overdue(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let me = view.facts.me;
        let answers = view.tcp.flags.ack && !view.tcp.flags.rst;
        for side in 0..2 {
            let is_answered_now = side != me && answers;
            let late = self.waiting[side].filter(|waiting| waiting.is_overdue(view.now()));
            if let Some(waiting) = late.filter(|_| !is_answered_now) {
                self.waiting[side] = None;
                let scope = view.flow.scope(1 - side, view.packet.timed);
                waiting.tell(scope, view.now(), out);
            }
        }
    }

    /// A number beyond what was seen is judged by what its sender sends next: the capture may have missed something, or
    /// seen it later.
    fn judge_number(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        if let Some((number, packet)) = self.ahead[me].take()
            && tcp.seq.before(number)
            && tcp.end().before(number)
            && !matches!(view.facts.data, Data::KeepAlive | Data::Probe)
        {
            out.add(
                &NUMBER,
                view.scope(),
                &[packet, view.number()],
                format_args!(
                    "an acknowledgement with number {number}, the next is {}",
                    tcp.end()
                ),
            );
        }
        let Some(nxt) = view.me().nxt.filter(|_| tcp.is_pure_ack()) else {
            return;
        };
        let una = view.me().una.unwrap_or(nxt);
        let is_probe = matches!(view.facts.data, Data::KeepAlive | Data::Probe);
        if tcp.seq.after(nxt) {
            self.ahead[me] = Some((tcp.seq, view.number()));
        } else if tcp.seq.before(una) && !is_probe {
            out.add(
                &NUMBER,
                view.scope(),
                &[view.number()],
                format_args!(
                    "an acknowledgement with number {}, the next is {nxt}",
                    tcp.seq
                ),
            );
        }
    }

    fn judge_twin(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let said = Said {
            seq: tcp.seq,
            number: tcp.ack_number,
            window: tcp.window,
            has_ece: tcp.flags.ece,
            blocks: tcp.options.sack().to_vec(),
        };
        let before = self.said[me].replace(said);
        let (Some(own), Some(heard)) = (view.me().last, view.peer().last) else {
            return;
        };
        let is_answer =
            heard.packet > own.packet || view.now().saturating_sub(heard.time) < ANSWERED;
        let is_probe = matches!(view.facts.data, Data::KeepAlive | Data::Probe);
        if before == self.said[me] && !is_answer && !is_probe {
            out.add(
                &TWIN,
                view.scope(),
                &[view.number(), own.packet],
                format_args!(
                    "{} is acknowledged again, and nothing has arrived for {:.0} ms",
                    tcp.ack_number,
                    ms(view.now().saturating_sub(heard.time))
                ),
            );
        }
    }

    fn judge_count(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let same = view
            .me()
            .acked
            .is_some_and(|last| last.number == tcp.ack_number && last.window == tcp.window);
        let is_probe = matches!(view.facts.data, Data::KeepAlive | Data::Probe);
        let is_calm = view.peer().flight() == 0 && view.me().flight() == 0;
        self.war = match same && !is_probe && is_calm {
            // Several in a row may answer several segments that came again.
            true if self.war_of == me => 1,
            true => self.war + 1,
            false => 0,
        };
        self.war_of = me;
        if self.war == WAR {
            out.add(
                &WAR_RULE,
                view.scope(),
                &[view.number()],
                format_args!("{WAR} equal acknowledgements with nothing outstanding"),
            );
        }
        if same && !is_probe {
            if self.arrivals[me] == 0 {
                out.add(
                    &TOO_MANY,
                    view.scope(),
                    &[view.number()],
                    format_args!(
                        "a further acknowledgement of {} with nothing received since",
                        tcp.ack_number
                    ),
                );
            }
            self.arrivals[me] = self.arrivals[me].saturating_sub(1).min(16);
        }
    }
}

/// Where the capture has all that arrived, what it has not did not.
fn judge_unreceived(view: &View<'_, '_>, out: &mut Out) {
    let (flow, me) = (view.flow, view.facts.me);
    // What came before the SYN was no part of the connection.
    let syn = view.peer().syn.as_ref();
    let is_of_data = syn.is_none_or(|syn| view.tcp.ack_number.after(syn.seq.plus(1)));
    if is_of_data && flow.is_complete(me) && flow.acks_unseen(me, view.tcp) {
        let from = view.peer().arrived.to().unwrap_or_default();
        out.add(
            &UNRECEIVED,
            view.scope(),
            &[view.number()],
            format_args!(
                "{} is acknowledged, and what begins at {from} has not arrived",
                view.tcp.ack_number
            ),
        );
    }
}
