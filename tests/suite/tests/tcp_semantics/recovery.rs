//! How what is lost is found and sent again with selective acknowledgements (RFC 2018, 6675, 8985, 9937), and what
//! happens when it was not lost after all (RFC 2883, 3522, 4015, 5682).

use core::time::Duration;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, Tcp, options};

const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const RTT: Duration = Duration::from_millis(40);
pub(super) const MSS: usize = 1460;

/// An established connection whose path takes 40 ms there and back; its window has grown to 40 segments.
pub(super) fn established(sack: bool, timestamp: Option<u32>) -> Remote {
    let offer = Offer {
        sack,
        timestamp,
        rtt: RTT,
        scale: Some(4),
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    for segments in [10, 20] {
        remote.write(&vec![1; segments * size(&remote)]);
        let sent = remote.sent();
        assert_eq!(sent.len(), segments);
        answer_later(&mut remote, RTT);
        for segment in sent {
            echo(&mut remote, &segment);
            remote.acknowledge(&segment);
        }
    }
    assert_eq!(remote.info().rtt, Some(RTT));
    remote
}

pub(super) fn size(remote: &Remote) -> usize {
    if remote.timestamps.is_some() {
        MSS - 12
    } else {
        MSS
    }
}

pub(super) fn answer_later(remote: &mut Remote, time: Duration) {
    let by_itself = remote.pass(time);
    assert!(by_itself.is_empty(), "{by_itself:#?}");
}

/// Has the far end echo the timestamp of `segment` from now on.
pub(super) fn echo(remote: &mut Remote, segment: &Tcp) {
    if let (Some((_, ecr)), Some((val, _))) = (&mut remote.timestamps, segment.timestamps()) {
        *ecr = val;
    }
}

/// Writes `written` segments, of which `expected` leave.
pub(super) fn flight(remote: &mut Remote, written: usize, expected: usize) -> Vec<Tcp> {
    remote.write(&vec![7; written * size(remote)]);
    let sent = remote.sent();
    assert_eq!(sent.len(), expected, "{sent:#?}");
    sent
}

/// Acknowledges nothing new, but the blocks from the first to the second segment of each pair, inclusively.
pub(super) fn sack(remote: &mut Remote, flight: &[Tcp], blocks: &[(usize, usize)]) {
    let edges: Vec<(u32, u32)> = blocks
        .iter()
        .map(|(from, to)| (flight[*from].seq, flight[*to].end()))
        .collect();
    sack_bytes(remote, &edges);
}

pub(super) fn sack_bytes(remote: &mut Remote, blocks: &[(u32, u32)]) {
    let mut segment = remote.segment(ACK, b"");
    segment.options.extend(options::sack(blocks));
    remote.inject(&segment);
}

pub(super) fn starts(sent: &[Tcp]) -> Vec<u32> {
    sent.iter().map(|segment| segment.seq).collect()
}

// req: RFC8985-03, RFC6675-02, RFC6675-12, RFC6675-13, RFC9937-06
#[test]
fn three_segments_beyond_a_hole_repeat_it_at_once() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    for last in 1..=2 {
        sack(&mut remote, &flight, &[(1, last)]);
        let new = remote.one();
        assert_eq!(
            new.seq,
            flight[39].end() + (last as u32 - 1) * MSS as u32,
            "limited transmit"
        );
    }
    sack(&mut remote, &flight, &[(1, 3)]);
    assert_eq!(remote.one().seq, flight[0].seq);
    let info = remote.info();
    assert!(info.in_recovery);
    assert_eq!((info.sacked, info.lost), (3 * MSS, 0));
    assert_eq!(info.in_network + info.sacked, info.outstanding);
}

// req: RFC8985-04, RFC8985-11
#[test]
fn one_segment_beyond_a_hole_repeats_it_after_the_reordering_window() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 1)]);
    remote.nothing();
    let sent = remote.pass(RTT);
    assert_eq!(sent[0].1.seq, flight[0].seq);
    assert_eq!(sent[0].0, RTT / 4, "min_RTT / 4");
}

