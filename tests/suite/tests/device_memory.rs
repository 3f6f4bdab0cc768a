//! Payload in memory that the CPU may not read, from one end of a stack to the other.
//!
//! The first host's device moves payload in a memory of which the stack has only a mapping that is shut: it sends from
//! there, over a bad link, and has what it receives put there. The second is an ordinary host.

use core::time::Duration;
use drivers::shielded::{Shielded, ShieldedMemory};
use drivers::tap::{Capture, CaptureReport, Tap, TapConfig};
use netstack_core::{
    AcceptError, How, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId,
};
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::block_common::Block;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use suite::calls;
use suite::sim::{Host, Impairment, World, WorldConfig, pattern};
use txbuf::{IovIter, Ledger, Pool, PoolConfig, Span};

const SLOT: usize = 4096;
const SLOTS: usize = 512;
const SIZE: u64 = 1_000_000;

struct Scene {
    world: World,
    memory: ShieldedMemory,
    /// The ledger of the memory and of what the driver fetched.
    ledger: Ledger,
    capture: Capture,
}

/// A tap above the layer that moves the payload: it sees what the stack sees.
fn scene(config: &WorldConfig, path: &Path) -> Scene {
    let ledger = Ledger::new();
    let memory = ShieldedMemory::new(&ledger, SLOTS, SLOT).expect("memory");
    let pool = Pool::new(
        &ledger,
        PoolConfig {
            segment: 64 << 10,
            limit: 16 << 20,
            keep: 4,
        },
    );
    let mut capture = None;
    let host = Host::tapped(1, config, |end, clock| {
        let driver = Shielded::new(end, &memory, &pool).expect("a mapping");
        let file = File::create(path).expect("a temporary file");
        let mut tap_config = TapConfig::new("shielded0").clock(clock);
        tap_config.queue_packets = 1 << 16;
        tap_config.queue_bytes = 1 << 30;
        let (tap, writer) = Tap::new(driver, file, tap_config).expect("a thread");
        capture = Some(writer);
        Box::new(tap)
    });
    Scene {
        world: World::of([host, Host::new(2, config)], config),
        memory,
        ledger,
        capture: capture.expect("the layer was made"),
    }
}

impl Scene {
    /// Has a device put `bytes` into a slot.
    fn filled(&self, bytes: &[u8]) -> Option<Span> {
        let slot = self.memory.take()?;
        let written = rustix::io::pwrite(self.memory.file(), bytes, slot.offset());
        assert_eq!(written, Ok(bytes.len()));
        Some(slot.into_span(bytes.len(), None).expect("it fits"))
    }

    /// What a device sees of a span.
    fn seen(&self, span: &Span) -> Vec<u8> {
        let mut bytes = Vec::new();
        for extent in span.extents() {
            let place = extent.device().expect("device memory");
            assert_eq!(place.provider, self.memory.provider());
            let mut piece = vec![0; place.len];
            let read = rustix::io::pread(self.memory.file(), &mut piece[..], place.offset);
            assert_eq!(read, Ok(place.len));
            bytes.extend(piece);
        }
        bytes
    }

    /// Sends from the memory while there is room in the queue and a slot.
    fn send_from_memory(&mut self, socket: SocketId, sent: &mut u64) {
        while *sent < SIZE {
            let len = (SIZE - *sent).min(SLOT as u64);
            let bytes: Vec<u8> = (*sent..*sent + len).map(|at| pattern(0, at)).collect();
            // Some slots are left to what is received.
            let Some(span) = (self.memory.free() > SLOTS / 2)
                .then(|| self.filled(&bytes))
                .flatten()
            else {
                return;
            };
            let mut source = VecDeque::from([span]);
            let stack = &mut self.world.hosts[0].stack;
            let mut from = IovIter::spans(&mut source);
            match stack.send_message(socket, &mut from, SendFlags::NONE, &SendControl::default()) {
                Ok(taken) => *sent += taken as u64,
                Err(SendError::WouldBlock) => return,
                Err(error) => panic!("{error}"),
            }
            if *sent == SIZE {
                stack.shutdown(socket, How::Write).expect("connected");
            }
        }
    }

