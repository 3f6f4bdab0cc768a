//! How hosts join groups: IGMP and MLD.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::ip_number;

use crate::out::{Out, Scope};
use crate::parse::Packet;
use crate::rule::rules;

/// Queries and reports of MLD (RFC 2710, RFC 3810).
const MLD: [u8; 4] = [130, 131, 132, 143];
const IGMP_QUERY: u8 = 0x11;
const IGMP_V1_REPORT: u8 = 0x12;
const IGMP_V2_REPORT: u8 = 0x16;
const IGMP_LEAVE: u8 = 0x17;
const IGMP_V3_REPORT: u8 = 0x22;
const V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const ROUTER_ALERT: u8 = 148;

rules! {
    MLD_FORM = Warning "W-ND-04", "3810 section 5", "MLD has hop limit 1, a link-local source and Router Alert";
    IGMP_FORM = Warning "W-ND-05", "3376 section 4", "IGMP has TTL 1 and Router Alert; reports of version 3 go to 224.0.0.22";
}

pub(super) fn judge(packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let ip = &packet.ip;
    let Some(&kind) = ip.payload.first() else {
        return;
    };
    match (ip.protocol, ip.source) {
        (ip_number::IPV6_ICMP, IpAddr::V6(source)) if MLD.contains(&kind) => {
            let is_local = source.is_unspecified() || source.is_unicast_link_local();
            let alerts = ip.extensions.router_alert;
            if ip.hop_limit != 1 || !is_local || !alerts {
                out.add(
                    &MLD_FORM,
                    scope,
                    &[packet.number],
                    format_args!(
                        "MLD type {kind} from {source} with hop limit {}{}",
                        ip.hop_limit,
                        if alerts { "" } else { " without Router Alert" }
                    ),
                );
            }
        }
        (ip_number::IGMP, IpAddr::V4(_)) => {
            // The first version has no Router Alert (RFC 1112), and its queries say no time.
            let is_first = match kind {
                IGMP_QUERY => ip.payload_len == 8 && ip.payload.get(1) == Some(&0),
                IGMP_V1_REPORT => true,
                IGMP_V2_REPORT | IGMP_LEAVE | IGMP_V3_REPORT => false,
                // Routers talk among each other, and trace paths, by other types.
                _ => return,
            };
            let alerts = is_first || ip.header[20..].contains(&ROUTER_ALERT);
            let is_astray = kind == IGMP_V3_REPORT && ip.destination != IpAddr::V4(V3_ROUTERS);
            if ip.hop_limit != 1 || is_astray || !alerts {
                out.add(
                    &IGMP_FORM,
                    scope,
                    &[packet.number],
                    format_args!(
                        "IGMP type {kind:#x} to {} with TTL {}{}",
                        ip.destination,
                        ip.hop_limit,
                        if alerts { "" } else { " without Router Alert" }
                    ),
                );
            }
        }
        _ => {}
    }
}
