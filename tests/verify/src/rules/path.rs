//! What a Packet Too Big says is kept to.

use std::net::IpAddr;

use etherparse::ip_number;

use crate::bounded::Bounded;
use crate::out::{Out, Scope};
use crate::parse::ip::{Ip, Sum};
use crate::parse::{MS, Packet, SEC, ms, u16_at, u32_at};
use crate::rule::rules;

const PATHS: usize = 1024;
/// What is on its way, or already queued, may still be as long as before.
const GRACE: u64 = 1000 * MS;
/// A path may be tried again after this (RFC 8201, 4).
const LIFETIME: u64 = 300 * SEC;

rules! {
    TOO_LONG6 = Error "W-IP6-10", "8201 section 4", "After Packet Too Big, packets to that destination are no longer than it says" [time];
    TOO_LONG_UDP = Warning "W-UDP-05", "8085; 8899", "A datagram that may not be fragmented is no longer than the path is known to take" [time];
}

struct Told {
    mtu: usize,
    /// The packet that was too long.
    quoted: usize,
    time: u64,
    number: u64,
}

pub(super) struct State {
    paths: Bounded<(IpAddr, IpAddr), Told>,
}

impl Default for State {
    fn default() -> State {
        State {
            paths: Bounded::new(PATHS),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        if let Some((mtu, quoted)) = too_big(ip) {
            let told = Told {
                mtu,
                quoted: quoted.total_len,
                time: packet.now,
                number: packet.number,
            };
            self.paths.insert((quoted.source, quoted.destination), told);
            return;
        }
        if self.paths.is_empty() {
            return;
        }
        let Some(told) = self.paths.get(&(ip.source, ip.destination)) else {
            return;
        };
        let since = packet.now.saturating_sub(told.time);
        // What is longer than the packet that was refused is one before segmentation.
        let is_too_long = (told.mtu + 1..=told.quoted).contains(&ip.total_len);
        if !is_too_long || !(GRACE..LIFETIME).contains(&since) || is_before_offload(ip) {
            return;
        }
        let rule = if !ip.is_v4() {
            &TOO_LONG6
        } else if ip.protocol == ip_number::UDP && ip.dont_fragment && ip.fragment.is_none() {
            &TOO_LONG_UDP
        } else {
            return;
        };
        out.add(
            rule,
            Scope::of_packet(packet.timed),
            &[packet.number, told.number],
            format_args!(
                "{} bytes to {}, {:.0} ms after it was said that {} fit",
                ip.total_len,
                ip.destination,
                ms(since),
                told.mtu
            ),
        );
    }
}

fn is_before_offload(ip: &Ip<'_>) -> bool {
    ip.protocol == ip_number::TCP && ip.transport_checksum(ip.payload, 16) == Sum::Partial
}

/// The MTU and the quoted packet of a message that says it was too big.
fn too_big<'a>(ip: &Ip<'a>) -> Option<(usize, Ip<'a>)> {
    let mtu = match (ip.protocol, ip.payload.get(..2)?) {
        (ip_number::ICMP, [3, 4]) => usize::from(u16_at(ip.payload, 6)).max(68),
        (ip_number::IPV6_ICMP, [2, _]) => usize::try_from(u32_at(ip.payload, 4)).ok()?.max(1280),
        _ => return None,
    };
    let quoted = Ip::parse(ip.payload.get(8..)?, usize::MAX).ok()?;
    Some((mtu, quoted))
}
