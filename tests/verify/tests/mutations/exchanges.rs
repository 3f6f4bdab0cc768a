//! Changes of written conversations: what is answered, and how a sender takes what it hears.

use crate::capture::{ACK, CWR, ECE, FIN, PSH, RST, SYN};
use crate::talk::{Segment, Style, client, delay, server};
use crate::talks::{
    Talk, after_handshake, clock, flight, holes, lengthen, probes, stamped, stamped_by_time,
};

/// The handshake, captured beside the server alone, and what comes after it.
fn beside_server(more: impl IntoIterator<Item = Segment>) -> Vec<Segment> {
    let mut all = vec![
        client(0.0, SYN, 0, 0, 0),
        server(0.5, SYN | ACK, 0, 1, 0),
        client(8.5, ACK, 1, 1, 0),
        client(10.0, ACK | PSH, 1, 1, 500),
        server(10.5, ACK, 1, 501, 0),
    ];
    all.extend(more);
    all
}

/// With timestamps, and with so much as this taken off that of the client's last segment but `place`.
fn late_stamp(all: Vec<Segment>, place: usize) -> Vec<Segment> {
    let mut all = stamped_by_time(all);
    let recent = all[3].stamps.0;
    all[place].stamps.0 = recent - 9;
    for segment in &mut all[place + 1..] {
        if !segment.is_clients {
            segment.stamps.1 = recent;
        }
    }
    all
}

/// Pairs of full segments, acknowledged together.
fn pairs(count: u32) -> Vec<Segment> {
    let mut all = after_handshake([]);
    for at in 0..count {
        let (ms, seq) = (10.0 + 10.0 * f64::from(at), 1 + 1120 * at);
        all.push(client(ms, ACK, seq, 1, 560));
        all.push(client(ms + 0.5, ACK | PSH, seq + 560, 1, 560));
        all.push(server(ms + 1.0, ACK, 1, seq + 1120, 0));
    }
    all
}

