//! What is sent again, and when (RFC 5681, RFC 6298, RFC 6582).

use core::time::Duration;
use netstack_core::{ConnectionError, TcpState};
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, Tcp};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MSS: usize = 1460;

fn established() -> Remote {
    Remote::accepts(Lab::default(), &Offer::default())
}

/// Writes so much that the whole window of ten segments is in flight, and more waits.
fn in_flight(remote: &mut Remote) -> Vec<Tcp> {
    remote.write(&[1; 40 * MSS]);
    let sent = remote.sent();
    assert_eq!(sent.len(), 10);
    sent
}

// req: RFC5681-18, RFC5681-19, RFC3042-01
#[test]
fn the_third_duplicate_acknowledgement_repeats_the_first_segment() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    // Limited transmit (RFC 3042): the first two let new segments out.
    for expected in [10, 11] {
        remote.send(ACK, b"");
        let new = remote.one();
        assert_eq!(new.seq, flight[0].seq.wrapping_add((expected * MSS) as u32));
    }
    remote.send(ACK, b"");
    let sent = remote.sent();
    assert_eq!(
        (sent[0].seq, &sent[0].payload),
        (flight[0].seq, &flight[0].payload),
        "at once"
    );
    assert!(remote.info().in_recovery);
    assert_eq!(remote.info().retransmits, 1);
    // The window was halved: more duplicates first have to make up for that.
    remote.send(ACK, b"");
    assert!(remote.sent().len() <= 1);
    assert_eq!(remote.info().retransmits, 1, "once");
}

// req: RFC6582-03, RFC6582-06, RFC5681-27
#[test]
fn a_partial_acknowledgement_repeats_the_next_hole_at_once() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    for _ in 0..3 {
        remote.send(ACK, b"");
    }
    remote.sent();
    // Segments 0 and 4 were lost: the repeated one moves the acknowledgement up to the next hole.
    remote.acknowledge(&flight[3]);
    let again = remote.sent();
    assert_eq!(again[0].seq, flight[4].seq);
    assert!(remote.info().in_recovery);
    // Everything that was out when the loss was found is acknowledged: recovery is over.
    remote.acknowledge(&flight[9]);
    assert!(!remote.info().in_recovery);
    assert!(remote.info().congestion_window <= remote.info().threshold);
}

#[test]
fn acknowledgements_with_data_or_a_new_window_are_no_duplicates() {
    let mut remote = established();
    in_flight(&mut remote);
    for i in 0..5 {
        remote.send(ACK, b"data");
        remote.window = 60_000 + i;
        remote.send(ACK, b"");
    }
    assert_eq!(
        (remote.info().retransmits, remote.info().in_recovery),
        (0, false)
    );
}

// req: MUST-19, SHLD-11, RFC6298-06, RFC6298-15, RFC8961-07, RFC8961-09
#[test]
fn the_timeout_doubles_until_the_connection_is_given_up() {
    let mut remote = established();
    remote.write(b"lost");
    let first = remote.one();
    let sent = remote.pass(SECOND * 3600);
    assert!(
        sent.iter()
            .all(|(_, segment)| segment.seq == first.seq && segment.payload == first.payload)
    );
    assert_eq!(sent.len(), 15, "R2");
    let times: Vec<Duration> = core::iter::once(Duration::ZERO)
        .chain(sent.iter().map(|(at, _)| *at))
        .collect();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for pair in gaps.windows(2) {
        assert_eq!(pair[1], (pair[0] * 2).min(SECOND * 120), "{gaps:?}");
    }
    assert!(
        *times.last().expect("some") > SECOND * 100,
        "R2 is at least 100 s (RFC 9293, 3.8.3)"
    );
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(
        (error, remote.state()),
        (Ok(Some(ConnectionError::TimedOut)), TcpState::Closed)
    );
}

