//! The command line: what can be asked for.

mod bridge;
pub(crate) mod link;
mod script;
mod values;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use drivers::netlink::{Cidr, MIN_IPV6_MTU};
use netstack::Congestion;

pub(crate) use bridge::{Bridge, Mode, Sides};
pub(crate) use link::Link;
pub(crate) use script::Script;
pub(crate) use values::{Backend, DeviceName, Proxy, Service, ServiceKind, TunName};

/// A user-mode TCP/IP stack on TUN and TAP devices.
#[derive(Debug, Parser)]
#[command(name = "netstack", version, about, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all is well, 1 a check found something, 2 usage or environment (one line on standard
error says what to do). RUST_LOG=debug (or =drivers=trace,netstack=debug) logs to standard error.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Serve(Serve),
    // Larger than the others by its many options, and made once.
    Bridge(Box<Bridge>),
    Verify(Verify),
    Script(Script),
    Bench(Bench),
    #[command(hide = true)]
    BenchPart(BenchPart),
    Completions(Completions),
    Man(Man),
}

/// Move data between the kernel and the stack, check it, and print what it took.
///
/// Over IPv4 and IPv6: pings, short connections, a file by http, and one stream each way and one both ways. Needs no
/// privilege and no set-up: makes a user and network namespace and a TUN device of its own, which end with it. Where
/// that is not allowed, runs two stacks over a link in memory, which nobody pings, and says so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netstack demo
  netstack demo --size 64MiB --out /tmp/demo
  netstack demo --mtu 65535
  netstack demo --no-tun --json")]
pub(crate) struct Demo {
    /// Keep the capture in this directory [default: a new one among the temporary files]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
    /// Run two stacks over a link in memory, without the kernel
    #[arg(long)]
    pub(crate) no_tun: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Bytes of each stream, such as 64MiB; the file has as many, up to 200 MB
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = values::size)]
    pub(crate) size: u64,
    /// The largest packet, from 1280 to 65535 bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1500,
          value_parser = clap::value_parser!(u32).range(i64::from(MIN_IPV6_MTU)..=65535))]
    pub(crate) mtu: u32,
}

/// Serve TCP and UDP on a TUN or TAP device.
///
/// Attaches to the device, or creates it and removes it at the end. Answers ping, and serves echo on port 7,
/// discard on 9 and chargen on 19 unless services or proxies are named. Prints `ready` once it serves; ends by Ctrl-C,
/// SIGTERM or --for. A device that was there before stays, and gets back the addresses, MTU and link state that it
/// had.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A device of its own, with the kernel's side set up (needs CAP_NET_ADMIN):
    netstack serve --tun tun0 --addr 10.9.0.2/24,fd00:9::2/64 --peer 10.9.0.1/24 --peer fd00:9::1/64
  A device that exists already, in a network namespace:
    netstack serve --tun tun0 --netns blue --addr 10.9.0.2/24 --stats --for 20s
  Files over HTTP, with a capture:
    netstack serve --tun tun0 --addr 10.9.0.2/24 --peer 10.9.0.1/24 \\
        --service http:80 --http-root ./public --pcap serve.pcapng
  Connections to port 8080 passed on to a server of the kernel, without touching what they carry:
    netstack serve --tun tun0 --addr 10.9.0.2/24 --peer 10.9.0.1/24 --proxy 8080=10.9.0.1:80
  A host on Ethernet, which reaches what is beyond its network by the kernel:
    netstack serve --tap tap0 --addr 10.9.0.2/24 --peer 10.9.0.1/24 --gateway 10.9.0.1")]
