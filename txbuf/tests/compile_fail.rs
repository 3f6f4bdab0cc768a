//! No path leads through a packet or a span to writable payload: these programs do
//! not compile.

#![cfg(not(loom))]

#[test]
fn payload_cannot_be_written() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
