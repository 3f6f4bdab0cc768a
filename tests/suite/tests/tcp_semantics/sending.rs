//! When data leaves: Nagle, the peer's window, probes.

use core::time::Duration;
use netstack_core::{
    ConnectionError, Instant, SendControl, SendError, SendFlags, SocketOption, TcpState,
};
use std::collections::VecDeque;
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, PSH, Tcp};
use txbuf::{IovIter, Span};

const SECOND: Duration = Duration::from_secs(1);
const MSS: usize = 1460;

fn established() -> Remote {
    Remote::accepts(Lab::default(), &Offer::default())
}

fn with_window(window: u16) -> Remote {
    Remote::accepts(
        Lab::default(),
        &Offer {
            window,
            ..Offer::default()
        },
    )
}

fn nodelay(remote: &mut Remote) {
    remote
        .lab
        .host
        .stack
        .set_option(remote.lab.now, remote.socket, SocketOption::NoDelay(true))
        .expect("TCP");
}

// req: SHLD-7, SHLD-27, MAY-16
#[test]
fn nagle_holds_a_second_small_segment_until_the_first_is_acknowledged() {
    let mut remote = established();
    remote.write(b"a");
    let first = remote.one();
    remote.write(b"b");
    remote.write(b"c");
    remote.nothing();
    remote.acknowledge(&first);
    assert_eq!(remote.one().payload, b"bc");
}

// req: SHLD-28, MUST-61
#[test]
fn nagle_lets_full_segments_pass() {
    let mut remote = established();
    remote.write(b"a");
    remote.one();
    remote.write(&[1; MSS + 100]);
    let full = remote.one();
    assert_eq!(full.payload.len(), MSS);
    assert!(!full.has(PSH), "more waits");
    remote.acknowledge(&full);
    let last = remote.one();
    assert_eq!(last.payload.len(), 100);
    assert!(last.has(PSH), "nothing waits");
}

// req: SHLD-7
#[test]
fn a_tail_does_not_wait_for_full_segments() {
    let mut remote = established();
    remote.write(&[1; MSS]);
    assert_eq!(remote.one().payload.len(), MSS);
    remote.write(b"a");
    assert_eq!(remote.one().payload, b"a");
    remote.write(&[2; MSS]);
    assert_eq!(remote.one().payload.len(), MSS);
    remote.write(b"b");
    remote.nothing();
}

// req: MUST-17
#[test]
fn without_nagle_everything_leaves_at_once() {
    let mut remote = established();
    nodelay(&mut remote);
    for byte in [b"a", b"b", b"c"] {
        remote.write(byte);
        assert_eq!(remote.one().payload, byte);
    }
}

#[test]
fn a_message_with_more_to_come_waits_for_the_rest() {
    let mut remote = established();
    nodelay(&mut remote);
    let stack = &mut remote.lab.host.stack;
    calls::write_with(stack, remote.socket, b"head", SendFlags::MORE).expect("room");
    remote.nothing();
    remote.write(b" tail");
    assert_eq!(remote.one().payload, b"head tail");
}

// req: MUST-60
#[test]
fn a_message_whose_rest_never_comes_leaves_after_all() {
    let mut remote = established();
    let stack = &mut remote.lab.host.stack;
    calls::write_with(stack, remote.socket, &[1; MSS + 4], SendFlags::MORE).expect("room");
    let full = remote.one();
    assert_eq!(full.payload.len(), MSS, "only whole segments");
    remote.acknowledge(&full);
    remote.nothing();
    let sent = remote.pass(Duration::from_millis(300));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.payload.len(), 4);
}

// req: MUST-19, SHLD-28, RFC5681-01, RFC5681-03, RFC6928-01, RFC3465-02, RFC5681-05
#[test]
fn the_first_flight_is_ten_segments() {
    let mut remote = established();
    remote.write(&[1; 100_000]);
    let sent = remote.sent();
    assert_eq!(sent.len(), 10);
    assert!(sent.iter().all(|segment| segment.payload.len() == MSS));
    // Slow start: each acknowledged segment lets two out.
    remote.acknowledge(&sent[1]);
    assert_eq!(remote.sent().len(), 4);
}

// req: RFC5681-01, RFC7323-15
#[test]
fn no_more_leaves_than_the_window_takes() {
    let mut remote = with_window(5_000);
    remote.write(&[1; 20_000]);
    let sent = remote.sent();
    assert_eq!(
        sent.iter()
            .map(|segment| segment.payload.len())
            .sum::<usize>(),
        3 * MSS,
        "whole segments only"
    );
    let last = sent.last().expect("three");
    remote.window = 0;
    remote.acknowledge(last);
    remote.nothing();
}

