//! Packets that a capture says it lacks.

use std::collections::HashMap;

use crate::report::Report;

/// A file names few interfaces; so many are told apart.
const INTERFACES: usize = 4096;

/// For each interface, how many packets it lost by the last statistics of it, which count from the start.
#[derive(Default)]
pub(crate) struct Losses(HashMap<u32, u64>);

impl Losses {
    pub(crate) fn note(&mut self, interface: u32, packets: u64) {
        if self.0.len() < INTERFACES || self.0.contains_key(&interface) {
            self.0.insert(interface, packets);
        }
    }

    /// Takes back what can only be said of a capture that has every packet. Statistics mostly stand at the end of a
    /// file, so it has been said before.
    pub(crate) fn tell(&self, report: &mut Report) {
        let lost = self.0.values().copied().fold(0, u64::saturating_add);
        if lost == 0 {
            return;
        }
        report.withhold(|rule| rule.needs.whole);
        report.limits.push(format!(
            "the capture says that it lost {lost} packets: nothing that takes every packet of a flow to be known"
        ));
    }
}
