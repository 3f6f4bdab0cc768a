//! Every packet of a run, as a capture.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Component, Path};
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};

/// Which way a packet went, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The host sent it.
    Sent,
    /// The script sent it.
    Received,
}

/// A packet and its time.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) at: Duration,
    pub(crate) direction: Direction,
    pub(crate) bytes: Vec<u8>,
}

/// What the capture of the script in the file `path` is called: all of its path, because scripts of one name lie in several
/// folders. Hyphens stand for the folders, so that those of names are written otherwise.
pub(crate) fn name(path: &Path) -> String {
    let mut parts = Vec::new();
    for component in path.with_extension("").components() {
        match component {
            Component::Normal(part) => {
                let part = part.to_string_lossy();
                parts.push(part.replace('%', "%25").replace('-', "%2d"));
            }
            Component::ParentDir => parts.push("%2e%2e".to_owned()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    parts.join("-")
}

/// Writes packets as pcapng of raw IP, with nanoseconds and directions.
///
/// # Errors
///
/// The file cannot be written.
pub(crate) fn write<W: Write>(file: W, records: &[Record]) -> Result<(), PcapNgWriteError> {
    let mut writer = PcapNgWriter::new(file)?;
    writer.write_pcapng_block(InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: 0,
        options: vec![InterfaceDescriptionOption::IfTsResol(
            InterfaceTsResolution::NANO,
        )],
    })?;
    for record in records {
        let direction = match record.direction {
            Direction::Received => 1,
            Direction::Sent => 2,
        };
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: record.at,
            original_len: u32::try_from(record.bytes.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(&record.bytes),
            options: vec![EnhancedPacketOption::Flags(direction)],
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
