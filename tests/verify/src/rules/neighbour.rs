//! Neighbour discovery and ARP.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use etherparse::{ArpPacketSlice, ip_number};

use crate::bounded::Bounded;
use crate::out::{Out, Scope};
use crate::parse::{MS, Packet, ms};
use crate::rule::rules;

use super::ip6::NEIGHBOUR_DISCOVERY;

const TARGETS: usize = 4096;
const HOSTS: usize = 1024;
const ADDRESSES: usize = 64;
/// Repetitions of a question are a second apart; clocks are not exact.
const RETRY: u64 = 900 * MS;
/// What follows this soon may be the same frame: access points send it on, and mirrors show it twice. Once, that is.
const COPY: u64 = 10 * MS;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_ADDRESS: u8 = 1;

rules! {
    SOLICITATION_RATE = Warning "W-ND-01", "4861 section 7.2.2; 4862 section 5.4.2", "Solicitations are a second apart, and those for address detection carry no link-layer address" [time];
    ADVERTISEMENT_FLAGS = Warning "W-ND-02", "4861 section 7.2.4", "An advertisement to all is not called solicited";
    UNDETECTED = Warning "W-ND-03", "4862 section 5.4", "Address detection comes before an address is used";
    ARP_CONDUCT = Warning "W-ND-06", "1122 section 2.3.2.1; 826", "Requests are a second apart, replies go to one host and tell the truth about the sender";
}

type Mac = [u8; 6];

/// An ARP frame's place in the capture.
#[derive(Clone, Copy)]
pub(crate) struct Arp {
    pub(crate) number: u64,
    pub(crate) now: u64,
    pub(crate) timed: bool,
    pub(crate) macs: Option<(Mac, Mac)>,
}

/// What one host has made known of its addresses.
#[derive(Default)]
struct Host {
    detected: HashSet<Ipv6Addr>,
    /// The first that was heard of it was address detection: so the capture has seen it from the start.
    from_start: bool,
}

/// A question for an address.
#[derive(Clone, Copy)]
struct Asked {
    time: u64,
    number: u64,
    has_copy: bool,
}

pub(super) struct State {
    asked: Bounded<(Option<Mac>, IpAddr), Asked>,
    hosts: Bounded<Mac, Host>,
}

