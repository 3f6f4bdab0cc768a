use proptest::prelude::*;
use txbuf::Checksum;

use super::super::testing::*;
use super::*;

const START: Instant = Instant::from_secs(100);

struct Bench {
    memory: Memory,
    reassembly: Reassembly,
    counters: IpCounters,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Bench::with(ReassemblyLimits::default())
    }

    fn with(limits: ReassemblyLimits) -> Self {
        let memory = Memory::new();
        let reassembly = Reassembly::new(limits, &memory.pool);
        Bench {
            memory,
            reassembly,
            counters: IpCounters::default(),
            now: START,
        }
    }

    fn insert(&mut self, bytes: &[u8]) -> Outcome {
        let mut packet = self.memory.received(bytes);
        let header = input::parse(&mut packet).unwrap();
        let outcome = self
            .reassembly
            .insert(self.now, &header, packet, &mut self.counters);
        self.check();
        outcome
    }

    fn complete(&mut self, bytes: &[u8]) -> Vec<u8> {
        match self.insert(bytes) {
            Outcome::Complete(_, packet) => packet.to_vec().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn pending(&mut self, bytes: &[u8]) {
        let outcome = self.insert(bytes);
        assert!(matches!(outcome, Outcome::Pending), "{outcome:?}");
    }

    fn dropped(&mut self, bytes: &[u8]) -> ReassemblyDrop {
        let mut packet = self.memory.received(bytes);
        let header = input::parse(&mut packet).unwrap();
        let info = header.fragment.unwrap();
        let result =
            self.reassembly
                .try_insert(self.now, &header, info, packet, &mut self.counters);
        self.check();
        let reason = result.unwrap_err();
        reason.count(&mut self.counters);
        reason
    }

    /// The sums are what they are sums of.
    fn check(&self) {
        let all = &self.reassembly;
        assert_eq!(
            all.held,
            all.datagrams.values().map(Datagram::charge).sum::<usize>()
        );
        assert_eq!(all.expiry.len(), all.datagrams.len());
        assert!(all.held <= all.limits.total);
        assert!(all.datagrams.len() <= all.limits.datagrams);
    }

    fn expire_all(&mut self) -> Vec<Expired> {
        std::iter::from_fn(|| self.reassembly.expire(self.now, &mut self.counters)).collect()
    }

    fn assert_empty(self) {
        let Bench {
            memory, reassembly, ..
        } = self;
        assert_eq!(reassembly.held, 0);
        assert_eq!(reassembly.poll_timeout(), None);
        drop(reassembly);
        assert_eq!(memory.ledger.live_nodes(), 0);
    }
}

/// The fragments of `segment`, `size` bytes each, as packets.
fn fragments(v6: bool, segment: &[u8], size: usize) -> Vec<Vec<u8>> {
    assert_eq!(size % 8, 0);
    let count = segment.len().div_ceil(size);
    let one = |(index, chunk)| {
        let (at, more) = (index * size, index + 1 < count);
        if v6 {
            v6_fragment(UDP, 7, at, more, chunk)
        } else {
            v4_fragment(UDP, 7, at, more, chunk)
        }
    };
    segment.chunks(size).enumerate().map(one).collect()
}

/// What they come from.
fn whole(v6: bool, segment: &[u8]) -> Vec<u8> {
    if v6 {
        return self::v6(A6, B6, UDP, segment);
    }
    let mut bytes = v4(A4, B4, UDP, segment);
    bytes[4..6].copy_from_slice(&[0, 7]);
    fix_v4(&mut bytes);
    bytes
}

fn permutations(list: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    if list.len() <= 1 {
        return vec![list.to_vec()];
    }
    let mut all = Vec::new();
    for index in 0..list.len() {
        let mut rest = list.to_vec();
        let first = rest.remove(index);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

// req: RFC815-01, RFC815-02, RFC791-10, RFC1122-09
#[test]
fn every_order_of_five_fragments() {
    for v6 in [false, true] {
        let segment = pattern(2020);
        for order in permutations(&fragments(v6, &segment, 480)) {
            let mut bench = Bench::new();
            for bytes in &order[..4] {
                bench.pending(bytes);
            }
            assert_eq!(bench.complete(&order[4]), whole(v6, &segment));
            assert_eq!(
                (
                    bench.counters.fragments_received,
                    bench.counters.reassembled
                ),
                (5, 1)
            );
            bench.assert_empty();
        }
    }
}

#[test]
fn the_header_is_that_of_a_whole_packet() {
    let mut bench = Bench::new();
    let list = fragments(false, &pattern(1000), 496);
    bench.pending(&list[0]);
    bench.pending(&list[1]);
    let mut last = bench.memory.received(&list[2]);
    last.meta.checksum = Checksum::Verified;
    let header = input::parse(&mut last).unwrap();
    let Outcome::Complete(header, packet) =
        bench
            .reassembly
            .insert(START, &header, last, &mut bench.counters)
    else {
        panic!("not complete");
    };
    assert_eq!(
        (header.header_len, header.payload_len, header.fragment),
        (20, 1000, None)
    );
    assert_eq!(packet.meta.checksum, Checksum::Complete);
    assert!(packet.span().is_some());
}

// req: RFC791-09
#[test]
fn datagrams_are_kept_apart() {
    let mut bench = Bench::new();
    let first = |ident| v4_fragment(UDP, ident, 0, true, &[ident as u8; 16]);
    let last = |ident| v4_fragment(UDP, ident, 16, false, &[ident as u8; 5]);
    for ident in 0..20 {
        bench.pending(&first(ident));
    }
    bench.pending(&v4_fragment(99, 0, 0, true, &[1; 16]));
    for ident in (0..20).rev() {
        let packet = bench.complete(&last(ident));
        assert_eq!(packet[20..], [ident as u8; 21]);
    }
    assert_eq!(bench.reassembly.datagrams.len(), 1);
}

#[test]
fn v6_counts_no_protocol() {
    // RFC8200: the next header of a later fragment means nothing.
    let mut bench = Bench::new();
    bench.pending(&v6_fragment(99, 7, 16, false, &[2; 4]));
    let packet = bench.complete(&v6_fragment(UDP, 7, 0, true, &[1; 16]));
    assert_eq!(packet, v6(A6, B6, UDP, &[vec![1; 16], vec![2; 4]].concat()));
}

#[test]
fn what_is_no_fragment_passes() {
    let mut bench = Bench::new();
    let bytes = udp_packet(A4, B4, &pattern(10));
    assert_eq!(bench.complete(&bytes), bytes);
    assert_eq!(bench.counters, IpCounters::default());
}

// req: RFC6946-01, RFC6946-02
#[test]
fn atomic_fragments_do_not_mix() {
    let mut bench = Bench::new();
    bench.pending(&v6_fragment(UDP, 7, 0, true, &pattern(16)));
    let atomic = v6_fragment(UDP, 7, 0, false, &pattern(30));
    assert_eq!(bench.complete(&atomic), atomic);
    assert_eq!(
        bench.complete(&v6_fragment(UDP, 7, 16, false, &[1])).len(),
        40 + 17
    );
}

#[test]
fn headers_before_and_after_the_fragment_header() {
    let mut bench = Bench::new();
    let segment = [options_header(UDP, &[]), pattern(40)].concat();
    let fragment = |at: usize, more: bool| {
        let chunk = &segment[at..if more { at + 24 } else { segment.len() }];
        let body = [
            options_header(44, &[5, 2, 0, 0]),
            fragment_header(60, 7, at, more).to_vec(),
            chunk.to_vec(),
        ];
        v6(A6, B6, 0, &body.concat())
    };
    bench.pending(&fragment(24, false));
    let Outcome::Complete(header, packet) = bench.insert(&fragment(0, true)) else {
        panic!("not complete")
    };
    let expected = v6(
        A6,
        B6,
        0,
        &[options_header(60, &[5, 2, 0, 0]), segment].concat(),
    );
    assert_eq!(packet.to_vec().unwrap(), expected);
    assert_eq!(header.protocol, smoltcp::wire::IpProtocol::Udp);
    assert_eq!((header.header_len, header.payload_len), (56, 40));
}

// req: RFC8200-21
#[test]
fn exact_duplicates_are_dropped_alone() {
    for v6 in [false, true] {
        let mut bench = Bench::new();
        let segment = pattern(1000);
        let list = fragments(v6, &segment, 400);
        bench.pending(&list[0]);
        assert_eq!(bench.dropped(&list[0]), ReassemblyDrop::Duplicate);
        bench.pending(&list[2]);
        assert_eq!(bench.dropped(&list[2]), ReassemblyDrop::Duplicate);
        assert_eq!(bench.complete(&list[1]), whole(v6, &segment));
        assert_eq!(bench.counters.reassembly_duplicates, 2);
        bench.assert_empty();
    }
}

// req: RFC5722-02, RFC8200-21, RFC6274-16
#[test]
fn an_overlap_ends_the_whole_datagram() {
    for (at, len) in [(8, 16), (0, 24), (16, 24), (24, 8), (0, 48), (8, 8)] {
        let mut bench = Bench::new();
        bench.pending(&v4_fragment(UDP, 7, 0, true, &pattern(16)));
        bench.pending(&v4_fragment(UDP, 7, 24, true, &pattern(16)));
        assert_eq!(
            bench.dropped(&v4_fragment(UDP, 7, at, true, &pattern(len))),
            ReassemblyDrop::Overlap,
            "{at}"
        );
        assert_eq!(
            bench.memory.ledger.live_nodes(),
            1,
            "only the arena's own node stays"
        );
        // Neither what is missing nor a fresh start completes it.
        assert_eq!(
            bench.dropped(&v4_fragment(UDP, 7, 16, true, &pattern(8))),
            ReassemblyDrop::Refused
        );
        assert_eq!(
            bench.dropped(&v4_fragment(UDP, 7, 0, true, &pattern(16))),
            ReassemblyDrop::Refused
        );
        bench.now = START + Duration::from_secs(61);
        assert!(bench.expire_all().is_empty(), "no ICMP error for it");
        bench.assert_empty();
    }
}

#[test]
fn two_ends() {
    let end = |at, len| v4_fragment(UDP, 7, at, false, &pattern(len));
    let more = |at, len| v4_fragment(UDP, 7, at, true, &pattern(len));
    for (first, second) in [
        (end(80, 8), end(160, 8)),
        (end(80, 8), more(160, 8)),
        (more(160, 8), end(80, 8)),
        (end(80, 8), more(80, 8)),
        (more(80, 8), end(80, 8)),
    ] {
        let mut bench = Bench::new();
        bench.pending(&first);
        assert_eq!(bench.dropped(&second), ReassemblyDrop::Inconsistent);
        assert_eq!(bench.dropped(&more(0, 8)), ReassemblyDrop::Refused);
    }
}

#[test]
fn tiny_first_fragments() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.dropped(&v4_fragment(TCP, 7, 0, true, &pattern(16))),
        ReassemblyDrop::Tiny
    );
    bench.pending(&v4_fragment(TCP, 7, 0, true, &pattern(24)));
}

// req: RFC791-14, RFC815-03, RFC1122-53, RFC1122-54, RFC8200-16, RFC8200-17
#[test]
fn time_runs_out() {
    for (v6, timeout) in [(false, 60), (true, 60)] {
        let mut bench = Bench::new();
        let list = fragments(v6, &pattern(1000), 400);
        bench.pending(&list[0]);
        bench.now = START + Duration::from_secs(10);
        bench.pending(&list[1]);
        let deadline = START + Duration::from_secs(timeout);
        assert_eq!(bench.reassembly.poll_timeout(), Some(deadline));
        bench.now = START + Duration::from_millis(timeout * 1000 - 1);
        assert!(bench.expire_all().is_empty());
        bench.now = deadline;
        let expired = bench.expire_all();
        assert_eq!(expired.len(), 1);
        assert_eq!(
            expired[0].first.as_ref().unwrap().to_vec().unwrap(),
            list[0]
        );
        assert_eq!(bench.counters.reassembly_timeouts, 1);
        drop(expired);
        bench.assert_empty();
    }
}

#[test]
fn without_the_first_fragment_nobody_is_told() {
    let mut bench = Bench::new();
    bench.pending(&fragments(false, &pattern(1000), 400)[1]);
    bench.now = START + Duration::from_secs(60);
    let expired = bench.expire_all();
    assert!(expired.len() == 1 && expired[0].first.is_none());
    bench.assert_empty();
}

#[test]
fn more_pieces_than_a_gather_holds() {
    let segment = pattern(65_515);
    for (size, most_nodes) in [(48, 17), (1480, 17), (4096, 17), (8000, 10)] {
        let mut bench = Bench::with(ReassemblyLimits {
            datagram: 1 << 20,
            ..ReassemblyLimits::default()
        });
        let list = fragments(false, &segment, size);
        for bytes in &list[..list.len() - 1] {
            bench.pending(bytes);
        }
        let Outcome::Complete(header, packet) = bench.insert(&list[list.len() - 1]) else {
            panic!("{size}")
        };
        assert_eq!(header.payload_len, 65_515);
        assert_eq!(packet.to_vec().unwrap(), whole(false, &segment));
        drop(bench.reassembly);
        assert!(
            bench.memory.ledger.live_nodes() <= most_nodes,
            "{size}: {}",
            bench.memory.ledger.live_nodes()
        );
        drop(packet);
        assert_eq!(bench.memory.ledger.live_nodes(), 0);
    }
}

#[test]
fn too_long_once_whole() {
    // The first fragment has options: together with the last the packet would be too long.
    let mut bench = Bench::new();
    let mut first = v4_options(A4, B4, UDP, &[1; 40], &pattern(65_472));
    first[4..8].copy_from_slice(&[0, 7, 0x20, 0]);
    fix_v4(&mut first);
    bench.pending(&first);
    let last = v4_fragment(UDP, 7, 65_472, false, &pattern(40));
    assert!(bench.dropped(&last) == ReassemblyDrop::Malformed);
    bench.assert_empty();
}

#[test]
fn small_fragments_of_large_buffers_are_copied() {
    let mut bench = Bench::new();
    let buffer = bench.memory.span(&[pattern(0), vec![0; 64 << 10]].concat());
    drop(buffer);
    let bytes = v4_fragment(UDP, 7, 0, true, &pattern(160));
    let large = bench
        .memory
        .span(&[bytes.clone(), vec![0; 60_000]].concat());
    let mut packet = Packet::from_span(large);
    let header = input::parse(&mut packet).unwrap();
    assert!(matches!(
        bench
            .reassembly
            .insert(START, &header, packet, &mut bench.counters),
        Outcome::Pending
    ));
    assert_eq!(bench.memory.ledger.report().of(txbuf::Kind::Owned).nodes, 0);
    assert_eq!(
        bench.complete(&v4_fragment(UDP, 7, 160, false, &[9]))[20..180],
        pattern(160)
    );
}

// req: RFC6274-13, RFC6274-14
#[test]
fn memory_is_bounded_and_the_oldest_goes() {
    let limits = ReassemblyLimits {
        total: 20_000,
        datagrams: 8,
        per_source: 8,
        ..ReassemblyLimits::default()
    };
    let mut bench = Bench::with(limits);
    for ident in 0..20 {
        bench.now += Duration::from_millis(1);
        bench.pending(&v4_fragment(UDP, ident, 0, true, &pattern(1480)));
    }
    assert_eq!(bench.reassembly.datagrams.len(), 8);
    assert_eq!(bench.counters.reassembly_evicted, 12);
    assert!(bench.reassembly.datagrams.keys().all(|key| key.ident >= 12));
    for at in 1..9 {
        bench.pending(&v4_fragment(UDP, 19, at * 1480, true, &pattern(1480)));
    }
    assert!(
        bench.reassembly.datagrams.contains_key(
            bench
                .reassembly
                .datagrams
                .keys()
                .find(|key| key.ident == 19)
                .unwrap()
        )
    );
}

#[test]
fn one_source_cannot_push_out_another() {
    let limits = ReassemblyLimits {
        datagrams: 100,
        per_source: 4,
        ..ReassemblyLimits::default()
    };
    let mut bench = Bench::with(limits);
    let mut other = v4("10.9.9.9", B4, UDP, &pattern(16));
    other[6] = 0x20;
    fix_v4(&mut other);
    bench.pending(&other);
    for ident in 0..50 {
        bench.pending(&v4_fragment(UDP, ident, 0, true, &pattern(16)));
    }
    assert_eq!(bench.reassembly.datagrams.len(), 5);
    assert!(
        bench
            .reassembly
            .datagrams
            .keys()
            .any(|key| key.src == ip("10.9.9.9"))
    );
}

#[test]
fn one_datagram_cannot_take_everything() {
    let mut bench = Bench::with(ReassemblyLimits {
        datagram: 5000,
        ..ReassemblyLimits::default()
    });
    bench.pending(&v4_fragment(UDP, 7, 0, true, &pattern(1480)));
    bench.pending(&v4_fragment(UDP, 7, 1480, true, &pattern(1480)));
    assert_eq!(
        bench.dropped(&v4_fragment(UDP, 7, 2960, true, &pattern(1480))),
        ReassemblyDrop::TooLarge
    );
    assert_eq!(
        bench.dropped(&v4_fragment(UDP, 7, 4440, true, &pattern(8))),
        ReassemblyDrop::Refused
    );
}

#[test]
fn without_memory_fragments_are_dropped() {
    let memory = Memory::limited(0);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default(), &memory.pool);
    let mut counters = IpCounters::default();
    let mut packet = memory.received(&v4_fragment(UDP, 7, 0, true, &pattern(16)));
    let header = input::parse(&mut packet).unwrap();
    let outcome = reassembly.insert(START, &header, packet, &mut counters);
    assert!(matches!(outcome, Outcome::Dropped));
    assert_eq!(counters.reassembly_no_memory, 1);
}