pub(crate) struct Serve {
    /// The TUN device: a name, or fd:N for a descriptor that was inherited
    #[arg(long, value_name = "NAME|fd:N", required_unless_present = "tap")]
    pub(crate) tun: Option<TunName>,
    /// A TAP device in its place, by its name: the stack is then a host on Ethernet, with an address there
    #[arg(long, value_name = "NAME", conflicts_with = "tun", value_parser = values::tap_name)]
    pub(crate) tap: Option<String>,
    #[command(flatten)]
    pub(crate) link: Link,
    /// An address of the stack with its prefix length; may be repeated
    #[arg(long, value_name = "CIDR", required = true, value_delimiter = ',', value_parser = values::host)]
    pub(crate) addr: Vec<Cidr>,
    /// An address for the kernel's side of the device; also brings the link up; may be repeated
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::host)]
    pub(crate) peer: Vec<Cidr>,
    /// Set the device's MTU [default: as the device has it]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub(crate) mtu: Option<u32>,
    /// Exchange super-packets of up to 64 KiB with the kernel instead of packets of the MTU
    #[arg(long)]
    pub(crate) offload: bool,
    /// Open the device with so many queues, each for a thread and a stack of its own; a flow stays on one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) shards: u16,
    /// Watch the device for this long before sleeping, such as 50us: answers come sooner and take more processor time
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) busy_poll: Option<Duration>,
    /// The system calls to send packets by
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: Backend,
    /// Let the kernel take in what is sent on a thread of its own that joins segments: streams of small packets leave
    /// more than twice as fast where a core is left for it, an answer takes longer
    #[arg(long)]
    pub(crate) threaded_napi: bool,
    /// Use the device of this network namespace
    #[arg(long, value_name = "NAME", value_parser = values::netns)]
    pub(crate) netns: Option<String>,
    /// Write every packet to this pcapng file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pcap: Option<PathBuf>,
    /// What bounds the data that TCP has in flight: reno, cubic or bbr
    #[arg(long, value_name = "NAME", default_value_t)]
    pub(crate) congestion: Congestion,
    /// A service and its port: echo, discard, chargen or http; may be repeated
    #[arg(long, value_name = "NAME:PORT", value_delimiter = ',')]
    pub(crate) service: Vec<Service>,
    /// Let discard and chargen copy what they receive and send, as a program with buffers of its own does
    #[arg(long)]
    pub(crate) copying: bool,
    /// Pass TCP connections to this port on to an address, which the stack reaches through the device; may be repeated
    #[arg(long, value_name = "PORT=ADDRESS:PORT", value_delimiter = ',')]
    pub(crate) proxy: Vec<Proxy>,
    /// The directory whose files the http service gives out
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) http_root: Option<PathBuf>,
    /// Print a line of counters each second, and totals at the end
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print the counters as JSON, one object a line
    #[arg(long, requires = "stats")]
    pub(crate) json: bool,
    /// End after this time, such as 20s, 500ms or 2m
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration)]
    pub(crate) run_for: Option<Duration>,
}

/// Judge the packets of pcap and pcapng files by what RFCs ask of them.
///
/// Follows every TCP connection and reports what breaks a rule: errors, which end with exit code 1, warnings and
/// notes; and what the capture cannot show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netstack verify serve.pcapng
  netstack verify --vantage sender --mtu 1500 client.pcap
  netstack verify --beside 10.0.0.1 --beside fd00::1 serve.pcapng
  netstack verify --annotate marked.pcapng broken.pcapng
  netstack verify --sarif *.pcapng > verify.sarif")]
pub(crate) struct Verify {
    /// Captures of raw IP, Ethernet or Linux cooked links
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Where the capture was taken: beside the side that sends more data, the other, or neither
    #[arg(long, value_enum, default_value_t)]
    pub(crate) vantage: VantageWord,
    /// An address of the host beside which the capture was taken, instead of --vantage; may be given several times
    #[arg(long, value_name = "ADDRESS", conflicts_with = "vantage")]
    pub(crate) beside: Vec<IpAddr>,
    /// The capture has every packet of the hosts beside which it was taken: what they acknowledge beyond is an error
    #[arg(long, requires = "beside")]
    pub(crate) complete: bool,
    /// Whether packets were captured before segmentation and checksums, or as on the wire
    #[arg(long, value_enum, default_value_t)]
    pub(crate) offload: OffloadWord,
    /// The MTU of the link, against which announced segment sizes are held
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..))]
    pub(crate) mtu: Option<u32>,
    /// Print one JSON object for each file, a line each
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,
    /// Print one SARIF log for all files
    #[arg(long)]
    pub(crate) sarif: bool,
    /// Write a copy of the capture with the findings as comments; for one file
    #[arg(long, value_name = "OUT.pcapng", value_hint = ValueHint::FilePath)]
    pub(crate) annotate: Option<PathBuf>,
    /// Draw each TCP connection into this directory, with an index.html; for one file
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) plot: Option<PathBuf>,
}

