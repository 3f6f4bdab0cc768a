//! Lent memory: it is written over as soon as the stack says that it is done with it.

use std::collections::HashMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use proptest::prelude::*;
use txbuf::{Chain, Completions, CopyError, Ledger, Order, Pool, PoolConfig, Region, Span, Token};

use crate::{Op, World};

const SLOT: usize = 200;
const SLOTS: usize = 60;

/// An application with memory to lend, in slots.
pub(crate) struct Lender {
    region: Option<Region>,
    completions: Completions,
    free: Vec<usize>,
    /// Slots of each message.
    lent: HashMap<u32, Vec<usize>>,
    /// Where orphans are copied to.
    arena: Chain,
    ledger: Ledger,
    withdrawn: bool,
    // Dropped last: nothing refers to it then.
    memory: Box<[AtomicU8]>,
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let which = || 0_usize..64;
    prop_oneof![
        4 => (prop::array::uniform3(0..SLOT), any::<bool>())
            .prop_map(|(lens, send)| Op::Lend { lens, send }),
        1 => Just(Op::Withdraw),
        2 => which().prop_map(Op::Orphan),
        1 => which().prop_map(Op::OrphanPacket),
        2 => Just(Op::EndMessage),
    ]
}

impl Lender {
    pub(crate) fn new(ledger: &Ledger) -> Self {
        let memory: Box<[_]> = (0..SLOT * SLOTS).map(|_| AtomicU8::new(0)).collect();
        let config = PoolConfig {
            segment: 512,
            limit: 512 * 100,
            keep: 4,
        };
        Self {
            region: Some(register(ledger, &memory)),
            completions: Completions::new(Order::Datagram, 1000),
            free: (0..SLOTS).collect(),
            lent: HashMap::new(),
            arena: Chain::arena(&Pool::new(ledger, config)),
            ledger: ledger.clone(),
            withdrawn: false,
            memory,
        }
    }

    /// Lends slots with these bytes, each part in one of its own.
    fn lend(&mut self, parts: &[Vec<u8>]) -> Option<(Span, Token)> {
        let slots = self.free.len().checked_sub(parts.len())?;
        let slots = self.free.split_off(slots);
        let token = self.completions.token().unwrap();
        for (slot, part) in slots.iter().zip(parts) {
            for (at, &byte) in part.iter().enumerate() {
                self.memory[slot * SLOT + at].store(byte, Relaxed);
            }
        }
        let range = |(slot, part): (&usize, &Vec<u8>)| slot * SLOT..slot * SLOT + part.len();
        let ranges: Vec<_> = slots.iter().zip(parts).map(range).collect();
        self.lent.insert(token.id(), slots);
        let span = self
            .region
            .as_ref()?
            .lend_all(&ranges, Some(&token))
            .unwrap();
        Some((span, token))
    }

    /// Takes the memory back by force, writes over it, and registers it again.
    fn withdraw(&mut self) {
        let Some(region) = self.region.take() else {
            return;
        };
        // Nobody is copying, so it is not busy.
        region.withdraw().unwrap();
        self.withdrawn = true;
        self.memory
            .iter()
            .for_each(|byte| byte.store(0xdd, Relaxed));
        self.region = Some(register(&self.ledger, &self.memory));
    }

    /// Takes the completions; each message has one, and its memory is free again.
    pub(crate) fn settle(&mut self) {
        while let Some(range) = self.completions.poll() {
            for id in range.first..=range.last {
                let slots = self.lent.remove(&id).expect("completed twice");
                for slot in slots {
                    let memory = &self.memory[slot * SLOT..(slot + 1) * SLOT];
                    memory.iter().for_each(|byte| byte.store(0xee, Relaxed));
                    self.free.push(slot);
                }
            }
        }
    }

    pub(crate) fn assert_idle(&self) {
        assert_eq!((self.lent.len(), self.free.len()), (0, SLOTS));
        assert_eq!(self.completions.outstanding(), 0);
        assert_eq!(self.region.as_ref().map(Region::lent), Some(0));
    }

    pub(crate) fn arena(&mut self) -> &mut Chain {
        &mut self.arena
    }

    /// Pieces lent at the moment, and whether that is all: those of memory taken back by
    /// force are not seen any more.
    pub(crate) fn lent(&self) -> (usize, bool) {
        let lent = self.region.as_ref().map_or(0, Region::lent);
        (lent, !self.withdrawn)
    }

    /// Bytes of the arena's pool.
    pub(crate) fn in_use(&self) -> usize {
        self.arena.pool().in_use()
    }
}

fn register(ledger: &Ledger, memory: &[AtomicU8]) -> Region {
    let base = NonNull::from_ref(memory).cast();
    // SAFETY: the lender drops its memory last, after all spans of the model, and only
    // writes to it atomically.
    unsafe { Region::register(ledger, base, memory.len()) }
}

impl World {
    pub(crate) fn apply_lending(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Lend { lens, send } => {
                let parts = lens.map(|len| self.fresh(len));
                let (span, token) = self.lender.lend(&parts)?;
                if send {
                    self.chain.append_span(span);
                    self.chain.end_message(token);
                    self.history.extend(parts.concat());
                } else {
                    self.keep(span, parts.concat());
                }
            }
            Op::Withdraw => self.lender.withdraw(),
            Op::Orphan(which) => {
                let i = self.span(which)?;
                let span = &mut self.spans[i].0;
                match span.orphan(self.lender.arena()) {
                    Ok(()) => assert!(!span.is_lent()),
                    Err(CopyError::Unreadable) => assert!(!span.is_readable()),
                    Err(error) => assert_eq!(error, CopyError::NoMemory),
                }
            }
            Op::OrphanPacket(which) => {
                let i = self.packet(which)?;
                let packet = &mut self.packets[i].0;
                if packet.orphan(self.lender.arena()).is_ok() {
                    assert!(packet.span().is_none_or(|span| !span.is_lent()));
                }
            }
            _ => {
                let parts = [vec![]];
                let (_, token) = self.lender.lend(&parts)?;
                self.chain.end_message(token);
            }
        }
        Some(())
    }
}
