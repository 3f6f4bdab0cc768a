//! The form in which packets for a [`Victim`] lie in files, and in which a fuzzer makes them up.

use super::Victim;
use crate::wire::{sum, transport_checksum};
use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use txbuf::Checksum;

/// The IP length and header checksum are put right.
const COMPLETE_IP: u8 = 1;
/// The transport checksum is put right.
const COMPLETE_TRANSPORT: u8 = 2;
/// TCP sequence and acknowledgement numbers count from those of the established connection.
pub const WITHIN: u8 = 4;
/// The device vouches for the transport checksum.
const VERIFIED: u8 = 8;
/// The applications read before.
const READ: u8 = 16;
/// The applications write before.
const WRITE: u8 = 32;
/// The listeners' application accepts before.
const ACCEPT: u8 = 64;
/// The application closes its side before.
const SHUT: u8 = 128;

/// One packet, and what happens before it arrives.
///
/// In a file: the flags, the time as a power of two of milliseconds (0 for none), the length of the
/// packet in two bytes, low first, and the packet. A length beyond the end of the file means its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What is done to the packet, and before it.
    pub flags: u8,
    /// Time that passes before.
    pub time: u8,
    /// The packet.
    pub packet: Vec<u8>,
}

impl Record {
    /// A packet as it is, at once.
    pub fn plain(packet: Vec<u8>) -> Record {
        Record {
            packet,
            ..Record::default()
        }
    }

    /// Appends the record to a file.
    pub fn write(&self, file: &mut Vec<u8>) {
        file.extend([self.flags, self.time]);
        file.extend((self.packet.len() as u16).to_le_bytes());
        file.extend(&self.packet);
    }

    /// Reads a whole file; anything is one.
    pub fn parse(mut file: &[u8]) -> Vec<Record> {
        let mut records = Vec::new();
        while let [flags, time, low, high, rest @ ..] = file {
            let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
            let (packet, rest) = rest.split_at(len);
            records.push(Record {
                flags: *flags,
                time: *time,
                packet: packet.to_vec(),
            });
            file = rest;
        }
        records
    }
}

impl Victim {
    /// Feeds the stack with the records of `file`.
    ///
    /// # Panics
    ///
    /// As [`packet`](Self::packet).
    pub fn feed(&mut self, file: &[u8]) {
        for record in Record::parse(file) {
            self.record(&record);
        }
    }

    /// Feeds the stack with one record.
    ///
    /// # Panics
    ///
    /// As [`packet`](Self::packet).
    pub fn record(&mut self, record: &Record) {
        let has = |flag: u8| record.flags & flag != 0;
        if record.time > 0 {
            self.pass(Duration::from_millis(1 << (record.time % 24)));
        }
        if has(ACCEPT) {
            self.accept();
        }
        if has(READ) {
            self.read();
        }
        if has(WRITE) {
            self.write();
        }
        if has(SHUT) {
            self.shut_down();
        }
        let mut bytes = record.packet.clone();
        if has(WITHIN) {
            self.move_into_window(&mut bytes);
        }
        if has(COMPLETE_IP) {
            complete_ip(&mut bytes);
        }
        if has(COMPLETE_TRANSPORT) {
            complete_transport(&mut bytes);
        }
        self.packet(
            &bytes,
            if has(VERIFIED) {
                Checksum::Verified
            } else {
                Checksum::Complete
            },
        );
    }

    fn move_into_window(&self, bytes: &mut [u8]) {
        let Some((at, _)) = transport(bytes) else {
            return;
        };
        let connection = &self.established[usize::from(bytes[0] >> 4 == 6)];
        for (offset, base) in [(4, connection.nxt), (8, connection.rcv)] {
            if let Some(field) = bytes.get_mut(at + offset..at + offset + 4) {
                let value = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
                field.copy_from_slice(&value.wrapping_add(base).to_be_bytes());
            }
        }
    }
}

/// Where the transport header begins, and its protocol; `None` where that cannot be told.
fn transport(bytes: &[u8]) -> Option<(usize, u8)> {
    match bytes.first()? >> 4 {
        4 if bytes.len() >= 20 => Some((usize::from(bytes[0] & 15).max(5) * 4, bytes[9])),
        6 if bytes.len() >= 40 => Some((40, bytes[6])),
        _ => None,
    }
}

fn complete_ip(bytes: &mut [u8]) {
    let Some((at, _)) = transport(bytes) else {
        return;
    };
    let len = bytes.len();
    if bytes[0] >> 4 == 6 {
        bytes[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
        return;
    }
    bytes[0] = 0x40 | (at / 4) as u8;
    bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    bytes[10..12].fill(0);
    let check = !sum(&bytes[..at.min(len)]);
    bytes[10..12].copy_from_slice(&check.to_be_bytes());
}

fn complete_transport(bytes: &mut [u8]) {
    let Some((at, protocol)) = transport(bytes) else {
        return;
    };
    let field = at
        + match protocol {
            1 | 58 => 2,
            6 => 16,
            17 => 6,
            _ => return,
        };
    if field + 2 > bytes.len() {
        return;
    }
    bytes[field..field + 2].fill(0);
    let segment = &bytes[at..];
    let check = match (bytes[0] >> 4, protocol) {
        (4, 1) => !sum(segment),
        (4, _) => {
            let address = |at: usize| {
                let octets: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes");
                IpAddr::V4(Ipv4Addr::from(octets))
            };
            transport_checksum(address(12), address(16), protocol, segment)
        }
        _ => {
            let address = |at: usize| {
                let octets: [u8; 16] = bytes[at..at + 16].try_into().expect("sixteen bytes");
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            transport_checksum(address(8), address(24), protocol, segment)
        }
    };
    bytes[field..field + 2].copy_from_slice(&check.to_be_bytes());
}
