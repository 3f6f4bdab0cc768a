//! What keeping costs, and what it is bounded by.

use super::*;
use crate::ip::testing::Memory;
use txbuf::{Ledger, OVERPIN, PoolConfig};

const ARENA: usize = 64 << 10;

fn pool(ledger: &Ledger, segment: usize, limit: usize) -> Pool {
    let keep = 4;
    Pool::new(
        ledger,
        PoolConfig {
            segment,
            limit,
            keep,
        },
    )
}

struct Bench {
    ledger: Ledger,
    arena: Chain,
    small: Chain,
    pools: Pools,
    account: Account,
    kept: Option<Account>,
}

impl Bench {
    fn new(small: usize) -> Self {
        let ledger = Ledger::new();
        let pools = Pools::new(&ledger, small);
        Bench {
            arena: Chain::arena(&pool(&ledger, ARENA, 64 << 20)),
            small: Chain::arena(&pools.small),
            account: pools.account.clone(),
            pools,
            kept: None,
            ledger,
        }
    }

    /// `len` bytes at the start of a segment that is lost for others.
    fn alone(&mut self, len: usize) -> Span {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let span = self.arena.copy(&bytes).unwrap();
        self.arena = Chain::arena(&self.arena.pool().clone());
        span
    }

    fn put(
        &mut self,
        span: &Span,
        into: &mut IovIter<'_>,
        (flags, evict): (RecvFlags, bool),
    ) -> Result<usize, CopyError> {
        let mut taking = Taking {
            flags,
            evict,
            pools: &self.pools,
            kept: &mut self.kept,
            most: 10_000_000,
            waits_with: &Account::new(0),
            doorbell: &Doorbell::new(None),
            waits: &mut false,
        };
        taking.put(span.clone(), into)
    }

    /// Puts `span` into a collecting iterator.
    fn collect(&mut self, span: &Span, flags: RecvFlags, evict: bool) -> VecDeque<Span> {
        let mut queue = VecDeque::new();
        let mut into = IovIter::collect(&mut queue, usize::MAX);
        let put = self.put(span, &mut into, (flags, evict));
        assert_eq!(put, Ok(span.len()));
        queue
    }
}

fn bytes(spans: &VecDeque<Span>) -> Vec<u8> {
    spans
        .iter()
        .flat_map(|span| span.to_vec().unwrap())
        .collect()
}

#[test]
fn what_is_kept_pins_at_most_four_times_its_length() {
    let mut bench = Bench::new(1 << 20);
    for len in [1, 100, 1023, 1024, 1460, 4097, 9000, 16_383, 16_384, 60_000] {
        let span = bench.alone(len);
        let kept = bench.collect(&span, RecvFlags::NONE, false);
        let expected = span.to_vec().unwrap();
        assert_eq!(bytes(&kept), expected);
        drop(span);
        let pinned: usize = bench
            .ledger
            .report()
            .iter()
            .map(|(_, usage)| usage.bytes)
            .sum();
        assert!(pinned <= OVERPIN * len, "{pinned} for {len}");
        let copied = len < ARENA / OVERPIN;
        assert_eq!(bench.arena.pool().in_use(), if copied { 0 } else { ARENA });
    }
    assert_eq!(bench.account.in_use(), 0, "charges go with the copies");
}

#[test]
fn tiny_copies_are_charged_and_refused_at_the_limit() {
    let mut bench = Bench::new(1000);
    let span = bench.alone(100);
    let kept: Vec<_> = (0..4)
        .map(|_| bench.collect(&span, RecvFlags::NONE, false))
        .collect();
    assert_eq!(bench.account.in_use(), 4 * (100 + NODE));
    let mut queue = VecDeque::new();
    let mut into = IovIter::collect(&mut queue, usize::MAX);
    let keep = (RecvFlags::NONE, false);
    assert_eq!(bench.put(&span, &mut into, keep), Err(CopyError::NoMemory));
    assert_eq!(into.done(), 0);
    // Slices need no storage.
    let mut buffer = [0; 100];
    let mut into = IovIter::buffer(&mut buffer);
    assert_eq!(bench.put(&span, &mut into, keep), Ok(100));
    drop(kept);
    assert_eq!(bench.account.in_use(), 0);
}

