//! Resets.

use crate::out::Out;
use crate::rule::rules;
use crate::track::View;

rules! {
    UNKNOWN = Error "W-TCPHS-06", "9293 section 3.10.7.1", "A RST without ACK has the number that was acknowledged" [whole near];
    IN_REPLY = Error "W-TCPHS-07", "9293 section 3.5.2", "A RST is not answered with a RST" [whole near];
    SYN_ANSWER = Warning "W-TCPSEQ-12", "5961 section 4", "A SYN on an established connection is answered with an acknowledgement" [whole near];
    ABORT = Warning "W-CLOSE-05", "9293 section 3.10.5", "An abort has the next number, or the one last acknowledged" [whole near];
}

#[derive(Default)]
pub(super) struct State {
    /// For each side, packets other than RST that it received since it last spoke.
    unanswered: [u32; 2],
    /// A SYN reached an established connection on this side, in this packet.
    stray_syn: [Option<u64>; 2],
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
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
        if tcp.flags.rst {
            self.judge_rst(view, out);
        } else {
            self.unanswered[1 - me] += 1;
        }
        self.unanswered[me] = 0;
        let is_established = view.flow.halves.iter().all(|half| {
            let syn = half.syn.as_ref().map(|syn| syn.seq);
            half.una.zip(syn).is_some_and(|(una, syn)| una.after(syn))
        });
        if view.facts.is_stray_syn && is_established && !view.flow.is_over() {
            self.stray_syn[1 - me] = Some(view.number());
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
            && tcp.seq != acked.number
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
