//! What the sender makes of selective acknowledgements, and how much it lets out meanwhile (RFC 6675, 8985, 9937).

use super::recovery::{MSS, RTT, answer_later, established, flight, sack, sack_bytes, starts};
use netstack_core::{Congestion, SocketOption};
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, Tcp, options};

// req: RFC2018-01
#[test]
fn only_a_syn_says_that_blocks_are_understood() {
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    assert!(remote.syn.sack_permitted());
    remote.write(&[1; 5_000]);
    let beyond = Tcp {
        seq: remote.nxt.wrapping_add(100),
        ..remote.segment(ACK, b"beyond")
    };
    remote.inject(&beyond);
    let sent = remote.sent();
    assert!(sent.len() >= 5);
    assert!(sent.iter().all(|segment| !segment.sack_permitted()));
}

// req: RFC2883-07
#[test]
fn blocks_of_an_overtaken_acknowledgement_report_no_duplicate() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    remote.acknowledge(&flight[6]);
    // This one left the far end before.
    let mut late = remote.segment(ACK, b"");
    late.ack = flight[0].end();
    late.options = options::sack(&[(flight[2].seq, flight[3].end())]);
    remote.inject(&late);
    assert_eq!(remote.info().duplicate_reports, 0);
}

#[test]
fn blocks_of_an_overtaken_acknowledgement_count_where_they_are_about_later_data() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 40, 40);
    answer_later(&mut remote, RTT);
    remote.acknowledge(&flight[1]);
    let mut late = remote.segment(ACK, b"");
    late.ack = flight[0].end();
    late.options = options::sack(&[(flight[5].seq, flight[6].end())]);
    remote.inject(&late);
    let info = remote.info();
    assert_eq!((info.sacked, info.outstanding), (2 * MSS, 38 * MSS));
}

// req: RFC6675-08, RFC6675-09
#[test]
fn blocks_count_beside_data_and_other_windows() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    let mut sent = Vec::new();
    for last in 1..=3 {
        remote.window -= 1;
        let mut segment = remote.segment(ACK, b"data");
        let block = (flight[1].seq, flight[last].end());
        segment.options.extend(options::sack(&[block]));
        remote.nxt = segment.end();
        remote.inject(&segment);
        assert_eq!(remote.info().sacked, last * MSS);
        sent.extend(starts(&remote.sent()));
    }
    assert!(remote.info().in_recovery);
    assert!(sent.contains(&flight[0].seq));
}

// req: RFC6675-15
#[test]
fn what_is_known_of_later_data_outlives_the_recovery() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 100, 40);
    answer_later(&mut remote, RTT);
    let mut new = Vec::new();
    for last in 1..40 {
        sack(&mut remote, &flight, &[(1, last)]);
        let sent = remote.sent();
        new.extend(sent.into_iter().filter(|s| s.seq != flight[0].seq));
    }
    // More than what limited transmit let out before the recovery is acknowledged.
    answer_later(&mut remote, RTT);
    let block = (new[5].seq, new[5].end());
    let threshold = remote.info().threshold;
    remote.rcv = new[3].end();
    sack_bytes(&mut remote, &[block]);
    let info = remote.info();
    assert!(!info.in_recovery && info.congestion_window == threshold);
    assert_eq!(info.sacked, MSS);
}

// req: RFC6675-17, RFC6675-18
#[test]
fn after_a_timeout_in_recovery_what_the_peer_has_is_left_out_and_no_recovery_begins() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 40, 40);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 10)]);
    remote.sent();
    let recoveries = remote.info().recoveries;
    remote.pass(RTT * 12);
    assert!(remote.info().after_timeout);
    sack(&mut remote, &flight, &[(1, 20)]);
    let mut seen = starts(&remote.sent());
    remote.rcv = flight[21].seq;
    remote.send(ACK, b"");
    for segment in remote.sent() {
        seen.push(segment.seq);
        remote.acknowledge(&segment);
        seen.extend(starts(&remote.sent()));
    }
    assert!(seen.contains(&flight[21].seq), "{seen:?}");
    for had in &flight[1..=10] {
        assert!(!seen.contains(&had.seq), "again: {had:?}");
    }
    assert_eq!(remote.info().recoveries, recoveries);
}

