//! Selective acknowledgements.

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::rule::rules;
use crate::track::View;

rules! {
    UNAGREED = Error "W-SACK-01", "2018 section 2", "SACK blocks are sent only when both SYNs permitted them";
    LENGTH = Error "W-SACK-02", "2018 section 3", "The option holds one to four whole blocks";
    BLOCKS = Error "W-SACK-03", "2018 section 3", "Each block's left edge is before its right one, and blocks are apart";
    UNSENT = Error "W-SACK-04", "2018 section 4", "A block lies within what was sent" [whole];
    UNSEEN = Error "W-SACK-05", "2018 section 4", "A block covers only what has arrived" [near whole];
    FIRST = Warning "W-SACK-06", "2018 section 4", "The first block holds what arrived last" [near whole time];
    DUPLICATE = Warning "W-SACK-07", "2883 section 4", "A block at or below the acknowledgement tells of a duplicate" [near whole];
    TOLD_TWICE = Note "W-SACK-08", "2883 section 4", "A duplicate is told of once" [near whole];
    RENEGED = Warning "W-SACK-09", "2018 section 8", "What was selectively acknowledged is kept" [near whole];
    RESENT = Warning "W-SACK-10", "6675 section 5", "What was selectively acknowledged is not sent again" [near];
    MISSING = Warning "W-SACK-11", "2018 section 4", "An acknowledgement while something is missing has SACK blocks" [near whole];
}

#[derive(Default)]
pub(super) struct State {
    /// For each side, how much of its data was seen to arrive twice.
    again: [u64; 2],
    /// For each side, how often the other told of a duplicate of its data.
    told: [u64; 2],
    /// The last segment with data of each side: where, and whether it left a hole before it.
    last: [Option<(Seq, Seq)>; 2],
    /// Data that came since the other side's last acknowledgement.
    since_ack: [u32; 2],
    /// The first block of each side's last acknowledgement, where it stood above it.
    above: [Option<(Seq, Seq)>; 2],
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        if let Some(odd) = tcp.options.odd_sack {
            out.add(
                &LENGTH,
                view.scope(),
                &[view.number()],
                format_args!("a SACK option of {odd} bytes"),
            );
        }
        let blocks = tcp.options.sack();
        if !blocks.is_empty() {
            judge_form(view, blocks, out);
            self.judge_truth(view, blocks, out);
        } else if tcp.is_pure_ack() {
            self.judge_missing(view, out);
        }
        if tcp.is_pure_ack() {
            judge_kept(view, blocks, out);
        }
        if tcp.flags.ack {
            self.since_ack[1 - me] = 0;
            let first = blocks.first().copied();
            self.above[me] = first.filter(|block| !block.0.before(tcp.ack_number));
        }
        if tcp.seq_len() > 0 && !tcp.flags.syn {
            if view.me().arrived.touches(tcp.seq, tcp.end()) {
                self.again[me] += 1;
            }
            // A FIN is no data.
            self.last[me] = (!view.flow.drops(me, tcp)).then(|| (tcp.seq, tcp.seq.plus(tcp.len)));
            self.since_ack[me] += 1;
        }
        judge_resent(view, out);
    }

    fn judge_truth(&mut self, view: &View<'_, '_>, blocks: &[(Seq, Seq)], out: &mut Out) {
        let (tcp, peer, other) = (view.tcp, view.peer(), 1 - view.facts.me);
        // What came before the capture may be what is reported.
        let Some(nxt) = peer.nxt.filter(|_| peer.is_placed) else {
            return;
        };
        let (left, right) = blocks[0];
        if let Some(&(left, right)) = blocks.iter().find(|block| block.1.after(nxt)) {
            out.add(
                &UNSENT,
                view.scope(),
                &[view.number()],
                format_args!("block {left} to {right}, sent was up to {nxt}"),
            );
            return;
        }
        let above = |block: &&(Seq, Seq)| !block.0.before(tcp.ack_number);
        if let Some(&(left, right)) = blocks
            .iter()
            .filter(above)
            .find(|block| !peer.arrived.covers(block.0, block.1))
        {
            out.add(
                &UNSEEN,
                view.scope(),
                &[view.number()],
                format_args!("block {left} to {right} holds what has not been seen to arrive"),
            );
        }
        // Linux says once more what it said before when a FIN takes the acknowledgement past it.
        let is_left_over = self.above[view.facts.me] == Some((left, right));
        let is_duplicate = left.before(tcp.ack_number) && !is_left_over
            || blocks
                .get(1)
                .is_some_and(|&(l, r)| !left.before(l) && !right.after(r));
        if is_duplicate && self.again[other] == 0 {
            out.add(
                &DUPLICATE,
                view.scope(),
                &[view.number()],
                format_args!("block {left} to {right} tells of a duplicate, none was seen"),
            );
        }
        self.told[other] += u64::from(is_duplicate);
        if is_duplicate && self.again[other] > 0 && self.told[other] > self.again[other] {
            out.add(
                &TOLD_TWICE,
                view.scope(),
                &[view.number()],
                format_args!(
                    "told of duplicates {} times, {} were seen",
                    self.told[other], self.again[other]
                ),
            );
        }
        let Some((seq, end)) = self.last[other].filter(|_| self.since_ack[other] == 1) else {
            return;
        };
        let is_above = seq.after(tcp.ack_number) && end.after(tcp.ack_number);
        if !is_duplicate && is_above && (seq.before(left) || end.after(right)) {
            out.add(
                &FIRST,
                view.scope(),
                &[view.number()],
                format_args!("the first block is {left} to {right}, {seq} to {end} arrived last"),
            );
        }
    }

    fn judge_missing(&self, view: &View<'_, '_>, out: &mut Out) {
        let peer = view.peer();
        let agreed = view.agreed.is_some_and(|agreed| agreed.sack);
        let other = 1 - view.facts.me;
        let has_hole = peer.arrived.has_holes()
            && peer.arrived.to() == Some(view.tcp.ack_number)
            && self.since_ack[other] == 1;
        if agreed && has_hole && peer.fin.is_none() {
            out.add(
                &MISSING,
                view.scope(),
                &[view.number()],
                format_args!(
                    "no SACK block, though bytes after {} have arrived",
                    view.tcp.ack_number
                ),
            );
        }
    }
}

