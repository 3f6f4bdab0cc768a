//! Valid packets with a few bytes changed.

use proptest::collection::vec;
use proptest::prelude::*;
use suite::lab::Lab;
use suite::victim::{Record, Victim, WITHIN, fragmented};
use suite::wire::{ACK, FIN, Icmp, PSH, RST, SYN};

/// What is done to a packet.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Flip(usize, u8),
    Truncate(usize),
    Extend(Vec<u8>),
    /// Sixteen bits that lie at a border of something.
    Word(usize, u16),
    Remove(usize, usize),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len().max(1);
        match self {
            Mutation::Set(at, value) => bytes[at % len] = *value,
            Mutation::Flip(at, bit) => bytes[at % len] ^= 1 << (bit % 8),
            Mutation::Truncate(to) => bytes.truncate((to % len).max(1)),
            Mutation::Extend(more) => bytes.extend(more),
            Mutation::Word(at, value) => {
                let at = at % len;
                let end = (at + 2).min(bytes.len());
                bytes[at..end].copy_from_slice(&value.to_be_bytes()[..end - at]);
            }
            Mutation::Remove(at, count) => {
                let at = at % len;
                let end = (at + count % 40).min(bytes.len()).max(at);
                bytes.drain(at..end);
                if bytes.is_empty() {
                    bytes.push(0x45);
                }
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // Most of what matters lies in the first hundred bytes.
    let at = || prop_oneof![4 => 0..100usize, 1 => 0..2_000usize];
    let border = prop_oneof![
        Just(0),
        Just(1),
        Just(7),
        Just(8),
        Just(20),
        Just(0x7fff),
        Just(0x8000),
        Just(0xffff)
    ];
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, value)| Mutation::Set(at, value)),
        (at(), any::<u8>()).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        at().prop_map(Mutation::Truncate),
        vec(any::<u8>(), 0..64).prop_map(Mutation::Extend),
        (at(), border).prop_map(|(at, value)| Mutation::Word(at, value)),
        (at(), at()).prop_map(|(at, count)| Mutation::Remove(at, count)),
    ]
}

/// One valid packet of each kind that the victim takes.
fn valid(victim: &Victim) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for v6 in [false, true] {
        for (flags, payload) in [
            (ACK | PSH, &b"some data"[..]),
            (ACK, b""),
            (ACK | FIN, b"end"),
            (RST, b""),
            (SYN, b""),
        ] {
            packets.push(victim.segment(v6, flags, payload).to_packet());
        }
        packets.push(Victim::datagram(v6, false, &[1; 100]).to_packet());
        packets.push(Victim::datagram(v6, true, b"").to_packet());
        packets.push(
            Icmp::echo_request(Lab::neighbour(v6), Lab::address(v6), 1, 2, vec![3; 40]).to_packet(),
        );
        packets.extend(fragmented(v6, 5, &[6; 200], 64));
    }
    packets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changed_packets_are_harmless(
        changes in vec((any::<prop::sample::Index>(), vec(mutation(), 0..4), any::<u8>(), 0..20u8), 1..30),
    ) {
        let mut victim = Victim::new();
        let packets = valid(&victim);
        for (which, mutations, flags, time) in changes {
            let mut packet = which.get(&packets).clone();
            for mutation in &mutations {
                mutation.apply(&mut packet);
            }
            // The packets hold the real numbers already.
            let time = if time > 12 { 0 } else { time };
            victim.record(&Record { flags: flags & !WITHIN, time, packet });
        }
        victim.finish();
    }

    #[test]
    fn any_bytes_are_harmless(bytes in vec(any::<u8>(), 0..2_000)) {
        let mut victim = Victim::new();
        victim.feed(&bytes);
        victim.finish();
    }

    #[test]
    fn any_segments_are_harmless(bytes in vec(any::<u8>(), 0..600)) {
        let mut victim = Victim::new();
        victim.feed_segments(&bytes);
        victim.finish();
    }

    #[test]
    fn any_fragments_are_harmless(bytes in vec(any::<u8>(), 0..600)) {
        let mut victim = Victim::new();
        victim.feed_fragments(&bytes);
        victim.finish();
    }
}
