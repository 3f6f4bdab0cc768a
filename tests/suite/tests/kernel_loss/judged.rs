//! The captures beside this stack are judged: nothing may be found against its packets but what is listed.

use pcap_verify::{Offload, Options};
use std::collections::BTreeSet;
use std::path::Path;

/// What the judge has against the kernel's packets, which come over a path that loses some: that they come again.
const OF_KERNEL: [&str; 0] = [];

/// What may be found against this stack's packets: the capture is the bridge's, and an acknowledgement that has left
/// meets the next packet on the way from there.
const CROSSED: [&str; 2] = ["W-SACK-06", "W-SACK-11"];

/// Judges a capture beside the far host, which is this stack.
pub(crate) fn judge(capture: &Path) {
    let mut options = Options::default();
    options.beside = vec![super::path::FAR.parse().expect("an address")];
    options.complete = true;
    // As on a device that segments and sums.
    options.offload = Offload::Before;
    let report = pcap_verify::check_file_with(capture, &options).expect("a capture");
    let kernel = super::path::NEAR.parse().ok();
    let (theirs, ours): (Vec<_>, Vec<_>) = report
        .findings
        .iter()
        .partition(|finding| finding.accused.is_some() && finding.accused == kernel);
    assert!(
        ours.iter()
            .all(|finding| CROSSED.contains(&finding.rule.id)),
        "{ours:#?}\n{report}"
    );
    assert_eq!(
        report.found(),
        (theirs.len() + ours.len()) as u64,
        "{report}"
    );
    let rules: BTreeSet<&str> = theirs.iter().map(|finding| finding.rule.id).collect();
    assert!(rules.is_subset(&OF_KERNEL.into()), "{report}");
}
