//! Resets.

use std::collections::VecDeque;

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::parse::{MS, ms};
use crate::rule::rules;
use crate::track::View;

use super::owed::is_established;

/// What was sent this shortly after a packet passed may have been sent before that arrived.
const CROSSING: u64 = 5 * MS;
/// So many segments may be on their way to who answers them.
const TOLD: usize = 32;

rules! {
    UNKNOWN = Error "W-TCPHS-06", "9293 section 3.10.7.1", "A RST without ACK has the number that was acknowledged" [whole near];
    IN_REPLY = Error "W-TCPHS-07", "9293 section 3.5.2", "A RST is not answered with a RST" [whole near];
    SYN_ANSWER = Warning "W-TCPSEQ-12", "5961 section 4", "A SYN on an established connection is answered with an acknowledgement" [whole near];
    STRAY = Error "W-TCPSEQ-15", "5961 section 3.2", "A RST outside the window draws nothing" [time near whole];
    IGNORED = Error "W-TS-08", "7323 section 5.2", "A RST is taken whatever its timestamp" [time near whole];
    HEEDLESS = Error "J-RST-01", "9293 section 3.10.7.4", "Nothing is sent on a connection that a RST at the next number has ended" [time near whole];
    ABORT = Warning "W-CLOSE-05", "9293 section 3.10.5", "An abort has the next number, or the one last acknowledged" [whole near];
}

#[derive(Default)]
pub(super) struct State {
    /// For each side, packets other than RST that it received since it last spoke.
    unanswered: [u32; 2],
    /// A SYN reached an established connection on this side, in this packet.
    stray_syn: [Option<u64>; 2],
    /// The last that reached each side was a RST outside its window: when, and in which packet.
    stray_rst: [Option<(u64, u64)>; 2],
    /// A RST at the next number, whose timestamp was old, reached each side.
    late_rst: [Option<(u64, u64)>; 2],
    /// A RST at exactly the next number reached each side, which ends the connection: when, and in which packet.
    ended: [Option<(u64, u64)>; 2],
    /// What each side was told last that the other expects: a RST may answer any of these segments.
    told: [VecDeque<Seq>; 2],
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        self.judge_ended(view, out);
        if let Some(syn) = self.stray_syn[me].take()
            && (tcp.flags.syn || tcp.flags.rst)
        {
            out.add(
                &SYN_ANSWER,
                view.scope(),
                &[view.number(), syn],
                format_args!(
                    "a SYN on an established connection is answered with {}",
                    if tcp.flags.rst { "RST" } else { "SYN" }
                ),
            );
        }
        self.judge_after(view, out);
        if tcp.flags.rst {
            self.judge_rst(view, out);
        } else {
            self.unanswered[1 - me] += 1;
        }
        self.unanswered[me] = 0;
        if tcp.flags.ack {
            let told = &mut self.told[1 - me];
            if told.len() >= TOLD {
                told.pop_front();
            }
            told.push_back(tcp.ack_number);
        }
        self.note(view);
        if view.facts.is_stray_syn && is_established(view.flow) && !view.flow.is_over() {
            self.stray_syn[1 - me] = Some(view.number());
        }
    }

    /// What a side sends after a RST that it was to ignore, or was not to.
    fn judge_after(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let is_same = view.me().acked.is_some_and(|last| {
            tcp.is_pure_ack() && last.number == tcp.ack_number && last.window == tcp.window
        });
        let stray = self.stray_rst[me].take();
        if let Some((time, packet)) = stray
            && is_same
            && view.now().saturating_sub(time) < CROSSING
        {
            out.add(
                &STRAY,
                view.scope(),
                &[view.number(), packet],
                format_args!("an acknowledgement in reply to a RST outside the window"),
            );
        }
        let Some((time, packet)) = self.late_rst[me].take() else {
            return;
        };
        let is_later = view.now().saturating_sub(time) >= CROSSING;
        if !tcp.flags.rst && !tcp.flags.syn && (is_same || is_later) {
            out.add(
                &IGNORED,
                view.scope(),
                &[view.number(), packet],
                format_args!("the connection goes on after a RST with an old timestamp"),
            );
        }
    }

    /// Looks at a RST as the other side has to.
    fn note(&mut self, view: &View<'_, '_>) {
        let (tcp, peer, other) = (view.tcp, view.peer(), 1 - view.facts.me);
        self.stray_rst[other] = None;
        let (Some(acked), Some(edge)) = (peer.acked, peer.last_edge) else {
            return;
        };
        let is_over = peer.rst.is_some() || peer.fin.is_some() && view.me().fin.is_some();
        let owes = view.me().arrived.to() != Some(acked.number);
        if !tcp.flags.rst || is_over || owes || !is_established(view.flow) {
            return;
        }
        let place = Some((view.now(), view.number()));
        let stamps = tcp.options.timestamps.zip(peer.echo);
        if tcp.seq == acked.number {
            if stamps.is_some_and(|(own, echo)| Seq(own.value).before(Seq(echo))) {
                self.late_rst[other] = place;
            }
        } else if tcp.seq.before(acked.number) || tcp.seq.after(edge) {
            self.stray_rst[other] = place;
        }
    }

    /// What a side sends after a RST that it had to accept, and notes such a RST.
    fn judge_ended(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        if let Some((time, packet)) = self.ended[me]
            && view.now().saturating_sub(time) > CROSSING
            && !tcp.flags.rst
            && !tcp.flags.syn
        {
            out.add(
                &HEEDLESS,
                view.scope(),
                &[view.number(), packet],
                format_args!(
                    "sent {:.1} ms after a RST at the next number",
                    ms(view.now().saturating_sub(time))
                ),
            );
            self.ended[me] = None;
        }
        let peer = view.peer();
        let is_exact = view.me().arrived.to() == Some(tcp.seq)
            && peer.acked.is_some_and(|acked| acked.number == tcp.seq)
            && peer.last_edge.is_some_and(|edge| edge.after(tcp.seq));
        // In TIME-WAIT it may be ignored (RFC 1337), and one with an old timestamp is another rule's.
        let is_over = view.flow.halves.iter().all(|half| half.fin.is_some());
        if tcp.flags.rst && is_exact && !is_over && tcp.options.timestamps.is_none() {
            self.ended[1 - me] = Some((view.now(), view.number()));
        }
    }

    fn judge_rst(&self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, mine, peer) = (view.tcp, view.me(), view.peer());
        if let Some(rst) = peer.rst
            && mine.rst.is_none()
            && self.unanswered[view.facts.me] == 0
            && mine.last.is_some_and(|last| last.packet < rst.packet)
        {
            out.add(
                &IN_REPLY,
                view.scope(),
                &[view.number(), rst.packet],
                format_args!("a RST in reply to a RST"),
            );
        }
        let una = mine.una;
        if tcp.flags.ack {
            let known = mine.nxt.filter(|_| mine.packets > 0);
            if let Some(nxt) = known
                && tcp.seq != nxt
                && una != Some(tcp.seq)
            {
                out.add(
                    &ABORT,
                    view.scope(),
                    &[view.number()],
                    format_args!("a RST with number {}, the next is {nxt}", tcp.seq),
                );
            }
        } else if let Some(acked) = peer.acked
            && !self.told[view.facts.me].contains(&tcp.seq)
            && una != Some(tcp.seq)
            && mine.nxt != Some(tcp.seq)
        {
            out.add(
                &UNKNOWN,
                view.scope(),
                &[view.number(), acked.packet],
                format_args!(
                    "a RST with number {}, acknowledged was {}",
                    tcp.seq, acked.number
                ),
            );
        }
    }
}
