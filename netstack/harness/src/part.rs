//! What this program runs as processes of their own during a measurement, so that each has its own cores, its own
//! account of processor time and its own memory.

mod bare;
mod ceiling;
mod load;
mod raw;
mod server;
mod smol;

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::case::Load;

pub(crate) use load::LoadSpec;

/// How a program without a stack opens its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CeilingDevice {
    /// Packets of the MTU.
    Plain,
    /// Likewise, taken in by a thread of the kernel.
    ThreadedNapi,
    /// Super-packets.
    Offload,
}

/// A part, as it travels on the command line of the process that runs it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// The client: runs one load, prints the sample as a line of JSON.
    Load(LoadSpec),
    /// The kernel's sockets as the subject.
    Server {
        /// Seconds after which it ends.
        lifetime: u64,
    },
    /// A program that answers without TCP: as fast as a TUN device goes.
    Ceiling {
        /// The device's name.
        device: String,
        /// How the device is opened.
        kind: CeilingDevice,
        /// What it will be asked.
        load: Load,
        /// Seconds after which it ends.
        lifetime: u64,
    },
    /// A program that reads packets from one TUN device and writes them to another.
    Bare {
        /// The name of the device that is read.
        from: String,
        /// The name of the one that is written.
        to: String,
        /// Whether super-packets are exchanged.
        offload: bool,
        /// Seconds after which it ends.
        lifetime: u64,
    },
    /// smoltcp as the subject.
    Smoltcp {
        /// The device's name.
        device: String,
        /// What it will be asked.
        load: Load,
        /// Seconds after which it ends.
        lifetime: u64,
    },
}

impl Part {
    /// Runs to the end.
    pub(crate) fn run(&self) -> Result<(), BenchError> {
        match self {
            Part::Load(spec) => {
                let sample =
                    load::run(spec).map_err(|error| BenchError::io("run the load", error))?;
                let line = serde_json::to_string(&sample).map_err(io::Error::from);
                line.and_then(|line| say(&line))
                    .map_err(|error| BenchError::io("print the sample", error))
            }
            Part::Server { lifetime } => server::run(end_after(*lifetime))
                .map_err(|error| BenchError::io("serve on the kernel's sockets", error)),
            Part::Ceiling {
                device,
                kind,
                load,
                lifetime,
            } => ceiling::run(device, *kind, *load, end_after(*lifetime)),
            Part::Bare {
                from,
                to,
                offload,
                lifetime,
            } => bare::run(from, to, *offload, end_after(*lifetime)),
            Part::Smoltcp {
                device,
                load,
                lifetime,
            } => smol::run(device, *load, end_after(*lifetime))
                .map_err(|error| BenchError::io("run smoltcp", error)),
        }
    }
}

/// Tells the parent that the subject can be measured.
fn say_ready() -> io::Result<()> {
    say("ready")
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn end_after(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds.min(3600))
}
