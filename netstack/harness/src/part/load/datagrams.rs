//! Datagrams: there and back one by one, or as many as go.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use super::{Done, LoadSpec, MOST_ERRORS, histogram, nanoseconds};
use crate::{probe, sys};

/// How long a datagram may be under way before it counts as lost.
const LOST: Duration = Duration::from_millis(200);
/// Datagrams before the clock starts.
const WARM: u32 = 50;
/// Payload of a datagram that fills an MTU of 1500 bytes.
const FULL: usize = 1472;
/// Datagrams in one call: what fits 64 KiB.
const BATCH: usize = 44;
/// Headers of IPv4 and UDP.
const HEADERS: u64 = 28;
/// Calls that are ahead of what has come back: what the kernel's socket has room for.
const AHEAD: usize = 4;
/// Room for the datagrams that come back, if the machine's limit allows it.
const ROOM: usize = 4 << 20;
/// Calls between two looks at the clock.
const CALLS: u32 = 16;

/// A socket that is connected to the subject's port.
pub(super) fn open(spec: &LoadSpec, port: u16) -> io::Result<UdpSocket> {
    let source = *spec.sources.first().unwrap_or(&Ipv4Addr::UNSPECIFIED);
    let socket = UdpSocket::bind((source, 0))?;
    socket.connect((spec.target, port))?;
    socket.set_read_timeout(Some(LOST))?;
    Ok(socket)
}

/// Some datagrams whose fate does not matter.
pub(super) fn warm(socket: &UdpSocket, bytes: u32) {
    let mut message = vec![b'x'; bytes as usize];
    for _ in 0..WARM {
        // The subject may not be there yet; when it never comes, the measurement says so.
        let _ = socket
            .send(&message)
            .and_then(|_| socket.recv(&mut message));
    }
}

/// Sends a datagram, waits for it and sends the next, until the time is over.
pub(super) fn echo(socket: &UdpSocket, bytes: u32, time: Duration) -> io::Result<Done> {
    let mut message = vec![b'x'; bytes as usize];
    let mut latency = histogram()?;
    let mut done = Done::default();
    let begun = Instant::now();
    let mut before = begun;
    while before.duration_since(begun) < time && done.errors <= MOST_ERRORS {
        let answered = socket
            .send(&message)
            .and_then(|_| socket.recv(&mut message));
        let after = Instant::now();
        match answered {
            Ok(length) if length == message.len() => {
                latency.saturating_record(nanoseconds(after - before));
                done.operations += 1;
            }
            Ok(_) | Err(_) => done.errors += 1,
        }
        before = after;
    }
    done.bytes = 2 * done.operations * u64::from(bytes);
    done.latency = Some(latency);
    Ok(done)
}

/// Sends until the time is over, and counts what has reached the subject: what its sockets got where they are the
/// kernel's, what it read from its device elsewhere.
pub(super) fn flood(spec: &LoadSpec, socket: &UdpSocket, time: Duration) -> io::Result<Done> {
    let arrived = || -> io::Result<u64> {
        if spec.is_kernel {
            return Ok(probe::datagrams_of(spec.subject)? * FULL as u64);
        }
        let traffic = probe::traffic(&spec.device)?;
        Ok(traffic
            .sent_bytes
            .saturating_sub(traffic.sent_packets * HEADERS))
    };
    let before = arrived()?;
    send_for(socket, FULL, time)?;
    let mut done = Done::default();
    done.bytes = arrived()?.saturating_sub(before);
    done.operations = done.bytes / FULL as u64;
    Ok(done)
}

/// Sends batches and takes their echo until the time is over. What has come back counts.
pub(super) fn volley(socket: &UdpSocket, time: Duration) -> io::Result<Done> {
    sys::set_option(socket, sys::UDP_SEGMENT, FULL as i32)?;
    sys::set_option(socket, sys::UDP_GRO, 1)?;
    rustix::net::sockopt::set_socket_recv_buffer_size(socket, ROOM)?;
    let message = vec![b'x'; FULL * BATCH];
    let mut room = vec![0; 1 << 16];
    let mut under_way = 0;
    let mut done = Done::default();
    let begun = Instant::now();
    while begun.elapsed() < time && done.errors <= MOST_ERRORS {
        while under_way + message.len() <= AHEAD * message.len() {
            under_way += socket.send(&message)?;
        }
        match socket.recv(&mut room) {
            Ok(length) => {
                under_way = under_way.saturating_sub(length);
                done.bytes += length as u64;
            }
            // Something was lost.
            Err(_) => {
                under_way = 0;
                done.errors += 1;
            }
        }
    }
    done.operations = done.bytes / FULL as u64;
    Ok(done)
}

/// Sends packets of `bytes` bytes until the time is over, and counts those that the kernel got from the other device.
pub(super) fn forward(
    spec: &LoadSpec,
    socket: &UdpSocket,
    bytes: u32,
    time: Duration,
) -> io::Result<Done> {
    let before = probe::traffic(&spec.onward)?;
    send_for(
        socket,
        (bytes as usize).saturating_sub(HEADERS as usize),
        time,
    )?;
    let after = probe::traffic(&spec.onward)?;
    Ok(Done {
        bytes: after.received_bytes.saturating_sub(before.received_bytes),
        operations: after
            .received_packets
            .saturating_sub(before.received_packets),
        ..Done::default()
    })
}

/// Sends datagrams of `bytes` bytes, [`BATCH`] for each call, until the time is over.
fn send_for(socket: &UdpSocket, bytes: usize, time: Duration) -> io::Result<()> {
    let segment = i32::try_from(bytes).map_err(io::Error::other)?;
    sys::set_option(socket, sys::UDP_SEGMENT, segment)?;
    let message = vec![b'x'; bytes * BATCH];
    let begun = Instant::now();
    while begun.elapsed() < time {
        for _ in 0..CALLS {
            // A full queue is the normal state of things here.
            let _ = socket.send(&message);
        }
    }
    Ok(())
}
