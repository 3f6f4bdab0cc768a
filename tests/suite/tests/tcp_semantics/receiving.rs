//! What is acknowledged, when, and with which window.

use core::time::Duration;
use netstack_core::{Config, Pools};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Host, WorldConfig};
use suite::wire::{ACK, FIN, PSH, Tcp};
use txbuf::Ledger;

const MILLISECOND: Duration = Duration::from_millis(1);
const MSS: usize = 1460;

fn established() -> Remote {
    Remote::connects(Lab::default(), &Offer::default())
}

fn with_buffer(bytes: usize, offer: &Offer) -> Remote {
    let mut config = WorldConfig::default();
    config.tcp.receive_buffer = bytes;
    Remote::connects(Lab::new(&config), offer)
}

/// A segment of `len` bytes at `offset` from what the stack expects next; bytes say where they belong.
fn piece(remote: &Remote, offset: usize, len: usize) -> Tcp {
    let payload: Vec<u8> = (offset..offset + len).map(byte).collect();
    Tcp {
        seq: remote.nxt.wrapping_add(offset as u32),
        ..remote.segment(ACK, &payload)
    }
}

fn byte(position: usize) -> u8 {
    (position % 251) as u8
}

// req: U-14
#[test]
fn a_segment_counts_when_a_byte_of_it_lies_in_the_window() {
    const WINDOW: u32 = 10_000;
    // Where the segment begins, as seen from RCV.NXT, its length, and what is kept of it.
    for (offset, len, in_order, later) in [
        (0, 1, 1, 0),
        (0u32.wrapping_sub(1), 1, 0, 0),
        (0u32.wrapping_sub(1), 2, 1, 0),
        (0u32.wrapping_sub(5), 5, 0, 0),
        (WINDOW - 1, 1, 0, 1),
        (WINDOW - 1, 5, 0, 1),
        (WINDOW, 1, 0, 0),
        (WINDOW + 7, 3, 0, 0),
    ] {
        let mut remote = with_buffer(WINDOW as usize, &Offer::default());
        let segment = Tcp {
            seq: remote.nxt.wrapping_add(offset),
            ..remote.segment(ACK | PSH, &vec![1; len])
        };
        remote.inject(&segment);
        let info = remote.info();
        assert_eq!(
            (info.unread, info.out_of_order),
            (in_order, later),
            "{offset} {len}"
        );
        let ack = remote.one();
        assert_eq!(ack.ack, remote.nxt.wrapping_add(in_order as u32));
    }
    // Empty segments: acceptable ones are not answered.
    for (offset, answered) in [
        (0, 0),
        (WINDOW - 1, 0),
        (WINDOW, 0),
        (WINDOW + 1, 1),
        (0u32.wrapping_sub(1), 1),
    ] {
        let mut remote = with_buffer(WINDOW as usize, &Offer::default());
        let segment = Tcp {
            seq: remote.nxt.wrapping_add(offset),
            ..remote.segment(ACK, b"")
        };
        remote.inject(&segment);
        assert_eq!(remote.sent().len(), answered, "{offset}");
    }
}

// req: U-43
#[test]
fn reserved_bits_are_neither_read_nor_set() {
    let mut remote = established();
    let (src, dst) = (remote.local.ip(), remote.stack.ip());
    let mut packet = remote.segment(ACK | PSH, b"data").to_packet();
    let segment = &mut packet[20..];
    segment[12] |= 0x0f;
    segment[16..18].fill(0);
    let check = suite::wire::transport_checksum(src, dst, 6, segment);
    segment[16..18].copy_from_slice(&check.to_be_bytes());
    remote.lab.inject(&packet);
    assert_eq!(remote.read().as_deref(), Some(&b"data"[..]));
    let sent = remote.lab.sent();
    assert_eq!((sent.len(), sent[0][32] & 0x0f), (1, 0));
}

// req: SHLD-18, MUST-40, RFC5681-29, RFC5681-30
#[test]
fn a_lone_segment_is_acknowledged_after_forty_milliseconds() {
    let mut remote = established();
    remote.send(ACK, b"data");
    let sent = remote.pass(MILLISECOND * 100);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, sent[0].1.ack), (MILLISECOND * 40, remote.nxt));
}

