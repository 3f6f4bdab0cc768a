//! Requests and responses over TCP, on a standing connection or on a new one each time.

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Done, LoadSpec, MOST_ERRORS, PATIENCE, histogram, nanoseconds, streams};

/// Requests before the clock starts.
const WARM: u32 = 50;

/// Asks a few times, so that the path is warm and the subject has seen the size.
pub(super) fn warm(stream: &mut TcpStream, bytes: u32) -> io::Result<()> {
    let mut message = vec![b'x'; bytes as usize];
    for _ in 0..WARM {
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
    }
    Ok(())
}

/// Asks until the time is over.
pub(super) fn run(
    stream: &mut TcpStream,
    bytes: u32,
    spin: bool,
    time: Duration,
) -> io::Result<Done> {
    let mut message = vec![b'x'; bytes as usize];
    let mut latency = histogram()?;
    let mut operations = 0;
    stream.set_nonblocking(spin)?;
    let begun = Instant::now();
    let mut before = begun;
    while before.duration_since(begun) < time {
        if spin {
            spin_around(stream, &mut message, before)?;
        } else {
            stream.write_all(&message)?;
            stream.read_exact(&mut message)?;
        }
        let after = Instant::now();
        latency.saturating_record(nanoseconds(after - before));
        operations += 1;
        before = after;
    }
    Ok(Done {
        operations,
        bytes: 2 * operations * u64::from(bytes),
        latency: Some(latency),
        ..Done::default()
    })
}

/// Connects, sends a byte, waits for it and closes, until the time is over.
pub(super) fn connect_run(spec: &LoadSpec, time: Duration) -> io::Result<Done> {
    let mut latency = histogram()?;
    let mut done = Done::default();
    let begun = Instant::now();
    let mut before = begun;
    let mut number = 0;
    while before.duration_since(begun) < time && done.errors <= MOST_ERRORS {
        let result = connect_once(spec, number);
        number += 1;
        let after = Instant::now();
        match result {
            Ok(()) => {
                latency.saturating_record(nanoseconds(after - before));
                done.operations += 1;
            }
            Err(_) => done.errors += 1,
        }
        before = after;
    }
    done.bytes = 2 * done.operations;
    done.latency = Some(latency);
    Ok(done)
}

fn connect_once(spec: &LoadSpec, number: usize) -> io::Result<()> {
    let mut stream = streams::open(spec, streams::ECHO, number)?;
    let mut byte = [b'x'];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)
}

/// Sends the message and takes its answer without ever sleeping; what one side cannot take yet waits for the other.
fn spin_around(stream: &mut TcpStream, message: &mut [u8], begun: Instant) -> io::Result<()> {
    let (mut sent, mut received) = (0, 0);
    let would_block = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    let mut idle = 0u32;
    while received < message.len() {
        if sent < message.len() {
            match stream.write(&message[sent..]) {
                Ok(bytes) => sent += bytes,
                Err(error) if would_block(&error) => {}
                Err(error) => return Err(error),
            }
        }
        match stream.read(&mut message[received..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => received += bytes,
            Err(error) if would_block(&error) => idle += 1,
            Err(error) => return Err(error),
        }
        if idle.is_multiple_of(1024) && begun.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}
