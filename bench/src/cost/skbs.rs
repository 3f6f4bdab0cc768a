//! The operations of the model of Linux's packets.

use std::hint::black_box;

use super::timing::{dropping, dropping_few, looped, on, on_few};
use super::{HEADERS, Operation, PAYLOAD, Run, SEGMENT, SPLIT};
use crate::skb::Skb;

/// Extents of a packet before the `frag_list` begins.
const OF_ONE: usize = 16;

pub(super) fn run(operation: Operation, extents: usize) -> Option<Run> {
    let mut packet = packet(extents);
    Some(match operation {
        Operation::Clone | Operation::ClonePacket => on(|| (), move |()| packet.skb_clone()),
        Operation::CloneDrop => looped(move || drop(black_box(black_box(&mut packet).skb_clone()))),
        Operation::Copy => on(|| (), move |()| packet.pskb_copy()),
        Operation::Split | Operation::SplitCloned if extents > OF_ONE => return None,
        Operation::Split => on(
            move || packet.pskb_copy(),
            |packet| packet.tcp_fragment(HEADERS + SPLIT),
        ),
        Operation::SplitCloned => on(
            move || {
                let mut packet = packet.pskb_copy();
                let clone = packet.skb_clone();
                (packet, clone)
            },
            |(packet, _)| packet.tcp_fragment(HEADERS + SPLIT),
        ),
        Operation::Drop => dropping(move || packet.pskb_copy()),
        Operation::Free => dropping_few(move || self::packet(extents)),
        Operation::Segment => on_few(room, move |segments| packet.segment(SEGMENT, segments)),
        Operation::SplitBytes | Operation::Advance => return None,
    })
}

fn room() -> Vec<Skb> {
    Vec::with_capacity(PAYLOAD.div_ceil(SEGMENT))
}

/// A packet of 64 KiB with pages that only it keeps.
fn packet(extents: usize) -> Skb {
    let pages = |mut packet: Skb| {
        for _ in 0..extents.min(OF_ONE) {
            packet.add_page(PAYLOAD / extents, &[]);
        }
        packet
    };
    let mut packet = Skb::alloc(256);
    packet.push(HEADERS).fill(0);
    let mut packet = pages(packet);
    let further = (1..extents.div_ceil(OF_ONE)).map(|_| pages(Skb::alloc(0)));
    let further: Vec<Skb> = further.collect();
    if !further.is_empty() {
        packet.set_frag_list(further);
    }
    debug_assert_eq!(packet.len(), HEADERS + PAYLOAD);
    packet
}
