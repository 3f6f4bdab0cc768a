use super::*;

fn segment(flags: Flags) -> Segment {
    Segment {
        len: 5,
        ..bare(1, 2, Seq(100), Seq(900), flags)
    }
}

#[test]
fn an_acknowledgement_names_the_sequence_number() {
    let reset = answer(&segment(Flags::ACK)).expect("a reset");
    assert_eq!(
        (reset.seq, reset.flags, reset.src_port),
        (Seq(900), Flags::RST, 2)
    );
}

#[test]
fn without_one_the_reset_acknowledges_the_segment() {
    let reset = answer(&segment(Flags::SYN | Flags::FIN)).expect("a reset");
    assert_eq!(
        (reset.seq, reset.ack, reset.flags),
        (Seq(0), Seq(107), Flags::RST | Flags::ACK)
    );
}

#[test]
fn a_reset_is_never_answered() {
    assert_eq!(answer(&segment(Flags::RST)), None);
}
