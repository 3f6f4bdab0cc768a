//! The operations of the rope, and of `Bytes` alone. They have no headers.

use std::hint::black_box;

use bytes::{Buf, Bytes};

use super::timing::{dropping, dropping_few, looped, on, on_few};
use super::{Operation, PAYLOAD, Run, SEGMENT, SPLIT, STEP};
use crate::rope::Rope;

pub(super) fn run(operation: Operation, extents: usize) -> Option<Run> {
    let rope = rope(extents);
    // Slices that were never cloned are of another kind, which the first clone changes.
    let rope = rope.clone();
    Some(match operation {
        Operation::Clone | Operation::ClonePacket => on(|| (), move |()| rope.clone()),
        Operation::CloneDrop => looped(move || drop(black_box(black_box(&rope).clone()))),
        Operation::Split => on(move || rope.clone(), |rope| rope.split_off(SPLIT)),
        Operation::Drop => dropping(move || rope.clone()),
        Operation::Free => dropping_few(move || self::rope(extents)),
        Operation::Segment => on_few(
            || Vec::with_capacity(PAYLOAD.div_ceil(SEGMENT)),
            move |segments| rope.clone().segment(SEGMENT, segments),
        ),
        _ => return None,
    })
}

pub(super) fn run_bytes(operation: Operation) -> Option<Run> {
    let first = Bytes::from(vec![0; PAYLOAD]);
    let bytes = first.clone();
    Some(match operation {
        Operation::Clone => on(|| (), move |()| bytes.clone()),
        Operation::CloneDrop => looped(move || drop(black_box(black_box(&bytes).clone()))),
        Operation::SplitBytes => on(move || bytes.clone(), |bytes| bytes.split_off(SPLIT)),
        Operation::Drop => dropping(move || bytes.clone()),
        Operation::Advance => on(move || bytes.clone(), |bytes| bytes.advance(STEP)),
        _ => return None,
    })
}

fn rope(extents: usize) -> Rope {
    let mut rope = Rope::new();
    for _ in 0..extents {
        rope.push(Bytes::from(vec![0; PAYLOAD / extents]));
    }
    rope
}
