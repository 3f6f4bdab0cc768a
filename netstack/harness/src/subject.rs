//! What is measured against what: the table of subjects.

use std::path::Path;

use crate::case::Load;
use crate::part::{CeilingDevice, Part};
use crate::{BenchError, Program};

/// How the client reaches a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A TUN device that the subject opens. `queue` is what the kernel queues towards it (`txqueuelen`).
    Tun {
        /// Packets.
        queue: u32,
    },
    /// Two TUN devices in one network namespace, both opened by the subject: the client's, and [`onward`].
    Pair {
        /// Packets that the kernel queues towards the subject.
        queue: u32,
    },
    /// A veth pair into another network namespace.
    Veth {
        /// Whether its ends segment, join and sum.
        offloads: bool,
    },
}

/// How a subject is started. It says `ready` on standard output, serves echo on port 7, discard on 9 and chargen on
/// 19 at [`SUBJECT`](crate::address::SUBJECT), passes on what comes to [`PROXY`](crate::address::PROXY) if that is its
/// load, and ends by itself after a time it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// This stack: `netstack serve` with these options besides.
    Serve(&'static [&'static str]),
    /// This stack: `netstack bridge` in this mode.
    Bridge(&'static str),
    /// A hidden part of this program.
    Part(fn(Task<'_>) -> Part),
    /// A program that was built apart, below the directory of peers.
    Built {
        /// Where it lies in that directory.
        program: &'static str,
        /// What it is told.
        arguments: fn(Task<'_>) -> Vec<String>,
        /// How to have it.
        remedy: &'static str,
    },
}

/// What a subject is started for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    /// The name of its TUN device.
    pub(crate) device: &'a str,
    /// What the client will do.
    pub(crate) load: Load,
    /// After how many seconds it ends by itself.
    pub(crate) lifetime: u64,
}

/// One subject.
#[derive(Debug)]
pub struct Subject {
    /// As it is written on the command line.
    pub name: &'static str,
    /// In words, for the report.
    pub about: &'static str,
    /// How it is reached.
    pub(crate) link: Link,
    /// How it is started.
    pub(crate) start: Start,
    /// What it can be asked to do.
    pub(crate) serves: fn(Load) -> bool,
}

/// What a plain device queues: the default of 500 is less than a window, and a full queue drops.
const PLAIN: Link = Link::Tun { queue: 4000 };
/// A super-packet is dozens of packets: the default is enough.
const SUPER: Link = Link::Tun { queue: 500 };

const PAIR: Link = Link::Pair { queue: 4000 };

const GVISOR: &str =
    "run gv/build.sh there, which takes Debian's golang-go and golang-gvisor-gvisor-dev";

/// The subjects, in the order of reports.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        name: "offload",
        about: "this stack, TUN with offload",
        link: SUPER,
        start: Start::Serve(&["--offload"]),
        serves: everything,
    },
    Subject {
        name: "plain",
        about: "this stack, plain TUN",
        link: PLAIN,
        start: Start::Serve(&[]),
        serves: everything,
    },
    Subject {
        name: "calls",
        about: "this stack, plain TUN, a system call for each packet",
        link: PLAIN,
        start: Start::Serve(&["--backend", "calls"]),
        serves: everything,
    },
    Subject {
        name: "napi",
        about: "this stack, plain TUN, taken in by a thread of the kernel",
        link: PLAIN,
        start: Start::Serve(&["--threaded-napi"]),
        serves: everything,
    },
    Subject {
        name: "busy-poll",
        about: "this stack, TUN with offload, spinning",
        link: SUPER,
        start: Start::Serve(&["--offload", "--busy-poll", "50us"]),
        serves: everything,
    },
    Subject {
        name: "copying",
        about: "this stack, TUN with offload, services that copy what they receive and send",
        link: SUPER,
        start: Start::Serve(&["--offload", "--copying"]),
        serves: one_stream,
    },
    Subject {
        name: "shards",
        about: "this stack, TUN with offload, two shards",
        link: SUPER,
        start: Start::Serve(&["--offload", "--shards", "2"]),
        serves: everything,
    },
    Subject {
        name: "ceiling",
        about: "a program without TCP in it, TUN with offload",
        link: SUPER,
        start: Start::Part(|task| ceiling(task, CeilingDevice::Offload)),
        serves: what_a_ceiling_can,
    },
    Subject {
        name: "ceiling-plain",
        about: "a program without TCP in it, plain TUN",
        link: PLAIN,
        start: Start::Part(|task| ceiling(task, CeilingDevice::Plain)),
        serves: what_a_ceiling_can,
    },
    Subject {
        name: "ceiling-napi",
        about: "a program without TCP in it, plain TUN, taken in by a thread of the kernel",
        link: PLAIN,
        start: Start::Part(|task| ceiling(task, CeilingDevice::ThreadedNapi)),
        serves: what_a_ceiling_can,
    },
    Subject {
        name: "veth",
        about: "the kernel over veth, all offloads",
        link: Link::Veth { offloads: true },
        start: Start::Part(server),
        serves: what_the_kernel_can,
    },
    Subject {
        name: "veth-plain",
        about: "the kernel over veth, no segmentation offloads",
        link: Link::Veth { offloads: false },
        start: Start::Part(server),
        serves: what_the_kernel_can,
    },
    Subject {
        name: "smoltcp",
        about: "smoltcp, plain TUN",
        link: PLAIN,
        start: Start::Part(smoltcp),
        serves: what_smoltcp_does,
    },
    Subject {
        name: "wire",
        about: "this stack, `bridge --mode wire`",
        link: PAIR,
        start: Start::Bridge("wire"),
        serves: Load::is_forwarding,
    },
    Subject {
        name: "router",
        about: "this stack, `bridge --mode route`",
        link: PAIR,
        start: Start::Bridge("route"),
        serves: Load::is_forwarding,
    },
    Subject {
        name: "bare",
        about: "a program that reads and writes",
        link: PAIR,
        start: Start::Part(bare),
        serves: Load::is_forwarding,
    },
    Subject {
        name: "gvisor",
        about: "gVisor's netstack, TUN with host segmentation offload",
        link: SUPER,
        start: Start::Built {
            program: "gv/gvpeer",
            arguments: |task| words(task, "gso"),
            remedy: GVISOR,
        },
        serves: tcp_and_echo,
    },
    Subject {
        name: "gvisor-plain",
        about: "gVisor's netstack, plain TUN",
        link: PLAIN,
        start: Start::Built {
            program: "gv/gvpeer",
            arguments: |task| words(task, "plain"),
            remedy: GVISOR,
        },
        serves: tcp_and_echo,
    },
    Subject {
        name: "ipstack",
        about: "ipstack, plain TUN",
        link: PLAIN,
        start: Start::Built {
            program: "ipst/target/release/ipstpeer",
            arguments: |task| words(task, "mt"),
            remedy: "run `cargo build --release` in ipst there",
        },
        serves: tcp_and_echo,
    },
];

