//! Connections that come, say something, and go; and those that stay.

use super::{Measured, Required, cpu_time};
use crate::stats::Summary;
use netstack_core::{SocketId, TcpConfig};
use suite::calls::{read, write};
use suite::crowd::Crowd;

/// Connections at a time.
const TOGETHER: usize = 64;
const MESSAGE: &[u8] = b"a request, and its answer";

/// Connections that are opened, used for a message and its echo, and closed, in a second of the processor, both ends
/// counted; `count` of them in each of `rounds`. `None` for none.
///
/// # Panics
///
/// When a connection is not as it should be.
pub fn churn(count: usize, rounds: usize) -> Option<Measured> {
    let mut crowd = Crowd::new(&TcpConfig::default());
    // The pools are filled and the tables have grown.
    serve(&mut crowd, TOGETHER);
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let before = cpu_time();
        let mut left = count;
        while left > 0 {
            let some = left.min(TOGETHER);
            serve(&mut crowd, some);
            left -= some;
        }
        let used = cpu_time().saturating_sub(before);
        rates.push(count as f64 / used.as_secs_f64());
    }
    Some(Measured {
        name: "connect, echo, close",
        unit: "connections/s of a core",
        rows: vec![(TOGETHER, Summary::of(&rates)?)],
        required: Required::AtLeast(100_000.0),
    })
}

/// How long one handshake takes, both ends together, as `count` connections are opened one after the other and stay: of
/// the first tenth, and of the rest. The longest show what the growth of a table holds up. `None` for none.
///
/// # Panics
///
/// When a connection is not as it should be.
pub fn growth(count: usize) -> Option<Measured> {
    let mut crowd = Crowd::new(&TcpConfig::default());
    serve(&mut crowd, TOGETHER);
    let mut rows = Vec::new();
    for (until, some) in [(count / 10, count / 10), (count, count - count / 10)] {
        let mut times = Vec::with_capacity(some);
        for _ in 0..some {
            let before = cpu_time();
            crowd.connect(1, |_| {});
            times.push(cpu_time().saturating_sub(before).as_nanos() as f64);
        }
        rows.push((until, Summary::of(&times)?));
    }
    Some(Measured {
        name: "handshake while connections become many",
        unit: "ns of a core",
        rows,
        required: Required::Growth(2.0),
    })
}

fn serve(crowd: &mut Crowd, count: usize) {
    let mut connections: Vec<[SocketId; 2]> = Vec::with_capacity(count);
    crowd.connect(count, |ends| connections.push(ends));
    for (from, to) in [(0, 1), (1, 0)] {
        for ends in &connections {
            let sent = write(&mut crowd.ends[from].stack, ends[from], MESSAGE);
            assert_eq!(sent, Ok(MESSAGE.len()));
        }
        crowd.settle();
        for ends in &connections {
            let heard = read(&mut crowd.ends[to].stack, ends[to], MESSAGE.len());
            assert_eq!(heard.as_deref(), Ok(MESSAGE));
        }
    }
    for end in [0, 1] {
        let now = crowd.now;
        for ends in &connections {
            if end == 1 {
                let heard = read(&mut crowd.ends[1].stack, ends[1], 1);
                assert_eq!(heard.as_deref(), Ok(&[] as &[u8]), "the end of the stream");
            }
            crowd.ends[end].stack.close(now, ends[end]);
        }
        crowd.settle();
    }
}
