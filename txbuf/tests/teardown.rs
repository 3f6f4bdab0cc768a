//! Taking things down while another thread copies: no leak, no early free, no
//! deadlock. Run it under AddressSanitizer and ThreadSanitizer.
//!
//! The taking down begins in the middle of a copy, and the copying goes on until it has
//! ended.

#![cfg(not(loom))]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use txbuf::{Busy, Chain, Completions, Ledger, Order, Pool, PoolConfig, Region, Span};

const ITERATIONS: usize = 10_000;
const LEN: usize = 256 << 10;

/// Copied before the taking down begins.
const FIRST: usize = 1000;

/// The scenes take turns: two threads of each are to run at the same time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `scene` many times: it makes a span of `LEN` bytes of one value, and what it
/// returns is called while another thread copies the span, again and again.
fn while_copied<D: FnOnce()>(ledger: &Ledger, mut scene: impl FnMut(u8) -> (Span, D)) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (copying, down) = (&AtomicBool::new(false), &AtomicBool::new(false));
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<(Span, u8)>(1);
        let (done, finished) = sync_channel::<()>(1);
        let reader = scope.spawn(move || {
            let (mut copy, mut expected) = (vec![0; LEN], vec![0; LEN]);
            for (span, byte) in receive {
                expected.fill(byte);
                loop {
                    let last = down.load(Ordering::Acquire);
                    copy.fill(!byte);
                    assert_eq!(span.copy_to(0, &mut copy[..FIRST]), Ok(FIRST));
                    copying.store(true, Ordering::Release);
                    assert_eq!(span.copy_to(FIRST, &mut copy[FIRST..]), Ok(LEN - FIRST));
                    assert!(copy == expected, "other bytes than were sent");
                    if last {
                        break;
                    }
                }
                drop(span);
                done.send(()).unwrap();
            }
        });
        for i in 0..ITERATIONS {
            let byte = i as u8;
            let (span, take_down) = scene(byte);
            copying.store(false, Ordering::Relaxed);
            down.store(false, Ordering::Relaxed);
            send.send((span, byte)).unwrap();
            while !copying.load(Ordering::Acquire) {
                assert!(!reader.is_finished(), "the copying failed");
                thread::yield_now();
            }
            take_down();
            down.store(true, Ordering::Release);
            finished.recv().unwrap();
            assert_eq!(ledger.live_nodes(), 0);
        }
    });
}

fn pool(ledger: &Ledger) -> Pool {
    let config = PoolConfig {
        segment: 16 << 10,
        limit: 1 << 20,
        keep: 40,
    };
    Pool::new(ledger, config)
}

#[test]
fn a_socket_is_closed() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    while_copied(&ledger, |byte| {
        let mut chain = Chain::stream(&pool);
        chain.append(&vec![byte; LEN]).unwrap();
        let span = chain.span(0, LEN);
        (span, move || {
            // The next bytes take nodes that may just have been freed.
            chain.release(LEN as u64);
            chain.append(&vec![!byte; LEN]).unwrap();
            drop(chain);
        })
    });
}

#[test]
fn a_device_is_removed() {
    let ledger = Ledger::new();
    while_copied(&ledger, |byte| {
        let pool = pool(&ledger);
        let mut arena = Chain::arena(&pool);
        let segment = vec![byte; pool.segment()];
        let part = || arena.copy(&segment).unwrap();
        let parts = std::iter::repeat_with(part).take(LEN / pool.segment());
        let span = Span::gather(&ledger, parts).unwrap();
        (span, move || drop((arena, pool)))
    });
}
#[test]
fn a_region_is_unregistered() {
    let ledger = Ledger::new();
    let mut completions = Completions::new(Order::Stream, 1000);
    let mut reported = 0;
    while_copied(&ledger, |byte| {
        while let Some(range) = completions.poll() {
            reported += u64::from(range.last - range.first) + 1;
        }
        let region = Region::new(&ledger, vec![byte; LEN]);
        let token = completions.token().unwrap();
        // The memory can be taken back between two of the pieces.
        let ranges: [_; 16] = std::array::from_fn(|i| i * LEN / 16..(i + 1) * LEN / 16);
        let span = region.lend_all(&ranges, Some(&token)).unwrap();
        (span, move || {
            drop(token);
            let mut region = region;
            loop {
                match region.withdraw() {
                    Ok(mut owner) => break owner.fill(!byte),
                    Err(Busy(again)) => region = again,
                }
                thread::yield_now();
            }
        })
    });
    while let Some(range) = completions.poll() {
        reported += u64::from(range.last - range.first) + 1;
    }
    assert_eq!(
        (reported, completions.outstanding()),
        (ITERATIONS as u64, 0)
    );
}
