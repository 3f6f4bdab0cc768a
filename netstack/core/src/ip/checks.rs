//! What every way in checks of a packet, whatever its version.

use std::net::IpAddr;

use smoltcp::wire::IpProtocol;

use super::classify;
use super::drop::IpDrop;

/// Refuses what no packet on a wire may carry in its addresses.
pub(super) fn check_addresses(src: IpAddr, dst: IpAddr) -> Result<(), IpDrop> {
    if !classify::may_be_source(src) {
        return Err(IpDrop::BadSource);
    }
    if !classify::may_be_destination(dst) {
        return Err(IpDrop::BadDestination);
    }
    Ok(())
}

/// Bytes of its transport header that a packet must hold to be of use: less in a first fragment is an
/// attempt to get past a filter.
pub(super) fn least_transport(protocol: IpProtocol) -> usize {
    match protocol {
        IpProtocol::Tcp => 20,
        IpProtocol::Udp | IpProtocol::Icmp | IpProtocol::Icmpv6 => 8,
        _ => 0,
    }
}
