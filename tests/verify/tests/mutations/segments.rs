//! Changes of TCP segments.

use std::time::Duration;

use crate::capture::{ACK, Capture, FIN, Frame, PSH, RST, SYN};
use crate::{Case, case};

fn data(frame: &Frame) -> bool {
    frame.is_tcp() && frame.is_clients() && frame.len() > 0
}

fn pure_ack(frame: &Frame) -> bool {
    frame.is_tcp() && !frame.is_clients() && frame.len() == 0 && frame.flags() == ACK
}

fn client_ack(frame: &Frame) -> bool {
    frame.is_tcp() && frame.is_clients() && frame.len() == 0 && frame.flags() == ACK
}

fn syn(frame: &Frame) -> bool {
    frame.is_tcp() && frame.flags() & (SYN | ACK) == SYN
}

fn syn_ack(frame: &Frame) -> bool {
    frame.is_tcp() && frame.flags() & (SYN | ACK) == SYN | ACK
}

fn fin(frame: &Frame) -> bool {
    frame.is_tcp() && frame.flags() & FIN != 0
}

fn reset(frame: &Frame) -> bool {
    frame.is_tcp() && frame.flags() & RST != 0
}

fn sack(frame: &Frame) -> bool {
    frame.is_tcp() && frame.flags() & SYN == 0 && frame.option(5).is_some()
}

fn edit(frame: &mut Frame, change: impl FnOnce(&mut Frame, usize)) {
    let at = frame.transport();
    change(frame, at);
    frame.mend();
}

/// Takes an option out, leaving padding.
fn strip(frame: &mut Frame, kind: u8) {
    let Some(body) = frame.option(kind) else {
        return;
    };
    let length = usize::from(frame.bytes[body - 1]);
    frame.bytes[body - 2..body - 2 + length].fill(1);
    frame.mend();
}

/// Puts `frame` after the one at `place`, `later` after it.
fn insert(capture: &mut Capture, place: usize, mut frame: Frame, later: Duration) {
    frame.time = capture.frames[place].time + later;
    let at = capture
        .frames
        .partition_point(|other| other.time <= frame.time);
    capture.frames.insert(at, frame);
}

const MS: Duration = Duration::from_millis(1);

