//! The options of `netstack bridge`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use drivers::impair::{Chance, Impairments};
use drivers::netlink::Cidr;

use super::values::{self, DeviceName};

/// Join two devices by a wire or a router, with a bad network between them if wanted.
///
/// As a wire (the default) it passes every packet as it is. As a router it forwards: hop limits, ICMP errors, longest
/// prefix routes, fragmentation, path MTU. Devices are created and removed at the end, or attached to and put back as they
/// were. With --private no privilege is needed: both sides are network namespaces made on the spot, in which the
/// commands run. Prints `ready` once it carries packets, unless commands are given; ends by Ctrl-C, SIGTERM, --for, or
/// when the left command (without one: the right) ends. Prints what became of the packets at the end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Without privilege: a path of 20 ms that loses 1 % of the packets; $PEER is the other side's address:
    netstack bridge --private --delay 20ms --loss 1% --left-cmd 'ping -c 5 $PEER'
    netstack bridge --private --offload --rate 100mbit --seed 7 \\
        --right-cmd 'iperf3 -s' --left-cmd 'sleep 1; iperf3 -c $PEER'
  Two network namespaces, with captures of both sides:
    netstack bridge --left tun0 --left-netns red --left-peer 10.9.0.1/24 --left-pcap red.pcapng \\
        --right tun0 --right-netns blue --right-peer 10.9.0.2/24 --right-pcap blue.pcapng --stats
  A router with a small MTU on the right, and loss in one direction only:
    netstack bridge --private --mode route --right-mtu 1300 --left-to-right loss=2%,delay=5ms \\
        --left-cmd 'ping -c 3 -M do -s 1400 $PEER'
  A router with Ethernet on the left:
    netstack bridge --private --mode route --left tap:left --left-cmd 'ping -c 3 $PEER; ip neigh'")]
pub(crate) struct Bridge {
    /// The device on the left: TUN, or as tap:NAME, for a router, TAP [default with --private: left]
    #[arg(
        long,
        value_name = "NAME|tap:NAME",
        required_unless_present = "private"
    )]
    pub(crate) left: Option<DeviceName>,
    /// The device on the right: TUN, or as tap:NAME, for a router, TAP [default with --private: right]
    #[arg(
        long,
        value_name = "NAME|tap:NAME",
        required_unless_present = "private"
    )]
    pub(crate) right: Option<DeviceName>,
    /// What is between them
    #[arg(long, value_enum, default_value_t = Mode::Wire)]
    pub(crate) mode: Mode,
    /// Make a network namespace for each side; needs no privilege
    #[arg(long, conflicts_with_all = ["left_netns", "right_netns"])]
    pub(crate) private: bool,
    /// A shell command to run on the left, once packets are carried; it finds $ADDR, $PEER, $ADDR6, $PEER6 and $SIDE
    #[arg(long, value_name = "COMMAND", requires = "private", value_hint = ValueHint::CommandString)]
    pub(crate) left_cmd: Option<String>,
    /// The same on the right, where it starts first
    #[arg(long, value_name = "COMMAND", requires = "private", value_hint = ValueHint::CommandString)]
    pub(crate) right_cmd: Option<String>,
    /// Use the left device of this network namespace
    #[arg(long, value_name = "NAME", value_parser = values::netns)]
    pub(crate) left_netns: Option<String>,
    /// Use the right device of this network namespace
    #[arg(long, value_name = "NAME", value_parser = values::netns)]
    pub(crate) right_netns: Option<String>,
    /// An address for the kernel's side of the left device; also brings the link up; may be repeated
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::host)]
    pub(crate) left_peer: Vec<Cidr>,
    /// The same for the right device
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::host)]
    pub(crate) right_peer: Vec<Cidr>,
    /// An address of the router on the left; with --left-peer the kernel there gets a route to the right by it
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::host)]
    pub(crate) left_addr: Vec<Cidr>,
    /// The same on the right
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = values::host)]
    pub(crate) right_addr: Vec<Cidr>,
    /// A network that the router reaches through the left, beside those of its addresses; may be repeated
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(crate) left_route: Vec<Cidr>,
    /// The same through the right
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(crate) right_route: Vec<Cidr>,
    /// The neighbour on a TAP device on the left that passes on what is for --left-route, one for each version of IP
    /// [default: everybody is a neighbour]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) left_gateway: Vec<IpAddr>,
    /// The same on the right, for --right-route
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) right_gateway: Vec<IpAddr>,
    /// Set the MTU of both devices [default: as they have it]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub(crate) mtu: Option<u32>,
    /// Set the MTU of the left device
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub(crate) left_mtu: Option<u32>,
    /// Set the MTU of the right device
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub(crate) right_mtu: Option<u32>,
    /// Exchange super-packets of up to 64 KiB with the kernel, on both sides or on one
    #[arg(long, value_enum, value_name = "SIDES", num_args = 0..=1, require_equals = true, default_missing_value = "both")]
    pub(crate) offload: Option<Sides>,
    /// Write every packet on the left to this pcapng file, also what its device is given and drops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) left_pcap: Option<PathBuf>,
    /// Write every packet on the right to this pcapng file, also what its device is given and drops
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) right_pcap: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Print a line of counters each second
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print counters as JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// End after this time, such as 20s, 500ms or 2m
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration)]
    pub(crate) run_for: Option<Duration>,
}

