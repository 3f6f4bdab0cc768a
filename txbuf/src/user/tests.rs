//! Lending, giving back, and taking back.

use super::*;
use crate::sync::counted;
use crate::test_support::{owned, pattern, pool, vec};
use crate::{Chain, Completion, Completions, IovIter, Order, Packet, Unreadable, checksum};

fn done(first: u32, last: u32, copied: bool) -> Option<Completion> {
    Some(Completion {
        first,
        last,
        copied,
    })
}

#[test]
fn lent_bytes_are_copied_out_and_never_viewed() {
    let ledger = Ledger::new();
    let region = Region::new(&ledger, pattern(5000));
    let span = region
        .lend_all(&[3..1006, 2000..2001, 3000..4000], None)
        .unwrap();
    let expected = [
        &pattern(5000)[3..1006],
        &pattern(5000)[2000..2001],
        &pattern(5000)[3000..4000],
    ]
    .concat();
    assert_eq!((vec(&span), span.extents().count()), (expected.clone(), 3));
    assert_eq!(span.checksum(), Ok(checksum::sum(&expected)));
    for extent in span.extents() {
        assert_eq!(
            (extent.kind(), extent.bytes()),
            (Kind::User, Err(Unreadable))
        );
        assert_eq!(extent.device(), None);
    }
    assert!(span.is_lent() && span.is_readable() && span.contiguous().is_none());
    for at in [0, 1, 7, 8, 9, 1002, 1003, 1500] {
        for len in [0, 1, 7, 8, 9, 40] {
            let part = span.slice(at..at + len).unwrap();
            assert_eq!(vec(&part), expected[at..at + len]);
            assert_eq!(part.checksum(), Ok(checksum::sum(&expected[at..at + len])));
        }
    }
    let mut packet = Packet::from_span(span);
    packet.pull(30).unwrap();
    assert_eq!(packet.headers(), &expected[..30]);
    assert_eq!(packet.to_vec().unwrap(), expected);
    let mut room = vec![0; 2500];
    let (a, b) = room.split_at_mut(77);
    let mut vectors = [a, b].map(std::io::IoSliceMut::new);
    let put = IovIter::sink(&mut vectors).put_span(packet.take_span().unwrap());
    assert_eq!((put, &room[..1974]), (Ok(1974), &expected[30..]));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn ranges_are_checked_before_anything_is_lent() {
    let ledger = Ledger::new();
    let region = Region::new(&ledger, vec![0_u8; 100]);
    #[expect(clippy::reversed_empty_ranges)]
    let wrong = [0..101, 101..101, 5..4, usize::MAX - 1..usize::MAX];
    for range in wrong {
        let refused = region.lend_all(&[0..1, range], None).unwrap_err();
        assert_eq!((refused, region.lent()), (LendError::OutOfRange, 0));
    }
    let many: Vec<_> = (0..17).map(|i| i..i + 1).collect();
    assert_eq!(
        region.lend_all(&many, None).unwrap_err(),
        LendError::TooMany
    );
    assert_eq!(region.lend_all(&many[..16], None).unwrap().len(), 16);
    assert!(region.lend(4..4, None).unwrap().is_empty());
    assert_eq!((region.lent(), ledger.live_nodes()), (0, 0));
}

#[test]
fn a_batch_takes_the_lock_once_and_the_token_once() {
    let ledger = Ledger::new();
    let mut completions = Completions::new(Order::Stream, 4);
    let region = Region::new(&ledger, vec![0_u8; 100]);
    let token = completions.token().unwrap();
    let cost = |n: usize| {
        let ranges: Vec<_> = (0..n).map(|i| i..i + 1).collect();
        counted(|| region.lend_all(&ranges, Some(&token)).unwrap()).0
    };
    // What more of them cost: for each node two in the ledger and two counts of what
    // it shares, for the gather two in the ledger and its count of it.
    assert_eq!(cost(16) - cost(1), 15 * 4 + 3);
}

#[test]
fn a_region_in_use_is_busy_and_comes_back_after_the_last_span() {
    let (ledger, pool) = pool(4096);
    let region = Region::new(&ledger, pattern(100));
    let span = region.lend(10..90, None).unwrap();
    let Err(Busy(region)) = region.unregister() else {
        panic!("lent memory was given back");
    };
    let mut packet = Packet::with_payload(span);
    packet.orphan(&mut Chain::arena(&pool)).unwrap();
    let owner = region.unregister().unwrap();
    assert_eq!(packet.to_vec().unwrap(), owner[10..90]);
}

#[test]
fn orphans_leave_the_completion_undelayed_and_flagged() {
    let (ledger, pool) = pool(64);
    let mut completions = Completions::new(Order::Stream, 4);
    let region = Region::new(&ledger, pattern(2000));
    let mut arena = Chain::arena(&pool);
    for len in [10, 64, 200, 2000] {
        let token = completions.token().unwrap();
        let id = token.id();
        let lent = region.lend(0..len, Some(&token)).unwrap();
        drop(token);
        let parts = [owned(&ledger, b"<"), lent, owned(&ledger, b">")];
        let sent = Span::gather(&ledger, parts).unwrap();
        let mut kept = sent.clone();
        kept.orphan(&mut arena).unwrap();
        drop(sent);
        assert_eq!(completions.poll(), done(id, id, true));
        assert!(!kept.is_lent());
        assert_eq!(vec(&kept), [b"<", &pattern(len)[..], b">"].concat());
        kept.orphan(&mut arena).unwrap();
    }
    assert_eq!(region.lent(), 0);
    // Without room for a copy nothing changes.
    let (_, none) = (
        Ledger::new(),
        crate::Pool::new(
            &ledger,
            crate::PoolConfig {
                segment: 64,
                limit: 0,
                keep: 0,
            },
        ),
    );
    let mut lent = region.lend(0..5, None).unwrap();
    let refused = lent.orphan(&mut Chain::arena(&none));
    assert_eq!(
        (refused, lent.is_lent()),
        (Err(crate::CopyError::NoMemory), true)
    );
}

#[test]
fn withdrawn_memory_goes_on_as_a_copy() {
    let ledger = Ledger::new();
    let mut completions = Completions::new(Order::Datagram, 4);
    let region = Region::new(&ledger, pattern(300));
    let token = completions.token().unwrap();
    let span = region.lend_all(&[0..100, 200..300], Some(&token)).unwrap();
    drop(token);
    // A driver has an address: not now.
    let raw = span.extents().next().unwrap().raw().unwrap();
    let Err(Busy(region)) = region.withdraw() else {
        panic!("withdrawn under a driver");
    };
    assert_eq!((raw.len(), raw.is_empty()), (100, false));
    drop(raw);
    let mut owner = region.withdraw().unwrap();
    owner.fill(0);
    drop(owner);
    assert_eq!(
        vec(&span),
        [&pattern(300)[..100], &pattern(300)[200..]].concat()
    );
    let raw = span.extents().next().unwrap().raw().unwrap();
    assert_eq!(raw.len(), 100);
    assert_eq!(completions.poll(), None);
    drop(raw);
    drop(span);
    assert_eq!(
        (completions.poll(), ledger.live_nodes()),
        (done(0, 0, true), 0)
    );
}

#[test]
fn a_dropped_region_keeps_its_owner_until_the_last_span() {
    let ledger = Ledger::new();
    let owner: Arc<[u8]> = Arc::from(&b"shared"[..]);
    let region = Region::new(&ledger, Arc::clone(&owner));
    let span = region.lend(0..6, None).unwrap();
    drop(region);
    assert_eq!(
        (Arc::strong_count(&owner), vec(&span)),
        (2, b"shared".to_vec())
    );
    drop(span);
    assert_eq!(Arc::strong_count(&owner), 1);
    drop(Region::new(&ledger, Arc::clone(&owner)));
    assert_eq!(Arc::strong_count(&owner), 1);
}

#[test]
fn raw_memory_may_change_while_it_is_lent() {
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
    let ledger = Ledger::new();
    let memory: Vec<AtomicU8> = (0..64).map(|_| AtomicU8::new(1)).collect();
    let base = NonNull::from_ref(&memory[..]).cast();
    // SAFETY: the vector outlives the region and is written atomically only.
    let region = unsafe { Region::register(&ledger, base, 64) };
    let span = region.lend(0..64, None).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| memory.iter().for_each(|byte| byte.store(2, Relaxed)));
        assert!(vec(&span).iter().all(|&byte| byte == 1 || byte == 2));
    });
    assert_eq!(vec(&span), [2; 64]);
    drop(span);
    assert!(region.unregister().is_ok());
}

#[test]
fn withdrawing_while_other_threads_copy() {
    for _ in 0..300 {
        let ledger = Ledger::new();
        let region = Region::new(&ledger, pattern(400));
        let span = region.lend_all(&[0..200, 300..400], None).unwrap();
        let expected = vec(&span);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let span = span.clone();
                let expected = &expected;
                scope.spawn(move || assert_eq!(&vec(&span), expected));
            }
            drop(span);
            let mut region = Some(region);
            while let Some(now) = region.take() {
                match now.withdraw() {
                    Ok(mut owner) => owner.fill(0),
                    Err(Busy(again)) => region = Some(again),
                }
            }
        });
        assert_eq!(ledger.live_nodes(), 0);
    }
}