// req: MUST-34, SHLD-15
#[test]
fn a_window_that_shrinks_is_tolerated() {
    let mut remote = with_window(20_000);
    remote.write(&[1; 30_000]);
    let sent = remote.sent();
    assert!(sent.len() >= 10);
    // The right edge moves left behind what was sent.
    remote.window = 3_000;
    remote.acknowledge(&sent[1]);
    remote.nothing();
    remote.acknowledge(&sent[9]);
    let next = remote.sent();
    assert_eq!(next.len(), 2, "it goes on with the small window");
    // And shut entirely in the middle of a flight.
    remote.window = 0;
    remote.send(ACK, b"");
    remote.window = 20_000;
    let last = next.last().expect("two").clone();
    remote.acknowledge(&last);
    assert!(!remote.sent().is_empty());
}

// req: MUST-35, SHLD-29
#[test]
fn a_window_that_shuts_under_data_is_probed_after_one_timeout() {
    let mut remote = with_window(20_000);
    remote.write(&[1; 30_000]);
    let flight = remote.sent();
    remote.window = 0;
    remote.acknowledge(flight.last().expect("a flight"));
    remote.nothing();
    let rto = remote.info().rto;
    let (at, probe) = remote.pass(SECOND * 2).remove(0);
    assert_eq!((at, probe.seq, probe.payload.len()), (rto, remote.rcv, 1));
}

// req: U-22
#[test]
fn an_older_acknowledgement_does_not_set_the_window() {
    let mut remote = established();
    remote.write(&[1; 3 * MSS]);
    let flight = remote.sent();
    remote.acknowledge(&flight[2]);
    let late = Tcp {
        ack: flight[0].end(),
        window: 0,
        ..remote.segment(ACK, b"")
    };
    remote.inject(&late);
    remote.write(b"on");
    assert_eq!(remote.one().payload, b"on");
}

// req: MUST-36, MUST-37, U-23
#[test]
fn a_shut_window_is_probed_with_data_for_as_long_as_probes_are_answered() {
    let mut remote = with_window(0);
    remote.write(b"waiting");
    remote.nothing();
    let hours = remote.lab.now + SECOND * 3600 * 5;
    let (mut probes, mut gaps, mut last) = (0, Vec::new(), remote.lab.now);
    while remote.lab.now < hours {
        for (at, packet) in remote.lab.until(remote.lab.now + SECOND / 10) {
            let probe = Tcp::parse(&packet).expect("TCP");
            assert_eq!(
                (probe.seq, probe.payload.len()),
                (remote.rcv, 1),
                "a probe carries data"
            );
            probes += 1;
            gaps.push(at - last);
            last = at;
            remote.send(ACK, b"");
        }
    }
    assert!(
        gaps.windows(2).all(|pair| pair[1] + SECOND / 5 >= pair[0]),
        "probes come ever more rarely"
    );
    assert!(
        *gaps.iter().max().expect("probes") <= SECOND * 121,
        "but never more rarely than every two minutes"
    );
    assert!(probes > 100, "{probes} probes");
    assert_eq!(remote.state(), TcpState::Established);
    remote.window = 1_000;
    remote.send(ACK, b"");
    assert_eq!(
        remote.one().payload,
        b"waiting",
        "at once, and from the byte that was probed with"
    );
}

#[test]
fn a_probe_that_is_taken_moves_on() {
    let mut remote = with_window(0);
    remote.write(b"waiting");
    let probe = remote.pass(SECOND * 2).remove(0).1;
    remote.window = 0;
    remote.acknowledge(&probe);
    let next = remote.pass(SECOND * 30).remove(0).1;
    assert_eq!((next.seq, &next.payload[..]), (probe.end(), &b"a"[..]));
}

#[test]
fn unanswered_probes_end_the_connection() {
    let mut remote = with_window(0);
    remote.write(b"waiting");
    let sent = remote.pass(SECOND * 3600);
    assert_eq!(sent.len(), 1 + 15, "the first, and R2 of them again");
    let error = remote.lab.host.stack.take_error(remote.socket);
    assert_eq!(
        (error, remote.state()),
        (Ok(Some(ConnectionError::TimedOut)), TcpState::Closed)
    );
}

