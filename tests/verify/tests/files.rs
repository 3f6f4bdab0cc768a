//! Generated captures in both formats and both resolutions, and packets broken one way at a time.

#[path = "files/links.rs"]
mod links;
mod packets;

use std::borrow::Cow;
use std::io::Cursor;
use std::time::Duration;

use packets::{icmp4, icmp6, tcp4, tcp6, udp4, udp6};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::{DataLink, Endianness};
use pcap_verify::{Report, VerifyError, check_file, check_reader};
use proptest::prelude::*;

type Stamped = (Duration, Vec<u8>);

fn pcap(resolution: PcapTsResolution, endianness: Endianness, packets: &[Stamped]) -> Vec<u8> {
    let header = PcapHeader {
        version_major: 2,
        version_minor: 4,
        ts_correction: 0,
        ts_accuracy: 0,
        snaplen: 1 << 17,
        datalink: DataLink::RAW,
        ts_resolution: resolution,
        endianness,
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (time, data) in packets {
        writer
            .write_packet(&PcapPacket::new(*time, data.len() as u32, data).unwrap())
            .unwrap();
    }
    writer.into_inner()
}

fn pcapng(resolution: InterfaceTsResolution, link: DataLink, packets: &[Stamped]) -> Vec<u8> {
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let mut interface = InterfaceDescriptionBlock::new(link, 0);
    interface
        .options
        .push(InterfaceDescriptionOption::IfTsResol(resolution));
    writer.write_pcapng_block(interface).unwrap();
    for (time, data) in packets {
        let packet = EnhancedPacketBlock {
            timestamp: *time,
            original_len: data.len() as u32,
            data: Cow::Borrowed(data),
            ..Default::default()
        };
        writer.write_pcapng_block(packet).unwrap();
    }
    writer.into_inner()
}

/// The four kinds of file with the same packets.
fn every_format(packets: &[Stamped]) -> Vec<Vec<u8>> {
    vec![
        pcap(PcapTsResolution::MicroSecond, Endianness::Little, packets),
        pcap(PcapTsResolution::NanoSecond, Endianness::Big, packets),
        pcapng(InterfaceTsResolution::MICRO, DataLink::RAW, packets),
        pcapng(InterfaceTsResolution::NANO, DataLink::RAW, packets),
    ]
}

fn check(bytes: &[u8]) -> Report {
    check_reader(Cursor::new(bytes)).unwrap()
}

fn check_one(packet: Vec<u8>) -> Vec<&'static str> {
    let file = pcapng(
        InterfaceTsResolution::NANO,
        DataLink::RAW,
        &[(Duration::from_secs(1), packet)],
    );
    check(&file)
        .findings
        .iter()
        .map(|finding| finding.rule.id)
        .collect()
}

fn good_packets() -> Vec<Stamped> {
    [
        tcp4(b"abc"),
        tcp6(b"abcd"),
        udp4(b"x"),
        udp6(b"yz"),
        icmp4(b"ping"),
        icmp6(b"ping6"),
    ]
    .into_iter()
    .enumerate()
    .map(|(i, packet)| (Duration::from_micros(1_000_000 + i as u64), packet))
    .collect()
}

#[test]
fn good_files_of_every_format_are_clean() {
    for file in every_format(&good_packets()) {
        let report = check(&file);
        assert!(report.is_clean(), "{report}");
        assert_eq!(
            (report.packets, report.flows, report.fragments, report.cut),
            (6, 6, 0, 0)
        );
    }
}

#[test]
fn both_directions_are_one_flow() {
    let packets = [tcp4(b"there"), packets::tcp4_back(b"and back")];
    let packets: Vec<Stamped> = packets
        .into_iter()
        .map(|p| (Duration::from_secs(1), p))
        .collect();
    assert_eq!(check(&every_format(&packets)[0]).flows, 1);
}

#[test]
fn time_is_read_in_the_resolution_of_the_file() {
    // One nanosecond back: visible to a nanosecond file, the same microsecond to the others.
    let back = [
        (Duration::from_nanos(5_000_000_500), tcp4(b"")),
        (Duration::from_nanos(5_000_000_499), tcp4(b"")),
    ];
    let found: Vec<u64> = every_format(&back)
        .iter()
        .map(|file| check(file).found())
        .collect();
    assert_eq!(found, [0, 1, 0, 1]);
    // One microsecond back is visible to all.
    let back = [
        (Duration::from_micros(7_000_001), tcp4(b"")),
        (Duration::from_micros(7_000_000), tcp4(b"")),
    ];
    for file in every_format(&back) {
        let report = check(&file);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(
            (report.findings[0].rule.id, report.findings[0].packets[0]),
            ("J-FILE-02", 2)
        );
        assert!(report.findings[0].sentence.contains("1µs"), "{report}");
    }
}