pub(crate) static CASES: &[Case] = &[
    case("W-TCPFMT-01", "bulk4", &["W-ACK-03"], |c| {
        let frame = c.find(5, data);
        let at = frame.transport() + 16;
        frame.bytes[at] ^= 0x55;
        frame.bytes[at + 1] ^= 0x21;
    }),
    case("W-TCPFMT-02", "bulk4", &["W-ACK-03"], |c| {
        edit(c.find(5, data), |frame, at| frame.bytes[at + 12] = 0x40);
    }),
    case("W-TCPFMT-03", "bulk4", &["W-TS-01"], |c| {
        edit(c.find(5, data), |frame, _| {
            let body = frame.option(8).unwrap();
            frame.bytes[body - 1] = 9;
        });
    }),
    case("W-TCPFMT-04", "bulk4", &["W-TS-01"], |c| {
        edit(c.find(5, data), |frame, at| {
            frame.bytes[at + 20..at + 32].copy_from_slice(&[2, 4, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1])
        });
    }),
    case("W-TCPFMT-05", "bulk4", &["W-TCPSEQ-01"], |c| {
        edit(c.find(0, syn_ack), |frame, _| {
            let body = frame.option(2).unwrap();
            frame.put16(body, 555);
        });
    }),
    case("W-TCPFMT-06", "bulk4", &["W-TCPSEQ-05"], |c| {
        edit(c.find(0, syn_ack), |frame, _| {
            let body = frame.option(3).unwrap();
            frame.bytes[body] = 15;
        });
    }),
    case(
        "W-TCPFMT-07",
        "slow_start",
        &["W-TCPSEQ-03", "W-TCPSEQ-04", "W-TCPSEQ-05"],
        |c| strip(c.find(0, syn), 4),
    ),
    case("W-TCPFMT-08", "bulk4", &[], |c| {
        edit(c.find(5, data), |frame, at| frame.bytes[at + 12] |= 2);
    }),
    case(
        "W-TCPFMT-09",
        "bulk4",
        &["W-TCPFMT-10", "W-TCPSEQ-10", "W-TCPSEQ-11"],
        |c| {
            edit(c.find(0, fin), |frame, at| frame.bytes[at + 13] = FIN);
        },
    ),
    case("W-TCPFMT-10", "bulk4", &[], |c| {
        edit(
            c.find(0, |frame| data(frame) && frame.flags() == ACK | PSH),
            |frame, at| frame.bytes[at + 13] = PSH,
        );
    }),
    case("W-TCPFMT-12", "bulk4", &[], |c| {
        edit(c.find(5, data), |frame, at| frame.put16(at + 18, 7));
    }),
    case("W-TCPHS-01", "bulk4", &["W-TCPSEQ-06"], |c| {
        edit(c.find(0, syn_ack), |frame, at| {
            let ack = frame.u32(at + 8);
            frame.put32(at + 8, ack + 9);
        });
    }),
    case("W-TCPHS-02", "timeouts", &["W-TCPHS-08"], |c| {
        let place = c.frames.iter().rposition(syn).unwrap();
        edit(&mut c.frames[place], |frame, at| {
            let seq = frame.u32(at + 4);
            frame.put32(at + 4, seq.wrapping_add(77_777));
        });
    }),
    case("W-TCPHS-03", "timeouts", &[], |c| {
        let place = c.frames.iter().rposition(syn).unwrap();
        let mut frame = c.frames[place].clone();
        // A newer timestamp: no copy that a network made.
        edit(&mut frame, |frame, _| {
            let body = frame.option(8).unwrap();
            frame.put32(body, frame.u32(body) + 50);
        });
        insert(c, place, frame, 50 * MS);
    }),
    case("W-TCPHS-05", "closes", &["W-CLOSE-05"], |c| {
        edit(
            c.find(0, |frame| reset(frame) && frame.seq() == 0),
            |frame, at| {
                let ack = frame.u32(at + 8);
                frame.put32(at + 8, ack.wrapping_add(1));
            },
        );
    }),
    case("W-TCPHS-10", "bulk4", &["W-TCPSEQ-08"], |c| {
        edit(c.find(0, syn), |frame, _| frame.bytes.extend(b"early"));
    }),
    case("W-TCPHS-11", "bulk4", &[], |c| {
        edit(c.find(0, syn_ack), |frame, at| frame.bytes[at + 13] |= 0x40);
    }),
    case(
        "W-TCPSEQ-01",
        "bulk4",
        &["W-TCPSEQ-08", "W-TCPSEQ-03"],
        |c| {
            edit(c.find(5, data), |frame, _| frame.bytes.extend([3; 40]));
        },
    ),
    case("W-TCPSEQ-02", "bulk4", &[], |c| {
        strip(c.find(0, syn_ack), 2)
    }),
    case(
        "W-TCPSEQ-06",
        "bulk4",
        &["W-TCPSEQ-05", "W-TCPSEQ-07"],
        |c| {
            edit(c.find(3, pure_ack), |frame, at| {
                let ack = frame.u32(at + 8);
                frame.put32(at + 8, ack + 200_000);
            });
        },
    ),
    case("W-TCPSEQ-07", "bulk4", &["W-TCPSEQ-05"], |c| {
        edit(c.find(6, pure_ack), |frame, at| {
            let ack = frame.u32(at + 8);
            frame.put32(at + 8, ack - 9000);
        });
    }),
    case("W-TCPSEQ-08", "lossy_sender", &[], |c| {
        let mut seen = std::collections::HashSet::new();
        let place = c.place(0, |_| true);
        let again = c
            .frames
            .iter()
            .skip(place)
            .position(|frame| data(frame) && !seen.insert(frame.seq()))
            .unwrap();
        edit(&mut c.frames[again], |frame, _| {
            let at = frame.payload();
            frame.bytes[at + 20] ^= 0xff;
        });
    }),
    case("W-TCPSEQ-09", "bulk4", &["W-TCPSEQ-07"], |c| {
        let place = c.place(0, fin);
        let ack = c
            .frames
            .iter()
            .skip(place)
            .position(|frame| frame.is_tcp() && !frame.is_clients())
            .unwrap()
            + place;
        edit(&mut c.frames[ack], |frame, at| {
            let ack = frame.u32(at + 8);
            frame.put32(at + 8, ack + 1);
        });
    }),
    case("W-TCPSEQ-10", "bulk4", &["W-TCPSEQ-11"], |c| {
        let place = c.place(0, |frame| fin(frame) && frame.is_clients());
        let mut frame = c.frames[place].clone();
        frame.bytes.extend([1; 50]);
        edit(&mut frame, |frame, at| {
            frame.bytes[at + 13] = ACK;
            let seq = frame.u32(at + 4) + 1 + (frame.len() as u32 - 50);
            frame.put32(at + 4, seq);
        });
        insert(c, place, frame, Duration::from_nanos(1));
    }),
    case("W-TCPSEQ-11", "bulk4", &["W-RTX-07"], |c| {
        let place = c.place(0, |frame| fin(frame) && frame.is_clients());
        let mut frame = c.frames[place].clone();
        edit(&mut frame, |frame, at| {
            let seq = frame.u32(at + 4) - 1;
            frame.put32(at + 4, seq);
            let end = frame.payload();
            frame.bytes.truncate(end);
        });
        insert(c, place, frame, Duration::from_nanos(1));
    }),
    case("W-TS-01", "bulk4", &[], |c| strip(c.find(5, data), 8)),
    case("W-TS-02", "bulk4", &["W-TS-07"], |c| {
        edit(c.find(5, data), |frame, _| {
            let at = frame.option(8).unwrap();
            let value = frame.u32(at);
            frame.put32(at, value.wrapping_sub(5000));
        });
    }),
    case("W-TS-04", "bulk4", &[], |c| {
        edit(c.find(5, data), |frame, _| {
            let at = frame.option(8).unwrap();
            let echo = frame.u32(at + 4);
            frame.put32(at + 4, echo.wrapping_add(90_000));
        });
    }),
    case("W-TS-06", "bulk4", &[], |c| {
        edit(c.find(0, syn), |frame, _| {
            let at = frame.option(8).unwrap();
            frame.put32(at + 4, 5);
        });
    }),
    case("W-SACK-01", "lossy_receiver", &["W-SACK-11"], |c| {
        strip(c.find(0, syn), 4);
        strip(c.find(0, syn_ack), 4);
    }),
    case(
        "W-SACK-02",
        "lossy_receiver",
        &["W-TCPFMT-03", "W-SACK-11"],
        |c| {
            edit(c.find(0, sack), |frame, _| {
                let at = frame.option(5).unwrap();
                frame.bytes[at - 1] = 8;
            });
        },
    ),
    case("W-SACK-03", "lossy_receiver", &["W-SACK-06"], |c| {
        edit(c.find(0, sack), |frame, _| {
            let at = frame.option(5).unwrap();
            let (left, right) = (frame.u32(at), frame.u32(at + 4));
            frame.put32(at, right);
            frame.put32(at + 4, left);
        });
    }),
    case("W-SACK-04", "lossy_receiver", &[], |c| {
        edit(c.find(0, sack), |frame, _| {
            let at = frame.option(5).unwrap();
            let right = frame.u32(at + 4);
            frame.put32(at + 4, right + 500_000);
        });
    }),
    case(
        "W-SACK-05",
        "lossy_receiver",
        &["W-SACK-07", "W-SACK-09"],
        |c| {
            edit(c.find(0, sack), |frame, _| {
                let at = frame.option(5).unwrap();
                let left = frame.u32(at);
                frame.put32(at, left - 10);
            });
        },
    ),
    case("W-SACK-07", "lossy_receiver", &[], |c| {
        edit(c.find(0, sack), |frame, at| {
            let ack = frame.u32(at + 8);
            let at = frame.option(5).unwrap();
            frame.put32(at, ack - 100);
            frame.put32(at + 4, ack - 50);
        });
    }),
    case("W-SACK-11", "lossy_receiver", &[], |c| {
        strip(c.find(0, sack), 5)
    }),
    case("W-ACK-07", "lossy_receiver", &[], |c| {
        edit(c.find(8, pure_ack), |frame, at| {
            let seq = frame.u32(at + 4);
            frame.put32(at + 4, seq + 3);
        });
    }),
    case("W-ACK-01", "slow_start", &["W-TS-03", "W-TCPHS-03"], |c| {
        let place = c.place(0, |frame| {
            frame.is_tcp() && !frame.is_clients() && frame.len() > 0
        });
        let ack = c.frames.iter().skip(place).position(client_ack).unwrap() + place;
        for frame in &mut c.frames[ack..] {
            frame.time += 700 * MS;
        }
    }),
    case("W-RTX-07", "slow_start", &["W-TS-05"], |c| {
        let frame = c.frames[c.place(0, data)].clone();
        let place = c.place(40, data);
        insert(c, place, frame, Duration::from_nanos(1));
    }),
    case("W-IP4-11", "lossy_sender", &[], |c| {
        let mut seen = std::collections::HashSet::new();
        let again = c
            .frames
            .iter()
            .position(|frame| data(frame) && !seen.insert(frame.seq()))
            .unwrap();
        let seq = c.frames[again].seq();
        for frame in c
            .frames
            .iter_mut()
            .filter(|frame| data(frame) && frame.seq() == seq)
        {
            let at = frame.ip;
            frame.put16(at + 4, 0x7777);
            frame.put16(at + 6, 0);
            frame.mend();
        }
    }),
    case("W-IP6-09", "bulk6", &[], |c| {
        let frame = c.find(5, data);
        let at = frame.ip;
        frame.bytes[at + 3] ^= 0x55;
        frame.mend();
    }),
    case("W-RTX-01", "slow_start", &[], |c| {
        let place = c.place(12, data);
        let mut frame = c.frames[c.place(10, data)].clone();
        // With the same one it would be a packet that was captured twice.
        edit(&mut frame, |frame, _| frame.bytes[5] ^= 0x80);
        insert(c, place, frame, Duration::from_nanos(1));
    }),
    case("W-RTX-08", "lossy_sender", &["W-TCPSEQ-08"], |c| {
        let mut seen = std::collections::HashSet::new();
        let again = c
            .frames
            .iter()
            .position(|frame| data(frame) && !seen.insert(frame.seq()))
            .unwrap();
        edit(&mut c.frames[again], |frame, _| frame.bytes.extend([3; 40]));
    }),
    case("W-CLOSE-05", "closes", &[], |c| {
        edit(
            c.find(0, |frame| reset(frame) && frame.seq() != 0),
            |frame, at| {
                let seq = frame.u32(at + 4);
                frame.put32(at + 4, seq.wrapping_add(99));
            },
        );
    }),
    case("W-ECN-01", "bulk4", &[], |c| {
        let frame = c.find(5, data);
        let at = frame.ip + 1;
        frame.bytes[at] |= 2;
        frame.mend();
    }),
    case("W-ECN-02", "ecn", &[], |c| {
        for frame in c
            .frames
            .iter_mut()
            .filter(|frame| frame.is_tcp() && !frame.is_clients() && frame.flags() & SYN == 0)
        {
            edit(frame, |frame, at| frame.bytes[at + 13] &= !0x40);
        }
    }),
    case("W-ZWP-02", "zero_window", &["W-ZWP-03"], |c| {
        let probes: Vec<usize> = (0..c.frames.len())
            .filter(|&at| client_ack(&c.frames[at]))
            .collect();
        let place = probes[probes.len() / 2];
        let frame = c.frames[place].clone();
        insert(c, place, frame, 5 * MS);
    }),
    case("W-ZWP-06", "keep_alive", &[], |c| {
        let mut frame = c.frames[c.place(0, data)].clone();
        let place = c.place(0, pure_ack);
        let end = frame.payload();
        let next = frame.seq() + frame.len() as u32;
        frame.bytes.truncate(end);
        edit(&mut frame, |frame, at| frame.put32(at + 4, next - 1));
        insert(c, place, frame, 2 * MS);
    }),
];
