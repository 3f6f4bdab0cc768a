//! Changes of conversations whose captures are said to be complete: what a host does not do is seen too.

use crate::capture::{ACK, RST, SYN};
use crate::talk::{Segment, client, server};
use crate::talks::Talk;

/// Data one way, each piece acknowledged, and later another piece.
fn acknowledged() -> Vec<Segment> {
    vec![
        client(0.0, SYN, 0, 0, 0),
        server(0.5, SYN | ACK, 0, 1, 0),
        client(10.0, ACK, 1, 1, 0),
        client(20.0, ACK, 1, 1, 500),
        server(20.5, ACK, 1, 501, 0),
        client(30.0, ACK, 501, 1, 500),
        server(30.5, ACK, 1, 1001, 0),
        client(2_000.0, ACK, 1001, 1, 500),
        server(2_000.5, ACK, 1, 1501, 0),
    ]
}

/// A connection that is reset.
fn reset() -> Vec<Segment> {
    let mut all = acknowledged();
    all.push(server(2_010.0, ACK, 1, 1501, 500));
    all.push(client(2_020.0, ACK, 1501, 501, 0));
    all.push(client(2_030.0, RST, 1501, 0, 0));
    all
}

pub(crate) static TALKS: &[Talk] = &[
    Talk {
        rule: "J-ACK-01",
        good: acknowledged,
        // The second piece does not arrive; the acknowledgement of the third covers it too.
        change: |segments| {
            segments.drain(5..7);
        },
        also: &[],
    },
    Talk {
        rule: "J-RST-01",
        good: reset,
        change: |segments| segments.push(server(2_100.0, ACK, 501, 1501, 500)),
        also: &[],
    },
    Talk {
        rule: "W-ACK-01",
        good: acknowledged,
        // Nothing is acknowledged any more.
        change: |segments| {
            for at in [8, 6] {
                segments.remove(at);
            }
        },
        also: &[],
    },
    Talk {
        rule: "W-ACK-04",
        good: acknowledged,
        // The second piece does not arrive, and the third is not answered.
        change: |segments| {
            segments.truncate(8);
            segments.drain(5..7);
            segments.push(client(2_100.0, ACK, 1501, 1, 500));
        },
        also: &[],
    },
];
