//! The verbs, their refusals, and the checksum states.

use super::*;
use crate::node::counting::adds;
use crate::test_support::{owned, pattern, pool, stream, vec};
use crate::{CopyError, Gso, GsoKind, Kind, Ledger};

fn bytes(packet: &Packet) -> Vec<u8> {
    let bytes = packet.to_vec().unwrap();
    assert_eq!(bytes.len(), packet.len());
    bytes
}

#[test]
fn builds_from_the_back() {
    let ledger = Ledger::new();
    let mut packet = Packet::with_payload(owned(&ledger, b"payload"));
    packet.push(3).unwrap().copy_from_slice(b"tcp");
    packet.push(2).unwrap().copy_from_slice(b"ip");
    assert_eq!(bytes(&packet), b"iptcppayload");
    assert_eq!(packet.headers(), b"iptcp");
    packet.headers_mut()[0] = b'I';
    assert_eq!(packet.push(HEADER_AREA - 5).unwrap().len(), 155);
    assert_eq!(packet.push(1), Err(NoRoom));
    assert_eq!(packet.push(usize::MAX), Err(NoRoom));
    assert_eq!(packet.len(), HEADER_AREA + 7);
}

#[test]
fn a_clone_shares_the_payload_and_not_the_headers() {
    let (_, pool) = pool(64);
    let chain = stream(&pool, 1000);
    let mut packet = Packet::with_payload(chain.span(0, 1000));
    packet.push(4).unwrap().copy_from_slice(b"head");
    packet.meta.gso = Some(Gso {
        kind: GsoKind::TcpV4,
        size: 100,
        headers: 4,
    });
    let (count, mut copy) = adds(|| packet.clone());
    assert_eq!((count, copy.meta), (1, packet.meta));
    copy.headers_mut().copy_from_slice(b"HEAD");
    assert_eq!(packet.headers(), b"head");
    assert_eq!(&bytes(&copy)[4..], &bytes(&packet)[4..]);
    assert_eq!(adds(|| Packet::inline(b"abc").unwrap().clone()).0, 0);
}

#[test]
fn pulls_headers_out_of_any_extents() {
    let (_, pool) = pool(64);
    let chain = stream(&pool, 500);
    for n in 0..=HEADER_AREA {
        let mut packet = Packet::from_span(chain.span(30, 400));
        packet.pull(n).unwrap();
        assert_eq!(packet.headers(), &pattern(500)[30..30 + n]);
        assert_eq!(bytes(&packet), &pattern(500)[30..430]);
        packet.pull(n / 2).unwrap();
        assert_eq!(packet.headers().len(), n);
    }
    let mut packet = Packet::from_span(chain.span(0, 400));
    packet.pull(20).unwrap();
    assert_eq!(packet.pull(HEADER_AREA + 1), Err(PullError::NoRoom));
    assert_eq!(packet.pull(401), Err(PullError::TooShort));
    assert_eq!(packet.pull(usize::MAX), Err(PullError::TooShort));
    assert_eq!(bytes(&packet), &pattern(500)[..400]);
    assert_eq!(packet.headers().len(), 20);
    // Headroom for what forwarding puts in front.
    packet.push(HEADROOM).unwrap();
}

#[test]
fn a_packet_pulled_as_a_whole_has_no_span() {
    let (ledger, _) = pool(64);
    let mut packet = Packet::from_span(owned(&ledger, &pattern(40)));
    packet.pull(40).unwrap();
    assert!(packet.span().is_none());
    assert_eq!(ledger.live_nodes(), 0);
    assert_eq!(packet.headers(), pattern(40));
    assert_eq!(packet.pull(41), Err(PullError::TooShort));
}

#[test]
fn strips_and_trims() {
    let (_, pool) = pool(64);
    let chain = stream(&pool, 300);
    let mut packet = Packet::from_span(chain.span(0, 300));
    packet.pull(40).unwrap();
    packet.strip(14).unwrap();
    assert_eq!(packet.strip(27), Err(OutOfRange));
    assert_eq!(packet.trim(287), Err(OutOfRange));
    packet.trim(286).unwrap();
    packet.trim(100).unwrap();
    assert_eq!(bytes(&packet), &pattern(300)[14..114]);
    packet.trim(26).unwrap();
    assert!(packet.span().is_none());
    packet.trim(10).unwrap();
    assert_eq!(bytes(&packet), &pattern(300)[14..24]);
    packet.trim(0).unwrap();
    assert!(packet.is_empty());
}

