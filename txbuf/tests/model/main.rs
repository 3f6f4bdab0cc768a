//! Random operations on chains, spans and packets against plain vectors.
//!
//! 10,000 sequences are tried, or as many as `PROPTEST_CASES` says. Lent memory is
//! written over as soon as its message's completion came: a span that still used it
//! would show that.

#![cfg(not(loom))]

use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;

use txbuf::{
    Account, Chain, CopyError, GATHER_MAX, Kind, Ledger, Packet, Pool, PoolConfig, PullError, Span,
};

mod cursor;
mod device;
mod lending;
mod shapes;

use device::{Device, check_chain, check_packet, check_span};
use lending::Lender;

/// A stream with everything ever appended to it, and spans with what they should
/// hold. Numbers in an operation are taken modulo what there is.
struct World {
    ledger: Ledger,
    pool: Pool,
    chain: Chain,
    history: Vec<u8>,
    spans: Vec<(Span, Vec<u8>)>,
    packets: Vec<(Packet, Vec<u8>)>,
    lender: Lender,
    account: Account,
    device: Arc<Device>,
    next_byte: u8,
}

#[derive(Clone, Debug)]
enum Op {
    Append(usize),
    Reserve {
        at_least: usize,
        commit: usize,
        span: bool,
    },
    AppendDetached(usize),
    AppendOwned(usize),
    AppendHeld(usize),
    Take {
        pos: usize,
        len: usize,
    },
    Release(usize),
    Clone(usize),
    Drop(usize),
    SplitTo(usize, usize),
    SplitOff(usize, usize),
    Slice(usize, usize, usize),
    Advance(usize, usize),
    Truncate(usize, usize),
    Merge(usize, usize),
    Gather(usize, usize, usize),
    Segments(usize, usize),
    Packet {
        span: usize,
        received: bool,
    },
    Push(usize, usize),
    Pull(usize, usize),
    Strip(usize, usize),
    Trim(usize, usize),
    ClonePacket(usize),
    Payload(usize, usize),
    Lend {
        lens: [usize; 3],
        send: bool,
    },
    Withdraw,
    Orphan(usize),
    OrphanPacket(usize),
    AppendTo(usize, usize),
    Linearise(usize),
    Compact(usize),
    SplitPacket(usize, usize),
    Carve(usize, usize),
    Zerocopy(usize, usize, usize),
    ExpandHead(usize, usize),
    Grow {
        pos: usize,
        len: usize,
        append: usize,
    },
    EndMessage,
    Device {
        len: usize,
        send: bool,
    },
    CopyFrom(usize, usize, usize),
    TakeSpans(usize, usize, usize),
    PutInto(usize, usize, usize),
    Collect(usize, usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0_usize..400;
    let which = || 0_usize..64;
    prop_oneof![
        n().prop_map(Op::Append),
        (0_usize..140, n(), any::<bool>()).prop_map(|(at_least, commit, span)| Op::Reserve {
            at_least,
            commit,
            span
        }),
        (0_usize..140).prop_map(Op::AppendDetached),
        n().prop_map(Op::AppendOwned),
        which().prop_map(Op::AppendHeld),
        (0_usize..10_000, 0_usize..3000).prop_map(|(pos, len)| Op::Take { pos, len }),
        n().prop_map(Op::Release),
        which().prop_map(Op::Clone),
        which().prop_map(Op::Drop),
        (which(), n()).prop_map(|(i, n)| Op::SplitTo(i, n)),
        (which(), n()).prop_map(|(i, n)| Op::SplitOff(i, n)),
        (which(), n(), n()).prop_map(|(i, a, b)| Op::Slice(i, a, b)),
        (which(), n()).prop_map(|(i, n)| Op::Advance(i, n)),
        (which(), n()).prop_map(|(i, n)| Op::Truncate(i, n)),
        (which(), which()).prop_map(|(a, b)| Op::Merge(a, b)),
        (which(), which(), which()).prop_map(|(a, b, c)| Op::Gather(a, b, c)),
        (which(), n()).prop_map(|(i, n)| Op::Segments(i, n)),
        (which(), any::<bool>()).prop_map(|(span, received)| Op::Packet { span, received }),
        (which(), 0_usize..60).prop_map(|(i, n)| Op::Push(i, n)),
        (which(), 0_usize..120).prop_map(|(i, n)| Op::Pull(i, n)),
        (which(), 0_usize..60).prop_map(|(i, n)| Op::Strip(i, n)),
        (which(), n()).prop_map(|(i, n)| Op::Trim(i, n)),
        which().prop_map(Op::ClonePacket),
        (which(), n()).prop_map(|(i, n)| Op::Payload(i, n)),
        lending::op(),
        shapes::op(),
        device::op(),
        cursor::op(),
    ]
}

impl World {
    fn new() -> Self {
        let ledger = Ledger::tracking();
        let config = PoolConfig {
            segment: 128,
            limit: 128 * 400,
            keep: 6,
        };
        let pool = Pool::new(&ledger, config);
        let chain = Chain::stream(&pool);
        Self {
            pool,
            chain,
            history: Vec::new(),
            spans: Vec::new(),
            packets: Vec::new(),
            lender: Lender::new(&ledger),
            account: Account::new(100_000),
            device: Arc::default(),
            ledger,
            next_byte: 0,
        }
    }

