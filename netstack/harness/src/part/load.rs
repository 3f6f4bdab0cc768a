//! The client: the kernel's sockets, one bounded load, one sample.

mod ask;
mod bulk;
mod datagrams;
mod proxied;
mod streams;

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::address::PROXY;
use crate::case::Load;
use crate::probe::{self, Cores, Cpu, Traffic};
use crate::sample::{Latency, Sample};

/// What the client is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoadSpec {
    pub(crate) load: Load,
    pub(crate) target: Ipv4Addr,
    /// The client's addresses.
    pub(crate) sources: Vec<Ipv4Addr>,
    pub(crate) seconds: f64,
    /// The process that is measured.
    pub(crate) subject: u32,
    /// The client's device, on whose way packets may be dropped.
    pub(crate) device: String,
    /// The device to which packets are carried on, where they are.
    pub(crate) onward: String,
    /// Whether the subject's sockets are the kernel's, which count what they got.
    pub(crate) is_kernel: bool,
}

/// What a load did.
#[derive(Debug, Default)]
struct Done {
    bytes: u64,
    operations: u64,
    errors: u64,
    latency: Option<Histogram<u64>>,
}

/// What is read before and after.
struct Before {
    at: Instant,
    subject: Cpu,
    client: Cpu,
    cores: Cores,
    traffic: Traffic,
}

/// No call of a load waits longer: what stalls is an error.
const PATIENCE: Duration = Duration::from_secs(2);
/// After so many errors a load gives up.
const MOST_ERRORS: u64 = 20;

/// Runs the load for its time.
pub(crate) fn run(spec: &LoadSpec) -> io::Result<Sample> {
    let time = Duration::try_from_secs_f64(spec.seconds)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    match spec.load {
        Load::Bulk {
            inward,
            outward,
            connections,
        } => {
            let ins = streams::open_many(spec, streams::DISCARD, connections * u32::from(inward))?;
            let outs =
                streams::open_many(spec, streams::CHARGEN, connections * u32::from(outward))?;
            measure(spec, || bulk::run(&ins, &outs, time))
        }
        Load::Ask { bytes, spin } => {
            let mut stream = streams::open(spec, streams::ECHO, 0)?;
            ask::warm(&mut stream, bytes)?;
            measure(spec, || ask::run(&mut stream, bytes, spin, time))
        }
        Load::Connect => measure(spec, || ask::connect_run(spec, time)),
        Load::Datagrams { bytes } => {
            let socket = datagrams::open(spec, streams::ECHO)?;
            datagrams::warm(&socket, bytes);
            measure(spec, || datagrams::echo(&socket, bytes, time))
        }
        Load::Flood => {
            let socket = datagrams::open(spec, streams::DISCARD)?;
            measure(spec, || datagrams::flood(spec, &socket, time))
        }
        Load::Volley => {
            let socket = datagrams::open(spec, streams::ECHO)?;
            measure(spec, || datagrams::volley(&socket, time))
        }
        Load::Proxy => {
            let sink = proxied::Sink::open()?;
            let stream = streams::open(spec, PROXY, 0)?;
            measure(spec, || proxied::run(&sink, stream, time))
        }
        Load::Forward { bytes, .. } => {
            let socket = datagrams::open(spec, streams::DISCARD)?;
            measure(spec, || datagrams::forward(spec, &socket, bytes, time))
        }
    }
}

fn measure(spec: &LoadSpec, work: impl FnOnce() -> io::Result<Done>) -> io::Result<Sample> {
    let before = Before {
        subject: probe::cpu_of(spec.subject)?,
        client: probe::cpu_of(std::process::id())?,
        cores: probe::cores()?,
        traffic: probe::traffic(&spec.device)?,
        at: Instant::now(),
    };
    let done = work()?;
    let seconds = before.at.elapsed().as_secs_f64();
    if done.errors > MOST_ERRORS || (done.bytes == 0 && done.operations == 0) {
        return Err(io::Error::other(format!(
            "the subject failed {} of {} operations and moved {} bytes",
            done.errors,
            done.operations + done.errors,
            done.bytes
        )));
    }
    let traffic = probe::traffic(&spec.device)?;
    let rate = if spec.load.is_bulk() {
        done.bytes as f64 * 8.0 / 1e9 / seconds
    } else {
        done.operations as f64 / seconds
    };
    Ok(Sample {
        rate,
        seconds,
        bytes: done.bytes,
        operations: done.operations,
        errors: done.errors,
        latency: done.latency.as_ref().map(Latency::of),
        subject: probe::cpu_of(spec.subject)?.since(before.subject),
        client: probe::cpu_of(std::process::id())?.since(before.client),
        cores: probe::cores()?.since(&before.cores),
        peak_kib: probe::peak_kib(spec.subject)?,
        dropped: traffic.dropped.saturating_sub(before.traffic.dropped),
        retransmits: traffic
            .retransmits
            .saturating_sub(before.traffic.retransmits),
    })
}

/// Nanoseconds up to a minute, to three digits.
fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
