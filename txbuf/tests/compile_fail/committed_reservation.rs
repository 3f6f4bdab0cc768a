//! What is committed cannot be written any more.

fn main() {
    let ledger = txbuf::Ledger::new();
    let config = txbuf::PoolConfig { segment: 64, limit: 64, keep: 1 };
    let mut chain = txbuf::Chain::stream(&txbuf::Pool::new(&ledger, config));
    let mut room = chain.reserve(10).unwrap();
    let span = room.commit(5);
    room[0] = 1;
    drop(span);
}
