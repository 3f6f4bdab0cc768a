//! What is moved between the two ends: a large stream one way or there and back, and many short connections.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::data::{Fingerprint, Hasher, Source};
use super::host::{Host, Listener, Stream};

/// What is read at a time.
const READ: usize = 256 << 10;
/// The most bytes that a short connection carries each way.
const SHORT: u64 = 2048;

/// The bytes of a large stream, which are made as they are sent.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    seed: u64,
    pub(crate) bytes: u64,
    digest: Fingerprint,
}

/// What became of one large stream.
pub(crate) struct Bulk {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    /// The hash of what was to be sent, and of what arrived.
    pub(crate) sent: Fingerprint,
    pub(crate) arrived: Fingerprint,
}

/// What became of the short connections.
pub(crate) struct Short {
    pub(crate) connections: u32,
    /// Those that brought back something else than was sent.
    pub(crate) wrong: u32,
    pub(crate) time: Duration,
}

impl Load {
    /// The first `bytes` of the stream of `seed`.
    ///
    /// Takes their hash, so that in the time that is measured later only one hash is paid for: the receiver's.
    pub(crate) fn new(seed: u64, bytes: u64) -> Self {
        Load {
            seed,
            bytes,
            digest: Source::new(seed, bytes).digest(),
        }
    }
}

/// Moves `load` from one end to the other over one connection, which `client` opens to `server`.
pub(crate) fn bulk(
    client: &Host,
    server: &Host,
    (is_v6, client_sends): (bool, bool),
    load: Load,
    bar: &ProgressBar,
) -> io::Result<Bulk> {
    let listener = server.listen(is_v6)?;
    let near = client.connect(listener.local_addr()?)?;
    let far = listener.accept()?;
    let (sender, receiver) = if client_sends {
        (near, far)
    } else {
        (far, near)
    };
    exchange(sender, receiver, load, bar)
}

/// Moves `load` from `client` to the echo service at `remote` and back.
pub(crate) fn echo(
    client: &Host,
    remote: SocketAddr,
    load: Load,
    bar: &ProgressBar,
) -> io::Result<Bulk> {
    let stream = client.connect(remote)?;
    exchange(stream.try_clone()?, stream, load, bar)
}

/// Opens `count` connections one after the other, by turns from either end and over IPv4 and IPv6; each sends some
/// bytes, gets them back, and is closed.
pub(crate) fn short(near: &Host, far: &Host, count: u32, bar: &ProgressBar) -> io::Result<Short> {
    let mut listeners = Vec::new();
    for is_v6 in [false, true] {
        listeners.push((near, far.listen(is_v6)?));
        listeners.push((far, near.listen(is_v6)?));
    }
    let begun = Instant::now();
    let mut wrong = 0;
    for (number, (client, listener)) in (0..count).zip(listeners.iter().cycle()) {
        wrong += u32::from(!echo_once(client, listener, number)?);
        bar.inc(1);
    }
    Ok(Short {
        connections: count,
        wrong,
        time: begun.elapsed(),
    })
}

/// Sends `load` by `sender` while all that comes to `receiver` is read and hashed.
fn exchange(
    mut sender: Stream,
    mut receiver: Stream,
    load: Load,
    bar: &ProgressBar,
) -> io::Result<Bulk> {
    let begun = Instant::now();
    let arrived = thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let mut source = Source::new(load.seed, load.bytes);
            while let Some(chunk) = source.next_chunk() {
                sender.write_all(chunk)?;
            }
            sender.finish()?;
            Ok::<Stream, io::Error>(sender)
        });
        let arrived = receive(&mut receiver, bar);
        // What went wrong at the sender is the cause of what went wrong here.
        sending
            .join()
            .map_err(|_| io::Error::other("the sender panicked"))??;
        arrived
    })?;
    Ok(Bulk {
        bytes: load.bytes,
        time: begun.elapsed(),
        sent: load.digest,
        arrived,
    })
}

fn receive(stream: &mut Stream, bar: &ProgressBar) -> io::Result<Fingerprint> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; READ];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => {
                hasher.update(&buffer[..read]);
                bar.inc(read as u64);
            }
        }
    }
}

/// One connection, there and back; whether what came back is what was sent.
fn echo_once(client: &Host, listener: &Listener, number: u32) -> io::Result<bool> {
    let remote: SocketAddr = listener.local_addr()?;
    let length = 1 + u64::from(number) * 97 % SHORT;
    let mut source = Source::new(number.into(), length);
    let message = source.next_chunk().unwrap_or_default();

    let mut asking = client.connect(remote)?;
    let mut answering = listener.accept()?;
    asking.write_all(message)?;
    asking.finish()?;
    let mut heard = Vec::new();
    answering.read_to_end(&mut heard)?;
    answering.write_all(&heard)?;
    answering.finish()?;
    let mut echoed = Vec::new();
    asking.read_to_end(&mut echoed)?;
    Ok(echoed == message)
}
