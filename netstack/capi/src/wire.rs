//! The two ways to the outside of a stack that nobody drives: one for IPv4 and one for IPv6, whose MTUs may differ.

use std::collections::VecDeque;

use netstack_core::{IfaceId, Instant, InterfaceConfig, IpCidr, Stack};
use netstack_sockets::Errno;
use txbuf::{Chain, Checksum, Offloads, Packet};

use crate::opts::Opts;

/// The longest packet.
const LONGEST: usize = 65_535;

/// The least that a link of IPv6 takes (RFC 8200, 5).
const LEAST_OF_V6: usize = 1280;

/// Packets in and out.
pub(crate) struct Wire {
    /// The interfaces of IPv4 and IPv6.
    interfaces: [IfaceId; 2],
    /// Where long packets that come in are copied to.
    arena: Chain,
    /// What the stack sent and nobody took yet: the rest of a super-packet.
    sent: VecDeque<Packet>,
    /// Whether IPv6 is asked first. They take turns: of neither comes so much that the other must wait.
    v6_first: bool,
}

impl Wire {
    /// Gives a stack its interfaces.
    pub(crate) fn new(stack: &mut Stack, opts: &Opts) -> Result<Wire, Errno> {
        let mtu = opts.mtu.unwrap_or(1500);
        // Where nothing is said of IPv6, it has no less than it needs.
        let mtu6 = opts.mtu6.unwrap_or(mtu.max(LEAST_OF_V6));
        let mut add = |name: &str, mtu| {
            stack
                .add_interface(InterfaceConfig {
                    name: name.into(),
                    mtu,
                    offloads: Offloads::default(),
                })
                .map_err(|_| Errno::EINVAL)
        };
        let interfaces = [add("ipv4", mtu)?, add("ipv6", mtu6)?];
        let [v4, v6] = interfaces;
        for cidr in &opts.addresses {
            let iface = if matches!(cidr, IpCidr::Ipv4(_)) {
                v4
            } else {
                v6
            };
            stack.add_address(iface, *cidr).map_err(|_| Errno::EINVAL)?;
        }
        for ((all, via), iface) in opts.ways()?.into_iter().zip(interfaces) {
            stack
                .add_route(all, iface, via)
                .map_err(|_| Errno::EINVAL)?;
        }
        let arena = Chain::arena(&stack.pools().small);
        Ok(Wire {
            interfaces,
            arena,
            sent: VecDeque::new(),
            v6_first: false,
        })
    }

    /// Takes a packet in, copying it.
    pub(crate) fn input(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        packet: &[u8],
    ) -> Result<(), Errno> {
        let [v4, v6] = self.interfaces;
        let iface = match packet.first().map(|byte| byte >> 4) {
            Some(6) => v6,
            Some(_) if packet.len() <= LONGEST => v4,
            _ => return Err(Errno::EINVAL),
        };
        // The arena's segments hold the longest ones too.
        let packet = copy(packet, &mut self.arena, stack)?;
        stack.handle_packet(now, iface, packet);
        Ok(())
    }

    /// Copies the next packet into `into`; its length, or 0 when there is none.
    pub(crate) fn output(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        self.fill(stack, now);
        let Some(packet) = self.sent.front() else {
            return Ok(0);
        };
        let len = packet.len();
        let place = into.get_mut(..len).ok_or(Errno::EMSGSIZE)?;
        packet.copy_to(0, place).map_err(|_| Errno::EIO)?;
        self.sent.pop_front();
        Ok(len)
    }

    /// Asks the stack for packets until there is one that can leave.
    fn fill(&mut self, stack: &mut Stack, now: Instant) {
        while self.sent.is_empty() {
            let [v4, v6] = self.interfaces;
            let order = if self.v6_first { [v6, v4] } else { [v4, v6] };
            let packet = order
                .iter()
                .find_map(|iface| stack.poll_transmit(now, *iface));
            let Some(packet) = packet else {
                return;
            };
            self.v6_first = !self.v6_first;
            let mut cut = VecDeque::new();
            // A super-packet that cannot be cut is dropped: the stack makes none.
            if drivers::cut(packet, &mut cut).is_err() {
                continue;
            }
            for mut packet in cut {
                let partial = matches!(packet.meta.checksum, Checksum::Partial { .. });
                if !partial || packet.complete_checksum().is_ok() {
                    self.sent.push_back(packet);
                }
            }
        }
    }
}

/// A packet with the bytes of `from`.
fn copy(from: &[u8], arena: &mut Chain, stack: &Stack) -> Result<Packet, Errno> {
    let segment = stack.pools().small.segment();
    if from.len() <= segment {
        return Packet::copy_from(from, arena).map_err(|_| Errno::ENOBUFS);
    }
    let mut long = Chain::arena(&stack.pools().send);
    Packet::copy_from(from, &mut long).map_err(|_| Errno::ENOBUFS)
}
