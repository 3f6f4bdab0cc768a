//! The flow label of IPv6.

use crate::out::Out;
use crate::parse::u32_at;
use crate::rule::rules;
use crate::track::{Data, View};

rules! {
    CHANGED = Note "W-IP6-09", "6437 section 3", "The flow label stays the same while nothing is sent again" [near whole];
}

#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    /// The last label, and the packet that had it.
    last: Option<(u32, u64)>,
    /// Something was sent again: another path may be tried.
    may_change: bool,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        if view.packet.ip.is_v4() || view.tcp.flags.rst || view.flow.is_over() {
            return;
        }
        if !matches!(view.facts.data, Data::None | Data::New) {
            for side in &mut self.sides {
                side.may_change = true;
            }
        }
        let label = u32_at(view.packet.ip.header, 0) & 0x000f_ffff;
        let side = &mut self.sides[view.facts.me];
        let Some((before, packet)) = side.last.replace((label, view.number())) else {
            return;
        };
        if label != before && !std::mem::take(&mut side.may_change) {
            out.add(
                &CHANGED,
                view.scope(),
                &[view.number(), packet],
                format_args!("label {label:#07x} after {before:#07x}"),
            );
        }
    }
}
