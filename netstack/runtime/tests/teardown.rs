//! Taking sockets, devices and lent memory away while another thread copies: no leak, no early free, no
//! deadlock. Run it under AddressSanitizer and ThreadSanitizer.

mod common;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use common::{Pair, at, cidr, link};
use netstack::drivers::{Device, Edge, memory};
use netstack::net::{TcpListener, TcpStream, UdpSocket};
use netstack::txbuf::{
    Busy, Chain, Checksum, IovIter, Ledger, Packet, Pool, PoolConfig, Region, Span,
};
use netstack::{Interface, Netstack, SendFlags};

const ITERATIONS: usize = 10_000;
const LEN: usize = 20_000;

/// Runs `scene` many times: it makes spans of bytes of one value, and what it returns is called while
/// another thread copies them.
fn while_copied<D: FnOnce()>(mut scene: impl FnMut(u8) -> (VecDeque<Span>, D)) {
    thread::scope(|scope| {
        let (send, receive) = sync_channel::<(VecDeque<Span>, u8)>(1);
        let (done, finished) = sync_channel::<()>(1);
        scope.spawn(move || {
            for (spans, byte) in receive {
                for span in &spans {
                    let copy = span.to_vec().unwrap();
                    assert!(copy.iter().all(|&is| is == byte));
                }
                drop(spans);
                done.send(()).unwrap();
            }
        });
        for i in 0..ITERATIONS {
            let (spans, take_down) = scene(i as u8);
            send.send((spans, i as u8)).unwrap();
            take_down();
            finished.recv().unwrap();
        }
    });
}

fn receive_all(stream: &TcpStream, len: usize) -> VecDeque<Span> {
    let (mut spans, mut received) = (VecDeque::new(), 0);
    while received < len {
        received += stream.recv_spans(&mut spans, len - received).unwrap();
    }
    spans
}

#[test]
fn a_socket_is_closed() {
    let pair = Pair::start();
    // In turn, so that no connection has the name of one that may still be ending.
    let ports = 100..116_u16;
    let listeners = ports.map(|port| TcpListener::bind(&pair.server, at(port)).unwrap());
    let listeners: Vec<_> = listeners.collect();
    while_copied(|byte| {
        let turn = usize::from(byte) % listeners.len();
        let port = listeners[turn].local_addr().unwrap().port();
        let mut client = TcpStream::connect(&pair.client, at(port)).unwrap();
        let (server, _) = listeners[turn].accept().unwrap();
        client.write_all(&[byte; LEN]).unwrap();
        let spans = receive_all(&server, LEN);
        // What nobody reads has its connection reset, on one side or the other.
        match byte % 3 {
            0 => client.write_all(&[!byte; LEN]).unwrap(),
            1 => (&server).write_all(&[!byte; LEN]).unwrap(),
            _ => {}
        }
        (spans, move || {
            drop(server);
            drop(client);
        })
    });
    drop(listeners);
    pair.finish();
}

#[test]
fn lent_memory_is_taken_back() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let client = TcpStream::connect(&pair.client, at(7)).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut reported = 0;
    while_copied(|byte| {
        let region = Region::new(pair.client.ledger(), vec![byte; LEN]);
        let token = client.message_token().unwrap();
        let mut from = IovIter::span(region.lend(0..LEN, Some(&token)).unwrap());
        while from.remaining() > 0 {
            client
                .send_message(&mut from, SendFlags::NONE, Some(&token))
                .unwrap();
        }
        drop((from, token));
        let spans = receive_all(&server, LEN);
        while let Some(range) = client.poll_completion().unwrap() {
            reported += range.last - range.first + 1;
        }
        (spans, move || {
            let mut region = region;
            loop {
                match region.withdraw() {
                    Ok(mut memory) => break memory.fill(!byte),
                    Err(Busy(again)) => region = again,
                }
                thread::yield_now();
            }
        })
    });
    while reported < ITERATIONS as u32 {
        let range = client.wait_completion().unwrap();
        reported += range.last - range.first + 1;
    }
    assert_eq!(client.poll_completion().unwrap(), None);
    drop((listener, client, server));
    pair.finish();
}

/// A datagram of `LEN` bytes to port 53 of the server, as it is on the wire.
fn datagram() -> Vec<u8> {
    let mut config = link();
    config.ends[0].mtu = 65_535;
    config.ends[1].mtu = 65_535;
    let (end, mut wire) = memory::raw_pair(config).unwrap();
    let interface = Interface::new("mem0", Edge::new(end)).address(cidr("10.0.0.2/24"));
    let net = Netstack::builder().interface(interface).start().unwrap();
    let socket = UdpSocket::bind(&net, "10.0.0.2:0").unwrap();
    socket.send_to(&[0; LEN], at(53)).unwrap();
    let mut packets = Vec::new();
    while packets.is_empty() {
        wire.receive(&mut packets, 1).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    packets[0].to_vec().unwrap()
}

#[test]
fn a_device_is_removed() {
    let template = datagram();
    let headers = template.len() - LEN;
    let arenas = Ledger::new();
    let mut config = link();
    config.ends[0].mtu = 65_535;
    config.ends[1].mtu = 65_535;
    while_copied(|byte| {
        let segments = PoolConfig {
            segment: 1 << 15,
            limit: 1 << 20,
            keep: 2,
        };
        let pool = Pool::new(&arenas, segments);
        let mut arena = Chain::arena(&pool);
        let (end, mut wire) = memory::raw_pair(config).unwrap();
        let interface = Interface::new("mem0", Edge::new(end)).address(cidr("10.0.0.1/24"));
        let net = Netstack::builder().interface(interface).start().unwrap();
        let socket = UdpSocket::bind(&net, at(53)).unwrap();
        let mut bytes = template.clone();
        bytes[headers..].fill(byte);
        let mut packet = Packet::copy_from(&bytes, &mut arena).unwrap();
        packet.meta.checksum = Checksum::Verified;
        let mut packets = VecDeque::from([packet]);
        assert_eq!(wire.transmit(&mut packets).unwrap(), 1);
        let mut spans = VecDeque::new();
        assert_eq!(socket.recv_spans(&mut spans).unwrap().len, LEN);
        (spans, move || {
            let ended = net.shutdown(Duration::ZERO).unwrap();
            assert_eq!(ended.devices.len(), 1);
            drop((ended, wire, socket, arena, pool));
        })
    });
    assert_eq!(arenas.live_nodes(), 0);
}
