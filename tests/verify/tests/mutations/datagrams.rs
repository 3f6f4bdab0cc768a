//! Changes of IP, ICMP, UDP, neighbour discovery and frames.

use crate::capture::{Capture, Frame};
use crate::{Case, case};

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
    case("W-LINK-01", "datagrams", &[], |c| {
        let frame = c.find(0, udp4);
        frame.bytes[12..14].copy_from_slice(&[0x86, 0xdd]);
    }),
    case("W-LINK-02", "datagrams", &[], |c| {
        c.find(3, |frame| udp4(frame) && frame.bytes.len() > 80)
            .bytes
            .extend([0; 9]);
    }),
    case("W-IP4-01", "datagrams", &[], |c| {
        let frame = c.find(0, udp4);
        let at = frame.ip + 10;
        frame.bytes[at] ^= 1;
    }),
    case("W-IP4-01", "datagrams", &[], |c| {
        let frame = c.find(0, udp4);
        let at = frame.ip + 10;
        frame.bytes[at..at + 2].fill(0);
    }),
    case("W-IP4-02", "datagrams", &[], |c| {
        header(c.find(0, udp4), |frame, ip| frame.put16(ip + 2, 19));
    }),
    case("W-IP4-03", "datagrams", &[], |c| {
        header(c.find(0, udp4), |frame, ip| frame.bytes[ip + 6] |= 0x80);
    }),
    case("W-IP4-04", "datagrams", &[], |c| {
        header(c.find(0, udp4), |frame, ip| frame.bytes[ip + 8] = 0);
    }),
    case("W-IP4-05", "datagrams", &[], |c| {
        edit(c.find(0, udp4), |frame, ip| frame.bytes[ip + 12] = 127);
    }),
    case("W-IP4-06", "datagrams", &[], |c| {
        let at = fragment4(c);
        header(&mut c.frames[at], |frame, ip| frame.bytes[ip + 6] |= 0x40);
    }),
    case("W-IP4-07", "datagrams", &["W-IP4-12"], |c| {
        let at = fragment4(c);
        let frame = &mut c.frames[at];
        frame.bytes.pop();
        frame.mend();
    }),
    case("W-IP4-08", "datagrams", &["W-IP4-12"], |c| {
        let at = fragment4(c);
        header(&mut c.frames[at], |frame, ip| frame.put16(ip + 6, 0x3fff));
    }),
    case("W-IP4-09", "datagrams", &[], |c| {
        let at = fragment4(c);
        let mut frame = c.frames[at].clone();
        let byte = frame.bytes.len() - 3;
        frame.bytes[byte] ^= 0x77;
        c.frames.insert(at + 1, frame);
    }),
    case("W-ICMP-01", "datagrams", &[], |c| {
        let frame = c.find(0, |frame| icmp4(frame, 8));
        let at = frame.transport() + 2;
        frame.bytes[at] ^= 0x10;
    }),
    case("W-ICMP-02", "datagrams", &[], |c| {
        edit(c.find(0, error4), |frame, _| {
            let at = frame.transport() + 8 + 20 + 10;
            frame.bytes[at] ^= 0xff;
        });
    }),
    case("W-ICMP-03", "datagrams", &[], |c| {
        edit(c.find(0, error4), |frame, _| frame.bytes.extend([0; 60]));
    }),
    case("W-ICMP-04", "datagrams", &[], |c| {
        edit(c.find(0, |frame| icmp6(frame, 1)), |frame, _| {
            let end = frame.bytes.len() - 8;
            frame.bytes.truncate(end);
        });
    }),
    case("W-ICMP-08", "datagrams", &[], |c| {
        edit(c.find(0, error4), |frame, ip| {
            frame.bytes[ip + 16..ip + 20].fill(255)
        });
    }),
    case("W-ICMP-10", "datagrams", &[], |c| {
        edit(c.find(0, |frame| icmp4(frame, 0)), |frame, _| {
            let at = frame.bytes.len() - 1;
            frame.bytes[at] ^= 1;
        });
    }),
    case("W-ICMP-11", "datagrams", &[], |c| {
        let at = c.place(1, |frame| icmp4(frame, 0));
        c.frames.remove(at);
    }),
    case("W-ICMP-12", "datagrams", &[], |c| {
        edit(c.find(0, error4), |frame, _| {
            let at = frame.transport();
            frame.bytes[at] = 4;
            frame.bytes[at + 1] = 0;
        });
    }),
    case("W-ICMP-13", "datagrams", &[], |c| {
        edit(c.find(0, error4), |frame, _| {
            let at = frame.transport();
            frame.bytes[at] = 5;
            frame.bytes[at + 1] = 0;
        });
    }),
    case("W-UDP-01", "datagrams", &[], |c| {
        let frame = c.find(1, udp6);
        let at = frame.transport() + 6;
        frame.bytes[at] ^= 0x3;
        frame.bytes[at + 1] ^= 0x9;
    }),
    case("W-UDP-02", "datagrams", &[], |c| {
        edit(c.find(0, udp4), |frame, _| {
            let at = frame.transport() + 4;
            frame.put16(at, 7);
        });
    }),
    case("W-UDP-03", "datagrams", &[], |c| {
        let frame = c.find(0, udp4);
        let at = frame.transport() + 6;
        frame.put16(at, 0);
    }),
    case("W-UDP-04", "datagrams", &[], |c| {
        edit(c.find(0, udp4), |frame, _| {
            let at = frame.transport();
            frame.put16(at, 0);
        });
    }),
    case("W-IP6-07", "datagrams", &[], |c| {
        let frame = c.find(0, |frame| icmp6(frame, 135));
        let at = frame.ip + 7;
        frame.bytes[at] = 64;
    }),
    case("W-ND-02", "datagrams", &[], |c| {
        edit(c.find(0, |frame| icmp6(frame, 136)), |frame, ip| {
            frame.bytes[ip + 24..ip + 40]
                .copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            let at = frame.transport() + 4;
            frame.bytes[at] |= 0x40;
        });
    }),
    case("W-ND-05", "datagrams", &[], |c| {
        header(
            c.find(0, |frame| frame.is_v4() && frame.protocol() == 2),
            |frame, ip| frame.bytes[ip + 8] = 64,
        );
    }),
    case("W-ND-06", "datagrams", &[], |c| {
        let frame = c.find(0, |frame| {
            frame.bytes[12..14] == [8, 6] && frame.bytes[21] == 2
        });
        frame.bytes[22] ^= 2;
    }),
    case("W-IP4-14", "router", &[], |c| {
        header(
            c.find(0, |frame| {
                frame.interface == 1 && frame.is_v4() && frame.protocol() == 1
            }),
            |frame, ip| frame.bytes[ip + 8] -= 1,
        );
    }),
    case("W-IP4-16", "router", &[], |c| {
        edit(
            c.find(0, |frame| {
                error4(frame) && frame.bytes[frame.transport() + 1] == 4
            }),
            |frame, _| {
                let at = frame.transport() + 6;
                frame.put16(at, 9000);
            },
        );
    }),
];
