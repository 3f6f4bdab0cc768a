//! What sockets keep of storage that is not the stack's own: counted at its true size, and bounded.

use core::time::Duration;
use netstack_core::{
    IfaceId, Instant, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId, Stack,
};
use std::collections::VecDeque;
use suite::duo::Duo;
use suite::sim::{World, WorldConfig};
use suite::untouchable::Untouchable;
use txbuf::{Chain, IovIter, Kind, Ledger, OVERPIN, Offloads, Packet, Pool, PoolConfig, Span};

const SECOND: Duration = Duration::from_secs(1);
/// Bytes of each buffer of a connection.
const BUFFER: usize = 1 << 20;
/// Bytes of a segment of the stack's.
const SEGMENT: usize = 64 << 10;
const GIB: usize = 1 << 30;

fn config() -> WorldConfig {
    let mut config = WorldConfig::offloading();
    config.tcp.send_buffer = BUFFER;
    config.tcp.autotuning = false;
    config
}

fn send(stack: &mut Stack, socket: SocketId, span: Span) -> Result<usize, SendError> {
    let mut from = IovIter::span(span);
    stack.send_message(socket, &mut from, SendFlags::NONE, &SendControl::default())
}

fn owned(stack: &Stack) -> usize {
    stack.ledger().report().of(Kind::Owned).bytes
}

fn storage(stack: &Stack, socket: SocketId) -> usize {
    stack.tcp_info(socket).expect("open").send_storage
}

/// Of many buffers a piece each, which would be far more if all were kept.
#[test]
fn a_send_queue_keeps_at_most_four_times_its_limit_of_others() {
    const LARGE: usize = 2_000_000;
    let mut duo = Duo::new(&config());
    let [client, server] = duo.connect(7);
    let stack = &mut duo.hosts[0].stack;
    let (mut sent, mut expected) = (0, Vec::new());
    for number in 0_u8.. {
        let buffer = vec![number; LARGE];
        let span = Span::from_owner(stack.ledger(), buffer).expect("short");
        match send(stack, client, span.slice(..70_000).expect("longer")) {
            Ok(taken) => {
                sent += taken;
                expected.resize(sent, number);
            }
            Err(error) => {
                assert_eq!(error, SendError::WouldBlock);
                break;
            }
        }
    }
    // All the room there is was used, and it is told what that takes.
    assert_eq!(sent, BUFFER);
    let kept = owned(stack);
    assert!(
        kept > OVERPIN * BUFFER - LARGE && kept <= OVERPIN * BUFFER,
        "{kept}"
    );
    let told = storage(stack, client);
    assert!(
        told >= kept && told <= kept + BUFFER + 2 * SEGMENT,
        "{told} for {kept}"
    );
    assert_eq!(
        stack
            .holdings()
            .iter()
            .map(|one| one.sending)
            .sum::<usize>(),
        told
    );
    // With the acknowledgements it goes.
    duo.settle(SECOND);
    let mut buffer = vec![0; BUFFER];
    let mut received = 0;
    while received < sent {
        let mut into = IovIter::buffer(&mut buffer[received..]);
        let got = duo.hosts[1]
            .stack
            .receive_message(server, &mut into, RecvFlags::NONE);
        received += got.expect("data").bytes;
        duo.settle(SECOND);
    }
    assert!(buffer == expected, "the bytes of all buffers, in order");
    assert_eq!(
        (
            storage(&duo.hosts[0].stack, client),
            owned(&duo.hosts[0].stack)
        ),
        (0, 0)
    );
}

