//! The price list: what each operation costs, by number of extents.
//!
//! The test compares what it counts with the table in the crate's documentation
//! (`prices.md`); with `UPDATE_PRICES=1` in the environment it writes the table
//! instead.

use std::fmt::{self, Write};
use std::ops::Range;

use crate::sync::counted;
use crate::test_support::allocations::allocated;
use crate::test_support::pattern;
use crate::{Chain, Completions, Extent, Ledger, Order, Packet, Pool, PoolConfig, Region, Span};

const SEGMENT: usize = 4096;

/// Read-modify-writes, allocations, bytes copied.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Price(usize, usize, usize);

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.0, self.1, self.2)
    }
}

/// A stream with a whole number of nodes, all of it as one span, and the means to
/// make more.
struct Bench {
    ledger: Ledger,
    pool: Pool,
    chain: Chain,
    span: Span,
    extents: usize,
}

impl Bench {
    fn new(extents: usize) -> Self {
        let ledger = Ledger::new();
        let config = PoolConfig {
            segment: SEGMENT,
            limit: 1 << 30,
            keep: 512,
        };
        let pool = Pool::new(&ledger, config);
        let mut chain = Chain::stream(&pool);
        chain.append(&pattern(extents * SEGMENT)).unwrap();
        let span = chain.span(0, usize::MAX);
        assert_eq!(span.extents().count(), extents);
        // Idle segments, and header areas for this thread.
        drop((0..64).map(|_| pool.reserve().unwrap()).collect::<Vec<_>>());
        drop(std::array::from_fn::<_, 8, _>(|_| Packet::new()));
        Self {
            ledger,
            pool,
            chain,
            span,
            extents,
        }
    }

    fn len(&self) -> usize {
        self.span.len()
    }

    /// A sent packet: 52 bytes of headers before the whole span.
    fn packet(&self) -> Packet {
        let mut packet = Packet::with_payload(self.span.clone());
        packet.push(52).unwrap();
        packet
    }

    /// As many spans as there are extents (16 at most), no two of which merge.
    fn parts(&self) -> Vec<Span> {
        let n = self.extents.min(16);
        let size = self.len() / n;
        let part = |i| self.span.slice(i * size..i * size + size - 1).unwrap();
        (0..n).map(part).collect()
    }

    /// Bytes of `span` that lie elsewhere than in the stream.
    fn copied(&self, span: &Span) -> usize {
        let stream = |at: *const u8| {
            self.span.extents().any(|extent| {
                let (base, len) = raw(&extent);
                (base..base.wrapping_add(len)).contains(&at)
            })
        };
        let extents = span.extents().filter(|extent| !stream(raw(extent).0));
        extents.map(|extent| extent.len()).sum()
    }
}

fn raw(extent: &Extent<'_>) -> (*const u8, usize) {
    let raw = extent.raw().unwrap();
    (raw.as_ptr(), raw.len())
}

/// What `f` costs on this thread, apart from the bytes it copies.
fn price<R>(f: impl FnOnce() -> R) -> (Price, R) {
    let (atomics, (allocations, result)) = counted(|| allocated(f));
    (Price(atomics, allocations, 0), result)
}

impl Price {
    fn copying(self, bytes: usize) -> Self {
        Price(self.0, self.1, bytes)
    }
}

/// An operation on spans whose results are spans.
fn on_span<const N: usize>(bench: &Bench, f: impl FnOnce(&mut Span) -> [Span; N]) -> Price {
    let mut span = bench.span.clone();
    let (price, made) = price(|| f(&mut span));
    let copied = made.iter().map(|made| bench.copied(made)).sum::<usize>();
    price.copying(copied + bench.copied(&span))
}

/// An operation on a packet whose results are packets; header bytes of the results
/// are copies.
fn on_packet<const N: usize>(bench: &Bench, f: impl FnOnce(&mut Packet) -> [Packet; N]) -> Price {
    let mut packet = bench.packet();
    let (price, made) = price(|| f(&mut packet));
    let payload = |packet: &Packet| packet.span().map_or(0, |span| bench.copied(span));
    let made = made.iter();
    let copied: usize = made.map(|made| made.headers().len() + payload(made)).sum();
    price.copying(copied + payload(&packet))
}

type Row = (&'static str, &'static str, fn(&mut Bench) -> Price);

