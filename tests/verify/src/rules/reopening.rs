//! How a window opens again.

use crate::out::Out;
use crate::rule::rules;
use crate::track::View;

rules! {
    SILLY = Warning "W-ACK-10", "9293 section 3.8.6.2.2", "A shut window opens by a segment or half of the buffer at least" [near];
}

#[derive(Default)]
pub(super) struct State {
    /// The packet in which each side shut its window.
    shut: [Option<u64>; 2],
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let Some(edge) = view.facts.edge.filter(|_| tcp.flags.ack && !tcp.flags.rst) else {
            return;
        };
        let window = u32::try_from(edge.since(tcp.ack_number)).unwrap_or(0);
        if window == 0 {
            self.shut[me] = Some(view.number());
            return;
        }
        let Some(packet) = self.shut[me].take() else {
            return;
        };
        // What segments the other side sends is known only from those that it has sent.
        let least = view.peer().largest.min(view.me().window / 2);
        let rounding = 1u32 << view.flow.scale(me).unwrap_or(0);
        if window.saturating_add(rounding) <= least {
            out.add(
                &SILLY,
                view.scope(),
                &[view.number(), packet],
                format_args!(
                    "a window that was shut opens by {window} bytes, {least} are the least"
                ),
            );
        }
    }
}
