//! Timestamps of one host's connections among each other.

use std::net::IpAddr;

use crate::bounded::Bounded;
use crate::out::Out;
use crate::parse::MS;
use crate::parse::seq::Seq;
use crate::rule::rules;
use crate::track::View;

const HOSTS: usize = 4096;
/// So many connections in a row on one clock are no chance.
const CONNECTIONS: u32 = 3;
/// How far a clock of a thousand ticks a second may be off between two of them.
const OFF: i64 = 20;

rules! {
    ONE_CLOCK = Note "W-TS-09", "7323 section 5.4", "The timestamps of different connections do not come from one clock" [time];
}

struct Host {
    time: u64,
    value: u32,
    equal: u32,
}

pub(super) struct State {
    hosts: Bounded<IpAddr, Host>,
}

impl Default for State {
    fn default() -> State {
        State {
            hosts: Bounded::new(HOSTS),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let tcp = view.tcp;
        let Some(stamps) = tcp.options.timestamps else {
            return;
        };
        let is_again = view.me().packets > 0 || view.flow.previous.is_some();
        if !tcp.flags.syn || tcp.flags.rst || is_again {
            return;
        }
        let first = || Host {
            time: view.now(),
            value: stamps.value,
            equal: 0,
        };
        let Some(host) = self.hosts.entry(view.packet.ip.source, first) else {
            return;
        };
        let ticks = i64::from(Seq(stamps.value).since(Seq(host.value)));
        let time = i64::try_from(view.now().saturating_sub(host.time) / MS).unwrap_or(i64::MAX);
        let is_on_clock = ticks.abs_diff(time) <= OFF.unsigned_abs();
        host.equal = if is_on_clock { host.equal + 1 } else { 1 };
        (host.time, host.value) = (view.now(), stamps.value);
        if host.equal == CONNECTIONS {
            out.add(
                &ONE_CLOCK,
                view.scope(),
                &[view.number()],
                format_args!("{CONNECTIONS} connections in a row have timestamps of one clock"),
            );
        }
    }
}
