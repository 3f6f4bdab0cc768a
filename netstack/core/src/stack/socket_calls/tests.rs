use crate::{BindError, Config, InterfaceConfig, ListenError, Stack};
use std::net::SocketAddr;
use txbuf::Offloads;

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

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn a_held_port_is_nobody_elses_until_it_is_given_back() {
    let mut stack = stack();
    let held = stack.tcp_hold(at("10.0.0.1:80")).expect("a free port");
    assert_eq!(stack.tcp_hold(at("0.0.0.0:80")), Err(BindError::InUse));
    assert_eq!(
        stack.tcp_listen(at("10.0.0.1:80"), 1),
        Err(ListenError::InUse)
    );
    let other = stack.tcp_hold(at("10.0.0.1:81")).expect("a free port");
    stack.tcp_give_back(held);
    let listener = stack.tcp_listen(at("10.0.0.1:80"), 1).expect("a free port");
    assert_eq!(stack.tcp_hold(at("10.0.0.1:80")), Err(BindError::InUse));
    assert_eq!(stack.tcp_backlog(listener), Ok((0, 1)));
    stack.tcp_set_backlog(listener, 7).expect("a listener");
    assert_eq!(stack.tcp_backlog(listener), Ok((0, 7)));
    stack.tcp_give_back(other);
    assert!(stack.tcp_listen(at("10.0.0.1:81"), 1).is_ok());
}

#[test]
fn a_held_ephemeral_port_has_a_number() {
    let mut stack = stack();
    let one = stack.tcp_hold(at("0.0.0.0:0")).expect("a port");
    let two = stack.tcp_hold(at("0.0.0.0:0")).expect("a port");
    assert_ne!(one.local().port(), 0);
    assert_ne!(one.local().port(), two.local().port());
    assert_eq!(
        stack.tcp_hold(at("10.0.0.2:1")),
        Err(BindError::NotAvailable)
    );
}
