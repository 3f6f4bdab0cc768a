//! Explicit congestion notification.

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::parse::{MS, ms};
use crate::rule::rules;
use crate::track::View;

const CE: u8 = 3;

rules! {
    MISPLACED = Warning "W-ECN-01", "3168 section 6.1", "Only new data of connections that agreed to ECN are marked as capable" [near whole];
    NO_ECHO = Error "W-ECN-02", "3168 section 6.1.3", "After a mark every acknowledgement has ECE until CWR arrives" [near whole];
    UNREDUCED = Warning "W-ECN-04", "3168 section 6.1.2", "After ECE the window is reduced, and new data say so by CWR" [time near whole];
    REDUCED_MARK = Warning "W-ECN-03", "3168 section 6.1.2", "CWR stands on new data" [near whole];
}

#[derive(Default)]
pub(super) struct State {
    /// For each side as a receiver: the mark it has to echo, and the packet that brought it.
    owed: [Option<(Seq, u64)>; 2],
    senders: [Sender; 2],
}

#[derive(Default)]
struct Sender {
    /// When it was first told of a mark since it last reduced its window, and by which packet.
    told: Option<(u64, u64)>,
    /// What its last CWR stood on: what is at or below was marked before.
    reduced: Option<Seq>,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let Some(agreed) = view.agreed else { return };
        let (tcp, me) = (view.tcp, view.facts.me);
        let number = &[view.number()];
        if tcp.flags.rst {
            return;
        }
        let is_new_data = view.is_new() && tcp.len > 0;
        if view.packet.ip.ecn != 0
            && (!agreed.ecn
                || tcp.flags.syn
                || !is_new_data && view.again().is_some()
                || tcp.is_pure_ack())
        {
            let why = if agreed.ecn {
                "no new data"
            } else {
                "no agreement"
            };
            out.add(
                &MISPLACED,
                view.scope(),
                number,
                format_args!("codepoint {} with {why}", view.packet.ip.ecn),
            );
        }
        if !agreed.ecn || tcp.flags.syn {
            return;
        }
        if tcp.flags.cwr && !is_new_data {
            out.add(
                &REDUCED_MARK,
                view.scope(),
                number,
                format_args!("CWR without new data"),
            );
        }
        self.judge_reduction(view, out);
        if tcp.flags.ack
            && !tcp.flags.ece
            && let Some((end, packet)) = self.owed[me]
            && !tcp.ack_number.before(end)
        {
            out.add(
                &NO_ECHO,
                view.scope(),
                &[view.number(), packet],
                format_args!(
                    "acknowledges {} without ECE, a mark came with what ends at {end}",
                    tcp.ack_number
                ),
            );
            self.owed[me] = None;
        }
        if tcp.flags.cwr {
            self.owed[1 - me] = None;
        }
        if view.packet.ip.ecn == CE && tcp.len > 0 {
            self.owed[1 - me].get_or_insert((tcp.end(), view.number()));
        }
    }
    fn judge_reduction(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me, now) = (view.tcp, view.facts.me, view.now());
        let other = &mut self.senders[1 - me];
        let is_later = other.reduced.is_none_or(|seq| tcp.ack_number.after(seq));
        if tcp.flags.ece && tcp.flags.ack && is_later && view.facts.newly > 0 {
            other.told.get_or_insert((now, view.number()));
        }
        let own = &mut self.senders[me];
        if !view.is_new() || tcp.len == 0 {
            return;
        }
        if tcp.flags.cwr {
            own.told = None;
            own.reduced = Some(tcp.end());
        }
        let Some((since, packet)) = own.told else {
            return;
        };
        let time = now.saturating_sub(since);
        let rtt = view.me().rtt.unwrap_or(0);
        if time > rtt.saturating_mul(2).saturating_add(100 * MS) && !view.me().is_recovering() {
            own.told = None;
            out.add(
                &UNREDUCED,
                view.scope(),
                &[view.number(), packet],
                format_args!("new data without CWR {:.0} ms after ECE", ms(time)),
            );
        }
    }
}
