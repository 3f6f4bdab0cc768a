//! What becomes of a connection: who opens it when, and what the applications at its ends do.

use super::pace::Pace;
use core::time::Duration;
use netstack_core::SocketOption;

/// One connection of a world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which of the world's connections it is: none carries the bytes of another.
    pub number: usize,
    /// Whether it is one over IPv6.
    pub v6: bool,
    /// The host that connects.
    pub opener: usize,
    /// The port that the other one listens on.
    pub port: u16,
    /// From the beginning of the world until it is opened.
    pub after: Duration,
    /// What the applications on host 0 and 1 do.
    pub ends: [Habits; 2],
}

/// What one application does.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Bytes that it sends.
    pub size: u64,
    /// How it writes them.
    pub writes: Pace,
    /// When it shuts down its half.
    pub finishes: Finish,
    /// How it reads what the other sends.
    pub reads: Pace,
    /// What it sets as soon as it has the socket.
    pub options: Vec<SocketOption>,
    /// What it sets later: how long after that, in order.
    pub later: Vec<(Duration, SocketOption)>,
}

/// When an application that has written everything says so.
#[derive(Clone, Copy, Debug)]
pub enum Finish {
    /// With the last byte.
    AtOnce,
    /// So long after it.
    After(Duration),
    /// When it has read everything that the other sends, its end not counted.
    WhenRead,
}

impl Plan {
    /// A connection from host 0 to `port` of host 1, at once, that carries `size` bytes each way as fast as it can.
    pub fn plain(v6: bool, port: u16, size: u64) -> Plan {
        let habits = Habits {
            size,
            writes: Pace::AtOnce,
            finishes: Finish::AtOnce,
            reads: Pace::AtOnce,
            options: Vec::new(),
            later: Vec::new(),
        };
        Plan {
            number: 0,
            v6,
            opener: 0,
            port,
            after: Duration::ZERO,
            ends: [habits.clone(), habits],
        }
    }
}
