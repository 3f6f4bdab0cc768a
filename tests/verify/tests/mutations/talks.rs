//! Changes of written conversations.

use crate::capture::{ACK, CWR, ECE, FIN, PSH, RST, SYN};
use crate::talk::{Segment, Style, client, delay, server};

type Conversation = fn() -> Vec<Segment>;

/// A conversation that is right, and what breaks it.
pub(crate) struct Talk {
    pub(crate) rule: &'static str,
    pub(crate) good: Conversation,
    pub(crate) change: fn(&mut Vec<Segment>),
    pub(crate) also: &'static [&'static str],
}

/// The handshake, and what comes after it.
pub(crate) fn after_handshake(more: impl IntoIterator<Item = Segment>) -> Vec<Segment> {
    let mut all = vec![
        client(0.0, SYN, 0, 0, 0),
        server(0.5, SYN | ACK, 0, 1, 0),
        client(1.0, ACK, 1, 1, 0),
    ];
    all.extend(more);
    all
}

/// All segments in another style.
pub(crate) fn styled(style: Style, mut segments: Vec<Segment>) -> Vec<Segment> {
    for segment in &mut segments {
        segment.style = style;
    }
    segments
}

/// Another connection that is refused, so that the capture goes on until then.
pub(crate) fn clock(ms: f64) -> [Segment; 2] {
    [
        client(ms, SYN, 0, 0, 0).port(9).start(77_777),
        Segment {
            seq: 0u32.wrapping_sub(0x7abc_def0),
            ..server(ms + 0.5, RST | ACK, 0, 1, 0).port(9).start(77_777)
        },
    ]
}

/// `count` segments of 500 bytes from `seq` on, and the acknowledgement of them all.
pub(crate) fn flight(ms: f64, seq: u32, count: u32) -> Vec<Segment> {
    let data = |at: u32| {
        let push = if at + 1 == count { PSH } else { 0 };
        client(
            ms + f64::from(at) / 1000.0,
            ACK | push,
            seq + 500 * at,
            1,
            500,
        )
    };
    let mut all: Vec<Segment> = (0..count).map(data).collect();
    all.push(server(ms + 1.0, ACK, 1, seq + 500 * count, 0));
    all
}

/// Makes the flight that ends `segments` longer by `count`.
pub(crate) fn lengthen(segments: &mut Vec<Segment>, count: u32) {
    let mut end = segments.pop().unwrap();
    let last = segments.last().unwrap().clone();
    for at in 1..=count {
        let mut next = last.clone();
        next.seq += 500 * at;
        next.micros += u64::from(at);
        segments.push(next);
    }
    end.ack += 500 * count;
    segments.push(end);
}

/// A segment, what was sent again at these times, and the acknowledgement. The capture is beside the client alone.
pub(crate) fn timeouts(again: &[f64]) -> Vec<Segment> {
    let mut all = vec![
        client(0.0, SYN, 0, 0, 0),
        server(8.0, SYN | ACK, 0, 1, 0),
        client(8.5, ACK, 1, 1, 0),
        client(10.0, ACK, 1, 1, 500),
    ];
    all.extend(again.iter().map(|&ms| client(ms, ACK, 1, 1, 500)));
    let end = again.last().unwrap() + 1.0;
    all.push(server(end, ACK, 1, 501, 0));
    all
}

/// Probes of a shut window at these times, each answered.
pub(crate) fn probes(times: &[f64]) -> Vec<Segment> {
    let mut all = after_handshake([
        client(10.0, ACK, 1, 1, 500),
        server(10.5, ACK, 1, 501, 0).window(0),
    ]);
    all[1].window = 500;
    for &ms in times {
        all.push(client(ms, ACK, 501, 1, 1));
        all.push(server(ms + 0.5, ACK, 1, 501, 0).window(0));
    }
    let end = times.last().unwrap() + 1.0;
    all.push(server(end, ACK, 1, 501, 0));
    all.push(client(end + 0.2, ACK, 501, 1, 500));
    all.push(server(end + 0.4, ACK, 1, 1001, 0));
    all
}

