use super::{AGAIN, LEAST_PAUSE, SMALL, Search};
use crate::Instant;

/// The sizes that are tried where the path takes `takes` bytes, and the search as it is then.
fn found(low: usize, most: usize, takes: usize) -> (Vec<usize>, Search) {
    let mut search = Search::new(low, most);
    let mut now = Instant::ZERO;
    let mut tried = Vec::new();
    while let Some(size) = search.size(now) {
        assert!((search.low + 1..=search.high).contains(&size), "{search:?}");
        tried.push(size);
        if size <= takes {
            search.on_passed(now, size);
        } else {
            search.on_lost(now, size, LEAST_PAUSE);
            assert!(search.size(now).is_none(), "not at once");
            now += LEAST_PAUSE;
        }
    }
    (tried, search)
}

// req: RFC4821-06, RFC4821-07, RFC4821-10, RFC4821-11, RFC8899-14
#[test]
fn a_search_tries_all_of_it_first_and_then_halves_the_range() {
    assert_eq!(found(1012, 1448, 1448).0, [1448]);
    for takes in 1012..1448 {
        let (tried, search) = found(1012, 1448, takes);
        let low = search.low;
        assert!(low <= takes && takes < low + SMALL, "{takes}: {low}");
        assert!(tried.len() <= 8, "{tried:?}");
    }
}

// req: RFC4821-08
#[test]
fn a_search_that_ended_begins_again_after_ten_minutes() {
    let (_, mut search) = found(1012, 1448, 1200);
    let ended = search.next_at;
    assert!(ended >= Instant::ZERO + AGAIN);
    assert_eq!(
        search.size(ended),
        Some(1448),
        "the path may be another one"
    );
    let (_, mut search) = found(1012, 1448, 1448);
    assert_eq!(
        search.size(search.next_at),
        None,
        "there is nothing to find"
    );
}
