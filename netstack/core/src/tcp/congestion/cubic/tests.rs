use super::*;

const MSS: usize = 1000;
const RTT: Duration = Duration::from_millis(100);

/// A flight of a sender with too little to send.
fn part(size: usize) -> Flight {
    Flight {
        full: false,
        ..Flight::full(size)
    }
}

/// Acknowledges a window of segments, each alone, spread over one round trip.
fn round(cubic: &mut Cubic, now: &mut Instant) {
    let segments = cubic.window() / MSS;
    for i in 0..segments {
        *now += RTT / segments as u32;
        cubic.on_ack(&Acked {
            now: *now,
            bytes: MSS,
            validated: true,
            new_round: i == 0,
            rtt: Some(RTT),
            srtt: RTT,
        });
    }
}

fn at_window(segments: usize) -> Cubic {
    let mut cubic = Cubic::resume(MSS, segments * MSS, segments * MSS);
    cubic.cwnd_prior = segments as f64;
    cubic
}

// req: RFC9438-01, RFC9438-06, RFC9438-07, RFC9438-08, RFC9438-09, RFC9438-19, MAY-18
#[test]
fn the_window_follows_the_formula_within_five_per_cent() {
    let w_max = 1000.0_f64;
    let mut cubic = at_window(1000);
    cubic.on_congestion(Instant::ZERO, Flight::full(1000 * MSS), Sign::Loss);
    assert_eq!(cubic.window(), 700 * MSS);
    let mut now = Instant::ZERO;
    let k = (w_max * (1.0 - 0.7) / 0.4).cbrt();
    let start = now;
    while now.since(start) < Duration::from_secs(16) {
        round(&mut cubic, &mut now);
        let t = now.since(start).as_secs_f64();
        let expected = 0.4 * (t - k).powi(3) + w_max;
        let window = cubic.window() as f64 / MSS as f64;
        let error = (window - expected).abs() / expected;
        assert!(error < 0.05, "at {t:.1} s: {window:.0}, not {expected:.0}");
    }
    assert!(cubic.window() > 1_100 * MSS, "beyond the plateau by then");
}

// req: RFC9438-04, RFC9438-05
#[test]
fn with_a_small_window_it_is_as_fast_as_reno() {
    let mut cubic = at_window(20);
    cubic.on_congestion(Instant::ZERO, Flight::full(20 * MSS), Sign::Loss);
    let mut now = Instant::ZERO;
    for _ in 0..12 {
        round(&mut cubic, &mut now);
    }
    // 14 segments and 0.53 a round, until the old window of 20 is reached; then one a round.
    let window = cubic.window() / MSS;
    assert!((19..=22).contains(&window), "{window}");
    for _ in 0..10 {
        round(&mut cubic, &mut now);
    }
    assert!(cubic.window() / MSS >= window + 8, "{}", cubic.window());
}

// req: RFC9438-02
#[test]
fn the_window_never_grows_by_more_than_half_in_a_round_trip() {
    let mut cubic = at_window(10);
    cubic.on_congestion(Instant::ZERO, Flight::full(10 * MSS), Sign::Loss);
    let mut now = Instant::ZERO;
    for _ in 0..300 {
        let before = cubic.window();
        round(&mut cubic, &mut now);
        assert!(cubic.window() <= before * 3 / 2 + MSS, "{before}");
    }
}

#[test]
fn the_window_is_of_whole_segments() {
    let mut cubic = at_window(15);
    cubic.on_congestion(Instant::ZERO, Flight::full(15 * MSS), Sign::Loss);
    assert_eq!(cubic.window(), 11 * MSS, "the nearest to 10.5");
    let mut now = Instant::ZERO;
    for _ in 0..100 {
        round(&mut cubic, &mut now);
        assert!(cubic.window().is_multiple_of(MSS), "{}", cubic.window());
    }
}

// req: RFC9438-03
#[test]
fn time_in_which_the_window_was_not_used_does_not_count() {
    let mut cubic = at_window(100);
    cubic.on_congestion(Instant::ZERO, Flight::full(100 * MSS), Sign::Loss);
    let mut now = Instant::ZERO;
    round(&mut cubic, &mut now);
    let before = cubic.window();
    for _ in 0..100 {
        now += RTT;
        cubic.on_ack(&Acked {
            now,
            bytes: MSS,
            validated: false,
            new_round: true,
            rtt: Some(RTT),
            srtt: RTT,
        });
    }
    assert_eq!(cubic.window(), before);
    round(&mut cubic, &mut now);
    assert!(cubic.window() < before + 12 * MSS, "{}", cubic.window());
}

