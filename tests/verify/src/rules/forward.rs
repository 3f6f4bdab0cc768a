//! What a router does between two interfaces of one capture.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use etherparse::ip_number;

use super::ip4::SOURCE_ROUTES;
use crate::bounded::Bounded;
use crate::out::{Accused, Out, Scope};
use crate::parse::ip::Ip;
use crate::parse::{Packet, SEC, u16_at};
use crate::rule::rules;

/// Packets that are remembered until they come out again.
const WAITING: usize = 4096;
/// A packet does not take longer through a router.
const TRANSIT: u64 = 2 * SEC;

rules! {
    HEADER = Error "W-IP4-14", "1812 section 5.3.1", "A router takes one off the TTL and leaves the rest of the header";
    EXPIRED = Error "W-IP4-15", "1812 section 5.3.1", "A packet whose TTL is spent is not forwarded";
    NEXT_MTU = Error "W-IP4-16", "1812; 1191", "The next-hop MTU in Fragmentation Needed is less than the packet that did not fit";
    LINK_SCOPE = Error "W-IP4-17", "1812 section 5.3.4", "Limited broadcast and link-scope groups are not forwarded";
    MARTIAN = Warning "W-IP4-18", "1812 section 5.3.7", "Martian addresses are not forwarded";
    SOURCE_ROUTED = Warning "W-IP4-20", "6274; 7126", "Source-routed packets are not forwarded";
    FRAGMENTED = Error "W-IP6-08", "8200 section 4.5", "Routers do not fragment IPv6";
}

/// A packet on its way in.
struct Entered {
    interface: u32,
    time: u64,
    number: u64,
    hop_limit: u8,
    dscp: u8,
    header_len: usize,
}

pub(super) struct State {
    entered: Bounded<u64, Entered>,
    /// IPv6 packets that are whole, by what their first fragment would begin with.
    whole: Bounded<u64, Entered>,
}

