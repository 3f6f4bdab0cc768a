//! What the demonstration shows, in order.

use std::io;
use std::net::SocketAddr;

use indicatif::{ProgressBar, ProgressStyle};

use super::ping::{self, Pings};
use super::report::{PingRow, ShortRow, StreamRow};
use super::stage::{ECHO_PORT, HTTP_PORT, Stage};
use super::traffic::{self, Bulk, Load, Short};
use super::web_file::{self, Content};

/// How many short connections are made.
const SHORT_CONNECTIONS: u32 = 100;
/// The versions of IP: whether it is IPv6, and the name.
const FAMILIES: [(bool, &str); 2] = [(false, "IPv4"), (true, "IPv6")];

/// What was seen.
pub(crate) struct Acts {
    /// None without a kernel to ping from.
    pub(crate) pings: Vec<PingRow>,
    pub(crate) short: ShortRow,
    pub(crate) streams: Vec<StreamRow>,
}

impl Acts {
    /// Plays all acts. What is small comes first, so that the capture has all of it.
    ///
    /// # Errors
    /// When an act could not be played to its end. That it went wrong is in its row.
    pub(crate) fn play(stage: &Stage, size: u64, mtu: u32, content: Content) -> io::Result<Acts> {
        let mut pings = Vec::new();
        if stage.has_kernel() {
            for (is_v6, family) in FAMILIES {
                let seen = ping::ping(stage.near.address(is_v6), mtu as usize)?;
                pings.push(ping_row(family, &seen));
            }
        }
        let bar = progress("short connections", SHORT_CONNECTIONS.into(), false);
        let short = traffic::short(&stage.near, &stage.far, SHORT_CONNECTIONS, &bar);
        bar.finish_and_clear();
        let short = short_row(&short?);
        let streams = streams(stage, size, content)?;
        Ok(Acts {
            pings,
            short,
            streams,
        })
    }
}

/// A file, a stream each way, and one that comes back, over both versions of IP.
fn streams(stage: &Stage, size: u64, content: Content) -> io::Result<Vec<StreamRow>> {
    let (near, far) = (&stage.near, &stage.far);
    let there_and_back = if stage.has_kernel() {
        ["kernel to stack", "stack to kernel"]
    } else {
        ["stack to stack", "stack to stack, back"]
    };
    let mut rows = Vec::new();
    let mut act = |what, family, bytes, play: &dyn Fn(&ProgressBar) -> io::Result<Bulk>| {
        let bar = progress(&format!("{what}, {family}"), bytes, true);
        let bulk = play(&bar);
        bar.finish_and_clear();
        rows.push(stream_row(what, family, &bulk?));
        Ok::<(), io::Error>(())
    };
    for (is_v6, family) in FAMILIES {
        let service = SocketAddr::new(near.address(is_v6), HTTP_PORT);
        act("http file", family, content.bytes, &|bar| {
            web_file::fetch(far, service, content, bar)
        })?;
    }
    for (seed, what, far_sends) in [(1, there_and_back[0], true), (2, there_and_back[1], false)] {
        let load = Load::new(seed, size);
        for (is_v6, family) in FAMILIES {
            act(what, family, size, &|bar| {
                traffic::bulk(far, near, (is_v6, far_sends), load, bar)
            })?;
        }
    }
    let load = Load::new(3, size);
    for (is_v6, family) in FAMILIES {
        let service = SocketAddr::new(near.address(is_v6), ECHO_PORT);
        act("echo", family, size, &|bar| {
            traffic::echo(far, service, load, bar)
        })?;
    }
    Ok(rows)
}

/// A bar on standard error, which hides itself where that is no terminal.
fn progress(name: &str, total: u64, in_bytes: bool) -> ProgressBar {
    let template = if in_bytes {
        "{prefix:<26} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    } else {
        "{prefix:<26} {bar:30} {pos}/{len}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total)
        .with_prefix(name.to_owned())
        .with_style(style)
}

fn ping_row(family: &'static str, pings: &Pings) -> PingRow {
    PingRow {
        family,
        sent: pings.sent,
        answered: pings.answered,
        fastest_seconds: pings.fastest.map(|time| time.as_secs_f64()),
    }
}

fn stream_row(what: &'static str, family: &'static str, bulk: &Bulk) -> StreamRow {
    let seconds = bulk.time.as_secs_f64();
    StreamRow {
        what,
        family,
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
