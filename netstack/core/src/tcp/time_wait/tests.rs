use super::*;

fn segment(flags: Flags, seq: u32, ack: u32, len: usize) -> Segment {
    Segment {
        len,
        options: Options {
            timestamps: Some(Timestamps { val: 71, ecr: 0 }),
            ..Options::default()
        },
        ..reset::bare(2, 1, Seq(seq), Seq(ack), flags)
    }
}

fn flow() -> FlowKey {
    FlowKey::new(
        "10.0.0.1:1".parse().expect("literal"),
        "10.0.0.2:2".parse().expect("literal"),
    )
}

/// What is heard of one segment, and the counters afterwards.
fn heard(segment: &Segment) -> (Heard, TcpCounters) {
    let mut counters = TcpCounters::default();
    let mut challenges = Challenges::new([0; 32]);
    let now = Instant::from_secs(1);
    let heard = TimeWait::new(flow()).input(now, segment, &mut counters, &mut challenges);
    (heard, counters)
}

#[test]
fn only_the_fin_begins_time_wait_anew() {
    let fin = Flags::FIN | Flags::ACK;
    assert_eq!(heard(&segment(fin, 4_999, 1_000, 0)).0, Heard::Restart);
    assert_eq!(heard(&segment(fin, 4_990, 1_000, 9)).0, Heard::Restart);
    assert_eq!(heard(&segment(fin, 4_998, 1_000, 0)).0, Heard::Answer);
    assert_eq!(heard(&segment(fin, 5_000, 1_000, 0)).0, Heard::Nothing);
}

// req: RFC7323-37
#[test]
fn the_time_of_what_is_acceptable_is_echoed_from_then_on() {
    let after = |segment: &Segment| {
        let (mut counters, mut challenges) = (TcpCounters::default(), Challenges::new([0; 32]));
        let mut waiting = TimeWait::new(flow());
        waiting.input(
            Instant::from_secs(1),
            segment,
            &mut counters,
            &mut challenges,
        );
        waiting.recent()
    };
    assert_eq!(after(&segment(Flags::ACK, 5_000, 1_000, 0)), Some(71));
    assert_eq!(
        after(&segment(Flags::ACK, 5_001, 1_000, 0)),
        Some(70),
        "beyond a hole"
    );
    assert_eq!(
        after(&segment(Flags::ACK, 5_000, 1_001, 0)),
        Some(70),
        "never sent"
    );
    assert_eq!(after(&segment(Flags::SYN, 5_000, 1_000, 0)), Some(70));
}

#[test]
fn what_is_wrong_is_counted_by_name() {
    let ack = Flags::ACK;
    let (answer, counters) = heard(&segment(ack, 5_000, 1_001, 0));
    assert_eq!((answer, counters.in_bad_ack), (Heard::Answer, 1));
    let (answer, counters) = heard(&segment(ack, 5_000, 1_000, 10));
    assert_eq!((answer, counters.in_after_fin), (Heard::Nothing, 1));
    let (answer, counters) = heard(&segment(ack, 9_000, 1_000, 10));
    assert_eq!((answer, counters.in_out_of_window), (Heard::Answer, 1));
    let (answer, counters) = heard(&segment(Flags::PSH, 5_000, 0, 0));
    assert_eq!((answer, counters.in_bad_flags), (Heard::Nothing, 1));
    let (answer, counters) = heard(&segment(Flags::RST, 5_000, 0, 0));
    assert_eq!((answer, counters.in_resets_ignored), (Heard::Nothing, 1));
    let mut old = segment(ack, 5_000, 1_000, 0);
    old.options.timestamps = Some(Timestamps { val: 69, ecr: 0 });
    let (answer, counters) = heard(&old);
    assert_eq!((answer, counters.in_paws), (Heard::Answer, 1));
    old.options.timestamps = None;
    let (answer, counters) = heard(&old);
    assert_eq!((answer, counters.in_no_timestamp), (Heard::Nothing, 1));
    assert_eq!(
        heard(&segment(ack, 5_000, 1_000, 0)).1,
        TcpCounters::default()
    );
}

#[test]
fn what_was_received_before_is_answered_whenever_it_comes() {
    let now = Instant::from_secs(1);
    let mut time_wait = TimeWait::new(flow());
    let (mut counters, mut challenges) = (TcpCounters::default(), Challenges::new([0; 32]));
    let mut repeated = segment(Flags::ACK, 4_000, 1_000, 999);
    for val in [71, 69] {
        repeated.options.timestamps = Some(Timestamps { val, ecr: 0 });
        for _ in 0..3 {
            let heard = time_wait.input(now, &repeated, &mut counters, &mut challenges);
            assert_eq!(heard, Heard::Answer);
        }
    }
    assert_eq!((counters.in_paws, counters.out_challenges), (3, 0));
    let ancient = segment(Flags::ACK, 5_000_u32.wrapping_sub(65_536), 1_000, 9);
    time_wait.input(now, &ancient, &mut counters, &mut challenges);
    assert_eq!(counters.out_challenges, 1);
}

#[test]
fn doubtful_segments_are_answered_at_most_twice_a_second() {
    let mut time_wait = TimeWait::new(flow());
    let mut counters = TcpCounters::default();
    let mut challenges = Challenges::new([0; 32]);
    let doubtful = segment(Flags::ACK, 9_000, 1_000, 0);
    let answers = (0..1_000).filter(|millis| {
        let now = Instant::from_millis(1_000 + *millis);
        time_wait.input(now, &doubtful, &mut counters, &mut challenges) == Heard::Answer
    });
    assert_eq!(answers.count(), 2);
    assert_eq!(counters.challenges_withheld, 998);
}
