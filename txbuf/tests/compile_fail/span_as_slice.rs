//! A span is no mutable slice.

fn main() {
    let mut span = txbuf::Span::empty();
    let bytes: &mut [u8] = &mut span;
    bytes.fill(1);
}
