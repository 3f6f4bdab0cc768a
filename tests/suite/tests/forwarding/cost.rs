//! What forwarding, mirroring and capture cost: one reference each, and no byte of payload.

use super::{LEFT, RIGHT, Router, across};
use drivers::memory::{MemoryConfig, raw_pair};
use drivers::tap::{Tap, TapConfig};
use drivers::{Device, impair::Impairments};
use netstack_core::{Injector, Instant, Passage, Verdict};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use suite::untouchable::Untouchable;
use suite::wire::{Icmp, Ip, Udp};
use txbuf::{Kind, Ledger, Packet, Span};

/// A packet of 1400 bytes whose payload is untouchable.
fn packet(ledger: &Ledger, v6: bool) -> Packet {
    let (src, dst) = across(v6);
    let len = if v6 { 1352 } else { 1372 };
    let mut bytes = Udp {
        src,
        dst,
        payload: vec![0; len],
    }
    .to_packet();
    bytes.truncate(bytes.len() - len);
    let mut packet = Packet::inline(&bytes).expect("headers");
    let payload = Span::from_device(ledger, Arc::new(Untouchable), 0, len, None).expect("short");
    packet.set_span(payload);
    packet
}

/// How many references there are on the one node of `ledger`.
fn references(ledger: &Ledger) -> usize {
    let nodes = ledger.dump(0);
    assert_eq!(nodes.len(), 1, "no other storage is made: {nodes:?}");
    assert_eq!(nodes[0].kind, Kind::Device);
    nodes[0].pins
}

#[test]
fn forwarding_moves_the_one_reference_and_touches_no_payload() {
    for v6 in [false, true] {
        let ledger = Ledger::tracking();
        let mut router = Router::new();
        router
            .stack
            .handle_packet(router.now, LEFT, packet(&ledger, v6));
        assert_eq!(references(&ledger), 1);
        let (iface, through) = router.sent().pop().expect("it goes through");
        assert_eq!(
            (iface, through.len(), references(&ledger)),
            (RIGHT, 1400, 1)
        );
        drop(through);
        assert_eq!(ledger.live_nodes(), 0);
    }
}

#[test]
fn a_mirror_costs_one_reference() {
    let ledger = Ledger::tracking();
    let mut router = Router::new();
    router.stack.add_hook(
        |_: Instant, at: Passage, packet: &mut Packet, inject: &mut Injector| {
            if matches!(at, Passage::Through { .. }) {
                inject.send(LEFT, packet.clone()).expect("room");
            }
            Verdict::Pass
        },
    );
    router
        .stack
        .handle_packet(router.now, LEFT, packet(&ledger, false));
    assert_eq!(references(&ledger), 2);
    let sent = router.sent();
    assert_eq!((sent.len(), references(&ledger)), (2, 2));
    drop(sent);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_refusal_quotes_headers_and_touches_no_payload() {
    let ledger = Ledger::tracking();
    let mut router = Router::new();
    let mut packet = packet(&ledger, true);
    packet.headers_mut()[7] = 1;
    router.stack.handle_packet(router.now, LEFT, packet);
    assert_eq!(ledger.live_nodes(), 0);
    let (_, error) = router.sent().pop().expect("an error");
    let icmp = Icmp::of(&Ip::parse(&error.to_vec().unwrap())).unwrap();
    assert_eq!((icmp.kind, icmp.payload.len()), ((3, 0), 48));
}

#[test]
fn a_capture_costs_one_reference() {
    let ledger = Ledger::tracking();
    let (near, mut far) = raw_pair(MemoryConfig::default()).expect("no descriptor");
    let (mut tap, capture) = Tap::new(near, Vec::new(), TapConfig::new("link")).expect("a thread");
    let mut from = VecDeque::from([packet(&ledger, false)]);
    tap.transmit(&mut from).expect("a link does not fail");
    let mut arrived = Vec::new();
    far.receive(&mut arrived, 9).expect("a link does not fail");
    // That of the packet, and that of its record until it is written.
    assert!((1..=2).contains(&references(&ledger)));
    assert_eq!(arrived.len(), 1);
    drop((arrived, tap));
    let report = capture.finish().expect("a vector takes everything");
    assert_eq!((report.unreadable, report.dropped), (1, 0));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn a_delay_costs_nothing_and_a_duplicate_one_reference() {
    let ledger = Ledger::tracking();
    let config = Impairments {
        delay: Duration::from_millis(1),
        duplicate: drivers::impair::Chance::per_mille(1000),
        rate: Some(1_000_000_000),
        ..Impairments::default()
    };
    let mut pipeline = config.pipeline(1, 0);
    let mut out = VecDeque::new();
    pipeline.push(Duration::ZERO, packet(&ledger, true), &mut out);
    assert_eq!(references(&ledger), 1);
    pipeline.poll(Duration::from_secs(1), &mut out);
    assert_eq!((out.len(), references(&ledger)), (2, 2));
}
