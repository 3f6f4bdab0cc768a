use super::*;
use core::time::Duration;

const MSS: usize = 1460;

fn acked(bytes: usize) -> Acked {
    Acked {
        now: Instant::ZERO,
        bytes,
        validated: true,
        new_round: false,
        rtt: None,
        srtt: Duration::from_millis(10),
    }
}

// req: RFC5681-03, RFC5681-10, RFC5681-11, RFC5681-12
#[test]
fn slow_start_doubles_and_avoidance_adds_one_segment_per_window() {
    let mut reno = Reno::new(MSS);
    assert_eq!(reno.window(), 10 * MSS);
    reno.on_ack(&acked(10 * MSS));
    assert_eq!(reno.window(), 20 * MSS);
    reno.on_congestion(Instant::ZERO, Flight::full(20 * MSS), Sign::Loss);
    assert_eq!(reno.window(), 10 * MSS);
    reno.on_recovered(20 * MSS);
    for _ in 0..10 {
        reno.on_ack(&acked(MSS));
    }
    assert_eq!(reno.window(), 11 * MSS);
}

// req: RFC5681-15
#[test]
fn what_a_loss_leaves_is_half_of_what_was_in_the_network_and_not_of_an_unused_window() {
    let mut reno = Reno::resume(MSS, 100 * MSS, 100 * MSS);
    reno.on_congestion(Instant::ZERO, Flight::full(20 * MSS), Sign::Loss);
    assert_eq!((reno.window(), reno.threshold()), (10 * MSS, 10 * MSS));
}

// req: RFC5681-13, RFC5681-14, RFC3465-05
#[test]
fn a_timeout_starts_from_one_segment_and_keeps_the_threshold_when_repeated() {
    let mut reno = Reno::new(MSS);
    reno.on_timeout(Flight::full(40 * MSS), false);
    assert_eq!((reno.window(), reno.threshold()), (MSS, 20 * MSS));
    reno.on_timeout(Flight::full(MSS), true);
    assert_eq!((reno.window(), reno.threshold()), (MSS, 20 * MSS));
    reno.on_ack(&acked(5 * MSS));
    assert_eq!(
        reno.window(),
        2 * MSS,
        "one segment per acknowledgement after a timeout"
    );
}

// req: RFC7661-01
#[test]
fn an_unused_window_does_not_grow() {
    let mut reno = Reno::new(MSS);
    reno.on_ack(&Acked {
        validated: false,
        ..acked(MSS)
    });
    assert_eq!(reno.window(), 10 * MSS);
}

#[test]
fn a_response_taken_back_leaves_the_window_as_it_was() {
    let mut reno = Reno::new(MSS);
    reno.on_ack(&acked(30 * MSS));
    reno.checkpoint();
    reno.on_congestion(Instant::ZERO, Flight::full(40 * MSS), Sign::Loss);
    reno.undo();
    assert_eq!((reno.window(), reno.threshold()), (40 * MSS, usize::MAX));
}

// req: RFC3465-01
#[test]
fn growth_in_avoidance_does_not_depend_on_how_often_is_acknowledged() {
    let grown = |parts: usize| {
        let mut reno = Reno::resume(MSS, 20 * MSS, 10 * MSS);
        for _ in 0..parts {
            reno.on_ack(&acked(20 * MSS / parts));
        }
        reno.window()
    };
    assert_eq!(grown(20 * MSS), 21 * MSS, "byte by byte");
    assert_eq!(grown(20), 21 * MSS);
    assert_eq!(grown(1), 21 * MSS);
}

#[test]
fn a_recovery_after_segments_grew_leaves_room_for_one() {
    let mut reno = Reno::new(MSS / 3);
    let flight = Flight {
        pipe: MSS / 3,
        full: true,
    };
    reno.on_congestion(Instant::ZERO, flight, Sign::Loss);
    reno.set_mss(MSS);
    reno.on_recovered(20 * MSS);
    assert_eq!(reno.window(), MSS);
}
