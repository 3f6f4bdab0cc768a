use super::*;

const MS: Duration = Duration::from_millis(1);
const RTT: Duration = Duration::from_millis(40);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Ten segments of 100 from 0 on, sent a millisecond apart.
fn board() -> (Rack, Scoreboard) {
    let mut board = Scoreboard::default();
    for i in 0..10 {
        board.on_send(at(i), Seq(i as u32 * 100), Seq(i as u32 * 100 + 100), 100);
    }
    (Rack::new(Seq(0)), board)
}

fn sack(rack: &mut Rack, board: &mut Scoreboard, now: Instant, left: u32) {
    board.sack(Seq(left), Seq(left + 100), |sent| {
        rack.on_delivered(now, sent, None, RTT);
    });
}

fn circumstances() -> Circumstances {
    Circumstances {
        in_recovery: false,
        threshold_reached: false,
        min_rtt: RTT,
        srtt: RTT,
    }
}

// req: RFC8985-04, RFC8985-05
#[test]
fn what_was_sent_before_something_delivered_is_lost_after_the_window() {
    let (mut rack, mut board) = board();
    sack(&mut rack, &mut board, at(43), 300);
    let window = rack.window(&circumstances());
    assert_eq!(window, RTT / 4);
    let found = rack.detect(&mut board, at(43), window);
    assert_eq!(found.lost, None);
    // The third segment was sent at 2 ms, one before the delivered one.
    assert_eq!(found.wait, Some(MS * 9));
    let found = rack.detect(&mut board, at(52), window);
    assert_eq!(found.lost, Some((at(2), false)));
    assert_eq!(board.next_lost(usize::MAX), Some((Seq(0), 300)));
    assert_eq!(board.totals().lost, 300, "nothing beyond");
}

// req: RFC8985-03
#[test]
fn three_segments_beyond_a_hole_need_no_waiting() {
    let (mut rack, mut board) = board();
    sack(&mut rack, &mut board, at(43), 300);
    let now = Circumstances {
        threshold_reached: true,
        ..circumstances()
    };
    assert_eq!(rack.window(&now), Duration::ZERO);
    let found = rack.detect(&mut board, at(43), Duration::ZERO);
    assert_eq!(found.lost, Some((at(2), false)));
}

// req: RFC8985-06, RFC8985-07, RFC8985-10
#[test]
fn reordering_is_noticed_and_reports_widen_the_window_for_a_while() {
    let (mut rack, mut board) = board();
    sack(&mut rack, &mut board, at(43), 300);
    assert!(!rack.reordering_seen());
    sack(&mut rack, &mut board, at(44), 100);
    assert!(rack.reordering_seen());
    let now = Circumstances {
        in_recovery: true,
        threshold_reached: true,
        ..circumstances()
    };
    assert_eq!(rack.window(&now), RTT / 4);
    rack.on_duplicate_report(Seq(0), Seq(1_000));
    rack.on_duplicate_report(Seq(500), Seq(1_500));
    assert_eq!(rack.window(&now), RTT / 2, "once a round");
    for _ in 0..20 {
        rack.on_duplicate_report(Seq(5_000), Seq(5_000));
    }
    assert_eq!(rack.window(&now), RTT, "at most the round-trip time");
    for _ in 0..16 {
        rack.on_recovered();
    }
    assert_eq!(rack.window(&now), RTT / 4);
}

// req: RFC8985-09
#[test]
fn a_repetition_whose_original_arrived_tells_no_time() {
    let (mut rack, mut board) = board();
    board.on_resend(at(45), Seq(0), Seq(100), 100);
    // The answer comes too soon, or echoes a timestamp from before.
    board.acknowledge(Seq(100), |sent| rack.on_delivered(at(50), sent, None, RTT));
    assert_eq!(rack.newest, None);
    board.on_resend(at(45), Seq(100), Seq(200), 100);
    board.acknowledge(Seq(200), |sent| {
        rack.on_delivered(at(90), sent, Some(at(3)), RTT);
    });
    assert_eq!(rack.newest, None);
    board.on_resend(at(45), Seq(200), Seq(300), 100);
    board.acknowledge(Seq(300), |sent| {
        rack.on_delivered(at(90), sent, Some(at(45)), RTT);
    });
    assert_eq!(rack.newest, Some((at(45), Seq(300))));
}

// req: RFC8985-05
#[test]
fn a_lost_repetition_is_found_by_what_left_after_it() {
    let (mut rack, mut board) = board();
    sack(&mut rack, &mut board, at(43), 300);
    rack.detect(&mut board, at(43), Duration::ZERO);
    board.on_resend(at(43), Seq(0), Seq(300), 100);
    board.on_send(at(44), Seq(1_000), Seq(1_100), 100);
    assert_eq!(board.next_lost(usize::MAX), None);
    sack(&mut rack, &mut board, at(84), 1_000);
    let found = rack.detect(&mut board, at(84), Duration::ZERO);
    assert_eq!(found.lost, Some((at(43), true)));
    assert_eq!(
        board.next_lost(usize::MAX).map(|(seq, _)| seq),
        Some(Seq(0))
    );
}

// req: RFC8985-12
#[test]
fn a_timeout_gives_up_the_first_segment_and_what_is_old() {
    let (mut rack, mut board) = board();
    board.on_send(at(200), Seq(1_000), Seq(1_100), 100);
    sack(&mut rack, &mut board, at(43), 900);
    rack.mark_on_timeout(&mut board, at(220), RTT / 4, 100);
    assert_eq!(board.totals().lost, 900, "not what left just now");
}

// req: RFC8985-02
#[test]
fn what_left_is_told_apart_to_much_less_than_a_quarter_of_a_round_trip() {
    let (micros, rtt) = (Duration::from_micros, Duration::from_millis(1));
    let start = Instant::from_secs(9);
    let mut board = Scoreboard::default();
    for i in 0..4 {
        let left = Seq(i * 100);
        board.on_send(start + micros(100) * i, left, left + 100, 100);
    }
    let mut rack = Rack::new(Seq(0));
    let now = start + rtt + micros(200);
    board.sack(Seq(200), Seq(300), |sent| {
        rack.on_delivered(now, sent, None, rtt);
    });
    let found = rack.detect(&mut board, now, rtt / 4);
    assert_eq!((found.lost, found.wait), (None, Some(micros(150))));
    let found = rack.detect(&mut board, now + micros(60), rtt / 4);
    assert_eq!(found.lost, Some((start, false)), "the first alone");
    assert_eq!(board.totals().lost, 100);
}
