//! Loss probes where something is being mended already, and what asks for their acknowledgement (RFC 8985, 7).

use super::recovery::{MSS, RTT, answer_later, established, flight, sack, sack_bytes};
use core::time::Duration;
use suite::wire::PSH;

const MILLISECOND: Duration = Duration::from_millis(1);

// req: RFC8985-16, RFC8985-17
#[test]
fn a_repetition_that_nobody_answers_is_asked_about_with_new_data() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 100, 40);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 39)]);
    let sent = remote.sent();
    assert_eq!(sent[0].seq, flight[0].seq);
    let next = sent[sent.len() - 1].end();
    let (srtt, window) = (remote.info().rtt, remote.info().congestion_window);
    let probe = remote.pass(RTT * 3);
    assert_eq!(probe.len(), 1, "{probe:#?}");
    let (after, probe) = &probe[0];
    assert_eq!(*after, srtt.expect("measured") * 2 + MILLISECOND * 2);
    assert_eq!((probe.seq, probe.payload.len()), (next, MSS));
    assert_eq!(remote.info().loss_probes, 1);
    // Of all that the probe alone arrives: what left before it is lost.
    let arrived = (flight[1].seq, flight[39].end());
    sack_bytes(&mut remote, &[(probe.seq, probe.end()), arrived]);
    let again = remote.sent();
    assert_eq!(again[0].seq, flight[0].seq, "{again:#?}");
    let info = remote.info();
    assert!(info.in_recovery && !info.after_timeout);
    assert!(info.congestion_window < window, "a repetition was lost");
}

// req: RFC8985-16, RFC8985-18
#[test]
fn behind_a_probe_in_recovery_comes_the_timeout() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 100, 40);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 39)]);
    remote.sent();
    let rto = remote.info().rto;
    let sent = remote.pass(Duration::from_secs(1));
    assert_eq!(remote.info().loss_probes, 1);
    assert_eq!(sent[1].1.seq, flight[0].seq);
    assert_eq!(sent[1].0 - sent[0].0, rto);
    assert!(remote.info().after_timeout);
}

// req: RFC6675-04
#[test]
fn a_probe_in_recovery_is_what_is_known_to_be_lost() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    answer_later(&mut remote, RTT);
    // One segment says that all before it is lost, and makes room for one.
    sack(&mut remote, &flight, &[(39, 39)]);
    remote.sent();
    let sent = remote.pass(RTT * 4);
    assert_eq!(sent[0].1.seq, flight[0].seq, "{sent:#?}");
    assert_eq!(sent[1].1.seq, flight[1].seq, "the probe");
    assert_eq!((sent.len(), remote.info().loss_probes), (2, 1));
}

#[test]
fn without_data_to_ask_with_recovery_waits_for_the_timer() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 10, 10);
    answer_later(&mut remote, RTT);
    sack(&mut remote, &flight, &[(1, 9)]);
    assert_eq!(remote.one().seq, flight[0].seq);
    let sent = remote.pass(RTT * 4);
    assert!(sent.is_empty(), "{sent:#?}");
}

#[test]
fn a_probe_asks_for_its_acknowledgement_at_once() {
    let mut remote = established(true, None);
    let flight = flight(&mut remote, 60, 40);
    assert!(flight.iter().all(|segment| segment.flags & PSH == 0));
    let sent = remote.pass(RTT * 3);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_ne!(sent[0].1.flags & PSH, 0);
}
