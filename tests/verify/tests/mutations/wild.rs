//! What stands in captures that others made of ordinary traffic, and says nothing against anybody.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_verify::{Offload, Options, Report, check_reader_with};

use crate::capture::{ACK, Capture, FIN, Frame, PSH, RST};
use crate::talk::{SERVER, Segment, capture, client, server};
use crate::talks::{after_handshake, flight};

fn judge(capture: &Capture, offload: Offload) -> Report {
    let mut options = Options::default();
    options.offload = offload;
    check_reader_with(Cursor::new(capture.write()), &options).unwrap()
}

fn report(segments: &[Segment]) -> Report {
    judge(&capture(segments), Offload::Auto)
}

#[test]
fn a_capture_may_begin_with_a_keep_alive() {
    let ask = |ms: f64| [client(ms, ACK, 500, 1, 0), server(ms + 0.5, ACK, 1, 501, 0)];
    let mut talk: Vec<Segment> = [0.0, 45_000.0].into_iter().flat_map(ask).collect();
    assert_eq!(report(&talk).found(), 0, "{}", report(&talk));
    // The answer may be the first that is there, too.
    talk.remove(0);
    assert_eq!(report(&talk).found(), 0, "{}", report(&talk));
    // What is acknowledged beyond what was sent since is another matter.
    talk.extend(flight(50_000.0, 501, 1));
    talk.push(server(50_010.0, ACK, 1, 1_101, 0));
    let report = report(&talk);
    assert_eq!(report.counts.get("W-TCPSEQ-06"), Some(&1), "{report}");
}

#[test]
fn answers_to_many_repetitions_are_no_war() {
    let mut talk = after_handshake(flight(10.0, 1, 8));
    let micro = |ms: u32, at: u32| f64::from(ms) + f64::from(at) / 1000.0;
    talk.extend((0..8).map(|at| client(micro(400, at), ACK, 1 + 500 * at, 1, 500)));
    talk.extend((0..8).map(|at| server(micro(401, at), ACK, 1, 4_001, 0)));
    let report = report(&talk);
    assert!(!report.counts.contains_key("W-ACK-09"), "{report}");
}

#[test]
fn each_segment_on_its_way_may_be_answered_by_a_reset() {
    let mut talk = after_handshake(flight(10.0, 1, 1));
    talk.push(client(20.0, ACK | FIN, 501, 1, 0));
    let late = [
        (30.0, ACK, 1, 501),
        (30.1, ACK, 501, 501),
        (31.0, ACK | FIN, 1_001, 502),
    ];
    for (ms, flags, seq, ack) in late {
        talk.push(server(
            ms,
            flags,
            seq,
            ack,
            if flags & FIN == 0 { 500 } else { 0 },
        ));
    }
    talk.push(client(30.05, RST, 501, 0, 0));
    talk.push(client(31.5, RST, 501, 0, 0));
    talk.push(client(31.6, RST, 502, 0, 0));
    talk.sort_by_key(|segment| segment.micros);
    let fine = report(&talk);
    assert!(!fine.counts.contains_key("W-TCPHS-06"), "{fine}");
    talk.last_mut().unwrap().seq = 400;
    let wrong = report(&talk);
    assert!(wrong.counts.contains_key("W-TCPHS-06"), "{wrong}");
}

/// The capture with an identification in each packet, and each packet twice.
fn seen_twice(segments: &[Segment], later: Duration) -> Capture {
    let mut twice = capture(segments);
    for (number, frame) in twice.frames.iter_mut().enumerate() {
        frame.bytes[5] = number as u8 + 1;
        frame.mend_header();
    }
    let copies = twice.frames.clone();
    twice.frames.extend(copies.into_iter().map(|mut frame| {
        frame.time += later;
        frame
    }));
    twice.frames.sort_by_key(|frame| frame.time);
    twice
}

#[test]
fn a_packet_that_was_captured_twice_was_sent_once() {
    let mut talk = after_handshake(flight(10.0, 1, 4));
    talk.extend(flight(30.0, 2_001, 4));
    let copied = judge(&seen_twice(&talk, Duration::from_micros(50)), Offload::Auto);
    assert_eq!(copied.found(), 0, "{copied}");
    // So late nobody captures it again.
    let later = judge(&seen_twice(&talk, Duration::from_millis(5)), Offload::Auto);
    assert!(later.found() > 0, "{later}");
}

