//! How many segments one acknowledgement is for.

use crate::out::Out;
use crate::parse::{MS, ms};
use crate::rule::rules;
use crate::track::{Data, Track, View};

/// Two full segments are not kept waiting for longer. Some hosts do for as long as they delay any acknowledgement, when
/// nobody reads.
const PAIR: u64 = 250 * MS;
/// Segments that come this soon after each other could be acknowledged together.
const TOGETHER: u64 = 2 * MS;
/// So many that were not are no chance.
const MANY: u32 = 100;

rules! {
    SECOND = Warning "W-ACK-02", "9293 section 3.8.6.3; 5681 section 4.2", "Every second full segment is acknowledged at once" [time near whole wire];
    NEVER = Note "W-ACK-06", "9293 section 3.8.6.3", "Acknowledgements are delayed at times" [time near whole wire];
}

/// For the data of each side.
#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    /// Full segments in order since the last acknowledgement.
    full: u32,
    /// When the second of them came, and in which packet.
    second: Option<(u64, u64)>,
    last_came: Option<u64>,
    /// Segments close behind another, and those of them before which that one was acknowledged.
    close: u32,
    parted: u32,
    last_packet: u64,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let others = &mut self.sides[1 - me];
        if tcp.flags.ack {
            if let Some((since, packet)) = others.second.take()
                && !tcp.flags.rst
            {
                let waited = view.now().saturating_sub(since);
                if waited > PAIR {
                    out.add(
                        &SECOND,
                        view.scope(),
                        &[view.number(), packet],
                        format_args!("two full segments waited {:.1} ms", ms(waited)),
                    );
                }
            }
            others.full = 0;
        }
        if matches!(view.facts.data, Data::New) && is_full(view) && !view.flow.drops(me, tcp) {
            self.sides[me].comes(view);
        }
    }

    pub(super) fn end(&mut self, flow: &Track, out: &mut Out) {
        for (at, side) in self.sides.iter().enumerate() {
            if side.close >= MANY && side.parted == side.close {
                out.add(
                    &NEVER,
                    flow.scope(1 - at, true),
                    &[side.last_packet],
                    format_args!("each of {} segments was acknowledged alone", side.close),
                );
            }
        }
    }
}

impl Side {
    fn comes(&mut self, view: &View<'_, '_>) {
        let now = view.now();
        if let Some(before) = self.last_came.replace(now)
            && now.saturating_sub(before) < TOGETHER
        {
            self.close += 1;
            self.parted += u32::from(self.full == 0);
        }
        self.last_packet = view.number();
        self.full += 1;
        let edge = view.peer().last_edge;
        let fits = edge.is_none_or(|edge| !view.tcp.end().after(edge));
        if self.full == 2 && fits {
            self.second = Some((now, view.number()));
        }
    }
}

fn is_full(view: &View<'_, '_>) -> bool {
    let options = u32::try_from(view.tcp.header_len).map_or(0, |length| length.saturating_sub(20));
    let most = view.flow.mss_towards(view.facts.me);
    view.tcp.len > 0 && most.is_some_and(|mss| view.tcp.len + options == mss)
}
