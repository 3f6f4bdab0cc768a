//! Ephemeral ports (RFC 6056).

use netstack_core::ConnectError;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use suite::lab::Lab;
use suite::sim::WorldConfig;

fn server(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), 80)
}

/// Begins a connection and gives it up; returns the port that it had.
fn port(lab: &mut Lab, to: SocketAddr) -> u16 {
    let stack = &mut lab.host.stack;
    let socket = stack.tcp_connect(lab.now, to, None).expect("a free port");
    let port = stack.local_addr(socket).expect("a connection").port();
    stack.abort(lab.now, socket);
    port
}

fn lab(seed: u64) -> Lab {
    Lab::new(&WorldConfig {
        seed,
        ..WorldConfig::default()
    })
}

#[test]
fn connections_one_after_the_other_have_different_ports() {
    let mut lab = lab(1);
    let ports: HashSet<u16> = (0..5_000).map(|_| port(&mut lab, server(2))).collect();
    assert_eq!(ports.len(), 5_000, "none came again");
    assert!(ports.iter().all(|port| *port >= 1024));
}

// req: RFC6056-02, RFC8085-09
#[test]
fn ports_of_one_host_say_nothing_of_the_ports_of_another() {
    let mut gaps = HashSet::new();
    for seed in 0..50 {
        let mut lab = lab(seed);
        let seen = port(&mut lab, server(2));
        gaps.insert(port(&mut lab, server(3)).wrapping_sub(seen));
        // Nor does what one port of a host sees of those that another sees.
        let other = SocketAddr::new(server(2).ip(), 443);
        gaps.insert(port(&mut lab, other).wrapping_sub(seen));
        // Sockets that only have a port have one by chance.
        let mut bound = || {
            let any = SocketAddr::new(Lab::address(false), 0);
            let socket = lab.host.stack.udp_bind(any).expect("a free port");
            lab.host.stack.local_addr(socket).expect("bound").port()
        };
        let first = bound();
        gaps.insert(bound().wrapping_sub(first));
    }
    assert!(gaps.len() > 140, "{} of 150 gaps differ", gaps.len());
}

// req: RFC6056-01
#[test]
fn all_ports_are_used_before_there_are_none() {
    let mut lab = lab(1);
    let listener = SocketAddr::new(Lab::address(false), 8080);
    lab.host.stack.tcp_listen(listener, 1).expect("free");
    let mut ports = HashSet::new();
    let refused = loop {
        let stack = &mut lab.host.stack;
        match stack.tcp_connect(lab.now, server(2), None) {
            Ok(socket) => ports.insert(stack.local_addr(socket).expect("bound").port()),
            Err(error) => break error,
        };
    };
    assert_eq!(refused, ConnectError::NoPorts);
    assert_eq!(ports.len(), 65_536 - 1_024 - 1, "but the listener's");
    assert!(lab.host.stack.tcp_connect(lab.now, server(3), None).is_ok());
}
