//! The result, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;

/// Everything that the demonstration found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `tun`: against the kernel. `memory`: stack to stack.
    pub(crate) link: &'static str,
    /// Why it was not against the kernel, when it was to be.
    pub(crate) fallback: Option<String>,
    /// The largest packet in bytes.
    pub(crate) mtu: u32,
    /// Empty without a kernel to ping from.
    pub(crate) pings: Vec<PingRow>,
    pub(crate) short: ShortRow,
    pub(crate) streams: Vec<StreamRow>,
    /// Packets through the stack's device, both ways.
    pub(crate) packets: u64,
    pub(crate) retransmits: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) live_nodes: usize,
    /// Whether every connection was closed in order.
    pub(crate) all_closed: bool,
    pub(crate) capture: CaptureRow,
    /// Whether everything is as it must be.
    pub(crate) passed: bool,
}

/// Pings to one address of the stack.
#[derive(Debug, Serialize)]
pub(crate) struct PingRow {
    /// IPv4 or IPv6.
    pub(crate) family: &'static str,
    pub(crate) sent: u32,
    pub(crate) answered: u32,
    pub(crate) fastest_seconds: Option<f64>,
}

/// One large stream.
#[derive(Debug, Serialize)]
pub(crate) struct StreamRow {
    pub(crate) what: &'static str,
    /// IPv4 or IPv6.
    pub(crate) family: &'static str,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) gbit_per_second: f64,
    pub(crate) sha256: String,
    pub(crate) intact: bool,
}

/// The short connections.
#[derive(Debug, Serialize)]
pub(crate) struct ShortRow {
    pub(crate) connections: u32,
    pub(crate) wrong: u32,
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
}

/// The capture and what its check found.
#[derive(Debug, Serialize)]
pub(crate) struct CaptureRow {
    pub(crate) file: String,
    pub(crate) packets: u64,
    pub(crate) flows: u64,
    /// Whatever the judge has against packets of the stack, warnings and notes included.
    pub(crate) findings: u64,
    /// The first of these, in words.
    pub(crate) first: Option<String>,
    /// How often the judge found each of its rules broken in packets of the kernel.
    pub(crate) of_kernel: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Whether all is as it must be; kept in `passed`.
    pub(crate) fn judge(&self) -> bool {
        self.pings.iter().all(|ping| ping.answered == ping.sent)
            && self.streams.iter().all(|stream| stream.intact)
            && self.short.wrong == 0
            && self.live_nodes == 0
            && self.all_closed
            && self.capture.findings == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pings.iter().try_for_each(|ping| ping.write(f))?;
        let short = &self.short;
        let detail = format!(
            "{} connections, {} wrong, IPv4 and IPv6, both ways",
            short.connections, short.wrong
        );
        row(
            f,
            "short connections",
            &format!("{:.0} /s", short.per_second),
            &detail,
        )?;
        self.streams.iter().try_for_each(|stream| stream.write(f))?;
        row(
            f,
            "packets",
            &self.packets.to_string(),
            &format!("of up to {} bytes through the device, both ways", self.mtu),
        )?;
        row(
            f,
            "retransmits",
            &self.retransmits.to_string(),
            "segments sent again by the stack",
        )?;
        row(
            f,
            "CPU",
            &format!("{:.2} s", self.cpu_seconds),
            "of this process, kernel's work included",
        )?;
        let closed = if self.all_closed {
            "all connections closed"
        } else {
            "NOT all connections closed"
        };
        row(
            f,
            "live nodes at the end",
            &self.live_nodes.to_string(),
            closed,
        )?;
        let capture = &self.capture;
        let mut checked = match &capture.first {
            None => format!("of the first, in {}", capture.file),
            Some(first) => format!(
                "findings {}, first {first}; see {}",
                capture.findings, capture.file
            ),
        };
        for (rule, count) in &capture.of_kernel {
            write!(checked, "; against the kernel {rule} {count} times")?;
        }
        row(
            f,
            "capture, checked",
            &format!("{} packets", capture.packets),
            &checked,
        )?;
        f.write_str(if self.passed {
            "all checks passed"
        } else {
            "a check FAILED"
        })
    }
}

impl PingRow {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match self.fastest_seconds {
            Some(seconds) => format!("{:.0} us", seconds * 1e6),
            None => "no answer".to_owned(),
        };
        let detail = format!(
            "at least; {} of {} answered, small and of the MTU",
            self.answered, self.sent
        );
        row(f, &format!("ping, {}", self.family), &value, &detail)
    }
}

impl StreamRow {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.intact {
            "SHA-256 agrees"
        } else {
            "SHA-256 DIFFERS"
        };
        let value = format!("{:.2} Gbit/s", self.gbit_per_second);
        let detail = format!("{} in {:.2} s, {verdict}", bytes(self.bytes), self.seconds);
        row(
            f,
            &format!("{}, {}", self.what, self.family),
            &value,
            &detail,
        )
    }
}

/// A number of bytes in the unit that makes it short.
pub(crate) fn bytes(count: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) if count.is_multiple_of(unit) => format!("{} {name}", count / unit),
        Some((unit, name)) => format!("{:.1} {name}", count as f64 / unit as f64),
        None => format!("{count} B"),
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str, detail: &str) -> fmt::Result {
    let mut line = String::new();
    write!(line, "{name:<26} {value:>14}  {detail}")?;
    writeln!(f, "{}", line.trim_end())
}
