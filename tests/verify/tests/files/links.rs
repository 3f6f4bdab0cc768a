//! What is no fault of a packet: padding of the link, checksums that hardware makes, and messages of other versions.

use std::borrow::Cow;
use std::io::Cursor;

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_verify::{Offload, Options, Report, check_reader_with};

use crate::packets::{ip4_of, tcp4, udp4, udp6, with_total_len};

fn judge(link: DataLink, offload: Offload, frame: &[u8]) -> Report {
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let interface = InterfaceDescriptionBlock::new(link, 0);
    writer.write_pcapng_block(interface).unwrap();
    let packet = EnhancedPacketBlock {
        original_len: frame.len() as u32,
        data: Cow::Borrowed(frame),
        ..Default::default()
    };
    writer.write_pcapng_block(packet).unwrap();
    let mut options = Options::default();
    options.offload = offload;
    check_reader_with(Cursor::new(writer.into_inner()), &options).unwrap()
}

fn found(link: DataLink, frame: &[u8]) -> Vec<&'static str> {
    let report = judge(link, Offload::Auto, frame);
    report.counts.into_keys().collect()
}

/// `packet` behind `header`, and `more` bytes behind that.
fn framed(header: &[u8], packet: &[u8], more: usize) -> Vec<u8> {
    [header, packet, &vec![0; more]].concat()
}

#[test]
fn short_payloads_are_padded_whatever_stands_before_them() {
    let packet = tcp4(b"");
    assert_eq!(packet.len(), 40);
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let tagged = [&ethernet[..12], &[0x81, 0, 0, 7, 8, 0]].concat();
    let cooked = [&[0, 0, 0, 1, 0, 6], &ethernet[6..12], &[0, 0, 8, 0]].concat();
    let second = [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6], &ethernet[6..14]].concat();
    let links = [
        (DataLink::ETHERNET, &ethernet[..]),
        (DataLink::ETHERNET, &tagged),
        (DataLink::LINUX_SLL, &cooked),
        (DataLink::LINUX_SLL2, &second),
    ];
    for (link, header) in links {
        assert_eq!(
            found(link, &framed(header, &packet, 6)),
            [""; 0],
            "{link:?}"
        );
        let more = found(link, &framed(header, &packet, 7));
        assert_eq!(more, ["W-LINK-02"], "{link:?}");
    }
}

#[test]
fn loopback_devices_say_the_family_in_either_order() {
    let packets = [
        (2, udp4(b"x")),
        (24, udp6(b"x")),
        (28, udp6(b"x")),
        (30, udp6(b"x")),
    ];
    for link in [DataLink::NULL, DataLink::LOOP] {
        for (family, packet) in &packets {
            for header in [u32::to_le_bytes(*family), u32::to_be_bytes(*family)] {
                let report = judge(link, Offload::Auto, &framed(&header, packet, 0));
                assert_eq!((report.flows, report.found()), (1, 0), "{family}: {report}");
            }
        }
        // Other families are none of the judge's business.
        let report = judge(link, Offload::Auto, &framed(&[7, 0, 0, 0], &[1; 30], 0));
        assert_eq!((report.packets, report.flows, report.found()), (1, 0, 0));
        let wrong = found(link, &framed(&[30, 0, 0, 0], &udp4(b"x"), 0));
        assert_eq!(wrong, ["W-LINK-01"]);
    }
}

#[test]
fn a_link_that_is_not_known_hides_no_other() {
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    for link in [DataLink::USER0, DataLink::RAW] {
        let interface = InterfaceDescriptionBlock::new(link, 0);
        writer.write_pcapng_block(interface).unwrap();
    }
    let mut wrong = tcp4(b"abc");
    wrong[8] ^= 1;
    for interface_id in [0, 1] {
        let packet = EnhancedPacketBlock {
            interface_id,
            original_len: wrong.len() as u32,
            data: Cow::Borrowed(&wrong),
            ..Default::default()
        };
        writer.write_pcapng_block(packet).unwrap();
    }
    let file = Cursor::new(writer.into_inner());
    let report = check_reader_with(file, &Options::default()).unwrap();
    assert_eq!((report.packets, report.found()), (2, 1), "{report}");
    assert_eq!(report.findings[0].packets, [2]);
    assert!(
        report.to_string().contains("1 packets are of links"),
        "{report}"
    );
}

/// A pcap of raw IP, whose header says `most`; of each record the fraction of a second, the length on the wire and the
/// packet.
fn pcap(most: u32, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, most, 101];
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    for (fraction, wire, packet) in records {
        let words = [7, *fraction, packet.len() as u32, *wire];
        file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        file.extend_from_slice(packet);
    }
    file
}

