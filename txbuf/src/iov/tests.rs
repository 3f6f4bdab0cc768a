//! Where the cursor stands after each operation.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};

use super::*;
use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{Kind, Ledger};

#[test]
fn a_source_of_vectors_moves_by_what_is_taken() {
    let vectors = [&b"ab"[..], b"", b"cdef", b"g"].map(IoSlice::new);
    let mut iter = IovIter::source(&vectors);
    let mut room = [0; 3];
    assert_eq!(
        (iter.remaining(), iter.is_source(), iter.plain()),
        (7, true, 7)
    );
    assert_eq!((iter.copy_from(&mut room), &room), (3, b"abc"));
    iter.revert(2).unwrap();
    assert_eq!((iter.copy_from(&mut room), &room), (3, b"bcd"));
    iter.advance(1).unwrap();
    assert_eq!((iter.remaining(), iter.done()), (2, 5));
    assert_eq!(iter.advance(3), Err(OutOfRange));
    assert_eq!(iter.revert(6), Err(OutOfRange));
    assert_eq!((iter.copy_from(&mut room), &room[..2]), (2, &b"fg"[..]));
    assert_eq!(iter.copy_from(&mut room), 0);
    iter.revert(7).unwrap();
    iter.truncate(4);
    assert_eq!(iter.remaining(), 4);
    iter.truncate(9);
    let mut all = [0; 10];
    assert_eq!((iter.copy_from(&mut all), &all[..4]), (4, &b"abcd"[..]));
    // Nothing can be put there.
    assert_eq!((iter.copy_to(b"x"), iter.take_span(9).is_none()), (0, true));
    assert_eq!(iter.put_span(Span::empty()), Ok(0));
}

#[test]
fn a_sink_of_vectors_moves_by_what_is_put() {
    let ledger = Ledger::new();
    let (mut a, mut b, mut c) = ([0; 2], [0; 0], [0; 4]);
    {
        let mut vectors = [&mut a[..], &mut b, &mut c].map(IoSliceMut::new);
        let mut iter = IovIter::sink(&mut vectors);
        assert_eq!((iter.copy_to(b"xyz"), iter.remaining()), (3, 3));
        iter.revert(2).unwrap();
        assert_eq!(iter.put_span(owned(&ledger, b"YZ")), Ok(2));
        iter.advance(1).unwrap();
        assert_eq!(
            iter.put_span(owned(&ledger, b"longer than the room")),
            Ok(2)
        );
        assert_eq!((iter.remaining(), iter.copy_to(b"x")), (0, 0));
        assert_eq!(iter.copy_from(&mut [0; 4]), 0);
    }
    assert_eq!((&a, &c), (b"xY", b"Z\0lo"));
    assert_eq!(ledger.live_nodes(), 0);
}

/// The shape of `Read::read_vectored`, where the two lifetimes differ.
#[test]
fn a_sink_takes_vectors_of_a_longer_life() {
    fn fill(vectors: &mut [IoSliceMut<'_>]) -> usize {
        IovIter::sink(vectors).copy_to(b"abc")
    }
    let mut room = [0; 5];
    let mut vectors = [IoSliceMut::new(&mut room)];
    assert_eq!(fill(&mut vectors), 3);
    assert_eq!(&vectors[0][..3], b"abc");
}

#[test]
fn single_buffers() {
    let mut iter = IovIter::bytes(b"abcdef");
    let mut room = [0; 4];
    iter.advance(1).unwrap();
    assert_eq!((iter.copy_from(&mut room), &room), (4, b"bcde"));
    iter.revert(4).unwrap();
    assert_eq!((iter.copy_from(&mut room), iter.remaining()), (4, 1));
    let ledger = Ledger::new();
    let mut out = [0; 5];
    let mut iter = IovIter::buffer(&mut out);
    assert_eq!(iter.copy_to(b"ab"), 2);
    assert_eq!(iter.put_span(owned(&ledger, b"cdef")), Ok(3));
    assert_eq!((iter.remaining(), iter.done()), (0, 5));
    assert_eq!(&out, b"abcde");
}

#[test]
fn spans_are_moved_out_without_a_copy() {
    let ledger = Ledger::new();
    let mut queue: VecDeque<_> = [
        owned(&ledger, b"abcd"),
        Span::empty(),
        owned(&ledger, b"efgh"),
    ]
    .into();
    let mut iter = IovIter::spans(&mut queue);
    assert_eq!((iter.remaining(), iter.plain()), (8, 0));
    let front = iter.take_span(3).unwrap();
    assert_eq!(vec(&front), b"abc");
    assert_eq!(iter.revert(1), Err(OutOfRange));
    assert!(iter.put_back(front).is_ok());
    assert_eq!((iter.remaining(), iter.done()), (8, 0));
    assert!(iter.put_back(owned(&ledger, b"x")).is_err());
    assert_eq!(
        iter.take_span(9).map(|span| vec(&span)),
        Some(b"abc".to_vec())
    );
    assert_eq!(
        iter.take_span(9).map(|span| vec(&span)),
        Some(b"d".to_vec())
    );
    iter.advance(1).unwrap();
    iter.truncate(2);
    assert!(iter.take_span(0).is_none());
    assert_eq!(
        iter.take_span(9).map(|span| vec(&span)),
        Some(b"fg".to_vec())
    );
    assert!(iter.take_span(9).is_none());
    assert_eq!(queue.iter().map(vec).collect::<Vec<_>>(), [b"h"]);
    let mut room = [0; 9];
    assert_eq!(IovIter::spans(&mut queue).copy_from(&mut room), 1);
    assert!(queue.is_empty());
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn collects_spans_and_merges_them() {
    let (ledger, pool) = pool(4096);
    let chain = stream(&pool, 1000);
    let mut queue = VecDeque::new();
    let mut iter = IovIter::collect(&mut queue, 100);
    assert_eq!(iter.put_span(chain.span(0, 30)), Ok(30));
    assert_eq!(iter.put_span(chain.span(30, 30)), Ok(30));
    assert_eq!(iter.copy_to(b"bytes"), 0);
    assert_eq!(iter.advance(1), Err(OutOfRange));
    assert_eq!(iter.put_span(owned(&ledger, &[1; 30])), Ok(30));
    assert_eq!(iter.put_span(chain.span(0, 500)), Ok(10));
    assert_eq!(iter.put_span(chain.span(0, 500)), Ok(0));
    iter.revert(25).unwrap();
    assert_eq!((iter.remaining(), iter.done()), (25, 75));
    assert_eq!(queue.iter().map(Span::len).collect::<Vec<_>>(), [60, 15]);
    assert_eq!(queue[0].kind(), Kind::Buffered);
    assert_eq!(vec(&queue[0]), pattern(60));
}

#[test]
fn discards_what_it_is_given() {
    let ledger = Ledger::new();
    let mut iter = IovIter::discard(10);
    assert_eq!(iter.copy_to(&[0; 4]), 4);
    assert_eq!(iter.put_span(owned(&ledger, &[0; 20])), Ok(6));
    assert_eq!((iter.remaining(), ledger.live_nodes()), (0, 0));
    iter.revert(3).unwrap();
    iter.advance(2).unwrap();
    assert_eq!(iter.remaining(), 1);
}
