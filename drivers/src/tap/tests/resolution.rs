//! What the checks of captures rest on: timestamps of either resolution are read as they were written.

use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::block_common::Block;

#[test]
fn pcap_files_of_either_resolution_are_read_right() {
    use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapTsResolution, PcapWriter};

    for (ts_resolution, nanoseconds) in [
        (PcapTsResolution::MicroSecond, 123_456_000),
        (PcapTsResolution::NanoSecond, 123_456_789),
    ] {
        let header = PcapHeader {
            datalink: DataLink::RAW,
            ts_resolution,
            ..PcapHeader::default()
        };
        let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
        let time = Duration::new(1_700_000_000, nanoseconds);
        writer
            .write_packet(&PcapPacket::new(time, 3, b"abc").unwrap())
            .unwrap();
        let file = writer.into_inner();
        let mut reader = PcapReader::new(&file[..]).unwrap();
        assert_eq!(reader.next_packet().unwrap().unwrap().timestamp(), time);
    }
}

#[test]
fn pcapng_files_of_either_resolution_are_read_right() {
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::{
        InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
    };

    let time = Duration::new(1_700_000_000, 123_456_789);
    for (resolution, expected) in [
        (Some(InterfaceTsResolution::NANO), time),
        (
            Some(InterfaceTsResolution::MICRO),
            Duration::new(1_700_000_000, 123_456_000),
        ),
        (None, Duration::new(1_700_000_000, 123_456_000)),
    ] {
        let options = resolution
            .into_iter()
            .map(InterfaceDescriptionOption::IfTsResol)
            .collect();
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options,
        };
        let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
        writer.write_pcapng_block(interface).unwrap();
        let data = (&b"abc"[..]).into();
        let packet = EnhancedPacketBlock {
            timestamp: time,
            original_len: 3,
            data,
            ..EnhancedPacketBlock::default()
        };
        writer.write_pcapng_block(packet).unwrap();
        let file = writer.into_inner();
        let mut reader = PcapNgReader::new(&file[..]).unwrap();
        let mut times = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap().0 {
                times.push(packet.timestamp);
            }
        }
        assert_eq!(times, [expected]);
    }
}
