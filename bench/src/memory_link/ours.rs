//! This stack on the memory link of `drivers`.

use super::{CHUNK, Work, payload};
use core::time::Duration;
use netstack_core::{Instant, RecvFlags, SendControl, SendFlags, SocketId, TcpConfig};
use std::io::{IoSlice, IoSliceMut};
use suite::crowd::End;
use txbuf::{IovIter, Offloads};

/// Moves the work's bytes over this stack and returns how long it took.
///
/// # Panics
///
/// When the connection fails.
pub fn ours(work: &Work) -> Duration {
    let all = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    let offloads = if work.offload {
        all
    } else {
        Offloads::default()
    };
    let mut tcp = TcpConfig::default();
    tcp.send_buffer = work.buffer;
    tcp.receive_buffer = work.buffer;
    tcp.autotuning = false;
    let [mut server, mut client] = End::pair(work.mtu, offloads, &tcp);
    let address = "10.0.0.1:9".parse().expect("literal");
    let listener = server.stack.tcp_listen(address, 4).expect("a free port");
    let clock = std::time::Instant::now();
    let now = || Instant::from_nanos(clock.elapsed().as_nanos() as u64);
    let socket = client
        .stack
        .tcp_connect(now(), address, None)
        .expect("a route");
    let accepted = loop {
        client.poll(now());
        server.poll(now());
        if let Ok((accepted, _)) = server.stack.tcp_accept(listener) {
            break accepted;
        }
    };
    let start = std::time::Instant::now();
    transfer(&mut client, &mut server, socket, accepted, work.bytes, now);
    start.elapsed()
}

fn transfer(
    client: &mut End,
    server: &mut End,
    socket: SocketId,
    accepted: SocketId,
    bytes: u64,
    now: impl Fn() -> Instant,
) {
    let source = payload();
    let mut sink = vec![0; CHUNK];
    let (mut sent, mut received) = (0, 0);
    while received < bytes {
        while sent < bytes {
            let slices = [IoSlice::new(&source)];
            let mut from = IovIter::source(&slices);
            match client.stack.send_message(
                socket,
                &mut from,
                SendFlags::NONE,
                &SendControl::default(),
            ) {
                Ok(n) => sent += n as u64,
                Err(_) => break,
            }
        }
        let now = now();
        client.poll(now);
        server.poll(now);
        loop {
            let mut slices = [IoSliceMut::new(&mut sink)];
            let mut into = IovIter::sink(&mut slices);
            match server
                .stack
                .receive_message(accepted, &mut into, RecvFlags::NONE)
            {
                Ok(n) if n.bytes > 0 => received += n.bytes as u64,
                _ => break,
            }
        }
    }
}