#[test]
fn what_is_repeated_after_the_reordering_window_takes_a_place_that_was_kept_for_it() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    remote.rcv = flight[0].end();
    sack(&mut remote, &flight, &[(2, 2)]);
    // Two have left the network, and the window has grown by one.
    assert_eq!(remote.sent().len(), 2);
    let later = remote.pass(RTT / 4);
    assert_eq!(starts(&[later[0].1.clone()]), [flight[1].seq]);
    assert_eq!(later.len(), 1, "{later:#?}");
}

// req: RFC2018-10, RFC6675-04, RFC6675-05, RFC6675-14, RFC6675-11, RFC9937-09
#[test]
fn holes_are_filled_in_order_and_once_each_and_then_new_data_leaves() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    let mut sent = Vec::new();
    for last in 10..40 {
        sack(&mut remote, &flight, &[(9, last), (5, 7), (1, 3)]);
        sent.extend(starts(&remote.sent()));
    }
    let holes: Vec<u32> = sent
        .iter()
        .copied()
        .filter(|seq| seq.wrapping_sub(flight[39].end()) >= 1 << 31)
        .collect();
    assert_eq!(holes, [0, 4, 8].map(|i: usize| flight[i].seq));
    assert!(sent.len() > 10, "new data follows: {}", sent.len());
    assert!(remote.info().in_recovery);
    let retransmits = remote.info().retransmits;
    answer_later(&mut remote, RTT);
    remote.acknowledge(&flight[39]);
    assert!(!remote.info().in_recovery);
    assert_eq!(remote.info().retransmits, retransmits);
    assert_eq!(remote.info().congestion_window, remote.info().threshold);
}

// req: RFC5681-33, RFC6937-02, RFC8985-24, RFC6675-16, RFC9937-02, RFC9937-04
#[test]
fn recovery_sends_the_reduced_window_in_proportion_to_what_arrives() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 100, 40);
    answer_later(&mut remote, RTT);
    let mut sent = 0;
    for last in 1..40 {
        sack(&mut remote, &flight, &[(1, last)]);
        let now = remote.sent().len();
        assert!(now <= 2, "no burst: {now}");
        sent += now;
        if last == 14 {
            // Waiting for the window to drain first would have let nothing out but the first few.
            assert!((7..=13).contains(&sent), "in proportion: {sent}");
        }
    }
    let share = remote.info().threshold as f64 / (40 * MSS) as f64;
    let expected = (40.0 * share) as usize;
    assert!(sent.abs_diff(expected) <= 3, "{sent}, not {expected}");
}

// req: RFC8985-05, RFC5681-34, RFC8985-22, RFC8985-25
#[test]
fn a_lost_repetition_is_repeated_without_a_timeout_and_counts_again() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 20)]);
    let first = remote.sent();
    assert_eq!(first[0].seq, flight[0].seq);
    let threshold = remote.info().threshold;
    answer_later(&mut remote, MILLISECOND);
    sack(&mut remote, &flight, &[(1, 25)]);
    let later = remote.sent();
    assert!(!later.is_empty());
    answer_later(&mut remote, RTT);
    // What left after the repetition arrives; the repetition does not.
    sack_bytes(&mut remote, &[(flight[1].seq, later[0].end())]);
    let again = remote.sent();
    assert_eq!(again[0].seq, flight[0].seq);
    assert!(remote.info().threshold < threshold, "a second reduction");
    assert!(!remote.info().after_timeout);
}

// req: RFC8985-13, RFC8985-14, RFC8985-17, RFC8985-18, RFC8985-21
#[test]
fn a_lost_tail_is_asked_about_before_the_timeout() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 5, 5);
    let srtt = remote.info().rtt.expect("measured");
    let sent = remote.pass(Duration::from_secs(2));
    assert_eq!(sent[0].1.seq, flight[4].seq, "the last segment");
    assert_eq!(sent[0].0, srtt * 2 + Duration::from_millis(2));
    assert_eq!(
        sent[1].1.seq, flight[0].seq,
        "then the first, by the timeout"
    );
    assert!(sent[1].0 - sent[0].0 >= Duration::from_millis(200));
    assert_eq!(remote.info().loss_probes, 1);
}

