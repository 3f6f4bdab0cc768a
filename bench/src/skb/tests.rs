use super::{MAX_FRAGS, Page, Skb, live_pages};

const HEADERS: [u8; 20] = [0xaa; 20];

/// Bytes that differ from page to page and within one.
fn data(page: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (page * 31 + at * 7) as u8).collect()
}

/// A packet with headers and pages of different lengths, and its bytes.
fn packet(pages: usize) -> (Skb, Vec<u8>) {
    let mut skb = Skb::alloc(128);
    skb.push(HEADERS.len()).copy_from_slice(&HEADERS);
    for page in 0..pages {
        let len = 64 << (page % 3);
        skb.add_page(len, &data(page, len));
    }
    let bytes = skb.to_vec();
    assert_eq!((bytes.len(), skb.frags()), (skb.len(), pages));
    (skb, bytes)
}

/// A packet with three more of 16 pages on its `frag_list`.
fn long_packet() -> (Skb, Vec<u8>) {
    let (mut skb, mut bytes) = packet(16);
    let further = (0..3).map(|number| {
        let mut skb = Skb::alloc(0);
        for page in 0..16 {
            skb.add_page(64, &data(number * 16 + page, 64));
        }
        bytes.extend(skb.to_vec());
        skb
    });
    let further = further.collect();
    skb.set_frag_list(further);
    assert_eq!(skb.len(), bytes.len());
    assert_eq!(skb.to_vec(), bytes);
    (skb, bytes)
}

#[test]
fn a_clone_shares_the_head_until_one_of_them_goes() {
    let (mut skb, bytes) = packet(5);
    assert!(!skb.is_cloned());
    let clone = skb.skb_clone();
    assert!(skb.is_cloned() && clone.is_cloned());
    assert_eq!(clone.to_vec(), bytes);
    assert_eq!(live_pages(), 5);
    drop(skb);
    assert!(!clone.is_cloned());
    assert_eq!(clone.to_vec(), bytes);
    drop(clone);
    assert_eq!(live_pages(), 0);
}

#[test]
fn a_copy_has_headers_of_its_own_and_a_reference_on_every_page() {
    let (skb, bytes) = packet(MAX_FRAGS);
    let mut copy = skb.pskb_copy();
    assert!(!copy.is_cloned());
    copy.push(2).copy_from_slice(&[1, 2]);
    assert_eq!(copy.to_vec(), [&[1, 2], &bytes[..]].concat());
    assert_eq!(skb.to_vec(), bytes);
    drop(skb);
    assert_eq!(live_pages(), MAX_FRAGS);
    assert_eq!(copy.to_vec()[2..], bytes);
    drop(copy);
    assert_eq!(live_pages(), 0);
}

#[test]
fn an_exclusive_head_can_be_written() {
    let (mut skb, bytes) = packet(3);
    let clone = skb.skb_clone();
    skb.pskb_expand_head(10);
    assert!(!skb.is_cloned() && !clone.is_cloned());
    skb.push(10).fill(9);
    assert_eq!(skb.to_vec(), [&[9; 10], &bytes[..]].concat());
    assert_eq!(clone.to_vec(), bytes);
    skb.pskb_expand_head(0);
    drop(clone);
    assert_eq!(live_pages(), 3);
    drop(skb);
    assert_eq!(live_pages(), 0);
}

#[test]
fn a_split_at_any_place_keeps_all_bytes() {
    let len = packet(6).0.len();
    for at in HEADERS.len()..=len {
        for cloned in [false, true] {
            let (mut skb, bytes) = packet(6);
            let clone = cloned.then(|| skb.skb_clone());
            let back = skb.tcp_fragment(at);
            assert_eq!((skb.len(), back.len()), (at, len - at));
            assert_eq!([skb.to_vec(), back.to_vec()].concat(), bytes);
            assert!(clone.is_none_or(|clone| clone.to_vec() == bytes));
            drop(skb);
            assert_eq!(back.to_vec(), bytes[at..]);
            drop(back);
            assert_eq!(live_pages(), 0);
        }
    }
}

#[test]
fn segments_have_the_headers_and_the_bytes_in_order() {
    for (skb, bytes) in [packet(1), packet(MAX_FRAGS), long_packet()] {
        for size in [1, 63, 64, 100, 1000] {
            let payload = &bytes[HEADERS.len()..];
            let mut segments = Vec::new();
            skb.segment(size, &mut segments);
            assert_eq!(segments.len(), payload.len().div_ceil(size));
            for (segment, expected) in segments.iter().zip(payload.chunks(size)) {
                assert_eq!(segment.headers(), HEADERS);
                assert_eq!(segment.to_vec(), [&HEADERS, expected].concat());
            }
        }
        assert_eq!(skb.to_vec(), bytes);
    }
    assert_eq!(live_pages(), 0);
}

#[test]
fn segments_keep_the_pages_they_touch() {
    let (skb, bytes) = packet(8);
    let mut segments = Vec::new();
    skb.segment(100, &mut segments);
    drop(skb);
    let payload = segments
        .iter()
        .flat_map(|segment| segment.to_vec().split_off(HEADERS.len()));
    assert_eq!(payload.collect::<Vec<_>>(), bytes[HEADERS.len()..]);
    assert_eq!(live_pages(), 8);
    segments.truncate(1);
    assert_eq!(live_pages(), 2);
    segments.clear();
    assert_eq!(live_pages(), 0);
}

#[test]
fn a_frag_list_is_counted_packet_by_packet() {
    let (mut skb, bytes) = long_packet();
    let clone = skb.skb_clone();
    let copy = skb.pskb_copy();
    drop(skb);
    assert_eq!(
        (clone.to_vec(), copy.to_vec()),
        (bytes.clone(), bytes.clone())
    );
    assert_eq!(live_pages(), 64);
    drop(clone);
    assert_eq!(copy.to_vec(), bytes);
    let second = copy.pskb_copy();
    drop(copy);
    assert_eq!((second.to_vec(), live_pages()), (bytes, 64));
    drop(second);
    assert_eq!(live_pages(), 0);
}

#[test]
fn objects_are_as_large_as_the_kernels() {
    // `struct sk_buff` has 232 bytes, `skb_shared_info` 320, `struct page` 64 on a 64-bit machine.
    assert_eq!(size_of::<Page>(), 64);
    assert!((200..=232).contains(&super::buffer::OBJECT_SIZE));
    assert!((312..=328).contains(&super::head::SHARED_SIZE));
}
