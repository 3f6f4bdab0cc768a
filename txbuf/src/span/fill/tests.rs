//! Filling gathers.

use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{GATHER_MAX, Kind, Ledger, Span};

#[test]
fn fills_one_gather_up_to_its_limit() {
    let ledger = Ledger::new();
    let mut all = owned(&ledger, &[0; 10]);
    for i in 1..GATHER_MAX {
        all.append(&ledger, owned(&ledger, &[i as u8; 10])).unwrap();
        assert_eq!(ledger.report().of(Kind::Gather).nodes, 1);
    }
    assert_eq!((all.len(), all.extents().count()), (160, 16));
    let refused = all.append(&ledger, owned(&ledger, b"x")).unwrap_err();
    assert_eq!((vec(&refused), all.len()), (b"x".to_vec(), 160));
    let expected: Vec<_> = (0..16).flat_map(|i| [i; 10]).collect();
    assert_eq!(vec(&all), expected);
    drop((all, refused));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_shared_or_trimmed_gather_is_left_alone() {
    let ledger = Ledger::new();
    let parts = [owned(&ledger, b"abc"), owned(&ledger, b"def")];
    let shared = Span::gather(&ledger, parts).unwrap();
    let mut longer = shared.clone();
    longer.append(&ledger, owned(&ledger, b"ghi")).unwrap();
    assert_eq!(
        (vec(&shared), vec(&longer)),
        (b"abcdef".to_vec(), b"abcdefghi".to_vec())
    );
    drop(shared);
    longer.truncate(7).unwrap();
    longer.append(&ledger, owned(&ledger, b"xyz")).unwrap();
    assert_eq!(vec(&longer), b"abcdefgxyz");
    longer.advance(4).unwrap();
    let more = longer.clone();
    longer.append(&ledger, more).unwrap();
    assert_eq!(vec(&longer), b"efgxyzefgxyz");
    drop(longer);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn what_follows_in_storage_becomes_one_leaf() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 400);
    let mut span = owned(&ledger, b"x");
    for at in (0..400).step_by(40) {
        span.append(&ledger, chain.span(at, 40)).unwrap();
    }
    assert_eq!(span.footprint(), 1 + 7 * 64);
    assert_eq!(vec(&span)[1..], pattern(400));
    let mut plain = Span::empty();
    plain.append(&ledger, chain.span(0, 9)).unwrap();
    plain.append(&ledger, chain.span(9, 9)).unwrap();
    assert_eq!((plain.kind(), plain.len()), (Kind::Buffered, 18));
    plain.append(&ledger, Span::empty()).unwrap();
    assert_eq!(plain.len(), 18);
}

struct Memory;

impl crate::DeviceMemory for Memory {
    fn provider(&self) -> u64 {
        0
    }

    fn release(&self, _: u64, _: usize) {}
}

/// What was advanced over still lies in the list: it counts towards what an offset can
/// say.
#[test]
fn a_gather_is_not_filled_beyond_what_offsets_can_say() {
    const GIB: usize = 1 << 30;
    let ledger = Ledger::new();
    let device = |at: u64, len| {
        let memory = std::sync::Arc::new(Memory);
        Span::from_device(&ledger, memory, at << 32, len, None).unwrap()
    };
    let mut span = Span::gather(&ledger, [device(1, 3 * GIB), device(2, GIB / 2)]).unwrap();
    span.advance(3 * GIB - 1).unwrap();
    span.append(&ledger, device(3, 3 * GIB)).unwrap();
    let places = |span: &Span| {
        let place = |extent: crate::Extent<'_>| extent.device().map(|at| (at.offset, at.len));
        span.extents().filter_map(place).collect::<Vec<_>>()
    };
    let last = (1 << 32) + 3 * GIB as u64 - 1;
    assert_eq!(
        places(&span),
        [(last, 1), (2 << 32, GIB / 2), (3 << 32, 3 * GIB)]
    );
    assert_eq!(places(&span.slice(2 * GIB..).unwrap()).len(), 1);
    let part = span.slice(GIB..GIB + 1).unwrap();
    assert_eq!(places(&part), [((3 << 32) + GIB as u64 / 2 - 1, 1)]);
    assert!(span.append(&ledger, device(4, GIB)).is_err());
}
