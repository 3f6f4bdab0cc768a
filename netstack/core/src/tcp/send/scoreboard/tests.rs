use super::*;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Ten segments of 100, sent a millisecond apart, from 0 on.
fn board() -> Scoreboard {
    let mut board = Scoreboard::default();
    for i in 0..10 {
        board.on_send(at(i), Seq(i as u32 * 100), Seq(i as u32 * 100 + 100), 100);
    }
    board
}

fn check(board: &Scoreboard) {
    let mut sums = Sums::default();
    board.sent.iter().for_each(|range| sums.add(range));
    assert_eq!(sums, board.marks.sums(), "{board:?}");
    for (one, next) in board.sent.iter().zip(board.sent.iter().skip(1)) {
        assert_eq!(one.end, next.start, "{board:?}");
        assert!(!(one.sacked && next.sacked), "joined: {board:?}");
    }
    assert!(board.sent.iter().all(|range| range.len() > 0), "{board:?}");
    assert!(
        board.sent.iter().all(|range| !(range.sacked && range.lost)),
        "{board:?}"
    );
}

#[test]
fn what_left_at_one_time_is_one_range() {
    let mut board = Scoreboard::default();
    board.on_send(at(1), Seq(0), Seq(64_000), 1_000);
    board.on_send(at(1), Seq(64_000), Seq(128_000), 1_000);
    board.on_send(at(2), Seq(128_000), Seq(128_500), 1_000);
    assert_eq!(board.sent.len(), 2);
    // Where a segment was short the next one does not begin where others would.
    board.on_send(at(2), Seq(128_500), Seq(129_500), 1_000);
    assert_eq!(board.sent.len(), 3);
    assert!(!board.is_marked());
}

// req: RFC2018-10
#[test]
fn sums_are_read_off_the_ranges() {
    let mut board = board();
    assert_eq!(board.sack(Seq(300), Seq(500), |_| ()), 200);
    assert_eq!(board.sack(Seq(250), Seq(350), |_| ()), 0, "half a segment");
    assert_eq!(board.sack(Seq(200), Seq(400), |_| ()), 100);
    assert_eq!(board.sack(Seq(200), Seq(500), |_| ()), 0, "nothing new");
    assert_eq!(board.sack(Seq(700), Seq(800), |_| ()), 100);
    check(&board);
    board.mark_lost(|sent| sent.end.at_or_before(Seq(200)));
    let totals = board.totals();
    assert_eq!(
        (totals.sacked, totals.sacked_ranges, totals.lost),
        (400, 2, 200)
    );
    assert_eq!(board.next_lost(usize::MAX), Some((Seq(0), 200)));
    board.on_resend(at(20), Seq(0), Seq(100), 100);
    check(&board);
    assert_eq!(board.next_lost(usize::MAX), Some((Seq(100), 100)));
    assert_eq!((board.totals().lost, board.totals().resent), (100, 100));
    board.sack(Seq(0), Seq(100), |_| ());
    check(&board);
    assert_eq!((board.totals().lost, board.totals().resent), (100, 0));
}

#[test]
fn each_delivery_is_shown_once() {
    let mut board = board();
    let mut seen = Vec::new();
    board.sack(Seq(300), Seq(400), |sent| seen.push((sent.start, sent.at)));
    let news = board.acknowledge(Seq(450), |sent| seen.push((sent.start, sent.at)));
    assert_eq!(news, 350);
    let expected = [(300, 3), (0, 0), (100, 1), (200, 2), (400, 4)];
    let expected: Vec<(Seq, Instant)> = expected
        .into_iter()
        .map(|(seq, ms)| (Seq(seq), at(ms)))
        .collect();
    assert_eq!(seen, expected);
    check(&board);
    board.acknowledge(Seq(1_000), |_| ());
    assert!(board.sent.is_empty() && !board.is_marked());
}

#[test]
fn nonsense_leaves_the_board_whole() {
    let mut board = board();
    for (left, right) in [(900, 2_000), (2_000, 3_000), (500, 400), (0, 0)] {
        board.sack(Seq(left), Seq(right), |_| ());
        check(&board);
    }
    board.mark_first_lost(5_000);
    board.on_resend(at(9), Seq(950), Seq(5_000), 100);
    board.acknowledge(Seq(400_000), |_| ());
    assert_eq!(Scoreboard::default().sack(Seq(1), Seq(2), |_| ()), 0);
}

// req: RFC2018-16
#[test]
fn a_peer_that_threw_data_away_is_found_out() {
    let mut board = board();
    board.sack(Seq(300), Seq(500), |_| ());
    board.acknowledge(Seq(300), |_| ());
    assert!(board.is_reneged());
    board.clear_sacked();
    assert_eq!(board.totals(), Totals::default());
}

#[test]
fn parts_of_segments_are_not_noted() {
    let mut board = Scoreboard::default();
    board.on_send(at(0), Seq(0), Seq(1 << 20), 1 << 10);
    for i in 0..1 << 17 {
        assert_eq!(board.sack(Seq(i * 4 + 1), Seq(i * 4 + 2), |_| ()), 0);
    }
    assert_eq!(board.sent.len(), 1);
    assert_eq!(board.sack(Seq(1), Seq((3 << 10) - 1), |_| ()), 1 << 10);
    assert!(board.is_sacked(Seq(1 << 10), Seq(2 << 10)));
    // What is left of a segment is a range of its own, and what follows is cut where it was.
    board.acknowledge(Seq((2 << 10) + 100), |_| ());
    assert_eq!(board.sack(Seq(3 << 10), Seq(4 << 10), |_| ()), 1 << 10);
    board.mark_first_lost(100);
    assert_eq!(
        board.next_lost(usize::MAX),
        Some((Seq((2 << 10) + 100), 100))
    );
    check(&board);
}

