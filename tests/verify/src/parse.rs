//! What packets say, taken apart with etherparse; nothing is judged here.

pub(crate) mod ip;
pub(crate) mod link;
pub(crate) mod seq;
pub(crate) mod tcp;

use crate::Offload;
use ip::{Ip, Sum};
use link::Frame;

/// A packet with its place in the capture.
pub(crate) struct Packet<'a> {
    /// Its number, counted from 1 as `tshark` does.
    pub(crate) number: u64,
    /// Nanoseconds since the epoch; that of the packet before where the format keeps no time.
    pub(crate) now: u64,
    pub(crate) timed: bool,
    pub(crate) interface: u32,
    /// How many interfaces the file has named so far.
    pub(crate) interfaces: usize,
    /// Whether it is said to be as on the wire.
    pub(crate) offload: Offload,
    pub(crate) frame: Frame<'a>,
    pub(crate) ip: Ip<'a>,
}

impl Packet<'_> {
    /// Whether its receiver drops it for what its IP header says: a sum that is wrong, other than one left for hardware
    /// to fill in, or more bytes than the link carried.
    pub(crate) fn is_damaged(&self) -> bool {
        let ip = &self.ip;
        let has_wrong_sum = ip.is_v4()
            && self.offload != Offload::Before
            && u16_at(ip.header, 10) != 0
            && !ip.has_right_sum();
        has_wrong_sum || ip.total_len as u64 > self.frame.wire_len
    }

    /// Whether a transport checksum of which `sum` is known is wrong on the wire.
    pub(crate) fn has_wrong(&self, sum: Sum) -> bool {
        match sum {
            Sum::Right | Sum::Unknown => false,
            Sum::Wrong => self.offload != Offload::Before,
            // Somebody goes on with it, unless nobody comes behind.
            Sum::Partial => self.offload == Offload::After,
        }
    }
}

/// A millisecond in the unit of [`Packet::now`].
pub(crate) const MS: u64 = 1_000_000;
/// A second.
pub(crate) const SEC: u64 = 1_000 * MS;

/// Nanoseconds as a number of milliseconds to read.
pub(crate) fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// A big-endian number of two bytes, zero where they are missing.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .and_then(|two| two.try_into().ok())
        .map_or(0, u16::from_be_bytes)
}

/// A big-endian number of four bytes, zero where they are missing.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}
