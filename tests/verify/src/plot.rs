//! Graphs of each TCP connection: time and sequence, window, round-trip time, throughput.

mod draw;
mod series;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::draft::draft;
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
/// The first 64 connections are drawn, each with a bounded number of points. Each file appears when all of it is written;
/// what an earlier drawing left of others is removed.
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
        let picture = draw::draw(flow).map_err(|error| failed(error.to_string()))?;
        write(directory, &name, &picture).map_err(|error| failed(error.to_string()))?;
        let _ = writeln!(
            index,
            "<h2>{} and {}</h2>\n<img src=\"{name}\" alt=\"\">",
            flow.ends[0], flow.ends[1]
        );
    }
    index.push_str("</html>\n");
    write(directory, "index.html", &index)
        .and_then(|()| remove_others(directory, plotted.drawn))
        .map_err(|error| failed(error.to_string()))?;
    Ok(plotted)
}

fn write(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut file = draft(directory)?;
    file.write_all(text.as_bytes())?;
    file.persist(directory.join(name))?;
    Ok(())
}

/// Removes the pictures that another capture left in `directory`: this one has the first `drawn`.
fn remove_others(directory: &Path, drawn: usize) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| {
            let number = name.strip_prefix("flow-")?.strip_suffix(".svg")?;
            number.parse::<usize>().ok()
        });
        if number.is_some_and(|number| number >= drawn) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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
