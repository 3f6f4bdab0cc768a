//! Windows that are scaled, that shrink and that stay shut (RFC 7323, 2; RFC 9293, 3.8.6).

use core::time::Duration;
use netstack_core::{SocketOption, TcpState};
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, PSH, RST, Tcp, options};

const SECOND: Duration = Duration::from_secs(1);
const MSS: usize = 1460;

fn lab(receive_buffer: usize) -> Lab {
    let mut config = WorldConfig::default();
    config.tcp.receive_buffer = receive_buffer;
    Lab::new(&config)
}

// req: RFC7323-02
#[test]
fn a_window_that_needs_no_scale_offers_a_scale_of_zero() {
    let offer = Offer {
        scale: Some(3),
        ..Offer::default()
    };
    let active = Remote::accepts(lab(60_000), &offer);
    assert_eq!(active.syn.window_scale(), Some(0));
    let passive = Remote::connects(lab(60_000), &offer);
    assert_eq!(passive.syn.window_scale(), Some(0));
    assert_eq!(passive.info().send_window, usize::from(offer.window) << 3);
}

// req: RFC7323-04
#[test]
fn a_scale_that_is_not_in_a_syn_means_nothing() {
    let offer = Offer {
        scale: Some(2),
        window: 1_000,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    assert_eq!(remote.info().send_window, 4_000);
    let data = Tcp {
        options: options::window_scale(9),
        ..remote.segment(ACK, b"data")
    };
    remote.nxt = data.end();
    remote.inject(&data);
    remote.send(ACK, b"more");
    assert_eq!(remote.info().send_window, 4_000);
}

// req: RFC7323-12
#[test]
fn a_window_that_retreats_by_rounding_is_no_trouble() {
    let offer = Offer {
        scale: Some(7),
        window: 100,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    remote.write(&[1; 30_000]);
    for _ in 0..10 {
        for segment in remote.sent() {
            let left = 12_800_usize.saturating_sub(segment.payload.len());
            remote.window = (left >> 7) as u16;
            remote.acknowledge(&segment);
        }
        remote.window = 100;
        remote.send(ACK, b"");
    }
    let info = remote.info();
    assert_eq!((info.outstanding, info.unsent, info.retransmits), (0, 0, 0));
}

// req: RFC7323-13, RFC7323-14
#[test]
fn what_was_ever_promised_is_taken() {
    let offer = Offer {
        scale: Some(0),
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::connects(lab(1 << 20), &offer);
    let shift = remote.syn.window_scale().expect("scaled");
    assert_eq!(shift, 5);
    let mut edge = 0;
    // Lengths that no scaled window can say to the byte, and nobody reads.
    for len in [1000, 101, 33, 7, 1] {
        remote.send(ACK, &vec![1; len]);
        remote.lab.pass(SECOND / 5);
        let beyond = Tcp {
            seq: remote.nxt.wrapping_add(50_000),
            ..remote.segment(ACK, b"?")
        };
        remote.inject(&beyond);
        let ack = remote.one();
        let offered = (u32::from(ack.window) << shift).wrapping_add(ack.ack);
        edge = u32::max(edge, offered.wrapping_sub(remote.irs));
        // The last bytes of the largest window that was ever offered.
        let last = Tcp {
            seq: edge.wrapping_add(remote.irs).wrapping_sub(100),
            ..remote.segment(ACK, &[9; 100])
        };
        remote.inject(&last);
        let blocks = remote.one().sack();
        let whole = |block: &(u32, u32)| block.0 <= last.seq && block.1 >= last.end();
        assert!(blocks.iter().any(whole), "{blocks:?} without {last:?}");
    }
}

#[test]
fn small_segments_that_nobody_reads_fill_the_buffer_and_no_more() {
    let offer = Offer {
        scale: Some(0),
        ..Offer::default()
    };
    let mut remote = Remote::connects(lab(1 << 20), &offer);
    let shift = remote.syn.window_scale().expect("scaled");
    let buffer = remote.info().receive_buffer;
    // Rounded up, the window would be as large as before each of them.
    let data = vec![1; (1 << shift) - 1];
    let mut furthest = None;
    for _ in 0..2 * buffer / data.len() {
        remote.send(ACK | PSH, &data);
        let ack = remote.one();
        let edge = ack.ack.wrapping_add(u32::from(ack.window) << shift);
        let back = furthest.map_or(0, |furthest: u32| furthest.wrapping_sub(edge) as i32);
        assert!(back < 1 << shift, "the edge retreats by {back}");
        furthest = if back > 0 { furthest } else { Some(edge) };
        if ack.window == 0 {
            break;
        }
    }
    let (unread, most) = (remote.info().unread, buffer + buffer / 8 + (1 << shift));
    assert!(
        (buffer / 2..=most).contains(&unread),
        "{unread} of {buffer}"
    );
}

#[test]
fn small_pieces_that_nobody_reads_find_room_in_a_small_buffer() {
    let mut remote = Remote::connects(lab(1_000), &Offer::default());
    // Kept apart, each would cost more than its bytes.
    for piece in 0..40 {
        remote.send(ACK | PSH, &[piece; 25]);
        assert_eq!(remote.one().ack, remote.nxt, "{piece}");
    }
    let read = remote.read().expect("all that fits");
    assert!(
        read.iter()
            .enumerate()
            .all(|(at, byte)| *byte as usize == at / 25)
    );
    assert_eq!(read.len(), 1_000);
}

#[test]
fn a_buffer_of_less_than_the_scale_can_say_lets_everything_through() {
    for limit in [1, 100] {
        let offer = Offer {
            scale: Some(0),
            ..Offer::default()
        };
        let mut remote = Remote::connects(lab(4 << 20), &offer);
        let shift = remote.syn.window_scale().expect("scaled");
        let (now, socket) = (remote.lab.now, remote.socket);
        let stack = &mut remote.lab.host.stack;
        let option = SocketOption::ReceiveBuffer(limit);
        stack.set_option(now, socket, option).expect("TCP");
        let (mut room, mut read) = (remote.info().receive_window, 0);
        while read < 200_000 {
            assert!(room > 0, "{limit}: shut after {read} bytes");
            remote.send(ACK | PSH, &vec![1; room.min(MSS)]);
            let acknowledged = remote.sent();
            read += remote.read().map_or(0, |bytes| bytes.len());
            let last = remote.pass(SECOND).pop().map(|(_, segment)| segment);
            let last = last.or(acknowledged.last().cloned()).expect("an answer");
            assert_eq!(last.ack, remote.nxt);
            room = usize::from(last.window) << shift;
        }
        assert!(room <= 1 << shift, "{limit}: {room}");
    }
}

#[test]
fn what_was_promised_is_taken_though_the_buffer_is_smaller_now_and_little_waits() {
    let mut remote = Remote::connects(lab(100_000), &Offer::default());
    let (now, socket) = (remote.lab.now, remote.socket);
    let stack = &mut remote.lab.host.stack;
    let option = SocketOption::ReceiveBuffer(1);
    stack.set_option(now, socket, option).expect("TCP");
    // Nobody reads.
    for piece in 0..100 {
        remote.send(ACK | PSH, &[piece]);
        assert_eq!(remote.one().ack, remote.nxt, "{piece}");
    }
    let expected: Vec<u8> = (0..100).collect();
    assert_eq!(remote.read(), Some(expected));
}

#[test]
fn a_buffer_that_is_made_larger_is_told_at_once() {
    let mut remote = Remote::connects(lab(2 * MSS), &Offer::default());
    remote.send(ACK | PSH, &[1; 2 * MSS - 100]);
    let told = remote.one();
    assert_eq!((told.ack, told.window), (remote.nxt, 100));
    let (now, socket) = (remote.lab.now, remote.socket);
    let stack = &mut remote.lab.host.stack;
    let option = SocketOption::ReceiveBuffer(20 * MSS);
    stack.set_option(now, socket, option).expect("TCP");
    assert!(usize::from(remote.one().window) > 17 * MSS);
}

/// The window is shut, and the first probe of it was repeated three times: so often was the timeout doubled.
fn probed() -> (Remote, Tcp) {
    let offer = Offer {
        window: 4_000,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    remote.write(&[1; 10_000]);
    let flight = remote.sent();
    remote.window = 0;
    remote.acknowledge(flight.last().expect("data"));
    remote.nothing();
    let probes = remote.pass(remote.info().rto * 20);
    assert_eq!(probes.len(), 4, "{probes:#?}");
    let first = probes[0].1.clone();
    (remote, first)
}

#[test]
fn a_window_that_opens_a_little_is_used_after_one_timeout() {
    let (mut remote, probe) = probed();
    remote.acknowledge(&probe);
    remote.nothing();
    let shut = remote.info().rto;
    remote.window = 100;
    remote.send(ACK, b"");
    remote.nothing();
    let open = remote.info().rto;
    assert!(open * 8 < shut, "{open:?}, {shut:?}");
    let (after, segment) = remote.pass(shut).remove(0);
    assert_eq!((after, segment.payload.len()), (open, 100));
}

#[test]
fn a_small_window_holds_data_back_for_a_second_at_most() {
    let (mut remote, probe) = probed();
    // What was repeated measures nothing, and the timeout stays long.
    remote.window = 100;
    remote.acknowledge(&probe);
    remote.nothing();
    assert!(remote.info().rto > SECOND * 2);
    let (after, segment) = remote.pass(SECOND * 2).remove(0);
    assert_eq!((after, segment.payload.len()), (SECOND, 100));
}

#[test]
fn room_is_announced_at_once_where_less_than_two_segments_are_left() {
    for (left, told) in [(2 * MSS - 1, true), (2 * MSS, false)] {
        let mut remote = Remote::connects(lab(10 * MSS), &Offer::default());
        let mut sent = 0;
        while sent < 10 * MSS - left {
            let len = MSS.min(10 * MSS - left - sent);
            remote.send(ACK, &vec![1; len]);
            sent += len;
        }
        remote.pass(SECOND);
        // More than a segment, and too little to be worth telling for itself.
        let read = suite::calls::read(&mut remote.lab.host.stack, remote.socket, 2 * MSS);
        assert_eq!(read.map(|bytes| bytes.len()), Ok(2 * MSS));
        assert_eq!(!remote.sent().is_empty(), told, "{left}");
    }
}

/// Ten segments are in flight when the window shrinks to `window`.
fn shrunken(window: u16) -> (Remote, Vec<Tcp>) {
    let offer = Offer {
        window: 20_000,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    remote.write(&[1; 30_000]);
    let flight = remote.sent();
    assert_eq!(flight.len(), 10);
    remote.window = window;
    remote.send(ACK, b"");
    remote.nothing();
    (remote, flight)
}

// req: SHLD-16
#[test]
fn what_a_shrunken_window_still_holds_is_sent_again_as_ever() {
    let (mut remote, flight) = shrunken(3_000);
    let rto = remote.info().rto;
    let (at, again) = remote.pass(rto * 2).remove(0);
    assert_eq!((at, &again.payload), (rto, &flight[0].payload));
    remote.acknowledge(&flight[0]);
    remote.send(ACK, b"");
    let next = remote.pass(rto * 4).remove(0).1;
    assert_eq!(next.seq, flight[1].seq);
}

// req: RFC7323-16
#[test]
fn repetitions_keep_to_the_latest_window() {
    let (mut remote, flight) = shrunken(1_000);
    let edge = flight[0].seq.wrapping_add(1_000);
    let sent = remote.pass(SECOND * 20);
    assert!(sent.len() >= 2);
    for (_, segment) in sent {
        assert!(segment.end().wrapping_sub(edge) as i32 <= 0, "{segment:?}");
    }
}

// req: SHLD-17
#[test]
fn data_beyond_a_shrunken_window_is_no_reason_to_give_up() {
    let (mut remote, flight) = shrunken(0);
    for _ in 0..400 {
        for (_, segment) in remote.pass(SECOND * 30) {
            assert_eq!(segment.seq, flight[0].seq);
            remote.send(ACK, b"");
        }
    }
    assert_eq!(remote.state(), TcpState::Established);
    remote.window = 20_000;
    remote.send(ACK, b"");
    assert!(!remote.sent().is_empty());
}

// req: MAY-8
#[test]
fn a_window_stays_shut_for_as_long_as_nobody_reads() {
    let mut remote = Remote::connects(lab(10_000), &Offer::default());
    let mut sent = 0;
    while sent < 10_000 {
        let len = 1_000.min(10_000 - sent);
        remote.send(ACK, &vec![1; len]);
        sent += len;
    }
    remote.pass(SECOND);
    for _ in 0..50 {
        let probe = remote.segment(ACK, b"?");
        remote.inject(&probe);
        let answer = remote.one();
        assert_eq!((answer.window, answer.ack), (0, remote.nxt));
        assert!(remote.pass(SECOND * 600).is_empty());
    }
    assert_eq!(remote.read().map(|bytes| bytes.len()), Some(10_000));
    assert!(remote.one().window >= 9_000);
}

// req: MUST-66
#[test]
fn a_reset_counts_while_the_window_is_shut() {
    let mut remote = Remote::connects(lab(2_000), &Offer::default());
    remote.send(ACK, &[1; 1_000]);
    remote.send(ACK, &[1; 1_000]);
    assert_eq!(remote.pass(SECOND).pop().map(|(_, s)| s.window), Some(0));
    remote.send(RST, b"");
    assert_eq!(remote.state(), TcpState::Closed);
}

// req: MUST-50
#[test]
fn ip_options_that_tcp_does_not_know_make_no_difference() {
    let mut remote = Remote::connects(Lab::default(), &Offer::default());
    let segment = remote.segment(ACK, b"data");
    remote.nxt = segment.end();
    let mut packet = segment.to_packet();
    // An experimental option (RFC 4727) of four bytes.
    packet.splice(20..20, [0x1e, 4, 0xab, 0xcd]);
    packet[0] = 0x46;
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[10..12].fill(0);
    let check = !suite::wire::sum(&packet[..24]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    remote.lab.inject(&packet);
    assert_eq!(remote.read().as_deref(), Some(&b"data"[..]));
    assert_eq!(remote.info().send_mss, MSS);
}

#[test]
fn who_has_filled_the_window_is_heard_at_its_edge() {
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(lab(10 * MSS), &offer);
    let window = remote.info().receive_window as u32;
    // All of the window is full but for its first segment, which got lost.
    for at in (MSS as u32..window).step_by(MSS) {
        let data = Tcp {
            seq: remote.nxt.wrapping_add(at),
            ..remote.segment(ACK, &vec![1; MSS.min((window - at) as usize)])
        };
        remote.inject(&data);
    }
    remote.sent();
    remote.write(&[1; 5 * MSS]);
    remote.rcv = remote.sent().last().expect("data").end();
    let at_the_edge = Tcp {
        seq: remote.nxt.wrapping_add(window),
        ..remote.segment(ACK, b"")
    };
    remote.inject(&at_the_edge);
    assert_eq!(remote.info().outstanding, 0);
}
