//! Connections of the client.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use super::{LoadSpec, PATIENCE};
use crate::sys;

pub(super) const ECHO: u16 = 7;
pub(super) const DISCARD: u16 = 9;
pub(super) const CHARGEN: u16 = 19;

/// Connects with CUBIC, whatever the machine's default: one that paces would be what is measured. `number` chooses
/// the source address, of which there are several because each has only so many ports.
pub(super) fn open(spec: &LoadSpec, port: u16, number: usize) -> io::Result<TcpStream> {
    let socket: OwnedFd = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let source = spec.sources.get(number % spec.sources.len().max(1));
    sys::set_option(&socket, sys::IP_BIND_ADDRESS_NO_PORT, 1)?;
    let source = SocketAddrV4::new(*source.unwrap_or(&Ipv4Addr::UNSPECIFIED), 0);
    bind(&socket, &source)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_tcp_congestion(&socket, "cubic")?;
    let patience = Some(PATIENCE);
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, patience)?;
    connect(&socket, &SocketAddrV4::new(spec.target, port))?;
    Ok(TcpStream::from(socket))
}

/// Opens `count` connections.
pub(super) fn open_many(spec: &LoadSpec, port: u16, count: u32) -> io::Result<Vec<TcpStream>> {
    (0..count).map(|_| open(spec, port, 0)).collect()
}