#[test]
fn each_checksum_has_its_rule() {
    let flip_last = |mut packet: Vec<u8>| {
        *packet.last_mut().unwrap() ^= 0x40;
        packet
    };
    assert_eq!(check_one(flip_last(tcp4(b"abc"))), ["W-TCPFMT-01"]);
    assert_eq!(check_one(flip_last(tcp6(b"abc"))), ["W-TCPFMT-01"]);
    assert_eq!(check_one(flip_last(udp4(b"abc"))), ["W-UDP-01"]);
    assert_eq!(check_one(flip_last(udp6(b"abc"))), ["W-UDP-01"]);
    assert_eq!(check_one(flip_last(icmp4(b"abc"))), ["W-ICMP-01"]);
    assert_eq!(check_one(flip_last(icmp6(b"abc"))), ["W-ICMP-01"]);
    let mut ttl = tcp4(b"abc");
    ttl[8] ^= 1;
    assert_eq!(check_one(ttl), ["W-IP4-01"]);
}

#[test]
fn an_absent_udp_checksum_is_worth_a_note_over_ipv4_and_wrong_over_ipv6() {
    let mut packet = udp4(b"abc");
    packet[26..28].fill(0);
    assert_eq!(check_one(packet), ["W-UDP-03"]);
    let mut packet = udp6(b"abc");
    packet[46..48].fill(0);
    assert_eq!(check_one(packet), ["W-UDP-01"]);
}

#[test]
fn lengths_must_agree() {
    let mut longer = tcp4(b"abc");
    longer.push(0);
    assert_eq!(check_one(longer), ["W-LINK-02"]);
    let mut shorter = tcp6(b"abc");
    shorter.pop();
    assert_eq!(check_one(shorter), ["W-IP6-01"]);
    let mut total = packets::with_total_len(tcp4(b"abc"), 19);
    assert_eq!(check_one(total.clone()), ["W-IP4-02"]);
    total.truncate(19);
    assert_eq!(check_one(total), ["W-IP4-02"]);
    let mut udp = udp4(b"abc");
    udp[24..26].copy_from_slice(&7u16.to_be_bytes());
    assert_eq!(check_one(udp), ["W-UDP-02"]);
    let mut udp = udp6(b"abc");
    udp[44..46].copy_from_slice(&12u16.to_be_bytes());
    assert_eq!(check_one(udp), ["W-UDP-02"]);
}

#[test]
fn malformed_headers_are_named() {
    assert_eq!(check_one(vec![0x50; 40]), ["J-IP-01"]);
    assert_eq!(check_one(vec![0x44; 40]), ["W-IP4-02"]);
    assert_eq!(check_one(vec![0x60; 39]), ["W-IP6-01"]);
    assert_eq!(check_one(Vec::new()), ["J-IP-01"]);
    let mut offset = tcp4(b"");
    offset[32] = 0x40;
    assert_eq!(check_one(offset), ["W-TCPFMT-02"]);
    assert_eq!(check_one(packets::ip4_of(1, &[8, 0, 0])), ["J-ICMP-01"]);
    assert_eq!(check_one(packets::ip6_of(58, &[128, 0, 0])), ["J-ICMP-01"]);
    assert_eq!(
        check_one(packets::ip6_of(0, &[6, 4, 0, 0, 0, 0, 0, 0])),
        ["W-IP6-01"]
    );
    // Maximum segment size with a length of three.
    assert_eq!(
        check_one(packets::tcp4_options([2, 3, 5, 0])),
        ["W-TCPFMT-03"]
    );
    // An option of an unknown kind is nothing to complain about.
    assert_eq!(check_one(packets::tcp4_options([253, 4, 5, 0])), [""; 0]);
}