#[test]
fn an_answer_carries_the_acknowledgement() {
    let mut remote = established();
    remote.send(ACK, b"question");
    remote.write(b"answer");
    let answer = remote.one();
    assert_eq!(
        (answer.ack, &answer.payload[..]),
        (remote.nxt, &b"answer"[..])
    );
    assert!(
        remote.pass(MILLISECOND * 100).is_empty(),
        "and none follows"
    );
}

// req: SHLD-19, MUST-58, RFC5681-31
#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    for timestamp in [None, Some(1)] {
        let offer = Offer {
            timestamp,
            ..Offer::default()
        };
        let mut remote = Remote::connects(Lab::default(), &offer);
        let len = if timestamp.is_some() { MSS - 12 } else { MSS };
        for _ in 0..10 {
            remote.send(ACK, &vec![1; len]);
            remote.nothing();
            remote.send(ACK, &vec![1; len]);
            assert_eq!(remote.one().ack, remote.nxt);
        }
    }
}

// req: RFC2923-03
#[test]
fn every_second_segment_of_a_peer_with_a_smaller_path_is_acknowledged_at_once() {
    // It was told that 1460 bytes are fine, but its packets must fit 576.
    let mut remote = established();
    for _ in 0..10 {
        remote.send(ACK, &[1; 536]);
        remote.nothing();
        remote.send(ACK, &[1; 536]);
        assert_eq!(remote.one().ack, remote.nxt);
    }
}

#[test]
fn the_end_of_a_burst_is_acknowledged_at_once() {
    let mut remote = established();
    remote.send(ACK | PSH, b"last");
    assert_eq!(remote.one().ack, remote.nxt);
}

#[test]
fn a_duplicate_is_acknowledged_at_once() {
    let mut remote = established();
    let data = remote.segment(ACK | PSH, b"data");
    remote.send(ACK | PSH, b"data");
    remote.one();
    remote.inject(&data);
    assert_eq!(remote.one().ack, remote.nxt);
    assert_eq!(
        remote.read().as_deref(),
        Some(&b"data"[..]),
        "and not delivered twice"
    );
}

// req: U-16
#[test]
fn overlapping_segments_are_cut_to_what_is_new() {
    let mut remote = established();
    for (offset, len) in [(0, 10), (5, 10), (3, 2), (20, 10), (14, 8), (0, 40)] {
        let piece = piece(&remote, offset, len);
        remote.inject(&piece);
        remote.sent();
    }
    let read = remote.read().expect("open");
    assert_eq!(read, (0..40).map(byte).collect::<Vec<u8>>());
    // Without the one that holds nothing new, and those that begin where they should.
    assert_eq!(remote.lab.host.stack.counters().tcp.in_partly_old, 3);
}

// req: U-16
#[test]
fn data_beyond_the_window_is_cut_off() {
    let mut remote = with_buffer(10_000, &Offer::default());
    for at in 0..6 {
        let piece = piece(&remote, at * 2_000, 2_000);
        remote.inject(&piece);
    }
    let ack = remote.sent().pop().expect("an acknowledgement");
    assert_eq!((ack.ack, ack.window), (remote.nxt.wrapping_add(10_000), 0));
    assert_eq!(remote.read().map(|read| read.len()), Some(10_000));
    // The last one found the window shut.
    assert_eq!(remote.lab.host.stack.counters().tcp.in_beyond_window, 1);

    let mut remote = with_buffer(10_000, &Offer::default());
    let piece = piece(&remote, 0, 12_000);
    remote.inject(&piece);
    let ack = remote.sent().pop().expect("an acknowledgement");
    assert_eq!((ack.ack, ack.window), (remote.nxt.wrapping_add(10_000), 0));
    assert_eq!(remote.read().map(|read| read.len()), Some(10_000));
    assert_eq!(remote.lab.host.stack.counters().tcp.in_beyond_window, 1);
}

