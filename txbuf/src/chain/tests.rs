//! Runs, look-up, release, reset, adoption, and what a straggler keeps.

use super::*;
use crate::error::CopyError;
use crate::node::counting::adds;
use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{Completions, GATHER_MAX, Kind, Ledger, Order, PoolConfig, Region};

#[test]
fn positions_and_bytes_of_a_stream() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 1000);
    assert_eq!((chain.start(), chain.end(), chain.len()), (0, 1000, 1000));
    for (pos, len) in [
        (0, 1),
        (63, 2),
        (64, 64),
        (0, 1000),
        (999, 50),
        (500, usize::MAX),
    ] {
        let (count, span) = adds(|| chain.span(pos, len));
        assert_eq!(count, 1, "one run");
        let end = (pos as usize).saturating_add(len).min(1000);
        assert_eq!(vec(&span), &pattern(1000)[pos as usize..end]);
    }
    assert!(chain.span(1000, 1).is_empty());
    assert!(chain.span(u64::MAX, 1).is_empty());
    chain.release(500);
    assert!(chain.span(499, 1).is_empty());
    assert_eq!(vec(&chain.span(500, 3)), &pattern(1000)[500..503]);
    assert_eq!((chain.start(), chain.len()), (500, 500));
    chain.release(u64::MAX);
    assert_eq!(
        (chain.start(), chain.len(), chain.is_empty()),
        (1000, 0, true)
    );
    drop(chain);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_span_over_runs_is_a_gather_with_a_leaf_for_each() {
    let (_, pool) = pool(64);
    let run = 64 * RUN_NODES;
    let chain = stream(&pool, 20 * run);
    let inside = chain.span(run as u64, run);
    assert_eq!(
        (inside.kind(), inside.extents().count()),
        (Kind::Buffered, 16)
    );
    let (count, across) = adds(|| chain.span(run as u64 - 10, run + 20));
    assert_eq!((count, across.kind()), (3, Kind::Gather));
    assert_eq!(vec(&across), &pattern(20 * run)[run - 10..2 * run + 10]);
    // No more leaves than a gather has: the span ends early.
    let all = chain.span(5, 20 * run);
    assert_eq!(all.len(), GATHER_MAX * run - 5);
    assert_eq!(vec(&all), &pattern(20 * run)[5..GATHER_MAX * run]);
}

#[test]
fn runs_end_at_a_mebibyte() {
    let (_, pool) = pool(256 << 10);
    let mut chain = Chain::stream(&pool);
    for _ in 0..6 {
        assert_eq!(chain.append(&vec![3; 256 << 10]), Ok(256 << 10));
    }
    assert_eq!(chain.span(0, 1).footprint(), RUN_BYTES);
    assert_eq!(chain.span(0, RUN_BYTES).kind(), Kind::Buffered);
    assert_eq!(chain.span(0, RUN_BYTES + 1).kind(), Kind::Gather);
}

