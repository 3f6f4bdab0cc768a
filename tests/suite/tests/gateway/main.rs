//! Gateways: connections and datagrams to any address, decided on before anything is answered.

mod connections;
mod datagrams;
mod limits;

use core::time::Duration;
use netstack_core::{
    Admission, Admit, Flow, FlowId, GatewayConfig, IfaceId, NewFlow, SocketId, Transport,
};
use std::net::SocketAddr;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, SYN, Tcp, Udp};

const SECOND: Duration = Duration::from_secs(1);

/// Who begins flows.
fn source(v6: bool, port: u16) -> SocketAddr {
    SocketAddr::new(Lab::neighbour(v6), port)
}

/// An address that the stack has not.
fn elsewhere(v6: bool, port: u16) -> SocketAddr {
    let address = if v6 { "2001:db8::5" } else { "203.0.113.5" };
    SocketAddr::new(address.parse().expect("literal"), port)
}

/// A lab with a gateway.
fn gateway(config: GatewayConfig, admit: impl Admit + 'static) -> (Lab, SocketId) {
    let mut lab = Lab::default();
    let gateway = lab.host.stack.gateway_open(IfaceId::new(0), config, admit);
    (lab, gateway.expect("the first"))
}

/// A lab with a gateway that decides so on everything.
fn deciding(admission: Admission) -> (Lab, SocketId) {
    gateway(GatewayConfig::default(), move |_, _: &Flow| admission)
}

fn flow(transport: Transport, source: SocketAddr, destination: SocketAddr) -> Flow {
    Flow {
        iface: IfaceId::new(0),
        transport,
        source,
        destination,
    }
}

fn accepted(lab: &mut Lab, gateway: SocketId) -> (SocketId, Flow) {
    match lab.host.stack.gateway_next(gateway) {
        Ok(NewFlow::Accepted(socket, flow)) => (socket, flow),
        other => panic!("{other:?}"),
    }
}

fn undecided(lab: &mut Lab, gateway: SocketId) -> (FlowId, Flow) {
    match lab.host.stack.gateway_next(gateway) {
        Ok(NewFlow::Undecided(id, flow)) => (id, flow),
        other => panic!("{other:?}"),
    }
}

fn segments(lab: &mut Lab) -> Vec<Tcp> {
    let sent = lab.sent();
    sent.iter()
        .map(|packet| Tcp::parse(packet).expect("TCP"))
        .collect()
}

/// Sends a SYN, and returns what answers it, if anything does.
fn syn(lab: &mut Lab, from: SocketAddr, to: SocketAddr) -> Option<Tcp> {
    let offer = Offer {
        v6: from.is_ipv6(),
        sack: true,
        timestamp: Some(1_000),
        scale: Some(7),
        ..Offer::default()
    };
    lab.inject(&Remote::syn(from, to, &offer).to_packet());
    let mut sent = segments(lab);
    assert!(sent.len() < 2, "{sent:?}");
    sent.pop()
}

/// Ends a handshake that was answered with `answer`, from `to`, in place of whom the stack speaks.
fn establish(lab: &mut Lab, answer: &Tcp, to: SocketAddr) {
    assert_eq!((answer.flags, answer.src), (SYN | ACK, to), "{answer:?}");
    lab.inject(&Remote::third(answer, b"hello").to_packet());
}

fn datagram(lab: &mut Lab, src: SocketAddr, dst: SocketAddr, payload: &[u8]) {
    let payload = payload.to_vec();
    lab.inject(&Udp { src, dst, payload }.to_packet());
}

/// Closes the gateway; nothing may be left of anything then.
fn finish(mut lab: Lab, gateway: SocketId) {
    lab.host.stack.close(lab.now, gateway);
    lab.pass(SECOND * 120);
    assert_eq!(lab.host.stack.tcp_connections().count(), 0);
    assert_eq!(lab.host.stack.poll_timeout(), None);
    assert_eq!(lab.host.live_nodes(), 0);
    assert_eq!(lab.held(), 0);
}
