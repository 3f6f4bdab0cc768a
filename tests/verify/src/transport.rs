//! The transport layer of one packet that is not a fragment.

use etherparse::err::tcp::HeaderSliceError;
use etherparse::{TcpHeaderSlice, TcpOptionReadError, UdpHeaderSlice, ip_number};

use crate::ip::Datagram;
use crate::report::{Report, Rule};

/// The least that an ICMP message of either version holds.
const ICMP_HEADER: usize = 8;
const ICMPV6_HEADER: usize = 4;

/// Judges the payload by its protocol; the ports, where it has them.
pub(crate) fn check(datagram: &Datagram<'_>, report: &mut Report) -> Option<(u16, u16)> {
    match datagram.protocol {
        ip_number::TCP => check_tcp(datagram, report),
        ip_number::UDP => check_udp(datagram, report),
        ip_number::ICMP if datagram.source.is_ipv4() => {
            check_icmp(datagram, report);
            None
        }
        ip_number::IPV6_ICMP if datagram.source.is_ipv6() => {
            check_icmpv6(datagram, report);
            None
        }
        _ => None,
    }
}

fn check_tcp(datagram: &Datagram<'_>, report: &mut Report) -> Option<(u16, u16)> {
    let segment = datagram.payload;
    let header = match TcpHeaderSlice::from_slice(segment) {
        Ok(header) => header,
        Err(HeaderSliceError::Len(_)) if datagram.cut => return None,
        Err(error) => {
            report.add(Rule::Malformed, format!("TCP header: {error}"));
            return None;
        }
    };
    for option in header.options_iterator() {
        match option {
            // A kind that etherparse does not know ends its walk; it is no error of the sender.
            Ok(_) | Err(TcpOptionReadError::UnknownId(_)) => {}
            Err(error) => report.add(Rule::Malformed, format!("TCP options: {error}")),
        }
    }
    if datagram.has_whole_payload()
        && datagram
            .pseudo_header(segment.len())
            .add_slice(segment)
            .ones_complement()
            != 0
    {
        report.add(
            Rule::TcpChecksum,
            format!("TCP checksum {:#06x} is wrong", header.checksum()),
        );
    }
    Some((header.source_port(), header.destination_port()))
}

fn check_udp(datagram: &Datagram<'_>, report: &mut Report) -> Option<(u16, u16)> {
    let header = match UdpHeaderSlice::from_slice(datagram.payload) {
        Ok(header) => header,
        Err(_) if datagram.cut => return None,
        Err(error) => {
            report.add(Rule::Malformed, format!("UDP header: {error}"));
            return None;
        }
    };
    let ports = Some((header.source_port(), header.destination_port()));
    let length = usize::from(header.length());
    if length < header.slice().len() {
        report.add(
            Rule::Length,
            format!("UDP length {length} is less than its header"),
        );
        return ports;
    }
    // Less than the IP payload is legal: what follows is surplus (RFC 9868).
    let Some(covered) = datagram.payload.get(..length) else {
        if !datagram.cut {
            let held = datagram.payload.len();
            report.add(
                Rule::Length,
                format!("UDP length {length} in an IP payload of {held} bytes"),
            );
        }
        return ports;
    };
    if header.checksum() == 0 {
        if datagram.source.is_ipv6() {
            report.add(
                Rule::UdpChecksum,
                "UDP over IPv6 without a checksum".to_owned(),
            );
        }
    } else if datagram.has_whole_payload()
        && datagram
            .pseudo_header(length)
            .add_slice(covered)
            .ones_complement()
            != 0
    {
        report.add(
            Rule::UdpChecksum,
            format!("UDP checksum {:#06x} is wrong", header.checksum()),
        );
    }
    ports
}

fn check_icmp(datagram: &Datagram<'_>, report: &mut Report) {
    let message = datagram.payload;
    if message.len() < ICMP_HEADER {
        if !datagram.cut {
            report.add(
                Rule::Malformed,
                format!("ICMP message of {} bytes", message.len()),
            );
        }
        return;
    }
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(message);
    if datagram.has_whole_payload() && sum.ones_complement() != 0 {
        let checksum = u16::from_be_bytes([message[2], message[3]]);
        report.add(
            Rule::IcmpChecksum,
            format!("ICMP checksum {checksum:#06x} is wrong"),
        );
    }
}

fn check_icmpv6(datagram: &Datagram<'_>, report: &mut Report) {
    let message = datagram.payload;
    if message.len() < ICMPV6_HEADER {
        if !datagram.cut {
            report.add(
                Rule::Malformed,
                format!("ICMPv6 message of {} bytes", message.len()),
            );
        }
        return;
    }
    let sum = datagram.pseudo_header(message.len()).add_slice(message);
    if datagram.has_whole_payload() && sum.ones_complement() != 0 {
        let checksum = u16::from_be_bytes([message[2], message[3]]);
        report.add(
            Rule::Icmpv6Checksum,
            format!("ICMPv6 checksum {checksum:#06x} is wrong"),
        );
    }
}
