//! A TCP proxy that touches no payload.

use netstack_core::{
    How, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId, SpliceError, Stack,
};
use suite::sim::{World, WorldConfig, pattern};
use txbuf::IovIter;

const SIZE: u64 = 3_000_000;

/// Sends the pattern from `sent` on while there is room, then closes that side.
fn feed(stack: &mut Stack, socket: SocketId, sent: &mut u64) {
    while *sent < SIZE {
        let chunk: Vec<u8> = (*sent..(*sent + 50_000).min(SIZE))
            .map(|at| pattern(0, at))
            .collect();
        let mut from = IovIter::bytes(&chunk);
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

/// Reads and checks what is there; returns whether the stream ended.
fn drain(stack: &mut Stack, socket: SocketId, received: &mut u64) -> bool {
    let mut buffer = vec![0; 100_000];
    loop {
        match stack.receive_message(socket, &mut IovIter::buffer(&mut buffer), RecvFlags::NONE) {
            Ok(got) if got.bytes == 0 => return true,
            Ok(got) => {
                for byte in &buffer[..got.bytes] {
                    assert_eq!(*byte, pattern(0, *received));
                    *received += 1;
                }
            }
            Err(RecvError::WouldBlock) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_proxy_moves_spans_and_keeps_nothing() {
    let mut world = World::new(&WorldConfig::default());
    let (server_at, proxy_at) = (World::address(0, false, 7), World::address(1, false, 8));
    let server_listener = world.hosts[0]
        .stack
        .tcp_listen(server_at, 4)
        .expect("a free port");
    let proxy_listener = world.hosts[1]
        .stack
        .tcp_listen(proxy_at, 4)
        .expect("a free port");
    let now = world.now;
    let client = world.hosts[0]
        .stack
        .tcp_connect(now, proxy_at, None)
        .expect("a route");
    let back = world.hosts[1]
        .stack
        .tcp_connect(now, server_at, None)
        .expect("a route");
    let (mut front, mut server) = (None, None);
    let (mut sent, mut received) = (0, 0);
    let mut passed_on = false;
    loop {
        assert!(world.step(), "something is under way");
        let [outer, proxy] = &mut world.hosts;
        front = front.or_else(|| {
            proxy
                .stack
                .tcp_accept(proxy_listener)
                .ok()
                .map(|(id, _)| id)
        });
        server = server.or_else(|| {
            outer
                .stack
                .tcp_accept(server_listener)
                .ok()
                .map(|(id, _)| id)
        });
        let (Some(front), Some(server)) = (front, server) else {
            continue;
        };
        feed(&mut outer.stack, client, &mut sent);
        while !passed_on {
            match proxy.stack.splice(front, back, usize::MAX) {
                Ok(0) => {
                    passed_on = true;
                    proxy.stack.shutdown(back, How::Write).expect("connected");
                }
                Ok(_) => {}
                Err(
                    SpliceError::From(RecvError::WouldBlock)
                    | SpliceError::To(SendError::WouldBlock),
                ) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if drain(&mut outer.stack, server, &mut received) {
            assert_eq!(received, SIZE);
            break;
        }
    }
    let now = world.now;
    for socket in [client, server.expect("accepted"), server_listener] {
        world.hosts[0].stack.close(now, socket);
    }
    for socket in [front.expect("accepted"), back, proxy_listener] {
        world.hosts[1].stack.close(now, socket);
    }
    while world.step() {}
    assert_eq!(world.live_nodes(), 0);
}

#[test]
fn only_connections_are_spliced() {
    let mut world = World::new(&WorldConfig::default());
    let now = world.now;
    let stack = &mut world.hosts[0].stack;
    let udp = stack
        .udp_bind(World::address(0, false, 9))
        .expect("a free port");
    let tcp = stack
        .tcp_connect(now, World::address(1, false, 9), None)
        .expect("a route");
    assert!(matches!(
        stack.splice(udp, tcp, 1),
        Err(SpliceError::From(RecvError::Socket(_)))
    ));
    assert!(matches!(
        stack.splice(tcp, udp, 1),
        Err(SpliceError::To(SendError::Socket(_)))
    ));
}
