use super::*;
use proptest::prelude::*;

proptest! {
    /// It is a list in the order in which the keys came, whatever is taken out and comes again.
    #[test]
    fn the_oldest_goes_first(
        steps in prop::collection::vec((0..4_u8, 0..12_u8), 1..300)
    ) {
        const LIMIT: usize = 5;
        let (mut bounded, mut model) = (Bounded::new(LIMIT), VecDeque::<(u8, usize)>::new());
        for (value, (step, key)) in steps.into_iter().enumerate() {
            let place = model.iter().position(|(there, _)| *there == key);
            match step {
                0 => {
                    let taken = place.and_then(|place| model.remove(place));
                    prop_assert_eq!(bounded.remove(&key), taken.map(|(_, value)| value));
                }
                1 => {
                    let due = model.pop_front_if(|(_, value)| value.is_multiple_of(2));
                    prop_assert_eq!(bounded.pop_if(|value| value.is_multiple_of(2)), due);
                }
                _ => {
                    match place {
                        Some(place) => model[place].1 = value,
                        None => model.push_back((key, value)),
                    }
                    let gone = if model.len() > LIMIT { model.pop_front() } else { None };
                    prop_assert_eq!(bounded.insert(key, value), gone);
                }
            }
            prop_assert_eq!(bounded.iter().count(), model.len());
            prop_assert!(model.iter().all(|(key, value)| bounded.get(key) == Some(value)));
            prop_assert!(bounded.order.len() <= 2 * LIMIT + 1);
        }
    }
}
