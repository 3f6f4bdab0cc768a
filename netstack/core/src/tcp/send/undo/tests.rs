use super::*;

fn at(millis: u64) -> Option<Instant> {
    Some(Instant::from_millis(millis))
}

fn repeated() -> Undo {
    let mut undo = Undo::default();
    undo.begin(Seq(1_000));
    undo.on_resend(Instant::from_millis(50), Seq(100), Seq(200));
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
    undo.on_resend(Instant::from_millis(51), Seq(200), Seq(300));
    assert!(!undo.on_duplicate_report(Seq(100), Seq(200)));
    assert!(
        !undo.on_duplicate_report(Seq(100), Seq(200)),
        "the same again"
    );
    assert!(
        !undo.on_duplicate_report(Seq(300), Seq(500)),
        "sent once, and doubled by the network"
    );
    assert!(undo.on_duplicate_report(Seq(200), Seq(300)));
    undo.forget();
    assert!(!undo.on_duplicate_report(Seq(200), Seq(300)));
}

#[test]
fn repetitions_are_reported_in_any_pieces() {
    let mut undo = repeated();
    undo.on_resend(Instant::from_millis(51), Seq(400), Seq(600));
    assert!(!undo.on_duplicate_report(Seq(450), Seq(550)));
    assert!(!undo.on_duplicate_report(Seq(50), Seq(450)));
    assert!(undo.on_duplicate_report(Seq(550), Seq(700)));
}

#[test]
fn more_repetitions_than_are_remembered_are_never_all_reported() {
    let mut undo = Undo::default();
    undo.begin(Seq(100_000));
    let places = || (0..=RANGES as u32).map(|at| Seq(at * 1_000));
    for place in places() {
        undo.on_resend(Instant::from_millis(50), place, place + 100);
    }
    assert!(!places().any(|place| undo.on_duplicate_report(place, place + 100)));
}