#[test]
fn puts_behind_headers_only() {
    let ledger = Ledger::new();
    let mut packet = Packet::new();
    packet.put(3).unwrap().copy_from_slice(b"abc");
    packet.push(1).unwrap()[0] = b'<';
    packet.put(1).unwrap()[0] = b'>';
    assert_eq!(bytes(&packet), b"<abc>");
    assert_eq!(packet.put(HEADER_AREA - 4), Err(NoRoom));
    assert_eq!(packet.put(usize::MAX), Err(NoRoom));
    assert_eq!(packet.put(HEADER_AREA - 5).unwrap(), [0; 155]);
    assert_eq!(&bytes(&packet)[..5], b"<abc>");
    let mut packet = Packet::with_payload(owned(&ledger, b"x"));
    assert_eq!(packet.put(1), Err(NoRoom));
    // What is put or pushed anew is zero even where something lay before.
    let mut packet = Packet::inline(&[0xff; 100]).unwrap();
    packet.trim(10).unwrap();
    packet.strip(10).unwrap();
    assert_eq!(packet.put(50).unwrap(), [0; 50]);
    packet.strip(50).unwrap();
    assert_eq!(packet.push(60).unwrap(), [0; 60]);
}

#[test]
fn small_packets_have_no_span() {
    let (ledger, pool) = pool(2048);
    let mut arena = Chain::arena(&pool);
    assert!(Packet::inline(&[0; INLINE_MAX + 1]).is_none());
    let packet = Packet::copy_from(&pattern(INLINE_MAX), &mut arena).unwrap();
    assert_eq!(
        (bytes(&packet), ledger.live_nodes()),
        (pattern(INLINE_MAX), 0)
    );
    let packet = Packet::copy_from(&pattern(1500), &mut arena).unwrap();
    assert_eq!((bytes(&packet), packet.headers().len()), (pattern(1500), 0));
    assert_eq!(
        Packet::copy_from(&[0; 2049], &mut arena).err(),
        Some(NoMemory)
    );
}

#[test]
fn spans_are_taken_and_set() {
    let ledger = Ledger::new();
    let mut packet = Packet::with_payload(Span::empty());
    assert!(packet.span().is_none() && packet.is_empty());
    packet.set_span(owned(&ledger, b"abc"));
    assert_eq!(packet.span().map(Span::len), Some(3));
    assert_eq!(
        packet.take_span().map(|span| vec(&span)),
        Some(b"abc".to_vec())
    );
    assert!(packet.take_span().is_none());
    let mut room = [0; 4];
    packet.push(2).unwrap().copy_from_slice(b"<>");
    packet.set_span(owned(&ledger, b"abc"));
    assert_eq!(packet.copy_to(1, &mut room), Ok(4));
    assert_eq!(&room, b">abc");
    assert_eq!(packet.copy_to(4, &mut room), Ok(1));
    assert_eq!(packet.copy_to(9, &mut room), Ok(0));
}

#[test]
fn payload_leaves_as_a_span() {
    let (ledger, pool) = pool(4096);
    let mut small = Chain::arena(&pool);
    let take = |packet: Packet, offset, small: &mut Chain| {
        let payload = packet.into_payload(offset, small).unwrap();
        payload.map(|span| (span.kind(), vec(&span)))
    };
    // Headers pulled exactly: the span as it is.
    let mut packet = Packet::from_span(owned(&ledger, &pattern(500)));
    packet.pull(40).unwrap();
    let shared = (Kind::Owned, pattern(500)[40..].to_vec());
    assert_eq!(take(packet.clone(), 40, &mut small), Some(shared));
    let later = (Kind::Owned, pattern(500)[77..].to_vec());
    assert_eq!(take(packet.clone(), 77, &mut small), Some(later));
    // Some payload in the area: copied and gathered.
    let both = (Kind::Gather, pattern(500)[33..].to_vec());
    assert_eq!(take(packet.clone(), 33, &mut small), Some(both));
    // Nothing, or beyond.
    for offset in [500, 501, usize::MAX] {
        assert_eq!(take(packet.clone(), offset, &mut small), None);
    }
    // Inline: copied into the arena.
    let packet = Packet::inline(&pattern(100)).unwrap();
    let copied = (Kind::Buffered, pattern(100)[30..].to_vec());
    assert_eq!(take(packet.clone(), 30, &mut small), Some(copied));
    for offset in [100, 101] {
        assert_eq!(take(packet.clone(), offset, &mut small), None);
    }
}