#[test]
fn what_goes_on_at_once_is_given_as_it_is() {
    let mut bench = Bench::new(1 << 20);
    let span = bench.alone(100);
    let given = bench.collect(&span, RecvFlags::TRANSIENT, true);
    assert_eq!(given[0].footprint(), ARENA);
    // An arena near its cap lets nothing more be kept, however well used.
    let large = bench.alone(60_000);
    let kept = bench.collect(&large, RecvFlags::NONE, true);
    assert_eq!(bytes(&kept), large.to_vec().unwrap());
    drop((span, given, large));
    assert_eq!(bench.arena.pool().in_use(), 0);
    assert_eq!(
        bench.kept.as_ref().map(Account::in_use),
        Some(60_000 + NODE)
    );
    // The stack's own small segments are shared, and not for keeping.
    let shared = bench.small.copy(&[7; 2000]).unwrap();
    let own = bench.collect(&shared, RecvFlags::NONE, false);
    assert_eq!((own[0].kind(), own[0].footprint()), (Kind::Owned, 2000));
}

#[test]
fn short_of_storage_nothing_of_the_stack_s_own_is_given_away() {
    let mut bench = Bench::new(1 << 20);
    let keep = (RecvFlags::NONE, false);
    let mut queue = VecDeque::new();
    let mut into = IovIter::collect(&mut queue, usize::MAX);
    let looped = bench.pools.send.reserve().unwrap().commit(60_000);
    assert_eq!(bench.put(&looped, &mut into, keep), Ok(60_000));
    let pressing = bench.account.charge((1 << 20) - (ARENA + 4096)).unwrap();
    assert!(bench.account.is_pressed());
    let (large, small) = (bench.alone(60_000), bench.alone(100));
    assert_eq!(
        bench.put(&looped, &mut into, keep),
        Err(CopyError::NoMemory)
    );
    assert_eq!(bench.put(&small, &mut into, keep), Err(CopyError::NoMemory));
    assert_eq!(bench.put(&large, &mut into, keep), Ok(60_000));
    drop(pressing);
    assert_eq!(bench.put(&small, &mut into, keep), Ok(100));
}

#[test]
fn small_pieces_are_copied_together_and_large_ones_stay() {
    let mut bench = Bench::new(1 << 20);
    let memory = Memory::new();
    let mut queue: VecDeque<Span> = (0..1000).map(|i| memory.span(&[i as u8])).collect();
    let expected = bytes(&queue);
    assert_eq!(collapse(&mut queue, &mut bench.small), 1000);
    assert_eq!((bytes(&queue), queue.len()), (expected, 1));
    assert_eq!(memory.ledger.live_nodes(), 0);
    // Nothing to gain.
    assert_eq!(collapse(&mut queue, &mut bench.small), 0);
    let mut large: VecDeque<Span> = (0..3).map(|_| bench.alone(60_000)).collect();
    assert_eq!(collapse(&mut large, &mut bench.small), 0);
    // One that pins too much among them.
    large.push_back(bench.alone(3000));
    large.push_back(bench.alone(10));
    let expected = bytes(&large);
    let mut sparse: VecDeque<Span> = large.split_off(3);
    assert_eq!(collapse(&mut sparse, &mut bench.small), 3010);
    large.append(&mut sparse);
    assert_eq!(bytes(&large), expected);
    assert_eq!(bench.arena.pool().in_use(), 3 * ARENA);
}

#[test]
fn evacuating_leaves_no_byte_in_the_arena_and_loses_none() {
    let mut bench = Bench::new(1 << 20);
    let memory = Memory::new();
    let mut queue = VecDeque::from([
        bench.alone(60_000),
        memory.span(&[1; 100]),
        bench.alone(5),
        bench.small.copy(&[2; 50]).unwrap(),
    ]);
    let expected = bytes(&queue);
    assert_eq!(evacuate(&mut queue, &mut bench.small), 60_005);
    assert_eq!(bytes(&queue), expected);
    assert_eq!(bench.arena.pool().in_use(), 0);
    assert_eq!(evacuate(&mut queue, &mut bench.small), 0);
    let mut one = bench.alone(60_000);
    let expected = one.to_vec().unwrap();
    assert_eq!(evacuate_one(&mut one, &mut bench.small), 60_000);
    assert_eq!(
        (one.to_vec().unwrap(), bench.arena.pool().in_use()),
        (expected, 0)
    );
    assert_eq!(evacuate_one(&mut one, &mut bench.small), 0);
}

#[test]
fn without_storage_for_a_copy_everything_stays() {
    let mut bench = Bench::new(4096);
    let mut queue = VecDeque::from([bench.alone(60_000), bench.alone(10)]);
    let expected = bytes(&queue);
    // The front of the first finds room; the rest stays where it is.
    assert_eq!(evacuate(&mut queue, &mut bench.small), 4096);
    assert_eq!(bytes(&queue), expected);
    let mut one = bench.alone(100);
    assert_eq!(evacuate_one(&mut one, &mut bench.small), 0);
    assert_eq!(one.len(), 100);
}
