use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const OURS: Mac = Mac([2, 0, 0, 0, 0, 9]);
const THEIRS: Mac = Mac([2, 0, 0, 0, 0, 7]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 8]);

fn address(number: u16) -> IpAddr {
    IpAddr::from([10, 0, (number >> 8) as u8, number as u8])
}

fn packet(number: u8) -> Packet {
    Packet::inline(&[number]).unwrap()
}

fn table() -> Neighbours {
    Neighbours::new(&[], 7)
}

fn asked(table: &mut Neighbours) -> Vec<Option<Mac>> {
    table
        .questions
        .drain(..)
        .map(|question| question.to)
        .collect()
}

fn released(table: &mut Neighbours) -> Vec<(Mac, u8)> {
    let released = table.released.drain(..);
    released
        .map(|(mac, packet)| (mac, packet.headers()[0]))
        .collect()
}

fn answer(mac: Option<Mac>, solicited: bool, replace: bool) -> Answer {
    Answer {
        mac,
        solicited,
        replace,
    }
}

/// Lets time pass until `end`, and tells when something happened.
fn run(table: &mut Neighbours, end: Duration) -> Vec<(Duration, Option<Mac>)> {
    let mut log = Vec::new();
    while let Some(due) = table.poll_timeout().filter(|due| *due <= end) {
        table.handle_timeout(due);
        log.extend(asked(table).into_iter().map(|to| (due, to)));
    }
    log
}

// req: RFC1122link-02, RFC4861-18
#[test]
fn who_does_not_answer_is_asked_three_times_and_given_up() {
    let mut table = table();
    assert_eq!(table.address_of(SECOND, address(1)), None);
    for number in 0..3 {
        table.keep(SECOND, address(1), packet(number));
    }
    assert_eq!(asked(&mut table), [None]);
    assert_eq!(
        run(&mut table, SECOND * 60),
        [(SECOND * 2, None), (SECOND * 3, None)]
    );
    assert_eq!((table.unresolved, table.waiting, table.sought), (3, 0, 0));
    assert!(table.entries.is_empty() && table.poll_timeout().is_none());
    // The next packet begins anew.
    table.keep(SECOND * 60, address(1), packet(4));
    assert_eq!(asked(&mut table), [None]);
}

// req: RFC1122link-03, RFC4861-17
#[test]
fn what_waits_leaves_in_order_and_the_oldest_gives_way() {
    let mut table = table();
    for number in 0..WAITING as u8 + 3 {
        table.keep(SECOND, address(1), packet(number));
    }
    assert_eq!((table.no_room, table.waiting), (3, WAITING));
    table.answered(SECOND, address(1), answer(Some(THEIRS), true, true));
    let expected: Vec<_> = (3..WAITING as u8 + 3)
        .map(|number| (THEIRS, number))
        .collect();
    assert_eq!(released(&mut table), expected);
    assert_eq!((table.waiting, table.sought), (0, 0));
    assert_eq!(table.address_of(SECOND, address(1)), Some(THEIRS));
    assert_eq!(table.poll_timeout(), None);
}

#[test]
fn all_that_wait_are_bounded_together() {
    let mut table = table();
    for number in 0..WAITING_IN_ALL as u16 {
        table.keep(SECOND, address(number / 2), packet(1));
    }
    assert_eq!((table.waiting, table.no_room), (WAITING_IN_ALL, 0));
    // Somebody new has nothing to give way; somebody who waits has.
    table.keep(SECOND, address(10_000), packet(2));
    table.keep(SECOND, address(0), packet(2));
    assert_eq!((table.waiting, table.no_room), (WAITING_IN_ALL, 2));
}

