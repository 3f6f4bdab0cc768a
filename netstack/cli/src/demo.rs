//! `netstack demo`: moves data between the kernel and the stack, checks it, and says what it took.

mod acts;
mod data;
mod host;
mod judged;
mod ping;
mod report;
mod stage;
mod tidy;
mod traffic;
mod web_file;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::args::Demo;
use crate::capture_file::CaptureFile;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::serve::Files;
use acts::Acts;
use report::Report;
use stage::{Props, Stage};
use tidy::Held;
use web_file::WebFile;

const CAPTURE_NAME: &str = "demo.pcapng";
/// What to do when the capture cannot be written.
const REMEDY: &str = "choose another place with --out";

/// Runs the demonstration.
pub(crate) fn run(options: &Demo) -> Result<Outcome, Failure> {
    let held = Held::new()?;
    let Place {
        capture,
        own: own_directory,
        mut web_file,
    } = Place::new(options.out.as_deref())?;
    let stage = Stage::set(Props {
        no_tun: options.no_tun,
        mtu: options.mtu,
        capture: CaptureFile::open(&capture, REMEDY)?,
        files: Files::new(web_file.dir()).map_err(Failure::of)?,
    })?;
    // What is kept needs no tidying.
    let to_tidy = own_directory
        .as_ref()
        .map_or(web_file.dir(), TempDir::path)
        .to_owned();
    let tidy = held.watch(to_tidy)?;
    if let Some(why) = &stage.fallback {
        output::complain(&format!(
            "running stack to stack in memory instead of against the kernel: {why}"
        ));
    }
    let content = web_file.fill(options.size.min(web_file::LARGEST))?;
    let link = if stage.has_kernel() { "tun" } else { "memory" };
    let fallback = stage.fallback.clone();
    let cpu_before = cpu_time();
    let acts = Acts::play(&stage, options.size, options.mtu, content);
    let cpu_seconds = cpu_time().saturating_sub(cpu_before).as_secs_f64();
    let kernel = stage.kernel();
    let remains = stage.clear()?;
    let acts = acts.map_err(|error| {
        Failure::new(format!(
            "the traffic came to a halt: {error}; {}",
            match options.out {
                Some(_) => format!("see {}", capture.display()),
                None => "keep the capture with --out DIR to see how".to_owned(),
            }
        ))
    })?;
    let capture = judged::capture(&capture, &kernel, remains.capture.written)?;
    let mut report = Report {
        link,
        fallback,
        mtu: options.mtu,
        pings: acts.pings,
        short: acts.short,
        streams: acts.streams,
        packets: remains.packets,
        retransmits: remains.retransmits,
        cpu_seconds,
        live_nodes: remains.live_nodes,
        all_closed: remains.finished,
        capture,
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

/// Where the files go.
struct Place {
    capture: PathBuf,
    // Stands before the directory that it may lie in, to be gone first.
    web_file: WebFile,
    /// The directory of the capture, when it was made for this run and is to go with it.
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
            return Place::within(dir, None);
        }
        let own = tempfile::Builder::new()
            .prefix("netstack-demo-")
            .tempdir()
            .map_err(|error| {
                let sentence = format!("cannot make a temporary directory: {error}");
                Failure::with_remedy(sentence, &error, "choose one with --out")
            })?;
        let dir = own.path().to_owned();
        Place::within(&dir, Some(own))
    }

    fn within(dir: &Path, own: Option<TempDir>) -> Result<Place, Failure> {
        Ok(Place {
            capture: dir.join(CAPTURE_NAME),
            web_file: WebFile::new(dir)?,
            own,
        })
    }
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}
