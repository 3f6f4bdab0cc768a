//! From the first byte of a frame to the first byte of its network packet.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice};
use pcap_file::DataLink;

/// The header of a cooked capture of the second version, which etherparse does not know.
const SLL2_LEN: usize = 20;

/// A frame whose link header has been taken off.
pub(crate) struct Frame<'a> {
    pub(crate) payload: &'a [u8],
    /// Bytes of link headers in front of the payload.
    pub(crate) header_len: usize,
    /// Bytes after the link headers on the wire.
    pub(crate) wire_len: u64,
    /// What the link says follows; `None` where only the first nibble tells.
    pub(crate) ether_type: Option<EtherType>,
    /// The sender's and the receiver's hardware addresses, on Ethernet.
    pub(crate) macs: Option<([u8; 6], [u8; 6])>,
    /// The link pads short frames.
    pub(crate) pads: bool,
}

/// Takes the link header off; `None` when the frame is too short to have one.
pub(crate) fn frame(link: DataLink, data: &[u8], wire_len: u64) -> Option<Frame<'_>> {
    let mut frame = unframe(link, data)?;
    frame.wire_len = wire_len.saturating_sub(frame.header_len as u64);
    Some(frame)
}

fn unframe(link: DataLink, data: &[u8]) -> Option<Frame<'_>> {
    let raw = |ether_type| Frame {
        payload: data,
        header_len: 0,
        wire_len: 0,
        ether_type,
        macs: None,
        pads: false,
    };
    match link {
        DataLink::IPV4 => Some(raw(Some(EtherType::IPV4))),
        DataLink::IPV6 => Some(raw(Some(EtherType::IPV6))),
        DataLink::ETHERNET => ethernet(data),
        DataLink::NULL | DataLink::LOOP => loopback(data),
        DataLink::LINUX_SLL => cooked(data, 16, data.get(14..16)?),
        DataLink::LINUX_SLL2 => cooked(data, SLL2_LEN, data.get(0..2)?),
        DataLink::RAW => Some(raw(None)),
        _ => None,
    }
}

fn ethernet(data: &[u8]) -> Option<Frame<'_>> {
    let header = Ethernet2HeaderSlice::from_slice(data).ok()?;
    let mut ether_type = header.ether_type();
    let mut header_len = header.slice().len();
    // Two tags are the most that are in use.
    for _ in 0..2 {
        if !matches!(
            ether_type,
            EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING
        ) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(&data[header_len..]).ok()?;
        ether_type = tag.ether_type();
        header_len += tag.slice().len();
    }
    Some(Frame {
        payload: &data[header_len..],
        header_len,
        wire_len: 0,
        ether_type: Some(ether_type),
        macs: Some((header.source(), header.destination())),
        pads: true,
    })
}

/// The loopback and tunnel devices of BSD and macOS put the family of addresses in front, in the order of their bytes.
fn loopback(data: &[u8]) -> Option<Frame<'_>> {
    let (family, payload) = data.split_first_chunk::<4>()?;
    let ether_type = match family {
        [2, 0, 0, 0] | [0, 0, 0, 2] => EtherType::IPV4,
        // NetBSD and OpenBSD, FreeBSD, macOS.
        [24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 24 | 28 | 30] => EtherType::IPV6,
        _ => return None,
    };
    Some(Frame {
        payload,
        header_len: family.len(),
        wire_len: 0,
        ether_type: Some(ether_type),
        macs: None,
        pads: false,
    })
}

fn cooked<'a>(data: &'a [u8], header_len: usize, protocol: &[u8]) -> Option<Frame<'a>> {
    Some(Frame {
        payload: data.get(header_len..)?,
        header_len,
        wire_len: 0,
        ether_type: Some(EtherType(u16::from_be_bytes(protocol.try_into().ok()?))),
        macs: None,
        pads: true,
    })
}