// req: RFC8985-17
#[test]
fn a_probe_is_new_data_where_there_is_any() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    let sent = remote.pass(RTT * 3);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!(sent[0].1.seq, flight[39].end());
}

// req: RFC8985-19, RFC8985-20
#[test]
fn a_loss_that_only_the_probe_repaired_reduces_the_window() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 5, 5);
    let window = remote.info().congestion_window;
    remote.pass(RTT * 3);
    remote.acknowledge(&flight[4]);
    assert_eq!(remote.info().congestion_window, window, "not known yet");
    remote.write(&[1; MSS]);
    let next = remote.one();
    remote.acknowledge(&next);
    assert!(remote.info().congestion_window < window);
}

#[test]
fn a_probe_that_was_not_needed_leaves_the_window() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 5, 5);
    let window = remote.info().congestion_window;
    remote.pass(RTT * 3);
    remote.rcv = flight[4].end();
    sack_bytes(&mut remote, &[(flight[4].seq, flight[4].end())]);
    remote.write(&[1; MSS]);
    let next = remote.one();
    remote.acknowledge(&next);
    assert!(remote.info().congestion_window >= window);
    assert_eq!(remote.info().duplicate_reports, 1);
}

// req: RFC2018-12, RFC2018-17, RFC6675-01
#[test]
fn a_peer_that_throws_away_what_it_acknowledged_selectively_gets_it_again() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 9)]);
    assert_eq!(remote.one().seq, flight[0].seq);
    // It kept nothing but the first.
    answer_later(&mut remote, RTT);
    remote.acknowledge(&flight[0]);
    let mut seen = Vec::new();
    for _ in 0..20 {
        for segment in remote.sent() {
            if segment.seq == remote.rcv {
                remote.acknowledge(&segment);
            }
            seen.push(segment.seq);
        }
        let by_itself = remote.pass(RTT);
        for (_, segment) in by_itself {
            if segment.seq == remote.rcv {
                remote.acknowledge(&segment);
            }
        }
    }
    assert_eq!(remote.rcv, flight[9].end());
    assert_eq!(remote.info().reneged, 1);
}

// req: RFC2018-12
#[test]
fn a_peer_that_reports_the_very_first_selectively_gets_it_again_at_the_timeout() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 3, 3);
    sack(&mut remote, &flight, &[(0, 2)]);
    let again = remote.pass(RTT * 50);
    let first = flight[0].seq;
    assert!(again.iter().any(|(_, segment)| segment.seq == first));
    assert_eq!(remote.info().reneged, 1);
}

#[test]
fn blocks_that_make_no_sense_change_nothing() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    let (una, nxt) = (flight[0].seq, flight[9].end());
    for block in [
        (nxt, nxt.wrapping_add(5_000)),
        (flight[5].seq, nxt.wrapping_add(1)),
        (flight[5].end(), flight[5].seq),
        (una.wrapping_sub(1 << 20), flight[5].end()),
        (
            una.wrapping_add(1 << 31),
            una.wrapping_add(1 << 31).wrapping_add(9),
        ),
    ] {
        sack_bytes(&mut remote, &[block]);
        assert_eq!(remote.info().sacked, 0, "{block:?}");
    }
    remote.nothing();
}

// req: RFC5681-21
#[test]
fn duplicates_without_blocks_mean_nothing_where_blocks_are_agreed() {
    let mut remote = established(true, None);
    flight(&mut remote, 60, 40);
    for _ in 0..10 {
        remote.send(ACK, b"");
        remote.nothing();
    }
    assert!(!remote.info().in_recovery);
}

