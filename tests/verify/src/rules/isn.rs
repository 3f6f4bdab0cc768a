//! Initial sequence numbers of one host's connections among each other.

use std::net::IpAddr;

use crate::bounded::Bounded;
use crate::out::Out;
use crate::parse::seq::Seq;
use crate::rule::rules;
use crate::track::View;

const HOSTS: usize = 4096;
/// So many equal steps in a row are no chance.
const STEPS: u32 = 3;

rules! {
    PREDICTABLE = Warning "W-TCPHS-08", "6528 section 3; 9293", "Initial numbers of successive connections cannot be predicted";
}

#[derive(Default)]
struct Host {
    last: Option<Seq>,
    step: Option<i32>,
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
        if !tcp.flags.syn || tcp.flags.rst || view.me().packets > 0 {
            return;
        }
        let Some(host) = self.hosts.entry(view.packet.ip.source, Host::default) else {
            return;
        };
        if let Some(last) = host.last.replace(tcp.seq) {
            let step = tcp.seq.since(last);
            host.equal = if host.step == Some(step) {
                host.equal + 1
            } else {
                1
            };
            host.step = Some(step);
            if host.equal == STEPS {
                out.add(
                    &PREDICTABLE,
                    view.scope(),
                    &[view.number()],
                    format_args!("the last {} initial numbers are {step} apart", STEPS + 1),
                );
            }
        }
    }
}
