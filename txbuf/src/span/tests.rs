//! What each operation costs in references, and that the bytes stay right.

use super::*;
use crate::node::counting::adds;
use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{Chain, GATHER_MAX};

/// Spans of one and of several extents, on a run and on a gather.
fn shapes(ledger: &Ledger, chain: &Chain) -> Vec<Span> {
    let pieces: Vec<_> = (0..GATHER_MAX)
        .map(|i| owned(ledger, &[i as u8; 50]))
        .collect();
    vec![
        chain.span(0, 60),
        chain.span(10, 900),
        owned(ledger, &pattern(500)),
        Span::gather(ledger, pieces).unwrap(),
    ]
}

#[test]
fn a_clone_is_one_increment_whatever_it_covers() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 1000);
    for span in shapes(&ledger, &chain) {
        let nodes = ledger.live_nodes();
        let (count, clone) = adds(|| span.clone());
        assert_eq!((count, ledger.live_nodes()), (1, nodes));
        assert_eq!(vec(&clone), vec(&span));
    }
}

#[test]
fn cuts_take_at_most_one_increment_and_are_exact() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 1000);
    for span in shapes(&ledger, &chain) {
        let bytes = vec(&span);
        for n in 0..=span.len() {
            let mut back = span.clone();
            let (count, front) = adds(|| back.split_to(n).unwrap());
            assert!(count <= 1, "split_to took {count}");
            assert_eq!(
                (vec(&front), vec(&back)),
                (bytes[..n].to_vec(), bytes[n..].to_vec())
            );

            let mut front = span.clone();
            let (count, back) = adds(|| front.split_off(n).unwrap());
            assert!(count <= 1, "split_off took {count}");
            assert_eq!(
                (vec(&front), vec(&back)),
                (bytes[..n].to_vec(), bytes[n..].to_vec())
            );

            let mut rest = span.clone();
            assert!(adds(|| rest.advance(n).unwrap()).0 <= 1);
            assert_eq!(vec(&rest), &bytes[n..]);

            let mut rest = span.clone();
            assert!(adds(|| rest.truncate(n).unwrap()).0 <= 1);
            assert_eq!(vec(&rest), &bytes[..n]);

            let (count, part) = adds(|| span.slice(n / 2..n).unwrap());
            assert!(count <= 1);
            assert_eq!(vec(&part), &bytes[n / 2..n]);
        }
    }
}

#[test]
fn positions_beyond_the_end_are_refused_and_change_nothing() {
    let ledger = Ledger::new();
    let mut span = owned(&ledger, b"abc");
    assert_eq!(span.split_to(4).unwrap_err(), OutOfRange);
    assert_eq!(span.split_off(usize::MAX).unwrap_err(), OutOfRange);
    assert_eq!(span.advance(4), Err(OutOfRange));
    assert_eq!(span.truncate(4), Err(OutOfRange));
    assert_eq!(span.slice(2..5).unwrap_err(), OutOfRange);
    assert_eq!(span.slice(0..=usize::MAX).unwrap_err(), OutOfRange);
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = span.slice(2..1);
    assert_eq!(reversed.unwrap_err(), OutOfRange);
    assert_eq!(vec(&span.slice(..).unwrap()), b"abc");
    assert_eq!(vec(&span), b"abc");
}

fn raw(extent: crate::Extent<'_>) -> (*const u8, usize) {
    let raw = extent.raw().unwrap();
    (raw.as_ptr(), raw.len())
}

#[test]
fn segments_cost_one_addition_for_each_node() {
    let (_, pool) = pool(65536);
    let chain = stream(&pool, 200_000);
    let (count, span) = adds(|| chain.span(30_000, 64 * 1024));
    assert_eq!((count, span.extents().count()), (1, 2));
    let addresses: Vec<_> = span.extents().map(raw).collect();
    let bytes = vec(&span);
    let (count, segments) = adds(|| span.into_segments(1460).collect::<Vec<_>>());
    assert_eq!((count, segments.len()), (2, 45));
    assert_eq!(segments.iter().flat_map(vec).collect::<Vec<_>>(), bytes);
    for segment in &segments {
        for extent in segment.extents() {
            let (at, len) = raw(extent);
            let inside = |&(base, room): &(*const u8, usize)| {
                at >= base && at.wrapping_add(len) <= base.wrapping_add(room)
            };
            assert!(addresses.iter().any(inside), "payload was copied");
        }
    }
}

