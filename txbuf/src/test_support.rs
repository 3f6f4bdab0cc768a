//! What the unit tests share.

use crate::{Chain, Ledger, Pool, PoolConfig, Span};

/// A pool of segments of `segment` bytes, with room for 1000 of them, and its
/// ledger.
pub(crate) fn pool(segment: usize) -> (Ledger, Pool) {
    let ledger = Ledger::new();
    let config = PoolConfig {
        segment,
        limit: 1000 * segment,
        keep: 8,
    };
    let pool = Pool::new(&ledger, config);
    (ledger, pool)
}

/// `n` bytes that tell their position.
pub(crate) fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8).collect()
}

/// A stream with `n` pattern bytes.
pub(crate) fn stream(pool: &Pool, n: usize) -> Chain {
    let mut chain = Chain::stream(pool);
    assert_eq!(chain.append(&pattern(n)), Ok(n));
    chain
}

pub(crate) fn owned(ledger: &Ledger, bytes: &[u8]) -> Span {
    Span::from_owner(ledger, bytes.to_vec()).unwrap()
}

pub(crate) fn vec(span: &Span) -> Vec<u8> {
    span.to_vec().unwrap()
}
