//! Packets out of a pcap or pcapng file, one at a time.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Chain, Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapReadError, PcapReader, PcapTsResolution, RawPcapPacket};
use pcap_file::pcapng::blocks::block_common::{INTERFACE_DESCRIPTION_BLOCK, SECTION_HEADER_BLOCK};
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::{Block, PcapNgReadError, PcapNgReader, RawBlock};
use pcap_file::{DataLink, Endianness};

/// The longest block that is read: a packet of 64 KiB with its options has room many times over.
pub(crate) const BUFFER: usize = 1 << 20;
/// The most of a packet that is put into a copy: Wireshark opens no file with more in one.
pub(crate) const LONGEST_COPY: usize = 256 << 10;

/// The most that a section may say of its interfaces, which is kept as long as it lasts.
const DESCRIPTIONS: usize = 16 << 20;

/// Why a file could not be judged at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file could not be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading failed half way.
    #[error("reading the capture failed: {0}")]
    Read(#[source] io::Error),
    /// Neither pcap nor pcapng.
    #[error("not a pcap or pcapng file: {0}")]
    Format(String),
    /// All packets are of links whose headers are not known here; this is the first one's.
    #[error(
        "link type {0} is not known: raw IP (101, 228, 229), Ethernet (1), BSD loopback (0, 108) and Linux cooked (113, 276) are"
    )]
    Link(u32),
    /// A file that was asked for could not be written.
    #[error("cannot write {}: {why}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// One packet as the file has it.
pub(crate) struct Captured<'a> {
    /// Since the epoch; `None` where the format keeps no time.
    pub(crate) timestamp: Option<Duration>,
    pub(crate) interface: u32,
    /// How many interfaces the file has named so far.
    pub(crate) interfaces: usize,
    pub(crate) data: Cow<'a, [u8]>,
    pub(crate) original_len: u64,
    pub(crate) link: DataLink,
    /// What is wrong with the record, if it can be read all the same.
    pub(crate) fault: Option<String>,
}

/// What reading on gave.
pub(crate) enum Step<'a> {
    Packet(Captured<'a>),
    /// How many packets of an interface the file says it lacks, up to here.
    Lost {
        interface: u32,
        packets: u64,
    },
    /// A block that is no packet.
    Other,
    End,
    /// A block that cannot be understood; behind it the file goes on.
    Unreadable(String),
    /// The file is damaged from here on.
    Damaged(String),
}

/// A block of a pcapng file, as it stands there.
pub(crate) struct Verbatim<'a> {
    pub(crate) raw: RawBlock<'a>,
    pub(crate) endianness: Endianness,
    /// Times of the first interface count from 1970 on, so that all of them can be read.
    pub(crate) has_epoch: bool,
}

type Rewound<R> = Chain<Cursor<Vec<u8>>, R>;

/// A capture file being read.
pub(crate) enum Source<R: Read> {
    Pcap(PcapReader<Rewound<R>>),
    PcapNg {
        reader: PcapNgReader<Rewound<R>>,
        /// Bytes that the section has said of its interfaces.
        described: usize,
    },
}

impl<R: Read> Source<R> {
    /// Tells the format by the first four bytes.
    pub(crate) fn open(mut reader: R) -> Result<Self, VerifyError> {
        let mut magic = Vec::with_capacity(4);
        reader
            .by_ref()
            .take(4)
            .read_to_end(&mut magic)
            .map_err(VerifyError::Read)?;
        let is_pcapng = magic == [0x0a, 0x0d, 0x0d, 0x0a];
        let rewound = Cursor::new(magic).chain(reader);
        if is_pcapng {
            let reader = PcapNgReader::with_capacity(rewound, BUFFER)
                .map_err(|e| VerifyError::Format(chain(&e)))?;
            Ok(Source::PcapNg {
                reader,
                described: 0,
            })
        } else {
            let reader = PcapReader::with_capacity(rewound, BUFFER)
                .map_err(|e| VerifyError::Format(chain(&e)))?;
            let link = reader.header().datalink;
            if !is_known(link) {
                return Err(VerifyError::Link(link.into()));
            }
            Ok(Source::Pcap(reader))
        }
    }

