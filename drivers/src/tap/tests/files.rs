//! Files that captures are written to, and what is read back from them.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::block_common::Block;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::blocks::opt_common::CommonOption;

/// A file in memory that can be looked at while it is written.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that stalls until it is told to go on, after the head of the file.
pub(super) struct Stalling {
    head_written: bool,
    go_on: Receiver<()>,
}

impl Write for Stalling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.head_written {
            // An error means that the test has let go of its end.
            let _ = self.go_on.recv_timeout(Duration::from_secs(30));
        }
        self.head_written = true;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn stalling() -> (Stalling, Sender<()>) {
    let (sender, go_on) = channel();
    (
        Stalling {
            head_written: false,
            go_on,
        },
        sender,
    )
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Captured {
    pub(super) timestamp: Duration,
    pub(super) flags: u32,
    pub(super) original: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) comment: Option<String>,
}

/// Reads a capture back. The second value is how many packets it says are missing.
pub(super) fn read_back(file: &[u8], name: &str) -> (Vec<Captured>, u64) {
    let mut reader = PcapNgReader::new(file).unwrap();
    let (mut packets, mut missing) = (Vec::new(), None);
    while let Some(block) = reader.next_block() {
        match block.unwrap().0 {
            Block::SectionHeader(_) => {}
            Block::InterfaceDescription(interface) => {
                assert_eq!(interface.linktype, DataLink::RAW);
                assert_eq!(
                    (
                        interface.ts_resolution().is_bin(),
                        interface.ts_resolution().resolution()
                    ),
                    (false, 9)
                );
                assert!(format!("{:?}", interface.options).contains(name));
            }
            Block::EnhancedPacket(packet) => {
                let (flags, comment) = match &packet.options[..] {
                    [EnhancedPacketOption::Flags(flags)] => (*flags, None),
                    [
                        EnhancedPacketOption::Flags(flags),
                        EnhancedPacketOption::Common(CommonOption::Comment(comment)),
                    ] => (*flags, Some(comment.to_string())),
                    other => panic!("{other:?}"),
                };
                packets.push(Captured {
                    timestamp: packet.timestamp,
                    flags,
                    original: packet.original_len as usize,
                    bytes: packet.data.to_vec(),
                    comment,
                });
            }
            Block::InterfaceStatistics(statistics) => {
                missing = statistics.options.iter().find_map(|option| match option {
                    InterfaceStatisticsOption::IsbIfDrop(count) => Some(*count),
                    _ => None,
                });
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    (packets, missing.expect("statistics at the end"))
}
