//! What very many connections cost that do nothing: memory, and little of that.

use core::time::Duration;
use netstack_core::{SocketId, TcpConfig};
use suite::calls::{read, write};
use suite::crowd::Crowd;

/// What an end may add to the memory of the process, tables included.
const PER_END: usize = 1024;
/// Connections that are used at a time.
const BATCH: usize = 256;

/// Bytes of the process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0) * 1024
}

/// A question and an answer on each.
fn exchange(crowd: &mut Crowd, connections: &[[SocketId; 2]]) {
    const MESSAGE: &[u8] = b"how do you do?";
    for (from, to) in [(0, 1), (1, 0)] {
        for ends in connections {
            let sent = write(&mut crowd.ends[from].stack, ends[from], MESSAGE);
            assert_eq!(sent, Ok(MESSAGE.len()));
        }
        crowd.settle();
        for ends in connections {
            let heard = read(&mut crowd.ends[to].stack, ends[to], 100);
            assert_eq!(heard.as_deref(), Ok(MESSAGE));
        }
        crowd.settle();
    }
}

/// Holds `count` connections to the limit, new ones, and after each was used.
fn hold_to_the_limit(count: usize) {
    let mut crowd = Crowd::new(&TcpConfig::default());
    // Segments that pools keep, a listener and the queues of the link are there before.
    let mut first = Vec::new();
    crowd.connect(BATCH, |ends| first.push(ends));
    exchange(&mut crowd, &first);
    let mut connections: Vec<[SocketId; 2]> = vec![first[0]; count];
    connections.clear();
    let before = resident();
    let check = |crowd: &mut Crowd, which: &str| {
        crowd.rest(Duration::from_secs(10));
        let per_end = resident().saturating_sub(before) / (2 * count);
        println!("{per_end} bytes for each end of {count} {which} connections");
        assert!(per_end <= PER_END, "{per_end} bytes: {which}");
    };
    crowd.connect(count, |ends| connections.push(ends));
    check(&mut crowd, "new");
    for some in connections.chunks(BATCH) {
        exchange(&mut crowd, some);
    }
    check(&mut crowd, "used");
    for end in &crowd.ends {
        assert_eq!(end.stack.tcp_connections().count(), count + BATCH);
    }
}

#[test]
fn an_idle_end_takes_less_than_a_kibibyte() {
    hold_to_the_limit(20_000);
}

/// `cargo test --release -p suite --test many_connections -- --ignored --nocapture`
#[test]
#[ignore = "takes 2 GB of memory and a minute"]
fn each_end_of_a_million_idle_connections_takes_less_than_a_kibibyte() {
    hold_to_the_limit(1_000_000);
}
