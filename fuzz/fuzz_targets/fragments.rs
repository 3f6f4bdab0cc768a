//! Fragments with any positions and lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use suite::victim::Victim;

fuzz_target!(|bytes: &[u8]| {
    let mut victim = Victim::new();
    victim.feed_fragments(bytes);
    victim.finish();
});
