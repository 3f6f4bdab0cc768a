//! Bytes are only there as long as their pin.

fn main() {
    let ledger = txbuf::Ledger::new();
    let span = txbuf::Span::from_owner(&ledger, vec![0_u8; 10]).unwrap();
    let bytes = span.contiguous().unwrap();
    drop(span);
    assert_eq!(bytes[0], 0);
}
