use super::*;

const RECOVER: Seq = Seq(1_000);

fn started() -> Frto {
    let mut frto = Frto::default();
    frto.start(RECOVER, Seq(100));
    frto
}

fn heard(una: u32, sack: bool) -> Heard {
    Heard {
        una: Seq(una),
        advanced: true,
        duplicate: false,
        original: true,
        highest: Seq(una),
        sack,
    }
}

fn duplicate(highest: u32, original: bool, sack: bool) -> Heard {
    Heard {
        advanced: false,
        duplicate: true,
        original,
        highest: Seq(highest),
        ..heard(200, sack)
    }
}

// req: RFC5682-02, RFC5682-05, RFC5682-09
#[test]
fn an_advance_over_what_was_sent_once_says_that_nothing_was_lost() {
    for sack in [false, true] {
        let mut frto = started();
        assert_eq!(frto.on_ack(&heard(200, sack), RECOVER), Judgement::Ask);
        frto.grant(200);
        assert_eq!(frto.allowance(), Some(200));
        frto.on_send(150);
        assert_eq!(frto.allowance(), Some(50));
        let judgement = frto.on_ack(&heard(300, sack), Seq(1_150));
        assert_eq!(judgement, Judgement::Spurious);
        assert_eq!(frto.allowance(), None);
    }
}

// req: RFC5682-04
#[test]
fn a_duplicate_after_new_data_says_that_the_timeout_was_right() {
    let mut frto = started();
    frto.on_ack(&heard(200, false), RECOVER);
    let judgement = frto.on_ack(&duplicate(200, false, false), RECOVER);
    assert_eq!(judgement, Judgement::Lost);
    let mut frto = started();
    frto.on_ack(&heard(200, true), RECOVER);
    // Only the new data arrived.
    let judgement = frto.on_ack(&duplicate(1_100, true, true), Seq(1_200));
    assert_eq!(judgement, Judgement::Lost);
}

// req: RFC5682-03
#[test]
fn other_first_answers_end_it() {
    for first in [
        heard(1_000, false),
        heard(50, false),
        duplicate(0, false, false),
    ] {
        let mut frto = started();
        assert_eq!(frto.on_ack(&first, RECOVER), Judgement::Open);
        assert_eq!(frto.on_ack(&heard(300, false), RECOVER), Judgement::Open);
    }
    // With selective acknowledgements a duplicate only adjusts the scoreboard.
    let mut frto = started();
    frto.on_ack(&duplicate(500, true, true), RECOVER);
    assert_eq!(frto.on_ack(&heard(300, true), RECOVER), Judgement::Ask);
}
