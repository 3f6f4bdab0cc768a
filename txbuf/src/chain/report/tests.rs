//! What the report says of a mixed stream.

use crate::Kind;
use crate::test_support::{owned, pool, stream};

#[test]
fn tells_who_pins_what() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 100);
    chain.append_span(owned(&ledger, &[1; 500]));
    let held = chain.span(70, 10);
    let clones = [held.clone(), held.clone()];
    let report = chain.debug();
    let rows = report.entries.iter();
    let rows: Vec<_> = rows
        .map(|row| (row.start, row.len, row.kind, row.own, row.pins))
        .collect();
    let expected = [
        (0, 64, Kind::Buffered, true, 1),
        // Its entry, the tail, the link before it, and three spans.
        (64, 36, Kind::Buffered, true, 6),
        (100, 500, Kind::Owned, false, 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(report.entries[0].run, report.entries[1].run);
    assert_eq!((report.footprint, report.entries[0].footprint), (128, 128));
    let text = report.to_string();
    assert!(text.starts_with("bytes 0..600, 128 bytes of storage, 500 of others, 0 messages\n"));
    assert_eq!(text.lines().count(), 4);
    assert!(
        text.contains("buffered own     run 1 pins 6 keeps 64"),
        "{text}"
    );
    drop(clones);
}
