//! smoltcp as the subject: its own TUN device, CUBIC, no Nagle, and buffers of 4 MiB for bulk.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Instant as Clock;

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet,
};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use super::say_ready;
use crate::address::{CLIENT, PREFIX_LENGTH, SUBJECT};
use crate::case::Load;

const ECHO: u16 = 7;
const DISCARD: u16 = 9;
const CHARGEN: u16 = 19;

/// Bytes of send and receive buffers of all connections of a bulk case together, and the least of one.
const BULK: usize = 4 << 20;
const LEAST: usize = 64 << 10;
/// A buffer that echoes, and what is moved at a time.
const ECHO_BUFFER: usize = 64 << 10;
const ECHO_CHUNK: usize = 4096;
/// Listening sockets for short connections: smoltcp has no backlog.
const SHORT: usize = 16;
/// Packets that are received before others are sent, and the other way round: all at once would leave
/// acknowledgements waiting.
const BURST: usize = 64;
const DATAGRAMS: usize = 256;
const DATAGRAM_BYTES: usize = 1 << 18;
/// The longest sleep.
const NAP: Duration = Duration::from_millis(500);

/// The ports and how many sockets of how large buffers listen on each: no more than the load needs, since each poll
/// looks at all.
fn sockets_for(load: Load) -> Vec<(u16, usize, usize)> {
    match load {
        Load::Bulk {
            inward,
            outward,
            connections,
        } => {
            let count = connections as usize;
            let buffer = (BULK / count.max(1)).max(LEAST);
            let sides = [(DISCARD, inward), (CHARGEN, outward)];
            sides
                .into_iter()
                .filter(|(_, used)| *used)
                .map(|(port, _)| (port, count, buffer))
                .collect()
        }
        Load::Ask { .. } => vec![(ECHO, 1, ECHO_BUFFER)],
        Load::Connect => vec![(ECHO, SHORT, ECHO_BUFFER)],
        Load::Datagrams { .. }
        | Load::Flood
        | Load::Volley
        | Load::Proxy
        | Load::Forward { .. } => Vec::new(),
    }
}

/// Serves `load` until `end`.
pub(super) fn run(device: &str, load: Load, end: Clock) -> io::Result<()> {
    let mut tun = TunTapInterface::new(device, Medium::Ip)?;
    let fd = tun.as_raw_fd();
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = 0x1234_5678_9abc;
    let mut interface = Interface::new(config, &mut tun, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // There is room for more than one.
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(SUBJECT), PREFIX_LENGTH));
    });
    interface
        .routes_mut()
        .add_default_ipv4_route(CLIENT)
        .map_err(|_| io::Error::other("smoltcp has no room for a route"))?;
    let mut set = SocketSet::new(Vec::new());
    let mut streams = Vec::new();
    for (port, count, buffer) in sockets_for(load) {
        streams.extend((0..count).map(|_| (set.add(stream(buffer)), port)));
    }
    let datagrams = match load {
        Load::Datagrams { .. } => Some((set.add(datagram_socket(ECHO)?), ECHO)),
        Load::Flood => Some((set.add(datagram_socket(DISCARD)?), DISCARD)),
        _ => None,
    };
    let mut server = Server {
        interface,
        tun,
        fd,
        set,
        streams,
        datagrams,
        fill: vec![b'y'; 1 << 16],
    };
    // Nobody is refused because the sockets do not listen yet.
    server.serve_streams();
    say_ready()?;
    while Clock::now() < end {
        server.turn()?;
    }
    Ok(())
}

struct Server {
    interface: Interface,
    tun: TunTapInterface,
    fd: RawFd,
    set: SocketSet<'static>,
    streams: Vec<(SocketHandle, u16)>,
    datagrams: Option<(SocketHandle, u16)>,
    fill: Vec<u8>,
}

impl Server {
    fn turn(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let mut worked = false;
        for _ in 0..BURST {
            let (tun, set) = (&mut self.tun, &mut self.set);
            match self.interface.poll_ingress_single(now, tun, set) {
                PollIngressSingleResult::None => break,
                _ => worked = true,
            }
        }
        self.serve_streams();
        if let Some((handle, port)) = self.datagrams {
            serve_datagrams(self.set.get_mut(handle), port);
        }
        for _ in 0..BURST {
            let (tun, set) = (&mut self.tun, &mut self.set);
            match self.interface.poll_egress(now, tun, set) {
                PollResult::None => break,
                PollResult::SocketStateChanged => worked = true,
            }
        }
        if worked {
            return Ok(());
        }
        let delay = self.interface.poll_delay(Instant::now(), &self.set);
        match delay.unwrap_or(NAP).min(NAP) {
            Duration::ZERO => Ok(()),
            delay => wait(self.fd, Some(delay)),
        }
    }

    fn serve_streams(&mut self) {
        for &(handle, port) in &self.streams {
            serve(self.set.get_mut(handle), port, &self.fill);
        }
    }
}

fn serve(socket: &mut tcp::Socket<'_>, port: u16, fill: &[u8]) {
    if !socket.is_open() {
        // The port is not zero and the socket is closed: nothing else is an error.
        let _ = socket.listen(port);
        return;
    }
    match port {
        DISCARD => while socket.can_recv() && socket.recv(|bytes| (bytes.len(), ())).is_ok() {},
        CHARGEN => while socket.can_send() && socket.send_slice(fill).is_ok_and(|sent| sent > 0) {},
        _ => echo(socket),
    }
    if socket.state() == tcp::State::CloseWait && !socket.can_recv() {
        if port == CHARGEN {
            socket.abort();
        } else {
            socket.close();
        }
    }
}

fn echo(socket: &mut tcp::Socket<'_>) {
    let mut chunk = [0; ECHO_CHUNK];
    loop {
        let room = (socket.send_capacity() - socket.send_queue()).min(ECHO_CHUNK);
        match socket.recv_slice(&mut chunk[..room]) {
            Ok(bytes @ 1..) if socket.send_slice(&chunk[..bytes]).is_ok() => {}
            _ => return,
        }
    }
}

fn serve_datagrams(socket: &mut udp::Socket<'_>, port: u16) {
    let mut datagram = [0; 2048];
    while let Ok((bytes, from)) = socket.recv_slice(&mut datagram) {
        if port == ECHO {
            // A datagram may get lost.
            let _ = socket.send_slice(&datagram[..bytes], from);
        }
    }
}

fn stream(buffer: usize) -> tcp::Socket<'static> {
    let ring = || tcp::SocketBuffer::new(vec![0; buffer]);
    let mut socket = tcp::Socket::new(ring(), ring());
    socket.set_congestion_control(tcp::CongestionControl::Cubic);
    socket.set_nagle_enabled(false);
    socket
}

fn datagram_socket(port: u16) -> io::Result<udp::Socket<'static>> {
    let ring = || {
        udp::PacketBuffer::new(
            vec![udp::PacketMetadata::EMPTY; DATAGRAMS],
            vec![0; DATAGRAM_BYTES],
        )
    };
    let mut socket = udp::Socket::new(ring(), ring());
    socket
        .bind(port)
        .map_err(|_| io::Error::other("smoltcp does not bind the port"))?;
    Ok(socket)
}
