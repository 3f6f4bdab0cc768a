//! What is done about a loss is taken back where nothing was lost (RFC 2883, 3522, 3708, 4015, 5682).

use super::recovery::{
    MSS, RTT, answer_later, echo, established, flight, sack, sack_bytes, size, starts,
};
use core::time::Duration;
use suite::wire::{ACK, Tcp};

const MILLISECOND: Duration = Duration::from_millis(1);

// req: RFC5682-01, RFC5682-02, RFC5682-05, RFC9438-15, RFC4015-02
#[test]
fn a_late_flight_is_not_sent_again_after_a_spurious_timeout() {
    for with_sack in [false, true] {
        let mut remote = established(with_sack, None);
        let flight = flight(&mut remote, 60, 40);
        let window = remote.info().congestion_window;
        let sent = remote.pass(RTT * 8);
        let repeated: Vec<_> = sent
            .iter()
            .filter(|(_, s)| s.seq == flight[0].seq)
            .collect();
        assert_eq!(repeated.len(), 1, "{sent:#?}");
        assert!(remote.info().after_timeout);
        let end = sent.iter().map(|(_, s)| s.end()).max().expect("some");
        let end = if end.wrapping_sub(flight[39].end()) < 1 << 31 {
            end
        } else {
            flight[39].end()
        };
        remote.acknowledge(&flight[1]);
        let new = remote.sent();
        assert_eq!(
            starts(&new),
            [end, end + MSS as u32],
            "new data and not old"
        );
        remote.acknowledge(&flight[2]);
        let info = remote.info();
        assert!(!info.after_timeout);
        assert_eq!((info.undone, info.lost), (1, 0));
        assert!(info.congestion_window >= window);
        for segment in remote.sent() {
            assert!(
                segment.seq.wrapping_sub(end) < 1 << 31,
                "nothing old: {segment:?}"
            );
        }
    }
}

// req: RFC4015-01
#[test]
fn a_loss_that_a_spurious_timeout_hid_is_one_of_the_whole_flight() {
    let mut remote = established(true, Some(900));
    let flight = flight(&mut remote, 60, 40);
    remote.pass(RTT * 8);
    assert!(remote.info().after_timeout);
    // The first segment had arrived before, and others behind a gap.
    echo(&mut remote, &flight[0]);
    remote.rcv = flight[0].end();
    sack(&mut remote, &flight, &[(5, 20)]);
    let info = remote.info();
    assert!(info.in_recovery && info.undone == 1, "{info:#?}");
    assert!(info.threshold > 15 * MSS, "{info:#?}");
}

// req: RFC5682-04
#[test]
fn a_timeout_that_was_right_is_followed_by_repetitions() {
    let mut remote = established(false, None);
    let flight = flight(&mut remote, 60, 40);
    remote.pass(RTT * 8);
    remote.acknowledge(&flight[1]);
    assert_eq!(remote.sent().len(), 2);
    remote.send(ACK, b"");
    let sent = remote.sent();
    assert_eq!(sent[0].seq, flight[2].seq);
    assert!(sent.len() <= 3, "three segments at most: {}", sent.len());
    assert_eq!(remote.info().undone, 0);
}

// req: RFC4015-01, RFC9438-16
#[test]
fn an_old_echo_takes_a_fast_recovery_back() {
    let mut remote = established(true, Some(900));
    let flight = flight(&mut remote, 60, 40);
    let window = remote.info().congestion_window;
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 5)]);
    assert_eq!(remote.sent()[0].seq, flight[0].seq);
    assert!(remote.info().in_recovery && remote.info().threshold < window);
    answer_later(&mut remote, MILLISECOND * 5);
    // The first segment was only overtaken.
    echo(&mut remote, &flight[0]);
    remote.acknowledge(&flight[5]);
    let info = remote.info();
    assert!(!info.in_recovery && info.reordering_seen);
    assert_eq!(info.undone, 1);
    assert!(info.congestion_window >= window);
}

#[test]
fn a_window_that_is_taken_back_does_not_grow_for_having_been_small_and_full() {
    let mut remote = established(true, Some(900));
    // An application that uses a seventh of the window.
    for _ in 0..4 {
        let sent = flight(&mut remote, 6, 6);
        answer_later(&mut remote, RTT);
        echo(&mut remote, &sent[5]);
        remote.acknowledge(&sent[5]);
    }
    let window = remote.info().congestion_window;
    let flight = flight(&mut remote, 6, 6);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 5)]);
    remote.write(&vec![7; 6 * size(&remote)]);
    let reduced = remote.info();
    assert!(reduced.in_recovery && reduced.outstanding + size(&remote) > reduced.congestion_window);
    remote.sent();
    answer_later(&mut remote, MILLISECOND * 5);
    echo(&mut remote, &flight[0]);
    remote.acknowledge(&flight[5]);
    assert_eq!(remote.info().undone, 1);
    let sent = remote.sent();
    answer_later(&mut remote, RTT);
    echo(&mut remote, &sent[0]);
    remote.acknowledge(sent.last().expect("the rest"));
    assert_eq!(remote.info().congestion_window, window);
}

// req: RFC2883-06, RFC4015-01
#[test]
fn reports_of_duplicates_take_a_recovery_back() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    let window = remote.info().congestion_window;
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 5)]);
    assert_eq!(remote.sent()[0].seq, flight[0].seq);
    remote.acknowledge(&flight[5]);
    remote.sent();
    sack_bytes(&mut remote, &[(flight[0].seq, flight[0].end())]);
    let info = remote.info();
    assert_eq!((info.undone, info.duplicate_reports), (1, 1));
    assert!(!info.in_recovery && info.congestion_window >= window);
}

/// From the beginning of one segment to the end of another.
fn range(flight: &[Tcp], first: usize, last: usize) -> (u32, u32) {
    (flight[first].seq, flight[last].end())
}

// req: RFC2883-06
#[test]
fn a_segment_that_the_network_doubled_takes_nothing_back() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 5)]);
    assert_eq!(remote.sent()[0].seq, flight[0].seq);
    let reduced = remote.info();
    // The first is lost. The fourth was sent once, and came twice.
    sack_bytes(&mut remote, &[range(&flight, 3, 3), range(&flight, 1, 5)]);
    let info = remote.info();
    assert_eq!((info.undone, info.duplicate_reports), (0, 1));
    assert!(info.in_recovery && info.threshold == reduced.threshold);
}

#[test]
fn a_report_that_comes_twice_counts_once() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    // Two seem lost, of which the second was only late.
    for last in 2..=12 {
        sack(&mut remote, &flight, &[(2, last)]);
        remote.sent();
    }
    assert_eq!(remote.info().resent, 2 * MSS);
    sack(&mut remote, &flight, &[(1, 12)]);
    for _ in 0..2 {
        sack_bytes(&mut remote, &[range(&flight, 1, 1), range(&flight, 1, 12)]);
        assert_eq!(remote.info().undone, 0);
    }
}