/// Operation, its name in the kernel, and how it is measured.
const ROWS: &[Row] = &[
    ("clone", "`skb_clone`", |b| on_span(b, |s| [s.clone()])),
    ("clone with a private header", "`pskb_copy`", |b| {
        on_packet(b, |p| [p.clone()])
    }),
    ("split", "`skb_split`", |b| {
        let at = b.len() / 2 + 1;
        on_span(b, |s| [s.split_off(at).unwrap()])
    }),
    ("split a packet", "`tcp_fragment`", |b| {
        let at = b.len() / 2 + 1;
        on_packet(b, |p| [p.split_off(52 + at).unwrap()])
    }),
    (
        "trim the front within the first node",
        "`tcp_trim_head`",
        |b| {
            on_span(b, |s| {
                s.advance(100).unwrap();
                []
            })
        },
    ),
    ("advance into the last node", "`skb_pull`", |b| {
        let n = b.len() - 10;
        on_span(b, |s| {
            s.advance(n).unwrap();
            []
        })
    }),
    ("trim the back", "`pskb_trim`", |b| {
        let n = b.len() - 10;
        on_span(b, |s| {
            s.truncate(n).unwrap();
            []
        })
    }),
    ("append 100 bytes to a stream", "`skb_add_data`", |b| {
        b.chain.append(&[1]).unwrap();
        let (price, _) = price(|| b.chain.append(&[2; 100]).unwrap());
        price.copying(100)
    }),
    (
        "receive 1460 bytes into an arena",
        "`napi_alloc_skb`",
        |b| {
            let mut arena = Chain::arena(&b.pool);
            drop(arena.copy(&[1]).unwrap());
            let (price, _) = price(|| arena.copy(&[2; 1460]).unwrap());
            price.copying(1460)
        },
    ),
    ("take a fresh segment", "`alloc_pages`", |b| {
        price(|| b.pool.reserve().unwrap()).0
    }),
    (
        "take over a segment filled elsewhere",
        "`skb_splice_from_iter`",
        |b| {
            // The queue has grown already.
            b.chain
                .append_span(b.pool.reserve().unwrap().commit(SEGMENT));
            let room = b.pool.reserve().unwrap();
            let (price, ()) = price(|| b.chain.append_span(room.commit(SEGMENT)));
            price
        },
    ),
    (
        "write a used-up node again",
        "`skb_page_frag_refill`",
        |b| {
            let mut arena = Chain::arena(&b.pool);
            drop(arena.copy(&[1; SEGMENT]).unwrap());
            let (price, _) = price(|| arena.reserve(SEGMENT).unwrap().len());
            price
        },
    ),
    (
        "release what was acknowledged",
        "`tcp_clean_rtx_queue`",
        |b| {
            b.span = Span::empty();
            let end = b.chain.end();
            price(|| b.chain.release(end)).0
        },
    ),
    ("grow the last unsent packet", "`tcp_grow_skb`", |b| {
        b.chain.release(b.chain.end() - 1);
        b.chain.append(&[1; 10]).unwrap();
        let pos = b.chain.end() - 5;
        let mut last = b.chain.span(pos, 5);
        b.chain.append(&[2; 100]).unwrap();
        let (price, grown) = price(|| b.chain.grow_span(&mut last, pos, 105));
        assert_eq!(grown, 100);
        price
    }),
    ("cut into segments of 1460", "`skb_segment`", |b| {
        let mut segments = Vec::with_capacity(b.len() / 1460 + 1);
        let span = b.span.clone();
        let (price, ()) = price(|| segments.extend(span.into_segments(1460)));
        price.copying(segments.iter().map(|segment| b.copied(segment)).sum())
    }),
    ("coalesce two adjacent", "`skb_try_coalesce`", |b| {
        let mut front = b.span.clone();
        let back = front.split_off(b.len() / 2).unwrap();
        price(|| front.try_merge(back).unwrap()).0
    }),
    ("fill a gather by one", "`skb_try_coalesce`", |b| {
        let ledger = b.ledger.clone();
        let small = |byte: u8| Span::from_owner(&ledger, vec![byte; 10]).unwrap();
        let mut gather = Span::gather(&ledger, [small(1), small(2)]).unwrap();
        let next = b.span.slice(..10).unwrap();
        price(|| gather.append(&ledger, next).unwrap()).0
    }),
    (
        "build a gather of 1, 16, 16",
        "`skb_shinfo(skb)->frag_list`",
        |b| {
            let (ledger, parts) = (b.ledger.clone(), b.parts());
            price(|| Span::gather(&ledger, parts).unwrap()).0
        },
    ),
    ("make room for a header", "`pskb_expand_head`", |b| {
        let mut packet = Packet::from_span(b.span.clone());
        packet.pull(40).unwrap();
        let (price, ()) = price(|| packet.expand_head(64).unwrap());
        price.copying(40)
    }),
    (
        "carve inside the header",
        "`pskb_carve_inside_header`",
        |b| {
            on_packet(b, |p| {
                p.carve(20).unwrap();
                []
            })
        },
    ),
    (
        "carve inside the payload",
        "`pskb_carve_inside_nonlinear`",
        |b| {
            let n = 52 + b.len() - 10;
            on_packet(b, |p| {
                p.carve(n).unwrap();
                []
            })
        },
    ),
    ("pull 40 bytes of headers", "`pskb_may_pull`", |b| {
        let mut packet = Packet::from_span(b.span.clone());
        let (price, ()) = price(|| packet.pull(40).unwrap());
        price.copying(packet.headers().len())
    }),
    ("stream packet to datagram", "`skb_zerocopy`", |b| {
        on_packet(b, |p| [p.zerocopy(p.len(), 52).unwrap()])
    }),
    (
        "cut a probe larger than a segment",
        "`tcp_clone_payload`",
        |b| {
            let (price, probe) = price(|| b.chain.span(100, 2000));
            price.copying(b.copied(&probe))
        },
    ),
    ("linearise", "`skb_linearize`", |b| {
        let mut arena = arena(b);
        on_span(b, |s| [s.linearise(&mut arena).unwrap()])
    }),
    (
        "lend 1, 16, 16 ranges",
        "`msg_zerocopy_alloc`, `pin_user_pages`",
        |b| {
            let (region, ranges, mut completions) = lending(b);
            let token = completions.token().unwrap();
            let (price, span) = price(|| region.lend_all(&ranges, Some(&token)).unwrap());
            drop(span);
            price
        },
    ),
    (
        "downgrade lent memory to a copy",
        "`skb_orphan_frags`",
        |b| {
            let (region, ranges, _) = lending(b);
            let mut span = region.lend_all(&ranges, None).unwrap();
            let mut arena = arena(b);
            let (price, ()) = price(|| span.orphan(&mut arena).unwrap());
            price.copying(span.len())
        },
    ),
    (
        "the last drop of a message",
        "`msg_zerocopy_complete`",
        |b| {
            let (_, _, mut completions) = lending(b);
            let token = completions.token().unwrap();
            price(|| drop(token)).0
        },
    ),
    ("iterate the extents", "`skb_frag_foreach_page`", |b| {
        price(|| b.span.extents().count()).0
    }),
    ("checksum", "`skb_checksum`", |b| {
        price(|| b.span.checksum().unwrap()).0
    }),
    ("checksum, combined of two", "`csum_block_add`", |_| {
        price(|| crate::checksum::combine(1, 2, true)).0
    }),
    ("checksum, one word updated", "`csum_replace2`", |_| {
        price(|| crate::checksum::update(1, 2, 3)).0
    }),
    ("look up by position", "`tcp_sacktag_bsearch`", |b| {
        let pos = b.chain.end() - 10;
        let (price, span) = price(|| b.chain.span(pos, 10));
        price.copying(b.copied(&span))
    }),
    ("drop that frees the storage", "`skb_release_data`", |b| {
        let span = std::mem::take(&mut b.span);
        b.chain = Chain::stream(&b.pool);
        price(|| drop(span)).0
    }),
    ("drop while the storage lives on", "`kfree_skb`", |b| {
        let span = b.span.clone();
        price(|| drop(span)).0
    }),
];

