use super::super::{Cookie, Learned};
use super::{CAPACITY, Cookies, Known};
use crate::Instant;
use std::net::{IpAddr, Ipv4Addr};

const COOKIE: Learned = Learned::Cookie(Cookie::WANTED, 1_400);

fn server(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number as u32))
}

// req: RFC7413-06
#[test]
fn failures_hold_the_next_attempt_back_for_longer_and_longer() {
    let mut cookies = Cookies::default();
    assert_eq!(cookies.lookup(Instant::ZERO, server(1)), Known::Nothing);
    cookies.learn(Instant::ZERO, server(1), COOKIE);
    let known = Known::Cookie(Cookie::WANTED, 1_400);
    assert_eq!(cookies.lookup(Instant::ZERO, server(1)), known);
    for pause in [60, 120, 240] {
        cookies.learn(Instant::ZERO, server(1), Learned::Refused);
        let just_before = Instant::from_secs(pause - 1);
        assert_eq!(cookies.lookup(just_before, server(1)), Known::Failed);
        assert_eq!(cookies.lookup(Instant::from_secs(pause), server(1)), known);
    }
    cookies.learn(Instant::ZERO, server(1), COOKIE);
    assert_eq!(
        cookies.lookup(Instant::ZERO, server(1)),
        known,
        "success ends that"
    );
}

#[test]
fn no_more_servers_are_remembered_than_there_is_room_for() {
    let mut cookies = Cookies::default();
    for number in 0..3 * CAPACITY {
        cookies.learn(Instant::from_secs(number as u64), server(number), COOKIE);
        assert!(cookies.servers.len() <= CAPACITY);
        assert_eq!(cookies.servers.len(), cookies.ages.len());
    }
    let now = Instant::from_secs(4 * CAPACITY as u64);
    assert_eq!(
        cookies.lookup(now, server(2 * CAPACITY - 1)),
        Known::Nothing
    );
    assert_ne!(cookies.lookup(now, server(2 * CAPACITY)), Known::Nothing);
}
