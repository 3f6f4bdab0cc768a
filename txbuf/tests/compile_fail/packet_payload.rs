//! The payload of a packet, whatever the packet's own mutability.

fn main() {
    let ledger = txbuf::Ledger::new();
    let span = txbuf::Span::from_owner(&ledger, vec![0_u8; 10]).unwrap();
    let mut packet = txbuf::Packet::with_payload(span);
    packet.headers_mut().fill(1);
    packet.span().unwrap().contiguous().unwrap()[0] = 1;
}
