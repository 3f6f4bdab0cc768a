use super::*;

fn of(list: &[(u32, u32)]) -> Ranges {
    let mut ranges = Ranges::default();
    ranges.begin(Seq(0));
    for &(from, end) in list {
        ranges.add(Seq(from), Seq(end));
    }
    ranges
}

#[test]
fn what_touches_becomes_one() {
    let ranges = of(&[(30, 40), (10, 20), (20, 30)]);
    assert_eq!(ranges.islands(), [(Seq(10), Seq(40))]);
    assert_eq!(ranges.to(), Some(Seq(0)));
    assert!(ranges.covers(Seq(15), Seq(40)) && !ranges.covers(Seq(5), Seq(15)));
    assert!(ranges.touches(Seq(5), Seq(15)) && !ranges.touches(Seq(5), Seq(10)));
}

#[test]
fn the_beginning_swallows_islands() {
    let ranges = of(&[(10, 20), (30, 40), (0, 12)]);
    assert_eq!(ranges.to(), Some(Seq(20)));
    assert_eq!(ranges.islands(), [(Seq(30), Seq(40))]);
    let mut ranges = ranges;
    ranges.advance(Seq(35));
    assert_eq!((ranges.to(), ranges.has_holes()), (Some(Seq(40)), false));
}

#[test]
fn memory_is_bounded() {
    let list: Vec<(u32, u32)> = (1..5000).map(|i| (i * 10, i * 10 + 1)).collect();
    let ranges = of(&list);
    assert!(ranges.islands().len() <= LIMIT && ranges.forgot);
}
