//! One UDP datagram.

use etherparse::ip_number;

use crate::out::{Out, Scope};
use crate::parse::{Packet, u16_at};
use crate::rule::rules;

const HEADER: usize = 8;

rules! {
    CHECKSUM = Error "W-UDP-01", "768; 8200 section 8.1", "The checksum verifies, and over IPv6 there is one" [wire];
    LENGTH = Error "W-UDP-02", "768", "The length is at least 8 and not beyond the packet";
    NO_CHECKSUM = Note "W-UDP-03", "1122 section 4.1.3.4; 8085", "There is a checksum over IPv4 too";
    PORT_ZERO = Warning "W-UDP-04", "8085 section 5.1", "Neither port is 0";
}

pub(super) fn judge(packet: &Packet<'_>, out: &mut Out) {
    let ip = &packet.ip;
    if ip.protocol != ip_number::UDP {
        return;
    }
    let scope = Scope::of_packet(packet.timed);
    let number = &[packet.number];
    let bytes = ip.payload;
    if bytes.len() < HEADER {
        if !ip.is_cut() {
            out.add(
                &LENGTH,
                scope,
                number,
                format_args!("a datagram of {} bytes, less than its header", bytes.len()),
            );
        }
        return;
    }
    let (source, destination) = (u16_at(bytes, 0), u16_at(bytes, 2));
    if source == 0 || destination == 0 {
        out.add(
            &PORT_ZERO,
            scope,
            number,
            format_args!("from port {source} to port {destination}"),
        );
    }
    let length = usize::from(u16_at(bytes, 4));
    // Less than the packet is legal: what follows is surplus (RFC 9868).
    if length < HEADER || length > ip.payload_len {
        // Zero in a packet of more than 64 KiB is a jumbogram or a packet before segmentation.
        if length != 0 || ip.payload_len <= usize::from(u16::MAX) {
            let held = ip.payload_len;
            out.add(
                &LENGTH,
                scope,
                number,
                format_args!("UDP length {length} in an IP payload of {held} bytes"),
            );
        }
        return;
    }
    let checksum = u16_at(bytes, 6);
    if checksum == 0 {
        let (rule, version) = if ip.is_v4() {
            (&NO_CHECKSUM, 4)
        } else {
            (&CHECKSUM, 6)
        };
        out.add(
            rule,
            scope,
            number,
            format_args!("UDP over IPv{version} without a checksum"),
        );
    } else if let Some(covered) = bytes.get(..length)
        && packet.has_wrong(ip.transport_checksum(covered, 6))
    {
        out.add(
            &CHECKSUM,
            scope,
            number,
            format_args!("UDP checksum {checksum:#06x} is wrong"),
        );
    }
}
