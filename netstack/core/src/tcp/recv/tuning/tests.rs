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
    assert_eq!(grown, Some(216_000 + 2 * (216_000 * 84 / 16)));
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
