//! What is written is read back as it was.

use super::{Address, Carried, TcpFields, group, icmp, read, shape, tcp, udp};
use crate::ast::{Shape, Sum, TcpOption};

fn addresses() -> [Address; 2] {
    let of = |src: &str, dst: &str| Address {
        src: src.parse().expect("literal"),
        dst: dst.parse().expect("literal"),
        class: 0x2a,
        ttl: 9,
        label: 0,
    };
    [of("192.0.2.1", "192.168.0.1"), of("fd00::1", "fd00::2")]
}

#[test]
fn a_segment_is_read_as_it_was_written() {
    for address in addresses() {
        let options = vec![
            TcpOption::Mss(1460),
            TcpOption::SackOk,
            TcpOption::Timestamps { val: 1, ecr: 2 },
            TcpOption::Nop,
            TcpOption::Scale(7),
            TcpOption::Sack(vec![(1, 2)]),
            TcpOption::Nop,
            TcpOption::Eol,
        ];
        let fields = TcpFields {
            src_port: 1,
            dst_port: 2,
            seq: 3,
            ack: 4,
            flags: 0x1d2,
            window: 5,
            urgent: 6,
            options: options.clone(),
        };
        let seen = read(&tcp(address, &fields, b"odd")).expect("a packet");
        assert!(seen.intact);
        assert_eq!((seen.class, seen.ttl), (0x2a, 9));
        let Carried::Tcp(segment) = seen.carried else {
            panic!("TCP");
        };
        assert_eq!(segment.options, Ok(options));
        assert_eq!(
            (segment.flags, segment.window, segment.urgent),
            (0x1d2, 5, 6)
        );
        assert_eq!(segment.payload, b"odd");
    }
}

#[test]
fn a_wrong_checksum_is_seen() {
    for address in addresses() {
        let mut packets = [
            udp(address, 1, 2, b"data"),
            icmp(address, 3, 4, 1200, b"quoted"),
            tcp(address, &TcpFields::default(), b"data"),
        ];
        for packet in &mut packets {
            assert!(read(packet).expect("a packet").intact);
            *packet.last_mut().expect("a byte") ^= 1;
            assert!(!read(packet).expect("a packet").intact);
        }
    }
}

#[test]
fn cut_packets_are_errors_or_read() {
    for address in addresses() {
        let packet = tcp(address, &TcpFields::default(), b"data");
        for end in 0..packet.len() {
            let _ = read(&packet[..end]);
        }
    }
}

/// What becomes of a datagram of eight bytes of data.
fn shaped(address: Address, change: impl FnOnce(&mut Shape)) -> Vec<u8> {
    let mut packet = udp(address, 1, 2, b"eight by");
    let mut how = Shape::default();
    change(&mut how);
    shape(&mut packet, &how).expect("a packet that has all that");
    packet
}

#[test]
fn what_nothing_is_done_to_is_as_it_was() {
    for address in addresses() {
        assert_eq!(shaped(address, |_| {}), udp(address, 1, 2, b"eight by"));
    }
}

#[test]
fn a_part_says_where_it_belongs_and_whether_others_follow() {
    let [four, six] = addresses();
    let part = |from, to| {
        move |shape: &mut Shape| {
            shape.id = Some(0x0102);
            shape.part = Some((from, to));
        }
    };
    let first = shaped(four, part(0, 8));
    assert_eq!(first[..9], [0x45, 0x2a, 0, 28, 1, 2, 0x20, 0, 9]);
    let last = shaped(four, part(8, 16));
    assert_eq!(last[4..8], [1, 2, 0, 1]);
    assert_eq!(&last[20..], b"eight by");
    let first = shaped(six, part(0, 8));
    assert_eq!(first[4..8], [0, 16, 44, 9]);
    assert_eq!(first[40..48], [17, 0, 0, 1, 0, 0, 1, 2]);
    let last = shaped(six, part(8, 16));
    assert_eq!(last[40..48], [17, 0, 0, 8, 0, 0, 1, 2]);
}

#[test]
fn headers_are_put_in_and_the_header_adds_up() {
    let [four, six] = addresses();
    let with = shaped(four, |shape| shape.options = vec![1, 1, 1]);
    assert_eq!((with[0], with[3], with.len()), (0x46, 40, 40));
    assert_eq!(with[20..24], [1, 1, 1, 0]);
    assert_eq!(super::checksum::of(&[&with[..24]]), 0);
    let with = shaped(six, |shape| {
        shape.extensions = vec![(0, vec![0, 1, 4, 0, 0, 0, 0]), (60, vec![0; 7])];
        shape.protocol = Some(200);
    });
    assert_eq!((with[5], with[6], with[40], with[48]), (32, 0, 60, 200));
    let seen = read(&shaped(six, |shape| shape.sum = Sum::None)).expect("a packet");
    assert!(!seen.intact);
    let bad = shaped(four, |shape| shape.header_sum_wrong = true);
    assert_ne!(super::checksum::of(&[&bad[..20]]), 0);
}

#[test]
fn what_a_script_may_name_is_read() {
    let [four, six] = addresses();
    let part = shaped(four, |shape| {
        (shape.id, shape.part) = (Some(9), Some((0, 8)));
        shape.options = vec![148, 4, 0, 0];
    });
    let layers = read(&part).expect("a packet").layers;
    assert_eq!((layers.id, layers.fragment), (Some(9), Some((0, true))));
    assert_eq!(layers.options, [148, 4, 0, 0]);
    assert_eq!(layers.body.len(), 8);
    let whole = read(&shaped(four, |_| {})).expect("a packet").layers;
    assert!(whole.dont_fragment && !whole.reserved && whole.fragment.is_none());
    let part = shaped(six, |shape| {
        (shape.id, shape.part) = (Some(9), Some((8, 16)));
        shape.extensions = vec![(0, vec![0, 5, 2, 0, 0, 1, 0])];
    });
    let layers = read(&part).expect("a packet").layers;
    assert_eq!((layers.id, layers.fragment), (Some(9), Some((8, false))));
    assert_eq!(layers.extensions, [(0, vec![0, 5, 2, 0, 0, 1, 0])]);
    assert_eq!(layers.body, b"eight by");
}

#[test]
fn messages_about_groups_are_read_as_they_were_written() {
    let [four, six] = addresses();
    let rest = [0, 0, 0, 1, 4, 0, 0, 0];
    let seen = read(&group(four, 0x22, 3, &rest)).expect("a packet");
    assert!(seen.intact);
    assert!(
        matches!(seen.carried, Carried::Igmp { kind: 0x22, code: 3, rest: read } if read == rest)
    );
    let mut damaged = group(four, 0x22, 3, &rest);
    damaged[21] ^= 1;
    assert!(!read(&damaged).expect("a packet").intact);
    let seen = read(&group(six, 143, 0, &rest)).expect("a packet");
    assert!(seen.intact && matches!(seen.carried, Carried::Icmp { kind: 143, .. }));
    assert_eq!(seen.layers.body[4..], rest);
}

#[test]
fn a_datagram_without_checksum_is_not_intact() {
    let [four, _] = addresses();
    let bare = shaped(four, |shape| shape.sum = Sum::None);
    assert!(!read(&bare).expect("a packet").intact);
}
