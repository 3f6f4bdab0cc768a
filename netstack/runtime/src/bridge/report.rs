//! What a bridge has counted, and what it leaves behind.

use drivers::Device;
use netstack_core::Counters;

use crate::shared::InterfaceStatus;

/// What a bridge has counted so far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BridgeReport {
    /// The left and the right device.
    pub interfaces: [InterfaceStatus; 2],
    /// What became of packets from left to right, and from right to left.
    pub directions: [DirectionReport; 2],
    /// What the router has counted, if it is one.
    pub router: Option<Counters>,
    /// Destructors of buffers that panicked where their last packet went on the bridge's thread.
    pub destructor_panics: u64,
}

/// What became of packets in one direction.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DirectionReport {
    /// Each counter of each impairment, by name.
    pub impairments: Vec<(&'static str, u64)>,
    /// Packets dropped because their device took none for a second: it is down, or nobody reads what it has.
    pub late_dropped: u64,
    /// Packets on their way: their time has not come, or they wait for the device. Where the bridge has ended, they have
    /// ended with it.
    pub under_way: u64,
}

/// What a bridge leaves behind.
#[non_exhaustive]
pub struct BridgeEnd {
    /// What it has counted.
    pub report: BridgeReport,
    /// The devices by name, left first; they now belong to the caller.
    pub devices: Vec<(String, Box<dyn Device>)>,
}
