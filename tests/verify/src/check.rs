//! Walks a capture and gathers what is wrong with it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use crate::flow::Flows;
use crate::ip;
use crate::report::{Report, Rule};
use crate::source::{Captured, Source, Step, VerifyError};

/// Checks every packet of the pcap or pcapng file at `path`.
///
/// The file is streamed: memory does not grow with its size.
///
/// # Errors
/// When the file cannot be opened or read, is no capture, or was not taken on a raw IP link. A capture
/// that is cut short or damaged is not an error: what could be read is judged, and the damage is a
/// finding.
pub fn check_file(path: &Path) -> Result<Report, VerifyError> {
    let file = File::open(path).map_err(|source| VerifyError::Open {
        path: path.to_owned(),
        source,
    })?;
    check_reader(file)
}

/// Checks every packet that `reader` gives, which begins at the start of a capture.
///
/// # Errors
/// As [`check_file`].
pub fn check_reader<R: Read>(reader: R) -> Result<Report, VerifyError> {
    let mut source = Source::open(reader)?;
    let mut report = Report::default();
    let mut flows = Flows::default();
    let mut clocks = Clocks::default();
    loop {
        match source.next()? {
            Step::Packet(packet) => {
                report.packets += 1;
                report.bytes += packet.original_len;
                clocks.check(&packet, &mut report);
                ip::check(&packet, &mut flows, &mut report);
            }
            Step::End => break,
            Step::Damaged(why) => {
                report.add(
                    Rule::DamagedFile,
                    format!("after this packet the file cannot be read: {why}"),
                );
                break;
            }
        }
    }
    report.flows = flows.count();
    Ok(report)
}

/// The last timestamp of each interface. A pcapng file need not be in order across interfaces.
#[derive(Default)]
struct Clocks(HashMap<u32, Duration>);

impl Clocks {
    fn check(&mut self, packet: &Captured<'_>, report: &mut Report) {
        let Some(now) = packet.timestamp else { return };
        let last = self.0.entry(packet.interface).or_insert(now);
        if now < *last {
            let back = *last - now;
            report.add(
                Rule::TimeOrder,
                format!("stamped {back:?} before an earlier packet"),
            );
        } else {
            *last = now;
        }
    }
}