fn judge_form(view: &View<'_, '_>, blocks: &[(Seq, Seq)], out: &mut Out) {
    let number = &[view.number()];
    if view.agreed.is_some_and(|agreed| !agreed.sack) {
        out.add(
            &UNAGREED,
            view.scope(),
            number,
            format_args!("{} blocks without agreement", blocks.len()),
        );
    }
    for (at, &(left, right)) in blocks.iter().enumerate() {
        // A first block may repeat part of the others: then it tells of a duplicate (RFC 2883).
        let overlaps = |&(l, r): &(Seq, Seq)| left.before(r) && right.after(l);
        if !right.after(left) || at > 0 && blocks[at + 1..].iter().any(overlaps) {
            out.add(
                &BLOCKS,
                view.scope(),
                number,
                format_args!("block {left} to {right} is empty, reversed or in another"),
            );
            return;
        }
    }
}

/// With two blocks or fewer there was room for one more.
fn judge_kept(view: &View<'_, '_>, blocks: &[(Seq, Seq)], out: &mut Out) {
    let number = view.tcp.ack_number;
    if blocks.len() > 2 || !view.agreed.is_some_and(|agreed| agreed.sack) {
        return;
    }
    let is_told = |left: Seq, right: Seq| {
        blocks
            .iter()
            .any(|&(l, r)| !left.max(number).before(l) && !right.after(r))
    };
    let islands = view.peer().sacked.islands().iter();
    let lost = islands
        .filter(|island| island.1.after(number))
        .find(|island| !is_told(island.0, island.1));
    if let Some((left, right)) = lost {
        out.add(
            &RENEGED,
            view.scope(),
            &[view.number()],
            format_args!("{left} to {right} had been reported, and no block holds it now"),
        );
    }
}

fn judge_resent(view: &View<'_, '_>, out: &mut Out) {
    let Some(again) = view.again() else { return };
    // A timeout forgets what was selectively acknowledged, and a probe repeats the last segment.
    let is_probe = again.reaches_end || again.since > 200 * crate::parse::MS;
    if again.sacked && !is_probe {
        out.add(
            &RESENT,
            view.scope(),
            &[view.number(), again.last_packet],
            format_args!(
                "{} to {} had been selectively acknowledged",
                view.tcp.seq,
                view.tcp.end()
            ),
        );
    }
}
