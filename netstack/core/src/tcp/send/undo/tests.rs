use super::*;

fn at(millis: u64) -> Option<Instant> {
    Some(Instant::from_millis(millis))
}

fn repeated() -> Undo {
    let mut undo = Undo::default();
    undo.begin(Seq(100), Seq(1_000));
    undo.on_resend(Instant::from_millis(50), 100);
    undo
}

// req: RFC4015-01
#[test]
fn an_echo_from_before_the_repetition_says_that_it_was_not_needed() {
    assert!(repeated().on_advance(at(49)));
    assert!(!repeated().on_advance(at(50)));
    assert!(!repeated().on_advance(None));
    let mut undo = repeated();
    undo.on_advance(at(50));
    assert!(!undo.on_advance(at(49)), "only the first answer tells");
}

#[test]
fn every_repetition_must_be_reported() {
    let mut undo = repeated();
    undo.on_resend(Instant::from_millis(51), 100);
    assert!(!undo.on_duplicate_report(Seq(100), Seq(200)));
    assert!(
        !undo.on_duplicate_report(Seq(0), Seq(50)),
        "of another time"
    );
    assert!(undo.on_duplicate_report(Seq(200), Seq(300)));
    undo.forget();
    assert!(!undo.on_duplicate_report(Seq(200), Seq(300)));
}
