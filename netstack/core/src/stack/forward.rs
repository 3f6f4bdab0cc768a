//! Packets go through: what is not for this host, when it is a router.

use super::Stack;
use super::hooks::Passage;
use crate::Instant;
use crate::ip::forward::{self, Transit};
use crate::ip::icmp::{IcmpError, TimeExceeded, Unreachable};
use crate::ip::{IfaceId, fragment};
use std::collections::VecDeque;
use txbuf::Packet;

/// Cuts a super-packet: appends the packets for which it stands, with partial checksums. False: it cannot be cut, and
/// what was appended counts for nothing.
pub type Cut = fn(Packet, &mut VecDeque<Packet>) -> bool;

impl Stack {
    /// Whether the packet, as a device has received it, is for somebody else and this host forwards.
    pub(super) fn is_to_be_forwarded(&self, packet: &mut Packet) -> bool {
        self.forwarding.enabled
            && forward::destination(packet).is_some_and(|to| {
                !self.addresses.owns(to) && !self.addresses.is_broadcast(to) && !to.is_multicast()
            })
    }

    /// Sends a packet that came in by `from` on its way, or tells its sender why not (RFC 1812, 5.2).
    pub(super) fn forward(&mut self, now: Instant, from: IfaceId, mut packet: Packet) {
        let transit = match forward::parse(&mut packet) {
            Ok(transit) => transit,
            Err(drop) => {
                drop.count(&mut self.counters.ip);
                if let Some(error) = drop.error() {
                    self.refuse(now, from, error, &packet);
                }
                return;
            }
        };
        let to = match self.next_hop(from, &transit) {
            Ok(to) => to,
            Err(refusal) => {
                if let Some(error) = refusal {
                    self.refuse(now, from, error, &packet);
                }
                return;
            }
        };
        if self.hooked(now, Passage::Through { from, to }, &mut packet) {
            return;
        }
        let Some(mtu) = self.interface(to).map(|interface| interface.mtu()) else {
            return;
        };
        if forward::wire_len(&packet) <= mtu {
            forward::decrement_hop_limit(&mut packet);
            return self.enqueue_transit(now, to, packet);
        }
        if !forward::may_fragment(&packet) {
            self.counters.ip.forward_too_big += 1;
            let mtu = u32::try_from(mtu).unwrap_or(u32::MAX);
            return self.refuse(now, from, IcmpError::TooBig { mtu }, &packet);
        }
        forward::decrement_hop_limit(&mut packet);
        self.forward_in_fragments(now, to, packet, mtu);
    }

    /// The interface by which a packet leaves; else the error that its sender is told, if any. What is wrong is counted.
    // req: RFC3168-24
    fn next_hop(&mut self, from: IfaceId, transit: &Transit) -> Result<IfaceId, Option<IcmpError>> {
        let counters = &mut self.counters.ip;
        if self.addresses.owns(transit.src) || self.addresses.is_broadcast(transit.src) {
            counters.in_bad_source += 1;
            return Err(None);
        }
        if !forward::may_leave_link(transit) {
            counters.forward_out_of_scope += 1;
            return Err(Some(IcmpError::Unreachable(Unreachable::BeyondScope)));
        }
        let Some(route) = self.routes.lookup(transit.dst) else {
            counters.forward_no_route += 1;
            return Err(Some(IcmpError::Unreachable(Unreachable::Network)));
        };
        // The other end of this very link does not have it either, or it would not have come here: on a
        // point-to-point link it must not go back (RFC 4443, 3.1).
        if route.iface == from {
            counters.forward_back += 1;
            return Err(Some(IcmpError::Unreachable(Unreachable::Host)));
        }
        if transit.hop_limit <= 1 {
            counters.forward_hop_limit += 1;
            return Err(Some(IcmpError::TimeExceeded(TimeExceeded::HopLimit)));
        }
        Ok(route.iface)
    }

    /// Tells the sender of a packet to be forwarded, which may be a super-packet, of an error.
    fn refuse(&mut self, now: Instant, from: IfaceId, error: IcmpError, packet: &Packet) {
        self.send_icmp_error(now, from, error, &forward::first_on_wire(packet));
    }

    fn forward_in_fragments(&mut self, now: Instant, to: IfaceId, packet: Packet, mtu: usize) {
        let mut whole = VecDeque::new();
        if packet.meta.gso.is_none() {
            whole.push_back(packet);
        } else if !self
            .forwarding
            .cut
            .is_some_and(|cut| cut(packet, &mut whole))
        {
            self.counters.ip.forward_not_cut += 1;
            return;
        }
        for packet in whole {
            match fragment::fragment(packet, mtu, 0) {
                Ok(fragments) => {
                    for fragment in fragments {
                        self.counters.ip.out_fragments += 1;
                        self.enqueue_transit(now, to, fragment);
                    }
                }
                Err(_) => self.counters.ip.out_fragment_failed += 1,
            }
        }
    }

    fn enqueue_transit(&mut self, now: Instant, to: IfaceId, mut packet: Packet) {
        packet.meta.iface = to.index();
        let Some(interface) = self.interfaces.get_mut(to.index() as usize) else {
            return;
        };
        if interface.push_transit(now, packet) {
            self.counters.ip.forwarded += 1;
        } else {
            self.counters.ip.forward_queue_full += 1;
        }
    }
}

/// Whether a stack is a router, and what it borrows for that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forwarding {
    pub(super) enabled: bool,
    pub(super) cut: Option<Cut>,
}
