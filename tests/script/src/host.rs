//! What a script is played against: a host that takes packets and calls, and sends packets.

pub(crate) mod live;
#[cfg(feature = "smoltcp")]
pub(crate) mod smoltcp;
pub(crate) mod stack;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::calls::{Op, Returned};

/// A host under test, with its clock. Times count from the start of the script.
pub(crate) trait Host {
    /// The time now.
    fn now(&self) -> Duration;

    /// Lets time pass until `until`, or until the host sends something or a call returns that waited, whichever is
    /// first.
    fn advance(&mut self, until: Duration) -> Result<(), String>;

    /// The packet that was sent first of those not taken yet, and when.
    fn take_sent(&mut self) -> Option<(Duration, Vec<u8>)>;

    /// Hands a packet to the host.
    fn deliver(&mut self, packet: &[u8]) -> Result<(), String>;

    /// Makes a call; `None` when it waits. What it makes is known by the descriptor `made` from then on.
    fn call(&mut self, op: &Op, made: i64) -> Result<Option<Returned>, String>;

    /// The result of the call that waited, and when it returned.
    fn take_returned(&mut self) -> Option<(Duration, Returned)>;

    /// Sets a variable of the host (`sysctl`).
    fn set(&mut self, name: &str, values: &[i64]) -> Result<(), String>;

    /// `TCP_INFO` of the connection that was made last, by the names that assertions use.
    fn info(&mut self) -> Option<BTreeMap<&'static str, i128>>;
}
