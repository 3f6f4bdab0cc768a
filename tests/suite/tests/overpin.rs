//! What somebody who holds on to a little, or reads nothing, keeps alive is bounded.
//!
//! The tests that CI runs move little; the same with 10 GiB, or 10 million segments, are run by
//! `cargo test --release -p suite --test overpin -- --ignored`.

use core::time::Duration;
use netstack_core::{
    Config, Pools, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId, Stack,
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use suite::duo::Duo;
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Host, World, WorldConfig};
use suite::wire::{ACK, PSH};
use txbuf::{Account, IovIter, Ledger, Packet, Pool, PoolConfig, RUN_BYTES, Span};

const SECOND: Duration = Duration::from_secs(1);
/// What most tests move.
const LITTLE: u64 = 256 << 20;
const MUCH: u64 = 10 << 30;
/// Bytes of a segment of an arena.
const SEGMENT: usize = 64 << 10;
/// Bytes of each buffer of a connection.
const BUFFER: usize = 512 << 10;

fn config(offload: bool) -> WorldConfig {
    let mut config = match offload {
        true => WorldConfig::offloading(),
        false => WorldConfig::default(),
    };
    config.tcp.send_buffer = BUFFER;
    config.tcp.receive_buffer = BUFFER;
    config.tcp.autotuning = false;
    config
}

/// A pool for a device to receive into, and what it is charged to.
fn arena(ledger: &Ledger, limit: usize) -> (Pool, Account) {
    let account = Account::new(limit);
    let config = PoolConfig {
        segment: SEGMENT,
        limit,
        keep: 64,
    };
    (Pool::charged_to(ledger, config, &account), account)
}

/// A host whose stack holds no more than `limit` bytes.
fn host(number: u8, limit: usize, config: &WorldConfig) -> Host {
    let mut stack = Config::new([number; 32]);
    stack.pools = Pools::new(&Ledger::new(), limit);
    stack.tcp = config.tcp.clone();
    Host::with_stack(number, config, stack, |end, _| Box::new(end))
}

/// Writes as much as there is room for; returns how much.
fn write(stack: &mut Stack, socket: SocketId, data: &[u8]) -> usize {
    let mut from = IovIter::bytes(data);
    let control = SendControl::default();
    match stack.send_message(socket, &mut from, SendFlags::NONE, &control) {
        Ok(taken) => taken,
        Err(SendError::WouldBlock | SendError::NoMemory) => 0,
        Err(error) => panic!("{error}"),
    }
}

/// Reads and forgets everything; returns how much.
fn discard(stack: &mut Stack, socket: SocketId) -> u64 {
    let mut sink = IovIter::discard(usize::MAX);
    match stack.receive_message(socket, &mut sink, RecvFlags::NONE) {
        Ok(got) => got.bytes as u64,
        Err(RecvError::WouldBlock) => 0,
        Err(error) => panic!("{error}"),
    }
}

fn one_kept_clone(total: u64) {
    let mut duo = Duo::new(&config(true));
    let [client, server] = duo.connect(7);
    let kept: Rc<RefCell<Option<Packet>>> = Rc::default();
    let keep = Rc::clone(&kept);
    duo.watch(move |from, packet| {
        if from == 0 && packet.span().is_some() {
            keep.borrow_mut().get_or_insert_with(|| packet.clone());
        }
    });
    let data = vec![7; 100_000];
    let (mut passed, mut most) = (0, 0);
    while passed < total {
        while write(&mut duo.hosts[0].stack, client, &data) > 0 {}
        let moved = duo.exchange();
        most = most.max(duo.live_bytes(0));
        passed += discard(&mut duo.hosts[1].stack, server);
        if !moved {
            assert!(duo.wait(SECOND), "{passed} of {total}");
        }
    }
    let first = kept.borrow();
    let extent = first.as_ref().and_then(Packet::span).map_or(0, Span::len);
    // The segment that is being filled, and the one that the stack copies small things into.
    let bound = extent + RUN_BYTES + BUFFER + SEGMENT + 4096;
    assert!(extent > 0 && most <= bound, "{most} bytes, at most {bound}");
}

#[test]
fn one_kept_clone_pins_one_run() {
    one_kept_clone(LITTLE);
}

