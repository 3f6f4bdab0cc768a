//! Segments with any numbers, flags, windows and options for established connections, between acts of
//! their applications and the passing of time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use suite::victim::Victim;

fuzz_target!(|bytes: &[u8]| {
    let mut victim = Victim::new();
    victim.feed_segments(bytes);
    victim.finish();
});