/// One buffer may be of any size, as the design says; but no second beside it.
#[test]
fn of_buffers_of_a_gibibyte_a_connection_keeps_one() {
    let mut duo = Duo::new(&config());
    let [client, server] = duo.connect(7);
    // Never touched, so that only addresses are taken.
    let ledger = duo.hosts[0].stack.ledger().clone();
    let huge = || Span::from_owner(&ledger, vec![0_u8; GIB]).expect("short enough");
    let (first, second) = (huge(), huge());
    let stack = &mut duo.hosts[0].stack;
    assert_eq!(
        send(stack, client, first.slice(..100_000).expect("longer")),
        Ok(100_000)
    );
    // More of it costs nothing more; of another there are copies.
    assert_eq!(
        send(
            stack,
            client,
            first.slice(200_000..300_000).expect("longer")
        ),
        Ok(100_000)
    );
    assert_eq!(storage(stack, client), GIB);
    assert_eq!(
        send(stack, client, second.slice(..100_000).expect("longer")),
        Ok(100_000)
    );
    drop((first, second));
    assert_eq!(owned(stack), GIB);
    assert_eq!(storage(stack, client), GIB + 2 * SEGMENT);
    duo.settle(SECOND);
    assert_eq!(
        (
            owned(&duo.hosts[0].stack),
            storage(&duo.hosts[0].stack, client)
        ),
        (GIB, 0)
    );
    // Only the reader has what it did not read, and the whole of it goes with that.
    let sink = &mut IovIter::discard(usize::MAX);
    let stack = &mut duo.hosts[1].stack;
    assert_eq!(
        stack.holdings().first().map(|one| one.receiving > GIB),
        Some(true)
    );
    let got = stack.receive_message(server, sink, RecvFlags::NONE);
    assert_eq!(got.expect("data").bytes, 300_000);
    assert_eq!(owned(&duo.hosts[0].stack), 0);
}

