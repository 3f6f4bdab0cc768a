use super::*;
use crate::ip::output::Marks;
use crate::tcp::flow::FlowKey;
use proptest::prelude::*;
use std::collections::VecDeque;

fn time_wait(port: u16) -> TimeWait {
    let remote = format!("10.0.0.2:{port}");
    let local = "10.0.0.1:80".parse().expect("literal");
    TimeWait::new(FlowKey::new(local, remote.parse().expect("literal")))
}

#[test]
fn one_takes_less_than_a_hundred_bytes() {
    assert!(size_of::<Entry>() <= 96, "{}", size_of::<Entry>());
}

proptest! {
    #[test]
    fn the_oldest_is_always_first(steps in prop::collection::vec((0u8..3, 0usize..8), 1..200)) {
        let (mut time_waits, mut model) = (TimeWaits::default(), VecDeque::new());
        for (at, (step, which)) in steps.into_iter().enumerate() {
            let ends = Instant::from_secs(at as u64);
            let chosen = model.get(which).copied();
            match (step, chosen) {
                (0, _) | (_, None) => {
                    let number = time_waits.add(time_wait(at as u16 + 1), IfaceId::new(0), Marks::default(), ends);
                    model.push_back((number, ends));
                }
                (1, Some((number, _))) => {
                    time_waits.restart(number, ends);
                    model.retain(|(other, _)| *other != number);
                    model.push_back((number, ends));
                }
                (_, Some((number, _))) => {
                    prop_assert!(time_waits.remove(number).is_some());
                    model.retain(|(other, _)| *other != number);
                }
            }
            prop_assert_eq!(time_waits.len(), model.len());
            prop_assert_eq!(time_waits.next(), model.front().map(|(_, ends)| *ends));
        }
        while let Some((number, _)) = model.pop_front() {
            prop_assert_eq!(time_waits.oldest, number);
            time_waits.remove(number);
        }
        prop_assert_eq!((time_waits.oldest, time_waits.newest), (NONE, NONE));
    }
}

#[test]
fn one_that_would_end_before_the_newest_ends_with_it() {
    let mut time_waits = TimeWaits::default();
    let late = Instant::from_secs(9);
    time_waits.add(time_wait(1), IfaceId::new(0), Marks::default(), late);
    let second = time_waits.add(
        time_wait(2),
        IfaceId::new(0),
        Marks::default(),
        Instant::from_secs(5),
    );
    time_waits.remove(time_waits.oldest);
    assert_eq!((time_waits.oldest, time_waits.next()), (second, Some(late)));
}
