use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use txbuf::Ledger;

fn span(ledger: &Ledger, seq: u32, len: usize) -> Span {
    let bytes: Vec<u8> = (0..len).map(|i| (seq as usize + i) as u8).collect();
    Span::from_bytes(ledger, Bytes::from(bytes)).expect("short")
}

fn edges(assembler: &Assembler) -> Vec<(u32, u32)> {
    assembler
        .0
        .iter()
        .flat_map(|waiting| &waiting.blocks)
        .map(|b| (b.left.0, b.right.0))
        .collect()
}

#[test]
fn the_newest_block_is_reported_first() {
    let ledger = Ledger::new();
    let mut assembler = Assembler::default();
    for seq in [100, 300, 200] {
        assembler
            .insert(Seq(seq), span(&ledger, seq, 10))
            .expect("room");
    }
    let left: Vec<u32> = assembler.sack_blocks(4).iter().map(|b| b.left.0).collect();
    assert_eq!(left, [200, 300, 100]);
    assert_eq!(assembler.sack_blocks(2).len(), 2);
}

#[test]
fn filling_a_hole_joins_its_neighbours() {
    let ledger = Ledger::new();
    let mut assembler = Assembler::default();
    assembler
        .insert(Seq(10), span(&ledger, 10, 10))
        .expect("room");
    assembler
        .insert(Seq(30), span(&ledger, 30, 10))
        .expect("room");
    assembler
        .insert(Seq(15), span(&ledger, 15, 20))
        .expect("room");
    assert_eq!(edges(&assembler), [(10, 40)]);
    assert_eq!(assembler.bytes(), 30);
}

#[test]
fn a_block_cap_refuses_the_segment_and_keeps_the_rest() {
    let ledger = Ledger::new();
    let mut assembler = Assembler::default();
    for i in 0..MAX_BLOCKS as u32 {
        assembler
            .insert(Seq(i * 10), span(&ledger, i * 10, 1))
            .expect("room");
    }
    assert_eq!(
        assembler.insert(Seq(1_000_000), span(&ledger, 0, 1)),
        Err(Full)
    );
    assert!(
        assembler.insert(Seq(1), span(&ledger, 1, 1)).is_ok(),
        "joining a block needs no new one"
    );
}

proptest! {
    /// Whatever the order and overlap of segments, the bytes come out as a plain array holds them.
    #[test]
    fn agrees_with_an_array(
        base in prop_oneof![Just(0u32), Just(u32::MAX - 100)],
        pieces in proptest::collection::vec((0usize..200, 1usize..60), 1..40),
    ) {
        let ledger = Ledger::new();
        let mut assembler = Assembler::default();
        let mut have = [false; 300];
        for (at, len) in pieces {
            let bytes: Vec<u8> = (at..at + len).map(|i| i as u8).collect();
            let span = Span::from_bytes(&ledger, Bytes::from(bytes)).expect("short");
            assembler.insert(Seq(base) + at, span).expect("room");
            have[at..at + len].fill(true);
        }
        prop_assert_eq!(assembler.bytes(), have.iter().filter(|b| **b).count());
        let mut at = 0;
        while at < have.len() {
            if !have[at] {
                at += 1;
                continue;
            }
            let (spans, end) = assembler.take(Seq(base) + at).expect("a block starts here");
            let mut out = Vec::new();
            for span in spans {
                out.extend(span.to_vec().expect("readable"));
            }
            let run = have[at..].iter().take_while(|b| **b).count();
            let expected: Vec<u8> = (at..at + run).map(|i| i as u8).collect();
            prop_assert_eq!(out, expected);
            prop_assert_eq!(end, Seq(base) + at + run);
            at += run;
        }
        prop_assert!(assembler.is_empty());
        prop_assert_eq!(ledger.live_nodes(), 0);
    }
}