/// RFC 4861, 7.3.3: reachable, stale, delay, probe, and gone.
// req: RFC1122link-01, RFC4861-32, RFC4861-33
#[test]
fn who_falls_silent_is_asked_by_name_and_forgotten() {
    let mut table = table();
    table.keep(SECOND, address(1), packet(1));
    table.answered(SECOND, address(1), answer(Some(THEIRS), true, true));
    asked(&mut table);
    // Nothing is asked while nothing is sent.
    assert_eq!(run(&mut table, SECOND * 100), []);
    let start = SECOND * 100;
    assert_eq!(table.address_of(start, address(1)), Some(THEIRS));
    let by_name = Some(THEIRS);
    assert_eq!(
        run(&mut table, start + SECOND * 7),
        [
            (start + SECOND * 5, by_name),
            (start + SECOND * 6, by_name),
            (start + SECOND * 7, by_name)
        ]
    );
    // Used until it is given up.
    assert_eq!(table.address_of(start + SECOND * 7, address(1)), by_name);
    assert_eq!(run(&mut table, start + SECOND * 60), []);
    assert_eq!(table.address_of(start + SECOND * 60, address(1)), None);
}

// req: RFC4861-27
#[test]
fn who_answers_a_probe_is_reachable_for_half_a_minute_or_so() {
    let mut table = table();
    table.heard(SECOND, address(1), THEIRS, true);
    table.address_of(SECOND, address(1));
    assert_eq!(run(&mut table, SECOND * 6), [(SECOND * 6, Some(THEIRS))]);
    table.answered(SECOND * 6, address(1), answer(None, true, false));
    assert_eq!(run(&mut table, SECOND * 60), []);
    table.address_of(SECOND * 20, address(1));
    assert_eq!(table.poll_timeout(), None);
    table.address_of(SECOND * 52, address(1));
    assert_eq!(table.poll_timeout(), Some(SECOND * 57));
}

/// RFC 4861, 7.2.5, by what was known before: nothing, a reachable one, a stale one.
#[test]
fn what_an_advertisement_changes() {
    let known = Some(THEIRS);
    for (mac, solicited, replace, sought, reachable, stale) in [
        (None, true, true, None, known, known),
        (known, true, false, known, known, known),
        (known, false, true, known, known, known),
        (Some(OTHER), false, false, Some(OTHER), known, known),
        (Some(OTHER), true, false, Some(OTHER), known, known),
        (
            Some(OTHER),
            false,
            true,
            Some(OTHER),
            Some(OTHER),
            Some(OTHER),
        ),
        (
            Some(OTHER),
            true,
            true,
            Some(OTHER),
            Some(OTHER),
            Some(OTHER),
        ),
    ] {
        let mut table = table();
        table.keep(SECOND, address(1), packet(1));
        table.keep(SECOND, address(2), packet(1));
        table.answered(SECOND, address(2), answer(known, true, true));
        table.heard(SECOND, address(3), THEIRS, true);
        for number in 1..4 {
            table.answered(SECOND, address(number), answer(mac, solicited, replace));
        }
        let found: Vec<_> = (1..4)
            .map(|number| table.address_of(SECOND, address(number)))
            .collect();
        let case = format!("{mac:?} {solicited} {replace}");
        assert_eq!(found, [sought, reachable, stale], "{case}");
    }
}

// req: RFC4861-26
#[test]
fn whoever_is_said_to_have_moved_is_looked_after() {
    let mut table = table();
    table.keep(SECOND, address(1), packet(1));
    assert_eq!(asked(&mut table), [None]);
    table.answered(SECOND, address(1), answer(Some(THEIRS), true, true));
    assert_eq!(table.address_of(SECOND, address(1)), Some(THEIRS));
    assert_eq!(table.poll_timeout(), None, "reachable");
    table.answered(SECOND, address(1), answer(Some(OTHER), false, false));
    assert_eq!(table.address_of(SECOND, address(1)), Some(THEIRS));
    // Stale: once used it is asked, where it was, whether it is there.
    assert_eq!(run(&mut table, SECOND * 6), [(SECOND * 6, Some(THEIRS))]);
}

// req: RFC4861-31
#[test]
fn what_was_not_asked_for_is_no_proof_that_packets_arrive() {
    let mut table = table();
    table.keep(SECOND, address(1), packet(1));
    assert_eq!(asked(&mut table), [None]);
    table.answered(SECOND, address(1), answer(Some(THEIRS), false, true));
    assert_eq!(run(&mut table, SECOND * 6), [(SECOND * 6, Some(THEIRS))]);
    table.answered(SECOND * 6, address(1), answer(Some(THEIRS), false, true));
    // It is still asked.
    assert_eq!(run(&mut table, SECOND * 7), [(SECOND * 7, Some(THEIRS))]);
}

