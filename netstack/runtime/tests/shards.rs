//! Stacks of several shards: each flow on one, and nothing lost of what comes to the wrong one.

mod common;

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{SERVER, at, at6, check, cidr, fill, link};
use netstack::drivers::memory::{MemoryEnd, pair};
use netstack::drivers::{Capabilities, Device, DeviceCounters, Edge};
use netstack::net::{TcpListener, TcpStream, UdpSocket};
use netstack::services::Echo;
use netstack::txbuf::{IovIter, Packet};
use netstack::{
    Builder, Counters, Event, Interface, Netstack, SendControl, Service, ServiceContext, SocketId,
    Stack, StartError,
};

/// What passes over one connection in each direction.
const BYTES: usize = 300_000;

/// A queue that sends on one link and receives from another.
struct Crossed {
    links: Arc<[Mutex<Edge<MemoryEnd>>; 2]>,
    to: usize,
    from: usize,
    readable: OwnedFd,
}

impl Device for Crossed {
    fn capabilities(&self) -> Capabilities {
        self.links[self.to].lock().unwrap().capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        self.links[self.from].lock().unwrap().receive(into, max)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        self.links[self.to].lock().unwrap().transmit(from)
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.readable.as_fd())
    }

    fn counters(&self) -> DeviceCounters {
        self.links[self.to].lock().unwrap().counters()
    }
}

fn server_side(queue: impl Device + 'static) -> Interface {
    Interface::new("mem0", queue)
        .address(cidr("10.0.0.1/24"))
        .address(cidr("fd00::1/64"))
}

fn client_side(queue: impl Device + 'static) -> Interface {
    Interface::new("mem0", queue)
        .address(cidr("10.0.0.2/24"))
        .address(cidr("fd00::2/64"))
}

/// Two stacks of two shards. Crossed, all that the client receives comes to the wrong shard.
fn stacks(crossed: bool, server: impl FnOnce(Builder) -> Builder) -> [Netstack; 2] {
    let (first, first_end) = pair(link()).unwrap();
    let (second, second_end) = pair(link()).unwrap();
    let ends = server_side(first).queue(second);
    let client = if crossed {
        let readable = [&first_end, &second_end]
            .map(|end| end.poll_fd().unwrap().try_clone_to_owned().unwrap());
        let links = Arc::new([Mutex::new(first_end), Mutex::new(second_end)]);
        let [of_first, of_second] = readable;
        let queue = |to, from, readable| Crossed {
            links: Arc::clone(&links),
            to,
            from,
            readable,
        };
        client_side(queue(0, 1, of_second)).queue(queue(1, 0, of_first))
    } else {
        client_side(first_end).queue(second_end)
    };
    let server = server(Netstack::builder().interface(ends));
    let client = Netstack::builder().interface(client);
    [server, client].map(|builder| builder.start().unwrap())
}

/// Sends a stream there and back and compares it.
fn echo(client: &Netstack, to: SocketAddr) {
    let mut stream = TcpStream::connect(client, to).unwrap();
    let reader = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut reader = reader;
            let mut received = vec![0; BYTES];
            reader.read_exact(&mut received).unwrap();
            check(0, &received);
        });
        let mut data = vec![0; BYTES];
        fill(0, &mut data);
        stream.write_all(&data).unwrap();
    });
}

/// Many connections at a time, over both versions of IP.
fn traffic(client: &Netstack) {
    thread::scope(|scope| {
        for number in 0..16 {
            let to = if number % 2 == 0 { at(7) } else { at6(7) };
            scope.spawn(move || echo(client, to));
        }
    });
}

fn by_shard(stack: &Netstack, of: impl Fn(&Counters) -> u64) -> Vec<u64> {
    stack.inspect(|stack| of(stack.counters())).unwrap()
}

/// Ends both; what they counted.
fn end(stacks: [Netstack; 2]) -> [Counters; 2] {
    let closing = |stack: &Netstack| stack.inspect(Stack::closing).unwrap();
    assert!(common::within(Duration::from_secs(10), || stacks
        .iter()
        .all(|stack| closing(stack) == [0, 0])));
    let ended = stacks.map(|stack| stack.shutdown(Duration::from_secs(10)).unwrap());
    assert!(ended.iter().all(|ended| ended.finished), "{ended:?}");
    let [first, second] = ended.map(|mut ended| {
        ended.devices.clear();
        ended
    });
    assert_eq!((first.live_nodes(), second.live_nodes()), (0, 0));
    [first.counters, second.counters]
}

#[test]
fn each_shard_has_connections_and_none_leaves_its_own() {
    let stacks = stacks(false, |server| server.service(Echo::new([at(7), at6(7)])));
    let [server, client] = &stacks;
    assert_eq!((server.shards(), client.shards()), (2, 2));
    traffic(client);
    assert_eq!(
        by_shard(client, |counters| counters.tcp.active_opens),
        [8, 8]
    );
    assert_eq!(
        by_shard(server, |counters| counters.tcp.passive_opens),
        [8, 8]
    );
    let queues = server.interfaces().unwrap();
    assert_eq!(
        queues.iter().map(|queue| queue.shard).collect::<Vec<_>>(),
        [0, 1]
    );
    assert!(queues.iter().all(|queue| queue.device.rx_packets > 0));
    for counters in end(stacks) {
        assert_eq!((counters.ip.in_other_shard, counters.ip.strays), (0, 0));
    }
}

