//! Where the bytes of a stack lie.

use txbuf::{Account, Ledger, Pool, PoolConfig};

/// Bytes of a segment of the sending pool: a super-packet fits into two.
const SEND_SEGMENT: usize = 64 << 10;
/// Bytes of a segment of the pool for small data.
const SMALL_SEGMENT: usize = 4 << 10;

/// The pools of one stack, and the one limit on what they and the copies beside them hold.
#[derive(Clone, Debug)]
pub struct Pools {
    /// Send queues: segments of 64 KiB.
    pub send: Pool,
    /// Data too small to pin a large segment: segments of 4 KiB.
    pub small: Pool,
    /// What both are charged to. Under pressure (from seven eighths of its limit on, until half of it is free
    /// again) a connection may queue 64 KiB in each direction and no more; at the limit nothing is taken that
    /// needs storage.
    pub account: Account,
    /// The ledger on which they stand, for buffers that applications hand over. One that is
    /// [tracking](Ledger::tracking) lists who holds what: [`Stack::ledger`](crate::Stack::ledger).
    pub ledger: Ledger,
}

impl Pools {
    /// Pools charged to `ledger` that hold at most `limit` bytes together.
    pub fn new(ledger: &Ledger, limit: usize) -> Pools {
        let account = Account::new(limit);
        let pool = |name, segment, keep| {
            let config = PoolConfig {
                segment,
                limit,
                keep,
            };
            Pool::charged_to(&ledger.named(name), config, &account)
        };
        Pools {
            send: pool("send queues", SEND_SEGMENT, 256),
            small: pool("small data", SMALL_SEGMENT, 256),
            account,
            ledger: ledger.named("applications"),
        }
    }
}