#[test]
fn a_cut_within_a_segment_leaves_the_boundaries_behind_it() {
    let mut board = Scoreboard::default();
    board.on_send(at(0), Seq(0), Seq(10_000), 1_000);
    board.mark_lost(|_| true);
    // The path takes less: the first leaves again, and not all of it.
    board.on_resend(at(1), Seq(0), Seq(600), 600);
    assert_eq!(board.next_lost(1), Some((Seq(600), 400)));
    // The peer had the fourth as it was sent at first.
    assert_eq!(board.sack(Seq(3_000), Seq(4_000), |_| ()), 1_000);
    assert!(board.is_sacked(Seq(3_000), Seq(4_000)));
    assert_eq!(board.next_lost(usize::MAX), Some((Seq(600), 2_400)));
    check(&board);
}

#[test]
fn every_second_segment_costs_bounded_memory() {
    let mut board = Scoreboard::default();
    board.on_send(at(0), Seq(0), Seq(1 << 20), 2);
    for i in 0..1 << 17 {
        board.sack(Seq(i * 8 + 2), Seq(i * 8 + 4), |_| ());
    }
    assert!(board.sent.len() <= MAX_RANGES);
    for i in 0..1_u32 << 17 {
        let start = Seq((1 << 20) + i);
        board.on_send(at(1 + u64::from(i)), start, start + 1, 2);
    }
    assert!(board.sent.len() <= MAX_RANGES);
    check(&board);
}

#[test]
fn a_full_board_takes_nothing_that_it_could_not_tell_from_what_arrived() {
    let mut board = Scoreboard::default();
    for i in 0..MAX_RANGES as u32 {
        board.on_send(at(i.into()), Seq(i), Seq(i + 1), 1);
    }
    assert!(!board.is_full(), "the newest can grow");
    board.mark_lost(|_| true);
    assert!(board.is_full());
    board.acknowledge(Seq(1), |_| ());
    assert!(!board.is_full());
}

/// How many ranges are looked at while a peer acknowledges every second of `segments` segments, four in one
/// acknowledgement, and what is lost is sent again: in the whole storm, for each acknowledgement.
fn storm(segments: u32) -> usize {
    let mut board = Scoreboard::default();
    board.on_send(at(0), Seq(0), Seq(segments * 100), 100);
    let mut acknowledgements = 0;
    for first in (1..segments - 8).step_by(8) {
        for i in 0..4 {
            let left = Seq((first + 2 * i) * 100);
            board.sack(left, left + 100, |_| ());
        }
        let highest = Seq((first + 7) * 100);
        // What RACK does.
        board.mark_lost(|sent| sent.end.before(highest) && !sent.resent);
        while let Some((seq, len)) = board.next_lost(1_000) {
            assert_eq!(len % 100, 0, "whole segments");
            board.on_resend(at(u64::from(first)), seq, seq + len, 100);
        }
        assert!(board.sent.len() <= segments as usize);
        acknowledgements += 1;
    }
    check(&board);
    board.visited.get() / acknowledgements
}

#[test]
fn of_a_storm_every_acknowledgement_looks_at_the_ranges_once() {
    for segments in [100, 1_000, 10_000] {
        let visited = storm(segments);
        assert!(visited <= segments as usize + 100, "{segments}: {visited}");
    }
}

#[test]
fn random_treatment_keeps_order_and_sums() {
    let mut state = 1_u64;
    let mut random = |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u32 % below
    };
    let start = u32::MAX - 3_000;
    let (mut board, mut una, mut nxt) = (Scoreboard::default(), Seq(start), Seq(start));
    for i in 0..20_000 {
        let flight = nxt.since(una) as u32;
        match random(6) {
            0 | 1 if flight < 8_000 => {
                let end = nxt + 1 + random(300) as usize;
                board.on_send(at(i), nxt, end, 100);
                nxt = end;
            }
            2 if flight > 0 => {
                let left = una + random(flight) as usize;
                board.sack(left, (left + 1 + random(200) as usize).earlier(nxt), |_| ());
            }
            3 => {
                board.mark_lost(|sent| sent.at <= at(i.saturating_sub(60)));
            }
            4 => {
                if let Some((seq, len)) = board.next_lost(usize::MAX) {
                    board.on_resend(at(i), seq, seq + len.min(150), 100);
                }
            }
            _ => {
                una += random(flight / 2 + 1) as usize;
                board.acknowledge(una, |_| ());
                if board.is_reneged() {
                    board.clear_sacked();
                }
            }
        }
        check(&board);
        let whole: usize = board.sent.iter().map(Sent::len).sum();
        assert_eq!(whole, nxt.since(una));
        let totals = board.totals();
        assert!(totals.sacked + totals.lost <= whole);
        let lost = board.sent.iter().find(|range| range.lost);
        let next = board.next_lost(usize::MAX).map(|(seq, _)| seq);
        assert_eq!(next, lost.map(|range| range.start));
    }
}