impl Default for State {
    fn default() -> State {
        State {
            entered: Bounded::new(WAITING),
            whole: Bounded::new(WAITING),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        judge_next_mtu(packet, out);
        if packet.interfaces < 2 {
            return;
        }
        let key = identity(&packet.ip);
        match self.entered.get(&key) {
            Some(entered)
                if entered.interface != packet.interface
                    && packet.now.abs_diff(entered.time) < TRANSIT =>
            {
                let here = Entered::of(packet);
                // Files are in order of time within an interface only.
                if here.time < entered.time {
                    judge_crossing(packet, &here, entered, out);
                } else {
                    judge_crossing(packet, entered, &here, out);
                }
                self.entered.remove(&key);
            }
            _ => {
                self.judge_router_fragment(packet, out);
                self.entered.insert(key, Entered::of(packet));
            }
        }
    }

    fn judge_router_fragment(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        if ip.is_v4() || ip.payload.len() < 8 {
            return;
        }
        let mut hasher = DefaultHasher::new();
        (ip.source, ip.destination, &ip.payload[..8]).hash(&mut hasher);
        let key = hasher.finish();
        match ip.fragment {
            None => {
                self.whole.insert(key, Entered::of(packet));
            }
            Some(fragment) if fragment.offset == 0 => {
                if let Some(entered) = self.whole.get(&key)
                    && entered.interface != packet.interface
                    && packet.now.abs_diff(entered.time) < TRANSIT
                {
                    out.add(
                        &FRAGMENTED,
                        Scope::of_packet(packet.timed).against(Accused::Unknown),
                        &[packet.number, entered.number],
                        format_args!(
                            "a packet that came in whole goes out in fragments with ID {:#x}",
                            ip.id
                        ),
                    );
                }
            }
            Some(_) => {}
        }
    }
}

impl Entered {
    fn of(packet: &Packet<'_>) -> Entered {
        Entered {
            interface: packet.interface,
            time: packet.now,
            number: packet.number,
            hop_limit: packet.ip.hop_limit,
            dscp: dscp(&packet.ip),
            header_len: packet.ip.header.len(),
        }
    }
}

fn dscp(ip: &Ip<'_>) -> u8 {
    (u16_at(ip.header, 0) >> if ip.is_v4() { 2 } else { 6 }) as u8 & 0x3f
}

/// What stays the same on the way through a router.
fn identity(ip: &Ip<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (
        ip.source,
        ip.destination,
        ip.protocol.0,
        ip.id,
        ip.total_len,
    )
        .hash(&mut hasher);
    ip.fragment
        .map(|fragment| fragment.offset)
        .hash(&mut hasher);
    ip.payload[..ip.payload.len().min(64)].hash(&mut hasher);
    hasher.finish()
}

fn judge_crossing(packet: &Packet<'_>, entered: &Entered, left: &Entered, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed).against(Accused::Unknown);
    let numbers = &[left.number, entered.number];
    let ip = &packet.ip;
    let (before, after) = (entered.hop_limit, left.hop_limit);
    if before == after {
        // The host's own packet, sent to several links, or seen twice; no forwarding.
        return;
    }
    if before <= 1 {
        out.add(
            &EXPIRED,
            scope,
            numbers,
            format_args!("came in with TTL {before} and went out"),
        );
    } else if after != before - 1
        || left.dscp != entered.dscp
        || left.header_len != entered.header_len
    {
        out.add(
            &HEADER,
            scope,
            numbers,
            format_args!(
                "TTL {before} became {after}, DSCP {} became {}, a header of {} bytes {}",
                entered.dscp, left.dscp, entered.header_len, left.header_len
            ),
        );
    }
    judge_addresses(packet, numbers, out);
    if ip.is_v4() && has_source_route(&ip.header[20..]) {
        out.add(
            &SOURCE_ROUTED,
            scope,
            numbers,
            format_args!("a packet with a source route was forwarded"),
        );
    }
}

fn judge_addresses(packet: &Packet<'_>, numbers: &[u64], out: &mut Out) {
    let scope = Scope::of_packet(packet.timed).against(Accused::Unknown);
    let (source, destination) = (packet.ip.source, packet.ip.destination);
    let stays_on_link = match destination {
        IpAddr::V4(to) => to.is_broadcast() || to.octets()[..3] == [224, 0, 0],
        IpAddr::V6(to) => to.is_multicast() && to.octets()[1] & 0x0f <= 2,
    };
    if stays_on_link {
        out.add(
            &LINK_SCOPE,
            scope,
            numbers,
            format_args!("a packet to {destination} was forwarded"),
        );
    }
    let is_martian = |address: IpAddr| match address {
        IpAddr::V4(it) => {
            it.is_loopback() || it.octets()[0] == 0 || it.octets()[0] >= 240 && !it.is_broadcast()
        }
        IpAddr::V6(it) => it.is_loopback() || it.is_unspecified(),
    };
    if is_martian(source) || is_martian(destination) {
        out.add(
            &MARTIAN,
            scope,
            numbers,
            format_args!("a packet from {source} to {destination} was forwarded"),
        );
    }
}

fn has_source_route(mut options: &[u8]) -> bool {
    while let Some((&kind, rest)) = options.split_first() {
        if SOURCE_ROUTES.contains(&kind) {
            return true;
        }
        options = match kind {
            0 => return false,
            1 => rest,
            _ => {
                let length = usize::from(rest.first().copied().unwrap_or(0)).max(1);
                options.get(length..).unwrap_or_default()
            }
        };
    }
    false
}

/// Holds the MTU of Fragmentation Needed against the packet that is quoted.
fn judge_next_mtu(packet: &Packet<'_>, out: &mut Out) {
    let ip = &packet.ip;
    if ip.protocol != ip_number::ICMP || ip.payload.get(..2) != Some(&[3, 4]) {
        return;
    }
    let Some(Ok(quoted)) = ip
        .payload
        .get(8..)
        .map(|quote| Ip::parse(quote, usize::MAX))
    else {
        return;
    };
    let mtu = usize::from(u16_at(ip.payload, 6));
    // Zero is what routers said before RFC 1191.
    if mtu != 0 && mtu >= quoted.total_len {
        out.add(
            &NEXT_MTU,
            Scope::of_packet(packet.timed),
            &[packet.number],
            format_args!(
                "a packet of {} bytes is said not to fit an MTU of {mtu}",
                quoted.total_len
            ),
        );
    }
}