    fn fresh(&mut self, n: usize) -> Vec<u8> {
        let mut next = || {
            self.next_byte = self.next_byte.wrapping_mul(5).wrapping_add(113);
            self.next_byte
        };
        (0..n).map(|_| next()).collect()
    }

    fn span(&self, which: usize) -> Option<usize> {
        (!self.spans.is_empty()).then(|| which % self.spans.len())
    }

    fn packet(&self, which: usize) -> Option<usize> {
        (!self.packets.is_empty()).then(|| which % self.packets.len())
    }

    fn keep(&mut self, span: Span, bytes: Vec<u8>) {
        if self.spans.len() < 40 {
            self.spans.push((span, bytes));
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Append(_)
            | Op::Reserve { .. }
            | Op::AppendDetached(_)
            | Op::AppendOwned(_)
            | Op::AppendHeld(_)
            | Op::Take { .. }
            | Op::Release(_) => self.apply_to_chain(op),
            Op::Packet { .. }
            | Op::Push(..)
            | Op::Pull(..)
            | Op::Strip(..)
            | Op::Trim(..)
            | Op::ClonePacket(_)
            | Op::Payload(..) => {
                self.apply_to_packet(op);
            }
            Op::Merge(..) | Op::Gather(..) => self.apply_to_several(op),
            Op::Lend { .. }
            | Op::Withdraw
            | Op::Orphan(_)
            | Op::OrphanPacket(_)
            | Op::EndMessage => {
                self.apply_lending(op);
            }
            Op::AppendTo(..)
            | Op::Linearise(_)
            | Op::Compact(_)
            | Op::SplitPacket(..)
            | Op::Carve(..)
            | Op::Zerocopy(..)
            | Op::ExpandHead(..)
            | Op::Grow { .. } => {
                self.apply_shape(op);
            }
            Op::Device { len, send } => self.apply_device(len, send),
            Op::CopyFrom(..) | Op::TakeSpans(..) | Op::PutInto(..) | Op::Collect(..) => {
                self.apply_cursor(op);
            }
            _ => {
                self.apply_to_span(op);
            }
        }
    }