// req: RFC9438-13
#[test]
fn a_second_loss_below_the_first_lowers_the_plateau() {
    let mut cubic = at_window(100);
    cubic.on_congestion(Instant::ZERO, Flight::full(100 * MSS), Sign::Loss);
    assert!((cubic.w_max - 100.0).abs() < 1e-9);
    cubic.on_congestion(Instant::ZERO, Flight::full(70 * MSS), Sign::Loss);
    assert!((cubic.w_max - 70.0 * 0.85).abs() < 1e-9, "{}", cubic.w_max);
    assert_eq!(cubic.window(), 49 * MSS);
}

// req: RFC9438-10, RFC9438-14
#[test]
fn a_timeout_starts_from_one_segment_and_ends_slow_start_at_seven_tenths() {
    let mut cubic = at_window(100);
    cubic.on_timeout(Flight::full(100 * MSS), false);
    assert_eq!((cubic.window(), cubic.threshold()), (MSS, 70 * MSS));
    cubic.on_timeout(Flight::full(MSS), true);
    assert_eq!((cubic.window(), cubic.threshold()), (MSS, 70 * MSS));
    for _ in 0..20 {
        cubic.on_congestion(Instant::ZERO, Flight::full(MSS), Sign::Loss);
    }
    assert_eq!((cubic.window(), cubic.threshold()), (2 * MSS, 2 * MSS));
}

// req: RFC9438-11
#[test]
fn a_window_that_was_not_used_is_not_what_a_congestion_leaves_a_part_of() {
    let mut cubic = at_window(100);
    cubic.on_congestion(Instant::ZERO, part(30 * MSS), Sign::Loss);
    assert_eq!(cubic.window(), 21 * MSS);
    let mut used = at_window(100);
    used.on_congestion(Instant::ZERO, Flight::full(60 * MSS), Sign::Loss);
    assert_eq!(used.window(), 70 * MSS);
}

// req: RFC9438-16
#[test]
fn a_response_taken_back_leaves_everything_as_it_was() {
    let mut cubic = at_window(100);
    cubic.on_congestion(Instant::ZERO, Flight::full(100 * MSS), Sign::Loss);
    let mut now = Instant::ZERO;
    round(&mut cubic, &mut now);
    let (window, w_max) = (cubic.window(), cubic.w_max);
    cubic.checkpoint();
    cubic.on_congestion(now, Flight::full(window), Sign::Loss);
    cubic.undo();
    assert_eq!((cubic.window(), cubic.w_max), (window, w_max));
    assert!(cubic.epoch.is_some());
}

#[test]
fn the_cube_root_is_right() {
    for x in [1e-9, 0.5, 1.0, 27.0, 750.0, 1e12] {
        let root = cube_root(x);
        assert!((root * root * root - x).abs() <= x * 1e-9, "{x}: {root}");
    }
    assert_eq!(cube_root(0.0), 0.0);
}

// req: RFC9438-17, RFC9438-18
#[test]
fn slow_start_doubles_and_ends_when_the_path_becomes_longer() {
    let mut cubic = Cubic::new(MSS);
    let mut now = Instant::ZERO;
    for _ in 0..3 {
        let before = cubic.window();
        round(&mut cubic, &mut now);
        assert_eq!(cubic.window(), 2 * before);
    }
    let mut rtt = RTT;
    for _ in 0..20 {
        rtt += RTT / 8;
        for i in 0..cubic.window() / MSS {
            now += Duration::from_micros(100);
            cubic.on_ack(&Acked {
                now,
                bytes: MSS,
                validated: true,
                new_round: i == 0,
                rtt: Some(rtt),
                srtt: rtt,
            });
        }
    }
    assert!(cubic.threshold() < 1_000 * MSS, "before any loss");
}

// req: RFC4821-03
#[test]
fn the_plateau_stays_where_it_is_when_segments_become_larger_or_smaller() {
    for mss in [MSS / 2, 2 * MSS] {
        let mut cubic = at_window(100);
        cubic.checkpoint();
        cubic.on_congestion(Instant::ZERO, Flight::full(100 * MSS), Sign::Loss);
        cubic.set_mss(mss);
        assert_eq!(cubic.window(), 70 * MSS);
        assert_eq!((cubic.w_max * mss as f64) as usize, 100 * MSS);
        cubic.undo();
        assert_eq!(cubic.window(), 100 * MSS);
        assert_eq!((cubic.cwnd_prior * mss as f64) as usize, 100 * MSS);
    }
}