    /// Receives into the memory. A reader that wants copies is told so, as often as it asks, and loses nothing.
    fn receive_into_memory(&mut self, socket: SocketId, received: &mut u64) -> bool {
        loop {
            let stack = &mut self.world.hosts[0].stack;
            for len in [100, 99] {
                let mut buffer = vec![0; len];
                for flags in [RecvFlags::NONE, RecvFlags::PEEK] {
                    let mut into = IovIter::buffer(&mut buffer);
                    match stack.receive_message(socket, &mut into, flags) {
                        Ok(end) if end.bytes == 0 => return true,
                        Err(RecvError::WouldBlock) => return false,
                        other => assert_eq!(other, Err(RecvError::Unreadable)),
                    }
                    assert_eq!(into.done(), 0);
                }
            }
            let mut spans = VecDeque::new();
            let mut into = IovIter::collect(&mut spans, 10_000);
            let got = stack.receive_message(socket, &mut into, RecvFlags::NONE);
            let got = got.expect("spans are taken as they are").bytes;
            let bytes: Vec<u8> = spans.iter().flat_map(|span| self.seen(span)).collect();
            assert_eq!(bytes.len(), got);
            for byte in bytes {
                assert_eq!(byte, pattern(1, *received));
                *received += 1;
            }
        }
    }

    /// Ends the capture and gives back what it says: of each packet its length, how much of it is there, and the
    /// comment.
    fn end(self, path: &Path) -> (CaptureReport, Vec<(usize, usize, Option<String>)>) {
        let Scene {
            mut world,
            memory,
            ledger,
            capture,
        } = self;
        assert_eq!((memory.free(), world.live_nodes()), (SLOTS, 0));
        drop((world, memory));
        assert_eq!(ledger.live_nodes(), 0);
        let report = capture.finish().expect("the file could be written");
        let file = std::fs::read(path).expect("the capture");
        let mut options = pcap_verify::Options::default();
        options.beside = [false, true].map(|v6| World::address(0, v6, 0).ip()).into();
        options.offload = pcap_verify::Offload::After;
        options.complete = true;
        let judged = pcap_verify::check_reader_with(&file[..], &options).expect("a capture");
        assert!(judged.findings.is_empty(), "{judged}");
        let mut reader = PcapNgReader::new(&file[..]).expect("a capture");
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a block").0 {
                let comment = packet.options.iter().find_map(|option| match option {
                    EnhancedPacketOption::Common(CommonOption::Comment(text)) => {
                        Some(text.to_string())
                    }
                    _ => None,
                });
                packets.push((packet.original_len as usize, packet.data.len(), comment));
            }
        }
        (report, packets)
    }
}