    /// The next packet, or block that is none.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, VerifyError> {
        self.step_with_block().map(|(step, _)| step)
    }

    /// The same with the block itself, of a pcapng file.
    pub(crate) fn step_with_block(
        &mut self,
    ) -> Result<(Step<'_>, Option<Verbatim<'_>>), VerifyError> {
        let step = match self {
            Source::Pcap(reader) => {
                let header = reader.header();
                match reader.next_raw_packet() {
                    None => Step::End,
                    Some(Ok(record)) => Step::Packet(packet_of_record(record, &header)),
                    Some(Err(PcapReadError::Io(e))) => io_step(e)?,
                    Some(Err(e)) => Step::Damaged(chain(&e)),
                }
            }
            Source::PcapNg { reader, described } => match reader.next_raw_block() {
                None => Step::End,
                Some(Err(PcapNgReadError::Io(e))) => io_step(e)?,
                Some(Err(e)) => Step::Damaged(chain(&e)),
                Some(Ok((raw, state))) => {
                    match raw.type_ {
                        SECTION_HEADER_BLOCK => *described = 0,
                        INTERFACE_DESCRIPTION_BLOCK => *described += raw.body.len(),
                        _ => {}
                    }
                    if *described > DESCRIPTIONS {
                        let why = format!(
                            "it says more of its interfaces than the {} MiB that are kept",
                            DESCRIPTIONS >> 20
                        );
                        return Ok((Step::Damaged(why), None));
                    }
                    let first = state.interfaces().first();
                    let verbatim = Verbatim {
                        raw: raw.clone(),
                        endianness: state.endianness(),
                        has_epoch: first.is_some_and(|first| first.ts_offset() == 0),
                    };
                    let step = match raw.try_into_block(state) {
                        Err(e) => Step::Unreadable(chain(&e)),
                        Ok(block) => packet_of(block, state.interfaces()),
                    };
                    return Ok((step, Some(verbatim)));
                }
            },
        };
        Ok((step, None))
    }
}

/// Records that contradict themselves are read as far as they make sense.
fn packet_of_record<'a>(record: RawPcapPacket<'a>, header: &PcapHeader) -> Captured<'a> {
    let (parts, nanoseconds) = match header.ts_resolution {
        PcapTsResolution::MicroSecond => (1_000_000, 1_000),
        PcapTsResolution::NanoSecond => (1_000_000_000, 1),
    };
    let (said, wire) = (record.incl_len, record.orig_len);
    let fault = if record.ts_frac >= parts {
        let frac = record.ts_frac;
        Some(format!("its time has {frac} of {parts} parts of a second"))
    } else if said > wire {
        Some(format!("it has {said} bytes of a packet of {wire}"))
    } else if said > header.snaplen && header.snaplen > 0 {
        let most = header.snaplen;
        Some(format!(
            "it has {said} bytes, and the file says {most} at most"
        ))
    } else {
        None
    };
    Captured {
        timestamp: Some(
            Duration::from_secs(record.ts_sec.into())
                + Duration::from_nanos(u64::from(record.ts_frac) * nanoseconds),
        ),
        interface: 0,
        interfaces: 1,
        original_len: wire.max(said).into(),
        link: header.datalink,
        data: record.data,
        fault,
    }
}

fn packet_of<'a>(block: Block<'a>, interfaces: &[InterfaceDescriptionBlock<'_>]) -> Step<'a> {
    let (interface, timestamp, original_len, data) = match block {
        Block::EnhancedPacket(p) => (p.interface_id, Some(p.timestamp), p.original_len, p.data),
        Block::SimplePacket(p) => (0, None, p.original_len, p.data),
        Block::Packet(p) => (u32::from(p.interface_id), None, p.original_len, p.data),
        Block::InterfaceStatistics(statistics) => {
            return Step::Lost {
                interface: statistics.interface_id,
                packets: lost(&statistics),
            };
        }
        _ => return Step::Other,
    };
    let Some(description) = interfaces.get(interface as usize) else {
        return Step::Damaged(format!("interface {interface} was never described"));
    };
    Step::Packet(Captured {
        timestamp,
        interface,
        interfaces: interfaces.len(),
        data,
        original_len: original_len.into(),
        link: description.linktype,
        fault: None,
    })
}

/// Packets that passed the interface and that who captured had no room for.
fn lost(statistics: &InterfaceStatisticsBlock<'_>) -> u64 {
    let counts = statistics.options.iter().map(|option| match option {
        InterfaceStatisticsOption::IsbIfDrop(count)
        | InterfaceStatisticsOption::IsbOsDrop(count) => *count,
        _ => 0,
    });
    counts.fold(0, u64::saturating_add)
}

/// A file cut short is a finding; a disk that fails is not.
fn io_step<'a>(error: io::Error) -> Result<Step<'a>, VerifyError> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let why = "the file ends inside a record, or one is longer than the 1 MiB that are read";
        Ok(Step::Damaged(why.to_owned()))
    } else {
        Err(VerifyError::Read(error))
    }
}

/// Whether the headers of `link` are known here.
pub(crate) fn is_known(link: DataLink) -> bool {
    matches!(
        link,
        DataLink::RAW
            | DataLink::IPV4
            | DataLink::IPV6
            | DataLink::ETHERNET
            | DataLink::NULL
            | DataLink::LOOP
            | DataLink::LINUX_SLL
            | DataLink::LINUX_SLL2
    )
}

/// Opens a capture that was read before, to read it once more.
///
/// # Errors
/// When it cannot be opened, or is a pipe or the like, which gives what it has only once.
pub(crate) fn reopen(path: &Path) -> Result<File, VerifyError> {
    let failed = |source| VerifyError::Open {
        path: path.to_owned(),
        source,
    };
    // Looked at before it is opened: opening a pipe waits for who writes.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        let why = "it is no regular file, and cannot be read twice";
        return Err(failed(io::Error::other(why)));
    }
    File::open(path).map_err(failed)
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
