//! Packets that break a rule, added to a good capture.

use crate::capture::Capture;
use crate::craft::{A4, A6, B4, B6, ICMP, ICMP6, TCP, UDP, V4, add, add_from, icmp, packet6, udp};
use crate::{Case, case};

const MORE: u16 = 0x2000;
const DF: u16 = 0x4000;

/// A packet after the last one.
fn put(capture: &mut Capture, packet: &[u8]) {
    add(capture, 10, 0, packet);
}

/// A fragment header of IPv6 and what follows it.
fn piece6(next: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![next, 0];
    bytes.extend((offset | u16::from(more)).to_be_bytes());
    bytes.extend([0, 0, 7, 7]);
    bytes.extend(payload);
    packet6(A6, B6, 44, 64, &bytes)
}

fn piece4(protocol: u8, word: u16, payload: Vec<u8>) -> Vec<u8> {
    let packet = V4 {
        word,
        ..V4::new(protocol, payload)
    };
    packet.bytes()
}

/// An error about `quoted`, to the sender of it.
fn error4(kind: u8, code: u8, word: u32, quoted: &[u8]) -> Vec<u8> {
    let packet = V4 {
        from: B4,
        to: A4,
        ..V4::new(
            ICMP,
            icmp(kind, code, word, &quoted[..quoted.len().min(28)]),
        )
    };
    packet.bytes()
}

/// A packet that comes in on one interface and goes out on the other with a hop less.
fn cross(capture: &mut Capture, mut packet: V4) {
    add(capture, 10, 0, &packet.bytes());
    packet.ttl -= 1;
    add(capture, 1, 1, &packet.bytes());
}

/// A question for a neighbour.
fn solicit(from: [u8; 16], target: u8) -> Vec<u8> {
    let mut group = [0; 16];
    group[..2].copy_from_slice(&[0xff, 2]);
    group[11..14].copy_from_slice(&[1, 0xff, 0]);
    group[15] = target;
    let mut message = icmp(135, 0, 0, &A6);
    message[23] = target;
    packet6(from, group, ICMP6, 255, &message)
}

