//! A compound source shows its bytes in order, whichever way they are taken.

use std::collections::VecDeque;

use super::*;
use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{IovIter, Ledger};

fn compound(ledger: &Ledger, body: &Span) -> Vec<Part<'static>> {
    vec![
        Part::Bytes(b""),
        Part::Bytes(b"head"),
        Part::Bytes(b"er"),
        Part::Span(Span::empty()),
        Part::Span(body.clone()),
        Part::Span(owned(ledger, b"own")),
        Part::Bytes(b"trailer"),
        Part::Bytes(b""),
    ]
}

fn whole(body: &Span) -> Vec<u8> {
    [&b"header"[..], &vec(body), b"own", b"trailer"].concat()
}

#[test]
fn bytes_are_copied_and_spans_are_taken() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 300);
    let body = chain.span(0, 300);
    let parts = compound(&ledger, &body);
    let mut from = IovIter::parts(&parts);
    assert!(from.is_source() && !from.is_collecting());
    assert_eq!((from.remaining(), from.plain()), (316, 6));
    assert_eq!(from.extents(usize::MAX), 2 + 5 + 1 + 1);
    assert!(from.take_span(10).is_none());
    let mut header = [0; 4];
    assert_eq!(from.copy_from(&mut header), 4);
    assert_eq!((&header, from.plain()), (b"head", 2));
    from.advance(2).unwrap();
    assert_eq!(from.plain(), 0);
    let first = from.take_span(100).unwrap();
    assert_eq!(vec(&first), &pattern(300)[..100]);
    from.put_back(first).unwrap();
    let mut rest = VecDeque::new();
    assert_eq!(from.extract(usize::MAX, &mut rest), 303);
    assert_eq!(rest.iter().flat_map(vec).collect::<Vec<_>>(), {
        [&pattern(300)[..], b"own"].concat()
    });
    assert_eq!((from.plain(), from.remaining(), from.done()), (7, 7, 309));
    from.truncate(3);
    assert_eq!(from.plain(), 3);
    assert!(from.take_span(10).is_none());
}

#[test]
fn any_cut_any_way_gives_the_same_bytes() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 300);
    let body = chain.span(0, 300);
    let parts = compound(&ledger, &body);
    let expected = whole(&body);
    for step in [1, 2, 3, 7, 64, 100, 1000] {
        let mut from = IovIter::parts(&parts);
        let (mut bytes, mut room) = (Vec::new(), vec![0; step]);
        while from.remaining() > 0 {
            let n = from.copy_from(&mut room);
            bytes.extend_from_slice(&room[..n]);
            // Once more, as if it had not been taken.
            from.revert(n).unwrap();
            assert_eq!(from.copy_from(&mut room), n);
        }
        assert_eq!(bytes, expected);
        from.revert(expected.len()).unwrap();
        let mut shown = Vec::new();
        let mut show = |piece: &[u8]| {
            let n = piece.len().min(step);
            shown.extend_from_slice(&piece[..n]);
            n
        };
        while from.for_each_segment(usize::MAX, &mut show) > 0 {}
        assert_eq!(shown, expected);
    }
    drop((parts, body, chain));
    assert_eq!(ledger.live_nodes(), 0);
}