// req: RFC8985-23, RFC9937-07, RFC6675-03
#[test]
fn of_many_losses_no_more_leaves_than_congestion_control_allows() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(39, 39)]);
    assert_eq!(starts(&remote.sent()), [flight[39].end()], "new data");
    let sent = remote.pass(RTT / 2);
    assert_eq!(sent[0].1.seq, flight[0].seq);
    assert!(sent.len() <= 2, "{sent:#?}");
    let info = remote.info();
    assert_eq!(info.lost, (39 - sent.len()) * MSS);
    assert_eq!(info.in_network, info.outstanding - info.sacked - info.lost);
}

// req: RFC6937-04
#[test]
fn what_was_acknowledged_selectively_is_not_delivered_a_second_time() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 100, 40);
    answer_later(&mut remote, RTT);
    for last in 1..20 {
        sack(&mut remote, &flight, &[(1, last)]);
        remote.sent();
    }
    for last in 21..40 {
        sack(&mut remote, &flight, &[(21, last), (1, 19)]);
        remote.sent();
    }
    remote.rcv = flight[20].seq;
    sack(&mut remote, &flight, &[(21, 39)]);
    let sent = remote.sent();
    assert!(sent.len() <= 2, "for one segment: {sent:#?}");
    assert!(remote.info().in_recovery);
}

/// A window full of segments of which the first is lost. Returns how many leave while the others arrive, in proportion
/// from the beginning, and how many should.
fn recover(remote: &mut Remote) -> (usize, f64) {
    let full = remote.info().congestion_window / MSS;
    let flight = flight(remote, full + 60, full);
    answer_later(remote, RTT);
    let sent = (1..full).map(|last| {
        sack(remote, &flight, &[(1, last)]);
        remote.sent().len()
    });
    let sent: Vec<usize> = sent.collect();
    assert!(sent.iter().all(|now| *now <= 2), "no burst: {sent:?}");
    let share = remote.info().threshold as f64 / (full * MSS) as f64;
    let early = sent[..full / 3].iter().sum::<usize>() as f64;
    let due = share * (full / 3) as f64;
    assert!((early - due).abs() <= 3.0, "{early}, not {due}: {sent:?}");
    let sent = sent.iter().sum();
    remote.acknowledge(&flight[full - 1]);
    assert_eq!(remote.info().congestion_window, remote.info().threshold);
    (sent, full as f64 * share)
}

// req: RFC6937-01, RFC9937-01, RFC9937-03, RFC9937-04, RFC9937-09
#[test]
fn every_recovery_counts_from_nothing_whatever_the_algorithm() {
    for (algorithm, left) in [(Congestion::Reno, 0.5), (Congestion::Cubic, 0.7)] {
        let mut remote = established(true, None);
        let option = SocketOption::Congestion(algorithm);
        let (now, socket) = (remote.lab.now, remote.socket);
        let stack = &mut remote.lab.host.stack;
        stack.set_option(now, socket, option).expect("TCP");
        for _ in 0..2 {
            let full = remote.info().congestion_window as f64;
            let (sent, expected) = recover(&mut remote);
            assert!((sent as f64 - expected).abs() <= 3.0, "{sent}, {expected}");
            let reduced = remote.info().threshold as f64 / full;
            assert!((reduced - left).abs() < 0.05, "{reduced}");
            loop {
                let sent = remote.sent();
                let Some(last) = sent.last() else { break };
                remote.acknowledge(last);
            }
        }
    }
}

#[test]
fn what_leaves_again_as_one_segment_has_one_fate() {
    let mut remote = established(true, None);
    let (now, socket) = (remote.lab.now, remote.socket);
    let option = SocketOption::NoDelay(true);
    let stack = &mut remote.lab.host.stack;
    stack.set_option(now, socket, option).expect("TCP");
    let mut flight: Vec<Tcp> = Vec::new();
    for _ in 0..2 {
        remote.write(&[1; 100]);
        flight.push(remote.one());
    }
    remote.write(&[1; 4 * MSS]);
    flight.extend(remote.sent());
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(2, 5)]);
    let again = remote.one();
    assert_eq!((again.seq, again.payload.len()), (flight[0].seq, 200));
    assert_eq!(remote.info().sacked, 4 * MSS);
    // A part of it says nothing of the whole.
    sack(&mut remote, &flight, &[(1, 5)]);
    assert_eq!(remote.info().sacked, 4 * MSS);
    assert_eq!(remote.info().in_network, 200);
}

