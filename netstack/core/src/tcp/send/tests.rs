//! A connection that sends for long: its numbers come round, what it remembers of them must not come back.

use super::*;
use crate::Pools;
use crate::tcp::congestion::control;
use crate::tcp::options::SackBlock;
use crate::tcp::reset;
use crate::tcp::segment::{Flags, Segment};
use bytes::Bytes;
use core::time::Duration;
use txbuf::{IovIter, Ledger, Span};

const MSS: usize = 1 << 14;
const STEP: usize = 1 << 26;
const RTT: Duration = Duration::from_millis(10);
const ISS: Seq = Seq(0xfff0_1234);

struct Long {
    sender: Sender,
    now: Instant,
    data: Span,
}

impl Long {
    /// A sender whose SYN has been answered.
    fn new(sack: bool) -> Long {
        let pools = Pools::new(&Ledger::new(), 1 << 20);
        let queue = SendQueue::new(&pools, ISS + 1, 4 * STEP);
        let reno = control(Congestion::Reno, MSS);
        let now = Instant::from_millis(1);
        let mut sender = Sender::new(ISS, MSS, queue, reno, now);
        sender.sack = sack;
        sender.on_send(now, ISS, 1);
        (sender.wnd, sender.max_wnd) = (1 << 30, 1 << 30);
        let data = Span::from_bytes(&Ledger::new(), Bytes::from(vec![0; STEP])).unwrap();
        let mut long = Long { sender, now, data };
        long.acknowledge(1, &[]);
        long
    }

    fn send(&mut self, len: usize) {
        let span = self.data.slice(..len).unwrap();
        let taken = self
            .sender
            .queue
            .write(&mut IovIter::span(span), usize::MAX, None, false);
        assert_eq!(taken, Ok(len));
        self.sender.on_send(self.now, self.sender.nxt, len);
    }

    fn hear(&mut self, len: usize, blocks: &[SackBlock], marked: bool) -> bool {
        self.now += RTT;
        let ack = Ack {
            ack: self.sender.una + len,
            blocks,
            bare: true,
            echoed: None,
            marked,
        };
        self.sender.on_ack(self.now, &ack)
    }

    fn acknowledge(&mut self, len: usize, blocks: &[SackBlock]) {
        assert!(self.hear(len, blocks, false));
    }

    /// Twice around the circle, and `look` at every sixteenth part of it. Before that `step` bytes leave and are
    /// acknowledged.
    fn go_round(&mut self, mut look: impl FnMut(&mut Long)) {
        for _ in 0..2 * 16 {
            for _ in 0..(1 << 28) / STEP {
                self.send(STEP);
                self.acknowledge(STEP, &[]);
            }
            look(self);
        }
        assert!(self.sender.acked() >= 2 << 32);
    }
}

#[test]
fn the_window_of_what_acknowledges_more_counts_though_its_number_is_old() {
    let mut long = Long::new(true);
    long.send(3 * MSS);
    let una = long.sender.una;
    let segment = |seq, ack, window| Segment {
        window,
        ..reset::bare(1, 2, Seq(seq), ack, Flags::ACK)
    };
    assert!(long.sender.update_window(&segment(900, una, 60_000)));
    // What was sent again, and so left later.
    assert!(
        long.sender
            .update_window(&segment(500, una + 2 * MSS, 30_000))
    );
    assert_eq!(long.sender.wnd(), 30_000);
    long.acknowledge(2 * MSS, &[]);
    assert!(!long.sender.update_window(&segment(400, una, 60_000)));
}

#[test]
fn what_is_acknowledged_counts_all_the_way_round() {
    let mut long = Long::new(true);
    let mut acked = 0;
    long.go_round(|long| {
        let gained = long.sender.acked() - acked;
        assert_eq!(gained, 1 << 28, "{} bytes", long.sender.acked());
        assert!(long.sender.delivery_rate() > 0);
        assert!(long.sender.congestion.window() >= STEP);
        // From the first window on again.
        long.sender.congestion.on_idle();
        assert!(long.sender.congestion.window() < STEP);
        acked = long.sender.acked();
    });
}

#[test]
fn reports_of_duplicates_count_all_the_way_round() {
    let mut long = Long::new(true);
    let mut reports = 0;
    long.go_round(|long| {
        let una = long.sender.una;
        let report = SackBlock {
            left: una - MSS,
            right: una,
        };
        let multiplier = long.sender.rack.multiplier();
        long.send(MSS);
        long.acknowledge(MSS, &[report]);
        reports += 1;
        assert_eq!(long.sender.tally().duplicate_reports, reports);
        assert_eq!(long.sender.rack.multiplier(), multiplier + 1);
        // What never was, and what was long ago, is no report.
        for left in [una + 5 * MSS, una - (1 << 31) + 1] {
            let right = left + MSS;
            long.send(MSS);
            long.acknowledge(MSS, &[SackBlock { left, right }]);
        }
        assert_eq!(long.sender.tally().duplicate_reports, reports);
    });
}

#[test]
fn what_was_before_the_first_byte_is_not_reported() {
    let mut long = Long::new(true);
    long.send(2 * MSS);
    let (left, right) = (ISS, ISS + 1);
    long.acknowledge(MSS, &[SackBlock { left, right }]);
    assert_eq!(long.sender.tally().duplicate_reports, 0);
    let (left, right) = (ISS + 1, ISS + 1 + MSS);
    long.acknowledge(MSS, &[SackBlock { left, right }]);
    assert_eq!(long.sender.tally().duplicate_reports, 1);
}

#[test]
fn echoes_of_marks_are_answered_all_the_way_round() {
    let mut long = Long::new(true);
    long.sender.ecn.enable();
    // One early, and nothing for three quarters of a circle.
    let mut eighths = 0;
    long.go_round(|long| {
        eighths += 1;
        if ![1, 11, 12, 30].contains(&eighths) {
            return;
        }
        long.sender.ecn.take_reduced();
        long.send(4 * MSS);
        assert!(long.hear(MSS, &[], true));
        assert!(long.sender.ecn.is_reduced(), "after {eighths} sixteenths");
        long.acknowledge(3 * MSS, &[]);
    });
}

#[test]
fn three_duplicates_begin_a_recovery_all_the_way_round() {
    let mut long = Long::new(false);
    let mut parts = 0;
    long.go_round(|long| {
        parts += 1;
        if ![11, 12, 30].contains(&parts) {
            return;
        }
        let before = long.sender.tally().recoveries;
        long.send(10 * MSS);
        for _ in 0..3 {
            assert!(!long.hear(0, &[], false));
        }
        assert_eq!(
            long.sender.tally().recoveries,
            before + 1,
            "after {parts} sixteenths"
        );
        long.acknowledge(10 * MSS, &[]);
        assert_eq!(long.sender.phase(), Phase::Open);
    });
}

#[test]
fn a_segment_that_was_not_full_is_forgotten_when_it_is_acknowledged() {
    let mut long = Long::new(true);
    long.send(100);
    long.sender.note_small(100);
    assert!(long.sender.small_outstanding());
    long.acknowledge(100, &[]);
    long.go_round(|long| {
        long.send(STEP);
        assert!(!long.sender.small_outstanding());
        long.acknowledge(STEP, &[]);
    });
}
