use bytes::Bytes;

use super::Rope;

fn rope(parts: usize) -> (Rope, Vec<u8>) {
    let mut rope = Rope::new();
    for part in 0..parts {
        rope.push(Bytes::from(vec![part as u8; 100 + part]));
    }
    let bytes = rope.to_vec();
    assert_eq!(bytes.len(), rope.len());
    (rope, bytes)
}

#[test]
fn a_split_at_any_place_keeps_all_bytes() {
    for at in 0..=rope(5).0.len() {
        let (mut front, bytes) = rope(5);
        let clone = front.clone();
        let back = front.split_off(at);
        assert_eq!((front.len(), back.len()), (at, bytes.len() - at));
        assert_eq!([front.to_vec(), back.to_vec()].concat(), bytes);
        assert_eq!(clone.to_vec(), bytes);
    }
}

#[test]
fn segments_are_the_bytes_in_order() {
    for size in [1, 7, 100, 333, 1000] {
        let (rope, bytes) = rope(5);
        let mut segments = Vec::new();
        rope.segment(size, &mut segments);
        assert_eq!(segments.len(), bytes.len().div_ceil(size));
        for (segment, expected) in segments.iter().zip(bytes.chunks(size)) {
            assert_eq!(
                (segment.len(), segment.to_vec()),
                (expected.len(), expected.to_vec())
            );
        }
    }
}

#[test]
fn a_dropped_rope_lets_its_slices_go() {
    let part = Bytes::from(vec![1; 10]);
    let mut rope = Rope::new();
    rope.push(part.clone());
    assert!(!part.is_unique());
    drop(rope.clone());
    drop(rope);
    assert!(part.is_unique());
}
