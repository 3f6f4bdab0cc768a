use std::time::Duration;

use super::timespec;

#[test]
fn timeouts_keep_their_nanoseconds() {
    let spec = timespec(Duration::new(3, 141_592_653));
    assert_eq!((spec.tv_sec, spec.tv_nsec), (3, 141_592_653));
    assert_eq!(timespec(Duration::MAX).tv_sec, i64::MAX);
}
