//! Graphs of each TCP connection: time and sequence, window, round-trip time, throughput.

mod draw;
mod series;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;

use crate::parse::ip::Ip;
use crate::parse::link;
use crate::parse::tcp::Segment;
use crate::source::{Source, Step, VerifyError, reopen};
use series::Flows;

/// How much of a capture was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plotted {
    /// Connections that have a graph.
    pub drawn: usize,
    /// Connections of the capture; at most 65,536 are told apart.
    pub connections: usize,
}

/// Draws the TCP connections of the capture `from` into `directory`, which is made: one SVG for each, and `index.html`.
/// The first 64 connections are drawn, each with a bounded number of points.
///
/// # Errors
/// When `from` cannot be read or is no regular file, or `directory` not be written.
pub fn plot(from: &Path, directory: &Path) -> Result<Plotted, VerifyError> {
    let failed = |why: String| VerifyError::Write {
        path: directory.to_owned(),
        why,
    };
    let flows = gather(Source::open(reopen(from)?)?)?;
    fs::create_dir_all(directory).map_err(|error| failed(error.to_string()))?;
    let mut index = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Connections</title>\n",
    );
    let plotted = Plotted {
        drawn: flows.list.len(),
        connections: flows.list.len() + flows.others.len(),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        index,
        "<p>{} of {} connections</p>",
        plotted.drawn, plotted.connections
    );
    for (at, flow) in flows.list.iter().enumerate() {
        let name = format!("flow-{at}.svg");
        draw::draw(flow, &directory.join(&name)).map_err(|error| failed(error.to_string()))?;
        let _ = writeln!(
            index,
            "<h2>{} and {}</h2>\n<img src=\"{name}\" alt=\"\">",
            flow.ends[0], flow.ends[1]
        );
    }
    index.push_str("</html>\n");
    fs::write(directory.join("index.html"), index).map_err(|error| failed(error.to_string()))?;
    Ok(plotted)
}

fn gather(mut source: Source<File>) -> Result<Flows, VerifyError> {
    let mut flows = Flows::default();
    loop {
        let captured = match source.step()? {
            Step::Packet(captured) => captured,
            Step::Lost { .. } | Step::Other | Step::Unreadable(_) => continue,
            Step::End | Step::Damaged(_) => return Ok(flows),
        };
        let Some(time) = captured.timestamp else {
            continue;
        };
        let Some(frame) = link::frame(captured.link, &captured.data, captured.original_len) else {
            continue;
        };
        let wire_len = usize::try_from(frame.wire_len).unwrap_or(usize::MAX);
        if let Ok(ip) = Ip::parse(frame.payload, wire_len)
            && ip.fragment.is_none()
            && ip.protocol == etherparse::ip_number::TCP
            && let Ok(tcp) = Segment::parse(ip.payload, ip.payload_len)
        {
            flows.see(captured.interface, time.as_secs_f64(), &ip, &tcp);
        }
    }
}