#[test]
fn what_the_capture_lost_is_nobodys_fault_even_if_that_is_seen_later() {
    let mut talk = after_handshake(flight(10.0, 1, 2));
    talk.push(server(20.0, ACK, 1, 1_001, 0).sack(&[(1_501, 2_001)]));
    let report_of = |talk: &[Segment]| report(talk);
    assert_eq!(report_of(&talk).counts.get("W-SACK-04"), Some(&1));
    // It has arrived, so it was sent.
    talk.push(client(25.0, ACK, 2_001, 1, 500));
    talk.push(server(30.0, ACK, 1, 2_501, 0));
    let report = report_of(&talk);
    assert!(!report.counts.contains_key("W-SACK-04"), "{report}");
    assert_eq!(report.withheld.get("W-SACK-04"), Some(&1), "{report:?}");
    let sum = report.errors + report.warnings + report.notes;
    assert_eq!(report.findings.len() as u64, sum);
    assert_eq!(report.counts.values().sum::<u64>(), sum);
}

#[test]
fn nobody_is_late_where_only_segments_with_data_were_captured() {
    let ask = |at: u32| {
        let ms = f64::from(1_000 * (at / 2) + 2 * (at % 2));
        let from = 1 + 12 * at;
        [
            client(ms, ACK | PSH, from, 1 + 11 * at, 12),
            server(ms + 1.0, ACK | PSH, 1 + 11 * at, from + 12, 11),
        ]
    };
    let mut talk: Vec<Segment> = (0..6).flat_map(ask).collect();
    let filtered = report(&talk);
    assert_eq!(filtered.found(), 0, "{filtered}");
    assert!(filtered.withheld.contains_key("W-ACK-01"), "{filtered:?}");
    talk.push(client(4_500.0, ACK, 73, 67, 0));
    assert!(report(&talk).counts.contains_key("W-ACK-01"));
}

#[test]
fn hardware_may_be_left_to_say_how_long_its_packets_are() {
    let mut talk = after_handshake(Vec::new());
    talk.push(client(10.0, ACK | PSH, 1, 1, 2_000));
    talk.push(server(11.0, ACK, 1, 2_001, 0));
    let mut unsaid = capture(&talk);
    let bytes = &mut unsaid.frames[3].bytes;
    bytes[2..4].fill(0);
    bytes[10..12].fill(0);
    bytes[36..38].copy_from_slice(&[0x84, 0xc4]);
    let report = judge(&unsaid, Offload::Auto);
    assert_eq!(report.found(), 0, "{report}");
    let wire = judge(&unsaid, Offload::After);
    for rule in ["W-IP4-01", "W-IP4-02", "W-TCPFMT-01"] {
        assert!(wire.counts.contains_key(rule), "{rule}: {wire}");
    }
}

/// What is found of a flight of the client and its acknowledgements when the header sums of the frames that `is_empty`
/// names, by their place and length, are left empty: W-IP4-01 reported, and withheld.
fn empty_sums(is_empty: impl Fn(usize, usize) -> bool) -> [u64; 2] {
    let mut talk = after_handshake(Vec::new());
    for at in 0..6 {
        let ms = 10.0 + f64::from(at);
        talk.push(client(ms, ACK, 1 + 500 * at, 1, 500));
        talk.push(server(ms + 0.5, ACK, 1, 501 + 500 * at, 0));
    }
    let mut capture = capture(&talk);
    for (place, frame) in capture.frames.iter_mut().enumerate() {
        if is_empty(place, frame.bytes.len()) {
            frame.bytes[10..12].fill(0);
        }
    }
    let report = judge(&capture, Offload::Auto);
    assert_eq!(
        report.found(),
        report.counts.get("W-IP4-01").copied().unwrap_or(0),
        "{report}"
    );
    let count = |counts: &BTreeMap<&str, u64>| counts.get("W-IP4-01").copied().unwrap_or(0);
    [count(&report.counts), count(&report.withheld)]
}