#[test]
fn a_whole_gibibyte_is_sent_without_a_copy() {
    let mut duo = Duo::new(&config());
    let [client, server] = duo.connect(7);
    let ledger = duo.hosts[0].stack.ledger().clone();
    let huge = Span::from_owner(&ledger, vec![0_u8; GIB]).expect("short enough");
    let mut from = IovIter::span(huge);
    let mut received = 0;
    while received < GIB {
        let stack = &mut duo.hosts[0].stack;
        match stack.send_message(client, &mut from, SendFlags::NONE, &SendControl::default()) {
            Ok(_) | Err(SendError::WouldBlock | SendError::NoMemory) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(storage(stack, client) <= GIB && stack.pools().send.in_use() == 0);
        let moved = duo.exchange();
        let sink = &mut IovIter::discard(usize::MAX);
        match duo.hosts[1]
            .stack
            .receive_message(server, sink, RecvFlags::NONE)
        {
            Ok(got) => received += got.bytes,
            Err(RecvError::WouldBlock) => assert!(moved || duo.wait(SECOND)),
            Err(error) => panic!("{error}"),
        }
    }
    drop(from);
    duo.settle(SECOND);
    assert_eq!(owned(&duo.hosts[0].stack), 0);
}

#[test]
fn a_datagram_queue_keeps_one_buffer_beyond_its_limit() {
    let mut duo = Duo::new(&config());
    let to = World::address(1, false, 53);
    let stack = &mut duo.hosts[0].stack;
    let socket = stack
        .udp_bind(World::address(0, false, 54))
        .expect("a free port");
    let ledger = stack.ledger().clone();
    let control = SendControl::to(to);
    let mut post = |span: &Span, range: core::ops::Range<usize>| {
        let mut from = IovIter::span(span.slice(range).expect("longer"));
        let sent = stack.send_message(socket, &mut from, SendFlags::NONE, &control);
        assert_eq!(from.done(), sent.unwrap_or(0));
        sent
    };
    let large = Span::from_owner(&ledger, vec![1_u8; 16 << 20]).expect("short");
    let small = Span::from_owner(&ledger, vec![2_u8; 10_000]).expect("short");
    for at in 0..100 {
        assert_eq!(post(&large, at * 1000..(at + 1) * 1000), Ok(1000));
    }
    assert_eq!(post(&small, 0..1000), Err(SendError::WouldBlock));
    assert_eq!(post(&large, 0..1000), Ok(1000));
    assert_eq!(
        stack.holdings().first().map(|one| one.sending),
        Some(16 << 20)
    );
    while stack.poll_event().is_some() {}
    assert_eq!(stack.readiness(socket).map(|is| is.writable), Ok(false));
    duo.exchange();
    let told = duo.hosts[0].stack.poll_event().expect("there is room");
    assert_eq!((told.socket, told.writable), (socket, true));
    let mut from = IovIter::span(small.clone());
    let sent = duo.hosts[0]
        .stack
        .send_message(socket, &mut from, SendFlags::NONE, &control);
    assert_eq!(sent, Ok(10_000));
}

/// A packet holds 16 parts: more are copied together, which cannot be done with some.
#[test]
fn a_datagram_of_many_parts_that_cannot_be_copied_is_refused_for_good() {
    let mut duo = Duo::new(&config());
    let control = SendControl::to(World::address(1, false, 53));
    let stack = &mut duo.hosts[0].stack;
    let socket = stack
        .udp_bind(World::address(0, false, 54))
        .expect("a free port");
    let memory = std::sync::Arc::new(Untouchable);
    let ledger = stack.ledger().clone();
    for (parts, expected) in [(16, Ok(160)), (17, Err(SendError::TooManyParts))] {
        let piece = |at: u64| Span::from_device(&ledger, memory.clone(), 1_000 * at, 10, None);
        let mut queue: VecDeque<Span> = (0..parts).map(|at| piece(at).expect("short")).collect();
        let mut from = IovIter::spans(&mut queue);
        let sent = stack.send_message(socket, &mut from, SendFlags::NONE, &control);
        let left = if sent.is_ok() { 0 } else { 10 * parts as usize };
        assert_eq!((sent, from.remaining()), (expected, left));
    }
}

/// What cannot be copied waits, and nothing of it is lost.
#[test]
fn memory_that_cannot_be_copied_waits_until_it_may_be_kept() {
    let mut duo = Duo::new(&config());
    let [client, server] = duo.connect(7);
    let ledger = duo.hosts[0].stack.ledger().clone();
    let huge = Span::from_owner(&ledger, vec![0_u8; GIB]).expect("short enough");
    let stack = &mut duo.hosts[0].stack;
    assert_eq!(
        send(stack, client, huge.slice(..100_000).expect("longer")),
        Ok(100_000)
    );
    let memory = std::sync::Arc::new(Untouchable);
    // A little of much, which would be copied if it could be.
    let device = Span::from_device(&ledger, memory, 0, 50_000, None).expect("short");
    let mut from = IovIter::span(device.slice(..5_000).expect("longer"));
    let control = SendControl::default();
    let sent = stack.send_message(client, &mut from, SendFlags::NONE, &control);
    assert_eq!(
        (sent, from.remaining()),
        (Err(SendError::WouldBlock), 5_000)
    );
    duo.settle(SECOND);
    let stack = &mut duo.hosts[0].stack;
    while let Some(event) = stack.poll_event() {
        assert_eq!(event.socket, client);
    }
    let sent = stack.send_message(client, &mut from, SendFlags::NONE, &control);
    assert_eq!((sent, from.remaining()), (Ok(5_000), 0));
    let got = duo.hosts[1].stack.receive_message(
        server,
        &mut IovIter::discard(usize::MAX),
        RecvFlags::NONE,
    );
    assert_eq!(got.expect("data").bytes, 100_000);
}

/// A reader leaves one byte of a packet that is a gather of sixteen buffers, and then keeps it.
#[test]
fn the_last_byte_of_a_gather_keeps_one_of_its_buffers() {
    const LEAF: usize = 4_000;
    let mut duo = Duo::new(&config());
    let [client, server] = duo.connect(7);
    let ledger = duo.hosts[0].stack.ledger().clone();
    let leaves = (0..16).map(|i| Span::from_owner(&ledger, vec![i; LEAF]).expect("short"));
    let gather = Span::gather(&ledger, leaves).expect("sixteen");
    assert_eq!(send(&mut duo.hosts[0].stack, client, gather), Ok(16 * LEAF));
    duo.settle(SECOND);
    let owned = || ledger.report().of(Kind::Owned);
    assert_eq!(owned().nodes, 16);
    let stack = &mut duo.hosts[1].stack;
    let sink = &mut IovIter::discard(16 * LEAF - 1);
    let got = stack
        .receive_message(server, sink, RecvFlags::NONE)
        .expect("data");
    assert_eq!(got.bytes, 16 * LEAF - 1);
    assert_eq!((owned().nodes, owned().bytes), (1, LEAF));
    assert_eq!(stack.holdings()[0].receiving, LEAF);
    let mut kept = VecDeque::new();
    let into = &mut IovIter::collect(&mut kept, usize::MAX);
    assert_eq!(
        stack
            .receive_message(server, into, RecvFlags::NONE)
            .expect("data")
            .bytes,
        1
    );
    assert_eq!(
        (kept[0].to_vec().expect("readable"), kept[0].footprint()),
        (vec![15], 1)
    );
    assert_eq!(owned().nodes, 0);
}

/// Hands the packets that host 0 sends to host 1, each at the start of a segment of its own of `pool`.
fn scatter(duo: &mut Duo, pool: &Pool, most: usize) -> usize {
    let [from, to] = &mut duo.hosts;
    let mut packets = 0;
    while packets < most
        && let Some(packet) = from.stack.poll_transmit(duo.now, from.iface)
    {
        let bytes = packet.to_vec().expect("readable");
        let copy = Packet::copy_from(&bytes, &mut Chain::arena(pool)).expect("room");
        to.stack.handle_packet(duo.now, to.iface, copy);
        packets += 1;
    }
    packets
}

#[test]
fn forty_five_fragments_scattered_over_segments_keep_four_times_their_bytes() {
    let plain = WorldConfig {
        offloads: Offloads::default(),
        ..config()
    };
    let mut duo = Duo::new(&plain);
    let pool = Pool::new(
        &Ledger::new(),
        PoolConfig {
            segment: SEGMENT,
            limit: 64 << 20,
            keep: 0,
        },
    );
    let to = World::address(1, false, 53);
    let server = duo.hosts[1].stack.udp_bind(to).expect("a free port");
    let socket = World::address(0, false, 54);
    let socket = duo.hosts[0].stack.udp_bind(socket).expect("a free port");
    let data: Vec<u8> = (0..65_507_u32).map(|i| (i % 251) as u8).collect();
    let sent = duo.hosts[0].stack.send_message(
        socket,
        &mut IovIter::bytes(&data),
        SendFlags::NONE,
        &SendControl::to(to),
    );
    assert_eq!(sent, Ok(data.len()));
    let held = |duo: &Duo| duo.live_bytes(1) + pool.in_use();
    assert_eq!(scatter(&mut duo, &pool, 44), 44);
    // All but the last wait: none keeps its segment.
    let bytes = 44 * 1480;
    assert!(
        held(&duo) <= OVERPIN * bytes && pool.in_use() == 0,
        "{} for {bytes}",
        held(&duo)
    );
    assert_eq!(scatter(&mut duo, &pool, 9), 1);
    assert!(
        held(&duo) <= OVERPIN * data.len() + SEGMENT,
        "{}",
        held(&duo)
    );
    let mut buffer = vec![0; data.len()];
    let into = &mut IovIter::buffer(&mut buffer);
    let got = duo.hosts[1]
        .stack
        .receive_message(server, into, RecvFlags::NONE);
    assert_eq!(got.expect("a datagram").len, data.len());
    assert!(buffer == data);
    let (now, iface) = (Instant::ZERO, IfaceId::new(0));
    assert!(duo.hosts[1].stack.poll_transmit(now, iface).is_none());
    assert!(held(&duo) <= 4096);
}
