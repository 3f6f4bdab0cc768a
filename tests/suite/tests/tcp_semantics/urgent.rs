//! Urgent data: a mark in the stream, and nothing that overtakes it.

use core::time::Duration;
use netstack_core::{SendFlags, SocketOption, UrgentByte, UrgentData};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, PSH, Tcp, URG};

const SECOND: Duration = Duration::from_secs(1);
const MSS: usize = 1460;

fn established() -> Remote {
    Remote::accepts(Lab::default(), &Offer::default())
}

fn write_urgent(remote: &mut Remote, data: &[u8]) {
    let (stack, socket) = (&mut remote.lab.host.stack, remote.socket);
    let taken = calls::write_with(stack, socket, data, SendFlags::OOB).expect("room");
    assert_eq!(taken, data.len());
}

/// A segment that says that what comes within `urgent` bytes of its beginning is urgent.
fn urgently(remote: &Remote, payload: &[u8], urgent: u16) -> Tcp {
    Tcp {
        urgent,
        ..remote.segment(ACK | URG, payload)
    }
}

fn send_urgent(remote: &mut Remote, payload: &[u8], urgent: u16) {
    let segment = urgently(remote, payload, urgent);
    remote.nxt = segment.end();
    remote.inject(&segment);
}

fn ahead(remote: &Remote) -> Option<usize> {
    let urgent = remote.lab.host.stack.tcp_urgent(remote.socket);
    urgent.expect("a connection")
}

/// Whether the application was told of urgent data since the last call.
fn told(remote: &mut Remote) -> bool {
    let mut told = false;
    while let Some(event) = remote.lab.host.stack.poll_event() {
        told |= event.socket == remote.socket && event.urgent;
    }
    told
}

fn read(remote: &mut Remote, most: usize) -> Vec<u8> {
    calls::read(&mut remote.lab.host.stack, remote.socket, most).expect("data")
}

// req: MUST-30, MUST-62
#[test]
fn the_pointer_points_behind_what_is_urgent() {
    let mut remote = established();
    write_urgent(&mut remote, b"hurry");
    let sent = remote.one();
    assert!(sent.has(URG));
    assert_eq!((sent.payload.as_slice(), sent.urgent), (&b"hurry"[..], 5));
    remote.acknowledge(&sent);
    remote.write(b"at leisure");
    let sent = remote.one();
    assert!(!sent.has(URG));
    assert_eq!(sent.urgent, 0);
}

// req: SHLD-13
#[test]
fn nothing_is_urgent_that_nobody_called_so() {
    let mut remote = established();
    remote.write(&[1; 3 * MSS]);
    let sent = remote.sent();
    assert!(sent.iter().all(|segment| !segment.has(URG)));
    assert!(sent.iter().all(|segment| segment.urgent == 0));
}

// req: MUST-30
#[test]
fn what_was_written_before_points_there_as_well_and_what_comes_after_does_not() {
    let mut remote = established();
    remote.write(b"first");
    remote.one();
    remote.write(b"waiting");
    remote.nothing();
    write_urgent(&mut remote, b"!");
    let sent = remote.one();
    assert_eq!(
        (sent.payload.as_slice(), sent.urgent),
        (&b"waiting!"[..], 8)
    );
    remote.write(b"later");
    let after = remote.lab.pass(SECOND).into_iter();
    let repeated = after.map(|(_, packet)| Tcp::parse(&packet).expect("TCP"));
    for segment in repeated {
        let mark = sent.end();
        let pointer = segment.seq.wrapping_add(segment.urgent.into());
        assert_eq!(
            segment.has(URG),
            segment.seq.wrapping_sub(mark) as i32 <= -1
        );
        assert!(!segment.has(URG) || pointer == mark, "{segment:?}");
    }
}

