//! Memory of a device that is not there.

use txbuf::DeviceMemory;

/// Memory that the CPU may not read: whoever touches a byte of it gets an error instead.
#[derive(Debug)]
pub struct Untouchable;

impl DeviceMemory for Untouchable {
    fn provider(&self) -> u64 {
        7
    }

    fn release(&self, _offset: u64, _len: usize) {}
}