// req: RFC4861-25
#[test]
fn nobody_is_remembered_who_was_not_asked_for() {
    let mut table = table();
    table.answered(SECOND, address(1), answer(Some(THEIRS), true, true));
    table.heard(SECOND, address(2), THEIRS, false);
    assert!(table.entries.is_empty());
}

// req: RFC4861-21
#[test]
fn a_question_tells_an_address_to_whoever_looks_for_it() {
    let mut table = table();
    table.keep(SECOND, address(1), packet(1));
    table.heard(SECOND, address(1), THEIRS, false);
    assert_eq!(released(&mut table), [(THEIRS, 1)]);
    // Of which it is not known yet that packets reach it.
    assert_eq!(table.poll_timeout(), Some(SECOND * 6));
    table.heard(SECOND * 2, address(1), OTHER, false);
    assert_eq!(table.address_of(SECOND * 2, address(1)), Some(OTHER));
}

#[test]
fn the_table_is_bounded_and_the_unused_go_first() {
    let mut table = Neighbours::new(&[(address(9999), OURS)], 7);
    for number in 1..NEIGHBOURS as u16 + 10 {
        let now = SECOND * u32::from(number);
        table.heard(now, address(number), THEIRS, true);
        // One that is used all the time.
        assert!(table.address_of(now, address(1)).is_some());
    }
    assert_eq!(table.entries.len(), NEIGHBOURS);
    let now = SECOND * 10_000;
    assert_eq!(table.address_of(now, address(2)), None);
    assert_eq!(table.address_of(now, address(9999)), Some(OURS));
    // Who looks for very many takes half of it at most.
    for number in 0..NEIGHBOURS as u16 {
        table.keep(now, address(20_000 + number), packet(1));
    }
    assert_eq!(table.sought, SOUGHT);
    assert_eq!(table.entries.len(), NEIGHBOURS);
    assert_eq!(table.no_room as usize, NEIGHBOURS - WAITING_IN_ALL);
}

#[test]
fn what_is_permanent_stays() {
    let mut table = Neighbours::new(&[(address(1), OURS)], 7);
    table.heard(SECOND, address(1), THEIRS, true);
    table.answered(SECOND, address(1), answer(Some(THEIRS), true, true));
    assert_eq!(table.address_of(SECOND * 99, address(1)), Some(OURS));
    assert_eq!(table.poll_timeout(), None);
}

proptest! {
    /// Whatever comes in whatever order: the sums are right, and what is handed over is somewhere.
    #[test]
    fn nothing_is_lost_and_sums_stay_right(
        steps in proptest::collection::vec((0_u8..5, 0_u16..6, 0_u64..4000), 1..200),
    ) {
        let mut table = table();
        let mut now = Duration::ZERO;
        let (mut kept, mut left) = (0, 0);
        for (what, number, pause) in steps {
            now += Duration::from_millis(pause);
            table.handle_timeout(now);
            let mac = if pause % 2 == 0 { THEIRS } else { OTHER };
            match what {
                0 | 1 => {
                    if table.address_of(now, address(number)).is_none() {
                        table.keep(now, address(number), packet(1));
                        kept += 1;
                    }
                }
                2 => table.heard(now, address(number), mac, pause % 3 == 0),
                _ => {
                    let answer = answer(Some(mac), what == 3, pause % 3 == 0);
                    table.answered(now, address(number), answer);
                }
            }
            left += released(&mut table).len();
            let states = table.entries.values().map(|entry| &entry.state);
            let waiting = states.clone().map(|state| match state {
                State::Incomplete { waiting, .. } => waiting.len(),
                _ => 0,
            });
            prop_assert_eq!(waiting.sum::<usize>(), table.waiting);
            let sought = states.filter(|state| matches!(state, State::Incomplete { .. }));
            prop_assert_eq!(sought.count(), table.sought);
            let armed = table.entries.values().filter(|entry| entry.deadline.is_some());
            prop_assert_eq!(armed.count(), table.deadlines.len());
            let dropped = (table.unresolved + table.no_room) as usize;
            prop_assert_eq!(kept, left + table.waiting + dropped);
        }
    }
}
