//! Bulk TCP between two stacks in one thread, over a link in memory.
//!
//! Both subjects do the same work: the application writes from one buffer until the stack takes no more and reads
//! into another until it has no more, both ends of the link are polled in turn, every checksum is made and
//! verified. Neither has a limit on what a poll may move but its window and the queue of the link.

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

/// Bytes that the application writes or reads at a time: as `std::io::copy` does.
const CHUNK: usize = 8 << 10;

/// What the application writes: bytes without a pattern, so that no sum is like the one before.
fn payload() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..CHUNK).map(|_| byte()).collect()
}

#[cfg(test)]
mod tests;
