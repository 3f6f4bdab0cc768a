//! One IPv4 header.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::ip_number;

use crate::Offload;
use crate::out::{Out, Scope};
use crate::parse::{Packet, u16_at};
use crate::rule::rules;

use super::file;

const DHCP_CLIENT: u16 = 68;
/// The routing header's options of IPv4: loose and strict source routes.
pub(super) const SOURCE_ROUTES: [u8; 2] = [131, 137];

rules! {
    RESERVED = Warning "W-IP4-03", "791 section 3.1", "The reserved flag is 0";
    TTL = Error "W-IP4-04", "1122 section 3.2.1.7", "TTL is more than 0";
    SOURCE = Error "W-IP4-05", "1122 section 3.2.1.3", "The source is one host's address, and not a loopback one on a link";
    DF_FRAGMENT = Warning "W-IP4-06", "791; 6864", "A fragment does not ask not to be fragmented";
    FRAGMENT_LENGTH = Error "W-IP4-07", "791 section 3.2", "A fragment that is not the last carries a multiple of 8 bytes";
    FRAGMENT_END = Error "W-IP4-08", "791; 6274", "No fragment reaches beyond 65535 bytes";
    TCP_FRAGMENT = Note "W-IP4-13", "1191 section 6.1", "TCP is not fragmented";
    OPTIONS = Error "W-IP4-19", "791; 6274", "Each option's length is at least 2 and inside the header, and padding is zero";
}

pub(super) fn judge(packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let ip = &packet.ip;
    let header = ip.header;
    if ip.is_unsaid && packet.offload == Offload::After {
        file::shorter_than_it_is(packet.number, packet.frame.wire_len, out);
    }
    if header[6] & 0x80 != 0 {
        out.add(&RESERVED, scope, number, format_args!("the flag is 1"));
    }
    if ip.hop_limit == 0 {
        out.add(&TTL, scope, number, format_args!("TTL 0"));
    }
    if let Some(why) = bad_source(packet) {
        let source = ip.source;
        out.add(
            &SOURCE,
            scope,
            number,
            format_args!("source {source} {why}"),
        );
    }
    if header.len() > 20 {
        judge_options(&header[20..], packet, out);
    }
    judge_fragment(packet, out);
}

fn bad_source(packet: &Packet<'_>) -> Option<&'static str> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.ip.source, packet.ip.destination)
    else {
        return None;
    };
    if source.is_multicast() {
        return Some("is a group's address");
    }
    if source == Ipv4Addr::BROADCAST {
        return Some("is the broadcast address");
    }
    if source.is_loopback() && !destination.is_loopback() {
        return Some("is a loopback address");
    }
    // A host that has no address yet says so when it asks for one (RFC 2131), or joins a group (RFC 3376).
    let is_asking = packet.ip.protocol == ip_number::UDP
        && u16_at(packet.ip.payload, 0) == DHCP_CLIENT
        || packet.ip.protocol == ip_number::IGMP;
    (source.octets()[0] == 0 && !is_asking).then_some("is on network 0")
}

fn judge_options(options: &[u8], packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let mut rest = options;
    while let Some((&kind, after)) = rest.split_first() {
        match kind {
            0 => {
                if after.iter().any(|&byte| byte != 0) {
                    out.add(
                        &OPTIONS,
                        scope,
                        number,
                        format_args!("bytes other than zero follow the end of the options"),
                    );
                }
                return;
            }
            1 => rest = after,
            _ => {
                let length = usize::from(after.first().copied().unwrap_or(0));
                if length < 2 || length > rest.len() {
                    let left = rest.len();
                    out.add(
                        &OPTIONS,
                        scope,
                        number,
                        format_args!(
                            "option {kind} says {length} bytes, {left} are left of the header"
                        ),
                    );
                    return;
                }
                rest = &rest[length..];
            }
        }
    }
}

fn judge_fragment(packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let ip = &packet.ip;
    let Some(fragment) = ip.fragment else { return };
    let length = ip.payload_len;
    if ip.dont_fragment {
        let offset = fragment.offset;
        out.add(
            &DF_FRAGMENT,
            scope,
            number,
            format_args!("a fragment at {offset} with DF set"),
        );
    }
    if fragment.more && !length.is_multiple_of(8) {
        out.add(
            &FRAGMENT_LENGTH,
            scope,
            number,
            format_args!("a fragment that is not the last carries {length} bytes"),
        );
    }
    let end = fragment.offset + length + ip.header.len();
    if end > usize::from(u16::MAX) {
        out.add(
            &FRAGMENT_END,
            scope,
            number,
            format_args!("a fragment reaches to byte {end} of its packet"),
        );
    }
    if ip.protocol == ip_number::TCP && fragment.offset == 0 {
        out.add(
            &TCP_FRAGMENT,
            scope,
            number,
            format_args!("a TCP segment in fragments, the first of {length} bytes"),
        );
    }
}
