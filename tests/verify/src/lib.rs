//! Judges a TCP/IP stack by its captures.
//!
//! [`check_file`] reads a pcap or pcapng file packet by packet, with micro- or nanosecond timestamps,
//! and reports what contradicts itself: malformed headers, wrong checksums, lengths that do not agree,
//! time that goes backwards. Packets are parsed with `etherparse` and files are read with `pcap-file`;
//! nothing here is shared with the stack being judged.
//!
//! ```no_run
//! let report = pcap_verify::check_file("capture.pcapng".as_ref())?;
//! print!("{report}");
//! assert!(report.is_clean());
//! # Ok::<(), pcap_verify::VerifyError>(())
//! ```
#![forbid(unsafe_code)]

mod check;
mod flow;
mod ip;
mod report;
mod source;
mod transport;

pub use check::{check_file, check_reader};
pub use report::{Finding, KEPT_FINDINGS, Report, Rule};
pub use source::VerifyError;