// req: MUST-38
#[test]
fn a_receiver_that_opens_its_window_byte_by_byte_gets_no_silly_segments() {
    let mut remote = with_window(20_000);
    remote.write(&[1; 30_000]);
    loop {
        let sent = remote.sent();
        let Some(last) = sent.last() else { break };
        remote.window = remote
            .window
            .saturating_sub(last.end().wrapping_sub(remote.rcv) as u16);
        remote.acknowledge(last);
    }
    let start = remote.lab.now;
    let mut small = 0;
    // The far end reads one byte every millisecond and says so each time.
    for window in 1..=3 * MSS as u16 {
        remote.window = window;
        remote.send(ACK, b"");
        let now = remote.lab.now + Duration::from_millis(1);
        for (_, packet) in remote.lab.until(now) {
            let segment = Tcp::parse(&packet).expect("TCP");
            if segment.payload.len() < MSS {
                small += 1;
            }
            remote.rcv = segment.end();
        }
    }
    // The override of RFC 9293, 3.8.6.2.1 allows one in a while, not one per window update.
    let seconds = (remote.lab.now - start).as_secs() as usize + 1;
    assert!(
        small <= 3 * seconds,
        "{small} silly segments in {seconds} s"
    );
}

#[test]
fn half_of_the_largest_window_is_worth_a_segment() {
    // A peer whose whole buffer is smaller than a segment must get data nonetheless.
    let mut remote = with_window(1_000);
    remote.write(&[1; 5_000]);
    let mut received = 0;
    let start = remote.lab.now;
    while received < 5_000 {
        let sent = remote.sent();
        assert_eq!(sent.len(), 1, "at {received}");
        received += sent[0].payload.len();
        remote.acknowledge(&sent[0]);
    }
    assert_eq!(remote.lab.now, start, "without waiting for any timer");
}

#[test]
fn of_very_many_pieces_whole_segments_leave() {
    let mut remote = established();
    let stack = &mut remote.lab.host.stack;
    let ledger = stack.ledger().clone();
    let piece = |number| Span::from_owner(&ledger, vec![number; 600]).expect("short");
    let mut pieces: VecDeque<Span> = (0..100).map(piece).collect();
    let mut from = IovIter::spans(&mut pieces);
    let control = SendControl::default();
    let taken = stack.send_message(remote.socket, &mut from, SendFlags::NONE, &control);
    assert_eq!(taken, Ok(60_000));
    let mut received: Vec<u8> = Vec::new();
    while received.len() < 60_000 {
        for segment in remote.sent() {
            received.extend(&segment.payload);
            let last = received.len() == 60_000;
            assert!(segment.payload.len() == MSS || last, "{segment:?}");
            remote.acknowledge(&segment);
        }
    }
    let expected: Vec<u8> = (0..100).flat_map(|number| [number; 600]).collect();
    assert!(received == expected);
}

#[test]
fn what_follows_a_small_segment_that_was_lost_leaves_with_it_in_one_whole_segment() {
    let mut remote = established();
    remote.write(&[1; 100]);
    let small = remote.one();
    remote.write(&[2; MSS - 60]);
    remote.nothing();
    let rto = remote.info().rto;
    let again = remote.pass(rto);
    assert_eq!(again.len(), 1, "{again:#?}");
    let (_, again) = &again[0];
    assert_eq!((again.seq, again.payload.len()), (small.seq, MSS));
}

#[test]
fn a_message_that_was_not_taken_is_done_with_at_once() {
    let mut remote = established();
    let stack = &mut remote.lab.host.stack;
    let option = SocketOption::SendBuffer(10_000);
    let set = stack.set_option(remote.lab.now, remote.socket, option);
    set.expect("TCP");
    assert_eq!(calls::write(stack, remote.socket, &[1; 10_000]), Ok(10_000));
    let token = stack.message_token(remote.socket).expect("a token");
    let control = SendControl {
        token: Some(&token),
        ..SendControl::default()
    };
    let mut from = IovIter::bytes(b"no room");
    let refused = stack.send_message(remote.socket, &mut from, SendFlags::NONE, &control);
    assert_eq!(refused, Err(SendError::WouldBlock));
    drop(token);
    // It does not wait for what was taken before.
    let done = stack.poll_completion(remote.socket);
    assert!(done.expect("TCP").is_some());
}

#[test]
fn a_full_buffer_takes_no_more_and_says_when_it_does() {
    let mut remote = established();
    let option = SocketOption::SendBuffer(10_000);
    remote
        .lab
        .host
        .stack
        .set_option(Instant::ZERO, remote.socket, option)
        .expect("TCP");
    let taken =
        calls::write(&mut remote.lab.host.stack, remote.socket, &[1; 20_000]).expect("room");
    assert_eq!(taken, 10_000);
    while remote.lab.host.stack.poll_event().is_some() {}
    let sent = remote.sent();
    remote.acknowledge(sent.last().expect("data"));
    let event = remote.lab.host.stack.poll_event().expect("news");
    assert!(event.writable && event.socket == remote.socket);
}
