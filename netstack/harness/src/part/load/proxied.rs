//! A stream through a proxy: the client sends, and is the server behind the proxy, too.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::Done;
use crate::address::{CLIENT, PROXIED};

/// Bytes for one call.
const BLOCK: usize = 128 << 10;

/// Where the proxy leads: reads and forgets.
pub(super) struct Sink {
    arrived: Arc<AtomicU64>,
}

impl Sink {
    /// Listens, and takes one connection on a thread of its own, which ends with the process.
    pub(super) fn open() -> io::Result<Sink> {
        let listener = TcpListener::bind((CLIENT, PROXIED))?;
        sockopt::set_tcp_congestion(&listener, "cubic")?;
        let sink = Sink {
            arrived: Arc::default(),
        };
        let arrived = Arc::clone(&sink.arrived);
        thread::spawn(move || -> io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut block = vec![0; BLOCK];
            loop {
                match stream.read(&mut block)? {
                    0 => return Ok(()),
                    bytes => arrived.fetch_add(bytes as u64, Ordering::Relaxed),
                };
            }
        });
        Ok(sink)
    }
}

/// Sends until the time is over. What has arrived behind the proxy counts.
pub(super) fn run(sink: &Sink, mut stream: TcpStream, time: Duration) -> io::Result<Done> {
    let block = vec![b'x'; BLOCK];
    let begun = Instant::now();
    while begun.elapsed() < time {
        // A proxy that stands still is an error: the socket has a timeout.
        stream.write_all(&block)?;
    }
    Ok(Done {
        bytes: sink.arrived.load(Ordering::Relaxed),
        ..Done::default()
    })
}
