//! The rules, in one file for each group. A group holds its table, what it remembers, and the functions that judge.
//!
//! To add a rule: a line in the table of its group, the place in that file's `judge` where it is broken, a line in
//! `rules.tsv`, and a mutation in `tests/mutations` that shows it.

mod ack;
mod close;
mod congestion;
mod delayed;
mod echo;
mod ecn;
mod file;
mod forward;
mod fragments;
mod handshake;
mod header_sum;
mod icmp;
mod ip4;
mod ip6;
mod isn;
mod labels;
mod link;
mod multicast;
mod neighbour;
mod offsets;
mod owed;
mod path;
mod probe;
mod push;
mod quote;
mod recent;
mod recovery;
mod reopening;
mod reset;
mod retransmit;
mod sack;
mod sequence;
mod tcp_format;
mod timestamps;
mod udp;

use crate::out::Out;
use crate::parse::Packet;
use crate::parse::ip::Sum;
use crate::rule::Rule;
use crate::track::{Track, View};

pub(crate) use file::Clocks;
pub(crate) use file::{damaged, odd, skipped, unreadable};
pub(crate) use tcp_format::unreadable as unreadable_tcp;

/// The tables of all groups.
pub(crate) static GROUPS: &[&[&Rule]] = &[
    file::RULES,
    link::RULES,
    header_sum::RULES,
    ip4::RULES,
    ip6::RULES,
    fragments::RULES,
    forward::RULES,
    path::RULES,
    icmp::RULES,
    quote::RULES,
    echo::RULES,
    udp::RULES,
    neighbour::RULES,
    multicast::RULES,
    tcp_format::RULES,
    push::RULES,
    labels::RULES,
    handshake::RULES,
    isn::RULES,
    offsets::RULES,
    sequence::RULES,
    reset::RULES,
    owed::RULES,
    ack::RULES,
    delayed::RULES,
    reopening::RULES,
    sack::RULES,
    retransmit::RULES,
    recovery::RULES,
    congestion::RULES,
    timestamps::RULES,
    recent::RULES,
    probe::RULES,
    close::RULES,
    ecn::RULES,
];

/// What the rules about packets remember, connections aside.
#[derive(Default)]
pub(crate) struct Packets {
    header_sum: header_sum::State,
    fragments: fragments::State,
    forward: forward::State,
    path: path::State,
    icmp: icmp::State,
    quote: quote::State,
    echo: echo::State,
    neighbour: neighbour::State,
}

impl Packets {
    /// Judges one packet by all that is not about a TCP connection.
    pub(crate) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        link::judge(packet, out);
        if packet.ip.is_v4() {
            self.header_sum.judge(packet, out);
            ip4::judge(packet, out);
        } else {
            ip6::judge(packet, out);
        }
        self.fragments.judge(packet, out);
        self.forward.judge(packet, out);
        self.path.judge(packet, out);
        if packet.ip.fragment.is_none() {
            udp::judge(packet, out);
            self.icmp.judge(packet, out);
            self.echo.judge(packet, out);
            self.neighbour.judge(packet, out);
            multicast::judge(packet, out);
        }
        self.quote.judge(packet, out);
    }

    /// Judges a frame that is no IP packet.
    pub(crate) fn judge_arp(&mut self, arp: &[u8], frame: Arp, out: &mut Out) {
        self.neighbour.judge_arp(arp, frame, out);
    }

    pub(crate) fn end(&mut self, now: u64, out: &mut Out) {
        self.header_sum.end(out);
        self.fragments.end(now, out);
        self.echo.end(now, out);
    }
}
pub(crate) use neighbour::Arp;

/// What the rules about many connections remember.
#[derive(Default)]
pub(crate) struct Hosts {
    isn: isn::State,
    offsets: offsets::State,
}

impl Hosts {
    pub(crate) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        self.isn.judge(view, out);
        self.offsets.judge(view, out);
    }
}

/// What the rules about one connection remember of it.
#[derive(Default)]
pub(crate) struct Connection {
    handshake: handshake::State,
    sequence: sequence::State,
    reset: reset::State,
    owed: owed::State,
    ack: ack::State,
    delayed: delayed::State,
    reopening: reopening::State,
    sack: sack::State,
    retransmit: retransmit::State,
    recovery: recovery::State,
    congestion: congestion::State,
    timestamps: timestamps::State,
    recent: recent::State,
    probe: probe::State,
    close: close::State,
    ecn: ecn::State,
    push: push::State,
    labels: labels::State,
}

impl Connection {
    /// Judges one segment by the rules about connections.
    pub(crate) fn judge(&mut self, view: &View<'_, '_>, sum: Sum, out: &mut Out) {
        tcp_format::judge(view, sum, out);
        // Whoever gets a damaged segment looks no further.
        if sum == Sum::Wrong {
            return;
        }
        self.handshake.judge(view, out);
        self.sequence.judge(view, out);
        self.reset.judge(view, out);
        self.owed.judge(view, out);
        self.ack.judge(view, out);
        self.delayed.judge(view, out);
        self.reopening.judge(view, out);
        self.ack.wait(view);
        self.sack.judge(view, out);
        self.retransmit.judge(view, out);
        self.recovery.judge(view, out);
        self.congestion.judge(view, out);
        self.timestamps.judge(view, out);
        self.recent.judge(view, out);
        self.probe.judge(view, out);
        self.close.judge(view, out);
        self.ecn.judge(view, out);
        self.push.judge(view, out);
        self.labels.judge(view, out);
    }

    /// Judges what can only be said at the end of a connection, or of the capture, at `now`.
    pub(crate) fn end(&mut self, flow: &Track, now: u64, out: &mut Out) {
        self.sequence.end(flow, out);
        self.owed.end(flow, now, out);
        self.delayed.end(flow, out);
        self.ack.end(flow, now, out);
        self.retransmit.end(flow, now, out);
        self.close.end(flow, now, out);
    }
}
