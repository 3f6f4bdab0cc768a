//! One measurement: a stage is set, the subject started, the client run, everything taken down.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use drivers::netlink::Netns;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::address::{BEYOND, CLIENT, PREFIX_LENGTH, PROXIED, PROXY, SUBJECT};
use crate::case::{Case, Load, Pin};
use crate::child::Child;
use crate::part::{LoadSpec, Part};
use crate::stage::{self, Stage};
use crate::subject::{self, Link, Start, Subject, Task};
use crate::{BenchError, Options, Program, Sample};

/// How long a subject may take until it is ready.
const READY: Duration = Duration::from_secs(10);
/// How long the client may take beyond its time.
const GRACE: Duration = Duration::from_secs(15);

/// The addresses of a router for which [`BEYOND`] lies on the right.
const ROUTER: [&str; 4] = [
    "--left-addr",
    "10.9.0.2/25",
    "--right-addr",
    "10.9.0.193/26",
];

/// A case, a subject, and the cores they may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) case: &'static Case,
    pub(crate) pin: Pin,
    pub(crate) subject: &'static Subject,
}

/// The cores of subject and client; nothing, where they may use all.
type Cores = (Option<CpuSet>, Option<CpuSet>);

impl Cell {
    /// Measures once.
    pub(crate) fn measure(
        &self,
        options: &Options,
        program: &Program,
        stop: &AtomicBool,
    ) -> Result<Sample, BenchError> {
        let device = unique_name();
        let lifetime = options.seconds.ceil() as u64 + READY.as_secs() + GRACE.as_secs();
        let task = Task {
            device: &device,
            load: self.case.load,
            lifetime,
        };
        let (subject_cores, client_cores) = cores_for(self.pin)?;
        let stage = Stage::set(self.subject.link, &device)?;
        let mut subject = Child::start(
            self.subject.name,
            command(self.subject.start, task, options, program)?,
            &stage.subject,
            subject_cores,
        )?;
        wait_until_ready(&mut subject, stop)?;
        stage.open()?;
        let load = Part::Load(LoadSpec {
            load: self.case.load,
            target: if self.case.load.is_forwarding() {
                BEYOND
            } else {
                SUBJECT
            },
            sources: stage::sources(),
            seconds: options.seconds,
            subject: subject.id(),
            device: device.clone(),
            onward: subject::onward(&device),
            is_kernel: matches!(self.subject.link, Link::Veth { .. }),
        });
        let client = part_command(&load, program)?;
        let mut client = Child::start("the client", client, &stage.client, client_cores)?;
        let time = Duration::from_secs_f64(options.seconds) + GRACE;
        let line = client.line(time, stop)?;
        serde_json::from_str(&line).map_err(BenchError::NoSample)
    }
}

/// Whether TUN devices can be had here at all.
pub(crate) fn try_tun() -> Result<(), BenchError> {
    let netns = Netns::anonymous()?;
    let pool = txbuf::Pool::new(
        &txbuf::Ledger::new(),
        txbuf::PoolConfig {
            segment: 4096,
            limit: 4096,
            keep: 1,
        },
    );
    let config = drivers::TunConfig {
        netns: Some(netns),
        ..drivers::TunConfig::new(unique_name())
    };
    drivers::Tun::open(&config, &pool)?;
    Ok(())
}

/// The cores for a way of pinning.
pub(crate) fn cores_for(pin: Pin) -> Result<Cores, BenchError> {
    if pin == Pin::Free {
        return Ok((None, None));
    }
    let all = sched_getaffinity(None)
        .map_err(|errno| BenchError::io("see which cores may be used", errno))?;
    let mut usable = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let only = |core| {
        let mut set = CpuSet::new();
        set.set(core);
        Some(set)
    };
    let first = usable.next().ok_or(BenchError::OneCore)?;
    let last = usable.next_back();
    match (pin, last) {
        (Pin::Two, None) => Err(BenchError::OneCore),
        (Pin::Two, Some(last)) => Ok((only(last), only(first))),
        (_, last) => Ok((only(last.unwrap_or(first)), only(last.unwrap_or(first)))),
    }
}

fn wait_until_ready(subject: &mut Child, stop: &AtomicBool) -> Result<(), BenchError> {
    while subject.line(READY, stop)? != "ready" {}
    Ok(())
}

fn command(
    start: Start,
    task: Task<'_>,
    options: &Options,
    program: &Program,
) -> Result<Command, BenchError> {
    match start {
        Start::Part(part) => part_command(&part(task), program),
        Start::Serve(more) => {
            let mut command = Command::new(&program.path);
            command
                .args(["serve", "--tun", task.device])
                .args(["--addr", &format!("{SUBJECT}/{PREFIX_LENGTH}")])
                .args(["--for", &format!("{}s", task.lifetime)])
                .args(more);
            if task.load == Load::Proxy {
                command.args(["--proxy", &format!("{PROXY}={CLIENT}:{PROXIED}")]);
            }
            Ok(command)
        }
        Start::Bridge(mode) => {
            let mut command = Command::new(&program.path);
            command
                .args(["bridge", "--mode", mode, "--left", task.device])
                .args(["--right", &subject::onward(task.device)])
                .args(["--for", &format!("{}s", task.lifetime)]);
            if mode == "route" {
                command.args(ROUTER);
            }
            if task.load.is_super() {
                command.arg("--offload");
            }
            Ok(command)
        }
        Start::Built {
            program, arguments, ..
        } => {
            let mut command = Command::new(options.peers.join(program));
            command.args(arguments(task));
            Ok(command)
        }
    }
}

fn part_command(part: &Part, program: &Program) -> Result<Command, BenchError> {
    let words = serde_json::to_string(part).map_err(BenchError::NoPart)?;
    let mut command = Command::new(&program.path);
    command.args([program.part, &words]);
    Ok(command)
}

/// A name that no other device has, of this process or of another.
fn unique_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) % 10_000;
    format!("nb{}x{number}", std::process::id() % 10_000_000)
}
