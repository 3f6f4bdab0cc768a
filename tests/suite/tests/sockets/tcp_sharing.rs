//! TCP sockets that are bound first, and share addresses and ports.

use super::*;
use netstack_core::{BindError, ConnectError, ListenError, TcpState};
use suite::sim::{World, WorldConfig};
use suite::wire::Ip;

const DUAL: BindOptions = BindOptions {
    dual: true,
    reuse_address: false,
    reuse_port: false,
    device: None,
};
const REUSE: BindOptions = BindOptions {
    dual: false,
    reuse_address: true,
    reuse_port: false,
    device: None,
};
const GROUP: BindOptions = BindOptions {
    dual: false,
    reuse_address: false,
    reuse_port: true,
    device: None,
};

fn listener(world: &mut World, host: usize, local: &str, options: BindOptions) -> SocketId {
    let stack = &mut world.hosts[host].stack;
    let socket = stack.tcp_bind(address(local), &options).expect("free");
    stack.tcp_listen_on(socket, 1_000).expect("bound");
    socket
}

fn connect(world: &mut World, to: SocketAddr) -> SocketId {
    let now = world.now;
    let connected = world.hosts[0].stack.tcp_connect(now, to, None);
    let socket = connected.expect("a route");
    world.run_for(SECOND);
    socket
}

#[test]
fn a_dual_listener_takes_both_versions() {
    let mut world = World::new(&WorldConfig::default());
    let listener = listener(&mut world, 1, "[::]:80", DUAL);
    let stack = &world.hosts[1].stack;
    assert_eq!(stack.local_addr(listener), Ok(address("[::]:80")));
    for (v6, own, peer) in [
        (false, "[::ffff:10.0.0.2]:80", "::ffff:10.0.0.1"),
        (true, "[fd00::2]:80", "fd00::1"),
    ] {
        connect(&mut world, World::address(1, v6, 80));
        let stack = &mut world.hosts[1].stack;
        let (socket, from) = stack.tcp_accept(listener).expect("a connection");
        assert_eq!(from.ip().to_string(), peer);
        assert_eq!(stack.peer_addr(socket), Ok(from));
        assert_eq!(stack.local_addr(socket), Ok(address(own)));
    }
}

#[test]
fn a_bound_socket_connects_from_where_it_is() {
    for (options, local, to, own) in [
        (DUAL, "[::]:0", "[::ffff:10.0.0.2]:80", "::ffff:10.0.0.1"),
        (DUAL, "[::]:0", "[fd00::2]:80", "fd00::1"),
        (
            BindOptions::default(),
            "10.0.0.1:0",
            "10.0.0.2:80",
            "10.0.0.1",
        ),
    ] {
        let mut world = World::new(&WorldConfig::default());
        let other = listener(&mut world, 1, "[::]:80", DUAL);
        let now = world.now;
        let stack = &mut world.hosts[0].stack;
        let socket = stack.tcp_bind(address(local), &options).expect("free");
        let bound = stack.local_addr(socket).expect("open");
        assert_eq!(stack.peer_addr(socket).ok(), None);
        stack
            .tcp_connect_from(now, socket, address(to))
            .expect("a route");
        let again = stack.tcp_connect_from(now, socket, address(to));
        assert_eq!(
            again,
            Err(ConnectError::NotAvailable),
            "it is no longer only bound"
        );
        world.run_for(SECOND);
        let stack = &mut world.hosts[0].stack;
        let local = stack.local_addr(socket).expect("open");
        assert_eq!(
            (local.ip().to_string().as_str(), local.port()),
            (own, bound.port())
        );
        assert_eq!(stack.peer_addr(socket), Ok(address(to)));
        let state = stack.tcp_info(socket).expect("a connection").state;
        assert_eq!(state, TcpState::Established);
        assert!(world.hosts[1].stack.tcp_accept(other).is_ok());
        // The port stays its own until the connection is gone.
        let stack = &mut world.hosts[0].stack;
        let wire = SocketAddr::new(local.ip().to_canonical(), local.port());
        let taken = stack.tcp_bind(wire, &REUSE);
        assert_eq!(taken, Err(BindError::InUse));
        let now = world.now;
        stack.abort(now, socket);
        world.run_for(SECOND);
        assert!(world.hosts[0].stack.tcp_bind(wire, &REUSE).is_ok());
    }
}

#[test]
fn families_that_do_not_fit_are_refused() {
    let mut lab = Lab::default();
    let now = lab.now;
    let stack = &mut lab.host.stack;
    let plain = BindOptions::default();
    for (local, options, to) in [
        ("[::]:0", plain, "10.0.0.2:80"),
        ("[::]:0", plain, "[::ffff:10.0.0.2]:80"),
        ("[::]:0", DUAL, "10.0.0.2:80"),
        ("[fd00::1]:0", DUAL, "[::ffff:10.0.0.2]:80"),
        ("0.0.0.0:0", plain, "[fd00::2]:80"),
    ] {
        let socket = stack.tcp_bind(address(local), &options).expect("free");
        let refused = stack.tcp_connect_from(now, socket, address(to));
        assert!(refused.is_err(), "{local} to {to}");
        let readiness = stack.readiness(socket).expect("still bound");
        assert!(readiness.hangup && readiness.writable);
    }
}