pub(crate) static CASES: &[Case] = &[
    case("J-FILE-01", "datagrams", &[], |c| c.cut = 7),
    case("J-FILE-02", "datagrams", &[], |c| {
        let last = c.frames.len() - 1;
        c.frames[last].time -= std::time::Duration::from_nanos(1) * 2_000_000_000;
    }),
    case("J-IP-01", "slow_start", &[], |c| {
        c.frames[9].bytes[0] = 0x75
    }),
    case("W-IP4-10", "datagrams", &["W-IP4-09"], |c| {
        for fill in [1, 2] {
            put(c, &piece4(UDP, MORE, vec![fill; 64]));
            put(c, &piece4(UDP, 8, vec![fill; 20]));
        }
    }),
    case("W-IP4-12", "datagrams", &[], |c| {
        put(c, &piece4(UDP, MORE, vec![1; 64]));
        add(c, 61_000, 0, &V4::new(UDP, udp(9)).bytes());
    }),
    case("W-IP4-13", "datagrams", &[], |c| {
        put(c, &piece4(TCP, MORE, vec![80; 64]));
        put(c, &piece4(TCP, 8, vec![80; 20]));
    }),
    case("W-IP4-15", "router", &["W-IP4-04"], |c| {
        cross(
            c,
            V4 {
                ttl: 1,
                ..V4::new(UDP, udp(30))
            },
        );
    }),
    case("W-IP4-17", "router", &[], |c| {
        cross(
            c,
            V4 {
                to: [224, 0, 0, 5],
                ..V4::new(UDP, udp(30))
            },
        );
    }),
    case("W-IP4-18", "router", &[], |c| {
        cross(
            c,
            V4 {
                to: [241, 0, 0, 5],
                ..V4::new(UDP, udp(30))
            },
        );
    }),
    case("W-IP4-19", "datagrams", &[], |c| {
        let packet = V4 {
            options: &[7, 9, 4, 0],
            ..V4::new(UDP, udp(30))
        };
        put(c, &packet.bytes());
    }),
    case("W-IP4-20", "router", &[], |c| {
        cross(
            c,
            V4 {
                options: &[131, 7, 4, 10, 9, 0, 3, 0],
                ..V4::new(UDP, udp(30))
            },
        );
    }),
    case("W-IP6-01", "datagrams", &[], |c| {
        let mut packet = packet6(A6, B6, UDP, 64, &udp(30));
        packet[5] += 20;
        put(c, &packet);
    }),
    case("W-IP6-02", "datagrams", &[], |c| {
        let mut rest = vec![0, 0, 1, 4, 0, 0, 0, 0, UDP, 0, 1, 4, 0, 0, 0, 0];
        rest.extend(&packet6(A6, B6, UDP, 64, &udp(30))[40..]);
        put(c, &packet6(A6, B6, 60, 64, &rest));
    }),
    case("W-IP6-03", "datagrams", &[], |c| {
        let mut rest = vec![UDP, 2, 0, 0, 0, 0, 0, 0];
        rest.extend(A6);
        rest.extend(&packet6(A6, B6, UDP, 64, &udp(30))[40..]);
        put(c, &packet6(A6, B6, 43, 64, &rest));
    }),
    case("W-IP6-04", "datagrams", &[], |c| {
        put(c, &piece6(TCP, 0, true, &[80; 8]));
        put(c, &piece6(TCP, 8, false, &[80; 30]));
    }),
    case("W-IP6-05", "datagrams", &[], |c| {
        put(c, &piece6(UDP, 0, true, &[80; 64]));
        put(c, &piece6(UDP, 32, false, &[80; 64]));
    }),
    case("W-IP6-06", "datagrams", &[], |c| {
        let inner = packet6(A6, B6, UDP, 64, &udp(30));
        put(c, &piece6(UDP, 0, false, &inner[40..]));
    }),
    case("J-IP6-01", "datagrams", &[], |c| {
        put(c, &piece6(UDP, 0, true, &[80; 61]));
    }),
    case("W-IP6-08", "router", &[], |c| {
        let whole = packet6(A6, B6, UDP, 64, &udp(120));
        add(c, 10, 0, &whole);
        add(c, 1, 1, &piece6(UDP, 0, true, &whole[40..104]));
        add(c, 1, 1, &piece6(UDP, 64, false, &whole[104..]));
    }),
    case("W-IP6-10", "datagrams", &[], |c| {
        let long = packet6(A6, B6, UDP, 64, &udp(1400));
        put(c, &long);
        let message = icmp(2, 0, 1300, &long[..1232]);
        put(c, &packet6(B6, A6, ICMP6, 64, &message));
        add(c, 2000, 0, &packet6(A6, B6, UDP, 64, &udp(1380)));
    }),
    case("W-UDP-05", "datagrams", &[], |c| {
        let datagram = |len, id| {
            let packet = V4 {
                word: DF,
                id,
                ..V4::new(UDP, udp(len))
            };
            packet.bytes()
        };
        let long = datagram(1400, 1);
        put(c, &long);
        put(c, &error4(3, 4, 1300, &long));
        add(c, 2000, 0, &datagram(1390, 2));
    }),
    case("J-ICMP-01", "datagrams", &[], |c| {
        put(c, &V4::new(ICMP, vec![8, 0, 0xf7, 0xff, 0, 0]).bytes());
    }),
    case("W-ICMP-05", "datagrams", &[], |c| {
        let first = error4(3, 3, 0, &V4::new(UDP, udp(30)).bytes());
        let about = V4 {
            from: A4,
            to: B4,
            ..V4::new(ICMP, icmp(3, 1, 0, &first))
        };
        put(c, &about.bytes());
    }),
    case("W-ICMP-06", "datagrams", &[], |c| {
        let many = V4 {
            to: [224, 0, 0, 9],
            ..V4::new(UDP, udp(30))
        };
        put(c, &error4(3, 3, 0, &many.bytes()));
    }),
    case("W-ICMP-07", "datagrams", &[], |c| {
        put(c, &error4(3, 3, 0, &piece4(UDP, 8, vec![7; 64])));
    }),
    case("W-ICMP-09", "datagrams", &[], |c| {
        let quoted = V4::new(UDP, udp(30)).bytes();
        for _ in 0..3500 {
            add(c, 0, 0, &error4(3, 3, 0, &quoted));
            c.frames.last_mut().unwrap().time += std::time::Duration::from_micros(800);
        }
    }),
    case("W-ND-01", "datagrams", &[], |c| {
        put(c, &solicit(A6, 0x77));
        add(c, 200, 0, &solicit(A6, 0x77));
    }),
    case("W-ND-03", "datagrams", &[], |c| {
        let mac = [2, 0, 0, 0, 0, 0x55];
        add_from(c, mac, 10, 0, &solicit([0; 16], 0x55));
        add_from(c, mac, 3000, 0, &solicit(A6, 0x66));
    }),
    case("W-ND-04", "datagrams", &[], |c| {
        let (mut local, mut group) = ([0; 16], [0; 16]);
        local[..2].copy_from_slice(&[0xfe, 0x80]);
        local[15] = 1;
        group[..2].copy_from_slice(&[0xff, 2]);
        group[15] = 0x16;
        let report = icmp(143, 0, 0, &[]);
        put(c, &packet6(local, group, ICMP6, 1, &report));
    }),
];
