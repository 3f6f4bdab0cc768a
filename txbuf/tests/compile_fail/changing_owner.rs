//! An owner whose bytes may change under a shared reference.

fn main() {
    let ledger = txbuf::Ledger::new();
    let bytes = [0_u8; 4].map(std::sync::atomic::AtomicU8::new);
    let _span = txbuf::Span::from_owner(&ledger, bytes);
}
