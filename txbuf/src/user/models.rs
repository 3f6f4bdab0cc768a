//! Concurrency models, built and run with `--cfg loom`.

use loom::thread;

use super::*;

// Where the memory is given back, the models have it written.

/// Taking the memory back against a pin that is copied out and dropped.
#[test]
fn unregistering_against_a_pin() {
    loom::model(|| {
        let ledger = Ledger::new();
        let region = Region::new(&ledger, vec![7_u8; 4]);
        let span = region.lend(0..4, None).unwrap();
        let reader = thread::spawn(move || {
            assert_eq!(span.to_vec(), Ok(vec![7; 4]));
            drop(span);
        });
        let kept = match region.unregister() {
            Ok(owner) => {
                drop(owner);
                None
            }
            Err(Busy(region)) => Some(region),
        };
        reader.join().unwrap();
        assert!(kept.is_none_or(|region| region.unregister().is_ok()));
        assert_eq!(ledger.live_nodes(), 0);
    });
}

#[test]
fn withdrawing_against_a_pin() {
    loom::model(|| {
        let ledger = Ledger::new();
        let region = Region::new(&ledger, vec![7_u8; 4]);
        let span = region.lend(0..4, None).unwrap();
        let other = span.clone();
        let reader = thread::spawn(move || assert_eq!(other.to_vec(), Ok(vec![7; 4])));
        match region.withdraw() {
            Ok(mut owner) => owner.fill(0),
            Err(Busy(region)) => drop(region),
        }
        assert_eq!(span.to_vec(), Ok(vec![7; 4]));
        reader.join().unwrap();
        drop(span);
        assert_eq!(ledger.live_nodes(), 0);
    });
}
