use super::{Limits, Waiting};
use crate::Instant;
use core::time::Duration;
use txbuf::Packet;

const LIMITS: Limits = Limits {
    packets: 3,
    bytes: 150,
    time: Duration::from_secs(1),
};

fn packet(bytes: usize) -> Packet {
    Packet::inline(&vec![0; bytes]).unwrap()
}

#[test]
fn no_more_packets_and_bytes_than_may_wait() {
    let (mut queue, now) = (Waiting::new(LIMITS), Instant::ZERO);
    assert!((0..3).all(|_| queue.push(now, packet(10))));
    assert!(!queue.push(now, packet(10)));
    let mut late = 0;
    assert_eq!(queue.pop(now, &mut late).unwrap().len(), 10);
    assert!(queue.push(now, packet(60)));
    assert_eq!((queue.packets.len(), queue.bytes), (3, 80));
    let mut queue = Waiting::new(LIMITS);
    assert!(queue.push(now, packet(100)) && queue.push(now, packet(100)));
    assert!(!queue.push(now, packet(1)));
    while queue.pop(now, &mut late).is_some() {}
    assert_eq!((late, queue.bytes, queue.is_empty()), (0, 0, true));
}

#[test]
fn what_has_waited_too_long_is_dropped_and_counted() {
    let mut queue = Waiting::new(LIMITS);
    let at = |millis| Instant::ZERO + Duration::from_millis(millis);
    assert!(queue.push(at(0), packet(1)));
    assert!(queue.push(at(500), packet(2)));
    let mut late = 0;
    assert_eq!(queue.pop(at(1001), &mut late).unwrap().len(), 2);
    assert_eq!((late, queue.bytes), (1, 0));
    assert!(queue.push(at(1001), packet(3)));
    assert_eq!(queue.pop(at(2001), &mut late).unwrap().len(), 3);
    assert!(queue.push(at(2001), packet(4)));
    assert!(queue.pop(at(3002), &mut late).is_none());
    assert_eq!((late, queue.is_empty()), (2, true));
}