// req: SHLD-31, MAY-13, U-34, RFC5681-16, RFC2018-06
#[test]
fn out_of_order_data_may_fill_the_whole_window() {
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = with_buffer(60_000, &offer);
    // Everything but the first segment, from the end of the window backwards.
    for at in (1..60).rev() {
        let piece = piece(&remote, at * 1_000, 1_000);
        remote.inject(&piece);
        assert_eq!(remote.one().ack, remote.nxt, "a duplicate for each");
    }
    assert_eq!(remote.info().out_of_order, 59_000);
    assert_eq!(remote.read().as_deref(), Some(&b""[..]));
    let first = piece(&remote, 0, 1_000);
    remote.inject(&first);
    let ack = remote.one();
    assert_eq!(
        (ack.ack, ack.sack().len()),
        (remote.nxt.wrapping_add(60_000), 0)
    );
    let read = remote.read().expect("open");
    assert_eq!(read, (0..60_000).map(byte).collect::<Vec<u8>>());
    remote.nxt = remote.nxt.wrapping_add(60_000);
    remote.finish();
}

#[test]
fn where_there_are_too_many_holes_what_came_before_is_kept() {
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    let refused = |remote: &Remote| remote.lab.host.stack.counters().tcp.in_assembler_full;
    let mut kept = 0;
    // Every second byte.
    while refused(&remote) == 0 {
        kept += 1;
        let piece = piece(&remote, 2 * kept, 1);
        remote.inject(&piece);
        assert_eq!(remote.one().ack, remote.nxt, "a duplicate for each");
    }
    kept -= 1;
    assert!(kept >= 1_000, "{kept}");
    assert_eq!((refused(&remote), remote.info().out_of_order), (1, kept));
    // What fills a hole is taken, and what was refused when it comes again.
    for hole in 0..=kept {
        let piece = piece(&remote, 2 * hole + 1, 1);
        remote.inject(&piece);
    }
    let end = 2 * kept + 3;
    let piece = piece(&remote, 0, end);
    remote.inject(&piece);
    let read = remote.read().expect("open");
    assert_eq!(read, (0..end).map(byte).collect::<Vec<u8>>());
}

#[test]
fn what_comes_beyond_a_hole_while_there_is_no_storage_is_not_said_to_be_here() {
    let world = WorldConfig::default();
    let mut config = Config::new([1; 32]);
    config.pools = Pools::new(&Ledger::new(), 128 << 10);
    let host = Host::with_stack(1, &world, config, |end, _| Box::new(end));
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::of(host), &offer);
    let small = remote.lab.host.stack.pools().small.clone();
    let all: Vec<_> = std::iter::from_fn(|| small.reserve().ok()).collect();
    // So little of a packet is copied to be kept.
    let piece = piece(&remote, 10, 5);
    remote.inject(&piece);
    assert_eq!(remote.one().sack(), []);
    assert_eq!(remote.info().out_of_order, 0);
    assert_eq!(remote.lab.host.stack.counters().tcp.in_no_memory, 1);
    drop(all);
    remote.inject(&piece);
    assert_eq!(remote.one().sack(), [(piece.seq, piece.end())]);
}