impl Subject {
    /// Why this subject cannot be measured here, if it cannot.
    pub(crate) fn is_missing(&self, program: &Program, peers: &Path) -> Option<String> {
        match self.start {
            Start::Part(_) | Start::Bridge(_) => None,
            Start::Serve(options) => {
                let unknown = options
                    .iter()
                    .filter(|word| word.starts_with("--"))
                    .find(|option| !program.serve_options.iter().any(|known| known == *option))?;
                Some(format!("`serve` has no {unknown} in this build"))
            }
            Start::Built {
                program, remedy, ..
            } => {
                let path = peers.join(program);
                (!path.is_file()).then(|| format!("{} is not there: {remedy}", path.display()))
            }
        }
    }
}

/// The subject with this name.
pub(crate) fn find(name: &str) -> Result<&'static Subject, BenchError> {
    SUBJECTS
        .iter()
        .find(|subject| subject.name == name)
        .ok_or_else(|| BenchError::UnknownSubject {
            name: name.to_owned(),
            known: names(SUBJECTS.iter().map(|subject| subject.name)),
        })
}

/// The other device of a pair.
pub(crate) fn onward(device: &str) -> String {
    format!("{device}o")
}

pub(crate) fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

/// What shows the price of a copy beside `offload`.
fn one_stream(load: Load) -> bool {
    matches!(load, Load::Bulk { connections: 1, .. })
}

fn everything(load: Load) -> bool {
    !load.is_forwarding()
}

/// Its sockets get datagrams one by one.
fn what_the_kernel_can(load: Load) -> bool {
    everything(load) && load != Load::Volley
}

fn what_smoltcp_does(load: Load) -> bool {
    what_the_kernel_can(load) && load != Load::Proxy
}

fn tcp_and_echo(load: Load) -> bool {
    what_smoltcp_does(load) && load != Load::Flood
}

/// It keeps no state of connections, so it has one of them and answers a request that is one packet.
fn what_a_ceiling_can(load: Load) -> bool {
    match load {
        Load::Bulk {
            inward,
            outward,
            connections,
        } => connections == 1 && inward != outward,
        Load::Ask { bytes, .. } => bytes <= 1024,
        Load::Connect | Load::Datagrams { .. } | Load::Flood | Load::Volley => true,
        Load::Proxy | Load::Forward { .. } => false,
    }
}

fn server(task: Task<'_>) -> Part {
    Part::Server {
        lifetime: task.lifetime,
    }
}

fn ceiling(task: Task<'_>, kind: CeilingDevice) -> Part {
    Part::Ceiling {
        device: task.device.to_owned(),
        kind,
        load: task.load,
        lifetime: task.lifetime,
    }
}

fn bare(task: Task<'_>) -> Part {
    Part::Bare {
        from: task.device.to_owned(),
        to: onward(task.device),
        offload: task.load.is_super(),
        lifetime: task.lifetime,
    }
}

fn smoltcp(task: Task<'_>) -> Part {
    Part::Smoltcp {
        device: task.device.to_owned(),
        load: task.load,
        lifetime: task.lifetime,
    }
}

fn words(task: Task<'_>, mode: &str) -> Vec<String> {
    [task.device, &task.lifetime.to_string(), mode]
        .map(str::to_owned)
        .into()
}
