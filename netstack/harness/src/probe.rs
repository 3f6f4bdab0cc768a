//! What the kernel's accounts in /proc say.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// Processor time in user and in kernel mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// In user mode.
    pub user: f64,
    /// In kernel mode.
    pub system: f64,
}

impl Cpu {
    /// Both.
    pub fn total(&self) -> f64 {
        self.user + self.system
    }

    pub(crate) fn since(self, before: Cpu) -> Cpu {
        Cpu {
            user: (self.user - before.user).max(0.0),
            system: (self.system - before.system).max(0.0),
        }
    }
}

/// What one core did, as parts of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Core {
    /// Programs.
    pub user: f64,
    /// The kernel on behalf of programs.
    pub system: f64,
    /// Interrupts, hard and soft.
    pub interrupts: f64,
    /// The hypervisor gave it to somebody else.
    pub stolen: f64,
}

impl Core {
    /// The part of the time in which it did something.
    pub fn busy(&self) -> f64 {
        self.user + self.system + self.interrupts
    }
}

/// The counters of /proc/stat, in ticks, a row for each core.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cores(Vec<[u64; 8]>);

impl Cores {
    /// What each core did since `before`.
    pub(crate) fn since(&self, before: &Cores) -> Vec<Core> {
        self.0
            .iter()
            .zip(&before.0)
            .map(|(after, before)| {
                let ticks = |index: usize| after[index].saturating_sub(before[index]) as f64;
                let all: f64 = (0..8).map(ticks).sum::<f64>().max(1.0);
                Core {
                    user: (ticks(0) + ticks(1)) / all,
                    system: ticks(2) / all,
                    interrupts: (ticks(5) + ticks(6)) / all,
                    stolen: ticks(7) / all,
                }
            })
            .collect()
    }
}

/// What passed a device, and what TCP of its namespace sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) received_packets: u64,
    pub(crate) received_bytes: u64,
    pub(crate) sent_packets: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) dropped: u64,
    pub(crate) retransmits: u64,
}

/// What every core has done since the machine started.
pub(crate) fn cores() -> io::Result<Cores> {
    Ok(parse_cores(&fs::read_to_string("/proc/stat")?))
}

/// Processor time of all threads of a process.
pub(crate) fn cpu_of(process: u32) -> io::Result<Cpu> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let (user, system) = parse_times(&text).ok_or_else(|| unknown("/proc/PID/stat"))?;
    Ok(Cpu {
        user: user as f64 / ticks,
        system: system as f64 / ticks,
    })
}

/// The most memory that a process has had resident, in KiB.
pub(crate) fn peak_kib(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| unknown("/proc/PID/status"))
}

/// The account of a device in the calling thread's network namespace.
pub(crate) fn traffic(device: &str) -> io::Result<Traffic> {
    let devices = fs::read_to_string("/proc/thread-self/net/dev")?;
    let protocols = fs::read_to_string("/proc/thread-self/net/snmp")?;
    let mut traffic = parse_device(&devices, device).ok_or_else(|| unknown("/proc/net/dev"))?;
    traffic.retransmits = parse_protocol(&protocols, "Tcp:", "RetransSegs")
        .ok_or_else(|| unknown("/proc/net/snmp"))?;
    Ok(traffic)
}

/// Datagrams that the sockets of a process's network namespace have got.
pub(crate) fn datagrams_of(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/net/snmp"))?;
    parse_protocol(&text, "Udp:", "InDatagrams").ok_or_else(|| unknown("/proc/PID/net/snmp"))
}

fn unknown(file: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{file} is not as proc(5) describes it"),
    )
}

fn parse_cores(text: &str) -> Cores {
    let row = |line: &str| {
        let (name, counters) = line.split_once(' ')?;
        if !name.starts_with("cpu") || name == "cpu" {
            return None;
        }
        let mut row = [0; 8];
        for (place, word) in row.iter_mut().zip(counters.split_whitespace()) {
            *place = word.parse().ok()?;
        }
        Some(row)
    };
    Cores(text.lines().filter_map(row).collect())
}

/// `utime` and `stime`. The name before them is in brackets and may have anything in it.
fn parse_times(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn parse_device(text: &str, device: &str) -> Option<Traffic> {
    let of_device = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        (name.trim() == device).then(|| counters.to_owned())
    };
    let counters = text.lines().find_map(of_device)?;
    let fields: Vec<u64> = counters
        .split_whitespace()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let &[received_bytes, received_packets, ..] = fields.as_slice() else {
        return None;
    };
    // Eight counters of what was received stand in front.
    let &[sent_bytes, sent_packets, _, dropped, ..] = fields.get(8..)? else {
        return None;
    };
    Some(Traffic {
        received_packets,
        received_bytes,
        sent_packets,
        sent_bytes,
        dropped,
        retransmits: 0,
    })
}

/// One counter of a table of two lines: names, then values.
fn parse_protocol(text: &str, protocol: &str, counter: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(protocol));
    let (names, values) = (lines.next()?, lines.next()?);
    let column = names.split_whitespace().position(|name| name == counter)?;
    values.split_whitespace().nth(column)?.parse().ok()
}

#[cfg(test)]
mod tests;