#[test]
fn an_empty_header_sum_counts_where_the_host_fills_others_in() {
    assert_eq!(empty_sums(|_, _| false), [0, 0]);
    // The client's third segment with data, and the server's answer to it.
    assert_eq!(empty_sums(|place, _| place == 7), [1, 0]);
    assert_eq!(empty_sums(|place, _| place == 8), [1, 0]);
    // What comes first is judged by what comes later.
    assert_eq!(empty_sums(|place, _| place == 0), [1, 0]);
    // A host that leaves them all, or most, to its hardware.
    assert_eq!(empty_sums(|place, _| place % 2 == 1), [0, 7]);
    // One that leaves those to it which it cuts: all that are longer than the rest.
    assert_eq!(empty_sums(|_, length| length > 500), [0, 6]);
}

#[test]
fn two_segments_that_were_joined_are_longer_than_one_may_be() {
    let mut talk = after_handshake(Vec::new());
    for at in 0..10 {
        let ms = 10.0 + f64::from(at);
        talk.push(client(ms, ACK, 1 + 548 * at, 1, 548));
        talk.push(server(ms + 0.5, ACK, 1, 549 + 548 * at, 0));
    }
    talk.push(client(30.0, ACK | PSH, 5_481, 1, 1_096));
    talk.push(server(30.5, ACK, 1, 6_577, 0));
    for segment in &mut talk {
        segment.style = crate::talk::Style::Stamped;
        segment.stamps = (segment.micros as u32 / 1_000 + 1, 0);
    }
    let report = report(&talk);
    assert!(!report.counts.contains_key("W-TCPSEQ-01"), "{report}");
}

/// What is found, beside both hosts, of a segment whose IP header `damage` spoils, and that is sent again.
fn damaged(damage: impl Fn(&mut Frame)) -> Vec<&'static str> {
    let mut talk = after_handshake(flight(10.0, 1, 1));
    talk.push(client(20.0, ACK | PSH, 501, 1, 500));
    talk.push(client(1_020.0, ACK | PSH, 501, 1, 500));
    talk.push(server(1_020.5, ACK, 1, 1_001, 0));
    let mut capture = capture(&talk);
    damage(&mut capture.frames[5]);
    let mut options = Options::default();
    options.beside = vec![[10, 7, 0, 1].into(), SERVER.into()];
    let report = check_reader_with(Cursor::new(capture.write()), &options).unwrap();
    report.counts.into_keys().collect()
}

#[test]
fn nobody_has_to_answer_what_has_a_damaged_header() {
    assert_eq!(damaged(|frame| frame.bytes[11] ^= 4), ["W-IP4-01"]);
    let longer = |frame: &mut Frame| {
        frame.put16(2, 1_540);
        frame.mend_header();
    };
    assert_eq!(damaged(longer), ["W-IP4-02"]);
}

/// Who has `10.9.0.9`?
fn question(micros: u64) -> Frame {
    let from = [2, 0, 0, 0, 0, 1];
    let kinds = [8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
    let ends = [&from[..], &[10, 9, 0, 1], &[0; 6], &[10, 9, 0, 9]].concat();
    let mut bytes = [&[0xff; 6][..], &from, &kinds, &ends].concat();
    bytes.resize(60, 0);
    Frame {
        time: Duration::from_secs(1) + Duration::from_micros(micros),
        interface: 0,
        bytes,
        ip: 14,
    }
}

#[test]
fn a_question_to_all_may_be_heard_twice() {
    let heard = |times: &[u64]| {
        let capture = Capture {
            links: vec![DataLink::ETHERNET],
            frames: times.iter().map(|micros| question(*micros)).collect(),
            cut: 0,
            lost: 0,
        };
        judge(&capture, Offload::Auto).found()
    };
    assert_eq!(heard(&[0, 300, 1_000_000, 1_000_300]), 0);
    assert_eq!(heard(&[0, 300, 600]), 1, "not three times");
    assert_eq!(heard(&[0, 500_000]), 1);
}
