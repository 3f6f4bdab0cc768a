//! The options of `netstack script`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Run packet scripts, in the language of packetdrill, against this stack or the kernel.
///
/// Against the stack, time is virtual: an hour of a script takes milliseconds, and all scripts run in parallel. A
/// failure shows the line of the script, and the packets expected and seen.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  netstack script tests/script/scripts
  netstack script --pcap captures --json my.pkt
  netstack script --live my.pkt
  netstack script --live --jobs 1 my.pkt")]
pub(crate) struct Script {
    /// The scripts; of a directory, all *.pkt below it
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,
    /// Run them against the Linux kernel in real time, across TUN devices in a private namespace; takes a /dev/net/tun
    /// that may be opened
    #[arg(long)]
    pub(crate) live: bool,
    /// Run so many at a time [default: one for each processor; with --live, 5]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZero<usize>>,
    /// Write a capture of each run into this directory, and judge it
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) pcap: Option<PathBuf>,
    /// Give lines in back-quotes to the shell
    #[arg(long)]
    pub(crate) allow_shell: bool,
    /// Print one JSON object for each script
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only scripts that fail
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
