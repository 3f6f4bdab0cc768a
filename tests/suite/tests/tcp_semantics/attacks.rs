//! Attacks that cost a connection no more than they should: each is made here, and its bound is shown. Floods of SYNs,
//! of fragments and of malformed packets are in `malformed`, forged ICMP in `icmp`, guessed ports in `ports`.

use core::time::Duration;
use netstack_core::{Congestion, SocketOption, TcpState};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::net::SocketAddr;
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, PSH, RST, SYN, Tcp, options};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const MSS: usize = 1460;

fn established() -> Remote {
    Remote::accepts(Lab::default(), &Offer::default())
}

fn selective() -> Remote {
    let offer = Offer {
        sack: true,
        rtt: MILLISECOND * 50,
        ..Offer::default()
    };
    Remote::accepts(Lab::default(), &offer)
}

// req: RFC5961-09
#[test]
fn a_flood_of_guesses_is_challenged_twice_a_second() {
    let mut remote = established();
    let mut challenges = 0;
    for i in 0..10_000u32 {
        let guess = Tcp {
            seq: remote.nxt.wrapping_add(1 + i % 60_000),
            ..remote.segment(if i % 2 == 0 { RST } else { SYN }, b"")
        };
        remote.inject(&guess);
        challenges += remote.sent().len();
        remote.lab.pass(MILLISECOND);
    }
    assert!(
        (19..=21).contains(&challenges),
        "{challenges} in ten seconds"
    );
    assert_eq!(remote.state(), TcpState::Established);
}

#[test]
fn data_far_from_the_window_is_challenged_twice_a_second() {
    let mut remote = established();
    let mut answers = 0;
    for i in 0..10_000u32 {
        let away = [0x4000_0000, 0x7fff_0000, 0x9000_0000, 0xc000_0000][i as usize % 4];
        let guess = Tcp {
            seq: remote.nxt.wrapping_add(away + i),
            ..remote.segment(ACK | PSH, b"x")
        };
        remote.inject(&guess);
        answers += remote.sent().len();
        remote.lab.pass(MILLISECOND);
    }
    assert!((19..=21).contains(&answers), "{answers} in ten seconds");
    // What the peer may well have sent again is answered each time.
    remote.send(ACK, b"data");
    remote.sent();
    for _ in 0..10 {
        let again = Tcp {
            seq: remote.nxt.wrapping_sub(4),
            ..remote.segment(ACK, b"data")
        };
        remote.inject(&again);
        assert_eq!(remote.one().ack, remote.nxt);
    }
}

// req: RFC5961-09
#[test]
fn guesses_at_many_connections_are_challenged_within_a_limit_that_nobody_knows() {
    let mut lab = Lab::default();
    let local = SocketAddr::new(Lab::address(false), 80);
    let stack = &mut lab.host.stack;
    stack.tcp_listen(local, 4_000).expect("a free port");
    let mut guesses = Vec::new();
    for port in 10_000..12_000 {
        let client = SocketAddr::new(Lab::neighbour(false), port);
        lab.inject(&Remote::syn(client, local, &Offer::default()).to_packet());
        let syn_ack = Tcp::parse(&lab.sent()[0]).expect("a segment");
        let third = Remote::third(&syn_ack, b"");
        lab.inject(&third.to_packet());
        lab.sent();
        guesses.push(Tcp {
            seq: third.seq.wrapping_add(100),
            flags: RST,
            ..third
        });
    }
    let mut counts = Vec::new();
    for _ in 0..5 {
        lab.pass(SECOND);
        for guess in &guesses {
            lab.inject(&guess.to_packet());
        }
        counts.push(lab.sent().len());
    }
    assert!(counts.iter().all(|count| (500..1_500).contains(count)));
    counts.dedup();
    assert!(counts.len() > 1, "{counts:?}");
}