#[test]
fn who_may_listen_beside_whom() {
    let mut lab = Lab::default();
    let stack = &mut lab.host.stack;
    let plain = BindOptions::default();
    let any = address("0.0.0.0:80");
    let one = stack.tcp_bind(any, &REUSE).expect("free");
    let two = stack
        .tcp_bind(any, &REUSE)
        .expect("shared while none listens");
    assert_eq!(stack.tcp_bind(any, &plain), Err(BindError::InUse));
    assert_eq!(stack.tcp_listen_on(one, 1), Ok(()));
    assert_eq!(stack.tcp_listen_on(two, 1), Err(ListenError::InUse));
    assert_eq!(stack.tcp_bind(any, &REUSE), Err(BindError::InUse));
    let now = lab.now;
    let stack = &mut lab.host.stack;
    stack.close(now, one);
    assert_eq!(stack.tcp_listen_on(two, 1), Ok(()));
    let again = stack.tcp_listen_on(two, 1);
    assert_eq!(
        again,
        Err(ListenError::NotAvailable),
        "it is no longer only bound"
    );
    let six = address("[::]:80");
    assert_eq!(stack.tcp_bind(six, &DUAL), Err(BindError::InUse));
    assert!(stack.tcp_bind(six, &plain).is_ok());
}

#[test]
fn connections_and_time_wait_keep_a_port_from_who_does_not_reuse_it() {
    let mut world = World::new(&WorldConfig::default());
    let to = World::address(1, false, 80);
    let first = listener(&mut world, 1, "0.0.0.0:80", REUSE);
    let client = connect(&mut world, to);
    let (server, _) = world.hosts[1]
        .stack
        .tcp_accept(first)
        .expect("a connection");
    let now = world.now;
    world.hosts[1].stack.close(now, first);
    let plain = BindOptions::default();
    let any = address("0.0.0.0:80");
    let stack = &mut world.hosts[1].stack;
    assert_eq!(
        stack.tcp_bind(any, &plain),
        Err(BindError::InUse),
        "a connection"
    );
    // The server ends first: TIME-WAIT is with it.
    stack.close(now, server);
    world.run_for(SECOND);
    let now = world.now;
    world.hosts[0].stack.close(now, client);
    world.run_for(SECOND);
    let stack = &mut world.hosts[1].stack;
    assert_eq!(stack.tcp_connections().count(), 1);
    assert_eq!(
        stack.tcp_bind(any, &plain),
        Err(BindError::InUse),
        "TIME-WAIT"
    );
    assert_eq!(
        stack.tcp_bind(address("10.0.0.2:80"), &plain),
        Err(BindError::InUse)
    );
    let again = stack.tcp_bind(any, &REUSE).expect("reused");
    stack.tcp_listen_on(again, 1).expect("bound");
    let now = world.now;
    world.hosts[1].stack.close(now, again);
    world.run_for(SECOND * 130);
    assert!(world.hosts[1].stack.tcp_bind(any, &plain).is_ok());
}

#[test]
fn a_group_of_listeners_shares_connections() {
    let mut world = World::new(&WorldConfig::default());
    let group: Vec<SocketId> = (0..4)
        .map(|_| listener(&mut world, 1, "0.0.0.0:80", GROUP))
        .collect();
    let to = World::address(1, false, 80);
    for _ in 0..200 {
        let now = world.now;
        world.hosts[0]
            .stack
            .tcp_connect(now, to, None)
            .expect("a route");
    }
    world.run_for(SECOND * 5);
    let stack = &mut world.hosts[1].stack;
    let counts: Vec<usize> = group
        .iter()
        .map(|one| core::iter::from_fn(|| stack.tcp_accept(*one).ok()).count())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), 200, "{counts:?}");
    assert!(
        counts.iter().all(|count| (25..=80).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn hop_limit_and_class_of_a_connection() {
    let mut lab = Lab::default();
    let now = lab.now;
    let stack = &mut lab.host.stack;
    let to = SocketAddr::new(Lab::neighbour(false), 80);
    let socket = stack.tcp_connect(now, to, None).expect("a route");
    for option in [
        SocketOption::HopLimit(Some(7)),
        SocketOption::TrafficClass(0xbb),
    ] {
        stack.set_option(now, socket, option).expect("TCP");
    }
    let syn = lab.sent().remove(0);
    assert_eq!(
        (Ip::parse(&syn).hop_limit, syn[1]),
        (7, 0xb8),
        "ECN is TCP's"
    );
}
