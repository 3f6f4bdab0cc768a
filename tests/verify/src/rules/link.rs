//! Link headers, and bytes beyond the packet.

use etherparse::EtherType;

use crate::out::{Out, Scope};
use crate::parse::Packet;
use crate::rule::rules;

use super::file;

/// Payloads shorter than this are padded by Ethernet, be there tags before them, or the header of another link in which
/// the frame is captured.
const SHORTEST_PAYLOAD: u64 = 46;

rules! {
    ETHER_TYPE = Error "W-LINK-01", "791; 8200", "The link's type for a packet is that of its IP version";
    PADDING = Warning "W-LINK-02", "791", "Nothing but padding of short frames follows a packet";
}

pub(super) fn judge(packet: &Packet<'_>, out: &mut Out) {
    let scope = Scope::of_packet(packet.timed);
    let ip = &packet.ip;
    let version = if ip.is_v4() { 4 } else { 6 };
    let expected = if ip.is_v4() {
        EtherType::IPV4
    } else {
        EtherType::IPV6
    };
    if let Some(said) = packet.frame.ether_type
        && said != expected
    {
        out.add(
            &ETHER_TYPE,
            scope,
            &[packet.number],
            format_args!(
                "the link says type {:#06x} over a packet of IP version {version}",
                said.0
            ),
        );
    }
    let (said, held) = (ip.total_len as u64, packet.frame.wire_len);
    if said > held {
        file::shorter_than_header(packet.number, ip.is_v4(), ip.total_len, held, out);
    }
    let is_padded = packet.frame.pads && held <= SHORTEST_PAYLOAD;
    if said < held && !is_padded {
        out.add(
            &PADDING,
            scope,
            &[packet.number],
            format_args!(
                "{} bytes follow a packet of {said} bytes, in a frame that needs no padding",
                held - said
            ),
        );
    }
}