/// Where a capture was taken.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum VantageWord {
    #[default]
    Auto,
    Sender,
    Receiver,
    Middle,
}

/// Whether packets are as on the wire.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum OffloadWord {
    #[default]
    Auto,
    Before,
    After,
}

/// Measure this stack beside its peers, the kernel and the ceiling of the device.
///
/// Runs every case with every subject by turns, in namespaces and on devices of its own, and prints medians, what each
/// core did, processor time and memory, and how the ratios that are demanded of this stack were met. Needs no
/// privilege. Ends everything it has started, also by Ctrl-C. Nothing else should run on the machine.
#[derive(Debug, Args)]
#[command(after_help = BENCH_HELP)]
pub(crate) struct Bench {
    /// How often each case is measured with each subject [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,
    /// How long each time, from 0.01 to 60 [default: 2]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<f64>,
    /// Only these cases
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only these subjects
    #[arg(long, value_name = "SUBJECT", value_delimiter = ',')]
    pub(crate) subjects: Vec<String>,
    /// Which cores subject and client use [default: as the case has it, of what the machine has]
    #[arg(long, value_name = "CORES", value_delimiter = ',')]
    pub(crate) pin: Vec<PinName>,
    /// One round of 0.1 s: whether every case works, not how fast
    #[arg(long)]
    pub(crate) quick: bool,
    /// End with exit code 1 when a ratio that is demanded is missed
    #[arg(long)]
    pub(crate) check: bool,
    /// Write everything as JSON; `-` prints it instead of the tables
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// Where peers lie that are built apart (gVisor, ipstack)
    #[arg(long, value_name = "DIR", default_value = "bench/peers", value_hint = ValueHint::DirPath)]
    pub(crate) peers: PathBuf,
}

const BENCH_HELP: &str = "\
Cases: in-1 in-10 in-100 out-1 out-10 out-100 both-1 both-10 both-100 (bulk TCP, connections),
rr-1 rr-1-spin rr-1k rr-64k (request and response), crr (connect, request, close), udp-echo, udp-bulk,
udp-bulk-gso (there and back in super-packets), proxy (TCP passed on),
fwd-64 fwd-512 fwd-1500 fwd-64k (carried from device to device).

Subjects: offload copying plain calls napi busy-poll shards (this stack), ceiling ceiling-plain ceiling-napi (no
TCP), veth veth-plain (the kernel), smoltcp, gvisor gvisor-plain ipstack (built apart; see --peers); wire router (this
stack's bridge) and bare (a program that reads and writes) carry packets.

Examples:
  netstack bench --html bench.html --json bench.json
  netstack bench --only in-1,out-1 --subjects offload,ceiling,veth --rounds 9
  netstack bench --only rr-1 --pin one,two,free
  netstack bench --quick";

/// Which cores subject and client use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PinName {
    /// Both on one core
    One,
    /// A core each
    Two,
    /// As the kernel sees fit
    Free,
}

/// A part of `bench`, which starts it.
#[derive(Debug, Args)]
pub(crate) struct BenchPart {
    /// Which part, in JSON
    pub(crate) words: String,
}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  netstack completions bash > ~/.local/share/bash-completion/completions/netstack")]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

/// Print the manual page, or write the pages of all commands into a directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netstack man | man -l -
  netstack man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Where to write one page for each command
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
