//! Changes of IP, ICMP, UDP, neighbour discovery and frames.

use crate::Case;
use crate::capture::{Capture, Frame};

fn udp4(frame: &Frame) -> bool {
    frame.is_v4() && frame.protocol() == 17 && !frame.is_fragment()
}

fn udp6(frame: &Frame) -> bool {
    frame.is_v6() && frame.protocol() == 17
}

fn icmp4(frame: &Frame, kind: u8) -> bool {
    frame.is_v4()
        && frame.protocol() == 1
        && !frame.is_fragment()
        && frame.bytes[frame.transport()] == kind
}

fn icmp6(frame: &Frame, kind: u8) -> bool {
    frame.is_v6() && frame.protocol() == 58 && frame.bytes[frame.transport()] == kind
}

fn error4(frame: &Frame) -> bool {
    icmp4(frame, 3)
}

fn edit(frame: &mut Frame, change: impl FnOnce(&mut Frame, usize)) {
    let ip = frame.ip;
    change(frame, ip);
    frame.mend();
}

/// Changes an IPv4 header and mends its checksum alone.
fn header(frame: &mut Frame, change: impl FnOnce(&mut Frame, usize)) {
    let ip = frame.ip;
    change(frame, ip);
    frame.mend_header();
}

fn fragment4(capture: &Capture) -> usize {
    capture.place(0, |frame| {
        frame.is_fragment() && frame.bytes[frame.ip + 6] & 0x20 != 0
    })
}