// req: MUST-18, RFC6298-07, RFC8961-05, RFC8961-08
#[test]
fn the_acknowledgement_of_what_was_sent_twice_measures_nothing() {
    let mut remote = established();
    let before = remote.info();
    remote.write(b"lost");
    remote.one();
    let (_, again) = remote.pass(before.rto + MILLISECOND).remove(0);
    remote.pass(MILLISECOND * 100);
    remote.acknowledge(&again);
    let info = remote.info();
    assert_eq!(
        info.rtt, before.rtt,
        "whichever of the two was acknowledged"
    );
    assert_eq!(info.rto, before.rto * 2, "and the timeout stays backed off");
    remote.write(b"sent once");
    let once = remote.one();
    remote.acknowledge(&once);
    assert!(remote.info().rto <= before.rto);
}

// req: RFC6298-02, RFC8961-04
#[test]
fn the_timeout_follows_the_round_trip_time() {
    let mut lab = Lab::default();
    let remote_address = (Lab::neighbour(false), 80).into();
    let socket = lab
        .host
        .stack
        .tcp_connect(lab.now, remote_address, None)
        .expect("a route");
    let syn = Tcp::parse(&lab.sent()[0]).expect("TCP");
    lab.pass(MILLISECOND * 100);
    let answer = Tcp {
        src: syn.dst,
        dst: syn.src,
        seq: 1,
        ack: syn.end(),
        flags: ACK | suite::wire::SYN,
        window: 60_000,
        urgent: 0,
        options: Vec::new(),
        payload: Vec::new(),
    };
    lab.inject(&answer.to_packet());
    lab.sent();
    // RFC 6298, 2.2: SRTT = R, RTTVAR = R/2, RTO = R + 4 R/2.
    let info = lab.host.stack.tcp_info(socket).expect("TCP");
    assert_eq!(
        (info.rtt, info.rto),
        (Some(MILLISECOND * 100), MILLISECOND * 300)
    );
}

// req: MUST-19, U-42, RFC5681-14, RFC6928-04, RFC6298-14, RFC8961-06
#[test]
fn a_timeout_sends_one_segment_and_then_slow_starts() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    let sent = remote.pass(MILLISECOND * 250);
    assert_eq!(sent.len(), 1, "one segment: {sent:?}");
    assert_eq!(sent[0].1.seq, flight[0].seq);
    assert_eq!(remote.info().congestion_window, MSS);
    remote.acknowledge(&flight[0]);
    // New data, to find out whether the timeout was right (RFC 5682).
    let new = remote.sent();
    assert_eq!(new.len(), 2);
    assert_eq!(new[0].seq, flight[9].end());
    // An acknowledgement of all that was out skips what was not lost.
    remote.acknowledge(&flight[9]);
    let next = remote.sent();
    assert_eq!(next[0].seq, new[1].end());
}

#[test]
fn acknowledged_bytes_are_never_sent_again() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    remote.pass(MILLISECOND * 250);
    // An acknowledgement in the middle of a segment.
    remote.rcv = flight[2].seq.wrapping_add(700);
    remote.send(ACK, b"");
    for segment in remote.sent() {
        assert!(
            segment.seq.wrapping_sub(remote.rcv) < 1 << 30,
            "{segment:?}"
        );
    }
    let (_, again) = remote.pass(SECOND * 4).remove(0);
    assert_eq!(again.seq, remote.rcv);
}

// req: MAY-7
#[test]
fn the_window_does_not_hold_a_retransmission_back() {
    let mut remote = established();
    let flight = in_flight(&mut remote);
    // The receiver shut its window after the flight left, and lost the first segment.
    remote.window = 0;
    remote.send(ACK, b"");
    remote.sent();
    let (_, again) = remote.pass(SECOND * 2).remove(0);
    assert_eq!(again.seq, flight[0].seq);
}

// req: RFC5681-28, RFC6928-03
#[test]
fn an_idle_connection_starts_from_a_small_window() {
    let mut remote = established();
    for _ in 0..6 {
        remote.write(&[1; 20 * MSS]);
        loop {
            let sent = remote.sent();
            let Some(last) = sent.last() else { break };
            remote.acknowledge(last);
        }
    }
    assert!(remote.info().congestion_window > 10 * MSS);
    remote.pass(SECOND * 10);
    remote.write(&[1; 40 * MSS]);
    assert_eq!(
        remote.sent().len(),
        10,
        "the initial window (RFC 5681, 4.1)"
    );
}
