//! Two reservations of one chain would cover the same bytes.

fn main() {
    let ledger = txbuf::Ledger::new();
    let config = txbuf::PoolConfig { segment: 64, limit: 64, keep: 1 };
    let mut chain = txbuf::Chain::stream(&txbuf::Pool::new(&ledger, config));
    let mut first = chain.reserve(10).unwrap();
    let mut second = chain.reserve(10).unwrap();
    first[0] = 1;
    second[0] = 2;
}