// req: MUST-31, MUST-62
#[test]
fn urgent_data_may_be_longer_than_the_pointer_reaches() {
    let offer = Offer {
        window: 60_000,
        scale: Some(4),
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    let data: Vec<u8> = (0..100_000u32).map(|at| at as u8).collect();
    write_urgent(&mut remote, &data);
    let start = remote.rcv;
    let end = start.wrapping_add(100_000);
    let mut received: Vec<u8> = Vec::new();
    while received.len() < data.len() {
        let sent = remote.sent();
        assert!(!sent.is_empty(), "after {} bytes", received.len());
        for segment in &sent {
            let left = end.wrapping_sub(segment.seq);
            assert!(segment.has(URG));
            assert_eq!(u32::from(segment.urgent), left.min(65_535));
            assert!(segment.payload.len() <= MSS, "each says so for itself");
            received.extend(&segment.payload);
            remote.acknowledge(segment);
        }
    }
    assert!(received == data);
}

// req: MUST-31, MUST-32, MUST-33
#[test]
fn a_reader_learns_where_a_long_run_ends() {
    let mut remote = established();
    let mut read_so_far = 0;
    for part in 0..100 {
        let left = 100_000 - part * 1000;
        send_urgent(
            &mut remote,
            &[7; 1000],
            u16::try_from(left).unwrap_or(u16::MAX),
        );
        remote.sent();
        let known = (part * 1000 + 65_535).min(100_000);
        assert_eq!(
            told(&mut remote),
            known != (part * 1000 + 64_535).min(100_000) || part == 0
        );
        assert_eq!(ahead(&remote), Some(known - read_so_far));
        read_so_far += read(&mut remote, 1000).len();
    }
    assert_eq!(ahead(&remote), None, "all of it was read");
}

// req: MUST-32
#[test]
fn each_new_mark_is_told_and_no_old_one() {
    let mut remote = established();
    told(&mut remote);
    send_urgent(&mut remote, b"ab", 2);
    assert!(told(&mut remote));
    assert_eq!(ahead(&remote), Some(2));
    let again = Tcp {
        seq: remote.nxt.wrapping_sub(2),
        ..urgently(&remote, b"ab", 2)
    };
    remote.inject(&again);
    assert!(!told(&mut remote));
    send_urgent(&mut remote, b"cd", 10);
    assert!(told(&mut remote));
    assert_eq!(ahead(&remote), Some(12));
    send_urgent(&mut remote, b"ef", 1);
    assert!(!told(&mut remote), "a mark never moves back");
    assert_eq!(ahead(&remote), Some(12));
}

// req: MUST-33
#[test]
fn the_mark_lies_behind_once_it_is_read() {
    let mut remote = established();
    send_urgent(&mut remote, b"abcdef", 3);
    assert_eq!(ahead(&remote), Some(3));
    assert_eq!(read(&mut remote, 2), b"ab");
    assert_eq!(ahead(&remote), Some(1));
    assert_eq!(read(&mut remote, 1), b"c");
    assert_eq!(ahead(&remote), None);
    assert_eq!(read(&mut remote, 10), b"def", "it stays in the stream");
    send_urgent(&mut remote, b"g", 0);
    assert_eq!(ahead(&remote), None, "nothing before a segment is urgent");
}

// req: MUST-66
#[test]
fn urgent_data_is_told_of_while_the_window_is_shut() {
    let mut remote = established();
    let (stack, now) = (&mut remote.lab.host.stack, remote.lab.now);
    let option = SocketOption::ReceiveBuffer(4 * MSS);
    stack.set_option(now, remote.socket, option).expect("TCP");
    let mut window = usize::MAX;
    while window > 0 {
        remote.send(ACK | PSH, &vec![1; window.min(MSS)]);
        window = match remote.sent().last() {
            Some(answer) => usize::from(answer.window),
            None => panic!("an acknowledgement"),
        };
    }
    told(&mut remote);
    let unread = remote.info().unread;
    let bare = urgently(&remote, b"", 100);
    remote.inject(&bare);
    assert!(told(&mut remote));
    assert_eq!(ahead(&remote), Some(unread + 100));
    let refused = urgently(&remote, &[2; 10], 200);
    remote.inject(&refused);
    assert!(told(&mut remote));
    assert_eq!(
        (ahead(&remote), remote.info().unread),
        (Some(unread + 200), unread)
    );
}

// req: MUST-30
#[test]
fn a_peer_with_a_shut_window_hears_of_urgent_data() {
    let mut remote = established();
    remote.window = 0;
    remote.send(ACK, b"");
    write_urgent(&mut remote, b"hurry");
    let probe = remote.pass(5 * SECOND).remove(0).1;
    assert!(probe.has(URG));
    assert_eq!(probe.urgent, 5);
}

// req: U-30
#[test]
fn a_segment_that_is_refused_says_nothing() {
    let mut remote = established();
    told(&mut remote);
    let stale = Tcp {
        seq: remote.nxt.wrapping_sub(100_000),
        ..urgently(&remote, b"x", 9)
    };
    remote.inject(&stale);
    assert!(!told(&mut remote));
    assert_eq!(ahead(&remote), None);
}

/// An established connection whose application has urgent data out of band.
fn out_of_band() -> Remote {
    let mut remote = established();
    let (stack, now) = (&mut remote.lab.host.stack, remote.lab.now);
    let option = SocketOption::Urgent(UrgentData::OutOfBand);
    stack.set_option(now, remote.socket, option).expect("TCP");
    remote
}

/// The last urgent byte, which is had once.
fn urgent_byte(remote: &mut Remote) -> UrgentByte {
    let (stack, socket) = (&mut remote.lab.host.stack, remote.socket);
    stack.tcp_urgent_byte(socket, false).expect("a connection")
}

#[test]
fn a_read_of_nothing_passes_no_urgent_byte() {
    let mut remote = out_of_band();
    send_urgent(&mut remote, b"ab!cd", 3);
    assert_eq!(read(&mut remote, 10), b"ab", "up to the mark");
    assert_eq!(read(&mut remote, 0), b"");
    assert_eq!(urgent_byte(&mut remote), UrgentByte::Here(b'!'));
    assert_eq!(read(&mut remote, 10), b"cd");
}

#[test]
fn an_urgent_byte_can_be_had_once_it_has_come() {
    let mut remote = out_of_band();
    let can_be_had = |remote: &Remote| {
        let readiness = remote.lab.host.stack.readiness(remote.socket);
        readiness.expect("a connection").urgent
    };
    send_urgent(&mut remote, b"ab", 3);
    assert!(!can_be_had(&remote), "it is announced and no more");
    assert_eq!(urgent_byte(&mut remote), UrgentByte::Awaited);
    remote.send(ACK | PSH, b"!cd");
    assert!(can_be_had(&remote));
    assert_eq!(urgent_byte(&mut remote), UrgentByte::Here(b'!'));
    assert!(!can_be_had(&remote), "and only once");
}