#[test]
fn a_record_that_contradicts_itself_hides_no_other() {
    let (good, mut wrong) = (udp4(b"x"), udp4(b"x"));
    let len = good.len() as u32;
    *wrong.last_mut().unwrap() ^= 1;
    let judge = |most, first: (u32, u32, &[u8])| {
        let file = pcap(most, &[first, (9, len, &wrong)]);
        let report = check_reader_with(Cursor::new(file), &Options::default()).unwrap();
        assert_eq!(report.packets, 2);
        assert_eq!(report.counts.get("W-UDP-01"), Some(&1), "{report}");
        report.counts.get("J-FILE-01").copied()
    };
    assert_eq!(judge(100, (0, len, &good)), None);
    // A limit of nothing is none.
    assert_eq!(judge(0, (0, len, &good)), None);
    let odd = [
        (1_000_000, len, &good[..]),
        (u32::MAX, len, &good),
        (0, 9, &good),
    ];
    for first in odd {
        // Time may go back behind it, which is said too.
        assert_eq!(judge(100, first), Some(1), "{first:?}");
    }
    assert_eq!(judge(10, (0, len, &good)), Some(2));
}

#[test]
fn an_empty_header_checksum_may_be_made_later() {
    let mut packet = tcp4(b"abc");
    packet[10..12].fill(0);
    let report = judge(DataLink::RAW, Offload::Auto, &packet);
    assert_eq!(report.found(), 0, "{report}");
    assert_eq!(report.withheld.get("W-IP4-01"), Some(&1));
    let report = judge(DataLink::RAW, Offload::After, &packet);
    assert!(report.counts.contains_key("W-IP4-01"), "{report}");
    // Another one that is wrong is nobody's to mend.
    packet[10] ^= 0x55;
    assert_eq!(found(DataLink::RAW, &packet), ["W-IP4-01"]);
    let report = judge(DataLink::RAW, Offload::Before, &packet);
    assert_eq!(report.found(), 0, "{report}");
}

#[test]
fn a_checksum_of_the_pseudo_header_alone_is_wrong_on_the_wire() {
    for (mut packet, header, addresses) in [(udp4(b"abc"), 20, 12..20), (udp6(b"abc"), 40, 8..40)] {
        let words = packet[addresses].chunks(2);
        let words = words.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let mut sum: u32 = words.sum::<u32>() + 17 + (packet.len() - header) as u32;
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        packet[header + 6..header + 8].copy_from_slice(&(sum as u16).to_be_bytes());
        assert_eq!(found(DataLink::RAW, &packet), [""; 0]);
        let report = judge(DataLink::RAW, Offload::After, &packet);
        assert!(report.counts.contains_key("W-UDP-01"), "{report}");
    }
}

/// An IGMP message, with TTL 64.
fn igmp(kind: u8, time: u8) -> Vec<u8> {
    ip4_of(2, &[kind, time, 0, 0, 224, 1, 2, 3])
}

/// With another TTL, and a header checksum that goes with it.
fn with_ttl(mut packet: Vec<u8>, ttl: u8) -> Vec<u8> {
    packet[8] = ttl;
    let length = packet.len() as u16;
    with_total_len(packet, length)
}

#[test]
fn what_is_asked_of_igmp_depends_on_its_version_and_type() {
    let is_fine = |packet: Vec<u8>| found(DataLink::RAW, &packet).is_empty();
    // A query and a report of the first version.
    assert!(is_fine(with_ttl(igmp(0x11, 0), 1)));
    assert!(is_fine(with_ttl(igmp(0x12, 0), 1)));
    assert!(!is_fine(igmp(0x12, 0)), "TTL 64");
    // Of later ones Router Alert is wanted.
    for kind in [0x11, 0x16, 0x17, 0x22] {
        assert!(!is_fine(with_ttl(igmp(kind, 100), 1)), "{kind:#x}");
    }
    // DVMRP, PIM, mtrace.
    for kind in [0x13, 0x14, 0x1e, 0x1f] {
        assert!(is_fine(igmp(kind, 1)), "{kind:#x}");
    }
}

#[test]
fn what_is_not_followed_is_said() {
    let limits = |link, frame: &[u8]| judge(link, Offload::Auto, frame).limits.concat();
    // PPPoE.
    let session = framed(
        &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0x64],
        &tcp4(b""),
        0,
    );
    let said = limits(DataLink::ETHERNET, &session);
    assert!(
        said.contains("neither IP nor ARP (the first one type 0x8864)"),
        "{said}"
    );
    let tunnel = ip4_of(47, &[0, 0, 8, 0]);
    let said = limits(DataLink::RAW, &tunnel);
    assert!(said.contains("other than TCP"), "{said}");
    let said = limits(DataLink::ETHERNET, &[0; 13]);
    assert!(said.contains("no whole link header"), "{said}");
    assert_eq!(limits(DataLink::RAW, &udp4(b"")), "");
}
