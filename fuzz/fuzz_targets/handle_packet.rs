//! Any bytes as packets, with time passing between them, for `Stack::handle_packet`.
//!
//! The input has the form of the files in `tests/suite/corpus`, which are its seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use suite::victim::Victim;

fuzz_target!(|bytes: &[u8]| {
    let mut victim = Victim::new();
    victim.feed(bytes);
    victim.finish();
});