impl Default for State {
    fn default() -> State {
        State {
            asked: Bounded::new(TARGETS),
            hosts: Bounded::new(HOSTS),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (ip.source, ip.destination) else {
            return;
        };
        if ip.protocol != ip_number::IPV6_ICMP
            || !ip
                .payload
                .first()
                .is_some_and(|kind| NEIGHBOUR_DISCOVERY.contains(kind))
        {
            return;
        }
        let target = ip
            .payload
            .get(8..24)
            .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
            .map(Ipv6Addr::from);
        let is_detection = ip.payload[0] == SOLICITATION && source.is_unspecified();
        self.judge_use(packet, source, target.filter(|_| is_detection), out);
        let Some(target) = target else { return };
        let scope = Scope::of_packet(packet.timed);
        match ip.payload[0] {
            SOLICITATION => {
                let has_link_address = ip.payload.get(24) == Some(&SOURCE_LINK_ADDRESS);
                if is_detection && has_link_address {
                    out.add(
                        &SOLICITATION_RATE,
                        scope,
                        &[packet.number],
                        format_args!("detection of {target} gives a link-layer address"),
                    );
                }
                if destination.is_multicast() {
                    let mac = packet.frame.macs.map(|(from, _)| from);
                    self.ask((mac, target.into()), packet, out);
                }
            }
            ADVERTISEMENT => {
                self.asked
                    .remove(&(packet.frame.macs.map(|(_, to)| to), target.into()));
                if ip.payload[4] & 0x40 != 0 && destination.is_multicast() {
                    out.add(
                        &ADVERTISEMENT_FLAGS,
                        scope,
                        &[packet.number],
                        format_args!(
                            "an advertisement of {target} to {destination} is called solicited"
                        ),
                    );
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, key: (Option<Mac>, IpAddr), packet: &Packet<'_>, out: &mut Out) {
        if let Some((gap, number)) = self.too_soon(key, packet.now, packet.number) {
            out.add(
                &SOLICITATION_RATE,
                Scope::of_packet(packet.timed),
                &[packet.number, number],
                format_args!("{} is asked for again after {:.0} ms", key.1, ms(gap)),
            );
        }
    }

    /// Notes a question; if it repeats one too soon, how soon, and the packet of that.
    fn too_soon(
        &mut self,
        key: (Option<Mac>, IpAddr),
        now: u64,
        number: u64,
    ) -> Option<(u64, u64)> {
        let before = self.asked.get(&key).copied();
        let gap = before.map_or(u64::MAX, |asked| now.saturating_sub(asked.time));
        let asked = Asked {
            time: now,
            number,
            has_copy: false,
        };
        match before {
            Some(first) if gap < COPY && !first.has_copy => {
                let has_copy = true;
                self.asked.insert(key, Asked { has_copy, ..first });
                None
            }
            _ => {
                self.asked.insert(key, asked);
                before
                    .filter(|_| gap < RETRY)
                    .map(|first| (gap, first.number))
            }
        }
    }

    fn judge_use(
        &mut self,
        packet: &Packet<'_>,
        source: Ipv6Addr,
        detected: Option<Ipv6Addr>,
        out: &mut Out,
    ) {
        let Some((mac, _)) = packet.frame.macs else {
            return;
        };
        let from_start = detected.is_some();
        let Some(host) = self.hosts.entry(mac, || Host {
            from_start,
            ..Host::default()
        }) else {
            return;
        };
        if host.detected.len() >= ADDRESSES {
            host.from_start = false;
        }
        if let Some(address) = detected {
            host.detected.insert(address);
        }
        if host.from_start && !source.is_unspecified() && host.detected.insert(source) {
            out.add(
                &UNDETECTED,
                Scope::of_packet(packet.timed),
                &[packet.number],
                format_args!("{source} is used without having been detected as free"),
            );
        }
    }

    /// Judges an ARP packet.
    pub(super) fn judge_arp(&mut self, bytes: &[u8], frame: Arp, out: &mut Out) {
        let Some(arp) = ArpPacketSlice::from_slice(bytes)
            .ok()
            .and_then(|slice| slice.to_packet().try_eth_ipv4().ok())
        else {
            return;
        };
        let scope = Scope::of_packet(frame.timed);
        let number = &[frame.number];
        let target = IpAddr::from(arp.target_ipv4);
        let Some((from, to)) = frame.macs else { return };
        if from != arp.sender_mac {
            out.add(
                &ARP_CONDUCT,
                scope,
                number,
                format_args!(
                    "a frame from {from:02x?} says its sender is {:02x?}",
                    arp.sender_mac
                ),
            );
        }
        let is_multicast = to[0] & 1 != 0;
        match arp.operation.0 {
            1 if is_multicast && arp.sender_ipv4 != arp.target_ipv4 => {
                let key = (Some(from), target);
                if let Some((gap, other)) = self.too_soon(key, frame.now, frame.number)
                    && frame.timed
                {
                    out.add(
                        &ARP_CONDUCT,
                        scope,
                        &[frame.number, other],
                        format_args!("{target} is asked for again after {:.0} ms", ms(gap)),
                    );
                }
            }
            2 => {
                let answered = IpAddr::from(arp.sender_ipv4);
                self.asked.remove(&(Some(to), answered));
                if is_multicast && arp.sender_ipv4 != arp.target_ipv4 {
                    out.add(
                        &ARP_CONDUCT,
                        scope,
                        number,
                        format_args!("a reply to {target} goes to all"),
                    );
                }
            }
            _ => {}
        }
    }
}
