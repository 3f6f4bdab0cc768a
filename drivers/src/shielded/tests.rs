use std::collections::VecDeque;
use std::fs;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use txbuf::{
    Chain, Checksum, Completions, DeviceMemory, Kind, Ledger, Offloads, Order, Packet, Pool,
    PoolConfig, Span, TooLong, Unreadable,
};

use super::{Shielded, ShieldedMemory};
use crate::testing::{Scripted, Spec, parse, pool};
use crate::{Device, Edge};

const SLOT: usize = 4096;

/// Puts bytes into a slot as a device would, past the stack.
fn filled(memory: &ShieldedMemory, bytes: &[u8]) -> Span {
    let slot = memory.take().expect("a free slot");
    assert_eq!(
        rustix::io::pwrite(memory.file(), bytes, slot.offset()),
        Ok(bytes.len())
    );
    slot.into_span(bytes.len(), None).unwrap()
}

/// Reads the bytes of a span as a device would.
fn seen(memory: &ShieldedMemory, span: &Span) -> Vec<u8> {
    let mut bytes = Vec::new();
    for extent in span.extents() {
        let place = extent.device().expect("device memory");
        assert_eq!(place.provider, memory.provider());
        let mut piece = vec![0; place.len];
        assert_eq!(
            rustix::io::pread(memory.file(), &mut piece[..], place.offset),
            Ok(place.len)
        );
        bytes.extend(piece);
    }
    bytes
}

/// A packet whose payload lies in several slots.
fn packet(spec: &Spec, memory: &ShieldedMemory, pool: &Pool) -> Packet {
    let mut packet = spec.build(pool);
    let bytes = spec.payload_bytes();
    let parts = bytes.chunks(SLOT).map(|part| filled(memory, part));
    packet.set_span(Span::gather(pool.ledger(), parts).unwrap());
    packet
}

#[test]
fn the_stack_has_no_mapping_that_it_could_read() {
    let ledger = Ledger::new();
    let memory = ShieldedMemory::new(&ledger, 4, SLOT).unwrap();
    let inode = fs::metadata(format!("/proc/self/fd/{}", memory.file().as_raw_fd())).unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&inode).to_string();
    let access = || -> Vec<String> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let own = maps
            .lines()
            .filter(|line| line.contains("memfd:shielded"))
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut access: Vec<_> = own
            .filter(|fields| fields[4] == inode)
            .map(|fields| fields[1].to_owned())
            .collect();
        access.sort();
        access
    };
    assert_eq!(access(), ["---s"]);
    let device = Scripted::new(Offloads::default(), []);
    let driver = Shielded::new(device, &memory, &pool(&ledger)).unwrap();
    assert_eq!(access(), ["---s", "rw-s"]);
    drop(driver);
    assert_eq!(access(), ["---s"]);
    drop(memory);
    assert_eq!(access(), [] as [&str; 0]);
}

#[test]
fn any_access_by_the_cpu_is_refused() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let memory = ShieldedMemory::new(&ledger, 1, SLOT).unwrap();
    let span = filled(&memory, b"not for the processor");
    assert_eq!(span.kind(), Kind::Device);
    let mut room = [0; 100];
    assert_eq!(span.to_vec(), Err(Unreadable));
    assert_eq!(span.copy_to(0, &mut room), Err(Unreadable));
    assert_eq!(span.checksum(), Err(Unreadable));
    assert!(span.contiguous().is_none() && span.linearise(&mut Chain::arena(&pool)).is_err());
    assert!(
        span.extents()
            .all(|extent| extent.bytes().is_err() && extent.raw().is_err())
    );
    let mut packet = Packet::with_payload(span);
    assert!(packet.pull(1).is_err() && packet.checksum(0).is_err() && packet.to_vec().is_err());
}

#[test]
fn slots_come_back_with_their_last_span_and_then_their_message() {
    let ledger = Ledger::new();
    let memory = ShieldedMemory::new(&ledger, 2, SLOT).unwrap();
    let mut completions = Completions::new(Order::Stream, 1);
    let token = completions.token().unwrap();
    let (one, other) = (memory.take().unwrap(), memory.take().unwrap());
    assert!(memory.take().is_none() && one.offset() != other.offset());
    assert_eq!(one.into_span(SLOT + 1, None).unwrap_err(), TooLong);
    assert_eq!(memory.free(), 1);
    let mut span = other.into_span(100, Some(token)).unwrap();
    let rest = span.split_off(50).unwrap();
    drop(span);
    assert_eq!((memory.free(), completions.poll()), (1, None));
    drop(rest);
    assert_eq!(memory.free(), 2);
    assert!(completions.poll().is_some_and(|done| !done.copied));
    drop(memory.take());
    assert_eq!((memory.free(), ledger.live_nodes()), (2, 0));
    for (count, slot) in [(0, SLOT), (4, 0), (usize::MAX, 2)] {
        assert!(ShieldedMemory::new(&ledger, count, slot).is_err());
    }
}