/// What happens between the two sides.
#[derive(Debug, Args)]
#[command(next_help_heading = "The network between them")]
pub(crate) struct Network {
    /// Delay each packet; at most 64 MiB are on their way at a time, what is more is dropped and counted
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) delay: Option<Duration>,
    /// Make the delay differ by up to this, in either direction; packets stay in order
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) jitter: Option<Duration>,
    /// Lose so many packets
    #[arg(long, value_name = "PERCENT", value_parser = values::chance)]
    pub(crate) loss: Option<Chance>,
    /// Hold so many packets back, so that others overtake them
    #[arg(long, value_name = "PERCENT", value_parser = values::chance)]
    pub(crate) reorder: Option<Chance>,
    /// Deliver so many packets twice
    #[arg(long, value_name = "PERCENT", value_parser = values::chance)]
    pub(crate) duplicate: Option<Chance>,
    /// Flip bits in so many packets
    #[arg(long, value_name = "PERCENT", value_parser = values::chance)]
    pub(crate) corrupt: Option<Chance>,
    /// Let so many bits pass in a second, such as 100mbit
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) rate: Option<u64>,
    /// Bytes that may wait for the rate [default: 100 ms of it, at least 64KiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) queue: Option<u64>,
    /// Mark packets of senders that speak ECN when they find so many bytes waiting for the rate
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) mark: Option<u64>,
    /// Repeat the chances of another run
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
    /// What is different from left to right, such as loss=2%,delay=5ms
    #[arg(long, value_name = "NAME=VALUE,...", value_delimiter = ',')]
    pub(crate) left_to_right: Vec<Setting>,
    /// What is different from right to left
    #[arg(long, value_name = "NAME=VALUE,...", value_delimiter = ',')]
    pub(crate) right_to_left: Vec<Setting>,
}

/// One impairment and how much of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting {
    Delay(Duration),
    Jitter(Duration),
    Loss(Chance),
    Reorder(Chance),
    Duplicate(Chance),
    Corrupt(Chance),
    Rate(u64),
    Queue(u64),
    Mark(u64),
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err("an impairment is written NAME=VALUE, as in loss=1%".to_owned());
        };
        Ok(match name {
            "delay" => Setting::Delay(values::duration(value)?),
            "jitter" => Setting::Jitter(values::duration(value)?),
            "loss" => Setting::Loss(values::chance(value)?),
            "reorder" => Setting::Reorder(values::chance(value)?),
            "duplicate" => Setting::Duplicate(values::chance(value)?),
            "corrupt" => Setting::Corrupt(values::chance(value)?),
            "rate" => Setting::Rate(values::rate(value)?),
            "queue" => Setting::Queue(values::size(value)?),
            "mark" => Setting::Mark(values::size(value)?),
            _ => {
                return Err(format!(
                    "there is no impairment `{name}`; choose delay, jitter, loss, reorder, duplicate, corrupt, rate, queue or mark"
                ));
            }
        })
    }
}

impl Network {
    /// Whether each option has something to act on.
    ///
    /// # Errors
    /// In a sentence that says what to do.
    pub(crate) fn check(&self) -> Result<(), String> {
        let needs_rate = |what: &str, example: &str| {
            Err(format!(
                "{what} is about the queue in front of a rate, and there is none; add {example}"
            ))
        };
        let is_rated = self
            .impairments()
            .map(|impairments| impairments.rate.is_some());
        if is_rated == [false; 2] && (self.queue.is_some() || self.mark.is_some()) {
            return needs_rate("--queue or --mark", "--rate, such as --rate 100mbit");
        }
        let sides = [
            ("--left-to-right", &self.left_to_right),
            ("--right-to-left", &self.right_to_left),
        ];
        for ((name, settings), is_rated) in sides.into_iter().zip(is_rated) {
            let queues =
                |setting: &Setting| matches!(setting, Setting::Queue(_) | Setting::Mark(_));
            if !is_rated && settings.iter().any(queues) {
                return needs_rate(
                    &format!("queue= or mark= of {name}"),
                    "rate=, such as rate=100mbit",
                );
            }
        }
        Ok(())
    }

    /// What happens from left to right and from right to left.
    pub(crate) fn impairments(&self) -> [Impairments; 2] {
        [&self.left_to_right, &self.right_to_left].map(|settings| {
            let mut impairments = self.of_both();
            settings
                .iter()
                .for_each(|setting| setting.apply(&mut impairments));
            impairments
        })
    }

    fn of_both(&self) -> Impairments {
        Impairments {
            delay: self.delay.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            loss: self.loss.unwrap_or_default(),
            reorder: self.reorder.unwrap_or_default(),
            duplicate: self.duplicate.unwrap_or_default(),
            corrupt: self.corrupt.unwrap_or_default(),
            rate: self.rate,
            queue: self.queue.map(bytes),
            mark: self.mark.map(bytes),
            ..Impairments::default()
        }
    }
}

impl Setting {
    fn apply(&self, to: &mut Impairments) {
        match *self {
            Setting::Delay(time) => to.delay = time,
            Setting::Jitter(time) => to.jitter = time,
            Setting::Loss(chance) => to.loss = chance,
            Setting::Reorder(chance) => to.reorder = chance,
            Setting::Duplicate(chance) => to.duplicate = chance,
            Setting::Corrupt(chance) => to.corrupt = chance,
            Setting::Rate(rate) => to.rate = Some(rate),
            Setting::Queue(size) => to.queue = Some(bytes(size)),
            Setting::Mark(size) => to.mark = Some(bytes(size)),
        }
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// What a bridge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Everything passes as it is
    Wire,
    /// A router
    Route,
}

/// Which sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sides {
    /// Both
    Both,
    /// The left
    Left,
    /// The right
    Right,
}
