//! What hosts and routers say about multicast groups: IGMP (RFC 3376, RFC 2236, RFC 1112) and MLD (RFC 3810, RFC 2710).

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{IpProtocol, Ipv4Packet};
use txbuf::{NoRoom, Packet, checksum};

use super::output::{OutHeader, push_header};
use super::{IpHeader, options, pseudo_header_sum};

/// Groups that one report has room for: its headers and records fit the header area.
pub(crate) const MOST_RECORDS: usize = 4;

/// Which messages the routers of a link understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// IGMPv1.
    One,
    /// IGMPv2 or MLDv1.
    Two,
    /// IGMPv3 or MLDv2.
    Three,
}

/// What a host says about a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// It is in the group, whatever the source.
    IsIn,
    /// It has joined.
    Joins,
    /// It has left.
    Leaves,
}

/// A query of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) version: Version,
    /// The group asked about; `None` for all.
    pub(crate) group: Option<IpAddr>,
    /// Answers are spread over so long.
    pub(crate) within: Duration,
}

/// Reads an IGMP message whose checksum is right, or an MLD one of which that is known; `None` if it is no query, or
/// not one that a router of this link sends.
// req: RFC3376-02, RFC3376-10, RFC3376-13, RFC3810-02, RFC3810-12
pub(crate) fn query(header: &IpHeader, packet: &Packet) -> Option<Query> {
    let mut bytes = [0; 24];
    let copied = packet.copy_to(header.header_len, &mut bytes).ok()?;
    let bytes = bytes.get(..copied)?;
    let query = match header.dst {
        IpAddr::V4(_) => query_v4(bytes, header),
        IpAddr::V6(_) => query_v6(bytes, header),
    }?;
    // IGMPv1 is older than the alert (RFC 3376, 9.1; RFC 3810, 6.2).
    let alerts = query.version == Version::One || alerts_routers(header, packet);
    alerts.then_some(query)
}

/// Whether the IP header, whose options make sense, has a router alert: routers do not pass such a message on, as they
/// would one from far away.
fn alerts_routers(header: &IpHeader, packet: &Packet) -> bool {
    let head = packet.headers();
    match header.dst {
        IpAddr::V4(_) => {
            let options = head.get(super::IPV4_HEADER..header.header_len);
            options::has_alert_v4(options.unwrap_or_default())
        }
        IpAddr::V6(_) => {
            let start = super::IPV6_HEADER;
            let units = head.get(start + 1).copied().map_or(0, usize::from);
            let options = head.get(start + 2..start + 8 + 8 * units);
            let hop_by_hop = head.get(6).copied() == Some(IpProtocol::HopByHop.into());
            hop_by_hop && options::has_alert_v6(options.unwrap_or_default())
        }
    }
}

fn query_v4(bytes: &[u8], header: &IpHeader) -> Option<Query> {
    let [QUERY, code, _, _, a, b, c, d, ..] = *bytes else {
        return None;
    };
    let group = Ipv4Addr::new(a, b, c, d);
    let version = match header.payload_len {
        8 if code == 0 => Version::One,
        8 => Version::Two,
        12.. => Version::Three,
        _ => return None,
    };
    let tenths = match (version, code) {
        (Version::One, _) => 100,
        (Version::Three, 128..) => u64::from(code & 0xf | 0x10) << ((code >> 4 & 0x7) + 3),
        _ => u64::from(code),
    };
    let all = group.is_unspecified();
    if all && header.dst != IpAddr::V4(ALL_SYSTEMS) && header.dst.is_multicast() {
        return None;
    }
    Some(Query {
        version,
        group: (!all).then_some(group.into()),
        within: Duration::from_millis(tenths * 100),
    })
}

fn query_v6(bytes: &[u8], header: &IpHeader) -> Option<Query> {
    let from_router = matches!(header.src, IpAddr::V6(src) if src.is_unicast_link_local());
    let (QUERY6, Some(code), Some(group)) = (*bytes.first()?, bytes.get(4..6), bytes.get(8..24))
    else {
        return None;
    };
    let version = match header.payload_len {
        24 => Version::Two,
        28.. => Version::Three,
        _ => return None,
    };
    if !from_router || header.hop_limit != 1 {
        return None;
    }
    let code = u16::from_be_bytes([code[0], code[1]]);
    let millis = match (version, code) {
        (Version::Three, 0x8000..) => u64::from(code & 0xfff | 0x1000) << ((code >> 12 & 0x7) + 3),
        _ => u64::from(code),
    };
    let group = Ipv6Addr::from(<[u8; 16]>::try_from(group).ok()?);
    Some(Query {
        version,
        group: (!group.is_unspecified()).then_some(group.into()),
        within: Duration::from_millis(millis),
    })
}

