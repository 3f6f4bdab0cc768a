//! The right to write is not copied.

fn main() {
    let ledger = txbuf::Ledger::new();
    let config = txbuf::PoolConfig { segment: 64, limit: 64, keep: 1 };
    let room = txbuf::Pool::new(&ledger, config).reserve().unwrap();
    let _again = room.clone();
}
