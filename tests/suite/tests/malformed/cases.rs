//! The generator of the corpus. Deterministic: the same files every time.

mod addresses;
mod fragments;
mod headers;
mod messages;

use suite::victim::Record;

/// One file of the corpus.
pub(crate) struct Case {
    /// The name of the file.
    pub(crate) name: &'static str,
    /// What is in it.
    pub(crate) records: Vec<Record>,
    /// Whether every packet is dropped; else some are delivered or kept.
    pub(crate) all_dropped: bool,
    /// Layer and name of counters that must have counted something.
    pub(crate) counted: &'static [(&'static str, &'static str)],
}

impl Case {
    /// Packets that are fed as they are.
    fn plain(
        name: &'static str,
        all_dropped: bool,
        counted: &'static [(&'static str, &'static str)],
        packets: impl IntoIterator<Item = Vec<u8>>,
    ) -> Case {
        let records = packets.into_iter().map(Record::plain).collect();
        Case {
            name,
            records,
            all_dropped,
            counted,
        }
    }
}

/// Every generated file.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = headers::all();
    cases.extend(fragments::all());
    cases.extend(addresses::all());
    cases.extend(messages::all());
    cases
}
