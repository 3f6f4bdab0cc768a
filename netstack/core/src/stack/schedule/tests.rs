use super::{Owner, Schedule, Scheduled};
use crate::Instant;
use proptest::prelude::*;
use std::collections::BTreeMap;

const OWNERS: usize = 24;

#[derive(Clone, Debug)]
enum Step {
    /// An owner's earliest deadline, so many nanoseconds after the present; a negative number is before it.
    Arm(usize, i64),
    Disarm(usize),
    /// The time, so many nanoseconds later; whoever is due is taken.
    Pass(u64),
    /// The time of the next deadline, as an event loop would.
    Sleep,
}

/// Distances of every size: deadlines and their neighbours meet on all levels.
fn distance() -> impl Strategy<Value = u64> {
    (0_u32..50, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..OWNERS, distance()).prop_map(|(owner, far)| Step::Arm(owner, far as i64)),
        1 => (0..OWNERS, distance()).prop_map(|(owner, far)| Step::Arm(owner, -(far as i64))),
        2 => (0..OWNERS).prop_map(Step::Disarm),
        1 => distance().prop_map(Step::Pass),
        3 => Just(Step::Sleep),
    ]
}

/// The schedule, and what it should be.
struct Both {
    schedule: Schedule,
    places: Vec<Scheduled>,
    model: BTreeMap<usize, Instant>,
    now: Instant,
}

impl Both {
    fn new(now: u64) -> Self {
        Both {
            schedule: Schedule::default(),
            places: vec![Scheduled::default(); OWNERS],
            model: BTreeMap::new(),
            now: Instant::from_nanos(now),
        }
    }

    fn arm(&mut self, owner: usize, at: Instant) {
        let place = &mut self.places[owner];
        self.schedule
            .arm(Owner::Connection(owner as u32), place, Some(at));
        let earliest = self.model.entry(owner).or_insert(at);
        *earliest = (*earliest).min(at);
    }

    fn disarm(&mut self, owner: usize) {
        self.schedule.disarm(&mut self.places[owner]);
        self.model.remove(&owner);
    }

    /// Takes whoever is due, which must be exactly those of the model.
    fn pop_all(&mut self) {
        let due: Vec<usize> = {
            let due = self.model.iter().filter(|(_, at)| **at <= self.now);
            due.map(|(owner, _)| *owner).collect()
        };
        let mut popped = Vec::new();
        while let Some(owner) = self.schedule.pop(self.now) {
            let Owner::Connection(owner) = owner else {
                panic!("nobody else was armed");
            };
            let owner = owner as usize;
            self.places[owner] = Scheduled::default();
            popped.push(owner);
            self.model.remove(&owner);
        }
        popped.sort_unstable();
        assert_eq!(popped, due);
    }

    fn first(&self) -> Option<Instant> {
        self.model.values().copied().min()
    }
}

proptest! {
    #[test]
    fn the_wheel_wakes_whom_a_sorted_map_would(
        start in distance(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut both = Both::new(start);
        let mut disarmed = false;
        for step in steps {
            match step {
                Step::Arm(owner, far) => {
                    let at = both.now.as_nanos().saturating_add_signed(far);
                    // An earlier deadline replaces one that the slot's earliest may have been.
                    disarmed |= both.model.contains_key(&owner);
                    both.arm(owner, Instant::from_nanos(at));
                }
                Step::Disarm(owner) => {
                    disarmed = true;
                    both.disarm(owner);
                }
                Step::Pass(time) => {
                    both.now = Instant::from_nanos(both.now.as_nanos().saturating_add(time));
                    both.pop_all();
                }
                Step::Sleep => {
                    let Some(next) = both.schedule.next() else { continue };
                    both.now = both.now.max(next);
                    both.pop_all();
                }
            }
            let (said, first) = (both.schedule.next(), both.first());
            prop_assert!(said <= first && said.is_some() == first.is_some());
            prop_assert!(disarmed || said == first, "without a disarming it is exact");
        }
        // Sleeping from one deadline to the next ends: an early answer is corrected by looking once on each level.
        let mut naps = 0;
        while let Some(next) = both.schedule.next() {
            both.now = both.now.max(next);
            both.pop_all();
            naps += 1;
            prop_assert!(naps <= OWNERS * super::LEVELS);
        }
        prop_assert!(both.model.is_empty());
        prop_assert!(both.schedule.entries.len() == 0);
    }
}

#[test]
fn owners_come_in_the_order_of_their_deadlines() {
    let mut schedule = Schedule::default();
    let mut places = vec![Scheduled::default(); 500];
    let at = |i: usize| Instant::from_nanos((i as u64 * 7_919_317) % 1_000_003 * 1000);
    for (i, place) in places.iter_mut().enumerate() {
        schedule.arm(Owner::Request(i as u32), place, Some(at(i)));
    }
    let mut latest = Instant::ZERO;
    let mut count = 0;
    while let Some(Owner::Request(i)) = schedule.pop(Instant::from_secs(10)) {
        assert!(at(i as usize) >= latest);
        latest = at(i as usize);
        count += 1;
    }
    assert_eq!(count, 500);
}

#[test]
fn a_later_deadline_is_left_where_it_is() {
    let mut schedule = Schedule::default();
    let mut place = Scheduled::default();
    let owner = Owner::Connection(3);
    schedule.arm(owner, &mut place, Some(Instant::from_secs(1)));
    schedule.arm(owner, &mut place, Some(Instant::from_secs(2)));
    schedule.arm(owner, &mut place, None);
    assert_eq!(schedule.next(), Some(Instant::from_secs(1)));
    assert_eq!(schedule.pop(Instant::from_millis(999)), None);
    assert_eq!(schedule.pop(Instant::from_secs(1)), Some(owner));
    assert_eq!(schedule.next(), None);
}

#[test]
fn the_end_of_time_is_a_time_like_any_other() {
    let mut schedule = Schedule::default();
    let mut places = [Scheduled::default(); 2];
    let last = Instant::from_nanos(u64::MAX - 1);
    schedule.arm(Owner::Connection(0), &mut places[0], Some(last));
    schedule.arm(Owner::Connection(1), &mut places[1], Some(Instant::ZERO));
    assert_eq!(schedule.pop(Instant::ZERO), Some(Owner::Connection(1)));
    assert_eq!(schedule.next(), Some(last));
    assert_eq!(schedule.pop(last), Some(Owner::Connection(0)));
}

#[test]
fn a_million_are_armed_and_disarmed_one_by_one() {
    let mut schedule = Schedule::default();
    let mut places = vec![Scheduled::default(); 1_000_000];
    let clock = Instant::from_secs(5);
    for (i, place) in places.iter_mut().enumerate() {
        let at = Instant::from_nanos(clock.as_nanos() + 200_000_000 + i as u64 * 997);
        schedule.arm(Owner::Connection(i as u32), place, Some(at));
    }
    assert_eq!(schedule.pop(clock), None);
    for place in &mut places[1..] {
        schedule.disarm(place);
    }
    assert_eq!(
        schedule.pop(Instant::from_secs(6)),
        Some(Owner::Connection(0))
    );
    assert_eq!(schedule.pop(Instant::from_secs(6)), None);
}
