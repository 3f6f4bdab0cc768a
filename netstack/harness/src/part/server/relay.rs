//! A proxy of the kernel's sockets, which moves what it passes on through a pipe and never sees it (`splice`).

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::address::{CLIENT, PROXIED, PROXY};

/// Bytes in a pipe, as far as the machine's limit goes.
const PIPE: usize = 1 << 20;

/// Begins to listen. A thread for the listener and two for each connection end with the process.
pub(super) fn start() -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PROXY))?;
    // Connections inherit it; the machine's default may pace.
    sockopt::set_tcp_congestion(&listener, "cubic")?;
    thread::spawn(move || {
        for front in listener.incoming().flatten() {
            // Whoever cannot be passed on is dropped, as it should be.
            let _ = relay(front);
        }
    });
    Ok(())
}

fn relay(front: TcpStream) -> io::Result<()> {
    let back = TcpStream::connect(SocketAddrV4::new(CLIENT, PROXIED))?;
    sockopt::set_tcp_congestion(&back, "cubic")?;
    let (other_front, other_back) = (front.try_clone()?, back.try_clone()?);
    thread::spawn(move || pass_on(&front, &back));
    thread::spawn(move || pass_on(&other_back, &other_front));
    Ok(())
}

/// Moves the stream, and its end.
fn pass_on(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
    // The default of 64 KiB does, too.
    let _ = fcntl_setpipe_size(&into, PIPE);
    loop {
        let mut waiting = move_some(from, &into, PIPE)?;
        if waiting == 0 {
            return to.shutdown(Shutdown::Write);
        }
        while waiting > 0 {
            waiting -= move_some(&out, to, waiting)?;
        }
    }
}

fn move_some(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    loop {
        match splice(&from, None, &to, None, most, SpliceFlags::MOVE) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
