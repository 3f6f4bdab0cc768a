use super::*;

fn receiver() -> Receiver {
    Receiver::new(Seq(7), 60_000, 0, 60_000)
}

#[test]
fn what_is_read_and_put_back_is_not_urgent_unless_it_was() {
    let mut rcv = receiver();
    rcv.nxt += 100;
    rcv.carry_urgent();
    rcv.queued = 40;
    assert_eq!(rcv.urgent(), None);
    assert!(rcv.hear_urgent(rcv.nxt));
    assert_eq!(rcv.urgent(), Some(40));
    rcv.queued = 0;
    rcv.carry_urgent();
    assert_eq!(rcv.urgent(), None);
    rcv.queued = 10;
    assert_eq!(rcv.urgent(), Some(10));
}

#[test]
fn an_old_mark_is_no_new_one_all_the_way_round() {
    let mut rcv = receiver();
    assert!(rcv.hear_urgent(rcv.nxt + 1));
    for _ in 0..64 {
        rcv.nxt += 1 << 28;
        rcv.carry_urgent();
        assert_eq!(rcv.urgent(), None);
        let old = rcv.nxt - 1;
        assert!(!rcv.hear_urgent(old));
    }
    assert!(rcv.hear_urgent(rcv.nxt + 1));
}

#[test]
fn a_fin_is_no_data() {
    let mut rcv = receiver();
    rcv.nxt += 5;
    rcv.queued = 5;
    assert!(rcv.hear_urgent(rcv.nxt));
    rcv.fin = Some(rcv.nxt);
    rcv.take_fin();
    assert_eq!(rcv.urgent(), Some(5));
}
