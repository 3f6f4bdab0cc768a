//! Streams: as many bytes as go in the time.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::epoll;

use super::{Done, PATIENCE};
use crate::sys;

/// Bytes for one call.
const BLOCK: usize = 128 << 10;
/// Streams that stall so many times in succession have failed.
const MOST_STALLS: u64 = 3;

/// Sends on `ins` and receives from `outs` until the time is over. What was sent but not acknowledged does not count.
pub(super) fn run(ins: &[TcpStream], outs: &[TcpStream], time: Duration) -> io::Result<Done> {
    let until = Instant::now() + time;
    let (sent, received) = match (ins, outs) {
        (ins, []) => (drive(ins, Direction::In, until), Ok(Done::default())),
        ([], outs) => (Ok(Done::default()), drive(outs, Direction::Out, until)),
        (ins, outs) => thread::scope(|scope| {
            let sending = scope.spawn(|| drive(ins, Direction::In, until));
            let received = drive(outs, Direction::Out, until);
            let panicked = |_| Err(io::Error::other("the sending thread panicked"));
            (sending.join().unwrap_or_else(panicked), received)
        }),
    };
    let (sent, received) = (sent?, received?);
    let waiting = ins
        .iter()
        .map(sys::unacknowledged)
        .sum::<io::Result<u64>>()?;
    Ok(Done {
        bytes: sent.bytes.saturating_sub(waiting) + received.bytes,
        errors: sent.errors + received.errors,
        ..Done::default()
    })
}

#[derive(Clone, Copy)]
enum Direction {
    In,
    Out,
}

fn drive(streams: &[TcpStream], direction: Direction, until: Instant) -> io::Result<Done> {
    let mut block = vec![b'x'; BLOCK];
    match streams {
        [stream] => drive_one(stream, direction, &mut block, until),
        streams => drive_many(streams, direction, &mut block, until),
    }
}

fn drive_one(
    stream: &TcpStream,
    direction: Direction,
    block: &mut [u8],
    until: Instant,
) -> io::Result<Done> {
    let mut done = Done::default();
    while Instant::now() < until {
        match turn(stream, direction, block) {
            Ok(bytes) => done.bytes += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                done.errors += 1;
                if done.errors > MOST_STALLS {
                    return Err(stalled());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn drive_many(
    streams: &[TcpStream],
    direction: Direction,
    block: &mut [u8],
    until: Instant,
) -> io::Result<Done> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let interest = match direction {
        Direction::In => epoll::EventFlags::OUT,
        Direction::Out => epoll::EventFlags::IN,
    };
    for (number, stream) in streams.iter().enumerate() {
        stream.set_nonblocking(true)?;
        epoll::add(
            &epoll,
            stream,
            epoll::EventData::new_u64(number as u64),
            interest,
        )?;
    }
    let mut events = Vec::with_capacity(64);
    let mut done = Done::default();
    let mut last = Instant::now();
    loop {
        let now = Instant::now();
        if now >= until {
            return Ok(done);
        }
        if now.duration_since(last) > PATIENCE {
            return Err(stalled());
        }
        let wait = (until - now)
            .min(PATIENCE)
            .as_nanos()
            .try_into()
            .unwrap_or(i64::MAX);
        let wait = rustix::time::Timespec {
            tv_sec: wait / 1_000_000_000,
            tv_nsec: wait % 1_000_000_000,
        };
        events.clear();
        epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&wait),
        )?;
        for event in &events {
            let Some(stream) = streams.get(event.data.u64() as usize) else {
                continue;
            };
            match turn(stream, direction, block) {
                Ok(bytes) => {
                    done.bytes += bytes;
                    last = now;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn turn(mut stream: &TcpStream, direction: Direction, block: &mut [u8]) -> io::Result<u64> {
    let bytes = match direction {
        Direction::In => stream.write(block)?,
        Direction::Out => match stream.read(block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => bytes,
        },
    };
    Ok(bytes as u64)
}

fn stalled() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the streams stand still")
}