#[test]
fn what_comes_to_the_wrong_shard_is_passed_on() {
    let stacks = stacks(true, |server| server.service(Echo::new([at(7), at6(7)])));
    let [_, client] = &stacks;
    traffic(client);
    // Refusals and errors find the one who asked, too.
    for to in [at(81), at6(81)] {
        for _ in 0..2 {
            let refused = TcpStream::connect(client, to).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(client, any).unwrap();
        socket.connect(to).unwrap();
        socket.send(b"anybody?").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let refused = socket.recv(&mut [0; 16]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    let [server, client] = end(stacks);
    assert_eq!(server.tcp.out_resets, 4);
    // One of the server's shards was asked before the other refused.
    assert_eq!((server.ip.strays, server.ip.in_other_shard), (6, 0));
    assert_eq!((server.udp.in_no_port, server.tcp.in_no_connection), (2, 4));
    assert_eq!(client.ip.in_other_shard, client.ip.strays);
    // The refusals came by the other queue, as it was the other shard that refused.
    assert_eq!(client.ip.in_other_shard, client.ip.in_received - 6);
    assert_eq!(client.ip.stray_queue_full, 0);
}

/// Echoes datagrams, on one shard only.
struct Alone(Vec<SocketId>);

impl Service for Alone {
    fn name(&self) -> &str {
        "alone"
    }

    fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
        self.0.push(cx.bind_udp(at(7))?);
        self.0.push(cx.listen(at(7), 16)?);
        Ok(())
    }

    fn on_event(&mut self, cx: &mut ServiceContext<'_>, event: &Event) {
        if event.socket == self.0[1] {
            while let Ok((connection, _)) = cx.accept(event.socket) {
                cx.close(connection);
            }
        }
        let mut datagram = VecDeque::new();
        let mut into = IovIter::collect(&mut datagram, 2000);
        if let Ok(received) = cx.receive(event.socket, &mut into) {
            let mut queue = IovIter::spans(&mut datagram);
            let control = SendControl {
                to: received.from,
                ..SendControl::default()
            };
            let _ = cx.send(event.socket, &mut queue, &control);
        }
    }
}

#[test]
fn a_service_of_one_shard_is_reached_by_all_queues() {
    let stacks = stacks(false, |server| server.service(Alone(Vec::new())));
    let [server, client] = &stacks;
    for _ in 0..4 {
        let mut stream = TcpStream::connect(client, at(7)).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        let socket = UdpSocket::bind(client, "0.0.0.0:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket.send_to(b"hello", at(7)).unwrap();
        assert_eq!(socket.recv(&mut [0; 16]).unwrap(), 5);
    }
    assert_eq!(
        by_shard(server, |counters| counters.tcp.passive_opens),
        [4, 0]
    );
    let strays = by_shard(server, |counters| counters.ip.in_other_shard);
    assert!(strays[0] > 0 && strays[1] == 0, "{strays:?}");
    // The port is taken, whichever shard has it.
    let taken = TcpListener::bind(server, at(7)).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    end(stacks);
}

#[test]
fn listeners_and_datagram_sockets_take_from_every_shard() {
    let stacks = stacks(false, |server| server);
    let [server, client] = &stacks;
    let listener =
        TcpListener::bind(server, SocketAddr::new(SERVER[0].parse().unwrap(), 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(server, at(9)).unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..8 {
            let (mut stream, peer) = listener.accept().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), peer);
            stream.write_all(b"x").unwrap();
        }
    });
    for _ in 0..8 {
        let mut stream = TcpStream::connect(client, to).unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
    }
    serving.join().unwrap();
    let answering = thread::spawn(move || {
        let mut buffer = [0; 2000];
        for _ in 0..64 {
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            socket.send_to(&buffer[..length], from).unwrap();
        }
    });
    // Each by the queue of its own, and answered by that.
    let peers: Vec<_> = (0..8)
        .map(|_| UdpSocket::bind(client, "0.0.0.0:0").unwrap())
        .collect();
    for peer in &peers {
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for _ in 0..8 {
            peer.send_to(b"ping", at(9)).unwrap();
            assert_eq!(peer.recv(&mut [0; 16]).unwrap(), 4);
        }
    }
    answering.join().unwrap();
    drop(peers);
    assert_eq!(
        by_shard(server, |counters| counters.tcp.passive_opens),
        [4, 4]
    );
    let received = by_shard(server, |counters| counters.udp.in_datagrams);
    assert_eq!(received.iter().sum::<u64>(), 64);
    assert!(received.iter().all(|count| *count > 0), "{received:?}");
    assert_eq!(
        by_shard(server, |counters| counters.udp.out_datagrams),
        received
    );
    for counters in end(stacks) {
        assert_eq!((counters.ip.in_other_shard, counters.ip.strays), (0, 0));
    }
}

#[test]
fn interfaces_have_the_same_number_of_queues() {
    let queue = || pair(link()).unwrap().0;
    let other = Interface::new("mem1", queue());
    let refused = Netstack::builder()
        .interface(server_side(queue()).queue(queue()))
        .interface(other)
        .start()
        .unwrap_err();
    assert!(
        matches!(refused, StartError::Queues { ref interface, queues: 1 } if interface == "mem1")
    );
}