#[test]
fn what_is_rationed_for_one_connection_says_nothing_of_another() {
    // Who counts the challenges on a connection of their own learns of no guess that hit another one.
    let mut lab = Lab::default();
    let thirds = many(&mut lab, 2);
    let (own, other) = (&thirds[0], &thirds[1]);
    let mut answered = |segment: &Tcp, offset: u32| {
        let guess = Tcp {
            seq: segment.seq.wrapping_add(offset),
            flags: RST,
            ..segment.clone()
        };
        lab.inject(&guess.to_packet());
        lab.sent().len()
    };
    for offset in 1..1000 {
        answered(other, offset);
    }
    assert_eq!(answered(own, 1), 1);
}

// req: RFC5961-07, RFC5961-08
#[test]
fn data_that_is_injected_with_guessed_acknowledgements_is_not_taken() {
    let mut remote = established();
    remote.write(&[1; 5 * MSS]);
    remote.sent();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..2_000 {
        let ack = random.next_u32();
        let behind = remote.rcv.wrapping_sub(ack) as i32;
        if (-(5 * MSS as i32)..=70_000).contains(&behind) {
            continue;
        }
        let forged = Tcp {
            ack,
            ..remote.segment(ACK | PSH, b"forged")
        };
        remote.inject(&forged);
    }
    assert_eq!(remote.read().as_deref(), Some(&b""[..]));
    assert_eq!(remote.info().outstanding, 5 * MSS);
}

#[test]
fn acknowledgements_with_guessed_numbers_move_nothing() {
    let mut remote = established();
    remote.write(&[1; 5 * MSS]);
    let last = remote.sent().pop().expect("data");
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..2_000 {
        let seq = random.next_u32();
        let offset = seq.wrapping_sub(remote.nxt) as i32;
        if (-70_000..=70_000).contains(&offset) {
            continue;
        }
        let forged = Tcp {
            seq,
            ack: last.end(),
            ..remote.segment(ACK, b"forged")
        };
        remote.inject(&forged);
    }
    assert_eq!(remote.info().outstanding, 5 * MSS);
}

// req: RFC3465-02
#[test]
fn split_acknowledgements_open_the_window_no_further() {
    for algorithm in [Congestion::Reno, Congestion::Cubic] {
        let grown = |pieces: usize| {
            let mut config = WorldConfig::default();
            config.tcp.congestion = algorithm;
            let mut remote = Remote::accepts(Lab::new(&config), &Offer::default());
            remote.write(&[1; 40 * MSS]);
            let first = remote.sent().remove(0);
            let before = remote.info().congestion_window;
            for piece in 1..=pieces {
                let end = first.seq.wrapping_add((MSS * piece / pieces) as u32);
                remote.rcv = end;
                remote.send(ACK, b"");
            }
            remote.info().congestion_window - before
        };
        assert_eq!(grown(1), MSS);
        assert_eq!(grown(MSS), MSS, "an acknowledgement for each byte");
    }
}

#[test]
fn acknowledgements_of_what_was_not_sent_open_nothing() {
    let mut remote = established();
    remote.write(&[1; 100 * MSS]);
    let sent = remote.sent();
    let before = remote.info().congestion_window;
    for ahead in 1..100 {
        let early = Tcp {
            ack: sent[9].end().wrapping_add(ahead * MSS as u32),
            ..remote.segment(ACK, b"")
        };
        remote.inject(&early);
        assert!(remote.sent().iter().all(|answer| answer.payload.is_empty()));
    }
    assert_eq!(remote.info().congestion_window, before);
}