#[test]
fn release_frees_progressively() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 640);
    assert_eq!((ledger.live_nodes(), chain.footprint()), (10, 640));
    chain.release(63);
    assert_eq!(ledger.live_nodes(), 10);
    chain.release(64);
    assert_eq!((ledger.live_nodes(), chain.footprint()), (9, 576));
    chain.release(320);
    assert_eq!((ledger.live_nodes(), chain.footprint()), (5, 320));
    chain.release(10);
    assert_eq!(chain.start(), 320);
    chain.release(640);
    // The tail stays for what comes next.
    assert_eq!((ledger.live_nodes(), chain.footprint()), (1, 64));
    drop(chain);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_straggler_keeps_one_run_and_no_more() {
    let (ledger, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    let mut straggler = None;
    for round in 0..10_000 {
        chain.append(&[9; 100]).unwrap();
        if round == 3 {
            straggler = Some(chain.span(0, 10));
        }
        chain.release(chain.end().saturating_sub(500));
        let bound = RUN_NODES + 500 / 64 + 2;
        assert!(
            ledger.live_nodes() <= bound,
            "{} nodes",
            ledger.live_nodes()
        );
    }
    assert_eq!(straggler.map(|span| span.footprint()), Some(RUN_NODES * 64));
}

#[test]
fn a_straggler_keeps_one_run_when_other_bytes_come_between() {
    let (ledger, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    chain.append(&[1; 10]).unwrap();
    let straggler = chain.span(0, 10);
    for round in 0..2000_u64 {
        // The tail is half full when somebody else's bytes come.
        chain.append(&[2; 30]).unwrap();
        chain.append_span(owned(&ledger, &[3; 200]));
        chain.append(&[4; 50]).unwrap();
        assert_eq!(vec(&chain.span(chain.end() - 52, 4)), [3, 3, 4, 4]);
        chain.release(chain.end() - 100);
        let buffered = ledger.report().of(Kind::Buffered).nodes;
        assert!(buffered <= RUN_NODES + 5, "{buffered} in round {round}");
    }
    assert!(straggler.footprint() <= RUN_NODES * 64);
    drop((straggler, chain));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_used_up_tail_is_written_again_once_nobody_pins_it() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 64);
    let span = chain.span(0, 64);
    let node = span.node.as_ptr();
    chain.release(64);
    chain.append(b"x").unwrap();
    assert_ne!(chain.span(64, 1).node.as_ptr(), node, "pinned by the span");
    drop(span);
    chain.release(65);
    let tail = chain.span(0, 0);
    assert!(tail.is_empty());
    let before = ledger.live_nodes();
    for _ in 0..100 {
        chain.append(&[5; 64]).unwrap();
        chain.release(chain.end());
    }
    assert_eq!((before, ledger.live_nodes(), pool.in_use()), (1, 1, 64));
}

#[test]
fn a_reservation_covers_the_rest_of_the_tail() {
    let (_, pool) = pool(128);
    let mut chain = Chain::stream(&pool);
    let mut room = chain.reserve(0).unwrap();
    assert_eq!(room.len(), 128);
    room[..4].copy_from_slice(b"abcd");
    let (count, span) = adds(|| room.commit(4));
    assert_eq!((count, vec(&span)), (1, b"abcd".to_vec()));
    // Growing the last entry is one increment as well.
    let mut room = chain.reserve(124).unwrap();
    assert_eq!(room.len(), 124);
    room[0] = b'e';
    let (count, next) = adds(|| room.commit(1));
    assert_eq!((count, vec(&next)), (1, b"e".to_vec()));
    assert_eq!(vec(&chain.span(0, 9)), b"abcde");
    // Abandoned, empty, too long.
    assert_eq!(chain.reserve(10).unwrap().len(), 123);
    assert!(chain.reserve(10).unwrap().commit(0).is_empty());
    assert_eq!(chain.reserve(129).err(), Some(NoMemory));
    assert_eq!(chain.end(), 5);
    // More than there is counts as all there is.
    let mut room = chain.reserve(1).unwrap();
    room.fill(b'f');
    assert_eq!(room.commit(1000).len(), 123);
    assert_eq!(chain.end(), 128);
}

#[test]
fn published_bytes_are_read_while_the_tail_is_written() {
    let (_, pool) = pool(4096);
    let mut chain = Chain::arena(&pool);
    let spans: Vec<_> = (0..1000_u32)
        .map(|i| chain.copy(&i.to_be_bytes()).unwrap())
        .collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (i, span) in spans.iter().enumerate() {
                assert_eq!(span.contiguous(), Some(&(i as u32).to_be_bytes()[..]));
            }
        });
        for _ in 0..1000 {
            chain.copy(&[0xee; 8]).unwrap();
        }
    });
}