/// Both sides close, and the client opens another connection whose number is `start` further on.
fn reopened(start: u32) -> Vec<Segment> {
    let mut all = after_handshake([
        client(10.0, FIN | ACK, 1, 1, 0),
        server(10.5, FIN | ACK, 1, 2, 0),
        client(11.0, ACK, 2, 2, 0),
    ]);
    all.push(client(2000.0, SYN, 0, 0, 0).start(start));
    all
}

pub(crate) static TALKS: &[Talk] = &[
    Talk {
        rule: "W-TCPHS-12",
        good: || after_handshake(flight(10.0, 1, 29)),
        change: |talk| lengthen(talk, 3),
        also: &[],
    },
    Talk {
        rule: "W-CC-06",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            all.extend(flight(20.0, 501, 33));
            all
        },
        change: |talk| lengthen(talk, 3),
        also: &[],
    },
    Talk {
        rule: "W-TCPHS-08",
        good: || {
            let asked = [5u32, 912_345, 44, 7_654_321].into_iter().enumerate();
            asked
                .map(|(at, start)| {
                    client(at as f64 * 10.0, SYN, 0, 0, 0)
                        .port(at as u16)
                        .start(start)
                })
                .collect()
        },
        change: |talk| {
            for (segment, at) in talk.iter_mut().zip(0..) {
                segment.start = 64_000 * at;
            }
        },
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-04",
        good: || probes(&[310.0, 910.0]),
        change: |talk| talk[5].len = 20,
        also: &["W-TCPSEQ-07"],
    },
    Talk {
        rule: "W-TCPSEQ-03",
        good: || {
            let mut all = after_handshake([
                client(10.0, ACK, 1, 1, 500),
                server(10.5, ACK, 1, 501, 0).window(1_000),
                client(20.0, ACK, 501, 1, 500),
                client(20.1, ACK, 1_001, 1, 500),
                server(21.0, ACK, 1, 1_501, 0),
                client(400.0, ACK, 1_501, 1, 500),
                server(400.5, ACK, 1, 2_001, 0),
            ]);
            all[1].window = 1_000;
            all
        },
        // It was sent before, which the server has not taken.
        change: |talk| talk.push(client(20.2, ACK, 1_501, 1, 500)),
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-05",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 4));
            all.extend(flight(20.0, 2001, 4));
            all
        },
        change: |talk| talk.last_mut().unwrap().window = 30_000,
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-12",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            all.push(client(20.0, SYN, 5000, 0, 0));
            all.push(server(20.5, ACK, 1, 501, 0));
            all
        },
        change: |talk| talk.last_mut().unwrap().flags = RST | ACK,
        also: &[],
    },
    Talk {
        rule: "W-TCPHS-06",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            all.push(server(20.5, RST, 1, 0, 0));
            all
        },
        change: |talk| talk.last_mut().unwrap().seq = 78,
        also: &[],
    },
    Talk {
        rule: "W-TCPHS-07",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            all.push(client(20.5, RST | ACK, 501, 1, 0));
            all
        },
        change: |talk| talk.push(server(21.0, RST | ACK, 1, 501, 0)),
        also: &[],
    },
    Talk {
        rule: "W-ACK-03",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            all.push(server(20.0, ACK | PSH, 1, 501, 100));
            all.push(client(50.0, ACK, 501, 101, 0));
            all
        },
        change: |talk| {
            let end = talk.pop().unwrap();
            talk.extend((1..20).map(|at| server(20.0 + f64::from(at), ACK, 101, 501, 0)));
            talk.push(end);
        },
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-01",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            for at in 0..9 {
                let ms = 20.0 + f64::from(at);
                all.push(client(ms, ACK, 501 + 560 * at, 1, 560));
                all.push(server(ms + 0.5, ACK, 1, 1061 + 560 * at, 0));
            }
            all.push(client(50.0, ACK, 5541, 1, 560));
            all.push(server(50.5, ACK, 1, 6101, 0));
            all
        },
        change: |talk| {
            talk[23].len = 600;
            talk[24].ack += 40;
        },
        also: &[],
    },
    Talk {
        rule: "W-ACK-09",
        good: || after_handshake(flight(10.0, 1, 1)),
        change: |talk| {
            for at in 0..4 {
                let ms = 20.0 + f64::from(at);
                talk.push(client(ms, ACK, 501, 1, 0));
                talk.push(server(ms + 0.5, ACK, 1, 501, 0));
            }
        },
        also: &[],
    },
    Talk {
        rule: "W-ACK-04",
        good: holes,
        change: |talk| delay(talk, 6, 100),
        also: &[],
    },
    Talk {
        rule: "W-ACK-05",
        good: holes,
        change: |talk| delay(talk, 10, 100),
        also: &[],
    },
    Talk {
        rule: "W-SACK-06",
        good: holes,
        change: |talk| talk[8].sack.reverse(),
        also: &[],
    },
    Talk {
        rule: "W-SACK-10",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 6));
            let end = all.pop().unwrap();
            all.push(server(15.0, ACK, 1, 1, 0).sack(&[(501, 2001)]));
            all.push(client(15.5, ACK, 1, 1, 500));
            all.push(Segment {
                micros: 20_000,
                ..end
            });
            all
        },
        change: |talk| talk.insert(talk.len() - 1, client(15.6, ACK, 501, 1, 500)),
        also: &[],
    },
    Talk {
        rule: "W-RTX-02",
        good: || timeouts(&[310.0, 910.0, 2110.0, 4510.0]),
        change: |talk| delay(talk, 7, -1700),
        also: &[],
    },
    Talk {
        rule: "W-RTX-03",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 3));
            let end = all.pop().unwrap();
            all.push(client(400.0, ACK, 1, 1, 500));
            all.push(Segment {
                micros: 400_500,
                ..end
            });
            all
        },
        change: |talk| talk[6].seq = 501,
        also: &[],
    },
    Talk {
        rule: "W-RTX-06",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 5));
            let end = all.pop().unwrap();
            all.extend((0..3).map(|at| server(15.0 + f64::from(at) / 10.0, ACK, 1, 1, 0)));
            all.push(client(15.5, ACK, 1, 1, 500));
            all.push(Segment {
                micros: 16_000,
                ..end
            });
            styled(Style::Plain, all)
        },
        change: |talk| {
            talk.remove(8);
        },
        also: &[],
    },
    Talk {
        rule: "W-RTX-10",
        good: || {
            let mut all =
                after_handshake([client(10.0, FIN | ACK, 1, 1, 0), server(10.5, ACK, 1, 2, 0)]);
            all.extend(clock(20_000.0));
            all
        },
        change: |talk| {
            talk.remove(4);
        },
        also: &["W-ACK-01"],
    },
    Talk {
        rule: "W-TS-03",
        good: stamped,
        change: |talk| {
            for segment in talk {
                let (own, echo) = segment.stamps;
                segment.stamps = if segment.is_clients {
                    (own * 9, echo)
                } else {
                    (own, echo * 9)
                };
            }
        },
        also: &[],
    },
    Talk {
        rule: "W-ZWP-01",
        good: || probes(&[310.0, 910.0]),
        change: |talk| delay(talk, 5, -250),
        also: &[],
    },
    Talk {
        rule: "W-ZWP-03",
        good: || probes(&[310.0, 910.0, 2110.0]),
        change: |talk| {
            talk.remove(8);
            talk.remove(6);
        },
        also: &[],
    },
    Talk {
        rule: "W-ZWP-07",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 1));
            for ms in [3000.0, 6000.0, 9000.0] {
                all.push(client(ms, ACK, 500, 1, 0));
                all.push(server(ms + 0.5, ACK, 1, 501, 0));
            }
            all
        },
        change: |talk| talk.retain(|segment| segment.is_clients || segment.micros < 1_000_000),
        also: &[],
    },
    Talk {
        rule: "W-CLOSE-02",
        good: || reopened(1_000_000),
        change: |talk| talk.last_mut().unwrap().start = 0u32.wrapping_sub(1_000_000),
        also: &[],
    },
    Talk {
        rule: "W-CLOSE-04",
        good: || {
            let mut all = after_handshake([
                server(10.0, FIN | ACK, 1, 1, 0),
                client(10.5, ACK, 1, 2, 0),
                client(11.0, ACK, 1, 2, 500),
                server(11.5, ACK, 2, 501, 0),
            ]);
            all.extend(clock(5000.0));
            all
        },
        change: |talk| {
            talk.remove(6);
        },
        also: &["W-ACK-01"],
    },
    Talk {
        rule: "W-CLOSE-06",
        good: || {
            let mut all = after_handshake([
                server(10.0, FIN | ACK, 1, 1, 0),
                client(10.1, FIN | ACK, 1, 1, 0),
                client(10.5, ACK, 2, 2, 0),
                server(11.5, ACK, 2, 2, 0),
            ]);
            all.extend(clock(5000.0));
            all
        },
        change: |talk| {
            talk.remove(6);
        },
        also: &["W-ACK-01"],
    },
    Talk {
        rule: "W-ECN-03",
        good: || {
            let mut all =
                after_handshake([server(10.0, ACK, 1, 1, 500), client(10.5, ACK, 1, 501, 0)]);
            all[0].flags |= ECE | CWR;
            all[1].flags |= ECE;
            all
        },
        change: |talk| talk.last_mut().unwrap().flags |= CWR,
        also: &[],
    },
];