#[test]
fn a_storm_of_scattered_blocks_costs_little_and_ends() {
    let mut remote = selective();
    remote.write(&[1; 40 * MSS]);
    let flight = remote.sent();
    let (start, len) = (flight[0].seq, flight.len() * MSS);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut sent, mut packets, round_trips) = (0, 0, 20);
    for _ in 0..round_trips * 50 {
        let blocks: Vec<(u32, u32)> = (0..4)
            .map(|_| {
                let left = start.wrapping_add(1 + random.next_u32() % (len as u32 - 2));
                (left, left.wrapping_add(1))
            })
            .collect();
        let mut storm = remote.segment(ACK, b"");
        storm.options.extend(options::sack(&blocks));
        remote.inject(&storm);
        let again = remote.pass(MILLISECOND);
        assert!(again.iter().all(|(_, again)| again.payload.len() == MSS));
        packets += again.len();
        sent += again
            .iter()
            .map(|(_, again)| again.payload.len())
            .sum::<usize>();
    }
    // No more than an honest receiver that lost everything in each round trip would cause.
    assert!(sent <= round_trips * len, "{sent} bytes for {len}");
    assert!(packets <= round_trips * flight.len(), "{packets} packets");
    let info = remote.info();
    assert!(info.in_network + info.sacked + info.lost == info.outstanding);
    // What it was for goes on as if nothing had been.
    let all = start.wrapping_add(40 * MSS as u32);
    for _ in 0..100 {
        for (_, segment) in remote.pass(SECOND) {
            if segment.end().wrapping_sub(remote.rcv) as i32 > 0 {
                remote.rcv = segment.end();
            }
        }
        remote.send(ACK, b"");
        if remote.rcv == all {
            break;
        }
    }
    assert_eq!((remote.rcv, remote.info().outstanding), (all, 0));
}

#[test]
fn tiny_segments_keep_little_more_memory_than_their_bytes() {
    let mut remote = established();
    let limit = 100_000;
    let option = SocketOption::ReceiveBuffer(limit);
    let (now, stack) = (remote.lab.now, &mut remote.lab.host.stack);
    stack
        .set_option(now, remote.socket, option)
        .expect("a connection");
    // In order and unread, then scattered beyond a hole.
    for _ in 0..20_000 {
        remote.send(ACK, b"x");
        remote.sent();
    }
    for i in 0..20_000 {
        let scattered = Tcp {
            seq: remote.nxt.wrapping_add(2 + 2 * i),
            ..remote.segment(ACK, b"y")
        };
        remote.inject(&scattered);
        remote.sent();
    }
    let report = remote.lab.host.stack.ledger().report();
    let own: usize = report.iter().map(|(_, usage)| usage.bytes).sum();
    let held = own + remote.lab.held();
    assert!(held < 4 * limit, "{held} bytes");
    assert_eq!(remote.read().map(|bytes| bytes.len()), Some(20_000));
}

#[test]
fn a_window_that_is_kept_shut_holds_no_connection_that_nobody_wants() {
    let mut remote = established();
    remote.window = 0;
    remote.send(ACK, b"");
    remote.write(&[1; 10_000]);
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    // Each probe is answered, and the window stays shut.
    let start = remote.lab.now;
    while remote.connections() > 0 {
        remote.send(ACK, b"");
        remote.pass(SECOND);
        assert!(remote.lab.now - start < SECOND * 3600, "for an hour");
    }
    assert_eq!(remote.lab.host.live_nodes(), 0);
}

#[test]
fn a_reader_that_never_reads_stops_its_own_connection_only() {
    // The far end that fills a buffer nobody reads, and one more connection of the same stack.
    let mut remote = established();
    while remote.info().receive_window > 0 {
        let len = remote.info().receive_window.min(MSS);
        remote.send(ACK, &vec![1; len]);
        remote.pass(SECOND / 10);
    }
    let local = SocketAddr::new(Lab::address(false), 81);
    let stack = &mut remote.lab.host.stack;
    let listener = stack.tcp_listen(local, 4).expect("a free port");
    let client = SocketAddr::new(Lab::neighbour(false), 5000);
    remote.inject(&Remote::syn(client, local, &Offer::default()));
    let syn_ack = remote.one();
    remote.inject(&Remote::third(&syn_ack, b"hello"));
    let stack = &mut remote.lab.host.stack;
    let (socket, _) = stack.tcp_accept(listener).expect("a connection");
    assert_eq!(calls::read(stack, socket, 9).as_deref(), Ok(&b"hello"[..]));
}

