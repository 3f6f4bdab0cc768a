//! What is known of the path where acknowledgements get lost (RFC 6298, 3).

use core::time::Duration;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Impairment, Transfer, WorldConfig};
use suite::wire::{ACK, options};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

// req: RFC6298-07
#[test]
fn the_answer_to_a_repetition_that_was_not_needed_measures_nothing() {
    let offer = Offer {
        sack: true,
        timestamp: Some(1_000),
        rtt: MILLISECOND * 50,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    let before = remote.info();
    for _ in 0..20 {
        remote.write(&[1; 2_000]);
        let flight = remote.sent();
        // All of it arrives, but no acknowledgement does before that of the third repetition.
        let again = remote.pass(SECOND * 2);
        assert!(again.len() >= 3, "{again:?}");
        let (first, last) = (&flight[0], &flight[flight.len() - 1]);
        let (clock, _) = first.timestamps().expect("timestamps");
        remote.timestamps = Some((1_001, clock));
        remote.rcv = last.end();
        let mut report = remote.segment(ACK, b"");
        report
            .options
            .extend(options::sack(&[(first.seq, first.end())]));
        remote.inject(&report);
        let info = remote.info();
        assert_eq!(info.outstanding, 0);
        assert_eq!((info.rtt, info.rto), (before.rtt, before.rto));
    }
}

#[test]
fn a_path_that_loses_a_fifth_both_ways_is_slow_and_no_more() {
    for seed in 0..20 {
        let config = WorldConfig {
            seed,
            impairment: Impairment {
                delay: MILLISECOND * 20,
                loss: 200,
                ..Impairment::default()
            },
            ..WorldConfig::default()
        };
        let world = Transfer::run(&config, seed % 2 == 1, 300_000);
        let took = world.now - netstack_core::Instant::ZERO;
        // TIME-WAIT is a minute of that.
        assert!(took < SECOND * 600, "seed {seed}: {took:?}");
    }
}