#[test]
#[ignore = "moves 10 GiB"]
fn one_kept_clone_pins_one_run_while_10_gib_pass() {
    one_kept_clone(MUCH);
}

/// What spans kept of the reader's stack and of its device's arena, and what they hold.
struct Reader {
    duo: Duo,
    sockets: [SocketId; 2],
    arena: Pool,
}

impl Reader {
    /// A reader whose stack holds no more than `limit` bytes, behind a device that receives packets of
    /// 1500 bytes into an arena of twice that.
    fn new(limit: usize) -> Reader {
        let world = config(false);
        let mut duo = Duo::of([Host::new(1, &world), host(2, limit, &world)]);
        let (arena, account) = arena(&Ledger::new(), 2 * limit);
        let reader = &mut duo.hosts[1];
        reader
            .stack
            .set_arena(reader.iface, account)
            .expect("an interface");
        duo.receive_into(1, &arena);
        let sockets = duo.connect(7);
        Reader {
            duo,
            sockets,
            arena,
        }
    }

    fn pinned(&self) -> usize {
        self.arena.in_use() + self.duo.live_bytes(1)
    }
}

/// Keeps every thousandth packet of `total` bytes, or until the limit; says whether it came to that.
fn every_thousandth(total: u64, limit: usize) -> bool {
    let mut reader = Reader::new(limit);
    let [client, server] = reader.sockets;
    let data = vec![7; 100_000];
    let mut kept: Vec<Span> = Vec::new();
    let (mut passed, mut packets, mut bytes, mut full) = (0, 0_u64, 0, false);
    while passed < total && !full {
        while write(&mut reader.duo.hosts[0].stack, client, &data) > 0 {}
        let moved = reader.duo.exchange();
        let stack = &mut reader.duo.hosts[1].stack;
        let mut spans = VecDeque::new();
        loop {
            let mut into = IovIter::collect(&mut spans, 1448);
            match stack.receive_message(server, &mut into, RecvFlags::NONE) {
                Ok(got) => passed += got.bytes as u64,
                Err(RecvError::WouldBlock) => break,
                Err(RecvError::NoMemory) => {
                    full = true;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
            packets += 1;
            let keep = packets % 1000 == 0;
            for span in spans.drain(..).filter(|_| keep) {
                bytes += span.len();
                kept.push(span);
            }
        }
        if !moved && !full {
            assert!(reader.duo.wait(SECOND), "{passed} of {total}");
        }
        // Between two reads nothing waits: what is pinned is what is kept.
        if reader.duo.hosts[1]
            .stack
            .tcp_info(server)
            .expect("open")
            .unread
            == 0
        {
            let pinned = reader.pinned();
            let bound = 4 * bytes + SEGMENT + 4096;
            assert!(pinned <= bound, "{pinned} for {bytes} in {}", kept.len());
        }
    }
    assert!(kept.len() as u64 >= packets / 1000 && bytes > 0);
    if full {
        assert_back_pressure(&mut reader, &data);
    }
    kept.clear();
    let stack = &mut reader.duo.hosts[1].stack;
    assert!(discard(stack, server) > 0 || !full, "nothing was lost");
    full
}

/// The reader got no more spans: its window closes, and its peer is held up.
fn assert_back_pressure(reader: &mut Reader, data: &[u8]) {
    let [client, server] = reader.sockets;
    for _ in 0..100 {
        while write(&mut reader.duo.hosts[0].stack, client, data) > 0 {}
        reader.duo.settle(Duration::from_millis(100));
    }
    let info = reader.duo.hosts[1].stack.tcp_info(server).expect("open");
    assert!(info.unread > 0 && info.unread <= BUFFER, "{info:?}");
    let unsent = reader.duo.hosts[0].stack.tcp_info(client).expect("open");
    assert!(unsent.unsent > 0, "{unsent:?}");
}

#[test]
fn a_reader_that_keeps_every_thousandth_packet_pays_four_times_its_bytes() {
    assert!(!every_thousandth(LITTLE, 32 << 20));
}

#[test]
fn a_reader_that_keeps_too_much_meets_back_pressure() {
    assert!(every_thousandth(MUCH, 1 << 20));
}

#[test]
#[ignore = "moves 10 GiB"]
fn a_reader_keeps_every_thousandth_packet_of_10_gib() {
    assert!(!every_thousandth(MUCH, 32 << 20));
}

#[test]
#[ignore = "moves up to 10 GiB"]
fn a_reader_keeps_every_thousandth_packet_up_to_its_limit() {
    assert!(every_thousandth(MUCH, 4 << 20));
}

fn single_bytes(count: u32) {
    let mut world = config(false);
    world.tcp.receive_buffer = 1 << 20;
    let lab = Lab::new(&world);
    let offer = Offer {
        scale: Some(0),
        ..Offer::default()
    };
    let mut remote = Remote::connects(lab, &offer);
    let ledger = remote.lab.host.stack.ledger().clone();
    let held = |remote: &Remote| {
        let report = ledger.report();
        let own: usize = report.iter().map(|(_, usage)| usage.bytes).sum();
        own + remote.lab.held()
    };
    let mut most = 0;
    for number in 0..count {
        remote.send(ACK | PSH, b"x");
        if number.is_multiple_of(64) {
            remote.sent();
        }
        most = most.max(held(&remote));
    }
    remote.sent();
    let info = remote.info();
    assert!(info.unread <= 1 << 20, "{info:?}");
    assert!(info.unread >= (count as usize).min(60_000), "{info:?}");
    // The limit, and what the stack fills at the moment.
    assert!(most <= (1 << 20) + 2 * 4096, "{most} bytes held");
    let (now, socket) = (remote.lab.now, remote.socket);
    remote.lab.host.stack.abort(now, socket);
    assert_eq!(remote.lab.host.live_nodes(), 0);
}

#[test]
fn single_bytes_that_nobody_reads_stay_within_the_receive_limit() {
    single_bytes(50_000);
}

#[test]
#[ignore = "10 million segments"]
fn ten_million_single_bytes_stay_within_the_receive_limit() {
    single_bytes(10_000_000);
}

#[test]
fn single_bytes_of_many_connections_are_copied_together() {
    // Their copies alternate in the stack's own segments, so that none adjoins the next.
    let mut duo = Duo::new(&config(true));
    let pairs = [7, 8, 9].map(|port| duo.connect(port));
    let now = duo.now;
    let before = duo.live_bytes(1);
    for [client, _] in pairs {
        let option = netstack_core::SocketOption::NoDelay(true);
        let stack = &mut duo.hosts[0].stack;
        stack.set_option(now, client, option).expect("a connection");
    }
    for _ in 0..3_000 {
        for [client, _] in pairs {
            assert_eq!(write(&mut duo.hosts[0].stack, client, b"x"), 1);
        }
        duo.exchange();
    }
    duo.settle(SECOND);
    let held = duo.live_bytes(1) - before;
    assert!(held <= 3 * (3_000 + 4096) + 4096, "{held} bytes for 9000");
    for [_, server] in pairs {
        let info = duo.hosts[1].stack.tcp_info(server).expect("open");
        assert_eq!(info.unread, 3_000);
        assert_eq!(discard(&mut duo.hosts[1].stack, server), 3_000);
    }
}

#[test]
fn readers_that_do_not_read_keep_nobody_from_receiving() {
    let limit = 2 << 20;
    let mut duo = Duo::new(&config(false));
    let (pool, account) = arena(&Ledger::new(), limit);
    let reader = &mut duo.hosts[1];
    reader
        .stack
        .set_arena(reader.iface, account.clone())
        .expect("an interface");
    duo.receive_into(1, &pool);
    let udp = World::address(1, false, 53);
    let udp = duo.hosts[1].stack.udp_bind(udp).expect("a free port");
    let from = duo.hosts[0]
        .stack
        .udp_bind(World::address(0, false, 54))
        .expect("a free port");
    // Far more than the arena holds: eight buffers of half a megabyte, and datagrams.
    let slow = [10, 11, 12, 13, 14, 15, 16, 17].map(|port| duo.connect(port));
    let data: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
    let mut sent = [0; 8];
    for _ in 0..200 {
        for ([client, _], sent) in slow.iter().zip(&mut sent) {
            *sent += write(&mut duo.hosts[0].stack, *client, &data[*sent % 251..]);
        }
        let control = SendControl::to(World::address(1, false, 53));
        let mut datagram = IovIter::bytes(&data[..1_000]);
        let stack = &mut duo.hosts[0].stack;
        let _ = stack.send_message(from, &mut datagram, SendFlags::NONE, &control);
        duo.settle(Duration::from_millis(20));
    }
    let unread: usize = slow
        .iter()
        .map(|[_, server]| duo.hosts[1].stack.tcp_info(*server).expect("open").unread)
        .sum();
    assert!(unread > limit, "{unread} bytes wait");
    assert!(duo.hosts[1].stack.counters().ip.evacuated_bytes > 0);
    assert!(account.in_use() < limit, "{account:?}");
    // Another one is served as if they were not there.
    let [client, server] = duo.connect(20);
    let lost = duo.lost;
    let mut passed = 0;
    while passed < 8 << 20 {
        write(&mut duo.hosts[0].stack, client, &data);
        let moved = duo.exchange();
        passed += discard(&mut duo.hosts[1].stack, server);
        if !moved {
            assert!(duo.wait(SECOND), "{passed}");
        }
    }
    assert_eq!(duo.lost, lost, "nothing was lost on the way");
    // And what waited is whole.
    let stack = &mut duo.hosts[1].stack;
    for [_, server] in slow {
        let mut buffer = vec![0; BUFFER];
        let mut into = IovIter::buffer(&mut buffer);
        let got = stack
            .receive_message(server, &mut into, RecvFlags::NONE)
            .expect("data");
        assert!(
            buffer[..got.bytes]
                .iter()
                .enumerate()
                .all(|(i, byte)| *byte == (i % 251) as u8)
        );
    }
    let mut datagrams = 0;
    while let Ok(got) = stack.receive_message(udp, &mut IovIter::discard(1_000), RecvFlags::NONE) {
        assert_eq!(got.len, 1_000);
        datagrams += 1;
    }
    assert_eq!(datagrams, 200);
}

#[test]
fn with_arena_and_stack_full_of_unread_data_others_are_served() {
    let limit = 2 << 20;
    let world = config(false);
    let mut duo = Duo::of([Host::new(1, &world), host(2, limit, &world)]);
    let (pool, account) = arena(&Ledger::new(), limit);
    let reader = &mut duo.hosts[1];
    reader
        .stack
        .set_arena(reader.iface, account.clone())
        .expect("an interface");
    duo.receive_into(1, &pool);
    // Promised altogether: three times what there is.
    let slow: Vec<_> = (100..124).map(|port| duo.connect(port)).collect();
    let data = vec![7; 100_000];
    for _ in 0..100 {
        for [client, _] in &slow {
            write(&mut duo.hosts[0].stack, *client, &data);
        }
        duo.settle(Duration::from_millis(50));
    }
    let stack = duo.hosts[1].stack.pools().account.clone();
    assert!(stack.is_pressed() && stack.in_use() < limit, "{stack:?}");
    assert!(account.in_use() < limit, "{account:?}");
    assert!(duo.hosts[1].stack.counters().tcp.in_receive_full > 0);
    let [client, server] = duo.connect(9);
    let (mut passed, started) = (0, duo.now);
    while passed < 4 << 20 {
        write(&mut duo.hosts[0].stack, client, &data);
        let moved = duo.exchange();
        passed += discard(&mut duo.hosts[1].stack, server);
        if !moved {
            assert!(duo.wait(100 * SECOND), "{passed}");
        }
    }
    assert!(duo.now - started < 10 * SECOND, "{:?}", duo.now - started);
    // The slow ones go on when they read, and get everything.
    let mut quiet = 0;
    while quiet < 3 {
        let mut moved = duo.exchange();
        for [_, server] in &slow {
            moved |= discard(&mut duo.hosts[1].stack, *server) > 0;
        }
        quiet = if moved || duo.wait(200 * SECOND) {
            0
        } else {
            quiet + 1
        };
    }
    for [client, _] in slow {
        let info = duo.hosts[0].stack.tcp_info(client).expect("open");
        assert_eq!((info.unsent, info.outstanding), (0, 0));
    }
    assert!(!stack.is_pressed());
}

#[test]
fn readers_that_keep_everything_stop_nobody_else() {
    let world = config(true);
    let limit = 2 << 20;
    let mut stack = Config::new([2; 32]);
    stack.pools = Pools::new(&Ledger::new(), 8 << 20);
    stack.tcp = world.tcp.clone();
    stack.reader_keeps = 1 << 20;
    let reader = Host::with_stack(2, &world, stack, |end, _| Box::new(end));
    let mut duo = Duo::of([Host::new(1, &world), reader]);
    let (pool, account) = arena(&Ledger::new(), limit);
    let host = &mut duo.hosts[1];
    host.stack
        .set_arena(host.iface, account.clone())
        .expect("an interface");
    duo.receive_into(1, &pool);
    let data = vec![7; 100_000];
    let mut kept = VecDeque::new();
    for port in [7, 8] {
        let [client, server] = duo.connect(port);
        let before = kept.iter().map(Span::len).sum::<usize>();
        let refused = loop {
            write(&mut duo.hosts[0].stack, client, &data);
            duo.settle(Duration::from_millis(50));
            let stack = &mut duo.hosts[1].stack;
            let mut into = IovIter::collect(&mut kept, usize::MAX);
            match stack.receive_message(server, &mut into, RecvFlags::NONE) {
                Ok(_) | Err(RecvError::WouldBlock) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(refused, RecvError::NoMemory);
        // The first has most of the arena; the second its own copies all the same.
        let more = kept.iter().map(Span::len).sum::<usize>() - before;
        assert!(more > 800_000, "{more} bytes kept");
        assert!(account.in_use() < limit, "{account:?}");
    }
    let sockets = duo.connect(9);
    let lost = duo.lost;
    for (from, to) in [(0, 1), (1, 0)] {
        let mut passed = 0;
        while passed < 8 << 20 {
            write(&mut duo.hosts[from].stack, sockets[from], &data);
            let moved = duo.exchange();
            passed += discard(&mut duo.hosts[to].stack, sockets[to]);
            if !moved {
                assert!(duo.wait(SECOND), "{passed}");
            }
        }
    }
    assert_eq!(duo.lost, lost, "nothing was lost on the way");
    assert!(
        kept.iter()
            .all(|span| span.to_vec().expect("readable").iter().all(|b| *b == 7))
    );
}

#[test]
fn an_idle_connection_keeps_no_segment() {
    let mut duo = Duo::new(&config(true));
    let pairs: Vec<_> = (100..110).map(|port| duo.connect(port)).collect();
    for [client, server] in &pairs {
        write(&mut duo.hosts[0].stack, *client, b"a question");
        duo.settle(SECOND);
        discard(&mut duo.hosts[1].stack, *server);
        write(&mut duo.hosts[1].stack, *server, b"an answer");
        duo.settle(SECOND);
        discard(&mut duo.hosts[0].stack, *client);
    }
    duo.settle(SECOND);
    for host in 0..2 {
        let held = duo.live_bytes(host);
        assert!(held <= 4096, "{held} bytes for ten idle connections");
    }
}

#[test]
fn short_of_storage_each_connection_holds_little_and_none_is_stopped() {
    let world = config(true);
    let limit = 4 << 20;
    let mut duo = Duo::of([host(1, limit, &world), Host::new(2, &world)]);
    let pairs: Vec<_> = (100..120).map(|port| duo.connect(port)).collect();
    let data = vec![7; 100_000];
    // Nobody reads, so that all that is written waits on one side or the other.
    for _ in 0..50 {
        for [client, _] in &pairs {
            write(&mut duo.hosts[0].stack, *client, &data);
        }
        duo.exchange();
    }
    let stack = &duo.hosts[0].stack;
    let account = stack.pools().account.clone();
    assert!(
        account.in_use() <= limit && account.is_pressed(),
        "{account:?}"
    );
    // Those that wait are told when there is room again, and everything arrives.
    let mut quiet = 0;
    while quiet < 3 {
        let mut moved = duo.exchange();
        for [_, server] in &pairs {
            moved |= discard(&mut duo.hosts[1].stack, *server) > 0;
        }
        quiet = if moved || duo.wait(SECOND) {
            0
        } else {
            quiet + 1
        };
    }
    assert!(
        !account.is_pressed() && account.in_use() <= 4096,
        "{account:?}"
    );
    for [client, _] in &pairs {
        assert!(write(&mut duo.hosts[0].stack, *client, &data) > 0);
    }
}
