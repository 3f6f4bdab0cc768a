//! What a TUN device gives at most: programs that answer the kernel's TCP and UDP with prepared headers and keep no
//! state of connections. They acknowledge what they see, holes included, and look at no payload.

mod answer;
mod receive;
mod transmit;
mod wire;

use std::time::Instant;

use drivers::TunConfig;

use super::{CeilingDevice, raw};
use crate::BenchError;
use crate::case::Load;

/// Serves `load` on the device until `end`.
pub(super) fn run(
    name: &str,
    kind: CeilingDevice,
    load: Load,
    end: Instant,
) -> Result<(), BenchError> {
    let offload = kind == CeilingDevice::Offload;
    let device = raw::open(&TunConfig {
        offload,
        threaded_napi: kind == CeilingDevice::ThreadedNapi,
        ..TunConfig::new(name)
    })?;
    let raw = device.raw();
    let serve = || {
        super::say_ready()?;
        match load {
            Load::Bulk { inward: true, .. } => receive::acknowledge(&raw, offload, end),
            Load::Bulk { .. } => transmit::send(&raw, offload, end),
            Load::Flood => receive::discard(&raw, end),
            Load::Ask { .. } | Load::Connect | Load::Datagrams { .. } | Load::Volley => {
                answer::answer(&raw, end)
            }
            Load::Proxy | Load::Forward { .. } => Ok(()),
        }
    };
    serve().map_err(|error| BenchError::io("drive the TUN device", error))
}