// req: RFC2018-02, RFC2018-03, RFC2018-06, RFC2018-07, RFC2018-08, RFC2018-09, RFC2018-05
#[test]
fn holes_are_reported_newest_first() {
    let offer = Offer {
        sack: true,
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    let block = |remote: &Remote, at: u32, len: u32| {
        let left = remote.nxt.wrapping_add(at);
        (left, left.wrapping_add(len))
    };
    let mut expected = Vec::new();
    for at in [1_000, 5_000, 3_000, 7_000, 9_000] {
        let piece = piece(&remote, at, 500);
        remote.inject(&piece);
        expected.insert(0, block(&remote, at as u32, 500));
        expected.truncate(4);
        let ack = remote.one();
        assert_eq!((ack.ack, ack.sack()), (remote.nxt, expected.clone()));
    }
    // Data that joins an older block makes that the newest.
    let joining = piece(&remote, 5_500, 500);
    remote.inject(&joining);
    let sack = remote.one().sack();
    assert_eq!(
        (sack[0], sack[1]),
        (block(&remote, 5_000, 1_000), block(&remote, 9_000, 500))
    );
}

// req: RFC2018-08
#[test]
fn beside_timestamps_three_blocks_fit() {
    let offer = Offer {
        sack: true,
        timestamp: Some(1),
        ..Offer::default()
    };
    let mut remote = Remote::connects(Lab::default(), &offer);
    let mut last = Vec::new();
    for at in 1..6 {
        let piece = piece(&remote, at * 1_000, 500);
        remote.inject(&piece);
        last = remote.one().sack();
    }
    assert_eq!(last.len(), 3);
}

// req: MUST-65, RFC2018-04
#[test]
fn without_agreement_no_blocks_are_sent() {
    let mut remote = established();
    let piece = piece(&remote, 1_000, 500);
    remote.inject(&piece);
    assert!(remote.one().options.is_empty());
}

// req: MUST-59, RFC5681-17
#[test]
fn a_filled_hole_is_acknowledged_at_once() {
    let mut remote = established();
    for at in [1_000, 3_000] {
        let piece = piece(&remote, at, 1_000);
        remote.inject(&piece);
        remote.one();
    }
    let filling = piece(&remote, 0, 1_000);
    remote.inject(&filling);
    assert_eq!(remote.one().ack, remote.nxt.wrapping_add(2_000));
}

// req: MUST-39
#[test]
fn a_reader_of_single_bytes_causes_no_silly_windows() {
    let mut remote = with_buffer(20_000, &Offer::default());
    let all = (0..20)
        .map(|at| piece(&remote, at * 1_000, 1_000))
        .collect::<Vec<_>>();
    for piece in &all {
        remote.inject(piece);
    }
    let full = remote.sent().pop().expect("an acknowledgement");
    let mut edge = full.ack.wrapping_add(u32::from(full.window));
    let mut updates = 0;
    for _ in 0..20_000 {
        calls::read(&mut remote.lab.host.stack, remote.socket, 1).expect("data");
        for update in remote.sent() {
            let new = update.ack.wrapping_add(u32::from(update.window));
            assert!(
                new.wrapping_sub(edge) >= 500,
                "the window opened by {} bytes",
                new.wrapping_sub(edge)
            );
            edge = new;
            updates += 1;
        }
    }
    assert!((1..=20).contains(&updates), "{updates} updates");
}

#[test]
fn a_drained_buffer_is_announced_at_once() {
    let mut remote = with_buffer(20_000, &Offer::default());
    for at in 0..20 {
        let piece = piece(&remote, at * 1_000, 1_000);
        remote.inject(&piece);
    }
    assert_eq!(remote.sent().pop().map(|ack| ack.window), Some(0));
    remote.read();
    assert_eq!(remote.one().window, 20_000);
}

// req: U-17, U-46
#[test]
fn a_probe_of_a_shut_window_is_answered_and_not_taken() {
    let mut remote = with_buffer(10_000, &Offer::default());
    for at in 0..10 {
        remote.send(ACK, &[byte(at); 1_000]);
    }
    remote.sent();
    for _ in 0..10 {
        let probe = remote.segment(ACK, b"?");
        remote.inject(&probe);
        let ack = remote.one();
        assert_eq!((ack.ack, ack.window), (remote.nxt, 0));
        // The acknowledgement of a probe counts: a full receiver can still send.
        remote.write(b"x");
        let data = remote.one();
        remote.rcv = data.end();
    }
    assert_eq!(remote.info().unread, 10_000);
}

#[test]
fn a_fin_that_data_overruns_does_not_hide_the_real_one() {
    let mut remote = established();
    let early = Tcp {
        flags: ACK | FIN,
        ..piece(&remote, 10, 0)
    };
    remote.inject(&early);
    remote.send(ACK, &[1; 20]);
    remote.send(ACK | FIN, b"");
    assert_eq!(remote.read().map(|bytes| bytes.len()), Some(20));
    assert_eq!(remote.read(), None, "the end of the stream");
}