    fn apply_to_chain(&mut self, op: Op) {
        match op {
            Op::Append(n) => {
                let bytes = self.fresh(n);
                let done = self.chain.append(&bytes).unwrap_or(0);
                self.history.extend_from_slice(&bytes[..done]);
            }
            Op::Reserve {
                at_least,
                commit,
                span,
            } => {
                let bytes = self.fresh(commit);
                let Ok(mut room) = self.chain.reserve(at_least) else {
                    return;
                };
                assert!(room.len() >= at_least);
                let n = commit.min(room.len());
                room[..n].copy_from_slice(&bytes[..n]);
                self.history.extend_from_slice(&bytes[..n]);
                if span {
                    let span = room.commit(n);
                    self.keep(span, bytes[..n].to_vec());
                } else {
                    room.publish(n);
                }
            }
            Op::AppendDetached(n) => {
                let bytes = self.fresh(n);
                if let Ok(mut room) = self.pool.reserve() {
                    let n = n.min(room.len());
                    room[..n].copy_from_slice(&bytes[..n]);
                    self.chain.append_span(room.commit(n));
                    self.history.extend_from_slice(&bytes[..n]);
                }
            }
            Op::AppendOwned(n) => {
                let bytes = self.fresh(n);
                let Ok(charge) = self.account.charge(n) else {
                    return;
                };
                self.history.extend_from_slice(&bytes);
                let owner = (Bytes::from(bytes), charge);
                self.chain
                    .append_span(Span::from_owner(&self.ledger, owner).unwrap());
            }
            Op::AppendHeld(which) => {
                let Some(i) = self.span(which) else { return };
                let (span, bytes) = self.spans.swap_remove(i);
                self.chain.append_span(span);
                self.history.extend_from_slice(&bytes);
            }
            Op::Take { pos, len } => {
                let (start, end) = (self.chain.start(), self.chain.end());
                let pos = start + pos as u64 % (end - start + 1);
                let span = self.chain.span(pos, len);
                let pos = pos as usize;
                let wanted = len.min(self.history.len() - pos);
                let most_leaves = span.kind() == Kind::Gather && span.len() < wanted;
                assert!(span.len() == wanted || most_leaves);
                let bytes = self.history[pos..pos + span.len()].to_vec();
                self.keep(span, bytes);
            }
            Op::Release(n) => self.chain.release(self.chain.start() + n as u64),
            _ => {}
        }
    }

    fn apply_to_span(&mut self, op: Op) -> Option<()> {
        let (&which, n) = match &op {
            Op::Clone(i) | Op::Drop(i) => (i, 0),
            Op::SplitTo(i, n)
            | Op::SplitOff(i, n)
            | Op::Slice(i, n, _)
            | Op::Advance(i, n)
            | Op::Truncate(i, n)
            | Op::Segments(i, n) => (i, *n),
            _ => return None,
        };
        let i = self.span(which)?;
        let (span, bytes) = &mut self.spans[i];
        let fits = n <= bytes.len();
        let kept = match op {
            Op::Clone(_) => Some((span.clone(), bytes.clone())),
            Op::Drop(_) => {
                self.spans.swap_remove(i);
                None
            }
            Op::SplitTo(..) => {
                let front = span.split_to(n);
                assert_eq!(front.is_ok(), fits);
                let front = front.ok()?;
                let rest = bytes.split_off(n);
                Some((front, std::mem::replace(bytes, rest)))
            }
            Op::SplitOff(..) => {
                let back = span.split_off(n);
                assert_eq!(back.is_ok(), fits);
                Some((back.ok()?, bytes.split_off(n)))
            }
            Op::Slice(_, _, m) => {
                let part = span.slice(n..m);
                assert_eq!(part.is_ok(), bytes.get(n..m).is_some());
                Some((part.ok()?, bytes[n..m].to_vec()))
            }
            Op::Advance(..) => {
                assert_eq!(span.advance(n).is_ok(), fits);
                if fits {
                    bytes.drain(..n);
                }
                None
            }
            Op::Truncate(..) => {
                assert_eq!(span.truncate(n).is_ok(), fits);
                bytes.truncate(n);
                None
            }
            Op::Segments(..) => {
                let pieces: Vec<_> = span.clone().into_segments(n).collect();
                let expected: Vec<_> = bytes.chunks(n.max(1)).map(<[u8]>::to_vec).collect();
                let actual: Vec<_> = pieces.iter().map(|piece| self.device.read(piece)).collect();
                assert_eq!(actual, expected);
                pieces.into_iter().zip(expected).last()
            }
            _ => None,
        };
        let (span, bytes) = kept?;
        self.keep(span, bytes);
        Some(())
    }

