use crate::{Config, IfaceId, Instant, InterfaceConfig, SendControl, SendFlags, Stack};
use txbuf::{IovIter, Offloads};

fn stack() -> Stack {
    let mut stack = Stack::new(Config::new([1; 32]));
    let iface = stack
        .add_interface(InterfaceConfig {
            name: "test".into(),
            mtu: 1500,
            offloads: Offloads::default(),
        })
        .expect("an interface");
    stack
        .add_address(iface, "10.0.0.1/24".parse().expect("a prefix"))
        .expect("an address");
    stack
}

#[test]
fn a_backlog_changes_and_what_waits_stays() {
    let mut stack = stack();
    let address = "10.0.0.1:80".parse().expect("an address");
    let listener = stack.tcp_listen(address, 1).expect("a free port");
    let connect = |stack: &mut Stack| {
        stack
            .tcp_connect(Instant::ZERO, address, None)
            .expect("a connection");
        while stack
            .poll_transmit(Instant::ZERO, IfaceId::new(0))
            .is_some()
        {}
    };
    assert_eq!(stack.tcp_backlog(listener), Ok((0, 1)));
    connect(&mut stack);
    connect(&mut stack);
    assert_eq!(stack.tcp_backlog(listener), Ok((1, 1)), "it is full");
    stack.tcp_set_backlog(listener, 7).expect("a listener");
    assert_eq!(stack.tcp_backlog(listener), Ok((1, 7)));
    connect(&mut stack);
    assert_eq!(stack.tcp_backlog(listener), Ok((2, 7)));
}

#[test]
fn what_waits_in_a_datagram_socket_is_counted() {
    let mut stack = stack();
    let address = "10.0.0.1:53".parse().expect("an address");
    let socket = stack.udp_bind(address).expect("a free port");
    assert_eq!(stack.datagram_queued(socket), Ok((0, 0)));
    let to = SendControl::to(address);
    let sent = stack.send_message(socket, &mut IovIter::bytes(b"hello"), SendFlags::NONE, &to);
    assert_eq!(sent, Ok(5));
    let (next, waiting) = stack.datagram_queued(socket).expect("a datagram socket");
    assert_eq!(next, 0);
    assert!(waiting >= 5);
    assert!(
        stack
            .poll_transmit(Instant::ZERO, IfaceId::new(0))
            .is_none()
    );
    assert_eq!(stack.datagram_queued(socket), Ok((5, 0)));
}
