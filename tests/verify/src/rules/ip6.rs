//! One IPv6 header and its extension headers.

use etherparse::{IpNumber, Ipv6RawExtHeaderSlice, TcpHeaderSlice, UdpHeaderSlice, ip_number};

use crate::out::{Out, Scope};
use crate::parse::Packet;
use crate::rule::rules;

use super::file;

/// Router solicitation to redirect.
pub(super) const NEIGHBOUR_DISCOVERY: std::ops::RangeInclusive<u8> = 133..=137;

rules! {
    HOP_BY_HOP = Error "W-IP6-02", "8200 section 4.1", "A Hop-by-Hop header stands only directly after the fixed header";
    ROUTING_ZERO = Error "W-IP6-03", "5095; 8504", "There is no Routing header of type 0";
    FIRST_FRAGMENT = Error "W-IP6-04", "7112; 8200", "The first fragment holds all headers up to the transport's";
    ATOMIC = Warning "W-IP6-06", "8504; 8021", "No fragment is the whole packet";
    ND_HOPS = Error "W-IP6-07", "4861; 6980", "Neighbour discovery has hop limit 255 and is not fragmented";
    FRAGMENT_LENGTH = Error "J-IP6-01", "8200 section 4.5", "A fragment that is not the last carries a multiple of 8 bytes, and none reaches beyond 65535";
}

pub(super) fn judge(packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let ip = &packet.ip;
    let seen = ip.extensions;
    if seen.broken {
        file::broken_chain(packet.number, out);
    }
    if seen.hop_by_hop_late {
        out.add(
            &HOP_BY_HOP,
            scope,
            number,
            format_args!("a Hop-by-Hop header after another extension header"),
        );
    }
    if seen.routing_zero {
        out.add(
            &ROUTING_ZERO,
            scope,
            number,
            format_args!("a Routing header of type 0"),
        );
    }
    if seen.fragment_header && ip.fragment.is_none() {
        let id = ip.id;
        out.add(
            &ATOMIC,
            scope,
            number,
            format_args!("a fragment header with id {id:#x}, offset 0 and no more fragments"),
        );
    }
    judge_fragment(packet, out);
    if ip.protocol == ip_number::IPV6_ICMP
        && ip.fragment.is_none_or(|fragment| fragment.offset == 0)
        && let Some(&kind) = ip.payload.first()
        && NEIGHBOUR_DISCOVERY.contains(&kind)
        && (ip.hop_limit != 255 || seen.fragment_header)
    {
        let hops = ip.hop_limit;
        let fragmented = if seen.fragment_header {
            ", in a fragment"
        } else {
            ""
        };
        out.add(
            &ND_HOPS,
            scope,
            number,
            format_args!("ICMPv6 type {kind} with hop limit {hops}{fragmented}"),
        );
    }
}

fn judge_fragment(packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let ip = &packet.ip;
    let Some(fragment) = ip.fragment else { return };
    let length = ip.payload_len;
    if fragment.more && !length.is_multiple_of(8) {
        out.add(
            &FRAGMENT_LENGTH,
            scope,
            number,
            format_args!("a fragment that is not the last carries {length} bytes"),
        );
    }
    let end = fragment.offset + length;
    if end > usize::from(u16::MAX) {
        out.add(
            &FRAGMENT_LENGTH,
            scope,
            number,
            format_args!("a fragment reaches to byte {end} of its packet"),
        );
    }
    if fragment.offset == 0 && !ip.is_cut() && !holds_transport_header(ip.protocol, ip.payload) {
        let protocol = ip.protocol.0;
        out.add(
            &FIRST_FRAGMENT,
            scope,
            number,
            format_args!(
                "the first fragment has {length} bytes of protocol {protocol}, less than its header"
            ),
        );
    }
}

/// Extension headers that stand after the fragment header are part of the chain.
fn holds_transport_header(mut protocol: IpNumber, mut payload: &[u8]) -> bool {
    loop {
        match protocol {
            ip_number::TCP => return TcpHeaderSlice::from_slice(payload).is_ok(),
            ip_number::UDP => return UdpHeaderSlice::from_slice(payload).is_ok(),
            ip_number::IPV6_ICMP => return payload.len() >= 4,
            ip_number::IPV6_HOP_BY_HOP | ip_number::IPV6_DEST_OPTIONS | ip_number::IPV6_ROUTE => {
                let Ok(header) = Ipv6RawExtHeaderSlice::from_slice(payload) else {
                    return false;
                };
                protocol = header.next_header();
                payload = payload.get(header.slice().len()..).unwrap_or_default();
            }
            _ => return true,
        }
    }
}