pub(crate) static TALKS: &[Talk] = &[
    Talk {
        rule: "W-TCPFMT-11",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 2));
            all.extend(flight(3000.0, 1001, 1));
            all
        },
        change: |talk| talk[4].flags = ACK,
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-14",
        good: || {
            let mut all =
                beside_server([client(20.0, RST, 601, 0, 0), server(20.5, ACK, 1, 501, 0)]);
            all.extend(clock(5000.0));
            all
        },
        change: |talk| {
            talk.remove(6);
        },
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-15",
        good: || beside_server([client(20.0, RST, 90_000, 0, 0)]),
        change: |talk| talk.push(server(20.5, ACK, 1, 501, 0)),
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-17",
        good: || {
            let mut all = beside_server([
                client(300.0, ACK | PSH, 1, 1, 500),
                server(300.5, ACK, 1, 501, 0),
            ]);
            all.extend(clock(5000.0));
            all
        },
        change: |talk| {
            talk.remove(6);
        },
        also: &[],
    },
    Talk {
        rule: "W-TCPSEQ-18",
        good: || {
            let mut all = beside_server([
                server(20.0, RST | ACK, 1, 501, 0),
                client(30.0, ACK | PSH, 501, 1, 500),
                server(30.5, RST, 1, 0, 0),
            ]);
            all.extend(clock(5000.0));
            all
        },
        change: |talk| {
            talk.remove(7);
        },
        also: &[],
    },
    Talk {
        rule: "W-TS-07",
        good: || {
            late_stamp(
                beside_server([
                    client(500.0, ACK | PSH, 501, 1, 500),
                    server(500.5, ACK, 1, 501, 0),
                ]),
                5,
            )
        },
        change: |talk| talk[6].ack = 1001,
        also: &[],
    },
    Talk {
        rule: "W-TS-08",
        good: || late_stamp(beside_server([client(500.0, RST | ACK, 501, 1, 0)]), 5),
        change: |talk| {
            let mut data = talk[4].clone();
            (data.micros, data.len, data.flags) = (600_000, 100, ACK | PSH);
            data.stamps.0 += 590;
            talk.push(data);
        },
        also: &[],
    },
    Talk {
        rule: "W-CLOSE-01",
        good: || {
            let mut all = beside_server([
                server(20.0, FIN | ACK, 1, 501, 0),
                client(28.0, FIN | ACK, 501, 2, 0),
                server(28.5, ACK, 2, 502, 0),
                client(300.0, FIN | ACK, 501, 2, 0),
                server(300.5, ACK, 2, 502, 0),
            ]);
            all.extend(clock(5000.0));
            all
        },
        change: |talk| {
            talk.remove(9);
        },
        also: &[],
    },
    Talk {
        rule: "W-ACK-02",
        good: || pairs(1),
        change: |talk| delay(talk, 5, 300),
        also: &[],
    },
    Talk {
        rule: "W-ACK-06",
        good: || pairs(110),
        change: |talk| {
            let firsts: Vec<Segment> = talk[3..].iter().step_by(3).cloned().collect();
            talk.extend(firsts.iter().map(|first| Segment {
                micros: first.micros + 200,
                ..server(0.0, ACK, 1, first.seq + 560, 0)
            }));
        },
        also: &[],
    },
    Talk {
        rule: "W-ACK-08",
        good: || after_handshake(flight(10.0, 1, 1)),
        change: |talk| talk.push(server(500.0, ACK, 1, 501, 0)),
        also: &[],
    },
    Talk {
        rule: "W-ACK-10",
        good: || {
            let mut all = probes(&[310.0, 910.0]);
            let place = all.len() - 2;
            all[place].len = 100;
            all[place + 1].ack = 601;
            all
        },
        change: |talk| {
            let place = talk.len() - 3;
            talk[place].window = 100;
        },
        also: &[],
    },
    Talk {
        rule: "W-SACK-08",
        good: || {
            beside_server([
                client(300.0, ACK | PSH, 1, 1, 500),
                server(300.5, ACK, 1, 501, 0).sack(&[(1, 501)]),
            ])
        },
        change: |talk| talk.push(server(320.0, ACK, 1, 501, 0).sack(&[(1, 501)])),
        also: &[],
    },
    Talk {
        rule: "W-SACK-09",
        good: holes,
        change: |talk| talk[8].sack.truncate(1),
        also: &[],
    },
    Talk {
        rule: "W-RTX-04",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 6));
            let mut end = all.pop().unwrap();
            end.micros = 318_000;
            all.push(client(310.0, ACK, 1, 1, 500));
            all.push(end);
            all
        },
        change: |talk| {
            let place = talk.len() - 1;
            for at in 1..3u32 {
                talk.insert(
                    place,
                    client(310.0 + f64::from(at), ACK, 1 + 500 * at, 1, 500),
                );
            }
        },
        also: &[],
    },
    Talk {
        rule: "W-RTX-05",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 6));
            let mut end = all.pop().unwrap();
            end.micros = 17_000;
            all.push(server(15.0, ACK, 1, 1, 0).sack(&[(501, 3001)]));
            all.push(client(15.5, ACK, 1, 1, 500));
            all.push(end);
            all
        },
        change: |talk| delay(talk, 10, 400),
        also: &[],
    },
    Talk {
        rule: "W-CC-05",
        good: || {
            let mut all = after_handshake(flight(10.0, 1, 29));
            all.extend(flight(40_000.0, 14_501, 29));
            all
        },
        change: |talk| lengthen(talk, 5),
        also: &[],
    },
    Talk {
        rule: "W-TS-05",
        good: stamped,
        change: |talk| {
            let (last, before) = (talk.len() - 1, talk.len() - 4);
            talk[last].stamps.1 = talk[before].stamps.0;
            talk[last].micros += 10_000;
        },
        also: &[],
    },
    Talk {
        rule: "W-TS-09",
        good: || {
            let asked = [
                (5u32, 77_000u32),
                (912_345, 4),
                (44, 9_000_000),
                (7_654_321, 800),
            ];
            let syn = |(at, (start, stamp))| Segment {
                stamps: (stamp, 0),
                style: Style::Stamped,
                ..client(f64::from(at) * 10.0, SYN, 0, 0, 0)
                    .port(at as u16)
                    .start(start)
            };
            (0u32..).zip(asked).map(syn).collect()
        },
        change: |talk| {
            for segment in talk {
                segment.stamps.0 = 5000 + (segment.micros / 1000) as u32;
            }
        },
        also: &[],
    },
    Talk {
        rule: "W-ECN-04",
        good: || {
            let mut all = after_handshake([
                client(10.0, ACK | PSH, 1, 1, 500),
                server(10.5, ACK | ECE, 1, 501, 0),
                client(20.0, ACK | PSH | CWR, 501, 1, 500),
                server(20.5, ACK, 1, 1001, 0),
                client(300.0, ACK | PSH, 1001, 1, 500),
                server(300.5, ACK, 1, 1501, 0),
            ]);
            all[0].flags |= ECE | CWR;
            all[1].flags |= ECE;
            all
        },
        change: |talk| talk[5].flags &= !CWR,
        also: &[],
    },
];
