//! What the judge says of the capture: nothing against the stack, and what there is against the kernel.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use pcap_verify::{Finding, Options};

use super::report::CaptureRow;
use super::stage;
use crate::failure::Failure;

/// Judges the capture of `packets` packets at `path`, taken beside the near end; `kernel` are the addresses of the
/// other, where that is the kernel.
///
/// It ends somewhere in the middle, and has every packet until there.
pub(super) fn capture(path: &Path, kernel: &[IpAddr], packets: u64) -> Result<CaptureRow, Failure> {
    let mut options = Options::default();
    options.beside = stage::NEAR.into();
    options.complete = true;
    let checked = pcap_verify::check_file_with(path, &options).map_err(Failure::of)?;
    let is_of_kernel = |finding: &&Finding| {
        let accused = finding.accused;
        accused
            .is_some_and(|host| kernel.contains(&host) || is_link_local(host) && !kernel.is_empty())
    };
    let (theirs, ours): (Vec<_>, Vec<_>) = checked.findings.iter().partition(is_of_kernel);
    let mut of_kernel = BTreeMap::new();
    for finding in theirs {
        *of_kernel.entry(finding.rule.id).or_default() += 1;
    }
    // Of those that were only counted nobody is excused.
    let hidden = checked.found() - checked.findings.len() as u64;
    Ok(CaptureRow {
        file: path.display().to_string(),
        packets,
        flows: checked.flows,
        findings: ours.len() as u64 + hidden,
        first: ours.first().map(ToString::to_string),
        of_kernel,
    })
}

/// Whether only the kernel has such an address here, which it gives itself.
fn is_link_local(host: IpAddr) -> bool {
    matches!(host, IpAddr::V6(host) if host.is_unicast_link_local() || host.is_unspecified())
}