pub(crate) static CASES: &[Case] = &[
    Case {
        rule: "W-LINK-01",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(0, udp4);
            frame.bytes[12..14].copy_from_slice(&[0x86, 0xdd]);
        },
    },
    Case {
        rule: "W-LINK-02",
        capture: "datagrams",
        also: &[],
        change: |c| {
            c.find(3, |frame| udp4(frame) && frame.bytes.len() > 80)
                .bytes
                .extend([0; 9]);
        },
    },
    Case {
        rule: "W-IP4-01",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(0, udp4);
            let at = frame.ip + 10;
            frame.bytes[at] ^= 1;
        },
    },
    Case {
        rule: "W-IP4-02",
        capture: "datagrams",
        also: &[],
        change: |c| {
            header(c.find(0, udp4), |frame, ip| frame.put16(ip + 2, 19));
        },
    },
    Case {
        rule: "W-IP4-03",
        capture: "datagrams",
        also: &[],
        change: |c| {
            header(c.find(0, udp4), |frame, ip| frame.bytes[ip + 6] |= 0x80);
        },
    },
    Case {
        rule: "W-IP4-04",
        capture: "datagrams",
        also: &[],
        change: |c| {
            header(c.find(0, udp4), |frame, ip| frame.bytes[ip + 8] = 0);
        },
    },
    Case {
        rule: "W-IP4-05",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, udp4), |frame, ip| frame.bytes[ip + 12] = 127);
        },
    },
    Case {
        rule: "W-IP4-06",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let at = fragment4(c);
            header(&mut c.frames[at], |frame, ip| frame.bytes[ip + 6] |= 0x40);
        },
    },
    Case {
        rule: "W-IP4-07",
        capture: "datagrams",
        also: &["W-IP4-12"],
        change: |c| {
            let at = fragment4(c);
            let frame = &mut c.frames[at];
            frame.bytes.pop();
            frame.mend();
        },
    },
    Case {
        rule: "W-IP4-08",
        capture: "datagrams",
        also: &["W-IP4-12"],
        change: |c| {
            let at = fragment4(c);
            header(&mut c.frames[at], |frame, ip| frame.put16(ip + 6, 0x3fff));
        },
    },
    Case {
        rule: "W-IP4-09",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let at = fragment4(c);
            let mut frame = c.frames[at].clone();
            let byte = frame.bytes.len() - 3;
            frame.bytes[byte] ^= 0x77;
            c.frames.insert(at + 1, frame);
        },
    },
    Case {
        rule: "W-ICMP-01",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(0, |frame| icmp4(frame, 8));
            let at = frame.transport() + 2;
            frame.bytes[at] ^= 0x10;
        },
    },
    Case {
        rule: "W-ICMP-02",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, error4), |frame, _| {
                let at = frame.transport() + 8 + 20 + 10;
                frame.bytes[at] ^= 0xff;
            });
        },
    },
    Case {
        rule: "W-ICMP-03",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, error4), |frame, _| frame.bytes.extend([0; 60]));
        },
    },
    Case {
        rule: "W-ICMP-04",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, |frame| icmp6(frame, 1)), |frame, _| {
                let end = frame.bytes.len() - 8;
                frame.bytes.truncate(end);
            });
        },
    },
    Case {
        rule: "W-ICMP-08",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, error4), |frame, ip| {
                frame.bytes[ip + 16..ip + 20].fill(255)
            });
        },
    },
    Case {
        rule: "W-ICMP-10",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, |frame| icmp4(frame, 0)), |frame, _| {
                let at = frame.bytes.len() - 1;
                frame.bytes[at] ^= 1;
            });
        },
    },
    Case {
        rule: "W-ICMP-11",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let at = c.place(1, |frame| icmp4(frame, 0));
            c.frames.remove(at);
        },
    },
    Case {
        rule: "W-ICMP-12",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, error4), |frame, _| {
                let at = frame.transport();
                frame.bytes[at] = 4;
                frame.bytes[at + 1] = 0;
            });
        },
    },
    Case {
        rule: "W-ICMP-13",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, error4), |frame, _| {
                let at = frame.transport();
                frame.bytes[at] = 5;
                frame.bytes[at + 1] = 0;
            });
        },
    },
    Case {
        rule: "W-UDP-01",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(1, udp6);
            let at = frame.transport() + 6;
            frame.bytes[at] ^= 0x3;
            frame.bytes[at + 1] ^= 0x9;
        },
    },
    Case {
        rule: "W-UDP-02",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, udp4), |frame, _| {
                let at = frame.transport() + 4;
                frame.put16(at, 7);
            });
        },
    },
    Case {
        rule: "W-UDP-03",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(0, udp4);
            let at = frame.transport() + 6;
            frame.put16(at, 0);
        },
    },
    Case {
        rule: "W-UDP-04",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, udp4), |frame, _| {
                let at = frame.transport();
                frame.put16(at, 0);
            });
        },
    },
    Case {
        rule: "W-IP6-07",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(0, |frame| icmp6(frame, 135));
            let at = frame.ip + 7;
            frame.bytes[at] = 64;
        },
    },
    Case {
        rule: "W-ND-02",
        capture: "datagrams",
        also: &[],
        change: |c| {
            edit(c.find(0, |frame| icmp6(frame, 136)), |frame, ip| {
                frame.bytes[ip + 24..ip + 40]
                    .copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
                let at = frame.transport() + 4;
                frame.bytes[at] |= 0x40;
            });
        },
    },
    Case {
        rule: "W-ND-05",
        capture: "datagrams",
        also: &[],
        change: |c| {
            header(
                c.find(0, |frame| frame.is_v4() && frame.protocol() == 2),
                |frame, ip| frame.bytes[ip + 8] = 64,
            );
        },
    },
    Case {
        rule: "W-ND-06",
        capture: "datagrams",
        also: &[],
        change: |c| {
            let frame = c.find(0, |frame| {
                frame.bytes[12..14] == [8, 6] && frame.bytes[21] == 2
            });
            frame.bytes[22] ^= 2;
        },
    },
    Case {
        rule: "W-IP4-14",
        capture: "router",
        also: &[],
        change: |c| {
            header(
                c.find(0, |frame| {
                    frame.interface == 1 && frame.is_v4() && frame.protocol() == 1
                }),
                |frame, ip| frame.bytes[ip + 8] -= 1,
            );
        },
    },
    Case {
        rule: "W-IP4-16",
        capture: "router",
        also: &[],
        change: |c| {
            edit(
                c.find(0, |frame| {
                    error4(frame) && frame.bytes[frame.transport() + 1] == 4
                }),
                |frame, _| {
                    let at = frame.transport() + 6;
                    frame.put16(at, 9000);
                },
            );
        },
    },
];
