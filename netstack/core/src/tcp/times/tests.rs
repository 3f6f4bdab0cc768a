use super::*;
use core::time::Duration;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

#[test]
fn each_byte_has_the_time_at_which_it_came() {
    let first = Seq(u32::MAX - 3);
    let mut times = Times::new(first);
    times.note(first + 5, at(1));
    times.note(first + 8, at(1));
    times.note(first + 10, at(2));
    assert_eq!(times.of(first - 1), None, "it came before");
    assert_eq!(times.of(first), Some(at(1)));
    assert_eq!(times.of(first + 7), Some(at(1)));
    assert_eq!(times.of(first + 8), Some(at(2)));
    assert_eq!(times.of(first + 10), None, "it has not come");
    times.pass(first + 9);
    assert_eq!(times.noted.len(), 1);
    assert_eq!(times.of(first + 9), Some(at(2)));
}

#[test]
fn what_nobody_reads_is_told_apart_up_to_a_limit() {
    let mut times = Times::new(Seq(0));
    for byte in 1..5000 {
        times.note(Seq(byte), at(byte.into()));
    }
    assert_eq!(times.noted.len(), MOST);
    assert_eq!(times.of(Seq(0)), Some(at(1)));
    assert_eq!(times.of(Seq(4000)), Some(at(4999)));
}
