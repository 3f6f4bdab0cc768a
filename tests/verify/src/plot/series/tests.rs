use super::*;

/// A segment of `len` bytes from `seq` on, which acknowledges `ack`.
fn see(flow: &mut Flow, me: usize, time: f64, numbers: (u32, u32), len: usize) {
    let mut bytes = [0; 20];
    bytes[4..8].copy_from_slice(&numbers.0.to_be_bytes());
    bytes[8..12].copy_from_slice(&numbers.1.to_be_bytes());
    bytes[12..16].copy_from_slice(&[0x50, 0x10, 0xff, 0xff]);
    flow.see(me, time, &Segment::parse(&bytes, 20 + len).unwrap());
}

#[test]
fn numbers_that_begin_again_are_counted_on() {
    const LEN: u32 = 1_000_000;
    let ends = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut flow = Flow {
        interface: 0,
        ends,
        sides: Default::default(),
        began: 0.0,
    };
    let start = u32::MAX - 5_000_000;
    for at in 0..10_000_u32 {
        let seq = start.wrapping_add(at.wrapping_mul(LEN));
        let time = f64::from(at);
        see(&mut flow, 0, time, (seq, 1), LEN as usize);
        see(&mut flow, 1, time + 0.5, (1, seq.wrapping_add(LEN)), 0);
    }
    let side = &flow.sides[0];
    for line in [&side.sent, &side.acked, &side.received] {
        let rises = line.points.windows(2).all(|pair| pair[0].1 < pair[1].1);
        assert!(rises, "a line falls");
        assert!(line.points.last().unwrap().1 > 9.9e9);
    }
    assert!(side.again.points.is_empty());
}

#[test]
fn what_is_not_drawn_is_counted() {
    let mut flows = Flows::default();
    let mut packet = vec![
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    packet.extend([0; 12]);
    packet.extend([0x50, 0x10, 0, 0, 0, 0, 0, 0]);
    for port in 0..200_u16 {
        packet[20..22].copy_from_slice(&port.to_be_bytes());
        packet[23] = 255;
        let ip = Ip::parse(&packet, packet.len()).unwrap();
        let tcp = Segment::parse(ip.payload, ip.payload_len).unwrap();
        flows.see(0, 0.0, &ip, &tcp);
        flows.see(0, 1.0, &ip, &tcp);
    }
    assert_eq!((flows.list.len(), flows.others.len()), (FLOWS, 200 - FLOWS));
}
