//! A span taken out of its packet is as immutable as before.

fn main() {
    let mut packet = txbuf::Packet::new();
    let mut span = packet.take_span().unwrap();
    for extent in span.extents() {
        extent.bytes().unwrap().fill(1);
    }
    span.advance(1).unwrap();
}
