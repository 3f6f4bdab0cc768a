//! `netstack demo`: moves data between the kernel and the stack, checks it, and says what it took.

mod data;
mod host;
mod report;
mod stage;
mod tidy;
mod traffic;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::args::Demo;
use crate::capture_file::CaptureFile;
use crate::failure::{Failure, Outcome};
use crate::output;
use report::{CaptureRow, Report, ShortRow, StreamRow};
use stage::Stage;
use tidy::Held;
use traffic::{Bulk, Short};

/// How many short connections are made.
const SHORT_CONNECTIONS: u32 = 100;
const CAPTURE_NAME: &str = "demo.pcapng";
/// What to do when the capture cannot be written.
const REMEDY: &str = "choose another place with --out";

/// Runs the demonstration.
pub(crate) fn run(options: &Demo) -> Result<Outcome, Failure> {
    // What is kept needs no tidying.
    let held = options.out.is_none().then(Held::new).transpose()?;
    let Place {
        capture,
        own: own_directory,
    } = Place::new(options.out.as_deref())?;
    let file = CaptureFile::open(&capture, REMEDY)?;
    let stage = Stage::set(options.no_tun, file)?;
    let tidy = match (held, &own_directory) {
        (Some(held), Some(own)) => Some(held.watch(own.path().to_owned())?),
        _ => None,
    };
    if let Some(why) = &stage.fallback {
        output::complain(&format!(
            "running stack to stack in memory instead of against the kernel: {why}"
        ));
    }
    let cpu_before = cpu_time();
    let is_tun = !options.no_tun && stage.fallback.is_none();
    let fallback = stage.fallback.clone();
    let traffic = run_traffic(&stage, options.size, is_tun);
    let cpu_seconds = cpu_time().saturating_sub(cpu_before).as_secs_f64();
    let remains = stage.clear()?;
    let (streams, short) = traffic.map_err(|error| {
        Failure::new(format!(
            "the traffic came to a halt: {error}; {}",
            match options.out {
                Some(_) => format!("see {}", capture.display()),
                None => "keep the capture with --out DIR to see how".to_owned(),
            }
        ))
    })?;
    let checked = pcap_verify::check_file(&capture).map_err(Failure::of)?;
    let mut report = Report {
        link: if is_tun { "tun" } else { "memory" },
        fallback,
        streams,
        short: short_row(&short),
        packets: remains.packets,
        retransmits: remains.retransmits,
        cpu_seconds,
        live_nodes: remains.live_nodes,
        all_closed: remains.finished,
        capture: CaptureRow {
            file: capture.display().to_string(),
            packets: remains.capture.written,
            flows: checked.flows,
            findings: checked.errors,
            first: checked.findings.first().map(ToString::to_string),
        },
        passed: false,
    };
    report.passed = report.judge();
    if options.json {
        let json = serde_json::to_string(&report).map_err(Failure::of)?;
        output::line(&json)?;
    } else {
        output::line(&report.to_string())?;
    }
    drop(tidy);
    // The result names the capture. Without a result nothing would: the directory goes then.
    own_directory.map(TempDir::keep);
    Ok(if report.passed {
        Outcome::Fine
    } else {
        Outcome::Found
    })
}

fn run_traffic(stage: &Stage, size: u64, is_tun: bool) -> io::Result<(Vec<StreamRow>, Short)> {
    let names = if is_tun {
        ["kernel to stack", "stack to kernel"]
    } else {
        ["stack to stack", "stack to stack, back"]
    };
    let (near, far) = (&stage.near, &stage.far);
    let mut streams = Vec::new();
    for (direction, far_sends) in names.into_iter().zip([true, false]) {
        let bar = progress(direction, size, true);
        let bulk = traffic::bulk(far, near, far_sends, size, &bar);
        bar.finish_and_clear();
        streams.push(stream_row(direction, &bulk?));
    }
    let bar = progress("short connections", SHORT_CONNECTIONS.into(), false);
    let short = traffic::short(near, far, SHORT_CONNECTIONS, &bar);
    bar.finish_and_clear();
    Ok((streams, short?))
}

/// A bar on standard error, which hides itself where that is no terminal.
fn progress(name: &'static str, total: u64, in_bytes: bool) -> ProgressBar {
    let template = if in_bytes {
        "{prefix:<22} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    } else {
        "{prefix:<22} {bar:30} {pos}/{len}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_prefix(name).with_style(style)
}

fn stream_row(direction: &'static str, bulk: &Bulk) -> StreamRow {
    let seconds = bulk.time.as_secs_f64();
    StreamRow {
        direction,
        bytes: bulk.bytes,
        seconds,
        gbit_per_second: bulk.bytes as f64 * 8.0 / 1e9 / seconds.max(1e-9),
        sha256: bulk.arrived.to_string(),
        intact: bulk.sent == bulk.arrived,
    }
}

fn short_row(short: &Short) -> ShortRow {
    let seconds = short.time.as_secs_f64();
    ShortRow {
        connections: short.connections,
        wrong: short.wrong,
        seconds,
        per_second: f64::from(short.connections) / seconds.max(1e-9),
    }
}

/// Where the capture goes.
struct Place {
    capture: PathBuf,
    /// The directory, when it was made for this run and is to go with it.
    own: Option<TempDir>,
}

impl Place {
    /// In `out`, which is made when it is not there; without it in a new temporary directory.
    fn new(out: Option<&Path>) -> Result<Place, Failure> {
        if let Some(dir) = out {
            fs::create_dir_all(dir).map_err(|error| {
                let sentence = format!("cannot make the directory {}: {error}", dir.display());
                Failure::with_remedy(sentence, &error, "choose another with --out")
            })?;
            return Ok(Place {
                capture: dir.join(CAPTURE_NAME),
                own: None,
            });
        }
        let own = tempfile::Builder::new()
            .prefix("netstack-demo-")
            .tempdir()
            .map_err(|error| {
                let sentence = format!("cannot make a temporary directory: {error}");
                Failure::with_remedy(sentence, &error, "choose one with --out")
            })?;
        Ok(Place {
            capture: own.path().join(CAPTURE_NAME),
            own: Some(own),
        })
    }
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}
