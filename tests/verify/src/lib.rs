//! Judges a TCP/IP stack by its captures.
//!
//! [`check_file`] reads a pcap or pcapng file packet by packet, follows every TCP connection, and holds what it sees
//! against the rules of the [`catalogue`]: what RFCs ask of packets, as far as a capture can show it. `rules.tsv`
//! beside this crate has a line for every rule that was considered, with what became of it. Packets are parsed with
//! `etherparse` and files are read with `pcap-file`; nothing here is shared with the stack being judged.
//!
//! What a capture cannot show is not reported: a rule says what it [needs](Needs), and each connection is judged by
//! how near it was captured, whether packets are as on the wire, and whether some are missing.
//!
//! ```no_run
//! let report = pcap_verify::check_file("capture.pcapng".as_ref())?;
//! print!("{report}");
//! assert!(report.is_clean());
//! # Ok::<(), pcap_verify::VerifyError>(())
//! ```
#![forbid(unsafe_code)]

mod annotate;
mod bounded;
mod check;
mod draft;
mod flows;
mod losses;
mod options;
mod out;
mod parse;
mod plot;
mod report;
mod rule;
mod rules;
mod source;
mod track;

pub use annotate::annotate;
pub use check::{check_file, check_file_with, check_reader, check_reader_with};
pub use options::{Offload, Options, Vantage};
pub use plot::{Plotted, plot};
pub use report::{Finding, KEPT_FINDINGS, Report, to_json, to_sarif, to_sarif_with};
pub use rule::{Needs, Rule, Severity, catalogue};
pub use source::VerifyError;
