//! A copy of a capture in which each finding is a comment of its packet.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;

use crate::report::Report;
use crate::source::{LONGEST_COPY, Source, Step, VerifyError, chain, reopen};

/// The last time that a copy can say, in the year 2554: what claims a later one is given this.
const LATEST: Duration = Duration::from_nanos(u64::MAX);

/// Writes the packets of the capture `from` to `to`, as pcapng with nanoseconds, with the findings of `report` as
/// comments, which Wireshark shows; of a packet of more than 256 KiB the rest is left out, or Wireshark would not open it.
/// Only what is in [`Report::findings`] can be written. `to` appears, or takes the place of what it was, when all of it is
/// written.
///
/// # Errors
/// When `from` cannot be read again or is no regular file, `to` cannot be written, is there and no regular file, or is
/// `from` under whatever name. `to` is then what it was.
pub fn annotate(from: &Path, report: &Report, to: &Path) -> Result<(), VerifyError> {
    let mut comments: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for finding in &report.findings {
        for (at, &packet) in finding.packets.iter().enumerate() {
            let comment = if at == 0 {
                format!(
                    "{}: {} (RFC {}): {}",
                    finding.rule.severity, finding.rule.id, finding.rule.rfc, finding.sentence
                )
            } else {
                format!("see packet {}: {}", finding.packets[0], finding.rule.id)
            };
            comments.entry(packet).or_default().push(comment);
        }
    }
    let input = reopen(from)?;
    let failed = |why: String| VerifyError::Write {
        path: to.to_owned(),
        why,
    };
    // Behind a symbolic link is what is to be written.
    let real = fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    if let Ok(old) = fs::metadata(&real) {
        if !old.is_file() {
            return Err(failed("it is no regular file".into()));
        }
        if same_file::is_same_file(from, &real).map_err(|error| failed(error.to_string()))? {
            return Err(failed("it is the capture itself; name another file".into()));
        }
    }
    let folder = real
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(|error| failed(error.to_string()))?;
    let writer =
        PcapNgWriter::new(BufWriter::new(file.as_file())).map_err(|error| failed(chain(&error)))?;
    copy(Source::open(input)?, &comments, writer, &failed)?;
    file.persist(&real)
        .map_err(|error| failed(error.to_string()))?;
    Ok(())
}

fn copy(
    mut source: Source<File>,
    comments: &BTreeMap<u64, Vec<String>>,
    mut writer: PcapNgWriter<BufWriter<&File>>,
    failed: &dyn Fn(String) -> VerifyError,
) -> Result<(), VerifyError> {
    // Interfaces are numbered anew, in the order in which packets name them.
    let mut interfaces = BTreeMap::new();
    let mut number = 0;
    loop {
        let captured = match source.step()? {
            Step::Packet(captured) => captured,
            Step::Lost { .. } | Step::Other | Step::Unreadable(_) => continue,
            Step::End | Step::Damaged(_) => break,
        };
        number += 1;
        let next = interfaces.len() as u32;
        let interface = match interfaces.entry((captured.interface, u32::from(captured.link))) {
            std::collections::btree_map::Entry::Occupied(known) => *known.get(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let mut block = InterfaceDescriptionBlock::new(captured.link, 0);
                block.options.push(InterfaceDescriptionOption::IfTsResol(
                    InterfaceTsResolution::NANO,
                ));
                writer
                    .write_pcapng_block(block)
                    .map_err(|error| failed(chain(&error)))?;
                *new.insert(next)
            }
        };
        let options = comments.get(&number).map_or_else(Vec::new, |comments| {
            comments
                .iter()
                .map(|text| {
                    EnhancedPacketOption::Common(CommonOption::Comment(Cow::Borrowed(text)))
                })
                .collect()
        });
        let block = EnhancedPacketBlock {
            interface_id: interface,
            timestamp: captured.timestamp.unwrap_or_default().min(LATEST),
            original_len: u32::try_from(captured.original_len).unwrap_or(u32::MAX),
            data: match captured.data {
                Cow::Borrowed(data) => Cow::Borrowed(&data[..data.len().min(LONGEST_COPY)]),
                Cow::Owned(mut data) => {
                    data.truncate(LONGEST_COPY);
                    Cow::Owned(data)
                }
            },
            options,
        };
        writer
            .write_pcapng_block(block)
            .map_err(|error| failed(chain(&error)))?;
    }
    writer
        .into_inner()
        .flush()
        .map_err(|error| failed(error.to_string()))
}
