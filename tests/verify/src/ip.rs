//! The IP layer of one packet.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;
use etherparse::{
    IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    ip_number,
};

use crate::flow::{Flow, Flows};
use crate::report::{Report, Rule};
use crate::source::Captured;
use crate::transport;

/// An IP packet whose headers hold together.
pub(crate) struct Datagram<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpNumber,
    pub(crate) payload: &'a [u8],
    /// The payload ends before the header's length says, because the capture cut it.
    pub(crate) cut: bool,
    fragment: Option<Fragment>,
    /// The pseudo-header's destination is not the one in the header (RFC 8200 section 8.1).
    routed: bool,
}

#[derive(Clone, Copy)]
struct Fragment {
    offset: usize,
    more: bool,
}

/// Judges one packet from its IP header on.
pub(crate) fn check(packet: &Captured<'_>, flows: &mut Flows, report: &mut Report) {
    let data = packet.data.as_ref();
    let cut = packet.original_len > data.len() as u64;
    report.cut += u64::from(cut);
    let version = data.first().map_or(0, |byte| byte >> 4);
    if let Some(promised) = packet.version
        && promised != version
    {
        report.add(
            Rule::Malformed,
            format!("IP version {version} on a link of IP version {promised}"),
        );
        return;
    }
    let datagram = match version {
        4 => check_v4(data, packet.original_len, report),
        6 => check_v6(data, packet.original_len, report),
        other => {
            report.add(Rule::Malformed, format!("IP version {other}"));
            None
        }
    };
    let Some(datagram) = datagram else { return };
    if let Some(fragment) = datagram.fragment {
        report.fragments += 1;
        check_fragment(&datagram, fragment, report);
        return;
    }
    let ports = transport::check(&datagram, report);
    let (source_port, destination_port) = ports.unwrap_or((0, 0));
    flows.see(Flow::new(
        datagram.protocol.0,
        (datagram.source, source_port),
        (datagram.destination, destination_port),
    ));
}

impl Datagram<'_> {
    /// Whether the transport checksum can be computed from what was captured.
    pub(crate) fn has_whole_payload(&self) -> bool {
        !self.cut && !self.routed
    }

    /// The sum of the pseudo-header for `length` bytes of this packet's protocol.
    pub(crate) fn pseudo_header(&self, length: usize) -> Sum16BitWords {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let sum = Sum16BitWords::new();
        let mut sum = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => sum
                .add_slice(&source.octets())
                .add_slice(&destination.octets()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => sum
                .add_slice(&source.octets())
                .add_slice(&destination.octets()),
            _ => sum,
        };
        sum.add_4bytes(length.to_be_bytes())
            .add_2bytes([0, self.protocol.0])
    }
}

fn check_v4<'a>(data: &'a [u8], original_len: u64, report: &mut Report) -> Option<Datagram<'a>> {
    let header = match Ipv4HeaderSlice::from_slice(data) {
        Ok(header) => header,
        Err(error) => {
            report.add(Rule::Malformed, format!("IPv4 header: {error}"));
            return None;
        }
    };
    let header_len = header.slice().len();
    if Sum16BitWords::new()
        .add_slice(header.slice())
        .ones_complement()
        != 0
    {
        let sentence = format!(
            "IPv4 header checksum {:#06x} is wrong",
            header.header_checksum()
        );
        report.add(Rule::Ipv4Checksum, sentence);
    }
    let total = usize::from(header.total_len());
    if total < header_len {
        report.add(
            Rule::Length,
            format!("IPv4 total length {total} is less than the header's {header_len}"),
        );
        return None;
    }
    if total as u64 != original_len {
        report.add(
            Rule::Length,
            format!("IPv4 total length {total} in a packet of {original_len} bytes"),
        );
    }
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        offset: usize::from(header.fragments_offset().value()) * 8,
        more: header.more_fragments(),
    });
    Some(Datagram {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.protocol(),
        payload: &data[header_len..total.min(data.len())],
        cut: total > data.len(),
        fragment,
        routed: false,
    })
}

