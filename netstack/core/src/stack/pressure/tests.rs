use super::*;
use crate::Config;
use std::net::{Ipv4Addr, SocketAddr};

/// A stack with so many sockets.
fn crowded(sockets: u16) -> Stack {
    let mut stack = Stack::new(Config::new([1; 32]));
    for port in 1..=sockets {
        let local = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        stack.udp_bind(local).expect("a free port");
    }
    stack
}

#[test]
fn of_many_sockets_some_are_looked_at_in_one_go_and_all_in_a_few() {
    let mut stack = crowded(10_000);
    let arena = Account::new(1000);
    let charge = arena.charge(950).expect("room");
    stack.pressure.arenas.push(arena);
    let mut now = Instant::ZERO + Duration::from_secs(1);
    for looked in [AT_ONCE, 2 * AT_ONCE] {
        stack.relieve(now);
        assert_eq!(stack.pressure.looked, looked);
        assert_eq!(stack.pressure.poll_timeout(), Some(now + BREATH));
        stack.relieve(now);
        assert_eq!(stack.pressure.looked, looked, "it is too soon");
        now += BREATH;
    }
    stack.relieve(now);
    assert_eq!(stack.pressure.looked, 0, "all were");
    assert_eq!(stack.pressure.poll_timeout(), Some(now + PAUSE));
    drop(charge);
    assert_eq!(stack.pressure.poll_timeout(), None);
}

#[test]
fn each_look_that_is_no_use_is_followed_by_a_longer_pause() {
    let mut stack = crowded(3);
    let arena = Account::new(1000);
    let _charge = arena.charge(950).expect("room");
    stack.pressure.arenas.push(arena);
    let mut now = Instant::ZERO + Duration::from_secs(1);
    for factor in [1, 2, 4, 8] {
        stack.relieve(now);
        let next = stack.pressure.poll_timeout().expect("pressure");
        assert_eq!(next, now + PAUSE * factor);
        now = next;
    }
}
