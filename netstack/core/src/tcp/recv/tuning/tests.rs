use super::*;

const MSS: usize = 1_000;
const RTT: Duration = Duration::from_millis(10);

fn arrival(millis: u64, nxt: u32, read: u32, echo: Option<Duration>) -> Arrival {
    Arrival {
        now: Instant::from_millis(millis),
        nxt: Seq(nxt),
        edge: Seq(read + 100_000),
        read: Seq(read),
        echo,
        acknowledged: None,
        mss: MSS,
    }
}

#[test]
fn it_wants_twice_what_is_read_in_a_round_trip_and_more_while_that_grows() {
    let mut tuning = Tuning::default();
    let echo = Some(RTT);
    assert_eq!(tuning.on_data(&arrival(10, 1_000, 0, echo)), None);
    assert_eq!(
        tuning.on_data(&arrival(15, 60_000, 60_000, echo)),
        None,
        "within a round"
    );
    // 100 kB in the first round, 16 kB were thought of.
    let grown = tuning.on_data(&arrival(20, 100_000, 100_000, echo));
    assert_eq!(grown, Some(2 * 216_000));
    assert_eq!(
        tuning.on_data(&arrival(30, 200_000, 200_000, echo)),
        None,
        "as fast as before"
    );
    assert_eq!(
        tuning.on_data(&arrival(40, 310_000, 310_000, echo)),
        Some(236_000 + 2 * 23_600)
    );
}

/// Rounds of `rtt` milliseconds that move `bytes` each; what was wanted last.
fn rounds(
    tuning: &mut Tuning,
    at: &mut Arrival,
    rtt: u64,
    bytes: u32,
    count: u32,
) -> Option<usize> {
    let mut wanted = None;
    for _ in 0..count {
        at.now += Duration::from_millis(rtt);
        at.nxt += bytes as usize;
        at.read = at.nxt;
        at.echo = Some(Duration::from_millis(rtt));
        wanted = tuning.on_data(at).or(wanted);
    }
    wanted
}

#[test]
fn a_queue_on_the_way_makes_no_larger_buffer() {
    let mut tuning = Tuning::default();
    let mut at = arrival(10, 0, 0, Some(RTT));
    let first = rounds(&mut tuning, &mut at, 10, 100_000, 5);
    assert_eq!(first, Some(2 * 216_000));
    // Ten times as much in ten times the time.
    assert_eq!(rounds(&mut tuning, &mut at, 100, 1_000_000, 50), None);
}

#[test]
fn a_longer_path_does() {
    let mut tuning = Tuning::default();
    let mut at = arrival(10, 0, 0, Some(RTT));
    rounds(&mut tuning, &mut at, 10, 100_000, 5);
    // The window comes in ten times the time.
    let wanted = rounds(&mut tuning, &mut at, 100, 216_000, 50);
    assert!(wanted >= Some(2 * 216_000), "{wanted:?}");
    let more = rounds(&mut tuning, &mut at, 100, 432_000, 5);
    assert!(more >= Some(4 * 216_000), "{more:?}");
}

#[test]
fn a_path_shorter_than_the_clock_of_timestamps_is_known_by_what_was_acknowledged() {
    let mut tuning = Tuning::default();
    let mut at = arrival(10, 0, 0, Some(RTT));
    at.acknowledged = Some(Duration::from_micros(100));
    // 100 kB in each 100 µs.
    let wanted = rounds(&mut tuning, &mut at, 1, 1_000_000, 20);
    assert_eq!(wanted, Some(2 * 216_000));
}

#[test]
fn what_nobody_reads_wants_no_more() {
    let mut tuning = Tuning::default();
    for round in 0..20 {
        let wanted = tuning.on_data(&arrival(
            10 * (round + 1),
            5_000 * round as u32,
            0,
            Some(RTT),
        ));
        assert_eq!(wanted, None);
    }
}

#[test]
fn a_longer_time_is_believed_slowly_and_a_shorter_one_at_once() {
    let mut tuning = Tuning::default();
    tuning.on_data(&arrival(10, 0, 0, Some(RTT)));
    tuning.on_data(&arrival(11, 0, 0, Some(RTT * 9)));
    assert_eq!(tuning.measured().0, RTT * 2);
    tuning.on_data(&arrival(12, 0, 0, Some(RTT / 2)));
    assert_eq!(tuning.measured().0, RTT / 2);
}

#[test]
fn without_timestamps_the_time_of_a_window_counts() {
    let mut tuning = Tuning::default();
    tuning.on_data(&arrival(10, 0, 0, None));
    tuning.on_data(&arrival(20, 50_000, 50_000, None));
    assert_eq!(tuning.rtt, 0);
    tuning.on_data(&arrival(40, 100_000, 100_000, None));
    assert_eq!(tuning.measured().0, Duration::from_millis(30));
}