fn check_v6<'a>(data: &'a [u8], original_len: u64, report: &mut Report) -> Option<Datagram<'a>> {
    let header = match Ipv6HeaderSlice::from_slice(data) {
        Ok(header) => header,
        Err(error) => {
            report.add(Rule::Malformed, format!("IPv6 header: {error}"));
            return None;
        }
    };
    let header_len = header.slice().len();
    let said = usize::from(header.payload_length());
    // A jumbogram (RFC 2675) leaves the field zero and says its length in a hop-by-hop option.
    let jumbo = said == 0 && header.next_header() == ip_number::IPV6_HOP_BY_HOP;
    let total = if jumbo { data.len() } else { header_len + said };
    if !jumbo && total as u64 != original_len {
        report.add(
            Rule::Length,
            format!("IPv6 payload length {said} in a packet of {original_len} bytes"),
        );
    }
    let cut = total > data.len() || original_len > data.len() as u64;
    let rest = &data[header_len..total.min(data.len())];
    let extensions = walk_extensions(header.next_header(), rest, cut, report)?;
    Some(Datagram {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: extensions.protocol,
        payload: extensions.payload,
        cut,
        fragment: extensions.fragment,
        routed: extensions.routed,
    })
}

struct Extensions<'a> {
    protocol: IpNumber,
    payload: &'a [u8],
    fragment: Option<Fragment>,
    routed: bool,
}

/// Follows the chain of IPv6 extension headers; each takes at least eight bytes, so this ends.
fn walk_extensions<'a>(
    first: IpNumber,
    rest: &'a [u8],
    cut: bool,
    report: &mut Report,
) -> Option<Extensions<'a>> {
    let mut seen = Extensions {
        protocol: first,
        payload: rest,
        fragment: None,
        routed: false,
    };
    let mut is_first = true;
    loop {
        let step = match seen.protocol {
            ip_number::IPV6_HOP_BY_HOP if !is_first => {
                report.add(
                    Rule::Malformed,
                    "IPv6 hop-by-hop header that is not the first".to_owned(),
                );
                return None;
            }
            ip_number::IPV6_HOP_BY_HOP | ip_number::IPV6_DEST_OPTIONS | ip_number::IPV6_ROUTE => {
                Ipv6RawExtHeaderSlice::from_slice(seen.payload).map(|header| {
                    let segments_left = header.payload().get(1).copied().unwrap_or(0);
                    seen.routed |= seen.protocol == ip_number::IPV6_ROUTE && segments_left > 0;
                    (header.next_header(), header.slice().len())
                })
            }
            ip_number::IPV6_FRAG => {
                Ipv6FragmentHeaderSlice::from_slice(seen.payload).map(|header| {
                    if header.is_fragmenting_payload() {
                        seen.fragment = Some(Fragment {
                            offset: usize::from(header.fragment_offset().value()) * 8,
                            more: header.more_fragments(),
                        });
                    }
                    (header.next_header(), header.slice().len())
                })
            }
            _ => return Some(seen),
        };
        match step {
            Ok((next, length)) => {
                seen.protocol = next;
                seen.payload = seen.payload.get(length..).unwrap_or_default();
            }
            Err(_) if cut => return None,
            Err(error) => {
                report.add(Rule::Malformed, format!("IPv6 extension header: {error}"));
                return None;
            }
        }
        // What follows a fragment header belongs to the reassembled packet.
        if seen.fragment.is_some() {
            return Some(seen);
        }
        is_first = false;
    }
}

fn check_fragment(datagram: &Datagram<'_>, fragment: Fragment, report: &mut Report) {
    if datagram.cut {
        return;
    }
    let length = datagram.payload.len();
    if fragment.more && !length.is_multiple_of(8) {
        report.add(
            Rule::Length,
            format!("a fragment that is not the last carries {length} bytes"),
        );
    }
    if fragment.offset + length > usize::from(u16::MAX) {
        let end = fragment.offset + length;
        report.add(
            Rule::Length,
            format!("a fragment reaches to byte {end} of its packet"),
        );
    }
}
