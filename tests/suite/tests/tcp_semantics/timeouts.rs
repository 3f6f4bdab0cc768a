//! How the retransmission timeout follows the path, and when its timer runs (RFC 6298, RFC 8961).

use core::time::Duration;
use netstack_core::Congestion;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::ACK;

const MILLISECOND: Duration = Duration::from_millis(1);
const RTT: Duration = Duration::from_millis(100);
const MSS: usize = 1460;

/// An established connection without selective acknowledgements, so that no probe comes before the timer; its handshake
/// took 100 ms.
fn established() -> Remote {
    let offer = Offer {
        rtt: RTT,
        ..Offer::default()
    };
    Remote::accepts(Lab::default(), &offer)
}

fn pass_quietly(remote: &mut Remote, time: Duration) {
    let by_itself = remote.pass(time);
    assert!(by_itself.is_empty(), "{by_itself:#?}");
}

/// A segment leaves and is acknowledged after `rtt`.
fn exchange(remote: &mut Remote, rtt: Duration) {
    remote.write(&[1; 100]);
    let segment = remote.one();
    pass_quietly(remote, rtt);
    remote.acknowledge(&segment);
}

// req: RFC6298-03, RFC6298-04, RFC8961-02
#[test]
fn the_timeout_follows_the_formula_whatever_is_measured() {
    let mut remote = established();
    let (mut srtt, mut variation) = (0.100, 0.050);
    for millis in [100, 100, 150, 90, 160, 140, 80, 80, 150, 120, 110, 100] {
        let rtt = f64::from(millis) / 1e3;
        exchange(&mut remote, MILLISECOND * millis);
        variation = 0.75 * variation + 0.25 * f64::abs(srtt - rtt);
        srtt = 0.875 * srtt + 0.125 * rtt;
        let expected = f64::max(srtt + 4.0 * variation, 0.2);
        let rto = remote.info().rto.as_secs_f64();
        assert!((rto - expected).abs() < 1e-4, "{rto}, not {expected}");
    }
}

// req: RFC6298-08, RFC8961-03
#[test]
fn every_round_trip_is_measured() {
    let mut remote = established();
    let mut before = remote.info().rtt.expect("measured");
    for _ in 0..6 {
        exchange(&mut remote, MILLISECOND * 180);
        let rtt = remote.info().rtt.expect("measured");
        assert!(rtt > before, "{rtt:?} after {before:?}");
        before = rtt;
    }
    assert!(remote.info().rto > MILLISECOND * 180);
}

// req: RFC7323-28
#[test]
fn many_acknowledgements_in_a_round_trip_count_as_one_measurement() {
    let mut remote = established();
    let before = remote.info().rtt_variation;
    remote.write(&[1; 10 * MSS]);
    let flight = remote.sent();
    assert_eq!(flight.len(), 10);
    pass_quietly(&mut remote, RTT);
    for segment in &flight {
        remote.acknowledge(segment);
    }
    // Ten would leave less than a tenth of it.
    assert!(remote.info().rtt_variation > before / 2);
}

// req: RFC6298-11
#[test]
fn the_timer_starts_with_the_first_data_and_not_anew_with_more() {
    let mut remote = established();
    let rto = remote.info().rto;
    pass_quietly(&mut remote, rto * 3);
    remote.write(&[1; MSS]);
    let first = remote.one();
    pass_quietly(&mut remote, MILLISECOND * 50);
    remote.write(&[2; MSS]);
    remote.one();
    let (at, again) = remote.pass(rto).remove(0);
    assert_eq!((at, again.seq), (rto - MILLISECOND * 50, first.seq));
}

// req: RFC6298-12, RFC6298-13
#[test]
fn an_acknowledgement_starts_the_timer_anew_and_the_last_one_stops_it() {
    let mut remote = established();
    remote.write(&[1; 2 * MSS]);
    let flight = remote.sent();
    pass_quietly(&mut remote, MILLISECOND * 150);
    remote.acknowledge(&flight[0]);
    let rto = remote.info().rto;
    let (at, again) = remote.pass(rto + MILLISECOND).remove(0);
    assert_eq!((at, again.seq), (rto, flight[1].seq));
    remote.acknowledge(&flight[1]);
    pass_quietly(&mut remote, Duration::from_secs(600));
}

// req: RFC6298-10
#[test]
fn what_was_repeated_early_waits_a_whole_timeout_for_the_timer() {
    let mut remote = established();
    remote.write(&[1; 10 * MSS]);
    let flight = remote.sent();
    pass_quietly(&mut remote, MILLISECOND * 290);
    for _ in 0..3 {
        remote.send(ACK, b"");
    }
    assert_eq!(remote.sent()[0].seq, flight[0].seq, "fast retransmission");
    let rto = remote.info().rto;
    let sent = remote.pass(rto * 2);
    let again = sent.iter().find(|(_, s)| s.seq == flight[0].seq);
    assert!(again.expect("by the timer").0 >= rto);
}

// req: RFC8985-15
#[test]
fn a_probe_does_not_come_later_than_the_timeout_would() {
    let offer = Offer {
        rtt: MILLISECOND * 30,
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    for _ in 0..20 {
        exchange(&mut remote, MILLISECOND * 30);
    }
    // A single segment would be asked about after two round trips and the 200 ms of a slow acknowledgement.
    remote.write(b"x");
    remote.one();
    let rto = remote.info().rto;
    assert!(rto < MILLISECOND * 260);
    assert!(remote.pass(rto * 3)[0].0 <= rto);
}

#[test]
fn after_a_timeout_a_model_of_the_path_begins_with_one_segment_and_goes_on_with_four() {
    let mut config = WorldConfig::default();
    config.tcp.congestion = Congestion::Bbr;
    let offer = Offer {
        rtt: RTT,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::new(&config), &offer);
    remote.write(&[1; 40 * MSS]);
    let mut sent = remote.pass(RTT);
    assert!(sent.len() >= 8, "{sent:#?}");
    let before = remote.info().congestion_window;
    let (_, again) = remote.pass(remote.info().rto).remove(0);
    assert_eq!(again.seq, sent[0].1.seq);
    let info = remote.info();
    assert_eq!((info.after_timeout, info.congestion_window), (true, MSS));
    let (_, first) = sent.remove(0);
    remote.pass(RTT);
    remote.acknowledge(&first);
    assert_eq!(remote.info().congestion_window, 4 * MSS);
    assert!(before > 4 * MSS);
}
