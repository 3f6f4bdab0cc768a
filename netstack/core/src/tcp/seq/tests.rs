use super::Seq;

// req: U-34
#[test]
fn order_holds_across_the_wrap() {
    let low = Seq(u32::MAX - 5);
    let high = low + 10;
    assert_eq!(high, Seq(4));
    assert!(low.before(high) && high.after(low));
    assert!(low.at_or_before(low) && low.at_or_after(low));
    assert_eq!(high.since(low), 10);
    assert_eq!(low.since(high), 0);
    assert_eq!(low.distance(high), -10);
}

#[test]
fn later_and_earlier_pick_by_the_circle() {
    let (a, b) = (Seq(0xffff_fff0), Seq(0x10));
    assert_eq!(a.later(b), b);
    assert_eq!(a.earlier(b), a);
    assert_eq!(b - 0x20, a);
}