#[test]
fn a_repetition_that_is_shorter_than_its_segment_leaves_the_others_whole() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    // What is missing of the other direction takes room of every segment.
    let beyond = Tcp {
        seq: remote.nxt.wrapping_add(100),
        ..remote.segment(ACK, b"beyond")
    };
    remote.inject(&beyond);
    remote.sent();
    remote.pass(RTT * 12);
    assert!(remote.info().after_timeout && remote.info().backoff == 1);
    sack(&mut remote, &flight, &[(4, 5)]);
    assert_eq!(remote.info().sacked, 2 * MSS);
}

#[test]
fn what_was_never_sent_is_no_duplicate() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    let beyond = flight[9].end();
    let within = (beyond.wrapping_add(100), beyond.wrapping_add(200));
    sack_bytes(&mut remote, &[within, (beyond, beyond.wrapping_add(1_000))]);
    assert_eq!(remote.info().duplicate_reports, 0);
}

#[test]
fn a_model_that_gives_way_in_a_recovery_leaves_its_window() {
    for algorithm in [Congestion::Reno, Congestion::Cubic] {
        let mut remote = established(true, None);
        let choose = |remote: &mut Remote, algorithm| {
            let (now, socket) = (remote.lab.now, remote.socket);
            let option = SocketOption::Congestion(algorithm);
            let stack = &mut remote.lab.host.stack;
            stack.set_option(now, socket, option).expect("TCP");
        };
        choose(&mut remote, Congestion::Bbr);
        remote.write(&[7; 40 * MSS]);
        let flight: Vec<Tcp> = remote.pass(RTT / 2).into_iter().map(|(_, s)| s).collect();
        assert_eq!(flight.len(), 40);
        answer_later(&mut remote, RTT / 2);
        sack(&mut remote, &flight, &[(1, 39)]);
        let before = remote.info();
        assert!(before.in_recovery);
        choose(&mut remote, algorithm);
        remote.pass(RTT);
        remote.acknowledge(&flight[39]);
        let after = remote.info();
        assert!(!after.in_recovery);
        let grown = before.congestion_window + 2 * MSS;
        assert!(
            after.congestion_window <= grown,
            "{algorithm}: {} after {}",
            after.congestion_window,
            before.congestion_window
        );
    }
}

#[test]
fn a_model_of_the_path_holds_back_once_in_a_recovery() {
    let mut remote = established(true, None);
    let option = SocketOption::Congestion(Congestion::Bbr);
    let (now, socket) = (remote.lab.now, remote.socket);
    let stack = &mut remote.lab.host.stack;
    stack.set_option(now, socket, option).expect("TCP");
    remote.write(&[7; 40 * MSS]);
    let paced = |remote: &mut Remote| -> Vec<Tcp> {
        let sent = remote.pass(RTT / 2);
        sent.into_iter().map(|(_, segment)| segment).collect()
    };
    let flight = paced(&mut remote);
    assert_eq!(flight.len(), 40);
    answer_later(&mut remote, RTT / 2);
    sack(&mut remote, &flight, &[(1, 39)]);
    let again = paced(&mut remote);
    assert_eq!(starts(&again), [flight[0].seq]);
    // It is lost too, as what leaves after it shows.
    remote.write(&[7; 4 * MSS]);
    let new = paced(&mut remote);
    assert_eq!(new.len(), 4);
    let before = remote.info().congestion_window;
    answer_later(&mut remote, RTT / 2);
    let arrived = (flight[1].seq, new[3].end());
    sack_bytes(&mut remote, &[arrived]);
    let info = remote.info();
    assert!(info.in_recovery);
    assert_eq!(starts(&paced(&mut remote)), [flight[0].seq]);
    assert!(
        info.congestion_window + MSS >= before,
        "{} {before}",
        info.congestion_window
    );
}
