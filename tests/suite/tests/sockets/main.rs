//! What sockets of datagrams do beyond sending and receiving, in virtual time: control messages, shared addresses,
//! errors, pings, raw packets, groups.

mod controls;
mod errors;
mod groups;
mod pings;
mod raw;
mod sharing;
mod tcp_sharing;

use core::time::Duration;
use netstack_core::{
    BindOptions, IfaceId, Received, RecvError, RecvFlags, SendControl, SendError, SendFlags,
    SocketId, SocketOption, Stack,
};
use std::net::SocketAddr;
use suite::lab::Lab;
use suite::wire::Udp;
use txbuf::IovIter;

const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a literal")
}

fn option(lab: &mut Lab, socket: SocketId, option: SocketOption) {
    let now = lab.now;
    let set = lab.host.stack.set_option(now, socket, option);
    set.expect("an option of datagram sockets");
}

fn bind(lab: &mut Lab, local: &str, options: BindOptions) -> SocketId {
    let bound = lab.host.stack.udp_bind_with(address(local), &options);
    bound.expect("can be bound")
}

/// A datagram from the neighbour, port 5000, to `dst`.
fn datagram(dst: &str, payload: &[u8]) -> Udp {
    let dst = address(dst);
    Udp {
        src: (Lab::neighbour(dst.is_ipv6()), 5_000).into(),
        dst,
        payload: payload.to_vec(),
    }
}

fn send(
    lab: &mut Lab,
    socket: SocketId,
    payload: &[u8],
    control: SendControl<'_>,
) -> Result<usize, SendError> {
    let mut from = IovIter::bytes(payload);
    let stack = &mut lab.host.stack;
    stack.send_message(socket, &mut from, SendFlags::NONE, &control)
}

fn receive(stack: &mut Stack, socket: SocketId) -> Result<(Vec<u8>, Received), RecvError> {
    let mut buffer = vec![0; 1 << 16];
    let mut into = IovIter::buffer(&mut buffer);
    let received = stack.receive_message(socket, &mut into, RecvFlags::NONE)?;
    buffer.truncate(received.bytes);
    Ok((buffer, received))
}

/// What is queued for a socket, without what came with it.
fn payloads(lab: &mut Lab, socket: SocketId) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Ok((payload, _)) = receive(&mut lab.host.stack, socket) {
        all.push(payload);
    }
    all
}

/// A second interface, with the addresses 10.7.0.1/24 and fd07::1/64.
fn second_interface(lab: &mut Lab) -> IfaceId {
    let config = netstack_core::InterfaceConfig {
        name: "second".into(),
        mtu: 1500,
        offloads: txbuf::Offloads::default(),
    };
    let stack = &mut lab.host.stack;
    let iface = stack.add_interface(config).expect("a possible MTU");
    for cidr in ["10.7.0.1/24", "fd07::1/64"] {
        let cidr = cidr.parse().expect("a literal");
        stack.add_address(iface, cidr).expect("a new address");
    }
    iface
}

/// What the stack sends by `iface` now.
fn sent_by(lab: &mut Lab, iface: IfaceId) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    while let Some(mut packet) = lab.host.stack.poll_transmit(lab.now, iface) {
        packet.complete_checksum().expect("readable");
        sent.push(packet.to_vec().expect("readable"));
    }
    sent
}

/// Hands a packet to the stack that came by `iface`.
fn inject_by(lab: &mut Lab, iface: IfaceId, bytes: &[u8]) {
    let ledger = txbuf::Ledger::new();
    let span = txbuf::Span::from_bytes(&ledger, bytes.to_vec().into()).expect("short");
    let packet = txbuf::Packet::from_span(span);
    lab.host.stack.handle_packet(lab.now, iface, packet);
}
