//! What a gateway holds at most.

use super::{
    SECOND, accepted, datagram, deciding, elsewhere, finish, gateway, source, syn, undecided,
};
use netstack_core::{
    AcceptError, Admission, ConfigError, Flow, FlowError, GatewayConfig, IfaceId, Instant,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn flows_beyond_the_backlog_are_dropped_before_anybody_is_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut config = GatewayConfig::default();
    config.backlog = 3;
    let (mut lab, gateway) = gateway(config, move |_: Instant, flow: &Flow| {
        count.fetch_add(1, Ordering::Relaxed);
        if flow.destination.port() == 80 {
            Admission::Accept
        } else {
            Admission::Later
        }
    });
    let web = elsewhere(false, 80);
    let other = elsewhere(false, 81);
    assert!(syn(&mut lab, source(false, 1000), web).is_some());
    assert!(syn(&mut lab, source(false, 1001), other).is_none());
    datagram(&mut lab, source(false, 1000), other, b"question");
    for port in 1002..1010 {
        assert_eq!(syn(&mut lab, source(false, port), web), None);
        datagram(&mut lab, source(false, port), other, b"question");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(lab.host.stack.counters().gateway.backlog_full, 16);
    let (socket, _) = accepted(&mut lab, gateway);
    assert!(
        syn(&mut lab, source(false, 1002), web).is_some(),
        "there is room for one again"
    );
    // One that was handed out still waits for its decision, and counts.
    let (id, _) = undecided(&mut lab, gateway);
    assert_eq!(syn(&mut lab, source(false, 1003), web), None);
    assert_eq!(lab.host.stack.flow_drop(lab.now, id), Ok(()));
    assert!(syn(&mut lab, source(false, 1003), web).is_some());
    lab.host.stack.abort(lab.now, socket);
    finish(lab, gateway);
}

#[test]
fn patience_ends() {
    let mut config = GatewayConfig::default();
    config.patience = SECOND * 2;
    config.backlog = 2;
    let (mut lab, gateway) = gateway(config, |_: Instant, _: &Flow| Admission::Later);
    let to = elsewhere(false, 80);
    syn(&mut lab, source(false, 1000), to);
    datagram(&mut lab, source(false, 1000), to, b"question");
    let (id, _) = undecided(&mut lab, gateway);
    assert_eq!(lab.pass(SECOND * 19 / 10), []);
    assert_eq!(lab.host.stack.counters().gateway.undecided_late, 0);
    assert_eq!(lab.pass(SECOND / 5), [], "nobody is told");
    assert_eq!(lab.host.stack.counters().gateway.undecided_late, 2);
    assert_eq!(
        lab.host.stack.flow_accept(lab.now, id),
        Err(FlowError::Gone)
    );
    assert_eq!(
        lab.host.stack.gateway_next(gateway),
        Err(AcceptError::WouldBlock),
        "what is over is not handed out"
    );
    // Who asks again is decided upon anew.
    syn(&mut lab, source(false, 1000), to);
    undecided(&mut lab, gateway);
    finish(lab, gateway);
}

#[test]
fn udp_flows_are_counted() {
    let mut config = GatewayConfig::default();
    config.udp_flows = 2;
    let (mut lab, gateway) = gateway(config, |_: Instant, flow: &Flow| {
        if flow.destination.port() == 53 {
            Admission::Accept
        } else {
            Admission::Later
        }
    });
    let to = elsewhere(false, 53);
    datagram(&mut lab, source(false, 1000), to, b"");
    datagram(&mut lab, source(false, 1001), to, b"");
    datagram(&mut lab, source(false, 1002), to, b"");
    assert_eq!(lab.host.stack.counters().gateway.udp_flows_full, 1);
    datagram(&mut lab, source(false, 1000), elsewhere(false, 54), b"");
    let (one, _) = accepted(&mut lab, gateway);
    let (two, _) = accepted(&mut lab, gateway);
    let (id, _) = undecided(&mut lab, gateway);
    assert_eq!(
        lab.host.stack.flow_accept(lab.now, id),
        Err(FlowError::Full),
        "and still waits"
    );
    lab.host.stack.close(lab.now, one);
    let three = lab.host.stack.flow_accept(lab.now, id).expect("room");
    for socket in [two, three] {
        lab.host.stack.close(lab.now, socket);
    }
    finish(lab, gateway);
}

#[test]
fn an_interface_has_one_gateway() {
    let (mut lab, first) = deciding(Admission::Accept);
    let stack = &mut lab.host.stack;
    let iface = IfaceId::new(0);
    let open = |stack: &mut netstack_core::Stack, iface| {
        let decide = |_: Instant, _: &Flow| Admission::Drop;
        stack.gateway_open(iface, GatewayConfig::default(), decide)
    };
    assert_eq!(open(stack, iface), Err(ConfigError::Gateway(iface)));
    let missing = IfaceId::new(9);
    assert_eq!(open(stack, missing), Err(ConfigError::Interface(missing)));
    stack.close(lab.now, first);
    assert!(stack.gateway_next(first).is_err());
    let second = open(stack, iface).expect("the first is gone");
    finish(lab, second);
}
