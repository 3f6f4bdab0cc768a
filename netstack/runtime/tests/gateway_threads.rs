//! The blocking gateway, between two stacks of any number of shards.

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use common::{cidr, link, shards, within};
use netstack::drivers::memory::pair;
use netstack::net::{FlowSocket, Gateway, IncomingFlow, TcpStream, UdpSocket};
use netstack::{Admission, Flow, GatewayConfig, Interface, Netstack, Transport};

const ELSEWHERE: [&str; 2] = ["203.0.113.5:80", "[2001:db8::5]:80"];

/// A stack with a gateway that has no address, and a client to whom it is the way everywhere.
fn network(
    admit: impl Fn(&Flow) -> Admission + Send + Sync + 'static,
) -> (Netstack, Gateway, Netstack) {
    let (one, other) = pair(link()).expect("a link");
    let mut gateway = Interface::new("mem0", one);
    let mut client = Interface::new("mem0", other)
        .address(cidr("10.0.0.2/24"))
        .address(cidr("fd00::2/64"));
    for _ in 1..shards() {
        let (one, other) = pair(link()).expect("a link");
        gateway = gateway.queue(one);
        client = client.queue(other);
    }
    for everywhere in ["0.0.0.0/0", "::/0"] {
        gateway = gateway.route(cidr(everywhere), None);
        client = client.route(cidr(everywhere), None);
    }
    let start = |interface| Netstack::builder().interface(interface).start();
    let (net, client) = (
        start(gateway).expect("a stack"),
        start(client).expect("a stack"),
    );
    let gateway = Gateway::open(&net, "mem0", &GatewayConfig::default(), admit).expect("the first");
    (net, gateway, client)
}

fn end(stacks: [Netstack; 2]) {
    for net in stacks {
        let closing = || net.inspect(netstack::Stack::closing).expect("a stack");
        within(Duration::from_secs(5), || {
            closing().iter().sum::<usize>() == 0
        });
        let ended = net.shutdown(Duration::from_secs(5)).expect("a stack");
        assert_eq!(ended.live_nodes(), 0, "{ended:?}");
    }
}

fn echo(incoming: IncomingFlow) {
    match incoming.accept().expect("its source waits") {
        FlowSocket::Tcp(mut stream) => {
            let mut data = Vec::new();
            stream.read_to_end(&mut data).expect("a connection");
            stream.write_all(&data).expect("a connection");
        }
        FlowSocket::Udp(socket) => {
            let mut buf = [0; 2000];
            let length = socket.recv(&mut buf).expect("what began the flow");
            socket.send(&buf[..length]).expect("a way back");
        }
    }
}

#[test]
fn flows_that_are_accepted_at_once_or_later_are_sockets() {
    for admission in [Admission::Accept, Admission::Later] {
        let (net, gateway, client) = network(move |_| admission);
        let server = gateway.clone();
        let flows = 40;
        let server = thread::spawn(move || {
            let threads: Vec<_> = (0..flows)
                .map(|_| {
                    let incoming = server.accept().expect("a flow");
                    assert_eq!(incoming.is_accepted(), admission == Admission::Accept);
                    assert!(ELSEWHERE.contains(&incoming.flow().destination.to_string().as_str()));
                    thread::spawn(move || echo(incoming))
                })
                .collect();
            threads
                .into_iter()
                .for_each(|thread| thread.join().expect("no panic"));
        });
        let mut sockets = Vec::new();
        for number in 0..flows / 2 {
            let to: SocketAddr = ELSEWHERE[number % 2].parse().expect("literal");
            let mut stream = TcpStream::connect(&client, to).expect("the gateway");
            let data = vec![number as u8; 100_000];
            stream.write_all(&data).expect("a connection");
            stream
                .shutdown(std::net::Shutdown::Write)
                .expect("a connection");
            let mut back = Vec::new();
            stream.read_to_end(&mut back).expect("a connection");
            assert!(back == data);

            let any: SocketAddr = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }
                .parse()
                .expect("literal");
            let socket = UdpSocket::bind(&client, any).expect("a free port");
            socket.connect(to).expect("a route");
            socket.send(&data[..1000]).expect("room");
            let mut buf = [0; 2000];
            assert_eq!(socket.recv(&mut buf).expect("the echo"), 1000);
            assert!(buf[..1000] == data[..1000]);
            sockets.push(socket);
        }
        server.join().expect("no panic");
        drop((sockets, gateway));
        let counters = net.counters().expect("a stack").gateway;
        assert_eq!((counters.accepted_tcp, counters.accepted_udp), (20, 20));
        end([client, net]);
    }
}

#[test]
fn flows_that_are_rejected_are_refused() {
    let (net, gateway, client) = network(|flow| match flow.destination.port() {
        1 => Admission::Reject,
        _ => Admission::Later,
    });
    let refused = TcpStream::connect(&client, "203.0.113.5:1").expect_err("nobody is there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let server = thread::spawn(move || {
        let incoming = gateway.accept().expect("a flow");
        assert_eq!(incoming.flow().transport, Transport::Tcp);
        incoming.reject().expect("its source waits");
        let incoming = gateway.accept().expect("a flow");
        assert_eq!(incoming.flow().transport, Transport::Udp);
        incoming.reject().expect("its source waits");
        // One that is let go of is not answered, and comes again.
        drop(gateway.accept().expect("a flow"));
        gateway
            .accept()
            .expect("the same")
            .reject()
            .expect("its source waits");
        gateway.set_nonblocking(true).expect("it does not fail");
        let nothing = gateway.accept().expect_err("no more");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    });
    let refused = TcpStream::connect(&client, "203.0.113.5:2").expect_err("nobody is there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let socket = UdpSocket::bind(&client, "0.0.0.0:0").expect("a free port");
    socket.connect("203.0.113.5:3").expect("a route");
    socket.send(b"question").expect("room");
    let refused = socket.recv(&mut [0; 10]).expect_err("nobody is there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let refused = TcpStream::connect(&client, "203.0.113.5:4").expect_err("nobody is there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    server.join().expect("no panic");
    drop(socket);
    end([client, net]);
}

#[test]
fn a_gateway_needs_an_interface_of_its_own() {
    let (net, gateway, client) = network(|_| Admission::Drop);
    let open = |name| Gateway::open(&net, name, &GatewayConfig::default(), |_| Admission::Drop);
    assert_eq!(
        open("mem1").expect_err("no such one").kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        open("mem0").expect_err("it has one").kind(),
        ErrorKind::AddrInUse
    );
    drop(gateway);
    drop(open("mem0").expect("it has none any more"));
    end([client, net]);
}
