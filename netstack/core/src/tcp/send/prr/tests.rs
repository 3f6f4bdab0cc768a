use super::*;

const MSS: usize = 1;

/// The example of RFC 6937, 3.1: a window of 20 segments, halved; `lost` of them are. Returns what leaves with each
/// acknowledgement.
fn recover(lost: usize) -> Vec<usize> {
    let mut prr = Prr::new(20, 0);
    let mut pipe = 20_usize;
    let mut sent = Vec::new();
    pipe -= lost + 2;
    let mut delivered = 3;
    for _ in 0..20 - lost - 2 {
        pipe -= usize::from(!sent.is_empty());
        prr.on_ack(delivered, pipe, 10, MSS, false);
        delivered = 1;
        let out = prr.limit().saturating_sub(pipe);
        prr.on_send(out);
        pipe += out;
        sent.push(out);
    }
    sent
}

// req: RFC6937-02, RFC9937-06
#[test]
fn after_one_loss_every_second_acknowledgement_lets_a_segment_out() {
    let sent = recover(1);
    assert!(sent[0] >= 1, "the repetition leaves at once: {sent:?}");
    assert!(sent.iter().all(|out| *out <= 2), "{sent:?}");
    let total: usize = sent.iter().sum();
    assert!((8..=11).contains(&total), "half the window: {sent:?}");
}

// req: RFC6937-03, RFC9937-05
#[test]
fn after_many_losses_no_more_leaves_than_arrives() {
    let sent = recover(15);
    assert_eq!(sent[1..], [1, 1], "{sent:?}");
}

#[test]
fn a_safe_acknowledgement_adds_a_segment_up_to_the_threshold() {
    let mut prr = Prr::new(20, 0);
    prr.on_ack(3, 4, 10, MSS, true);
    assert_eq!(prr.limit(), 8);
    prr.on_ack(100, 9, 10, MSS, true);
    assert_eq!(prr.limit(), 10, "not beyond the threshold");
}

#[test]
fn extreme_numbers_are_harmless() {
    let mut prr = Prr::new(0, 0);
    prr.on_ack(usize::MAX / 2, usize::MAX / 4, usize::MAX / 8, 1_460, true);
    prr.on_send(usize::MAX / 4);
    prr.on_ack(0, 0, 0, 1_460, true);
}

#[test]
fn what_earlier_acknowledgements_made_room_for_leaves_with_the_first() {
    let limit = |unused| {
        let mut prr = Prr::new(20 - unused, unused);
        prr.on_ack(1, 15, 10, MSS, false);
        prr.limit() - 15
    };
    assert_eq!((limit(0), limit(3)), (1, 2));
}
