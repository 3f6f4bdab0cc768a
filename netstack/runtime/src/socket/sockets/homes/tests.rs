use super::{Homes, PLACES};
use std::net::SocketAddr;

fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

#[test]
fn a_peer_is_answered_by_the_shard_that_heard_it_last() {
    let mut homes = Homes::new(1);
    assert_eq!((homes.own(), homes.of(peer(7))), (1, 1));
    homes.note(peer(7), 0);
    assert_eq!((homes.of(peer(7)), homes.of(peer(8))), (0, 1));
    homes.note(peer(7), 1);
    assert_eq!(homes.of(peer(7)), 1);
}

#[test]
fn what_is_remembered_is_bounded_and_never_somebody_elses() {
    let mut homes = Homes::new(0);
    for port in 1..=u16::MAX {
        homes.note(peer(port), usize::from(port % 3));
        assert_eq!(homes.of(peer(port)), usize::from(port % 3));
    }
    assert_eq!(homes.places.len(), PLACES);
    let wrong = (1..=u16::MAX).filter(|port| {
        let home = homes.of(peer(*port));
        home != usize::from(port % 3) && home != homes.own()
    });
    assert_eq!(wrong.count(), 0);
}
