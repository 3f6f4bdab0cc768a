//! Taking things down while another thread copies: no leak, no early free, no
//! deadlock. Run it under AddressSanitizer and ThreadSanitizer.

#![cfg(not(loom))]

use std::sync::mpsc::sync_channel;
use std::thread;

use txbuf::{Busy, Chain, Completions, Ledger, Order, Pool, PoolConfig, Region, Span};

const ITERATIONS: usize = 10_000;
const LEN: usize = 600;

/// Runs `scene` many times: it makes a span of `LEN` bytes of one value, and what it
/// returns is dropped (or called) while another thread copies the span.
fn while_copied<D: FnOnce()>(ledger: &Ledger, mut scene: impl FnMut(u8) -> (Span, D)) {
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<(Span, u8)>(1);
        let (done, finished) = sync_channel::<()>(1);
        scope.spawn(move || {
            for (span, byte) in receive {
                let copy = span.to_vec().unwrap();
                assert!(copy.len() == LEN && copy.iter().all(|&is| is == byte));
                drop(span);
                done.send(()).unwrap();
            }
        });
        for i in 0..ITERATIONS {
            let byte = i as u8;
            let (span, take_down) = scene(byte);
            send.send((span, byte)).unwrap();
            take_down();
            finished.recv().unwrap();
            assert_eq!(ledger.live_nodes(), 0);
        }
    });
}

fn pool(ledger: &Ledger) -> Pool {
    let config = PoolConfig {
        segment: 256,
        limit: 256 * 8,
        keep: 2,
    };
    Pool::new(ledger, config)
}

#[test]
fn a_socket_is_closed() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    while_copied(&ledger, |byte| {
        let mut chain = Chain::stream(&pool);
        chain.append(&[byte; LEN]).unwrap();
        let span = chain.span(0, LEN);
        (span, move || {
            // The next bytes take nodes that may just have been freed.
            chain.release(LEN as u64);
            chain.append(&[!byte; LEN]).unwrap();
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
        let part = || arena.copy(&[byte; LEN / 3]).unwrap();
        let span = Span::gather(&ledger, std::iter::repeat_with(part).take(3)).unwrap();
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
        let span = region.lend_all(&[0..100, 100..LEN], Some(&token)).unwrap();
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
