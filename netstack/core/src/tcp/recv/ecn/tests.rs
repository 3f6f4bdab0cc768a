use super::*;

// req: RFC3168-18, RFC3168-19
#[test]
fn the_echo_lasts_until_the_window_was_reduced_after_the_last_mark() {
    let mut ecn = EcnEcho::default();
    assert!(!ecn.on_segment(true, false) && !ecn.echoes(), "not agreed");
    ecn.enable();
    assert!(ecn.on_segment(true, false));
    ecn.on_segment(false, false);
    assert!(ecn.echoes());
    ecn.on_segment(true, true);
    assert!(ecn.echoes(), "marked again");
    ecn.on_segment(false, true);
    assert!(!ecn.echoes());
}