#[test]
fn segments_of_every_size_and_shape() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 1000);
    for span in shapes(&ledger, &chain) {
        let bytes = vec(&span);
        for size in [0, 1, 7, 50, 64, 100, 899, 900, 5000] {
            let nodes = span.extents().count();
            let segments = span.clone().into_segments(size);
            assert_eq!(segments.len(), bytes.len().div_ceil(size.max(1)));
            let (count, all) = adds(|| segments.collect::<Vec<_>>());
            assert!(count <= nodes);
            let expected: Vec<_> = bytes.chunks(size.max(1)).map(<[u8]>::to_vec).collect();
            assert_eq!(all.iter().map(vec).collect::<Vec<_>>(), expected);
            // Stopping on the way gives the pins back.
            span.clone().into_segments(size).take(3).for_each(drop);
        }
    }
    drop(chain);
    assert_eq!(ledger.live_nodes(), 0);
    assert_eq!(Span::empty().into_segments(10).count(), 0);
}

/// A piece within one leaf keeps that leaf alone, and each node takes one addition.
#[test]
fn segments_of_a_gather_keep_the_leaves_they_lie_in() {
    let ledger = Ledger::new();
    let leaves = |n: usize, len| {
        let part = |i| owned(&ledger, &vec![i as u8; len]);
        Span::gather(&ledger, (0..n).map(part)).unwrap()
    };
    let nodes = || ledger.report().of(Kind::Owned).nodes;
    let first = leaves(16, 1000).into_segments(100).next().unwrap();
    assert_eq!((nodes(), vec(&first)), (1, vec![0; 100]));
    drop(first);
    for (size, kept) in [(1000, 1), (250, 1), (300, 16), (16_000, 16), (20_000, 16)] {
        for which in 0..16_000_usize.div_ceil(size) {
            let span = leaves(16, 1000);
            let piece = span.into_segments(size).nth(which).unwrap();
            let across = piece.extents().count() > 1;
            assert_eq!(nodes(), if across { kept } else { 1 }, "{size} {which}");
        }
    }
    assert_eq!(ledger.live_nodes(), 0);
    for (size, additions) in [(1000, 16), (250, 16), (300, 17), (20_000, 0)] {
        let span = leaves(16, 1000);
        let (added, pieces) = adds(|| span.into_segments(size).collect::<Vec<_>>());
        assert!(added <= additions, "{size}: {added}");
        drop(pieces);
        assert_eq!(ledger.live_nodes(), 0);
    }
}

#[test]
fn gather_merges_flattens_and_leaves_out() {
    let (ledger, pool) = pool(4096);
    let chain = stream(&pool, 1000);
    // Adjacent parts become one again, and no node is made.
    let parts = [chain.span(0, 10), Span::empty(), chain.span(10, 20)];
    let (count, merged) = adds(|| Span::gather(&ledger, parts).unwrap());
    assert_eq!(
        (count, merged.kind(), merged.len()),
        (0, Kind::Buffered, 30)
    );
    assert!(Span::gather(&ledger, []).unwrap().is_empty());

    let a = Span::gather(&ledger, [owned(&ledger, b"abc"), owned(&ledger, b"def")]).unwrap();
    assert_eq!((a.kind(), a.extents().count()), (Kind::Gather, 2));
    let part = a.slice(2..5).unwrap();
    let nested = [owned(&ledger, b"<"), part, chain.span(0, 1), a.clone()];
    let nested = Span::gather(&ledger, nested).unwrap();
    assert_eq!(vec(&nested), b"<cde\0abcdef");
    assert_eq!(nested.extents().count(), 6);
    // The outer gather took over the pins of the inner one.
    let gathers = |ledger: &Ledger| ledger.report().of(Kind::Gather).nodes;
    assert_eq!(gathers(&ledger), 2);
    drop(a);
    assert_eq!(gathers(&ledger), 1);
    assert_eq!(vec(&nested), b"<cde\0abcdef");
}