#[test]
fn an_arena_links_nothing_and_keeps_one_node() {
    let (ledger, pool) = pool(256);
    let mut arena = Chain::arena(&pool);
    let kept: Vec<_> = (0..50).map(|i| arena.copy(&[i; 100]).unwrap()).collect();
    assert_eq!((arena.len(), arena.footprint()), (0, 256));
    assert_eq!((arena.start(), arena.end()), (5000, 5000));
    for (i, span) in kept.iter().enumerate() {
        assert_eq!((vec(span), span.footprint()), (vec![i as u8; 100], 256));
    }
    assert!(arena.span(0, 10).is_empty());
    drop(kept);
    assert_eq!(ledger.live_nodes(), 1);
    // Unpinned, the node is filled from its start again.
    let first = arena.copy(&[1; 200]).unwrap().node.as_ptr();
    assert_eq!(arena.copy(&[1; 200]).unwrap().node.as_ptr(), first);
    arena.append_span(owned(&ledger, b"dropped"));
    drop(arena);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn an_idle_stream_gives_its_segment_back() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 100);
    chain.release(99);
    chain.release_tail();
    assert_eq!((chain.len(), chain.footprint()), (1, 64));
    let kept = chain.span(99, 1);
    chain.release(100);
    assert_eq!(chain.footprint(), 64);
    chain.release_tail();
    chain.release_tail();
    assert_eq!((chain.footprint(), ledger.live_nodes()), (0, 1));
    assert_eq!(vec(&kept), pattern(100)[99..]);
    drop(kept);
    assert_eq!(ledger.live_nodes(), 0);
    // It goes on where it was, in a segment and a run of its own.
    chain.append(&pattern(100)).unwrap();
    assert_eq!((chain.start(), chain.end()), (100, 200));
    assert_eq!(vec(&chain.span(100, 100)), pattern(100));
    assert_eq!(chain.footprint(), 128);
    chain.release(200);
    chain.release_tail();
    assert_eq!((chain.footprint(), ledger.live_nodes()), (0, 0));
}

#[test]
fn what_is_not_worth_a_pin_is_copied() {
    let (ledger, pool) = pool(64);
    let mut chain = stream(&pool, 10);
    let region = Region::new(&ledger, pattern(40));
    let mut completions = Completions::new(Order::Stream, 4);
    let token = completions.token().unwrap();
    let lent = region.lend(0..40, Some(&token)).unwrap();
    chain.append_copy(&lent).unwrap();
    chain.end_message(token);
    drop(lent);
    assert_eq!((region.lent(), chain.len()), (0, 50));
    assert_eq!(vec(&chain.span(10, 40)), pattern(40));
    chain.release(50);
    assert!(completions.poll().is_some_and(|done| done.copied));
    // More than a segment goes into several; at the cap, as much as there is room for.
    let long = owned(&ledger, &pattern(130));
    assert_eq!(chain.append_copy(&long), Ok(130));
    assert_eq!(vec(&chain.span(50, 130)), pattern(130));
    let room = pool.limit() - pool.in_use() + 3 * 64 - 130;
    let longer = owned(&ledger, &vec![1; pool.limit()]);
    assert_eq!(chain.append_copy(&longer), Ok(room));
    assert_eq!(chain.append_copy(&long), Err(CopyError::NoMemory));
    assert_eq!(chain.len(), 130 + room);
}

