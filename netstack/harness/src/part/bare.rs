//! What carrying packets between two TUN devices costs at least: one call to read each, one to write it.

use std::time::Instant;

use drivers::TunConfig;

use super::raw::{self, LOOK, ROOM};
use crate::BenchError;

/// Packets between two looks at the clock.
const PACKETS: u32 = 256;

/// Carries what the device `from` has to the device `to` until `end`.
pub(super) fn run(from: &str, to: &str, offload: bool, end: Instant) -> Result<(), BenchError> {
    let open = |name: &str| {
        raw::open(&TunConfig {
            offload,
            ..TunConfig::new(name)
        })
    };
    let [from, to] = [open(from)?, open(to)?];
    let (from, to) = (from.raw(), to.raw());
    let mut room = vec![0; ROOM];
    let mut carry = || -> std::io::Result<()> {
        super::say_ready()?;
        while Instant::now() < end {
            for _ in 0..PACKETS {
                let Some(bytes) = from.read(&mut room)? else {
                    from.sleep(LOOK.min(end.saturating_duration_since(Instant::now())))?;
                    break;
                };
                // What finds no room is lost, as on any wire.
                to.write(&room[..bytes])?;
            }
        }
        Ok(())
    };
    carry().map_err(|error| BenchError::io("drive the TUN devices", error))
}