#[test]
fn the_link_type_promises_a_version() {
    let packets = [(Duration::ZERO, tcp4(b""))];
    let file = pcapng(InterfaceTsResolution::MICRO, DataLink::IPV6, &packets);
    assert_eq!(check(&file).findings[0].rule.id, "W-LINK-01");
    let file = pcapng(InterfaceTsResolution::MICRO, DataLink::USER0, &packets);
    assert!(matches!(
        check_reader(Cursor::new(file)),
        Err(VerifyError::Link(147))
    ));
}

#[test]
fn fragments_are_counted_and_only_their_geometry_is_judged() {
    let report = |packet| {
        check(&pcapng(
            InterfaceTsResolution::MICRO,
            DataLink::RAW,
            &[(Duration::ZERO, packet)],
        ))
    };
    let good = report(packets::fragment4(17, &[1; 16], 0, true));
    assert_eq!((good.fragments, good.flows, good.found()), (1, 0, 0));
    let odd = report(packets::fragment4(17, &[1; 15], 0, true));
    assert_eq!(odd.findings[0].rule.id, "W-IP4-07");
    let far = report(packets::fragment4(17, &[1; 16], 8191, false));
    assert_eq!(far.findings[0].rule.id, "W-IP4-08");
    let good = report(packets::fragment6(17, &[1; 16], 2, true));
    assert_eq!((good.fragments, good.found()), (1, 0));
    let odd = report(packets::fragment6(17, &[1; 15], 2, true));
    assert_eq!(odd.findings[0].rule.id, "J-IP6-01");
}

#[test]
fn a_packet_cut_by_the_snap_length_is_judged_by_its_headers() {
    let whole = tcp4(&[7; 100]);
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    writer
        .write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::RAW, 60))
        .unwrap();
    // Of the last nothing was captured.
    for end in [60, 30, 0] {
        let packet = EnhancedPacketBlock {
            original_len: whole.len() as u32,
            data: Cow::Borrowed(&whole[..end]),
            ..Default::default()
        };
        writer.write_pcapng_block(packet).unwrap();
    }
    let report = check(&writer.into_inner());
    assert_eq!(
        (report.packets, report.cut, report.found()),
        (3, 3, 0),
        "{report}"
    );
}

#[test]
fn a_file_that_ends_early_is_a_finding_after_what_could_be_read() {
    for file in every_format(&good_packets()) {
        let report = check(&file[..file.len() - 3]);
        assert_eq!(report.packets, 5);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].rule.id, "J-FILE-01");
    }
}

#[test]
fn what_is_no_capture_is_an_error() {
    assert!(matches!(
        check_reader(Cursor::new(b"")),
        Err(VerifyError::Format(_))
    ));
    assert!(matches!(
        check_reader(Cursor::new([9; 100])),
        Err(VerifyError::Format(_))
    ));
    let missing = check_file("/nonexistent/capture".as_ref()).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot open /nonexistent/capture: "),
        "{missing}"
    );
}

#[test]
fn a_file_on_disk_and_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.pcap");
    let mut broken = tcp4(b"abc");
    *broken.last_mut().unwrap() ^= 1;
    let packets = [(Duration::ZERO, udp4(b"")), (Duration::ZERO, broken)];
    std::fs::write(
        &path,
        pcap(PcapTsResolution::NanoSecond, Endianness::Little, &packets),
    )
    .unwrap();
    let text = check_file(&path).unwrap().to_string();
    let (totals, rest) = text.trim_end().split_once('\n').unwrap();
    let finding = rest.lines().last().unwrap();
    assert_eq!(
        totals,
        "packets 2, bytes 71, flows 2, fragments 0, cut short 0, errors 1, warnings 0, notes 0"
    );
    assert!(
        finding.starts_with("packet 2: error: W-TCPFMT-01 (RFC 9293 section 3.1): TCP checksum 0x"),
        "{finding}"
    );
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let packets: Vec<Stamped> = (0..10_500).map(|_| (Duration::ZERO, vec![0; 20])).collect();
    let report = check(&pcapng(
        InterfaceTsResolution::NANO,
        DataLink::RAW,
        &packets,
    ));
    assert_eq!(
        (report.found(), report.findings.len()),
        (10_500, pcap_verify::KEPT_FINDINGS)
    );
    assert!(report.to_string().ends_with("and 500 more\n"));
    assert_eq!(pcap_verify::to_json("file", &report)["omitted"], 500);
}

