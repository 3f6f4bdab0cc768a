//! Two network namespaces made on the spot, and the commands that run in them.

use std::collections::HashSet;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use drivers::netlink::{self, Cidr, Netns};
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid,
};

use super::side::{self, Plan};
use crate::args::{Bridge, Mode};
use crate::failure::{Failure, Outcome};

/// How long a command may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// The kernel's addresses on the left and on the right, and those of the router.
const WIRE: [&str; 2] = ["10.0.0.1/24,fd00::1/64", "10.0.0.2/24,fd00::2/64"];
const ROUTED: [&str; 2] = ["10.0.1.2/24,fd00:1::2/64", "10.0.2.2/24,fd00:2::2/64"];
const ROUTER: [&str; 2] = ["10.0.1.1/24,fd00:1::1/64", "10.0.2.1/24,fd00:2::1/64"];

/// Makes the namespaces, of which nobody else knows.
///
/// Must be called while the process has one thread.
///
/// # Errors
/// In a sentence that says what to do.
pub(super) fn enter(options: &Bridge) -> Result<[Plan; 2], Failure> {
    if options.left_cmd.is_none() && options.right_cmd.is_none() {
        return Err(Failure::new(
            "nobody but a command can be in a private namespace: give --left-cmd or --right-cmd, such as --left-cmd 'ping -c 3 $PEER'",
        ));
    }
    netlink::private_namespace().map_err(Failure::of)?;
    let spaces = [Netns::anonymous(), Netns::anonymous()];
    let [left, right] = spaces.map(|space| space.map_err(Failure::of));
    let spaces = [Some(left?), Some(right?)];
    let is_wire = options.mode == Mode::Wire;
    let or = |given: &[Cidr], default: &str| match given.is_empty() {
        true => fitting(default, options),
        false => given.to_vec(),
    };
    let peers = if is_wire { WIRE } else { ROUTED };
    let peers = [
        or(&options.left_peer, peers[0]),
        or(&options.right_peer, peers[1]),
    ];
    let router = match is_wire {
        true => [options.left_addr.clone(), options.right_addr.clone()],
        false => [
            or(&options.left_addr, ROUTER[0]),
            or(&options.right_addr, ROUTER[1]),
        ],
    };
    side::with(options, spaces, peers, router)
}

/// The addresses that links of the size asked for can have.
fn fitting(list: &str, options: &Bridge) -> Vec<Cidr> {
    let sizes = [options.mtu, options.left_mtu, options.right_mtu];
    let is_small = sizes
        .into_iter()
        .flatten()
        .any(|mtu| mtu < netlink::MIN_IPV6_MTU);
    list.split(',')
        .filter_map(|text| text.parse().ok())
        .filter(|cidr: &Cidr| cidr.address().is_ipv4() || !is_small)
        .collect()
}

/// The commands of both sides.
pub(super) struct Commands {
    /// In the order in which they start: the one on the right may be a server.
    list: Vec<Run>,
}

struct Run {
    command: Command,
    netns: Option<Netns>,
    side: &'static str,
    /// Whether its end is that of the bridge.
    decides: bool,
    child: Option<Child>,
}

impl Commands {
    pub(super) fn new(options: &Bridge, [left, right]: [&Plan; 2]) -> Commands {
        let run = |text: &String, own: &Plan, other: &Plan, decides| {
            let mut command = Command::new("sh");
            command.args(["-c", text]).env("SIDE", own.label);
            for (name, plan) in [("ADDR", own), ("PEER", other)] {
                for peer in plan.peers.iter().rev() {
                    let suffix = if peer.address().is_ipv4() { "" } else { "6" };
                    command.env(format!("{name}{suffix}"), peer.address().to_string());
                }
            }
            Run {
                command,
                netns: own.netns.clone(),
                side: own.label,
                decides,
                child: None,
            }
        };
        let is_alone = options.left_cmd.is_none();
        let second = options
            .right_cmd
            .as_ref()
            .map(|text| run(text, right, left, is_alone));
        let first = options
            .left_cmd
            .as_ref()
            .map(|text| run(text, left, right, true));
        Commands {
            list: second.into_iter().chain(first).collect(),
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.list.is_empty()
    }

    /// Starts them, each in its namespace.
    ///
    /// # Errors
    /// A shell cannot be started.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        if !self.are_none() {
            // What a shell has started and left behind comes to this process, which ends it.
            set_child_subreaper(Some(getpid())).map_err(Failure::of)?;
        }
        for run in &mut self.list {
            let command = &mut run.command;
            let spawned = match &run.netns {
                // Whoever is started is where the thread is that starts it.
                Some(netns) => netns.run(|| command.spawn()).map_err(Failure::of)?,
                None => command.spawn(),
            };
            let child = spawned.map_err(|error| {
                Failure::new(format!("cannot run `sh` for --{}-cmd: {error}", run.side))
            })?;
            run.child = Some(child);
        }
        Ok(())
    }

    /// Whether the one whose end is that of the bridge has ended.
    ///
    /// # Errors
    /// The system does not tell.
    pub(super) fn have_ended(&mut self) -> Result<bool, Failure> {
        for run in self.list.iter_mut().filter(|run| run.decides) {
            if let Some(child) = &mut run.child {
                return Ok(child.try_wait().map_err(Failure::of)?.is_some());
            }
        }
        Ok(false)
    }

    /// Ends what still runs, what the commands have started included, and says how the deciding one ended: if it failed,
    /// so has the bridge.
    pub(super) fn end(&mut self) -> Outcome {
        let mut outcome = Outcome::Fine;
        let mut children = Vec::new();
        for run in &mut self.list {
            let Some(mut child) = run.child.take() else {
                continue;
            };
            let failed = matches!(child.try_wait(), Ok(Some(status)) if !status.success());
            if failed && run.decides {
                outcome = Outcome::Found;
            }
            children.push(child);
        }
        if !children.is_empty() {
            end_descendants();
        }
        outcome
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells every child to end, and every process that becomes one because its parent has ended; ends those that do not.
fn end_descendants() {
    let (begun, mut told) = (Instant::now(), HashSet::new());
    loop {
        let children = children();
        let waited = begun.elapsed();
        if children.is_empty() || waited > 2 * GRACE {
            return;
        }
        let is_over = waited > GRACE;
        for child in children {
            // None of them has been waited for, so that each number is its own.
            if is_over || told.insert(child) {
                let signal = if is_over { Signal::KILL } else { Signal::TERM };
                let _ = kill_process(child, signal);
            }
            let _ = waitpid(Some(child), WaitOptions::NOHANG);
        }
        std::thread::sleep(LOOK);
    }
}

/// The children of this process, whichever thread has started them.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let lists = threads.filter_map(|thread| {
        let thread = thread.ok()?.path();
        fs::read_to_string(thread.join("children")).ok()
    });
    lists
        .flat_map(|list| {
            let numbers = list.split_whitespace();
            let pids = numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?));
            pids.collect::<Vec<_>>()
        })
        .collect()
}
