//! An idle stack uses no CPU, unless it is told to watch. A test binary of its own, so that all loop threads are its own;
//! one test, so that the loops of another do not count.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use common::{Pair, at};
use netstack::drivers::impair::Impairments;
use netstack::drivers::memory::pair;
use netstack::net::TcpStream;
use netstack::services::Echo;
use netstack::{Bridge, Interface};

/// Nanoseconds of CPU that the threads of this name have used, and how often they went to sleep.
fn used_by(thread: &str) -> (u64, u64) {
    let (mut nanos, mut sleeps) = (0, 0);
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        if fs::read_to_string(task.join("comm")).unwrap().trim() != thread {
            continue;
        }
        let schedstat = fs::read_to_string(task.join("schedstat")).unwrap();
        nanos += schedstat.split(' ').next().unwrap().parse::<u64>().unwrap();
        let status = fs::read_to_string(task.join("status")).unwrap();
        let switches = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sleeps += switches.unwrap().trim().parse::<u64>().unwrap();
    }
    (nanos, sleeps)
}

#[test]
fn idle_connections_cost_nothing() {
    idle_connection_costs_nothing(Duration::ZERO);
    // Watching ends, too.
    idle_connection_costs_nothing(Duration::from_millis(50));
    exchanges_while_watching_sleep_seldom();
}

fn watching_pair(busy_poll: Duration) -> Pair {
    Pair::with(
        common::link(),
        |server| server.service(Echo::new([at(7)])).busy_poll(busy_poll),
        |client| client.busy_poll(busy_poll),
    )
}

fn exchanges_while_watching_sleep_seldom() {
    const EXCHANGES: u64 = 2000;
    let pair = watching_pair(Duration::from_millis(50));
    let mut stream = TcpStream::connect(&pair.client, at(7)).unwrap();
    let (_, before) = used_by("netstack-loop");
    for _ in 0..EXCHANGES {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
    }
    let (_, after) = used_by("netstack-loop");
    // A loop that does not watch sleeps more than twice for each; one that does, only when something else takes the core.
    assert!(
        after - before < EXCHANGES / 2,
        "{} sleeps in {EXCHANGES} exchanges",
        after - before
    );
    drop(stream);
    pair.finish();
}

fn idle_connection_costs_nothing(busy_poll: Duration) {
    let pair = watching_pair(busy_poll);
    let mut stream = TcpStream::connect(&pair.client, at(7)).unwrap();
    stream.write_all(b"hello").unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    thread::scope(|scope| {
        let waiting = stream.try_clone().unwrap();
        waiting
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        // Somebody waits for data, which is no reason to be busy either.
        scope.spawn(move || (&waiting).read(&mut [0; 1]).map(drop).unwrap_err());
        // Delayed acknowledgements and retransmission timers run out.
        thread::sleep(Duration::from_millis(600));
        let (before, sleeps_before) = used_by("netstack-loop");
        thread::sleep(Duration::from_millis(300));
        let (after, sleeps_after) = used_by("netstack-loop");
        assert!(before > 0, "the loop threads were found");
        assert!(
            after - before < 1_000_000,
            "{} ns of CPU in 300 ms of idleness",
            after - before
        );
        assert!(
            sleeps_after - sleeps_before <= 2,
            "{} wake-ups in 300 ms",
            sleeps_after - sleeps_before
        );
    });
    drop(stream);
    pair.finish();
}

#[test]
fn an_idle_bridge_costs_nothing() {
    let slow = Impairments {
        delay: Duration::from_millis(1),
        rate: Some(1_000_000),
        ..Impairments::default()
    };
    let ((_one, left), (right, _other)) =
        (pair(common::link()).unwrap(), pair(common::link()).unwrap());
    let side = |name: &str, end, address| Interface::new(name, end).address(common::cidr(address));
    let _bridge = Bridge::route(
        side("left", left, "10.0.1.1/24"),
        side("right", right, "10.0.2.1/24"),
    )
    .left_to_right(slow.pipeline(1, 0))
    .start()
    .unwrap();
    thread::sleep(Duration::from_millis(100));
    let (before, sleeps_before) = used_by("netstack-bridge");
    thread::sleep(Duration::from_millis(300));
    let (after, sleeps_after) = used_by("netstack-bridge");
    assert!(before > 0, "the thread was found");
    assert!(after - before < 1_000_000 && sleeps_after - sleeps_before <= 1);
}