/// A report from `src` about `groups` of its version of IP, at most [`MOST_RECORDS`], of which an older `version` takes
/// one. `None` if that version says nothing of the kind.
// req: RFC3376-01, RFC3376-05, RFC3376-06, RFC3810-01, RFC3810-03, RFC3810-04
pub(crate) fn report(
    version: Version,
    src: IpAddr,
    groups: &[(IpAddr, Say)],
) -> Result<Option<Packet>, NoRoom> {
    let Some((group, say)) = groups.first().copied() else {
        return Ok(None);
    };
    let leaves = say == Say::Leaves;
    let is_v4 = group.is_ipv4();
    let (kind, dst) = match (version, is_v4) {
        (Version::Three, true) => (0x22, IpAddr::V4(Ipv4Addr::new(224, 0, 0, 22))),
        (Version::Three, false) => (143, IpAddr::V6(all(0x16))),
        (Version::One, _) if leaves => return Ok(None),
        (_, true) if leaves => (0x17, IpAddr::V4(Ipv4Addr::new(224, 0, 0, 2))),
        (_, false) if leaves => (132, IpAddr::V6(all(2))),
        (Version::One, true) => (0x12, group),
        (Version::Two, true) => (0x16, group),
        (_, false) => (131, group),
    };
    let mut body = arrayvec::ArrayVec::<u8, { 8 + MOST_RECORDS * 20 }>::new();
    let mut put = |bytes: &[u8]| body.try_extend_from_slice(bytes).map_err(|_| NoRoom);
    put(&[kind, 0, 0, 0])?;
    if version == Version::Three {
        put(&[0, 0, 0, groups.len() as u8])?;
        for (group, say) in groups {
            put(&[record_type(*say), 0, 0, 0])?;
            put_address(&mut put, *group)?;
        }
    } else {
        if !is_v4 {
            put(&[0; 4])?;
        }
        put_address(&mut put, group)?;
    }
    let pseudo = match is_v4 {
        true => 0,
        false => pseudo_header_sum(src, dst, IpProtocol::Icmpv6, body.len()),
    };
    let check = !checksum::combine(pseudo, checksum::sum(&body), false);
    body[2..4].copy_from_slice(&check.to_be_bytes());
    let mut packet = Packet::new();
    packet.push(body.len())?.copy_from_slice(&body);
    match is_v4 {
        true => push_v4(&mut packet, src, dst)?,
        false => push_v6(&mut packet, src, dst)?,
    }
    Ok(Some(packet))
}

fn put_address(
    put: &mut impl FnMut(&[u8]) -> Result<(), NoRoom>,
    group: IpAddr,
) -> Result<(), NoRoom> {
    match group {
        IpAddr::V4(group) => put(&group.octets()),
        IpAddr::V6(group) => put(&group.octets()),
    }
}

fn record_type(say: Say) -> u8 {
    match say {
        // Everything but no source: EXCLUDE of an empty list.
        Say::IsIn => 2,
        Say::Joins => 4,
        Say::Leaves => 3,
    }
}

/// A header with a router alert: routers look at the message though it is not for them.
fn push_v4(packet: &mut Packet, src: IpAddr, dst: IpAddr) -> Result<(), NoRoom> {
    packet.push(ALERT.len())?.copy_from_slice(&ALERT);
    push_header(packet, &header(src, dst, IpProtocol::Igmp))?;
    let len = super::IPV4_HEADER + ALERT.len();
    let head = packet.headers_mut().get_mut(..len).ok_or(NoRoom)?;
    let mut view = Ipv4Packet::new_unchecked(&mut head[..]);
    view.set_header_len(len as u8);
    view.set_checksum(0);
    let sum = checksum::sum(view.into_inner());
    Ipv4Packet::new_unchecked(head).set_checksum(!sum);
    Ok(())
}

fn push_v6(packet: &mut Packet, src: IpAddr, dst: IpAddr) -> Result<(), NoRoom> {
    let options = [IpProtocol::Icmpv6.into(), 0, 5, 2, 0, 0, 1, 0];
    packet.push(options.len())?.copy_from_slice(&options);
    push_header(packet, &header(src, dst, IpProtocol::HopByHop))
}

fn header(src: IpAddr, dst: IpAddr, protocol: IpProtocol) -> OutHeader {
    OutHeader {
        src,
        dst,
        protocol,
        hop_limit: 1,
        traffic_class: if src.is_ipv4() { 0xc0 } else { 0 },
        ident: 0,
        dont_fragment: true,
        flow_label: 0,
    }
}

/// Whether routers are told of the group: not of all nodes, nor of what stays on the node.
// req: RFC3376-14, RFC3810-10
pub(crate) fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group != ALL_SYSTEMS,
        IpAddr::V6(group) => group != all(1) && group.octets()[1] & 0xf > 1,
    }
}

/// The group of all systems (RFC 1112).
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// The router alert option (RFC 2113).
const ALERT: [u8; 4] = [148, 4, 0, 0];
const QUERY: u8 = 0x11;
/// The type of an MLD query.
pub(crate) const QUERY6: u8 = 130;

/// A well-known group of a link.
fn all(which: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, which)
}

#[cfg(test)]
mod tests;
