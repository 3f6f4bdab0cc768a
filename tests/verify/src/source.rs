//! Packets out of a pcap or pcapng file, one at a time.

use std::borrow::Cow;
use std::io::{self, Chain, Cursor, Read};
use std::path::PathBuf;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcap::{PcapReadError, PcapReader};
use pcap_file::pcapng::{Block, PcapNgReadError, PcapNgReader};

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
    /// The capture was not taken on a raw IP link.
    #[error("link type {0} is not raw IP (101, 228 or 229): capture on a TUN device")]
    Link(u32),
}

/// One packet as the file has it.
pub(crate) struct Captured<'a> {
    /// Since the epoch; `None` where the format keeps no time.
    pub(crate) timestamp: Option<Duration>,
    pub(crate) interface: u32,
    pub(crate) data: Cow<'a, [u8]>,
    pub(crate) original_len: u64,
    /// The IP version that the link type promises.
    pub(crate) version: Option<u8>,
}

/// What reading on gave.
pub(crate) enum Step<'a> {
    Packet(Captured<'a>),
    End,
    /// The file is damaged from here on.
    Damaged(String),
}

type Rewound<R> = Chain<Cursor<Vec<u8>>, R>;

/// A capture file being read.
pub(crate) enum Source<R: Read> {
    Pcap {
        reader: PcapReader<Rewound<R>>,
        version: Option<u8>,
    },
    PcapNg(PcapNgReader<Rewound<R>>),
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
            let reader = PcapNgReader::new(rewound).map_err(|e| VerifyError::Format(chain(&e)))?;
            Ok(Source::PcapNg(reader))
        } else {
            let reader = PcapReader::new(rewound).map_err(|e| VerifyError::Format(chain(&e)))?;
            let version = link_version(reader.header().datalink)?;
            Ok(Source::Pcap { reader, version })
        }
    }

    /// The next packet.
    pub(crate) fn next(&mut self) -> Result<Step<'_>, VerifyError> {
        match self {
            Source::Pcap { reader, version } => match reader.next_packet() {
                None => Ok(Step::End),
                Some(Ok(packet)) => Ok(Step::Packet(Captured {
                    timestamp: Some(packet.timestamp()),
                    interface: 0,
                    original_len: packet.orig_len().into(),
                    version: *version,
                    data: packet.into_data(),
                })),
                Some(Err(PcapReadError::Io(e))) => io_step(e),
                Some(Err(e)) => Ok(Step::Damaged(chain(&e))),
            },
            Source::PcapNg(reader) => next_pcapng(reader),
        }
    }
}

fn next_pcapng<R: Read>(reader: &mut PcapNgReader<R>) -> Result<Step<'_>, VerifyError> {
    // Blocks that are no packets are skipped. A borrow that is returned from inside a loop would keep the
    // reader borrowed for the next turn too, so the packet is copied.
    loop {
        match reader.next_raw_block() {
            None => return Ok(Step::End),
            Some(Err(PcapNgReadError::Io(e))) => return io_step(e),
            Some(Err(e)) => return Ok(Step::Damaged(chain(&e))),
            Some(Ok((raw, state))) => {
                let block = match raw.try_into_block(state) {
                    Ok(block) => block.into_owned(),
                    Err(e) => return Ok(Step::Damaged(chain(&e))),
                };
                let (interface, timestamp, original_len, data) = match block {
                    Block::EnhancedPacket(p) => {
                        (p.interface_id, Some(p.timestamp), p.original_len, p.data)
                    }
                    Block::SimplePacket(p) => (0, None, p.original_len, p.data),
                    Block::Packet(p) => (u32::from(p.interface_id), None, p.original_len, p.data),
                    _ => continue,
                };
                let Some(description) = state.interfaces().get(interface as usize) else {
                    return Ok(Step::Damaged(format!(
                        "interface {interface} was never described"
                    )));
                };
                return Ok(Step::Packet(Captured {
                    timestamp,
                    interface,
                    data,
                    original_len: original_len.into(),
                    version: link_version(description.linktype)?,
                }));
            }
        }
    }
}

/// A file cut short is a finding; a disk that fails is not.
fn io_step<'a>(error: io::Error) -> Result<Step<'a>, VerifyError> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        Ok(Step::Damaged("the file ends inside a record".to_owned()))
    } else {
        Err(VerifyError::Read(error))
    }
}

fn link_version(link: DataLink) -> Result<Option<u8>, VerifyError> {
    match link {
        DataLink::RAW => Ok(None),
        DataLink::IPV4 => Ok(Some(4)),
        DataLink::IPV6 => Ok(Some(6)),
        other => Err(VerifyError::Link(other.into())),
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