#[test]
fn payload_leaves_through_the_edge_without_the_stack_reading_it() {
    for udp in [false, true] {
        for tx_checksum in [false, true] {
            let ledger = Ledger::new();
            let pool = pool(&ledger);
            let memory = ShieldedMemory::new(&ledger, 16, SLOT).unwrap();
            let offloads = Offloads {
                tx_checksum,
                ..Offloads::default()
            };
            let inner = Scripted::new(offloads, [Some(3), Some(0), Some(1)]);
            let mut device = Edge::new(Shielded::new(inner, &memory, &pool).unwrap());
            assert_eq!(device.capabilities().device_memory, Some(memory.provider()));
            let spec = Spec {
                udp,
                options: 0,
                ..Spec::tcp(20_000, 1448)
            };
            let mut queue = VecDeque::from([packet(&spec, &memory, &pool)]);
            while !queue.is_empty() {
                device.transmit(&mut queue).unwrap();
            }
            let mut payload = Vec::new();
            for sent in &mut device.inner_mut().inner_mut().sent {
                assert_eq!(sent.meta.checksum == Checksum::Complete, !tx_checksum);
                sent.complete_checksum().unwrap();
                payload.extend(parse(&sent.to_vec().unwrap()).payload);
            }
            assert_eq!(payload, spec.payload_bytes());
            assert_eq!(memory.free(), 16);
            drop(device);
            assert_eq!(ledger.live_nodes(), 0);
        }
    }
}

#[test]
fn payload_of_several_kinds_is_fetched_in_order() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let memory = ShieldedMemory::new(&ledger, 1, SLOT).unwrap();
    let mut device = Shielded::new(Scripted::new(Offloads::default(), []), &memory, &pool).unwrap();
    let mut whole = Spec::tcp(1000, 0).build(&pool);
    let bytes = whole.span().unwrap().to_vec().unwrap();
    let ready = |part: &[u8]| Span::from_owner(&ledger, part.to_vec()).unwrap();
    let parts = [
        ready(&bytes[..101]),
        filled(&memory, &bytes[101..900]),
        ready(&bytes[900..]),
    ];
    whole.set_span(Span::gather(&ledger, parts).unwrap());
    device.transmit(&mut VecDeque::from([whole])).unwrap();
    assert_eq!(
        parse(&device.inner().sent[0].to_vec().unwrap()).payload,
        bytes
    );
}

/// Memory of another card.
struct Elsewhere;

impl DeviceMemory for Elsewhere {
    fn provider(&self) -> u64 {
        0
    }

    fn release(&self, _: u64, _: usize) {}
}

#[test]
fn what_no_driver_can_move_is_dropped_and_counted() {
    let ledger = Ledger::new();
    let own = pool(&ledger);
    let memory = ShieldedMemory::new(&ledger, 4, SLOT).unwrap();
    let lost = || {
        let mut packet = Spec::tcp(1, 0).build(&own);
        let span = Span::from_device(&ledger, Arc::new(Elsewhere), 0, 100, None).unwrap();
        packet.set_span(span);
        packet
    };
    // Another provider's memory.
    let inner = || Scripted::new(Offloads::default(), []);
    let mut device = Shielded::new(inner(), &memory, &own).unwrap();
    assert_eq!(device.transmit(&mut [lost(), lost()].into()).unwrap(), 2);
    assert_eq!(device.counters().tx_unreadable, 2);
    // A device that moves none, below an edge that has to sum.
    let mut plain = Edge::new(inner());
    assert_eq!(plain.transmit(&mut [lost()].into()).unwrap(), 1);
    assert_eq!(plain.counters().tx_unreadable, 1);
    // No room for what is fetched: others go on.
    let none = PoolConfig {
        segment: 64 << 10,
        limit: 0,
        keep: 0,
    };
    let none = Pool::new(&ledger, none);
    let mut device = Shielded::new(inner(), &memory, &none).unwrap();
    let spec = Spec::tcp(500, 0);
    let packets = [packet(&spec, &memory, &own), spec.build(&own)];
    assert_eq!(device.transmit(&mut packets.into()).unwrap(), 2);
    assert_eq!(
        (device.counters().tx_no_memory, device.inner().sent.len()),
        (1, 1)
    );
    assert_eq!(memory.free(), 4);
}