/// A region of as many bytes as the span has, in as many ranges as it has extents
/// (16 at most), lent once before.
fn lending(bench: &Bench) -> (Region<Vec<u8>>, Vec<Range<usize>>, Completions) {
    let region = Region::new(&bench.ledger, pattern(bench.len()));
    let n = bench.extents.min(16);
    let size = bench.len() / n;
    let ranges: Vec<_> = (0..n).map(|i| i * size..(i + 1) * size).collect();
    drop(region.lend_all(&ranges, None).unwrap());
    (region, ranges, Completions::new(Order::Stream, 10))
}

/// An arena with a segment long enough for the whole span.
fn arena(bench: &Bench) -> Chain {
    let config = PoolConfig {
        segment: bench.len(),
        limit: bench.len(),
        keep: 1,
    };
    let pool = Pool::new(&bench.ledger, config);
    drop(pool.reserve().unwrap());
    Chain::arena(&pool)
}

fn table() -> String {
    let mut table = String::from(
        "| operation | in the kernel | 1 extent | 16 extents | 64 extents |\n|---|---|---|---|---|\n",
    );
    for (name, kernel, measure) in ROWS {
        let [one, some, many] = [1, 16, 64].map(|extents| measure(&mut Bench::new(extents)));
        writeln!(table, "| {name} | {kernel} | {one} | {some} | {many} |").unwrap();
    }
    table
}

#[test]
fn the_price_list_is_what_is_counted() {
    let counted = table();
    if std::env::var_os("UPDATE_PRICES").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/prices.md");
        std::fs::write(path, &counted).unwrap();
        return;
    }
    assert_eq!(include_str!("prices.md"), counted);
}

#[test]
fn the_bounds_that_the_design_promises() {
    let row = |name: &str| ROWS.iter().find(|row| row.0 == name).unwrap().2;
    for extents in [1, 16, 64] {
        let of = |name: &str| row(name)(&mut Bench::new(extents));
        assert_eq!(of("clone"), Price(1, 0, 0));
        assert_eq!(of("clone with a private header"), Price(1, 0, 52));
        let split = of("split");
        assert!(split.0 <= 1 && (split.1, split.2) == (0, 0));
        let segments = of("cut into segments of 1460");
        // Those of 64 lie on a gather, which is a node too.
        let nodes = extents + usize::from(extents > 16);
        assert!(segments.0 <= nodes && (segments.1, segments.2) == (0, 0));
    }
}
