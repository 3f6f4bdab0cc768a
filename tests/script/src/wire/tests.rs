//! What is written is read back as it was.

use super::{Address, Carried, TcpFields, icmp, read, tcp, udp};
use crate::ast::TcpOption;

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
