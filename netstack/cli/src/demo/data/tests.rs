use super::*;

#[test]
fn the_stream_depends_on_seed_and_length_alone() {
    let digest = |seed, length| Source::new(seed, length).digest().to_string();
    assert_eq!(digest(1, 1_000_000), digest(1, 1_000_000));
    assert_ne!(digest(1, 1_000_000), digest(2, 1_000_000));
    assert_ne!(digest(1, 1_000_000), digest(1, 1_000_001));
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest(1, 0), empty);
}

#[test]
fn no_two_places_are_alike() {
    let mut source = Source::new(7, 2 * CHUNK as u64);
    let first = source.next_chunk().unwrap().to_vec();
    let second = source.next_chunk().unwrap().to_vec();
    assert!(source.next_chunk().is_none());
    let places = first.chunks(STAMP_EVERY).chain(second.chunks(STAMP_EVERY));
    let distinct: std::collections::HashSet<_> = places.clone().collect();
    assert_eq!(distinct.len(), places.count());
}
