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

/// One that has received these bytes, in two pieces.
fn with(bytes: &[u8]) -> Receiver {
    let mut rcv = receiver();
    let ledger = txbuf::Ledger::default();
    let (one, other) = bytes.split_at(bytes.len() / 2);
    for piece in [one, other] {
        let span = txbuf::Span::from_owner(&ledger, piece.to_vec()).expect("a span");
        rcv.nxt += span.len();
        rcv.enqueue(span);
    }
    rcv
}

#[test]
fn the_last_urgent_byte_is_had_once_wherever_it_lies() {
    for at in 1..=6 {
        let mut rcv = with(b"abcdef");
        assert_eq!(rcv.urgent_byte(), Ok(UrgentByte::None));
        assert!(rcv.hear_urgent(rcv.read_to() + at));
        let byte = b"abcdef"[at - 1];
        assert_eq!(rcv.urgent_byte(), Ok(UrgentByte::Here(byte)));
        assert!(rcv.has_urgent_byte());
        rcv.take_urgent();
        assert_eq!(rcv.urgent_byte(), Ok(UrgentByte::None));
        assert_eq!(rcv.urgent(), Some(at), "the mark stays");
        assert!(rcv.hear_urgent(rcv.nxt + 1), "there is a later one");
        assert_eq!(rcv.urgent_byte(), Ok(UrgentByte::Awaited));
        assert!(!rcv.has_urgent_byte());
    }
}

#[test]
fn a_byte_that_is_left_out_is_gone() {
    let mut rcv = with(b"abc");
    for left in [2, 1, 0, 0] {
        rcv.leave_out();
        assert_eq!((rcv.queued(), rcv.nxt.since(rcv.read_to())), (left, left));
    }
}
