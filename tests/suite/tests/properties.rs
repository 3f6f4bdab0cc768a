//! What users of other stacks ran into, as properties that hold here whatever the numbers are. Each test
//! names the reports; the rows without a property have tests with exact packets elsewhere.

use core::time::Duration;
use netstack_core::{AcceptError, How, Instant, RecvError, SendError, SocketId, TcpState};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Impairment, Transfer, World, WorldConfig, pattern};
use suite::wire::{ACK, Icmp, Ip, Tcp};
use txbuf::Packet;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Instant = Instant::from_secs(3600);

/// A connection of two hosts, established: the sockets of both.
fn connected(world: &mut World, v6: bool) -> [SocketId; 2] {
    let address = World::address(1, v6, 7);
    let listener = world.hosts[1]
        .stack
        .tcp_listen(address, 16)
        .expect("a free port");
    let client = world.hosts[0]
        .stack
        .tcp_connect(world.now, address, None)
        .expect("a route");
    loop {
        world.step_until(world.now + SECOND);
        if let Ok((server, _)) = world.hosts[1].stack.tcp_accept(listener) {
            world.hosts[1].stack.close(world.now, listener);
            return [client, server];
        }
        assert!(world.now < HOUR);
    }
}

/// Closes both sockets and waits until nothing is left of them.
fn close(world: &mut World, sockets: [SocketId; 2]) {
    for (host, socket) in world.hosts.iter_mut().zip(sockets) {
        host.stack.close(world.now, socket);
    }
    while world.step() {}
    assert_eq!(world.live_nodes(), 0);
}

/// Runs a transfer in a world to its end.
fn transfer(world: &mut World, v6: bool, size: u64) {
    let mut transfer = Transfer::start(world, v6, 7, size);
    loop {
        transfer.work(world);
        if !world.step() {
            break;
        }
        assert!(world.now < HOUR, "no end after an hour");
    }
    assert!(transfer.is_done(), "stalled at {:?}", world.now);
    assert_eq!(world.live_nodes(), 0);
}

/// Sends what fits of the pattern from `sent` on.
fn pump(world: &mut World, socket: SocketId, sent: &mut u64, size: u64) {
    while *sent < size {
        let chunk: Vec<u8> = (*sent..size.min(*sent + 8_192))
            .map(|at| pattern(0, at))
            .collect();
        match calls::write(&mut world.hosts[0].stack, socket, &chunk) {
            Ok(taken) => *sent += taken as u64,
            Err(SendError::WouldBlock) => return,
            Err(error) => panic!("send: {error}"),
        }
    }
}

/// Reads and checks at most `most` bytes.
fn drain(world: &mut World, socket: SocketId, received: &mut u64, most: usize) {
    match calls::read(&mut world.hosts[1].stack, socket, most) {
        Ok(bytes) => {
            for byte in bytes {
                assert_eq!(byte, pattern(0, *received));
                *received += 1;
            }
        }
        Err(RecvError::WouldBlock) => {}
        Err(error) => panic!("receive: {error}"),
    }
}

