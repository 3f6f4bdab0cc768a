//! A stack with its clock and its two ways to the outside: one for IPv4 and one for IPv6, whose MTUs may differ.

use std::collections::VecDeque;

use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, IpCidr, Stack};
use netstack_sockets::{Errno, Sockets};
use txbuf::{Chain, Checksum, Offloads, Packet};

use crate::opts::Opts;

/// The longest packet.
const LONGEST: usize = 65_535;
/// Deadlines that are looked at in one call; what is left after so many comes with the next.
const DEADLINES: usize = 1 << 20;

/// A stack of a C program.
pub(crate) struct Instance {
    pub(crate) sockets: Sockets,
    pub(crate) now: Instant,
    /// The interfaces of IPv4 and IPv6.
    interfaces: [IfaceId; 2],
    /// Where long packets that come in are copied to.
    arena: Chain,
    /// What the stack sent and nobody took yet: the rest of a super-packet.
    sent: VecDeque<Packet>,
}

impl Instance {
    pub(crate) fn new(opts: &Opts) -> Result<Instance, Errno> {
        let mut stack = Stack::new(Config::new(opts.seed()));
        let has_v6 = opts.addresses.iter().any(|a| matches!(a, IpCidr::Ipv6(_)));
        // IPv6 has an MTU of its own; where it does not, it may have no less than it needs.
        let mtu6 = opts
            .mtu6
            .unwrap_or(if has_v6 { opts.mtu } else { opts.mtu.max(1280) });
        let mut add = |name: &str, mtu| {
            stack
                .add_interface(InterfaceConfig {
                    name: name.into(),
                    mtu,
                    offloads: Offloads::default(),
                })
                .map_err(|_| Errno::EINVAL)
        };
        let interfaces = [add("ipv4", opts.mtu)?, add("ipv6", mtu6)?];
        let [v4, v6] = interfaces;
        for cidr in &opts.addresses {
            let iface = if matches!(cidr, IpCidr::Ipv4(_)) {
                v4
            } else {
                v6
            };
            stack.add_address(iface, *cidr).map_err(|_| Errno::EINVAL)?;
        }
        for (all, iface) in [("0.0.0.0/0", v4), ("::/0", v6)] {
            let via = opts
                .gateways
                .iter()
                .find(|gateway| gateway.is_ipv4() == (iface == v4));
            let all = all.parse().map_err(|()| Errno::EINVAL)?;
            stack
                .add_route(all, iface, via.copied())
                .map_err(|_| Errno::EINVAL)?;
        }
        let arena = Chain::arena(&stack.pools().small);
        Ok(Instance {
            sockets: Sockets::new(stack),
            now: Instant::ZERO,
            interfaces,
            arena,
            sent: VecDeque::new(),
        })
    }

    /// Takes a packet in, copying it.
    pub(crate) fn input(&mut self, packet: &[u8]) -> Result<(), Errno> {
        let [v4, v6] = self.interfaces;
        let iface = match packet.first().map(|byte| byte >> 4) {
            Some(6) => v6,
            Some(_) if packet.len() <= LONGEST => v4,
            _ => return Err(Errno::EINVAL),
        };
        // The arena's segments hold the longest ones too.
        let packet = copy(packet, &mut self.arena, self.sockets.stack())?;
        self.sockets
            .stack_mut()
            .handle_packet(self.now, iface, packet);
        Ok(())
    }

    /// Copies the next packet into `into`; its length, or 0 when there is none.
    pub(crate) fn output(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        self.fill();
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
    fn fill(&mut self) {
        while self.sent.is_empty() {
            let stack = self.sockets.stack_mut();
            let packet = self
                .interfaces
                .iter()
                .find_map(|iface| stack.poll_transmit(self.now, *iface));
            let Some(packet) = packet else {
                return;
            };
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

    /// When something is due, in microseconds; `u64::MAX` when nothing is.
    pub(crate) fn poll_at(&self) -> u64 {
        let at = self.sockets.stack().poll_timeout();
        at.map_or(u64::MAX, |at| {
            at.as_nanos()
                .div_ceil(1000)
                .max(self.now.as_micros().saturating_add(1))
        })
    }

    /// Sets the clock and does what is due.
    pub(crate) fn run(&mut self, now_us: u64) -> Result<(), Errno> {
        let nanos = now_us.checked_mul(1000).ok_or(Errno::EINVAL)?;
        let now = Instant::from_nanos(nanos);
        if now < self.now {
            return Err(Errno::EINVAL);
        }
        self.now = now;
        let stack = self.sockets.stack_mut();
        stack.handle_timeout(now);
        for _ in 0..DEADLINES {
            match stack.poll_timeout() {
                Some(at) if at <= now => stack.handle_timeout(now),
                _ => break,
            }
        }
        Ok(())
    }

    pub(crate) fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        self.sockets.sysctl(name, value)
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
