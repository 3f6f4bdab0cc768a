use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    #[test]
    fn entries_keep_their_numbers(
        // Runs of insertions and removals, so that pages fill and empty.
        runs in proptest::collection::vec((any::<bool>(), 1_usize..1500, any::<usize>()), 1..12),
    ) {
        let mut pages = Pages::default();
        let mut model = BTreeMap::new();
        let mut next = 0_u64;
        for (add, count, which) in runs {
            for i in 0..count {
                if add {
                    let number = pages.insert(next);
                    prop_assert_eq!(model.insert(number, next), None);
                    next += 1;
                } else if let Some(number) = pick(&model, which.wrapping_mul(i + 1)) {
                    prop_assert_eq!(pages.remove(number), model.remove(&number));
                    prop_assert_eq!(pages.remove(number), None);
                    prop_assert_eq!(pages.get(number), None);
                }
            }
            prop_assert_eq!(pages.len(), model.len());
            for (number, it) in &model {
                prop_assert_eq!(pages.get(*number), Some(it));
            }
            prop_assert!(pages.iter().eq(model.iter().map(|(number, it)| (*number, it))));
        }
    }
}

fn pick(model: &BTreeMap<u32, u64>, which: usize) -> Option<u32> {
    let last = *model.last_key_value()?.0 as usize;
    let from = (which % (last + 1)) as u32;
    model.range(from..).next().map(|(number, _)| *number)
}

#[test]
fn an_empty_table_keeps_one_page() {
    let mut pages = Pages::default();
    let numbers: Vec<u32> = (0..10 * PAGE).map(|i| pages.insert(i)).collect();
    assert_eq!(pages.pages.len(), 10);
    for number in numbers {
        pages.remove(number);
    }
    assert_eq!(pages.pages.len(), 1);
    assert!(pages.insert(7) < PAGE as u32);
}