/// Conversations of which nothing is to be said.
pub(crate) static RIGHT: &[(&str, Conversation)] = &[
    ("keep-alives before any data", || {
        let mut all = after_handshake([]);
        for ms in [3000.0, 6000.0, 9000.0] {
            all.push(client(ms, ACK, 0, 1, 0));
            all.push(server(ms + 0.5, ACK, 1, 1, 0));
            all.push(server(ms + 1000.0, ACK, 0, 1, 0));
            all.push(client(ms + 1000.5, ACK, 1, 1, 0));
        }
        all
    }),
    ("what fills a hole behind its time is dropped", || {
        let mut all = holes();
        all[9].micros += 400_000;
        all[10].micros += 400_000;
        all[11].micros += 400_000;
        all[12].micros += 400_000;
        all = stamped_by_time(all);
        all[9].stamps.0 -= 500;
        all[10].stamps.1 = all[3].stamps.0;
        all[10].ack = 501;
        all[10].sack = vec![(2001, 2501), (1001, 1501)];
        all[10].micros += 60_000;
        all.truncate(11);
        all
    }),
    ("segments that are cut after the capture", || {
        after_handshake([
            client(10.0, ACK | PSH, 1, 1, 900),
            server(10.5, ACK, 1, 901, 0),
            client(20.0, ACK | PSH, 901, 1, 700),
            server(20.5, ACK, 1, 1601, 0),
        ])
    }),
];

