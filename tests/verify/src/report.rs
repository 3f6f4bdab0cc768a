//! What a check found, as data and as text.

use std::fmt;

/// How many findings of one file are kept in full; further ones are only counted.
pub const KEPT_FINDINGS: usize = 1000;

/// The rule that a packet broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// A header cannot be what it says it is.
    Malformed,
    /// Two lengths of one packet contradict each other.
    Length,
    /// The checksum of an IPv4 header is wrong (RFC 791).
    Ipv4Checksum,
    /// A TCP checksum is wrong (RFC 9293).
    TcpChecksum,
    /// A UDP checksum is wrong, or absent over IPv6 (RFC 768, RFC 8200 section 8.1).
    UdpChecksum,
    /// An ICMP checksum is wrong (RFC 792).
    IcmpChecksum,
    /// An ICMPv6 checksum is wrong (RFC 4443).
    Icmpv6Checksum,
    /// A packet is stamped earlier than the one before it on the same interface.
    TimeOrder,
    /// The file itself ends early or holds a block that cannot be read.
    DamagedFile,
}

impl Rule {
    /// The rule's name in reports; stable.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Malformed => "malformed",
            Rule::Length => "length",
            Rule::Ipv4Checksum => "ipv4-checksum",
            Rule::TcpChecksum => "tcp-checksum",
            Rule::UdpChecksum => "udp-checksum",
            Rule::IcmpChecksum => "icmp-checksum",
            Rule::Icmpv6Checksum => "icmpv6-checksum",
            Rule::TimeOrder => "time-order",
            Rule::DamagedFile => "damaged-file",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One broken rule in one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that was broken.
    pub rule: Rule,
    /// The packet's number in the file, counted from 1 as `tshark` does; 0 when no packet was read.
    pub packet: u64,
    /// What is wrong, in words.
    pub sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "packet {}: {}: {}",
            self.packet, self.rule, self.sentence
        )
    }
}

/// Everything that one check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets read.
    pub packets: u64,
    /// Bytes of packets on the wire.
    pub bytes: u64,
    /// Packets captured in part: their headers were judged, their checksums could not be.
    pub cut: u64,
    /// Fragments, whose transport part was not judged.
    pub fragments: u64,
    /// Distinct flows: unordered pairs of endpoints and a protocol. At most a million are told apart.
    pub flows: u64,
    /// The first [`KEPT_FINDINGS`] findings, in the order of the file.
    pub findings: Vec<Finding>,
    /// All findings, those not kept included.
    pub found: u64,
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.found == 0
    }

    pub(crate) fn add(&mut self, rule: Rule, sentence: String) {
        self.found += 1;
        if self.findings.len() < KEPT_FINDINGS {
            self.findings.push(Finding {
                rule,
                packet: self.packets,
                sentence,
            });
        }
    }
}

impl fmt::Display for Report {
    /// A line of totals and a line for each finding that was kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "packets {}, bytes {}, flows {}, fragments {}, cut short {}, findings {}",
            self.packets, self.bytes, self.flows, self.fragments, self.cut, self.found
        )?;
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let hidden = self.found - self.findings.len() as u64;
        if hidden > 0 {
            writeln!(f, "and {hidden} more")?;
        }
        Ok(())
    }
}
