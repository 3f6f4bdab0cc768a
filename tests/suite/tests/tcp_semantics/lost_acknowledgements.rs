//! What is known of the path where acknowledgements get lost (RFC 6298, 3).

use core::time::Duration;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Impairment, Transfer, WorldConfig};
use suite::wire::{ACK, Tcp, options};

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

#[test]
fn a_segment_that_comes_again_acknowledges_what_was_sent_and_nothing_else() {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    let data = remote.segment(ACK, b"data");
    remote.send(ACK, b"data");
    remote.write(&[1; 2_000]);
    let flight = remote.sent();
    let beyond = flight[1].end().wrapping_add(1);
    for (ack, outstanding) in [
        (beyond, 2_000),
        (flight[0].end(), 2_000 - flight[0].payload.len()),
        (flight[0].seq, 2_000 - flight[0].payload.len()),
        (flight[1].end(), 0),
    ] {
        remote.inject(&Tcp {
            ack,
            ..data.clone()
        });
        assert_eq!(remote.info().outstanding, outstanding);
        // And it is acknowledged again.
        assert_eq!(remote.one().ack, remote.nxt);
    }
}