// req: RFC3168-04, RFC3168-05
#[test]
fn ecn_is_kept() {
    let with_ecn = |ecn: u8, at: usize, more: bool| {
        let mut bytes = v4_fragment(UDP, 7, at, more, &pattern(16));
        bytes[1] = ecn;
        fix_v4(&mut bytes);
        bytes
    };
    let mut bench = Bench::new();
    bench.pending(&with_ecn(0b10, 0, true));
    assert_eq!(bench.complete(&with_ecn(0b11, 16, false))[1], 0b11);
    bench.pending(&with_ecn(0b00, 0, true));
    assert_eq!(
        bench.dropped(&with_ecn(0b11, 16, false)),
        ReassemblyDrop::BadEcn
    );
    let mut bench = Bench::new();
    let mut first = v6_fragment(UDP, 7, 0, true, &pattern(16));
    let mut last = v6_fragment(UDP, 7, 16, false, &pattern(16));
    (first[1], last[1]) = (0x10, 0x30);
    bench.pending(&first);
    assert_eq!(bench.complete(&last)[..2], [0x60, 0x30]);
}

proptest! {
    #[test]
    fn any_fragments_keep_the_books(
        list in prop::collection::vec((0u8..3, 0usize..12, any::<bool>(), 1usize..8, any::<bool>(), 0u64..5000), 1..200),
        total in 2000usize..20_000,
    ) {
        let limits = ReassemblyLimits { total, datagram: total / 2, datagrams: 3, per_source: 2, ..ReassemblyLimits::default() };
        let mut bench = Bench::with(limits);
        for (ident, at, more, len, v6, wait) in list {
            bench.now += Duration::from_millis(wait);
            let payload = pattern(len * 8);
            let bytes = match v6 {
                true => v6_fragment(99, ident.into(), at * 8, more, &payload),
                false => v4_fragment(99, ident.into(), at * 8, more, &payload),
            };
            bench.insert(&bytes);
            bench.expire_all();
            bench.check();
        }
        bench.now += Duration::from_secs(61);
        bench.expire_all();
        bench.assert_empty();
    }

    #[test]
    fn what_is_cut_comes_together(
        segment in prop::collection::vec(any::<u8>(), 1..5000),
        mtu in 100usize..1500,
        v6: bool,
        seed: u64,
    ) {
        let mut bench = Bench::new();
        let bytes = whole(v6, &segment);
        let mtu = if v6 { mtu + 20 } else { mtu };
        let mut list: Vec<Vec<u8>> = super::super::fragment::fragment(bench.memory.packet(&bytes), mtu, 7)
            .unwrap()
            .map(|packet| packet.to_vec().unwrap())
            .collect();
        // A shuffle.
        let mut state = seed | 1;
        for index in (1..list.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            list.swap(index, (state >> 33) as usize % (index + 1));
        }
        let last = list.pop().unwrap();
        for bytes in &list {
            bench.pending(bytes);
        }
        prop_assert_eq!(bench.complete(&last), bytes);
        bench.assert_empty();
    }
}