/// The ordinary host: sends its pattern, and checks what it receives. Returns whether it has seen the end.
fn ordinary(world: &mut World, socket: SocketId, sent: &mut u64, received: &mut u64) -> bool {
    let stack = &mut world.hosts[1].stack;
    while *sent < SIZE {
        let chunk: Vec<u8> = (*sent..SIZE.min(*sent + 10_000))
            .map(|at| pattern(1, at))
            .collect();
        match calls::write(stack, socket, &chunk) {
            Ok(taken) => *sent += taken as u64,
            Err(SendError::WouldBlock) => break,
            Err(error) => panic!("{error}"),
        }
        if *sent == SIZE {
            stack.shutdown(socket, How::Write).expect("connected");
        }
    }
    loop {
        match calls::read(stack, socket, 10_000) {
            Ok(bytes) if bytes.is_empty() => return true,
            Ok(bytes) => {
                for byte in bytes {
                    assert_eq!(byte, pattern(0, *received));
                    *received += 1;
                }
            }
            Err(RecvError::WouldBlock) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_connection_sends_from_it_and_receives_into_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("tcp.pcapng");
    let impairment = Impairment {
        delay: Duration::from_millis(5),
        loss: 20,
        reorder: 20,
        ..Impairment::default()
    };
    // Whoever has received everything writes no more: all of it has to find room before.
    let mut config = WorldConfig {
        seed: 5,
        impairment,
        ..WorldConfig::default()
    };
    config.tcp.autotuning = false;
    let mut scene = scene(&config, &path);
    let address = World::address(1, true, 7);
    let listener = scene.world.hosts[1]
        .stack
        .tcp_listen(address, 1)
        .expect("a free port");
    let now = scene.world.now;
    let client = scene.world.hosts[0]
        .stack
        .tcp_connect(now, address, None)
        .expect("a route");
    let (mut sent, mut received, mut server) = ([0; 2], [0; 2], None);
    let mut ends = [false; 2];
    while ends != [true; 2] {
        assert!(scene.world.step(), "something is under way");
        match scene.world.hosts[1].stack.tcp_accept(listener) {
            Ok((socket, _)) => server = Some(socket),
            Err(AcceptError::WouldBlock) => {}
            Err(error) => panic!("{error}"),
        }
        let Some(server) = server else { continue };
        scene.send_from_memory(client, &mut sent[0]);
        ends[0] = ends[0] || scene.receive_into_memory(client, &mut received[0]);
        ends[1] = ends[1] || ordinary(&mut scene.world, server, &mut sent[1], &mut received[1]);
    }
    assert_eq!((sent, received), ([SIZE; 2], [SIZE; 2]));
    let now = scene.world.now;
    scene.world.hosts[0].stack.close(now, client);
    for socket in [server.expect("accepted"), listener] {
        scene.world.hosts[1].stack.close(now, socket);
    }
    while scene.world.step() {}

    let (report, packets) = scene.end(&path);
    assert_eq!(report.dropped, 0);
    let (cut, whole): (Vec<_>, Vec<_>) = packets.into_iter().partition(|packet| packet.2.is_some());
    assert_eq!(cut.len() as u64, report.unreadable);
    // Either way more than a segment for each full one.
    assert!(cut.len() > 2 * SIZE as usize / 1440, "{}", cut.len());
    for (original, captured, comment) in cut {
        assert!(
            captured < original && captured <= 100,
            "{captured} of {original}"
        );
        let comment = comment.expect("those with one");
        assert!(
            comment.starts_with(&format!("cut at byte {captured}:")),
            "{comment}"
        );
    }
    // The others have no payload.
    assert!(
        whole
            .iter()
            .all(|(original, captured, _)| original == captured && *captured <= 100)
    );
}

#[test]
fn datagrams_are_sent_from_it_and_received_into_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udp.pcapng");
    let mut scene = scene(&WorldConfig::default(), &path);
    let [here, there] = [0, 1].map(|host| World::address(host, false, 7));
    let sockets = [0, 1].map(|host| {
        let stack = &mut scene.world.hosts[host].stack;
        stack.udp_bind([here, there][host]).expect("a free port")
    });
    let send = |scene: &mut Scene, span: Span| {
        let to = SendControl {
            to: Some(there),
            ..SendControl::default()
        };
        let stack = &mut scene.world.hosts[0].stack;
        stack
            .send_message(sockets[0], &mut IovIter::span(span), SendFlags::NONE, &to)
            .expect("room");
        scene.world.run_for(Duration::from_secs(1));
    };
    let bytes: Vec<u8> = (0..1400).map(|at| pattern(0, at)).collect();
    let span = scene.filled(&bytes).expect("a slot");
    send(&mut scene, span);
    let got = calls::receive_from(&mut scene.world.hosts[1].stack, sockets[1]);
    assert_eq!(got, Ok((bytes.clone(), here)));

    let stack = &mut scene.world.hosts[1].stack;
    calls::send_to(stack, sockets[1], Some(here), &bytes).expect("room");
    scene.world.run_for(Duration::from_secs(1));
    let stack = &mut scene.world.hosts[0].stack;
    let got = calls::receive_from(stack, sockets[0]);
    assert_eq!(got, Err(RecvError::Unreadable));
    let mut spans = VecDeque::new();
    let mut into = IovIter::collect(&mut spans, usize::MAX);
    let got = stack.receive_message(sockets[0], &mut into, RecvFlags::NONE);
    assert_eq!(
        got.map(|got| (got.bytes, got.from)),
        Ok((1400, Some(there)))
    );
    assert_eq!(scene.seen(&spans[0]), bytes);
    spans.clear();

    // Nobody can sum a datagram of several fragments for the stack: it is dropped and counted.
    let parts = [&bytes, &bytes].map(|bytes| scene.filled(bytes).expect("a slot"));
    let long = Span::gather(&scene.ledger, parts).expect("two parts");
    send(&mut scene, long);
    let stack = &mut scene.world.hosts[0].stack;
    assert_eq!(stack.counters().ip.out_fragment_failed, 1);
    assert_eq!(
        calls::receive_from(&mut scene.world.hosts[1].stack, sockets[1]),
        Err(RecvError::WouldBlock)
    );
    let now = scene.world.now;
    for (host, socket) in scene.world.hosts.iter_mut().zip(sockets) {
        host.stack.close(now, socket);
    }
    let (report, packets) = scene.end(&path);
    assert_eq!((report.written, report.unreadable), (2, 2));
    assert!(
        packets
            .iter()
            .all(|packet| (packet.0, packet.1) == (1428, 28))
    );
}