#[test]
fn gather_refuses_a_seventeenth_leaf() {
    let ledger = Ledger::new();
    let parts = |n| (0..n).map(|_| owned(&ledger, b"xy")).collect::<Vec<_>>();
    assert_eq!(Span::gather(&ledger, parts(16)).unwrap().len(), 32);
    assert_eq!(Span::gather(&ledger, parts(17)).unwrap_err(), TooManyParts);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn trimming_a_gather_to_one_leaf_lets_the_others_go() {
    let ledger = Ledger::new();
    let parts = [
        owned(&ledger, &[1; 100]),
        owned(&ledger, &[2; 1000]),
        owned(&ledger, &[3; 10]),
    ];
    let gather = Span::gather(&ledger, parts).unwrap();
    assert_eq!(gather.footprint(), 1110);
    let mut trimmed = gather.clone();
    trimmed.truncate(1).unwrap();
    drop(gather);
    assert_eq!((trimmed.kind(), trimmed.footprint()), (Kind::Owned, 100));
    assert_eq!(ledger.live_nodes(), 1);
}

#[test]
fn merges_only_what_follows_in_storage() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 400);
    // Over a link, one pin less.
    let mut a = chain.span(50, 14);
    let b = chain.span(64, 100);
    let pins = b.node.pins();
    let (count, merged) = adds(|| a.try_merge(b));
    assert_eq!((count, merged.is_ok()), (0, true));
    assert_eq!(vec(&a), &pattern(400)[50..164]);
    assert_eq!(chain.span(64, 1).node.pins(), pins);
    // Not with a gap, backwards, or with another buffer.
    assert!(a.try_merge(chain.span(165, 10)).is_err());
    assert!(a.try_merge(chain.span(50, 10)).is_err());
    assert!(a.try_merge(owned(&ledger, b"x")).is_err());
    assert_eq!(a.len(), 114);
    // Empty ones on either side.
    assert!(a.try_merge(Span::empty()).is_ok());
    let mut empty = Span::empty();
    assert!(empty.try_merge(a).is_ok());
    assert_eq!(empty.len(), 114);
    // The two halves of a gather.
    let parts = [
        owned(&ledger, b"abcd"),
        owned(&ledger, b"efgh"),
        owned(&ledger, b"ijkl"),
    ];
    let mut front = Span::gather(&ledger, parts).unwrap();
    let back = front.split_off(6).unwrap();
    assert!(front.try_merge(back).is_ok());
    assert_eq!(vec(&front), b"abcdefghijkl");
}

#[test]
fn owners_are_dropped_once_and_charged_as_they_say() {
    let ledger = Ledger::new();
    let mut buffer = Vec::with_capacity(1000);
    buffer.extend_from_slice(b"abc");
    let capacity = buffer.capacity();
    let vector = Span::from_owner(&ledger, buffer).unwrap();
    assert_eq!((vector.footprint(), vector.len()), (capacity, 3));
    assert_eq!(ledger.report().of(Kind::Owned).bytes, capacity);

    let shared: Arc<[u8]> = Arc::from(&b"shared"[..]);
    let arc = Span::from_owner(&ledger, shared.clone()).unwrap();
    let boxed = Span::from_owner(&ledger, Box::<[u8]>::from(&b"box"[..])).unwrap();
    let fixed = Span::from_owner(&ledger, &b"static"[..]).unwrap();
    let bytes = Span::from_bytes(&ledger, Bytes::from_static(b"bytes")).unwrap();
    let all = Span::gather(&ledger, [vector, arc, boxed, fixed, bytes]).unwrap();
    assert_eq!(vec(&all), b"abcsharedboxstaticbytes");
    assert_eq!(Arc::strong_count(&shared), 2);
    std::thread::spawn(move || drop(all)).join().unwrap();
    assert_eq!(Arc::strong_count(&shared), 1);
    assert_eq!(ledger.live_nodes(), 0);
    assert_eq!(ledger.report().of(Kind::Owned).bytes, 0);
}

#[test]
fn checksums_extents_of_odd_length() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 500);
    let parts = [
        owned(&ledger, b"abc"),
        chain.span(3, 333),
        owned(&ledger, b"z"),
        owned(&ledger, b"!"),
    ];
    let span = Span::gather(&ledger, parts).unwrap();
    for from in 0..span.len() {
        let part = span.slice(from..).unwrap();
        assert_eq!(part.checksum().unwrap(), checksum::sum(&vec(&part)));
    }
    assert_eq!(Span::empty().checksum(), Ok(0));
}

#[test]
fn copies_from_any_offset() {
    let (_, pool) = pool(64);
    let chain = stream(&pool, 300);
    let span = chain.span(20, 200);
    let mut room = [0; 90];
    for offset in 0..=210 {
        let n = span.copy_to(offset, &mut room).unwrap();
        assert_eq!(n, 200_usize.saturating_sub(offset).min(90));
        let expected = &pattern(300)[20..220];
        assert_eq!(room[..n], expected[offset.min(200)..][..n]);
    }
    assert_eq!(span.copy_to(usize::MAX, &mut room), Ok(0));
    assert!(span.contiguous().is_none());
    assert_eq!(chain.span(0, 64).contiguous(), Some(&pattern(64)[..]));
}

#[test]
fn values_go_where_their_docs_say() {
    fn send<T: Send>() {}
    fn share<T: Send + Sync>() {}
    share::<Span>();
    share::<crate::Packet>();
    share::<crate::Pool>();
    share::<Ledger>();
    send::<Chain>();
    send::<crate::Reservation<'_>>();
    send::<crate::DetachedReservation>();
    send::<Segments>();
}
