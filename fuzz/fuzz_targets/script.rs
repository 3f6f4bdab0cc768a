//! Packet scripts with any text: an error names a place in the text, and what was read is played in bounded time.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use packet_script::{Options, parse, run_script};

/// Scripts may let days pass, and move megabytes; fuzzing wants many of them.
const EVENTS: usize = 24;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    match parse(Path::new("fuzz.pkt"), &text) {
        Err(error) => {
            assert!(error.line <= text.lines().count().max(1) + 1, "{error}");
            assert!(error.column > 0, "{error}");
        }
        Ok(script) if script.events.len() <= EVENTS => {
            let _ = run_script(&script, &Options::default()).to_string();
        }
        Ok(_) => {}
    }
});