proptest! {
    /// Whatever the bytes, the answer is a report or an error.
    #[test]
    fn broken_files_never_panic(
        format in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = every_format(&good_packets()).swap_remove(format);
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        let _ = check_reader(Cursor::new(&file));
        let _ = check_reader(Cursor::new(&file[..cut.index(file.len())]));
    }

    /// Whatever the packet, the answer is a report.
    #[test]
    fn broken_packets_never_panic(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packet = good_packets().swap_remove(which).1;
        for (at, value) in changes {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        check_one(packet[..cut.index(packet.len() + 1)].to_vec());
        check_one(packet);
    }
}

#[test]
fn what_fuzzing_found_is_judged_without_panic() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).unwrap() {
        let mut bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let _ = check_reader(Cursor::new(&bytes));
        // As the fuzz target wraps them: packets between bytes that say their length.
        let mut packets = Vec::new();
        let mut time = 1;
        while !bytes.is_empty() {
            let length = usize::from(bytes.remove(0));
            let packet: Vec<u8> = bytes.drain(..length.min(bytes.len())).collect();
            time += length as u64 & 7;
            packets.push((
                Duration::from_micros(time * 1_000_000 + length as u64 * 3000),
                packet,
            ));
        }
        check(&pcap(
            PcapTsResolution::MicroSecond,
            Endianness::Little,
            &packets,
        ));
    }
}

/// What stands at `at`, in the byte order of this host.
fn word(bytes: &[u8], at: usize) -> usize {
    let word = bytes[at..at + 4].try_into().unwrap();
    u32::from_le_bytes(word) as usize
}

/// Where the times of the packets of a pcapng file stand.
fn times(file: &[u8]) -> Vec<usize> {
    const ENHANCED_PACKET: usize = 6;
    let (mut at, mut times) = (0, Vec::new());
    while at < file.len() {
        if word(file, at) == ENHANCED_PACKET {
            times.push(at + 12);
        }
        at += word(file, at + 4);
    }
    times
}

#[test]
fn times_may_be_as_far_apart_as_a_file_can_say() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures")).unwrap()
    {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "pcapng")
        {
            continue;
        }
        let file = std::fs::read(path).unwrap();
        let times = times(&file);
        assert!(times.len() > 10);
        for jump in (1..times.len()).step_by(times.len() / 8) {
            let mut file = file.clone();
            for (number, at) in times.iter().enumerate() {
                // The high half comes first.
                let high = if number < jump { 0 } else { u32::MAX };
                file[*at..at + 4].copy_from_slice(&high.to_le_bytes());
            }
            let _ = check_reader(Cursor::new(file));
        }
    }
}

#[test]
fn a_record_that_cannot_be_read_hides_no_other() {
    let mut wrong = udp4(b"x");
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let packets: Vec<Stamped> = [udp4(b"x"), udp4(b"y"), wrong]
        .into_iter()
        .map(|packet| (Duration::from_secs(1), packet))
        .collect();
    let mut bytes = pcapng(InterfaceTsResolution::NANO, DataLink::RAW, &packets);
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut places = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if word(&bytes, at) == 6 {
            places.push(at);
        }
        at += word(&bytes, at + 4) as usize;
    }
    // The second says that it was shorter than what is there of it.
    let place = places[1] + 24;
    bytes[place..place + 4].copy_from_slice(&5u32.to_le_bytes());
    let report = check_reader(&bytes[..]).unwrap();
    assert_eq!(report.packets, 2);
    assert_eq!(report.counts.get("J-FILE-01"), Some(&1), "{report}");
    assert_eq!(report.counts.get("W-UDP-01"), Some(&1), "{report}");
}

/// A section keeps what it says of its interfaces, so that it may not say any amount.
#[test]
fn a_section_says_so_much_of_its_interfaces() {
    let name = "x".repeat(60_000);
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    for _ in 0..300 {
        let mut interface = InterfaceDescriptionBlock::new(DataLink::RAW, 0);
        let name = InterfaceDescriptionOption::IfName(Cow::Borrowed(name.as_str()));
        interface.options.push(name);
        writer.write_pcapng_block(interface).unwrap();
    }
    let report = check(&writer.into_inner());
    let damage = report.findings.first().map(ToString::to_string);
    assert!(
        damage.is_some_and(|damage| damage.contains("more of its interfaces than the 16 MiB")),
        "{report}"
    );
}
