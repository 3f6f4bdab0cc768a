use super::*;

const MSS: usize = 1000;

fn in_recovery() -> Recovery {
    let mut recovery = Recovery::new(Seq(0));
    for _ in 0..2 {
        assert_eq!(
            recovery.on_duplicate(Seq(1), Seq(10_001), MSS),
            Verdict::Nothing
        );
    }
    assert_eq!(
        recovery.on_duplicate(Seq(1), Seq(10_001), MSS),
        Verdict::Lost
    );
    recovery
}

#[test]
fn the_third_duplicate_means_a_loss() {
    let recovery = in_recovery();
    assert!(recovery.is_fast());
    assert_eq!(recovery.allowance(5 * MSS, MSS), 8 * MSS);
}

#[test]
fn the_first_two_let_one_segment_out_each() {
    let mut recovery = Recovery::new(Seq(0));
    recovery.on_duplicate(Seq(1), Seq(9), MSS);
    assert_eq!(recovery.allowance(5 * MSS, MSS), 6 * MSS);
    recovery.on_duplicate(Seq(1), Seq(9), MSS);
    assert_eq!(recovery.allowance(5 * MSS, MSS), 7 * MSS);
}

#[test]
fn partial_acknowledgements_ask_for_the_next_hole_and_a_full_one_ends() {
    let mut recovery = in_recovery();
    assert_eq!(
        recovery.on_advance(Seq(4_001), 4_000, MSS),
        Verdict::StillMissing
    );
    assert_eq!(recovery.allowance(5 * MSS, MSS), 5 * MSS);
    assert_eq!(
        recovery.on_advance(Seq(10_001), 6_000, MSS),
        Verdict::Recovered
    );
    assert!(!recovery.is_fast());
}

#[test]
fn duplicates_after_a_timeout_do_not_start_recovery_again() {
    let mut recovery = Recovery::new(Seq(0));
    recovery.on_timeout(Seq(10_001));
    for _ in 0..5 {
        assert_eq!(
            recovery.on_duplicate(Seq(5_001), Seq(10_001), MSS),
            Verdict::Nothing
        );
    }
}
