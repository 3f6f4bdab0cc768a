use super::{ACK, MSS, PSH, Reply, SYN, Seen, Sheet, add, fold, parse, turn_around};

const SEEN: Seen = Seen {
    local: [10, 9, 0, 2],
    remote: [10, 9, 0, 1],
    local_port: 7,
    remote_port: 50_000,
    seq: 1,
    ack: 2,
    flags: ACK,
    window: 100,
    scale: 0,
    length: 0,
};

/// The sum over pseudo header and segment, which is 0xffff when the checksum is right.
fn tcp_sum(packet: &[u8]) -> u16 {
    let length = (packet.len() - 20) as u32;
    fold(add(add(6 + length, &packet[12..20]), &packet[20..]))
}

#[test]
fn a_reply_goes_back_with_right_sums() {
    let mut sheet = Sheet::new(0);
    for (flags, length) in [(SYN | ACK, 0), (ACK, 0), (ACK | PSH, 1), (ACK, MSS)] {
        let reply = Reply {
            flags,
            seq: 70_000,
            ack: 9,
            length,
        };
        let packet = sheet.fill(&SEEN, reply).to_vec();
        assert_eq!(
            (fold(add(0, &packet[..20])), tcp_sum(&packet)),
            (0xffff, 0xffff)
        );
        let there = parse(&packet).expect("a TCP packet");
        assert_eq!((there.remote, there.local), (SEEN.local, SEEN.remote));
        assert_eq!((there.remote_port, there.local_port), (7, 50_000));
        assert_eq!((there.seq, there.ack, there.flags), (70_000, 9, flags));
        assert_eq!(there.length as usize, length);
        assert_eq!(there.scale, if flags & SYN != 0 { 10 } else { 0 });
    }
}

#[test]
fn a_super_packet_says_how_to_cut_it() {
    let mut sheet = Sheet::new(10);
    let reply = Reply {
        flags: ACK,
        seq: 1,
        ack: 1,
        length: 40 * MSS,
    };
    let packet = sheet.fill(&SEEN, reply);
    assert_eq!(packet.len(), 10 + 40 + 40 * MSS);
    assert_eq!(packet[..2], [1, 1]);
    let word = |at: usize| u16::from_ne_bytes([packet[at], packet[at + 1]]);
    assert_eq!((word(2), word(4), word(6), word(8)), (40, 1460, 20, 16));
    // And the next has nothing of it left.
    let small = sheet.fill(&SEEN, Reply { length: 0, ..reply });
    assert_eq!(small[..10], [0; 10]);
}

#[test]
fn a_datagram_is_turned_around() {
    let mut packet = [0u8; 30];
    (packet[0], packet[9]) = (0x45, 17);
    packet[12..24].copy_from_slice(&[10, 9, 0, 1, 10, 9, 0, 2, 1, 2, 0, 7]);
    let before = fold(add(0, &packet));
    assert!(turn_around(&mut packet));
    assert_eq!(packet[12..24], [10, 9, 0, 2, 10, 9, 0, 1, 0, 7, 1, 2]);
    assert_eq!(fold(add(0, &packet)), before);
}

#[test]
fn what_is_no_tcp_is_not_parsed() {
    let packet = Sheet::new(0)
        .fill(
            &SEEN,
            Reply {
                flags: SYN,
                seq: 0,
                ack: 0,
                length: 4,
            },
        )
        .to_vec();
    for end in 0..40 {
        assert_eq!(parse(&packet[..end]), None, "{end}");
    }
    for at in 0..packet.len() {
        for bit in 0..8 {
            let mut flipped = packet.clone();
            flipped[at] ^= 1 << bit;
            // It may be anything, but it is no panic.
            let _ = parse(&flipped);
            turn_around(&mut flipped);
        }
    }
}
