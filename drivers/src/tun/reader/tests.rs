use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use txbuf::{Ledger, PoolConfig};

use super::*;

const LONGEST: usize = 2001;
const SEGMENT: usize = 16_384;

/// A device of datagrams, and what reads from it.
struct Wire {
    kernel: UnixDatagram,
    ours: UnixDatagram,
    pool: Pool,
    reader: Reader,
    prefix: usize,
}

impl Wire {
    fn new(prefix: usize) -> Wire {
        let (kernel, ours) = UnixDatagram::pair().expect("sockets");
        ours.set_nonblocking(true).expect("a flag");
        let config = PoolConfig {
            segment: SEGMENT,
            limit: 8 * SEGMENT,
            keep: 8,
        };
        let pool = Pool::new(&Ledger::new(), config);
        Wire {
            kernel,
            ours,
            reader: Reader::new(&pool),
            pool,
            prefix,
        }
    }

    /// What reading at most `max` times comes to, after each of `packets` was written with its number in front of it.
    fn read(&mut self, packets: &[Vec<u8>], max: usize) -> Vec<Read> {
        for (number, packet) in packets.iter().enumerate() {
            let mut frame = vec![number as u8; self.prefix];
            frame.extend_from_slice(packet);
            self.kernel.send(&frame).expect("room");
        }
        let source = Source {
            fd: self.ours.as_fd(),
            prefix: self.prefix,
            longest: LONGEST,
        };
        let mut scratch = [0; FRONT + LONGEST];
        let mut all = Vec::new();
        let ended = self
            .reader
            .read(source, &mut scratch, max, |read| all.push(read));
        match ended {
            Ok(()) => assert_eq!(all.len(), max),
            Err(errno) => assert_eq!(errno, Errno::AGAIN),
        }
        all
    }
}

/// An IPv4 packet of TCP with `options` and `payload` bytes, all of them `fill` or one of the next.
fn tcp(options: usize, payload: usize, fill: u8) -> Vec<u8> {
    let mut packet = vec![0; 40 + options];
    packet[0] = 0x45;
    packet[9] = headers::TCP;
    packet[32] = (((20 + options) / 4) << 4) as u8;
    packet.extend((0..payload).map(|at| fill.wrapping_add((at % 7) as u8)));
    packet
}

fn packets(all: &[Read]) -> Vec<&Packet> {
    fn packet(read: &Read) -> &Packet {
        match read {
            Read::Packet(_, packet) => packet,
            _ => panic!("no packet"),
        }
    }
    all.iter().map(packet).collect()
}

#[test]
fn payloads_follow_each_other_whatever_their_headers_are_like() {
    for prefix in [0, 10, 14, FRONT] {
        let mut wire = Wire::new(prefix);
        // As long as before, longer, shorter, and no protocol whose header is known.
        let mut sent: Vec<_> = [12, 12, 40, 0, 12, 4]
            .into_iter()
            .zip(1..)
            .map(|(options, number)| tcp(options, 300 + usize::from(number), 10 * number))
            .collect();
        let mut unknown = tcp(12, 500, 90);
        unknown[9] = 99;
        sent.insert(3, unknown);
        let mut joined: Option<txbuf::Span> = None;
        for _ in 0..3 {
            let all = wire.read(&sent, 64);
            assert_eq!(all.len(), sent.len());
            for (number, (read, sent)) in all.iter().zip(&sent).enumerate() {
                let Read::Packet(front, packet) = read else {
                    panic!("no packet");
                };
                assert!(
                    front[..prefix]
                        .iter()
                        .all(|byte| usize::from(*byte) == number)
                );
                assert!(front[prefix..].iter().all(|byte| *byte == 0));
                assert_eq!(packet.to_vec().as_ref(), Ok(sent));
                let headers = Headers::of(|at| sent[at]).map(|headers| headers.payload);
                assert_eq!(Some(packet.headers().len()), headers);
            }
            for packet in packets(&all) {
                let span = packet.span().expect("a payload").clone();
                if let Some(joined) = &mut joined {
                    let merged = txbuf::Span::try_merge(joined, span);
                    assert!(merged.is_ok(), "in front of packets: {prefix} bytes");
                } else {
                    joined = Some(span);
                }
            }
        }
    }
}

#[test]
fn what_is_kept_whole_is_its_payload_alone() {
    let mut wire = Wire::new(0);
    wire.reader.keep_whole();
    let sent = [tcp(12, 300, 1), tcp(0, 10, 2), tcp(0, 400, 3)];
    let all = wire.read(&sent, 64);
    let all = packets(&all);
    let headers: Vec<usize> = all.iter().map(|packet| packet.headers().len()).collect();
    assert_eq!(headers, [0, 50, 0]);
    for (packet, sent) in all.iter().zip(&sent) {
        assert_eq!(packet.to_vec().as_ref(), Ok(sent));
    }
}

#[test]
fn what_is_short_or_long_or_cut_leaves_what_was_read_before_as_it_was() {
    let mut wire = Wire::new(10);
    let (first, third) = (tcp(12, 1000, 1), tcp(12, 1000, 2));
    let long = tcp(12, LONGEST, 3);
    let short = tcp(12, 20, 4);
    let all = wire.read(&[first.clone(), long, third.clone(), short.clone()], 4);
    assert!(matches!(all[1], Read::TooBig));
    wire.kernel.send(&[1; 3]).expect("room");
    let cut = wire.read(std::slice::from_ref(&first), 64);
    assert!(matches!(cut[0], Read::Short));
    let kept = [
        (&all[0], &first),
        (&all[2], &third),
        (&all[3], &short),
        (&cut[1], &first),
    ];
    for (read, sent) in kept {
        let Read::Packet(_, packet) = read else {
            panic!("no packet");
        };
        assert_eq!(packet.to_vec().as_ref(), Ok(sent));
    }
}

#[test]
fn segments_are_filled_and_at_the_cap_short_packets_still_come() {
    let mut wire = Wire::new(0);
    let sent: Vec<_> = (0..6).map(|number| tcp(0, 1900, number)).collect();
    let mut held = Vec::new();
    loop {
        let all = wire.read(&sent, 6);
        if all.iter().any(|read| matches!(read, Read::NoMemory)) {
            break;
        }
        for (packet, sent) in packets(&all).into_iter().zip(&sent) {
            assert_eq!(packet.to_vec().as_ref(), Ok(sent));
        }
        held.extend(all);
    }
    // Several of them fit a segment, and room for the longest is asked for.
    assert_eq!(wire.pool.in_use(), 8 * SEGMENT);
    assert!(held.len() >= 48, "{}", held.len());
    while !matches!(wire.read(&[], 1)[..], []) {}
    let short = tcp(0, 30, 9);
    let all = wire.read(std::slice::from_ref(&short), 64);
    assert_eq!(packets(&all)[0].to_vec(), Ok(short));
}