    fn apply_to_several(&mut self, op: Op) {
        if self.spans.len() < 3 {
            return;
        }
        match op {
            Op::Merge(a, b) => {
                let (next, more) = self.spans.swap_remove(b % self.spans.len());
                let a = a % self.spans.len();
                let (span, bytes) = &mut self.spans[a];
                match span.try_merge(next) {
                    Ok(()) => bytes.extend_from_slice(&more),
                    Err(next) => self.spans.push((next, more)),
                }
            }
            Op::Gather(a, b, c) => {
                let parts = [a, b, c].map(|i| &self.spans[i % self.spans.len()]);
                let bytes = parts.map(|(_, bytes)| bytes.clone()).concat();
                let spans = parts.map(|(span, _)| span.clone());
                if let Ok(span) = Span::gather(&self.ledger, spans) {
                    self.keep(span, bytes);
                }
            }
            _ => {}
        }
    }

    fn apply_to_packet(&mut self, op: Op) -> Option<()> {
        if let Op::Packet { span, received } = op {
            let (span, bytes) = self.spans[self.span(span)?].clone();
            let packet = match received {
                true => Packet::from_span(span),
                false => Packet::with_payload(span),
            };
            if self.packets.len() < 10 {
                self.packets.push((packet, bytes));
            }
            return Some(());
        }
        let (Op::Push(which, n)
        | Op::Pull(which, n)
        | Op::Strip(which, n)
        | Op::Trim(which, n)
        | Op::Payload(which, n)) = op
        else {
            let Op::ClonePacket(which) = op else {
                return None;
            };
            let copy = self.packets[self.packet(which)?].clone();
            if self.packets.len() < 10 {
                self.packets.push(copy);
            }
            return Some(());
        };
        let header = self.fresh(n);
        let i = self.packet(which)?;
        let (packet, bytes) = &mut self.packets[i];
        match op {
            Op::Push(..) => {
                if let Ok(room) = packet.push(n) {
                    assert!(room.iter().all(|&byte| byte == 0));
                    room.copy_from_slice(&header);
                    bytes.splice(..0, header);
                }
            }
            Op::Pull(..) => match packet.pull(n) {
                Ok(()) => assert_eq!(&packet.headers()[..n], &bytes[..n]),
                Err(PullError::TooShort) => assert!(n > bytes.len()),
                Err(error) => {
                    assert_eq!(error, PullError::Unreadable);
                    assert!(packet.span().is_some_and(|span| !span.is_readable()));
                }
            },
            Op::Strip(..) => {
                if packet.strip(n).is_ok() {
                    bytes.drain(..n);
                }
            }
            Op::Trim(..) => {
                assert_eq!(packet.trim(n).is_ok(), n <= bytes.len());
                bytes.truncate(n);
            }
            _ => {
                let (packet, bytes) = self.packets.swap_remove(i);
                let mut small = Chain::arena(&self.pool);
                match packet.into_payload(n, &mut small) {
                    Ok(payload) => {
                        let expected = bytes.get(n..).unwrap_or(&[]);
                        assert_eq!(payload.is_some(), !expected.is_empty());
                        self.keep(payload?, expected.to_vec());
                    }
                    Err((packet, error)) => {
                        let readable = packet.span().is_none_or(Span::is_readable);
                        assert!(error == CopyError::NoMemory || !readable);
                        self.packets.push((packet, bytes));
                    }
                }
            }
        }
        Some(())
    }

