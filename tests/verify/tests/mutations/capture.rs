//! Captures that can be changed. Fields are found by their offsets, with nothing of the judge's.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::{Block, PcapNgReader, PcapNgWriter};

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;
pub(crate) const ECE: u8 = 64;
pub(crate) const CWR: u8 = 128;

#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) time: Duration,
    pub(crate) interface: u32,
    pub(crate) bytes: Vec<u8>,
    /// Where the network header begins.
    pub(crate) ip: usize,
}

pub(crate) struct Capture {
    pub(crate) links: Vec<DataLink>,
    pub(crate) frames: Vec<Frame>,
    /// Bytes that are missing at the end of the file.
    pub(crate) cut: usize,
}

impl Capture {
    pub(crate) fn load(name: &str) -> Capture {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/captures/{name}.pcapng"));
        let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
        let mut capture = Capture {
            links: Vec::new(),
            frames: Vec::new(),
            cut: 0,
        };
        while let Some(block) = reader.next_block() {
            match block.unwrap().0 {
                Block::InterfaceDescription(block) => capture.links.push(block.linktype),
                Block::EnhancedPacket(block) => capture.frames.push(Frame {
                    time: block.timestamp,
                    interface: block.interface_id,
                    ip: if capture.links[block.interface_id as usize] == DataLink::ETHERNET {
                        14
                    } else {
                        0
                    },
                    bytes: block.data.to_vec(),
                }),
                _ => {}
            }
        }
        capture
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
        for &link in &self.links {
            let mut block = InterfaceDescriptionBlock::new(link, 0);
            block.options.push(InterfaceDescriptionOption::IfTsResol(
                InterfaceTsResolution::NANO,
            ));
            writer.write_pcapng_block(block).unwrap();
        }
        for frame in &self.frames {
            writer
                .write_pcapng_block(EnhancedPacketBlock {
                    interface_id: frame.interface,
                    timestamp: frame.time,
                    original_len: frame.bytes.len() as u32,
                    data: (&frame.bytes[..]).into(),
                    ..Default::default()
                })
                .unwrap();
        }
        let mut bytes = writer.into_inner();
        bytes.truncate(bytes.len() - self.cut);
        bytes
    }

    /// The `nth` frame that `test` picks, counted from 0.
    pub(crate) fn find(&mut self, nth: usize, test: impl Fn(&Frame) -> bool) -> &mut Frame {
        self.frames
            .iter_mut()
            .filter(|frame| test(frame))
            .nth(nth)
            .expect("such a frame")
    }

    pub(crate) fn place(&self, nth: usize, test: impl Fn(&Frame) -> bool) -> usize {
        let picked = self
            .frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| test(frame));
        picked.map(|(at, _)| at).nth(nth).expect("such a frame")
    }
}

impl Frame {
    pub(crate) fn is_v4(&self) -> bool {
        self.bytes.len() > self.ip && self.bytes[self.ip] >> 4 == 4 && self.type_is_ip()
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.bytes.len() > self.ip && self.bytes[self.ip] >> 4 == 6 && self.type_is_ip()
    }

    fn type_is_ip(&self) -> bool {
        self.ip == 0 || matches!(self.bytes[12..14], [8, 0] | [0x86, 0xdd])
    }

    pub(crate) fn transport(&self) -> usize {
        self.ip
            + if self.is_v4() {
                usize::from(self.bytes[self.ip] & 15) * 4
            } else {
                40
            }
    }

    pub(crate) fn protocol(&self) -> u8 {
        self.bytes[self.ip + if self.is_v4() { 9 } else { 6 }]
    }

    pub(crate) fn is_fragment(&self) -> bool {
        self.is_v4()
            && u16::from_be_bytes([self.bytes[self.ip + 6], self.bytes[self.ip + 7]]) & 0x3fff != 0
    }

    pub(crate) fn is_tcp(&self) -> bool {
        (self.is_v4() || self.is_v6()) && self.protocol() == 6
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    pub(crate) fn put16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn put32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn flags(&self) -> u8 {
        self.bytes[self.transport() + 13]
    }

    pub(crate) fn seq(&self) -> u32 {
        self.u32(self.transport() + 4)
    }

    pub(crate) fn payload(&self) -> usize {
        self.transport() + usize::from(self.bytes[self.transport() + 12] >> 4) * 4
    }

    /// Bytes of TCP payload.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.payload()
    }

    /// Sent by the host whose address ends in 1.
    pub(crate) fn is_clients(&self) -> bool {
        self.bytes[self.ip + if self.is_v4() { 15 } else { 23 }] == 1
    }

    /// Where the body of TCP option `kind` begins.
    pub(crate) fn option(&self, kind: u8) -> Option<usize> {
        let mut at = self.transport() + 20;
        while at < self.payload() {
            match self.bytes[at] {
                0 => return None,
                1 => at += 1,
                found if found == kind => return Some(at + 2),
                _ => at += usize::from(self.bytes[at + 1]),
            }
        }
        None
    }

    /// Makes lengths and checksums right again.
    pub(crate) fn mend(&mut self) {
        let (ip, length) = (self.ip, self.bytes.len() - self.ip);
        if self.is_v4() {
            self.put16(ip + 2, length as u16);
            self.mend_header();
        } else {
            self.put16(ip + 4, (length - 40) as u16);
        }
        self.mend_transport();
    }

    pub(crate) fn mend_header(&mut self) {
        let (ip, end) = (self.ip, self.transport());
        self.put16(ip + 10, 0);
        let sum = sum(&self.bytes[ip..end], 0);
        self.put16(ip + 10, !sum);
    }

    pub(crate) fn mend_transport(&mut self) {
        let (from, protocol) = (self.transport(), self.protocol());
        let field = match protocol {
            1 | 58 => 2,
            6 => 16,
            17 => 6,
            _ => return,
        };
        if self.is_fragment() || self.bytes.len() < from + field + 2 {
            return;
        }
        self.put16(from + field, 0);
        let addresses = if self.is_v4() {
            self.ip + 12..self.ip + 20
        } else {
            self.ip + 8..self.ip + 40
        };
        let mut start = 0;
        if protocol != 1 {
            let length = (self.bytes.len() - from) as u32;
            start = u32::from(sum(&self.bytes[addresses], u32::from(protocol) + length));
        }
        let made = !sum(&self.bytes[from..], start);
        self.put16(
            from + field,
            if made == 0 && protocol == 17 {
                0xffff
            } else {
                made
            },
        );
    }
}

fn sum(bytes: &[u8], start: u32) -> u16 {
    let mut total = u64::from(start);
    for pair in bytes.chunks(2) {
        total += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}
