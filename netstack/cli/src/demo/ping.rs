//! Pings from the kernel's side, by the raw sockets that root has in its own namespace.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pings of each size.
const EACH: u16 = 5;
/// Bytes that follow the header of a small ping, as `ping` has it.
const SMALL: usize = 56;
const ICMP_HEADER: usize = 8;
/// Room for any answer: the largest packet.
const ANSWER: usize = 1 << 16;
const IDENT: u16 = 0x6e73;

/// What became of the pings to one address.
pub(crate) struct Pings {
    pub(crate) sent: u32,
    /// Those whose answer came in time and brought back what was sent.
    pub(crate) answered: u32,
    /// The shortest time to an answer.
    pub(crate) fastest: Option<Duration>,
}

/// Pings `target` from a socket of the kernel: some small ones, and as many that fill a packet of `mtu`.
///
/// # Errors
/// When there is no socket, or the kernel does not send.
pub(crate) fn ping(target: IpAddr, mtu: usize) -> io::Result<Pings> {
    let socket = open(target)?;
    let ip_header = if target.is_ipv4() { 20 } else { 40 };
    let largest = mtu.saturating_sub(ip_header + ICMP_HEADER);
    let mut pings = Pings {
        sent: 0,
        answered: 0,
        fastest: None,
    };
    for (number, size) in (0..2 * EACH).zip([SMALL, largest].into_iter().cycle()) {
        let request = request(target.is_ipv4(), number, size);
        let begun = Instant::now();
        rustix::net::send(&socket, &request, SendFlags::empty())?;
        pings.sent += 1;
        if is_answered(&socket, target.is_ipv4(), &request, begun)? {
            let time = begun.elapsed();
            pings.answered += 1;
            pings.fastest = Some(pings.fastest.map_or(time, |fastest| fastest.min(time)));
        }
    }
    Ok(pings)
}

fn open(target: IpAddr) -> io::Result<OwnedFd> {
    let (family, protocol): (_, Protocol) = match target {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let socket = rustix::net::socket_with(
        family,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(protocol),
    )?;
    rustix::net::connect(&socket, &SocketAddr::new(target, 0))?;
    Ok(socket)
}

/// An echo request (RFC 792, RFC 4443 section 4.1). The kernel completes the checksum over IPv6.
fn request(is_v4: bool, number: u16, size: usize) -> Vec<u8> {
    let kind = if is_v4 { 8 } else { 128 };
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(IDENT.to_be_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend((0..size).map(|at| at as u8));
    if is_v4 {
        let checksum = !txbuf::checksum::sum(&bytes);
        bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

/// Waits for the answer to `request`, passing over whatever else comes.
fn is_answered(socket: &OwnedFd, is_v4: bool, request: &[u8], begun: Instant) -> io::Result<bool> {
    let mut buffer = vec![0; ANSWER];
    loop {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        set_socket_timeout(socket, Timeout::Recv, Some(left))?;
        match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) if answers(is_v4, &buffer[..length], request) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether `packet`, as a raw socket hands it out, is the answer to `request`.
fn answers(is_v4: bool, packet: &[u8], request: &[u8]) -> bool {
    let (kind, ip_header) = match (is_v4, packet.first()) {
        (true, Some(first)) => (0, usize::from(first & 0xf) * 4),
        _ => (129, 0),
    };
    let Some(message) = packet.get(ip_header..) else {
        return false;
    };
    // Behind the checksum an answer is what was asked.
    message.first() == Some(&kind) && message.get(4..) == request.get(4..)
}

#[cfg(test)]
mod tests;