#[test]
fn detached_segments_join_the_run() {
    let (ledger, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    for i in 0..RUN_NODES as u8 {
        let mut room = pool.reserve().unwrap();
        room.fill(i);
        chain.append_span(room.commit(64));
    }
    let span = chain.span(0, 4096);
    assert_eq!((span.kind(), span.len()), (Kind::Buffered, 1024));
    assert_eq!(span.extents().count(), RUN_NODES);
    // A part-filled one is filled up by what follows.
    let mut room = pool.reserve().unwrap();
    room[..20].fill(0xaa);
    chain.append_span(room.commit(20));
    chain.append(&[0xbb; 40]).unwrap();
    assert_eq!(ledger.live_nodes(), RUN_NODES + 1);
    assert_eq!(chain.footprint(), 64 * (RUN_NODES + 1));
    let last = chain.span(1024, 100);
    assert_eq!((last.extents().count(), last.len()), (1, 60));
}

#[test]
fn a_segment_of_another_pool_is_not_filled() {
    let (ledger, own) = pool(64);
    let config = PoolConfig {
        segment: 64,
        limit: 128,
        keep: 0,
    };
    let other = Pool::new(&ledger, config);
    let mut chain = Chain::stream(&own);
    let mut room = other.reserve().unwrap();
    room.fill(0xaa);
    chain.append_span(room.commit(20));
    assert_eq!(
        (chain.footprint(), own.in_use(), other.in_use()),
        (0, 0, 64)
    );
    chain.append(&[0xbb; 40]).unwrap();
    assert_eq!((chain.footprint(), own.in_use()), (64, 64));
    // Its provider has it back as soon as its own bytes are released.
    chain.release(20);
    assert_eq!(
        (other.in_use(), vec(&chain.span(20, 100))),
        (0, vec![0xbb; 40])
    );
}

#[test]
fn what_overpins_is_copied_where_there_is_room() {
    let (ledger, pool) = pool(256);
    let mut chain = stream(&pool, 10);
    let big = owned(&ledger, &pattern(5000));
    chain.append_span(big.slice(0..20).unwrap());
    chain.append_span(big.clone());
    assert_eq!(chain.len(), 5030);
    assert_eq!(vec(&chain.span(0, 40))[10..30], pattern(20));
    assert_eq!(
        big.node.pins(),
        2,
        "the long one is shared, the short one copied"
    );
    // A small segment filled by somebody else goes into the tail.
    let nodes = ledger.live_nodes();
    let mut room = pool.reserve().unwrap();
    room[..3].copy_from_slice(b"abc");
    chain.append_span(room.commit(3));
    assert_eq!(ledger.live_nodes(), nodes);
    assert_eq!(vec(&chain.span(5030, 10)), b"abc");
}

#[test]
fn adopted_spans_merge_and_are_released_in_part() {
    let (ledger, source_pool) = pool(64);
    let source = stream(&source_pool, 640);
    let (_, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    let mut whole = source.span(0, 640);
    while !whole.is_empty() {
        let piece = whole.split_to(whole.len().min(100)).unwrap();
        chain.append_span(piece);
    }
    drop((whole, source));
    assert_eq!((chain.entries.len(), chain.len()), (1, 640));
    assert_eq!(vec(&chain.span(0, 640)), pattern(640));
    assert_eq!(ledger.live_nodes(), 10);
    chain.release(330);
    assert_eq!(ledger.live_nodes(), 5);
    assert_eq!(vec(&chain.span(330, 640)), &pattern(640)[330..]);
}

#[test]
fn gathers_are_taken_apart() {
    let (ledger, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    let parts = [
        owned(&ledger, &[1; 30]),
        owned(&ledger, &[2; 30]),
        owned(&ledger, &[3; 30]),
    ];
    let gather = Span::gather(&ledger, parts).unwrap();
    chain.append_span(gather.slice(15..80).unwrap());
    drop(gather);
    assert_eq!(ledger.report().of(Kind::Gather).nodes, 0);
    let expected = [vec![1; 15], vec![2; 30], vec![3; 20]].concat();
    assert_eq!(vec(&chain.span(0, 100)), expected);
}

#[test]
fn append_is_short_only_at_the_cap() {
    let ledger = Ledger::new();
    let config = PoolConfig {
        segment: 64,
        limit: 128,
        keep: 2,
    };
    let pool = Pool::new(&ledger, config);
    let mut chain = Chain::stream(&pool);
    assert_eq!(chain.append(&[]), Ok(0));
    assert_eq!(chain.append(&[1; 200]), Ok(128));
    assert_eq!(chain.append(&[1; 1]), Err(NoMemory));
    assert_eq!(chain.copy(&[1; 1]).err(), Some(NoMemory));
    chain.release(64);
    assert_eq!(chain.append(&[2; 100]), Ok(64));
    assert_eq!(vec(&chain.span(127, 2)), [1, 2]);
}

#[test]
fn steady_state_keeps_what_it_has() {
    let (ledger, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    let mut most = 0;
    for _ in 0..1000 {
        chain.append(&[7; 150]).unwrap();
        let segments: Vec<_> = chain.span(chain.start(), 150).into_segments(40).collect();
        most = most.max(ledger.live_nodes());
        chain.release(chain.end());
        drop(segments);
    }
    assert!(most <= 8, "{most} nodes");
    assert_eq!(chain.footprint(), ledger.live_nodes() * 64);
}

#[test]
fn storage_of_others_is_counted_once_and_until_it_is_released() {
    let (ledger, pool) = pool(64);
    let mut chain = Chain::stream(&pool);
    chain.set_carry(1000);
    let buffer = |len: usize| Span::from_owner(&ledger, vec![7; len]).unwrap();
    let (a, b) = (buffer(400), buffer(500));
    // Four pieces of one buffer, apart, then another's.
    for at in [0, 100, 200, 300] {
        chain.append_span(a.slice(at..at + 10).unwrap());
        assert_eq!(chain.adopted(), 400);
    }
    chain.append_span(b.slice(..10).unwrap());
    assert_eq!((chain.adopted(), chain.footprint()), (900, 0));
    // No third, unless it is the one that is there.
    let c = buffer(200);
    assert!(!chain.carries(&c.slice(..10).unwrap()) && chain.carries(&b.slice(20..30).unwrap()));
    chain.append_span(c.slice(..10).unwrap());
    assert_eq!((chain.adopted(), chain.footprint()), (900, 64));
    assert_eq!(chain.debug().adopted, 900);
    chain.release(35);
    assert_eq!(chain.adopted(), 900);
    chain.release(40);
    assert_eq!(chain.adopted(), 500);
    chain.release(50);
    assert_eq!(chain.adopted(), 0);
    // One buffer of any size, if nothing else is kept.
    let large = buffer(1 << 20);
    assert!(chain.carries(&large));
    chain.append_span(large.slice(..10).unwrap());
    chain.append_span(large.slice(100..110).unwrap());
    chain.append_span(a.slice(..10).unwrap());
    assert_eq!(chain.adopted(), 1 << 20);
    chain.release(u64::MAX);
    assert_eq!(chain.adopted(), 0);
    drop((a, b, c, large, chain));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn of_an_adopted_run_what_was_released_counts_no_more() {
    let (_ledger, pool) = pool(64);
    let (mut from, mut to) = (stream(&pool, 640), Chain::stream(&pool));
    to.set_carry(10_000);
    let run = from.span(0, 640);
    from.release(640);
    let held = run.footprint();
    to.append_span(run);
    drop(from);
    assert_eq!(to.adopted(), held);
    to.release(200);
    assert_eq!(to.adopted(), held - 3 * 64);
    to.release(640);
    assert_eq!(to.adopted(), 0);
}

#[test]
fn what_is_adopted_is_counted_as_its_run_grows() {
    let ledger = Ledger::new();
    let config = PoolConfig {
        segment: 4096,
        limit: 1 << 20,
        keep: 16,
    };
    let (own, other) = (Pool::new(&ledger, config), Pool::new(&ledger, config));
    let (mut source, mut sink) = (Chain::stream(&other), Chain::stream(&own));
    sink.set_carry(8192);
    for i in 0..16 {
        source.append(&[i; 4096]).unwrap();
        sink.append_span(source.span(u64::from(i) * 4096, 4096));
    }
    drop(source);
    assert_eq!(sink.adopted(), other.in_use());
    sink.release(16 * 4096);
    assert_eq!((sink.adopted(), other.in_use()), (0, 0));
}

#[test]
fn a_reservation_goes_on_behind_what_it_publishes() {
    let (ledger, pool) = pool(64);
    let mut arena = Chain::arena(&pool);
    let mut room = arena.reserve(64).expect("room");
    room.copy_from_slice(&pattern(64));
    let (count, front) = adds(|| room.commit_front(10));
    assert_eq!((count, vec(&front)), (1, pattern(64)[..10].to_vec()));
    // What is behind is as it was written, and may be written still.
    assert_eq!(room[..], pattern(64)[10..]);
    room[..5].fill(0);
    room.skip(5);
    assert_eq!(vec(&room.commit_front(3)), &pattern(64)[15..18]);
    assert!(room.commit_front(0).is_empty());
    assert_eq!(room.len(), 46);
    // What is not committed stays the arena's.
    let rest = arena.reserve(46).expect("room").commit(99);
    assert_eq!(vec(&rest), &pattern(64)[18..]);
    assert_eq!(vec(&front), &pattern(64)[..10]);
    drop((arena, front, rest));
    assert_eq!(ledger.live_nodes(), 0);

    // Of a stream, all of it is its end.
    let mut chain = Chain::stream(&pool);
    let mut room = chain.reserve(10).expect("room");
    room[..10].copy_from_slice(&pattern(10));
    room.skip(4);
    assert_eq!(vec(&room.commit_front(6)), &pattern(10)[4..]);
    assert_eq!(vec(&chain.span(0, 99)), pattern(10));
}