    fn check(&mut self) {
        self.lender.settle();
        assert_eq!(self.chain.end() as usize, self.history.len());
        check_chain(&self.device, &self.chain, &self.history);
        for (span, bytes) in &self.spans {
            check_span(&self.device, span, bytes);
        }
        for (packet, bytes) in &self.packets {
            check_packet(&self.device, packet, bytes);
        }
        assert!(self.pool.in_use() <= self.pool.limit());
        // A stream fills segments of its own pool, and no others.
        assert!(self.chain.footprint() <= self.pool.in_use());
        self.check_charges();
        self.check_pins();
    }

    /// What is on the ledger is what is charged, to the byte.
    fn check_charges(&self) {
        let report = self.ledger.report();
        let usage = |kind| (report.of(kind).nodes, report.of(kind).bytes);
        assert_eq!(usage(Kind::Owned).1, self.account.in_use());
        let buffered = self.pool.in_use() + self.lender.in_use();
        assert_eq!(usage(Kind::Buffered).1, buffered);
        assert_eq!(usage(Kind::Device), self.device.lent());
        let (lent, all_of_them) = self.lender.lent();
        let user = usage(Kind::User).0;
        assert!(user == lent || user > lent && !all_of_them);
        // Nobody can keep more than there is.
        let kinds = [Kind::Buffered, Kind::Owned, Kind::Device, Kind::User];
        let all: usize = kinds.map(|kind| usage(kind).1).iter().sum();
        assert!(self.spans.iter().all(|(span, _)| span.footprint() <= all));
    }

    /// Every pin is somebody's. Those of links and of gathers' leaves cannot be seen from
    /// outside: they are as many as there may be.
    fn check_pins(&self) {
        let listed = self.ledger.dump(0);
        for (kind, usage) in self.ledger.report().iter() {
            let of_kind = listed.iter().filter(|node| node.kind == kind);
            assert_eq!(of_kind.count(), usage.nodes);
        }
        assert!(listed.iter().all(|node| node.pins > 0));
        let packets = self.packets.iter().filter_map(|(packet, _)| packet.span());
        let spans = self.spans.iter().map(|(span, _)| span).chain(packets);
        if spans.clone().any(Span::is_empty) {
            // It may pin a node or none.
            return;
        }
        let gathers = self.ledger.report().of(Kind::Gather).nodes;
        let entries = self.chain.debug().entries;
        for kind in Kind::ALL {
            let of_kind = listed.iter().filter(|node| node.kind == kind);
            let pins: usize = of_kind.clone().map(|node| node.pins).sum();
            let held = spans.clone().filter(|span| span.kind() == kind).count()
                + entries.iter().filter(|entry| entry.kind == kind).count();
            let unseen = match kind {
                Kind::Gather => 0,
                // A link to each, and what the chain and the arena are filling.
                Kind::Buffered => of_kind.count() + 2 + gathers * GATHER_MAX,
                _ => gathers * GATHER_MAX,
            };
            assert!(
                (held..=held + unseen).contains(&pins),
                "{kind:?} {held} {pins}"
            );
        }
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn bytes_pins_and_charges_follow_the_model(ops in proptest::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
            world.check();
        }
        let World { ledger, pool, mut chain, spans, packets, mut lender, account, .. } = world;
        drop((spans, packets));
        chain.release(chain.end());
        lender.settle();
        lender.assert_idle();
        // What is left is being filled, and pinned by the chain that fills it alone.
        let left = ledger.dump(0);
        prop_assert!(left.len() <= 2 && left.iter().all(|node| node.pins == 1), "{:?}", left);
        drop((chain, lender));
        prop_assert_eq!(account.in_use(), 0);
        prop_assert_eq!(ledger.live_nodes(), 0);
        prop_assert_eq!(pool.in_use(), 0);
    }
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 10_000;
    }
    config
}