#[test]
fn payload_of_a_full_gather_is_copied_when_a_piece_comes_in_front() {
    let (ledger, pool) = pool(4096);
    let mut small = Chain::arena(&pool);
    let parts = (0..17_u8)
        .map(|i| owned(&ledger, &[i; 20]))
        .collect::<Vec<_>>();
    let whole: Vec<u8> = parts.iter().flat_map(vec).collect();
    let mut packet = Packet::from_span(Span::gather(&ledger, parts[1..].to_vec()).unwrap());
    packet.push(20).unwrap();
    // What is copied is charged to the pool; at its cap the packet comes back.
    let (_, full) = crate::test_support::pool(256);
    let taken: Vec<_> = (1..1000).map(|_| full.reserve().unwrap()).collect();
    let refused = packet.into_payload(0, &mut Chain::arena(&full));
    let (packet, error) = refused.unwrap_err();
    assert_eq!(
        (error, packet.to_vec()),
        (CopyError::NoMemory, Ok(whole.clone()))
    );
    assert_eq!((packet.headers().len(), full.in_use()), (20, 999 * 256));
    drop(taken);
    let payload = packet.into_payload(0, &mut small).unwrap().unwrap();
    assert_eq!((payload.kind(), vec(&payload)), (Kind::Buffered, whole));
    drop((parts, small));
    let report = ledger.report();
    assert_eq!(report.of(Kind::Buffered).bytes, pool.in_use());
    assert_eq!(ledger.live_nodes(), 1);
}

/// A packet of `total` bytes with a partial checksum over `start..`, headers up
/// to `pulled` in the area, and the pseudo-header sum in the field.
fn partial(total: usize, pulled: usize, start: u16, offset: u16, pseudo: u16) -> Packet {
    let ledger = Ledger::new();
    let mut data = pattern(total);
    let at = usize::from(start + offset);
    data[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    let cut = total / 3;
    let parts = [owned(&ledger, &data[..cut]), owned(&ledger, &data[cut..])];
    let mut packet = Packet::from_span(Span::gather(&ledger, parts).unwrap());
    packet.pull(pulled).unwrap();
    packet.meta.checksum = Checksum::Partial { start, offset };
    packet
}

#[test]
fn completes_checksums_at_even_and_odd_places() {
    for (total, pulled, start, offset) in [
        (100, 40, 20, 16),
        (101, 41, 20, 16),
        (333, 37, 21, 6),
        (90, 0, 20, 16),
        (71, 71, 33, 6),
    ] {
        let pseudo = 0x1b2c;
        let mut packet = partial(total, pulled, start, offset, pseudo);
        packet.complete_checksum().unwrap();
        assert_eq!(packet.meta.checksum, Checksum::Complete);
        // A receiver sums everything with the pseudo-header and gets all ones.
        let sum = checksum::sum(&bytes(&packet)[usize::from(start)..]);
        assert_eq!(checksum::combine(sum, pseudo, false), 0xffff);
        assert_eq!(packet.checksum(usize::from(start)), Ok(sum));
        let before = bytes(&packet);
        packet.complete_checksum().unwrap();
        assert_eq!(bytes(&packet), before, "complete already");
    }
}

#[test]
fn a_zero_checksum_is_all_ones_for_udp_only() {
    for (offset, expected) in [(6, 0xffff), (16, 0)] {
        let mut packet = Packet::inline(&[0; 40]).unwrap();
        packet.headers_mut()[2..4].fill(0xff);
        packet.meta.checksum = Checksum::Partial { start: 2, offset };
        packet.complete_checksum().unwrap();
        let at = 2 + usize::from(offset);
        assert_eq!(packet.headers()[at..at + 2], u16::to_be_bytes(expected));
    }
}

#[test]
fn a_checksum_field_outside_the_headers_is_refused() {
    for (total, start, offset) in [(30, 20, 16), (400, 200, 16), (400, u16::MAX, u16::MAX)] {
        let data = pattern(total);
        let mut packet = Packet::from_span(owned(&Ledger::new(), &data));
        packet.meta.checksum = Checksum::Partial { start, offset };
        assert_eq!(packet.complete_checksum(), Err(ChecksumError::Field));
        assert_eq!(bytes(&packet), data);
    }
}

#[test]
fn sums_from_any_offset() {
    let (_, pool) = pool(64);
    let chain = stream(&pool, 301);
    for pulled in [0, 1, 20, 63] {
        let mut packet = Packet::from_span(chain.span(0, 301));
        packet.pull(pulled).unwrap();
        for from in 0..=301 {
            assert_eq!(
                packet.checksum(from),
                Ok(checksum::sum(&pattern(301)[from..]))
            );
        }
        assert_eq!(packet.checksum(1000), Ok(0));
    }
}
