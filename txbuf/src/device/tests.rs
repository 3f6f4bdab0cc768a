//! A provider whose memory nobody can read.

use std::sync::Mutex;

use super::*;
use crate::test_support::{owned, pool};
use crate::{
    Chain, Checksum, ChecksumError, Completions, CopyError, IovIter, Order, Packet, PullError,
    Span, TooLong, Unreadable,
};

#[derive(Default)]
struct Fake(Mutex<Vec<(u64, usize)>>);

impl DeviceMemory for Fake {
    fn provider(&self) -> u64 {
        42
    }

    fn release(&self, offset: u64, len: usize) {
        self.0.lock().unwrap().push((offset, len));
    }
}

#[test]
fn a_driver_learns_the_places_and_nobody_else_the_bytes() {
    let (ledger, pool) = pool(4096);
    let fake = Arc::new(Fake::default());
    let device = |offset, len| Span::from_device(&ledger, fake.clone(), offset, len, None).unwrap();
    let parts = [
        owned(&ledger, b"header"),
        device(1 << 40, 1000),
        device(50, 60),
    ];
    let mut span = Span::gather(&ledger, parts).unwrap();
    assert!(!span.is_readable() && !span.is_lent());
    assert_eq!(span.footprint(), 6 + 1060);

    let mut room = [0; 2000];
    assert_eq!(span.copy_to(0, &mut room), Err(Unreadable));
    assert_eq!(span.copy_to(0, &mut room[..6]), Ok(6));
    assert_eq!(span.to_vec(), Err(Unreadable));
    assert_eq!(span.checksum(), Err(Unreadable));
    assert_eq!(span.contiguous(), None);
    let mut arena = Chain::arena(&pool);
    assert_eq!(
        span.linearise(&mut arena).unwrap_err(),
        CopyError::Unreadable
    );
    assert_eq!(span.orphan(&mut arena), Ok(()));
    assert_eq!(
        IovIter::buffer(&mut room).put_span(span.clone()),
        Err(Unreadable)
    );

    // Cuts work as on any other kind.
    let cut = span.slice(100..1010).unwrap();
    let places: Vec<_> = cut.extents().map(|extent| extent.device()).collect();
    let place = |offset, len| {
        Some(DeviceExtent {
            provider: 42,
            offset,
            len,
        })
    };
    assert_eq!(places, [place((1 << 40) + 94, 906), place(50, 4)]);
    for extent in cut.extents() {
        assert_eq!(
            (extent.bytes(), extent.raw().err()),
            (Err(Unreadable), Some(Unreadable))
        );
    }
    let nothing = cut.slice(..0).unwrap();
    assert!(nothing.is_readable() && nothing.is_empty());
    drop((nothing, span, cut, arena));
    assert_eq!(*fake.0.lock().unwrap(), [(1 << 40, 1000), (50, 60)]);
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn packets_refuse_what_needs_the_bytes_and_stay_whole() {
    let (ledger, pool) = pool(4096);
    let fake = Arc::new(Fake::default());
    let span = Span::from_device(&ledger, fake, 0, 100, None).unwrap();
    let mut packet = Packet::with_payload(span);
    packet.push(20).unwrap();
    packet.meta.checksum = Checksum::Partial {
        start: 0,
        offset: 16,
    };
    assert_eq!(packet.pull(21), Err(PullError::Unreadable));
    assert_eq!(packet.checksum(10), Err(Unreadable));
    assert_eq!(packet.complete_checksum(), Err(ChecksumError::Unreadable));
    assert_eq!(packet.to_vec(), Err(Unreadable));
    let mut arena = Chain::arena(&pool);
    assert_eq!(packet.linearise(&mut arena), Err(CopyError::Unreadable));
    assert_eq!((packet.len(), packet.headers().len()), (120, 20));
    // What needs no payload byte goes on.
    let copy = packet.zerocopy(60, 20).unwrap();
    let back = packet.split_off(70).unwrap();
    assert_eq!((copy.len(), packet.len(), back.len()), (60, 70, 50));
}

#[test]
fn the_token_goes_after_the_memory_and_lengths_are_checked() {
    let ledger = Ledger::new();
    let fake = Arc::new(Fake::default());
    let make = |offset, len| Span::from_device(&ledger, fake.clone(), offset, len, None);
    assert_eq!(make(0, 1 << 32).unwrap_err(), TooLong);
    assert_eq!(make(u64::MAX, 2).unwrap_err(), TooLong);
    let mut completions = Completions::new(Order::Datagram, 1);
    let token = completions.token().unwrap();
    let span = Span::from_device(&ledger, fake.clone(), 0, 10, Some(token)).unwrap();
    assert_eq!((completions.poll(), ledger.live_nodes()), (None, 1));
    drop(span);
    assert!(completions.poll().is_some());
    assert_eq!(*fake.0.lock().unwrap(), [(0, 10)]);
}

#[test]
fn a_release_that_panics_leaves_the_ledger_and_ends_the_message() {
    struct Panics;
    impl DeviceMemory for Panics {
        fn provider(&self) -> u64 {
            0
        }

        fn release(&self, _: u64, _: usize) {
            panic!("release");
        }
    }
    let ledger = Ledger::new();
    let mut completions = Completions::new(Order::Stream, 1);
    let token = completions.token().unwrap();
    let span = Span::from_device(&ledger, Arc::new(Panics), 0, 10, Some(token)).unwrap();
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(span)));
    assert!(dropped.is_err() && completions.poll().is_some());
    assert_eq!(ledger.live_nodes(), 0);
}
