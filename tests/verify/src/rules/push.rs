//! The PSH flag.

use crate::out::Out;
use crate::parse::seq::Seq;
use crate::parse::{SEC, ms};
use crate::rule::rules;
use crate::track::View;

/// Whoever is silent for so long, and could send, had no more to send.
const SILENCE: u64 = SEC;

rules! {
    UNPUSHED = Note "W-TCPFMT-11", "9293 section 3.9.1", "The last segment before a silence has PSH" [time near whole];
}

#[derive(Default)]
pub(super) struct State {
    /// Of each side, the segment that reaches furthest: its end, its packet, whether it has PSH.
    last: [Option<(Seq, u64, bool)>; 2],
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, mine, peer) = (view.tcp, view.me(), view.peer());
        let last = &mut self.last[view.facts.me];
        if tcp.len == 0 || tcp.flags.syn || tcp.flags.rst {
            return;
        }
        let silent = [mine.last, peer.last, mine.una_moved]
            .into_iter()
            .flatten()
            .map(|mark| view.now().saturating_sub(mark.time))
            .min();
        let room = peer.last_edge.zip(mine.nxt);
        let had_room = room.is_some_and(|(edge, nxt)| edge.since(nxt) >= mine.largest as i32);
        if let Some((end, packet, false)) = *last
            && let Some(silent) = silent.filter(|time| *time >= SILENCE)
            && tcp.seq == end
            && mine.flight() == 0
            && had_room
        {
            out.add(
                &UNPUSHED,
                view.scope(),
                &[packet, view.number()],
                format_args!("no PSH, and nothing followed for {:.0} ms", ms(silent)),
            );
        }
        let end = tcp.seq.plus(tcp.len);
        if last.is_none_or(|(before, ..)| !end.before(before)) {
            *last = Some((end, view.number(), tcp.flags.psh || tcp.flags.fin));
        }
    }
}
