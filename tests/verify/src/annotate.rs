//! A copy of a capture in which each finding is a comment of its packet.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;

use crate::report::Report;
use crate::source::{Source, Step, VerifyError, chain};

/// Writes the packets of the capture `from` to `to`, as pcapng with nanoseconds, with the findings of `report` as
/// comments, which Wireshark shows. Only what is in [`Report::findings`] can be written.
///
/// # Errors
/// When `from` cannot be read again or `to` cannot be written.
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
    let input = File::open(from).map_err(|source| VerifyError::Open {
        path: from.to_owned(),
        source,
    })?;
    let failed = |why: String| VerifyError::Write {
        path: to.to_owned(),
        why,
    };
    let file = File::create(to).map_err(|error| failed(error.to_string()))?;
    let writer = PcapNgWriter::new(BufWriter::new(file)).map_err(|error| failed(chain(&error)))?;
    copy(Source::open(input)?, &comments, writer, &failed)
}

fn copy(
    mut source: Source<File>,
    comments: &BTreeMap<u64, Vec<String>>,
    mut writer: PcapNgWriter<BufWriter<File>>,
    failed: &dyn Fn(String) -> VerifyError,
) -> Result<(), VerifyError> {
    // Interfaces are numbered anew, in the order in which packets name them.
    let mut interfaces = BTreeMap::new();
    let mut number = 0;
    loop {
        let captured = match source.step()? {
            Step::Packet(captured) => captured,
            Step::Lost { .. } | Step::Other => continue,
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
            timestamp: captured.timestamp.unwrap_or_default(),
            original_len: u32::try_from(captured.original_len).unwrap_or(u32::MAX),
            data: captured.data,
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
