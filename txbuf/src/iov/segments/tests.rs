//! Pieces, their number, and that going over them allocates nothing.

use std::io::{IoSlice, IoSliceMut};

use bytes::Bytes;

use super::*;
use crate::sync::counted;
use crate::test_support::allocations::allocated;
use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{Ledger, OutOfRange, Region};

/// Takes everything, noting the lengths.
fn lengths(iter: &mut IovIter<'_>, max: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    iter.for_each_segment(max, |piece| {
        lengths.push(piece.len());
        piece.len()
    });
    lengths
}

#[test]
fn shows_a_source_piece_by_piece() {
    let (ledger, pool) = pool(64);
    let vectors = [&b""[..], b"ab", b"", b"cdef", b"g", b""].map(IoSlice::new);
    let mut iter = IovIter::source(&vectors);
    assert_eq!(
        (iter.extents(usize::MAX), iter.extents(2), iter.extents(3)),
        (3, 1, 2)
    );
    assert_eq!(lengths(&mut iter, 5), [2, 3]);
    assert_eq!((iter.extents(9), iter.remaining()), (2, 2));
    assert_eq!(lengths(&mut iter, usize::MAX), [1, 1]);
    assert_eq!((iter.extents(9), iter.for_each_segment(9, |_| 1)), (0, 0));
    iter.revert(6).unwrap();
    // A short take ends it, and moves by what was taken.
    assert_eq!(iter.for_each_segment(9, |piece| piece.len().min(2)), 3);
    assert_eq!(iter.remaining(), 3);

    let mut bytes = IovIter::bytes(b"abcdef");
    assert_eq!((bytes.extents(1), lengths(&mut bytes, 4)), (1, vec![4]));

    let chain = stream(&pool, 200);
    let mut queue: VecDeque<_> = [Span::empty(), chain.span(60, 10), owned(&ledger, b"xyz")].into();
    let mut spans = IovIter::spans(&mut queue);
    assert_eq!(
        (spans.extents(99), spans.extents(4), spans.extents(5)),
        (3, 1, 2)
    );
    assert_eq!(lengths(&mut spans, 99), [4, 6, 3]);
    let mut whole = IovIter::span(chain.span(10, 150));
    assert_eq!(
        (whole.extents(999), lengths(&mut whole, 100)),
        (3, vec![54, 46])
    );
    assert_eq!(
        (whole.extents(999), lengths(&mut whole, 100)),
        (2, vec![18, 32])
    );
    assert_eq!(IovIter::discard(9).for_each_segment(9, <[u8]>::len), 0);
    assert_eq!(IovIter::discard(9).extents(9), 0);
}

#[test]
fn shows_a_sink_piece_by_piece() {
    let (mut a, mut b, mut c) = ([0; 2], [0; 0], [0; 4]);
    let mut vectors = [&mut a[..], &mut b, &mut c].map(IoSliceMut::new);
    let mut iter = IovIter::sink(&mut vectors);
    assert_eq!((iter.extents(9), iter.extents(2)), (2, 1));
    let mut next = 1;
    let mut fill = |room: &mut [u8]| {
        let n = room.len().min(3);
        room[..n].fill(next);
        next += 1;
        n
    };
    assert_eq!(iter.for_each_room(usize::MAX, &mut fill), 5);
    assert_eq!(iter.for_each_room(usize::MAX, &mut fill), 1);
    assert_eq!(iter.for_each_segment(9, <[u8]>::len), 0);
    assert_eq!((a, c), ([1, 1], [2, 2, 2, 3]));
    let mut buffer = [0; 4];
    let mut iter = IovIter::buffer(&mut buffer);
    assert_eq!((iter.extents(9), iter.for_each_room(3, &mut fill)), (1, 3));
    assert_eq!(IovIter::bytes(b"abc").for_each_room(9, &mut fill), 0);
}

