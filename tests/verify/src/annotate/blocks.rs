//! The copy, block by block: what is not changed is written as it was read.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};

use pcap_file::Endianness;
use pcap_file::pcapng::blocks::block_common::{
    ENHANCED_PACKET_BLOCK, SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK,
};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::{COMMENT, CommonOption};
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter, RawBlock};

use crate::source::{BUFFER, Captured, LONGEST_COPY, Source, Verbatim, chain};

/// What stands before the data of a packet with a time.
const HEAD: usize = 20;
/// A block is no longer than this with its comments, or the judge could not read the copy.
const LONGEST: usize = BUFFER - 1024;

pub(super) struct Copy<'f> {
    writer: PcapNgWriter<BufWriter<&'f File>>,
    /// The last time of the first interface of the section, as its packets have it.
    time: [u8; 8],
}

type Written = Result<(), String>;

impl<'f> Copy<'f> {
    /// Writes what comes before the first block.
    pub(super) fn begin(source: &Source<File>, file: BufWriter<&'f File>) -> Result<Self, String> {
        let why = |error: PcapNgWriteError| chain(&error);
        let writer = match source {
            Source::Pcap(reader) => {
                let mut writer = PcapNgWriter::new(file).map_err(why)?;
                let mut link = InterfaceDescriptionBlock::new(reader.header().datalink, 0);
                link.options.push(InterfaceDescriptionOption::IfTsResol(
                    InterfaceTsResolution::NANO,
                ));
                writer.write_pcapng_block(link).map_err(why)?;
                writer
            }
            Source::PcapNg { reader, .. } => {
                let section = SectionHeaderBlock {
                    section_length: -1,
                    ..reader.section().clone()
                };
                PcapNgWriter::with_section_header(file, section).map_err(why)?
            }
        };
        Ok(Copy {
            writer,
            time: [0; 8],
        })
    }

    /// A record of a pcap file.
    pub(super) fn record(&mut self, captured: Captured<'_>, comments: &[String]) -> Written {
        let comment = |text| EnhancedPacketOption::Common(CommonOption::Comment(text));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: captured.timestamp.unwrap_or_default(),
            original_len: u32::try_from(captured.original_len).unwrap_or(u32::MAX),
            data: Cow::Borrowed(shortened(&captured.data)),
            options: comments
                .iter()
                .map(|text| comment(Cow::Borrowed(text.as_str())))
                .collect(),
        };
        let written = self.writer.write_pcapng_block(block);
        written.map(|_| ()).map_err(|error| chain(&error))
    }

    /// A block that is no packet.
    pub(super) fn other(&mut self, mut block: Verbatim<'_>) -> Written {
        if block.raw.type_ == SECTION_HEADER_BLOCK {
            self.time = [0; 8];
            // It says how long the section is, which the copy is not.
            if let Some(length) = block.raw.body.to_mut().get_mut(8..16) {
                length.fill(0xff);
            }
        }
        self.write(&block.raw)
    }

    /// A packet, which is in `captured`, too.
    pub(super) fn packet(
        &mut self,
        block: Verbatim<'_>,
        captured: &Captured<'_>,
        comments: &[String],
    ) -> Written {
        let body: &[u8] = &block.raw.body;
        let is_simple = block.raw.type_ == SIMPLE_PACKET_BLOCK;
        if !is_simple && captured.interface == 0 {
            self.time = body
                .get(4..12)
                .and_then(|time| time.try_into().ok())
                .unwrap_or_default();
        }
        let data = shortened(&captured.data);
        let is_unchanged = comments.is_empty() && data.len() == captured.data.len();
        if is_unchanged || is_simple && !block.has_epoch {
            return self.write(&block.raw);
        }
        let length = data.len() as u32;
        let word = |value: u32| match block.endianness {
            Endianness::Big => value.to_be_bytes(),
            Endianness::Little => value.to_le_bytes(),
        };
        let (kind, mut made, options) = if is_simple {
            let original = body.get(..4).unwrap_or_default();
            let head = [&[0; 4][..], &self.time, &word(length), original].concat();
            (ENHANCED_PACKET_BLOCK, head, &[][..])
        } else {
            let mut head = body.get(..HEAD).unwrap_or_default().to_vec();
            if let Some(captured) = head.get_mut(12..16) {
                captured.copy_from_slice(&word(length));
            }
            let behind = HEAD + captured.data.len().next_multiple_of(4);
            (
                block.raw.type_,
                head,
                body.get(behind..).unwrap_or_default(),
            )
        };
        made.extend(data);
        pad(&mut made);
        add_options(&mut made, options, comments, block.endianness);
        let total = made.len() as u32 + 12;
        self.write(&RawBlock {
            type_: kind,
            initial_len: total,
            body: Cow::Owned(made),
            trailer_len: total,
        })
    }

    fn write(&mut self, block: &RawBlock<'_>) -> Written {
        let written = self.writer.write_raw_block(block);
        written.map(|_| ()).map_err(|error| chain(&error))
    }

    pub(super) fn end(self) -> Written {
        let mut file = self.writer.into_inner();
        file.flush().map_err(|error| error.to_string())
    }
}

fn shortened(data: &[u8]) -> &[u8] {
    &data[..data.len().min(LONGEST_COPY)]
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Adds the options that a packet had, and behind them its comments, as many as there is room for.
fn add_options(body: &mut Vec<u8>, old: &[u8], comments: &[String], endianness: Endianness) {
    let half = |value: u16| match endianness {
        Endianness::Big => value.to_be_bytes(),
        Endianness::Little => value.to_le_bytes(),
    };
    let read = |at: usize| {
        let two: Option<[u8; 2]> = old.get(at..at + 2).and_then(|two| two.try_into().ok());
        two.map(|two| match endianness {
            Endianness::Big => u16::from_be_bytes(two),
            Endianness::Little => u16::from_le_bytes(two),
        })
    };
    let mut end = 0;
    while let (Some(1..), Some(length)) = (read(end), read(end + 2)) {
        let next = end + 4 + usize::from(length).next_multiple_of(4);
        if next > old.len() {
            break;
        }
        end = next;
    }
    body.extend(&old[..end]);
    for text in comments {
        let room = LONGEST.saturating_sub(body.len() + 8);
        let Ok(length) = u16::try_from(text.len()) else {
            continue;
        };
        if text.len() > room {
            break;
        }
        body.extend(half(COMMENT));
        body.extend(half(length));
        body.extend(text.as_bytes());
        pad(body);
    }
    if end > 0 || !comments.is_empty() {
        body.extend([0; 4]);
    }
}