/// Two segments beyond a hole each, and then what was missing.
pub(crate) fn holes() -> Vec<Segment> {
    after_handshake([
        client(10.0, ACK, 1, 1, 500),
        server(10.5, ACK, 1, 501, 0),
        client(20.0, ACK, 1001, 1, 500),
        server(20.5, ACK, 1, 501, 0).sack(&[(1001, 1501)]),
        client(21.0, ACK, 2001, 1, 500),
        server(21.5, ACK, 1, 501, 0).sack(&[(2001, 2501), (1001, 1501)]),
        client(22.0, ACK, 501, 1, 500),
        server(22.5, ACK, 1, 1501, 0).sack(&[(2001, 2501)]),
        client(23.0, ACK, 1501, 1, 500),
        server(23.5, ACK, 1, 2501, 0),
    ])
}

/// A segment every three seconds, with timestamps of a thousand ticks a second.
pub(crate) fn stamped() -> Vec<Segment> {
    let mut all = after_handshake([]);
    for at in 0..5u32 {
        all.extend(flight(10.0 + 3000.0 * f64::from(at), 1 + 500 * at, 1));
    }
    stamped_by_time(all)
}

pub(crate) fn stamped_by_time(mut all: Vec<Segment>) -> Vec<Segment> {
    let mut last = [0u32; 2];
    for segment in &mut all {
        let value = 1000 + (segment.micros / 1000) as u32;
        let (own, other) = if segment.is_clients { (0, 1) } else { (1, 0) };
        segment.stamps = (value, last[other]);
        last[own] = value;
    }
    styled(Style::Stamped, all)
}
