//! Splitting, carving and sharing packets.

use crate::test_support::{pattern, pool, stream};
use crate::{Chain, CopyError, NoRoom, OutOfRange, Packet, PullError};

/// 20 header bytes of 9 before 100 pattern bytes on two nodes.
fn packet(chain: &Chain) -> (Packet, Vec<u8>) {
    let mut packet = Packet::with_payload(chain.span(0, 100));
    packet.push(20).unwrap().fill(9);
    packet.meta.iface = 7;
    let bytes = packet.to_vec().unwrap();
    assert_eq!(bytes[20..], pattern(100));
    (packet, bytes)
}

#[test]
fn splits_and_carves_anywhere() {
    let (ledger, pool) = pool(64);
    let chain = stream(&pool, 200);
    let (whole, bytes) = packet(&chain);
    for at in 0..=bytes.len() {
        let mut front = whole.clone();
        let back = front.split_off(at).unwrap();
        assert_eq!(front.to_vec().unwrap(), bytes[..at]);
        assert_eq!(back.to_vec().unwrap(), bytes[at..]);
        assert_eq!((front.meta, back.meta), (whole.meta, whole.meta));
        assert!(front.span().is_none_or(|span| !span.is_empty()));
        assert!(back.span().is_none_or(|span| !span.is_empty()));

        let mut carved = whole.clone();
        carved.carve(at).unwrap();
        assert_eq!(carved.to_vec().unwrap(), bytes[at..]);
    }
    let mut packet = whole.clone();
    assert_eq!(packet.split_off(121).unwrap_err(), OutOfRange);
    assert_eq!(packet.carve(121), Err(OutOfRange));
    assert_eq!(packet.carve(usize::MAX), Err(OutOfRange));
    assert_eq!(packet.to_vec().unwrap(), bytes);
    let mut inline = Packet::inline(b"abc").unwrap();
    assert_eq!(inline.split_off(4).unwrap_err(), OutOfRange);
    assert!(inline.split_off(3).unwrap().is_empty());
    drop((chain, whole, packet));
    assert_eq!(ledger.live_nodes(), 0);
}

#[test]
fn shares_the_front_with_headers_of_its_own() {
    let (_, pool) = pool(64);
    let chain = stream(&pool, 200);
    let (packet, bytes) = packet(&chain);
    for (len, headers) in [(120, 20), (120, 60), (90, 0), (10, 5), (0, 0)] {
        let mut copy = packet.zerocopy(len, headers).unwrap();
        assert_eq!(copy.to_vec().unwrap(), bytes[..len]);
        assert!(copy.headers().len() >= headers);
        copy.headers_mut().fill(0);
    }
    assert_eq!(packet.zerocopy(121, 0).unwrap_err(), PullError::TooShort);
    assert_eq!(packet.zerocopy(9, 10).unwrap_err(), PullError::TooShort);
    assert_eq!(packet.to_vec().unwrap(), bytes);
}

#[test]
fn makes_headroom_or_says_that_there_is_none() {
    let (_, pool) = pool(256);
    let chain = stream(&pool, 256);
    let mut packet = Packet::from_span(chain.span(0, 256));
    packet.pull(60).unwrap();
    packet.expand_head(100).unwrap();
    assert_eq!(packet.expand_head(101), Err(NoRoom));
    assert_eq!(packet.to_vec().unwrap(), pattern(256));
    assert_eq!(packet.push(100).map(|room| room.len()), Ok(100));
}

#[test]
fn linearises_what_is_in_pieces() {
    let (ledger, small) = pool(64);
    let (_, large) = pool(4096);
    let chain = stream(&small, 200);
    let (mut packet, bytes) = packet(&chain);
    let refused = packet.linearise(&mut Chain::arena(&small));
    assert_eq!(refused, Err(CopyError::NoMemory));
    assert_eq!(packet.span().unwrap().extents().count(), 2);
    let mut arena = Chain::arena(&large);
    packet.linearise(&mut arena).unwrap();
    assert_eq!(packet.span().unwrap().contiguous(), Some(&bytes[20..]));
    assert_eq!(packet.to_vec().unwrap(), bytes);
    let before = arena.end();
    packet.linearise(&mut arena).unwrap();
    assert_eq!(arena.end(), before);
    drop(chain);
    assert_eq!(ledger.live_nodes(), 0);
}
