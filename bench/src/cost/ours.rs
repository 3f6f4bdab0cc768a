//! The operations of `txbuf`.

use std::hint::black_box;

use txbuf::{Chain, Ledger, Meta, Packet, Pool, PoolConfig, Span};

use super::timing::{dropping, dropping_few, looped, on, on_few};
use super::{HEADERS, Operation, PAYLOAD, Run, SEGMENT, SPLIT, STEP};

pub(super) fn run(operation: Operation, extents: usize) -> Option<Run> {
    let storage = Storage::new(extents);
    let (span, packet) = (storage.span(), storage.packet());
    Some(match operation {
        Operation::Clone => on(|| (), move |()| span.clone()),
        Operation::CloneDrop => looped(move || drop(black_box(black_box(&span).clone()))),
        // One and the same here: a packet has its headers to itself.
        Operation::ClonePacket | Operation::Copy => on(|| (), move |()| packet.clone()),
        Operation::Split => on(
            move || packet.clone(),
            |packet| packet.split_off(HEADERS + SPLIT),
        ),
        Operation::SplitCloned => on(
            move || (packet.clone(), packet.clone()),
            |(packet, _)| packet.split_off(HEADERS + SPLIT),
        ),
        Operation::Drop => dropping(move || packet.clone()),
        Operation::Free => dropping_few(move || storage.packet()),
        Operation::Segment => on_few(room, move |segments| cut(&packet, segments)),
        Operation::SplitBytes if extents == 1 => {
            on(move || span.clone(), |span| span.split_off(SPLIT))
        }
        Operation::Advance if extents == 1 => on(
            move || span.clone(),
            |span| {
                let _ = span.advance(STEP);
            },
        ),
        Operation::SplitBytes | Operation::Advance => return None,
    })
}

fn room() -> Vec<Packet> {
    Vec::with_capacity(PAYLOAD.div_ceil(SEGMENT))
}

fn cut(packet: &Packet, segments: &mut Vec<Packet>) {
    let Some(span) = packet.span().cloned() else {
        return;
    };
    let headers = packet.headers();
    let pieces = span.into_segments(SEGMENT);
    segments.extend(pieces.filter_map(|piece| {
        // Cannot fail: the headers come from an area of this size.
        Packet::with_headers(headers, Some(piece), packet.meta).ok()
    }));
}

/// Makes packets of 64 KiB.
struct Storage {
    pool: Pool,
    extents: usize,
}

impl Storage {
    fn new(extents: usize) -> Storage {
        let config = PoolConfig {
            segment: PAYLOAD / extents,
            limit: 1 << 30,
            keep: 2048,
        };
        let pool = Pool::new(&Ledger::new(), config);
        Storage { pool, extents }
    }

    /// A span over fresh storage which only it keeps.
    fn span(&self) -> Span {
        let mut chain = Chain::stream(&self.pool);
        for _ in 0..self.extents {
            let segment = self.pool.segment();
            if let Ok(room) = chain.reserve(segment) {
                room.publish(segment);
            }
        }
        chain.span(0, PAYLOAD)
    }

    fn packet(&self) -> Packet {
        let span = self.span();
        debug_assert_eq!(
            (span.len(), span.extents().count()),
            (PAYLOAD, self.extents)
        );
        // Cannot fail: the area is larger.
        Packet::with_headers(&[0; HEADERS], Some(span), Meta::default()).unwrap_or_default()
    }
}
