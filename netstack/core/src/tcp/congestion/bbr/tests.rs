use super::*;

const MSS: usize = 1_000;
const RTT: Duration = Duration::from_millis(20);
/// A path of so many bytes a second, and what is on its way there without a queue.
const RATE: u64 = 10_000_000;
const PRODUCT: usize = 200_000;

/// A path without a queue limit: what it holds beyond its product waits.
struct Path {
    now: Instant,
    delivered: u64,
    /// In the network at the end of a round trip.
    flight: usize,
    rate: u64,
    /// How long everything waits behind the packets of others.
    others: Duration,
}

impl Path {
    fn new() -> Path {
        Path {
            now: Instant::from_millis(1),
            delivered: 0,
            flight: 0,
            rate: RATE,
            others: Duration::ZERO,
        }
    }

    /// One round trip in which the whole window is acknowledged, in ten parts.
    fn round(&mut self, bbr: &mut Bbr) {
        self.round_of(bbr, usize::MAX, 0, false);
    }

    /// A round trip in which the application lets `most` bytes leave, and `lost` of them are lost.
    fn round_of(&mut self, bbr: &mut Bbr, most: usize, lost: usize, in_recovery: bool) {
        let paced = (u128::from(bbr.pacing_rate) * RTT.as_nanos() / 1_000_000_000) as usize;
        let product = (u128::from(self.rate) * RTT.as_nanos() / 1_000_000_000) as usize;
        let queued = (self.flight + paced).saturating_sub(product);
        let flight = bbr.window.min(most).min(queued.max(paced).max(4 * MSS));
        self.flight = flight;
        let prior = self.delivered;
        let queue = flight.saturating_sub(product) as u64;
        let time = RTT + self.others + Duration::from_nanos(queue * 1_000_000_000 / self.rate);
        for part in 0..10 {
            let acked = (flight - lost) / 10;
            self.delivered += acked as u64;
            self.now += time / 10;
            let rate = per_second(flight - lost, time);
            let acknowledged = acked * (part + 1) + lost;
            bbr.on_sample(&Sample {
                now: self.now,
                delivered: self.delivered,
                prior,
                rate: Some(rate),
                app_limited: most != usize::MAX,
                rtt: Some(time),
                srtt: time,
                acked,
                lost: if part == 0 { lost } else { 0 },
                in_flight_before: flight,
                in_flight: flight - acknowledged.min(flight),
                packet: MSS,
                in_recovery,
            });
        }
    }
}

fn cruising() -> (Bbr, Path) {
    let (mut bbr, mut path) = (Bbr::new(MSS), Path::new());
    for _ in 0..20 {
        path.round(&mut bbr);
    }
    assert!(matches!(bbr.mode, Mode::Cruise { .. }), "{bbr:?}");
    (bbr, path)
}

#[test]
fn startup_doubles_until_the_path_is_full_and_drains_what_it_queued() {
    let (mut bbr, mut path) = (Bbr::new(MSS), Path::new());
    let mut windows = vec![bbr.window];
    while bbr.mode == Mode::Startup {
        path.round(&mut bbr);
        windows.push(bbr.window);
        assert!(windows.len() < 20, "{bbr:?}");
    }
    let grew = windows.windows(2).take(4).all(|w| w[1] >= 2 * w[0] - 10);
    assert!(grew, "{windows:?}");
    let measured = bbr.bandwidth.most();
    assert!((RATE * 9 / 10..=RATE).contains(&measured), "{measured}");
    for _ in 0..3 {
        path.round(&mut bbr);
    }
    assert!(matches!(bbr.mode, Mode::Cruise { .. }), "{:?}", bbr.mode);
}

#[test]
fn while_cruising_the_rate_goes_around_what_was_measured() {
    let (mut bbr, mut path) = cruising();
    let mut rates = Vec::new();
    for _ in 0..24 {
        path.round(&mut bbr);
        let measured = scaled(bbr.bandwidth.most(), MARGIN);
        rates.push(bbr.pacing_rate * 100 / measured);
        assert!(bbr.window <= 2 * PRODUCT * 11 / 10, "{}", bbr.window);
    }
    for expected in [100, 125, 75] {
        let near = |rate: &&u64| rate.abs_diff(expected) <= 1;
        assert!(rates.iter().any(|rate| near(&rate)), "{rates:?}");
    }
}

#[test]
fn the_round_trip_time_is_measured_anew_with_a_small_window_every_ten_seconds() {
    let (mut bbr, mut path) = cruising();
    let before = bbr.window;
    path.others = RTT / 10;
    let start = path.now;
    let mut small = Duration::ZERO;
    while path.now.since(start) < Duration::from_secs(25) {
        let then = path.now;
        path.round(&mut bbr);
        if bbr.window <= 4 * MSS {
            small += path.now.since(then);
        }
    }
    let expected = Duration::from_millis(200)..Duration::from_millis(700);
    assert!(expected.contains(&small), "{small:?}");
    assert!(bbr.window >= before * 9 / 10, "{} of {before}", bbr.window);
    assert!(bbr.bandwidth.most() >= RATE * 8 / 10, "{bbr:?}");
    assert_eq!(bbr.min_rtt, Some(RTT + path.others));
}

#[test]
fn an_application_that_sends_little_does_not_make_the_path_slow() {
    let (mut bbr, mut path) = cruising();
    for _ in 0..50 {
        path.round_of(&mut bbr, 10 * MSS, 0, false);
    }
    assert!(bbr.bandwidth.most() >= RATE * 9 / 10, "{bbr:?}");
}

#[test]
fn a_loss_holds_back_for_a_round_trip_and_changes_no_model() {
    let (mut bbr, mut path) = cruising();
    let (before, bandwidth) = (bbr.window, bbr.bandwidth.most());
    bbr.on_congestion(path.now, Flight::full(PRODUCT / 2), Sign::Loss);
    assert_eq!(bbr.window, PRODUCT / 2);
    path.round_of(&mut bbr, usize::MAX, MSS, true);
    assert!(bbr.window < before);
    path.round(&mut bbr);
    assert!(bbr.window >= before * 9 / 10, "{} of {before}", bbr.window);
    assert_eq!(bbr.bandwidth.most(), bandwidth);
    bbr.on_congestion(path.now, Flight::full(PRODUCT), Sign::Mark);
    assert!(!bbr.recovering);
}

#[test]
fn a_timeout_starts_from_one_segment_and_what_was_undone_is_given_back() {
    let (mut bbr, path) = cruising();
    let before = bbr.window;
    bbr.on_timeout(Flight::full(PRODUCT), false);
    bbr.on_timeout(Flight::full(PRODUCT), true);
    assert_eq!(bbr.window, MSS);
    bbr.undo();
    assert_eq!(bbr.window, before);
    bbr.on_congestion(path.now, Flight::full(3 * MSS), Sign::Loss);
    bbr.undo();
    assert_eq!(bbr.window, before);
}

#[test]
fn a_path_that_delivers_less_is_believed_after_ten_rounds() {
    let (mut bbr, mut path) = cruising();
    path.rate = RATE / 2;
    for _ in 0..9 {
        path.round(&mut bbr);
    }
    assert!(bbr.bandwidth.most() >= RATE * 9 / 10);
    for _ in 0..3 {
        path.round(&mut bbr);
    }
    assert!(bbr.bandwidth.most() <= RATE * 6 / 10, "{bbr:?}");
}