/// The packets as they were on a wire.
fn wire(packets: &mut [Packet]) {
    for packet in packets {
        packet.complete_checksum().unwrap();
    }
}

#[test]
fn received_payload_is_split_from_its_headers() {
    for (six, udp) in [(false, false), (false, true), (true, false), (true, true)] {
        let ledger = Ledger::new();
        let pool = pool(&ledger);
        let memory = ShieldedMemory::new(&ledger, 8, SLOT).unwrap();
        let mut inner = Scripted::new(Offloads::default(), []);
        let spec = |payload| Spec {
            six,
            udp,
            options: 0,
            ..Spec::tcp(payload, 0)
        };
        // In the header area as a whole, in a span, over two slots, without payload.
        let lengths = [20, 1400, 6000, 0];
        let mut packets = lengths.map(|len| spec(len).build(&pool));
        wire(&mut packets);
        packets[0] = Packet::inline(&packets[0].to_vec().unwrap()).unwrap();
        inner.arriving = packets.into();
        let mut device = Shielded::new(inner, &memory, &pool).unwrap();
        let mut received = Vec::new();
        assert_eq!(device.receive(&mut received, 64).unwrap(), 4);
        for (packet, len) in received.iter().zip(lengths) {
            assert_eq!(packet.headers().len(), spec(len).header_length());
            if len == 0 {
                assert!(packet.span().is_none());
                continue;
            }
            assert_eq!(packet.meta.checksum, Checksum::Verified);
            assert!(packet.to_vec().is_err());
            let span = packet.span().unwrap();
            assert_eq!(seen(&memory, span), spec(len).payload_bytes());
        }
        assert_eq!(memory.free(), 4);
        received.clear();
        assert_eq!(memory.free(), 8);
    }
}

#[test]
fn what_cannot_be_verified_goes_up_whole() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let memory = ShieldedMemory::new(&ledger, 8, SLOT).unwrap();
    let mut inner = Scripted::new(Offloads::default(), []);
    let spec = Spec::tcp(1000, 0);
    // A wrong checksum, of TCP and of a payload; a fragment; another protocol; a length that is not the packet's;
    // headers longer than the packet; no IP.
    for (at, bits) in [
        (36, 0xff),
        (6, 0x20),
        (9, 0x40),
        (3, 1),
        (32, 0xa0),
        (0, 0x20),
    ] {
        let mut packet = [spec.build(&pool)];
        wire(&mut packet);
        packet[0].headers_mut()[at] ^= bits;
        inner.arriving.extend(packet);
    }
    let mut flipped = [spec.build(&pool)];
    wire(&mut flipped);
    flipped[0].set_span(Span::from_owner(&ledger, vec![0; 1000]).unwrap());
    inner.arriving.extend(flipped);
    inner.arriving.push(Packet::new());
    let expected: Vec<_> = inner
        .arriving
        .iter()
        .map(|packet| packet.to_vec())
        .collect();
    let mut device = Shielded::new(inner, &memory, &pool).unwrap();
    let mut received = Vec::new();
    device.receive(&mut received, 64).unwrap();
    let bytes: Vec<_> = received.iter().map(|packet| packet.to_vec()).collect();
    assert_eq!(bytes, expected);
    assert!(
        received
            .iter()
            .all(|packet| packet.meta.checksum == Checksum::Complete)
    );
    assert_eq!(memory.free(), 8);
}

#[test]
fn without_a_free_slot_packets_are_dropped_and_counted() {
    let ledger = Ledger::new();
    let pool = pool(&ledger);
    let memory = ShieldedMemory::new(&ledger, 3, SLOT).unwrap();
    let mut inner = Scripted::new(Offloads::default(), []);
    // The second needs two slots and finds one.
    let mut packets = [100, 100, 5000, 100, 100].map(|len| Spec::tcp(len, 0).build(&pool));
    wire(&mut packets);
    inner.arriving = packets.into();
    let mut device = Shielded::new(inner, &memory, &pool).unwrap();
    let mut received = Vec::new();
    assert_eq!(device.receive(&mut received, 64).unwrap(), 3);
    assert_eq!((device.counters().rx_no_memory, memory.free()), (2, 0));
    drop(received);
    assert_eq!(memory.free(), 3);
    drop(device);
    assert_eq!(ledger.live_nodes(), 0);
}
