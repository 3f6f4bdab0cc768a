use super::Observer;
use crate::sim::World;
use crate::wire::{ACK, FIN, SYN, Tcp, options};
use core::time::Duration;
use netstack_core::Instant;
use std::panic::{AssertUnwindSafe, catch_unwind};

const SCALE: u8 = 2;

/// A segment of host `from`; numbers count from each side's initial one, which is where the circle ends.
fn segment(from: usize, seq: u32, ack: u32, payload: &[u8]) -> Tcp {
    let ports = [40_000, 7];
    Tcp {
        src: World::address(from, false, ports[from]),
        dst: World::address(1 - from, false, ports[1 - from]),
        seq: seq.wrapping_sub(2),
        ack: ack.wrapping_sub(2),
        flags: ACK,
        window: 250,
        urgent: 0,
        options: Vec::new(),
        payload: payload.to_vec(),
    }
}

/// Sends it, and has it arrive.
fn pass(observer: &mut Observer, from: usize, tcp: &Tcp) {
    pass_at(observer, Instant::ZERO, from, tcp);
}

fn pass_at(observer: &mut Observer, now: Instant, from: usize, tcp: &Tcp) {
    let seen = observer.on_send(now, from, &tcp.to_packet());
    observer.on_arrive(now, 1 - from, &seen.expect("a segment"), true);
}

/// The observer complains of what `broken` does, and says `rule`.
fn refused(rule: &str, broken: impl FnOnce()) {
    let refused = catch_unwind(AssertUnwindSafe(broken));
    let words = refused.expect_err(rule);
    let words = words.downcast_ref::<String>().expect("words");
    assert!(words.contains(rule), "{rule}: {words}");
}

/// After a handshake and ten bytes of host 0 that are acknowledged, with windows of 1,000 bytes.
fn established() -> Observer {
    let mut observer = Observer::new(0);
    let syn = Tcp {
        flags: SYN,
        options: options::window_scale(SCALE),
        ..segment(0, 0, 0, b"")
    };
    pass(&mut observer, 0, &syn);
    let answer = Tcp {
        flags: SYN | ACK,
        options: options::window_scale(SCALE),
        ..segment(1, 0, 1, b"")
    };
    pass(&mut observer, 1, &answer);
    pass(&mut observer, 0, &segment(0, 1, 1, b"0123456789"));
    pass(&mut observer, 1, &segment(1, 1, 11, b""));
    observer
}

#[test]
fn what_a_host_may_send_is_let_through() {
    let mut observer = established();
    pass(&mut observer, 0, &segment(0, 11, 1, &[0; 1_000]));
    // Again, a probe of one byte, a block, a FIN.
    pass(&mut observer, 0, &segment(0, 11, 1, &[0; 500]));
    pass(&mut observer, 0, &segment(0, 1_011, 1, &[0; 1]));
    let block = Tcp {
        options: options::sack(&[(100, 200)]),
        ..segment(1, 1, 11, b"")
    };
    pass(&mut observer, 1, &block);
    let fin = Tcp {
        flags: FIN | ACK,
        ..segment(1, 1, 1_012, b"")
    };
    pass(&mut observer, 1, &fin);
    pass(&mut observer, 0, &segment(0, 1_012, 2, b""));
    pass(&mut observer, 1, &segment(1, 2, 1_012, b""));
}

#[test]
fn what_has_numbers_is_answered_within_half_a_second() {
    let [soon, late] = [500, 501].map(Instant::from_millis);
    let (data, answer) = (segment(0, 11, 1, b"x"), segment(1, 1, 12, b""));
    let mut observer = established();
    pass(&mut observer, 0, &data);
    pass_at(&mut observer, soon, 1, &answer);
    // A bare acknowledgement is owed none.
    pass_at(&mut observer, late + Duration::from_secs(1), 1, &answer);
    for (from, tcp, words) in [(1, &answer, "answers late"), (0, &data, "does not answer")] {
        let mut observer = established();
        pass(&mut observer, 0, &data);
        refused(words, || pass_at(&mut observer, late, from, tcp));
    }
}

#[test]
fn every_rule_is_looked_at() {
    let smaller = Tcp {
        window: 249,
        ..segment(1, 1, 11, b"")
    };
    let other_syn = Tcp {
        flags: SYN,
        ..segment(0, 5, 0, b"")
    };
    let blocks = |blocks: &[(u32, u32)]| Tcp {
        options: options::sack(blocks),
        ..segment(1, 1, 11, b"")
    };
    let cases = [
        (0, segment(0, 12, 1, b"x"), "a gap"),
        (0, segment(0, 2, 1, b"x"), "acknowledged before"),
        (0, segment(0, 11, 1, &[0; 1_002]), "beyond the window"),
        (0, segment(0, 11, 2, b""), "what was not sent"),
        (0, other_syn, "another number"),
        (1, segment(1, 1, 10, b""), "takes an acknowledgement back"),
        (1, smaller, "takes room back"),
        (1, blocks(&[(9, 900)]), "a block of what was not sent"),
        (1, blocks(&[(2, 5), (4, 8)]), "a block without a hole"),
    ];
    for (from, tcp, rule) in cases {
        let mut observer = established();
        refused(rule, || pass(&mut observer, from, &tcp));
    }
}