// req: RFC2883-01, RFC2883-02, RFC2883-03, RFC2883-05
#[test]
fn what_arrives_twice_is_reported_once_and_first() {
    let mut remote = established(true, None);
    let start = remote.nxt;
    remote.send(ACK, &[1; 1000]);
    remote.send(ACK, &[2; 1000]);
    remote.sent();
    let again = Tcp {
        seq: start,
        ..remote.segment(ACK, &[1; 1000])
    };
    remote.inject(&again);
    let ack = remote.one();
    assert_eq!(ack.ack, remote.nxt);
    assert_eq!(ack.sack(), [(start, start.wrapping_add(1000))]);
    // Half of the next one is new.
    let half = Tcp {
        seq: start.wrapping_add(1500),
        ..remote.segment(ACK, &[2; 1000])
    };
    remote.nxt = half.end();
    remote.inject(&half);
    let ack = remote.one();
    assert_eq!(ack.ack, remote.nxt);
    let edges = (start.wrapping_add(1500), start.wrapping_add(2000));
    assert_eq!(ack.sack(), [edges]);
    remote.send(ACK, &[3; 3000]);
    assert!(remote.one().sack().is_empty(), "once");
}

// req: RFC2883-04, RFC2018-07
#[test]
fn what_arrives_twice_beyond_a_hole_is_reported_before_the_block_around_it() {
    let mut remote = established(true, None);
    let hole = remote.nxt;
    remote.nxt = hole.wrapping_add(1000);
    let kept = remote.nxt;
    remote.send(ACK, &[1; 1000]);
    remote.send(ACK, &[2; 1000]);
    remote.sent();
    let again = Tcp {
        seq: kept.wrapping_add(500),
        ..remote.segment(ACK, &[1; 500])
    };
    remote.inject(&again);
    let ack = remote.one();
    assert_eq!(ack.ack, hole);
    let duplicate = (kept.wrapping_add(500), kept.wrapping_add(1000));
    assert_eq!(ack.sack(), [duplicate, (kept, kept.wrapping_add(2000))]);
}

#[test]
fn a_peer_without_selective_acknowledgements_hears_of_no_duplicates() {
    let mut remote = established(false, None);
    let start = remote.nxt;
    remote.send(ACK, &[1; 3000]);
    remote.sent();
    let again = Tcp {
        seq: start,
        ..remote.segment(ACK, &[1; 3000])
    };
    remote.inject(&again);
    assert!(remote.one().options.is_empty());
}

#[test]
fn a_measurement_after_a_timeout_ends_its_back_off_though_the_round_trip_had_one() {
    let mut remote = established(false, Some(900));
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    echo(&mut remote, &flight[0]);
    remote.acknowledge(&flight[0]);
    let rto = remote.info().rto;
    let sent = remote.pass(rto + MILLISECOND);
    let (_, again) = sent.last().expect("a repetition");
    assert_eq!((sent.len(), again.seq), (1, flight[1].seq));
    assert_eq!(remote.info().backoff, 1);
    answer_later(&mut remote, RTT);
    echo(&mut remote, again);
    remote.acknowledge(&flight[1]);
    assert_eq!(remote.info().backoff, 0);
    assert!(remote.info().rto < rto * 3 / 2);
}

// req: RFC5681-21
#[test]
fn what_comes_between_two_duplicates_stops_no_limited_transmit() {
    let rounds: [fn(&mut Remote, &[Tcp], usize); 3] = [
        |_, _, _| {},
        |remote, flight, last| sack(remote, flight, &[(1, last)]),
        |remote, _, _| remote.send(ACK, b"chat"),
    ];
    for between in rounds {
        let mut remote = established(true, None);
        let flight = flight(&mut remote, 60, 40);
        answer_later(&mut remote, RTT);
        let mut new = 0;
        for last in 1..=2 {
            sack(&mut remote, &flight, &[(1, last)]);
            new += remote.sent().len();
            between(&mut remote, &flight, last);
            let sent = remote.sent();
            new += sent.iter().filter(|sent| !sent.payload.is_empty()).count();
        }
        assert_eq!(new, 2);
    }
}