#[test]
fn one_span_can_be_taken_in_parts_and_reverted() {
    let ledger = Ledger::new();
    let bytes = Span::from_bytes(&ledger, Bytes::from(pattern(100))).unwrap();
    let mut iter = IovIter::span(bytes);
    assert!(iter.plain() == 0 && iter.is_source());
    let part = iter.take_span(30).unwrap();
    assert_eq!(vec(&part), &pattern(100)[..30]);
    let mut room = [0; 40];
    assert_eq!(iter.copy_from(&mut room), 40);
    assert_eq!(room, pattern(100)[30..70]);
    iter.revert(50).unwrap();
    assert_eq!(vec(&iter.take_span(5).unwrap()), &pattern(100)[20..25]);
    let end = iter.take_span(usize::MAX).unwrap();
    assert_eq!((end.len(), iter.take_span(1).is_none()), (75, true));
    assert!(iter.put_back(end).is_ok());
    assert_eq!(iter.remaining(), 75);
    assert!(iter.put_back(owned(&ledger, &[0; 26])).is_err());
    iter.advance(75).unwrap();
    assert_eq!((iter.advance(1), iter.copy_to(b"x")), (Err(OutOfRange), 0));
    drop((iter, part));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn lent_memory_is_copied_or_taken_and_not_shown() {
    let ledger = Ledger::new();
    let region = Region::new(&ledger, pattern(100));
    let mut iter = IovIter::span(region.lend_all(&[0..10, 50..70], None).unwrap());
    assert_eq!(
        (iter.extents(99), iter.for_each_segment(99, <[u8]>::len)),
        (2, 0)
    );
    let mut room = [0; 15];
    assert_eq!(iter.copy_from(&mut room), 15);
    assert_eq!(room, *[&pattern(100)[..10], &pattern(100)[50..55]].concat());
    let rest = iter.take_span(99).unwrap();
    assert!(rest.is_lent());
    assert_eq!(vec(&rest), &pattern(100)[55..70]);
}

#[test]
fn extracts_runs_with_their_pins() {
    let (ledger, pool) = pool(4096);
    let chain = stream(&pool, 1000);
    let mut queue: VecDeque<_> = (0..10).map(|i| chain.span(i * 50, 50)).collect();
    queue.extend((0..20).map(|i| owned(&ledger, &[i; 10])));
    let mut iter = IovIter::spans(&mut queue);
    let mut into = VecDeque::with_capacity(GATHER_MAX);
    let (atomics, taken) = counted(|| iter.extract(usize::MAX, &mut into));
    // Nine merged spans gave up their pins.
    assert_eq!((atomics, taken, into.len()), (9, 500 + 150, 16));
    assert_eq!(vec(&into[0]), &pattern(1000)[..500]);
    assert_eq!(iter.extract(15, &mut into), 15);
    assert_eq!((iter.remaining(), into.len()), (35, 18));
    let mut whole = IovIter::span(chain.span(0, 100));
    assert_eq!(
        (whole.extract(40, &mut into), whole.extract(99, &mut into)),
        (40, 60)
    );
}

#[test]
fn nothing_allocates_up_to_sixteen_segments() {
    let (ledger, pool) = pool(4096);
    let chain = stream(&pool, 4096 * 16);
    let data = pattern(16 * 100);
    let vectors: Vec<_> = data.chunks(100).map(IoSlice::new).collect();
    let mut rooms = vec![[0; 100]; 16];
    let mut sinks: Vec<_> = rooms.iter_mut().map(|room| IoSliceMut::new(room)).collect();
    let mut queue: VecDeque<_> = (0..16).map(|i| owned(&ledger, &[i; 100])).collect();
    let mut into = VecDeque::with_capacity(16);
    let span = chain.span(0, 4096 * 16);
    assert_eq!(span.extents().count(), 16);
    let mut room = vec![0; 700];
    let work = || {
        let mut source = IovIter::source(&vectors);
        source.copy_from(&mut room);
        source.revert(300).unwrap();
        source.advance(50).unwrap();
        assert_eq!(source.extents(usize::MAX), 12);
        source.for_each_segment(usize::MAX, <[u8]>::len);
        let mut sink = IovIter::sink(&mut sinks);
        sink.copy_to(&data[..333]);
        sink.put_span(span.slice(..500).unwrap()).unwrap();
        sink.for_each_room(usize::MAX, |room| room.len());
        let mut whole = IovIter::span(span.clone());
        whole.for_each_segment(usize::MAX, <[u8]>::len);
        whole.revert(10_000).unwrap();
        whole.extract(9000, &mut into);
        let mut spans = IovIter::spans(&mut queue);
        spans.copy_from(&mut room[..150]);
        spans.truncate(1200);
        spans.extract(usize::MAX, &mut into)
    };
    assert_eq!(allocated(work), (0, 1200));
}
