//! A capture holds up nobody.

use std::collections::VecDeque;
use std::sync::Arc;

use txbuf::{Checksum, DeviceMemory, Ledger, Offloads, Span};

use super::files::{Shared, read_back, stalling};
use crate::Device;
use crate::tap::{Tap, TapConfig};
use crate::testing::{Loan, Scripted, Spec, parse, pool};

#[test]
fn a_capture_leaves_the_senders_completion_undelayed_and_flagged_as_copied() {
    let ledger = Ledger::new();
    let spec = Spec::tcp(20_000, 1448);
    let lent = || {
        let mut packet = spec.build(&pool(&ledger));
        let loan = Loan::of(&mut packet, &ledger);
        (packet, loan)
    };
    // The writer takes what it is given and never gets on.
    let (file, go_on) = stalling();
    let device = Scripted::new(Offloads::default(), []);
    let (mut tap, capture) = Tap::new(device, file, TapConfig::new("wire0").first(100)).unwrap();
    for _ in 0..100 {
        let (packet, mut loan) = lent();
        tap.transmit(&mut VecDeque::from([packet])).unwrap();
        assert_eq!(loan.completion(), None, "the device has it");
        tap.inner_mut().sent.clear();
        assert_eq!((loan.completion(), loan.lent()), (Some(true), 0));
    }
    // What passes after the capture is not copied.
    let (packet, mut loan) = lent();
    tap.transmit(&mut VecDeque::from([packet])).unwrap();
    tap.inner_mut().sent.clear();
    assert_eq!(loan.completion(), Some(false));
    assert_eq!((ledger.live_nodes(), tap.dropped()), (0, 0));
    drop((tap, go_on));
    assert_eq!(capture.finish().unwrap().written, 100);
}

#[test]
fn the_capture_has_what_was_lent_when_it_passed() {
    let ledger = Ledger::new();
    let file = Shared::default();
    let device = Scripted::new(Offloads::default(), []);
    let (mut tap, capture) = Tap::new(device, file.clone(), TapConfig::new("wire0")).unwrap();
    let spec = Spec {
        lent: true,
        pieces: 16,
        ..Spec::tcp(60_000, 1448)
    };
    tap.transmit(&mut VecDeque::from([spec.build(&pool(&ledger))]))
        .unwrap();
    drop(tap);
    capture.finish().unwrap();
    let (packets, _) = read_back(&file.bytes(), "wire0");
    assert_eq!(parse(&packets[0].bytes).payload, spec.payload_bytes());
    assert_eq!(packets[0].comment, None);
}

/// Memory of which nobody has a mapping.
struct Nowhere;

impl DeviceMemory for Nowhere {
    fn provider(&self) -> u64 {
        1
    }

    fn release(&self, _: u64, _: usize) {}
}

#[test]
fn a_packet_is_cut_where_the_cpu_may_not_read_on() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let file = Shared::default();
    let (stalled, go_on) = stalling();
    let device = |file: bool| {
        let device = Scripted::new(Offloads::default(), []);
        (device, TapConfig::new(if file { "wire0" } else { "wire1" }))
    };
    let (inner, config) = device(true);
    let (mut tap, capture) = Tap::new(inner, file.clone(), config).unwrap();
    let (inner, config) = device(false);
    let (mut slow, slow_capture) = Tap::new(inner, stalled, config).unwrap();
    let hole = || Span::from_device(&ledger, Arc::new(Nowhere), 0, 1000, None).unwrap();
    let front = Span::from_owner(&ledger, vec![7; 10]).unwrap();
    let spec = Spec {
        size: 0,
        ..Spec::tcp(1, 0)
    };
    let headers = spec.header_length();
    let sent = [
        (hole(), headers),
        (
            Span::gather(&ledger, [front, hole()]).unwrap(),
            headers + 10,
        ),
    ];
    for complete in [false, true] {
        for (span, _) in &sent {
            let mut packet = spec.build(&pool);
            packet.set_span(span.clone());
            if complete {
                packet.meta.checksum = Checksum::Complete;
            }
            for tap in [&mut tap, &mut slow] {
                tap.transmit(&mut VecDeque::from([packet.clone()])).unwrap();
                tap.inner_mut().sent.clear();
            }
        }
    }
    let lengths = sent.map(|(span, kept)| (headers + span.len(), kept));
    assert_eq!(
        ledger.report().of(txbuf::Kind::Device).nodes,
        0,
        "captures keep none"
    );
    drop((tap, slow, go_on));
    let report = capture.finish().unwrap();
    assert_eq!(
        (report.written, report.unreadable, report.dropped),
        (4, 4, 0)
    );
    slow_capture.finish().unwrap();
    let (packets, _) = read_back(&file.bytes(), "wire0");
    for (index, packet) in packets.iter().enumerate() {
        let (original, kept) = lengths[index % 2];
        assert_eq!((packet.original, packet.bytes.len()), (original, kept));
        let comment = packet.comment.as_deref().unwrap();
        assert!(
            comment.starts_with(&format!("cut at byte {kept}: ")),
            "{comment}"
        );
        assert_eq!(comment.ends_with("checksum is not completed"), index < 2);
    }
}

#[test]
fn a_snap_length_before_the_hole_says_nothing_of_it() {
    let ledger = Ledger::new();
    let file = Shared::default();
    let device = Scripted::new(Offloads::default(), []);
    let config = TapConfig::new("wire0").snap(40);
    let (mut tap, capture) = Tap::new(device, file.clone(), config).unwrap();
    let mut packet = Spec::tcp(1, 0).build(&pool(&ledger));
    packet.set_span(Span::from_device(&ledger, Arc::new(Nowhere), 0, 1000, None).unwrap());
    tap.transmit(&mut VecDeque::from([packet])).unwrap();
    drop(tap);
    assert_eq!(capture.finish().unwrap().unreadable, 0);
    let (packets, _) = read_back(&file.bytes(), "wire0");
    assert_eq!((packets[0].bytes.len(), &packets[0].comment), (40, &None));
}