/// Connections of many peers, and the last segment of each one's handshake.
fn many(lab: &mut Lab, count: u16) -> Vec<Tcp> {
    let local = SocketAddr::new(Lab::address(false), 80);
    let listening = lab.host.stack.tcp_listen(local, count.into());
    listening.expect("a free port");
    let connect = |port| {
        let client = SocketAddr::new(Lab::neighbour(false), port);
        lab.inject(&Remote::syn(client, local, &Offer::default()).to_packet());
        let syn_ack = Tcp::parse(&lab.sent()[0]).expect("TCP");
        let third = Remote::third(&syn_ack, b"");
        lab.inject(&third.to_packet());
        lab.sent();
        third
    };
    (10_000..10_000 + count).map(connect).collect()
}

/// A keep-alive, or a question for the window: nothing, a number before what is expected.
fn question(third: &Tcp) -> Tcp {
    Tcp {
        seq: third.seq.wrapping_sub(1),
        ..third.clone()
    }
}

#[test]
fn keep_alives_of_very_many_peers_are_all_answered() {
    let mut lab = Lab::default();
    let peers = many(&mut lab, 2_000);
    lab.pass(SECOND * 60);
    for peer in &peers {
        lab.inject(&question(peer).to_packet());
    }
    assert_eq!(lab.sent().len(), peers.len());
}

#[test]
fn who_uses_up_the_limit_of_challenges_keeps_no_peer_from_its_answer() {
    let mut lab = Lab::default();
    let peers = many(&mut lab, 2_000);
    let (innocent, others) = peers.split_first().expect("some");
    for _ in 0..5 {
        lab.pass(SECOND * 2);
        for other in others {
            let guess = Tcp {
                seq: other.seq.wrapping_add(100),
                flags: RST,
                ..other.clone()
            };
            lab.inject(&guess.to_packet());
        }
        assert!(lab.sent().len() < others.len());
        lab.inject(&question(innocent).to_packet());
        assert_eq!(lab.sent().len(), 1);
    }
}

#[test]
fn old_data_far_from_the_window_is_challenged_twice_a_second_too() {
    let offer = Offer {
        timestamp: Some(1_000_000),
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::default(), &offer);
    let mut answers = 0;
    for i in 0..10_000u32 {
        let away = [0x4000_0000, 0x7fff_0000, 0x9000_0000, 0xc000_0000][i as usize % 4];
        let guess = Tcp {
            seq: remote.nxt.wrapping_add(away + i),
            options: options::timestamps(999_999, 0),
            ..remote.segment(ACK | PSH, b"x")
        };
        remote.inject(&guess);
        answers += remote.sent().len();
        remote.lab.pass(MILLISECOND);
    }
    assert!((19..=21).contains(&answers), "{answers} in ten seconds");
}

#[test]
fn a_window_that_opens_and_shuts_has_the_flight_repeated_once_in_a_round_trip() {
    let mut remote = selective();
    remote.write(&[1; 10 * MSS]);
    assert_eq!(remote.sent().len(), 10);
    let mut again = 0;
    for _ in 0..100 {
        for window in [0, 65_535] {
            remote.window = window;
            remote.send(ACK, b"");
            again += remote.sent().len();
        }
        remote.lab.pass(MILLISECOND);
    }
    assert!(again <= 30, "{again} segments again, in two round trips");
}

#[test]
fn a_segment_that_acknowledges_the_impossible_sets_no_user_timeout() {
    let mut remote = established();
    let (now, stack) = (remote.lab.now, &mut remote.lab.host.stack);
    let option = SocketOption::AdvertiseUserTimeout(Some(SECOND * 300));
    let set = stack.set_option(now, remote.socket, option);
    set.expect("a connection");
    let mut forged = Tcp {
        ack: remote.rcv.wrapping_add(0x4000_0000),
        ..remote.segment(ACK, b"")
    };
    forged.options.extend(options::user_timeout(3_000));
    remote.inject(&forged);
    remote.sent();
    remote.write(b"lost");
    remote.pass(SECOND * 400);
    assert_eq!(remote.state(), TcpState::Closed);
}
