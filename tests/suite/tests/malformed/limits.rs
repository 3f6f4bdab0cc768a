//! Floods: what the stack keeps has bounds, whatever comes in.

use suite::lab::{Lab, Offer, Remote};
use suite::victim::{BUFFER, Victim, fragmented};
use suite::wire::{ACK, PSH, Tcp};
use txbuf::Checksum;

/// What reassembly may hold of packets: its limit of 4 MiB, and each packet whole for at most four times
/// what is used of it.
const REASSEMBLY: usize = 16 << 20;

fn feed(victim: &mut Victim, packet: &[u8]) {
    victim.packet(packet, Checksum::Complete);
}

/// Bytes that the stack holds of its own pools and of the packets that came in.
fn held(victim: &Victim) -> usize {
    let usage = victim.lab.host.stack.ledger().report();
    let used: usize = usage.iter().map(|(_, usage)| usage.bytes).sum();
    used + victim.lab.held()
}

#[test]
fn fragments_that_never_become_whole() {
    let mut victim = Victim::new();
    let mut most = 0;
    for ident in 0..20_000u32 {
        let parts = fragmented(ident % 2 == 1, ident, &[7; 2_800], 1_400);
        feed(&mut victim, &parts[ident as usize / 2 % 2]);
        most = most.max(victim.lab.held());
    }
    assert!(most <= REASSEMBLY, "{most} bytes held");
    assert!(victim.lab.host.stack.counters().ip.reassembly_evicted > 10_000);
    victim.finish();
}

#[test]
fn one_datagram_of_ever_more_fragments() {
    let mut victim = Victim::new();
    // Eight bytes each: eight thousand fragments, each in a packet of its own.
    for part in fragmented(false, 1, &[7; 65_000], 8).iter().skip(1) {
        feed(&mut victim, part);
    }
    assert!(
        victim.lab.held() <= 1 << 20,
        "{} bytes held",
        victim.lab.held()
    );
    assert!(victim.lab.host.stack.counters().ip.reassembly_too_large > 0);
    victim.finish();
}

#[test]
fn a_flood_of_syns() {
    let mut victim = Victim::new();
    for i in 0..50_000u32 {
        let offer = Offer {
            v6: i % 2 == 1,
            ..Offer::default()
        };
        let mut syn = Remote::syn(
            (Lab::neighbour(offer.v6), 1).into(),
            (Lab::address(offer.v6), 80).into(),
            &offer,
        );
        syn.src.set_port(1 + (i / 2) as u16);
        feed(&mut victim, &syn.to_packet());
    }
    let counters = victim.lab.host.stack.counters();
    assert!(
        counters.tcp.syn_cookies_sent > 47_900,
        "a thousand are half open in each family, and the others are not remembered"
    );
    victim.finish();
}

#[test]
fn single_bytes_beyond_holes() {
    let mut victim = Victim::new();
    let base = victim.segment(false, ACK, b"x");
    for i in 0..u32::from(u16::MAX) {
        let seq = base.seq.wrapping_add(1 + 2 * i);
        feed(
            &mut victim,
            &Tcp {
                seq,
                ..base.clone()
            }
            .to_packet(),
        );
    }
    let held = held(&victim);
    assert!(held <= 8 * BUFFER, "{held} bytes for single bytes");
    assert!(victim.lab.host.stack.counters().tcp.in_assembler_full > 0);
    victim.finish();
}

#[test]
fn single_bytes_that_nobody_reads() {
    let mut victim = Victim::new();
    let base = victim.segment(true, ACK | PSH, b"x");
    for i in 0..u32::from(u16::MAX) {
        // A long packet for a short payload: a header of options, and padding behind.
        let segment = Tcp {
            seq: base.seq.wrapping_add(i),
            options: vec![1; 40],
            ..base.clone()
        };
        let padded = [segment.to_packet(), vec![0; 1_000]].concat();
        feed(&mut victim, &padded);
    }
    let held = held(&victim);
    assert!(
        held <= 8 * BUFFER,
        "{held} bytes held for a window of {BUFFER}"
    );
    victim.finish();
}

#[test]
fn datagrams_that_nobody_reads() {
    for len in [0, 1, 1_000] {
        let mut victim = Victim::new();
        let datagram = Victim::datagram(false, false, &vec![1; len]);
        for _ in 0..20_000 {
            feed(
                &mut victim,
                &[datagram.to_packet(), vec![0; 1_200]].concat(),
            );
        }
        assert!(victim.lab.host.stack.counters().udp.in_queue_full > 0);
        let held = held(&victim);
        assert!(
            held <= 5 << 20,
            "{held} bytes held for datagrams of {len} bytes"
        );
        victim.finish();
    }
}

#[test]
fn answers_that_no_device_takes() {
    let mut victim = Victim::new();
    let echo = suite::wire::Icmp::echo_request(
        Lab::neighbour(false),
        Lab::address(false),
        1,
        1,
        vec![1; 1_400],
    );
    // Nothing is taken from the stack meanwhile.
    for _ in 0..10_000 {
        victim.lab.inject(&echo.to_packet());
    }
    assert!(
        victim.lab.held() <= 1024 * 1_500,
        "{} bytes held",
        victim.lab.held()
    );
    assert!(victim.lab.host.stack.counters().ip.out_queue_full > 8_000);
    victim.finish();
}
