//! Bulk TCP between two stacks in one thread, over a link in memory.
//!
//! Both subjects do the same work: the application writes 64 KiB at a time from one buffer and reads
//! into another, both ends of the link are polled in turn, checksums are made and verified.

mod ours;
mod smol;

pub use ours::ours;
pub use smol::smoltcp;

/// What a run moves and over what.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Bytes to move.
    pub bytes: u64,
    /// Bytes of each send and each receive buffer.
    pub buffer: usize,
    /// The MTU of the link.
    pub mtu: usize,
    /// Whether the link takes super-packets and leaves checksums alone (ours only; a peer without
    /// offload is given the largest MTU instead).
    pub offload: bool,
}

/// Bytes that the application writes or reads at a time.
const CHUNK: usize = 16 << 10;

const TURN: u64 = 128 << 10;
