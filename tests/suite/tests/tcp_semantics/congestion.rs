//! How the congestion window answers losses without selective acknowledgements (RFC 5681, RFC 6582).

use core::time::Duration;
use netstack_core::Congestion;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, Tcp};

const RTT: Duration = Duration::from_millis(40);
const MSS: usize = 1460;

fn established() -> Remote {
    let mut config = WorldConfig::default();
    config.tcp.congestion = Congestion::Reno;
    let offer = Offer {
        rtt: RTT,
        scale: Some(4),
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::new(&config), &offer);
    // The window of the SYN was not scaled.
    remote.send(ACK, b"");
    remote
}

/// The first window of ten segments is in flight, and more waits.
fn in_flight(remote: &mut Remote) -> Vec<Tcp> {
    remote.write(&[1; 100 * MSS]);
    let sent = remote.sent();
    assert_eq!(sent.len(), 10);
    sent
}

fn duplicates(remote: &mut Remote, count: usize) -> Vec<Tcp> {
    (0..count)
        .flat_map(|_| {
            remote.send(ACK, b"");
            remote.sent()
        })
        .collect()
}

// req: RFC5681-08
#[test]
fn the_threshold_is_as_high_as_can_be_before_the_first_loss() {
    assert_eq!(established().info().threshold, usize::MAX);
}

// req: RFC5681-07
#[test]
fn a_smaller_path_in_the_first_window_makes_the_window_smaller_too() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    let report = suite::wire::Icmp {
        src: flight[0].dst.ip(),
        dst: flight[0].src.ip(),
        kind: (3, 4),
        word: 800,
        payload: flight[0].to_packet()[..200].to_vec(),
    };
    remote.lab.inject(&report.to_packet());
    assert_eq!(remote.info().send_mss, 760);
    assert_eq!(remote.info().congestion_window, 7_600);
    assert!(remote.sent().len() <= 10, "no more packets than before");
}

// req: RFC3042-02, RFC5681-09, RFC5681-20, RFC5681-22
#[test]
fn limited_transmit_changes_no_window_and_does_not_count_as_outstanding() {
    let mut remote = established();
    in_flight(&mut remote);
    assert_eq!(duplicates(&mut remote, 2).len(), 2);
    assert_eq!(remote.info().congestion_window, 10 * MSS);
    duplicates(&mut remote, 1);
    assert_eq!(
        remote.info().threshold,
        5 * MSS,
        "half of ten, not of twelve"
    );
}

// req: RFC5681-24, RFC5681-26
#[test]
fn each_further_duplicate_lets_a_segment_out_once_half_the_window_has_left() {
    let mut remote = established();
    in_flight(&mut remote);
    duplicates(&mut remote, 3);
    // Twelve segments are outstanding; the window is five, and three for what has left.
    assert_eq!(duplicates(&mut remote, 4).len(), 0);
    for _ in 0..4 {
        assert_eq!(duplicates(&mut remote, 1).len(), 1);
    }
}

// req: RFC5681-25, RFC9937-08
#[test]
fn more_duplicates_than_there_was_data_let_nothing_more_out() {
    let mut remote = established();
    in_flight(&mut remote);
    let sent = duplicates(&mut remote, 300).len();
    assert!(sent <= 12, "{sent} segments for ten that left");
}

// req: RFC6582-01, RFC6582-02, RFC6675-10
#[test]
fn duplicates_of_the_end_of_a_recovery_begin_no_other() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    duplicates(&mut remote, 2);
    let end = flight[9].end().wrapping_add(2 * MSS as u32);
    duplicates(&mut remote, 1);
    remote.rcv = end;
    remote.send(ACK, b"");
    assert!(!remote.info().in_recovery);
    let (next, count) = (remote.sent(), remote.info().retransmits);
    assert_eq!(next[0].seq, end);
    duplicates(&mut remote, 5);
    assert_eq!(remote.info().retransmits, count, "of what came twice");
    remote.acknowledge(&next[0]);
    remote.sent();
    let again = duplicates(&mut remote, 3);
    assert_eq!(again.last().map(|s| s.seq), Some(next[0].end()), "a loss");
}

// req: RFC6582-07
#[test]
fn duplicates_of_what_left_before_a_timeout_begin_no_recovery() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    let sent = remote.pass(Duration::from_millis(350));
    assert_eq!((sent.len(), sent[0].1.seq), (1, flight[0].seq));
    let threshold = remote.info().threshold;
    assert_eq!(duplicates(&mut remote, 6), []);
    let info = remote.info();
    assert_eq!((info.threshold, info.in_recovery), (threshold, false));
    assert_eq!(info.recoveries, 0);
}

// req: RFC5682-06
#[test]
fn a_second_timeout_repeats_and_asks_no_more_whether_it_was_needed() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    remote.pass(Duration::from_millis(350));
    remote.acknowledge(&flight[1]);
    let new = remote.sent();
    assert_eq!(new[0].seq, flight[9].end(), "new data asks");
    let sent = remote.pass(Duration::from_secs(1));
    assert_eq!(sent[0].1.seq, flight[2].seq, "a timeout again");
    remote.acknowledge(&flight[3]);
    assert_eq!(remote.sent()[0].seq, flight[4].seq);
}

// req: RFC5682-07
#[test]
fn a_timeout_in_fast_recovery_is_not_doubted() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    duplicates(&mut remote, 3);
    assert!(remote.info().in_recovery);
    remote.pass(Duration::from_millis(350));
    assert!(remote.info().after_timeout);
    remote.acknowledge(&flight[1]);
    assert_eq!(remote.sent()[0].seq, flight[2].seq, "old data and not new");
}

/// How many bytes of data each packet has that leaves now, before a device cuts it into segments.
fn packets(remote: &mut Remote) -> Vec<usize> {
    let (now, host) = (remote.lab.now, &mut remote.lab.host);
    let packets = std::iter::from_fn(|| host.stack.poll_transmit(now, host.iface));
    packets.map(|packet| packet.len() - 40).collect()
}

/// The whole window leaves; returns in which packets.
fn fill_window(remote: &mut Remote) -> Vec<usize> {
    let window = remote.info().congestion_window;
    remote.write(&vec![1; window]);
    let sizes = packets(remote);
    assert_eq!(sizes.iter().sum::<usize>(), window);
    sizes
}

fn acknowledge_all(remote: &mut Remote) {
    remote.rcv = remote.rcv.wrapping_add(remote.info().outstanding as u32);
    remote.send(ACK, b"");
}

#[test]
fn once_something_was_lost_no_packet_has_more_than_a_third_of_the_window() {
    let mut remote = established();
    for _ in 0..2 {
        let sizes = fill_window(&mut remote);
        assert_eq!(sizes.len(), 1, "as much as fits into one");
        acknowledge_all(&mut remote);
    }
    fill_window(&mut remote);
    duplicates(&mut remote, 3);
    acknowledge_all(&mut remote);
    let mut seen = 0;
    for _ in 0..10 {
        let window = remote.info().congestion_window;
        let most = (window / 3 / MSS).max(2) * MSS;
        let sizes = fill_window(&mut remote);
        assert_eq!(sizes[0], most, "{sizes:?} of {window}");
        assert!(sizes.iter().all(|size| *size <= most), "{sizes:?}");
        seen = most.max(seen);
        acknowledge_all(&mut remote);
    }
    assert!(seen > 5 * MSS, "{seen}");
}
