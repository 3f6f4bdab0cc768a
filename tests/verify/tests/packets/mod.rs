//! Builds packets with right checksums, and with chosen faults.

use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, PacketBuilder,
    TcpOptionElement,
};

const A4: [u8; 4] = [10, 9, 0, 1];
const B4: [u8; 4] = [10, 9, 0, 2];
const A6: [u8; 16] = [0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const B6: [u8; 16] = [0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

macro_rules! finish {
    ($builder:expr, $payload:expr) => {{
        let mut packet = Vec::new();
        $builder.write(&mut packet, $payload).unwrap();
        packet
    }};
}

pub(crate) fn tcp4(payload: &[u8]) -> Vec<u8> {
    finish!(
        PacketBuilder::ipv4(A4, B4, 64)
            .tcp(1234, 80, 1, 1000)
            .ack(1),
        payload
    )
}

pub(crate) fn tcp4_back(payload: &[u8]) -> Vec<u8> {
    finish!(
        PacketBuilder::ipv4(B4, A4, 64)
            .tcp(80, 1234, 1, 1000)
            .ack(1),
        payload
    )
}

pub(crate) fn tcp6(payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ipv6(A6, B6, 64)
        .tcp(1234, 80, 1, 1000)
        .ack(1);
    let options = [TcpOptionElement::Timestamp(5, 6)];
    finish!(builder.options(&options).unwrap(), payload)
}

pub(crate) fn tcp4_options(options: [u8; 4]) -> Vec<u8> {
    finish!(
        PacketBuilder::ipv4(A4, B4, 64)
            .tcp(1, 2, 3, 4)
            .ack(1)
            .options_raw(&options)
            .unwrap(),
        b""
    )
}

pub(crate) fn udp4(payload: &[u8]) -> Vec<u8> {
    finish!(PacketBuilder::ipv4(A4, B4, 64).udp(5353, 53), payload)
}

pub(crate) fn udp6(payload: &[u8]) -> Vec<u8> {
    finish!(PacketBuilder::ipv6(A6, B6, 64).udp(5353, 53), payload)
}

pub(crate) fn icmp4(payload: &[u8]) -> Vec<u8> {
    finish!(
        PacketBuilder::ipv4(A4, B4, 64).icmpv4_echo_request(1, 1),
        payload
    )
}

pub(crate) fn icmp6(payload: &[u8]) -> Vec<u8> {
    finish!(
        PacketBuilder::ipv6(A6, B6, 64).icmpv6_echo_request(1, 1),
        payload
    )
}

/// An IPv4 packet of any protocol around `payload` as it is.
pub(crate) fn ip4_of(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = Ipv4Header::new(payload.len() as u16, 64, IpNumber(protocol), A4, B4).unwrap();
    finish4(header, payload)
}

/// An IPv6 packet of any next header around `payload` as it is.
pub(crate) fn ip6_of(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let header = Ipv6Header {
        payload_length: payload.len() as u16,
        next_header: IpNumber(next_header),
        hop_limit: 64,
        source: A6,
        destination: B6,
        ..Default::default()
    };
    let mut packet = header.to_bytes().to_vec();
    packet.extend_from_slice(payload);
    packet
}

pub(crate) fn fragment4(protocol: u8, payload: &[u8], offset: u16, more: bool) -> Vec<u8> {
    let mut header = Ipv4Header::new(payload.len() as u16, 64, IpNumber(protocol), A4, B4).unwrap();
    header.dont_fragment = false;
    header.more_fragments = more;
    header.fragment_offset = IpFragOffset::try_new(offset).unwrap();
    finish4(header, payload)
}

pub(crate) fn fragment6(protocol: u8, payload: &[u8], offset: u16, more: bool) -> Vec<u8> {
    let fragment = Ipv6FragmentHeader::new(
        IpNumber(protocol),
        IpFragOffset::try_new(offset).unwrap(),
        more,
        9,
    );
    let mut rest = fragment.to_bytes().to_vec();
    rest.extend_from_slice(payload);
    ip6_of(44, &rest)
}

/// `packet` with another IPv4 total length and the header checksum that goes with it.
pub(crate) fn with_total_len(packet: Vec<u8>, total_len: u16) -> Vec<u8> {
    let (mut header, payload) = Ipv4Header::from_slice(&packet).unwrap();
    header.total_len = total_len;
    finish4(header, payload)
}

fn finish4(mut header: Ipv4Header, payload: &[u8]) -> Vec<u8> {
    header.header_checksum = header.calc_header_checksum();
    let mut packet = header.to_bytes().to_vec();
    packet.extend_from_slice(payload);
    packet
}
