//! Walks a capture and gathers what is wrong with it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use etherparse::{EtherType, IpNumber, ip_number};
use pcap_file::DataLink;

use crate::Options;
use crate::flows::Flows;
use crate::losses::Losses;
use crate::out::{Claims, Out};
use crate::parse::ip::Ip;
use crate::parse::{Packet, link};
use crate::report::Report;
use crate::rules::{self, Arp, Clocks, Packets};
use crate::source::{self, Captured, Source, Step, VerifyError};

/// Checks every packet of the pcap or pcapng file at `path`, with the usual options.
///
/// # Errors
/// As [`check_file_with`].
pub fn check_file(path: &Path) -> Result<Report, VerifyError> {
    check_file_with(path, &Options::default())
}

/// Checks every packet of the pcap or pcapng file at `path`.
///
/// The file is streamed: memory does not grow with its size.
///
/// # Errors
/// When the file cannot be opened or read, is no capture, or has packets of unknown links only. A capture that is
/// cut short or damaged is not an error: what could be read is judged, and the damage is a finding.
pub fn check_file_with(path: &Path, options: &Options) -> Result<Report, VerifyError> {
    let file = File::open(path).map_err(|source| VerifyError::Open {
        path: path.to_owned(),
        source,
    })?;
    check_reader_with(file, options)
}

/// Checks every packet that `reader` gives, which begins at the start of a capture, with the usual options.
///
/// # Errors
/// As [`check_file_with`].
pub fn check_reader<R: Read>(reader: R) -> Result<Report, VerifyError> {
    check_reader_with(reader, &Options::default())
}

/// Checks every packet that `reader` gives, which begins at the start of a capture.
///
/// # Errors
/// As [`check_file_with`].
pub fn check_reader_with<R: Read>(reader: R, options: &Options) -> Result<Report, VerifyError> {
    let mut source = Source::open(reader)?;
    let mut judge = Judge::new(options);
    loop {
        match source.step()? {
            Step::Packet(captured) => judge.packet(&captured),
            Step::Lost { interface, packets } => judge.losses.note(interface, packets),
            Step::Other => {}
            Step::Unreadable(why) => {
                rules::skipped(judge.out.report.packets, &why, &mut judge.out);
            }
            Step::End => break,
            Step::Damaged(why) => {
                rules::damaged(judge.out.report.packets, &why, &mut judge.out);
                break;
            }
        }
    }
    match judge.foreign {
        Some((link, packets)) if packets == judge.out.report.packets => {
            Err(VerifyError::Link(link.into()))
        }
        _ => Ok(judge.end()),
    }
}

/// What is judged above IP; the last is a header that says that nothing follows.
const FOLLOWED: [IpNumber; 6] = [
    ip_number::TCP,
    ip_number::UDP,
    ip_number::ICMP,
    ip_number::IPV6_ICMP,
    ip_number::IGMP,
    ip_number::IPV6_NO_NEXT_HEADER,
];

struct Judge<'o> {
    options: &'o Options,
    out: Out,
    clocks: Clocks,
    losses: Losses,
    packets: Packets,
    flows: Flows,
    now: u64,
    untimed: u64,
    /// The first link that is not known, and how many packets are of such.
    foreign: Option<(DataLink, u64)>,
    /// The first protocol above the link that is not followed, and how many frames are of such.
    unfollowed: Option<(EtherType, u64)>,
    /// Frames without a whole header of their link, or of a family of addresses that is not known.
    headless: u64,
    /// Packets whose transport is not known.
    opaque: u64,
}

impl<'o> Judge<'o> {
    fn new(options: &'o Options) -> Self {
        Judge {
            options,
            out: Out {
                report: Report::default(),
                sender: None,
                is_copy: false,
                claims: Claims::default(),
            },
            clocks: Clocks::default(),
            losses: Losses::default(),
            packets: Packets::default(),
            flows: Flows::default(),
            now: 0,
            untimed: 0,
            foreign: None,
            unfollowed: None,
            headless: 0,
            opaque: 0,
        }
    }

    fn packet(&mut self, captured: &Captured<'_>) {
        let out = &mut self.out;
        out.sender = None;
        out.report.packets += 1;
        out.report.bytes += captured.original_len;
        let number = out.report.packets;
        let data = captured.data.as_ref();
        out.report.cut += u64::from(captured.original_len > data.len() as u64);
        if let Some(why) = &captured.fault {
            rules::odd(number, why, out);
        }
        self.clocks.judge(number, captured, out);
        match captured.timestamp {
            Some(time) => self.now = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
            None => self.untimed += 1,
        }
        if !source::is_known(captured.link) {
            self.foreign.get_or_insert((captured.link, 0)).1 += 1;
            return;
        }
        let Some(frame) = link::frame(captured.link, data, captured.original_len) else {
            self.headless += 1;
            return;
        };
        match frame.ether_type {
            Some(EtherType::ARP) => {
                let place = Arp {
                    number,
                    now: self.now,
                    timed: captured.timestamp.is_some(),
                    macs: frame.macs,
                };
                self.packets.judge_arp(frame.payload, place, out);
                return;
            }
            Some(EtherType::IPV4 | EtherType::IPV6) | None => {}
            // Other protocols are not this judge's matter.
            Some(other) => {
                self.unfollowed.get_or_insert((other, 0)).1 += 1;
                return;
            }
        }
        let wire_len = usize::try_from(frame.wire_len).unwrap_or(usize::MAX);
        let ip = match Ip::parse(frame.payload, wire_len) {
            Ok(ip) => ip,
            Err(why) => {
                rules::unreadable(number, &why, out);
                return;
            }
        };
        out.sender = Some(ip.source);
        self.opaque += u64::from(!FOLLOWED.contains(&ip.protocol));
        let packet = Packet {
            number,
            now: self.now,
            timed: captured.timestamp.is_some(),
            interface: captured.interface,
            interfaces: captured.interfaces,
            offload: self.options.offload,
            frame,
            ip,
        };
        self.packets.judge(&packet, out);
        if packet.ip.fragment.is_some() {
            out.report.fragments += 1;
        } else if !packet.ip.extensions.broken {
            self.flows.judge(&packet, self.options, out);
        }
    }

    fn end(mut self) -> Report {
        self.out.sender = None;
        self.packets.end(self.now, &mut self.out);
        self.flows.end(self.now, &mut self.out);
        let mut report = std::mem::take(&mut self.out.report);
        self.losses.tell(&mut report);
        if self.foreign.is_some() {
            // They may be what a flow seems to lack.
            report.withhold(|rule| rule.needs.whole);
        }
        self.tell_limits(&mut report);
        report
            .findings
            .sort_by_key(|finding| finding.packets.first().copied());
        report
    }

    /// Says which packets were not judged, or not whole.
    fn tell_limits(&self, report: &mut Report) {
        let cut = report.cut;
        let mut tell = |packets: u64, what: &str| {
            if packets > 0 {
                report.limits.push(format!("{packets} packets {what}"));
            }
        };
        tell(cut, "were cut short: their checksums are not known");
        if let Some((_, packets)) = self.foreign {
            tell(packets, "are of links that are not known here");
        }
        tell(
            self.headless,
            "have no whole link header that is known here",
        );
        if let Some((first, packets)) = self.unfollowed {
            let what = format!(
                "carry neither IP nor ARP (the first one type {:#06x}): they are not judged",
                first.0
            );
            tell(packets, &what);
        }
        tell(
            self.opaque,
            "carry other than TCP, UDP, ICMP and IGMP in IP: only their IP headers are judged",
        );
        tell(self.untimed, "have no time");
    }
}