fn impairment(loss: u32, reorder: u32) -> Impairment {
    Impairment {
        delay: Duration::from_millis(3),
        bottleneck: None,
        loss,
        duplicate: reorder / 2,
        reorder,
        corrupt: loss / 4,
        ..Impairment::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// smoltcp #199, #1026; arcbox PR 477: the window update that ends a shut window is lost.
    #[test]
    fn no_zero_window_deadlock_when_updates_are_lost(
        seed in any::<u64>(), buffer in 2_000..100_000usize, asleep in 1..200u64, deaf in 0..60_000u64, loss in 0..100u32,
    ) {
        let mut config = WorldConfig { seed, impairment: impairment(loss, loss), ..WorldConfig::default() };
        config.tcp.receive_buffer = buffer;
        let mut world = World::new(&config);
        let sockets = connected(&mut world, seed % 2 == 0);
        let (size, mut sent, mut received) = (buffer as u64 * 4, 0, 0);
        let wakes = world.now + SECOND * asleep as u32;
        let hears = wakes + Duration::from_millis(deaf);
        // All that the reader says after it woke up is lost for a while.
        world.lose(1, move |now, _| now >= wakes && now < hears);
        while received < size {
            pump(&mut world, sockets[0], &mut sent, size);
            if world.now >= wakes {
                drain(&mut world, sockets[1], &mut received, buffer);
            }
            let limit = if world.now < wakes { wakes } else { world.now + SECOND };
            world.step_until(limit);
            prop_assert!(world.now < HOUR, "{received} of {size} after an hour");
        }
        close(&mut world, sockets);
    }

    /// smoltcp #949: larger buffers made it slower, because it dropped its own bursts.
    #[test]
    fn nothing_is_lost_on_a_link_that_loses_nothing(
        seed in any::<u64>(), send in 2_000..4_000_000usize, receive in 2_000..4_000_000usize, mtu in 600..9_000usize,
    ) {
        let mut config = WorldConfig { seed, mtu: mtu.max(1280), ..WorldConfig::default() };
        config.tcp.send_buffer = send;
        config.tcp.receive_buffer = receive;
        let mut world = World::new(&config);
        transfer(&mut world, seed % 2 == 0, 400_000);
        for host in &world.hosts {
            let counters = host.stack.counters();
            prop_assert_eq!((counters.tcp.retransmits, counters.ip.out_queue_full), (0, 0));
        }
    }

    /// gVisor #10312, smoltcp #489, #1079: a window whose right edge moves left; sequence arithmetic.
    // req: MUST-34
    #[test]
    fn any_sequence_of_windows_and_acknowledgements_is_survived(
        steps in vec((any::<u16>(), 0..4u8, 0..3_000u32, 0..400u64), 1..200), scale in prop::option::of(0..15u8),
    ) {
        let offer = Offer { scale, sack: true, ..Offer::default() };
        let mut remote = Remote::accepts(Lab::default(), &offer);
        remote.write(&[5; 200_000]);
        let (mut una, mut end) = (remote.rcv, remote.rcv);
        for (window, kind, ahead, time) in steps {
            for (_, segment) in remote.pass(Duration::from_millis(time)) {
                if segment.end().wrapping_sub(end) < 1 << 31 {
                    end = segment.end();
                }
            }
            if remote.state() != TcpState::Established {
                // Unanswered for too long: that is an end, too.
                return Ok(());
            }
            let outstanding = end.wrapping_sub(una);
            prop_assert_eq!(remote.info().outstanding, outstanding as usize, "derived, not counted");
            remote.window = window;
            remote.rcv = match kind {
                0 => una.wrapping_add(ahead.min(outstanding)),
                1 => una,
                2 => una.wrapping_sub(ahead),
                _ => end.wrapping_add(ahead),
            };
            remote.send(ACK, b"");
            let taken = remote.rcv.wrapping_sub(una);
            if taken <= outstanding {
                una = remote.rcv;
            }
        }
        remote.lab.host.stack.abort(remote.lab.now, remote.socket);
        remote.sent();
        prop_assert_eq!(remote.lab.host.live_nodes(), 0);
    }

    /// smoltcp #1120, #1133; tailscale-rs PR 141: connections that arrive together are accepted, all.
    #[test]
    fn every_connection_of_a_burst_is_accepted(seed in any::<u64>(), backlog in 1..20usize, rounds in 1..4usize, loss in 0..20u32) {
        // What a full queue drops comes again with the next SYN, of which there are seven.
        let clients = backlog * rounds;
        let config = WorldConfig { seed, impairment: impairment(loss, 0), ..WorldConfig::default() };
        let mut world = World::new(&config);
        let address = World::address(1, seed % 2 == 0, 80);
        let listener = world.hosts[1].stack.tcp_listen(address, backlog).expect("a free port");
        let now = world.now;
        let connect = |_| world.hosts[0].stack.tcp_connect(now, address, None).expect("a port");
        let connecting: Vec<SocketId> = (0..clients).map(connect).collect();
        let mut accepted = Vec::new();
        while accepted.len() < clients {
            loop {
                match world.hosts[1].stack.tcp_accept(listener) {
                    Ok((socket, _)) => accepted.push(socket),
                    Err(AcceptError::WouldBlock) => break,
                    Err(error) => panic!("accept: {error}"),
                }
            }
            world.step_until(world.now + SECOND);
            prop_assert!(world.now < HOUR, "{} of {clients} accepted", accepted.len());
        }
        let now = world.now;
        world.hosts[1].stack.close(now, listener);
        for socket in connecting {
            world.hosts[0].stack.close(now, socket);
        }
        for socket in accepted {
            world.hosts[1].stack.close(now, socket);
        }
        while world.step() {}
        prop_assert_eq!(world.live_nodes(), 0);
    }

    /// gVisor #1398: a window that opens by a few bytes at a time, and segments of that size.
    #[test]
    fn a_slow_reader_makes_no_silly_segments(seed in any::<u64>(), buffer in 8_000..60_000usize, bite in 30..2_000usize) {
        let mut config = WorldConfig { seed, ..WorldConfig::default() };
        config.tcp.receive_buffer = buffer;
        let mut world = World::new(&config);
        let sockets = connected(&mut world, false);
        // Segments of more than a probe's single byte and less than half of a full one.
        let silly = Rc::new(Cell::new(0));
        let counted = Rc::clone(&silly);
        world.lose(0, move |_, packet: &Packet| {
            let tcp = Tcp::parse(&packet.to_vec().expect("readable")).expect("TCP");
            counted.set(counted.get() + u32::from((2..700).contains(&tcp.payload.len())));
            false
        });
        let (size, mut sent, mut received) = (buffer as u64 * 3, 0, 0);
        while received < size {
            pump(&mut world, sockets[0], &mut sent, size);
            drain(&mut world, sockets[1], &mut received, bite);
            // A bite every two milliseconds: the window is shut nearly always, but never for so long
            // that the sender's override timer has it send what little fits (RFC 9293, 3.8.6.2.1).
            world.run_for(Duration::from_millis(2));
            prop_assert!(world.now < HOUR, "{received} of {size}");
        }
        // What fills a window to the brim, and the end of the data.
        prop_assert!(silly.get() <= 5, "{} silly segments", silly.get());
        close(&mut world, sockets);
    }

    /// usque #123, smoltcp #277, demikernel #325: the path gets smaller in the middle of a transfer.
    // req: RFC1191-01, RFC8201-01
    #[test]
    fn a_path_that_shrinks_is_followed(seed in any::<u64>(), narrow in 1280..1500usize, v6 in any::<bool>(), loss in 0..30u32) {
        let config = WorldConfig { seed, impairment: impairment(loss, loss), ..WorldConfig::default() };
        let mut world = World::new(&config);
        let sockets = connected(&mut world, v6);
        let too_big = Rc::new(RefCell::new(Vec::new()));
        let dropped = Rc::clone(&too_big);
        world.lose(0, move |_, packet: &Packet| {
            let big = packet.len() > narrow;
            if big {
                dropped.borrow_mut().push(packet.to_vec().expect("readable"));
            }
            big
        });
        let (size, mut sent, mut received) = (300_000, 0, 0);
        while received < size {
            pump(&mut world, sockets[0], &mut sent, size);
            drain(&mut world, sockets[1], &mut received, 1 << 16);
            world.step_until(world.now + SECOND);
            for packet in too_big.borrow_mut().drain(..) {
                let ip = Ip::parse(&packet);
                let kind = if v6 { (2, 0) } else { (3, 4) };
                let payload = packet[..200].to_vec();
                let report = Icmp { src: ip.dst, dst: ip.src, kind, word: narrow as u32, payload };
                let report = Packet::copy_from(&report.to_packet(), &mut txbuf::Chain::arena(&world.hosts[0].stack.pools().small));
                world.hosts[0].receive(world.now, report.expect("memory"));
            }
            prop_assert!(world.now < HOUR, "{received} of {size}");
        }
        prop_assert!(world.now < Instant::from_secs(60), "it took {:?}", world.now);
        close(&mut world, sockets);
    }
}

/// gVisor #7380, #10696, #8448; tun2socks #82: memory grew with every connection. ipstack #27, #6: a
/// second connection, a dropped one.
#[test]
fn a_thousand_short_connections_leave_nothing() {
    let config = WorldConfig {
        impairment: impairment(20, 20),
        ..WorldConfig::default()
    };
    let mut world = World::new(&config);
    let mut most = 0;
    let address = World::address(1, false, 80);
    let listener = world.hosts[1]
        .stack
        .tcp_listen(address, 64)
        .expect("a free port");
    let mut served = 0;
    for _ in 0..50 {
        let now = world.now;
        for _ in 0..20 {
            let client = world.hosts[0]
                .stack
                .tcp_connect(now, address, None)
                .expect("a port");
            // Half of them are given up at once.
            if client_gives_up(served) {
                world.hosts[0].stack.abort(now, client);
            } else {
                world.hosts[0].stack.close(now, client);
            }
            served += 1;
        }
        world.run_for(SECOND * 5);
        while let Ok((socket, _)) = world.hosts[1].stack.tcp_accept(listener) {
            // An error says that the connection is over already.
            let _ = calls::write(&mut world.hosts[1].stack, socket, b"hello and good-bye");
            world.hosts[1].stack.close(world.now, socket);
        }
        most = most.max(world.live_nodes());
    }
    let now = world.now;
    world.hosts[1].stack.close(now, listener);
    while world.step() {}
    assert_eq!(world.live_nodes(), 0);
    assert!(most < 2_000, "{most} nodes alive at once");
}

fn client_gives_up(number: usize) -> bool {
    number % 2 == 1
}

/// gVisor #14092, #14101: counts of what is outstanding leaked after errors.
#[test]
fn a_finished_stream_has_nothing_outstanding() {
    for seed in 0..20 {
        let config = WorldConfig {
            seed,
            impairment: impairment(60, 60),
            ..WorldConfig::default()
        };
        let mut world = World::new(&config);
        let sockets = connected(&mut world, seed % 2 == 1);
        let (mut sent, mut received) = (0, 0);
        while received < 100_000 {
            pump(&mut world, sockets[0], &mut sent, 100_000);
            drain(&mut world, sockets[1], &mut received, 1 << 16);
            world.step_until(world.now + SECOND);
        }
        world.hosts[0]
            .stack
            .shutdown(sockets[0], How::Write)
            .expect("connected");
        world.run_for(SECOND * 60);
        let info = world.hosts[0]
            .stack
            .tcp_info(sockets[0])
            .expect("a connection");
        assert_eq!(
            (info.outstanding, info.unsent, info.state),
            (0, 0, TcpState::FinWait2),
            "seed {seed}"
        );
        close(&mut world, sockets);
    }
}

/// smoltcp #935, asterinas #485: a sender whose window is small waits for every acknowledgement.
#[test]
fn a_small_window_is_not_slowed_by_delayed_acknowledgements() {
    // 700 segments in slow start from ten take some seven round trips of 6 ms; two or three in each round
    // trip take 350. Every acknowledgement that is delayed costs 40 ms more.
    for (buffer, most) in [(4 << 20, 80), (5_000, 3_000)] {
        let mut config = WorldConfig {
            impairment: impairment(0, 0),
            ..WorldConfig::default()
        };
        config.tcp.receive_buffer = buffer;
        let mut world = World::new(&config);
        let sockets = connected(&mut world, false);
        let start = world.now;
        let (size, mut sent, mut received) = (1_000_000, 0, 0);
        while received < size {
            pump(&mut world, sockets[0], &mut sent, size);
            drain(&mut world, sockets[1], &mut received, 4 << 20);
            world.step_until(world.now + SECOND);
        }
        let took = world.now - start;
        assert!(
            took < Duration::from_millis(most),
            "a buffer of {buffer}: {took:?}"
        );
        close(&mut world, sockets);
    }
}

/// The right edge of a window is never taken back by this receiver, however ragged the data.
// req: SHLD-14
#[test]
fn the_offered_window_never_shrinks() {
    let offer = Offer::default();
    let mut remote = Remote::connects(Lab::default(), &offer);
    let mut edge: Option<u32> = None;
    for i in 0..3_000u32 {
        let len = 1 + (i * 7_919 % 37) as usize;
        remote.send(ACK, &vec![1; len]);
        for ack in remote.sent() {
            let new = ack.ack.wrapping_add(u32::from(ack.window));
            if let Some(edge) = edge {
                assert!(
                    new.wrapping_sub(edge) < 1 << 31,
                    "the edge moved left by {}",
                    edge.wrapping_sub(new)
                );
            }
            edge = Some(new);
        }
    }
}
