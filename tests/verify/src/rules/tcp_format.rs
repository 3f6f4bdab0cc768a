//! One TCP header and its options.

use crate::out::{Out, Scope};
use crate::parse::Packet;
use crate::parse::ip::Sum;
use crate::parse::tcp::Fault;
use crate::rule::rules;
use crate::track::View;

rules! {
    CHECKSUM = Error "W-TCPFMT-01", "9293 section 3.1", "The checksum verifies";
    OFFSET = Error "W-TCPFMT-02", "9293 section 3.1", "The data offset is at least 5 and inside the packet";
    OPTIONS = Error "W-TCPFMT-03", "9293 section 3.2", "Lengths of options are legal, and zeros follow the end of the list";
    SYN_OPTIONS = Error "W-TCPFMT-04", "9293; 7323; 2018", "Maximum segment size, window scale and SACK-permitted stand only on SYN segments";
    MSS = Note "W-TCPFMT-05", "9293 section 3.7.1; 6691", "The maximum segment size is the link's MTU less 40, or 60 for IPv6";
    SCALE = Error "W-TCPFMT-06", "7323 section 2.3", "The window scale is at most 14";
    UNASKED = Error "W-TCPFMT-07", "7323; 2018", "A SYN-ACK has window scale, SACK-permitted and timestamps only if the SYN had them";
    RESERVED = Warning "W-TCPFMT-08", "9293 section 3.1; 9768", "The reserved bits are 0";
    FLAGS = Warning "W-TCPFMT-09", "9293 section 3.1", "No segment has SYN with FIN or RST, no flags at all, or FIN without ACK";
    NO_ACK = Error "W-TCPFMT-10", "9293 section 3.1", "After the handshake every segment but a RST has ACK";
    URGENT = Warning "W-TCPFMT-12", "9293 section 3.8.5", "The urgent pointer is 0 unless URG is set";
}

/// Reports a TCP header that cannot be read.
pub(crate) fn unreadable(packet: &Packet<'_>, why: &str, out: &mut Out) {
    out.add(
        &OFFSET,
        Scope::of_packet(packet.timed),
        &[packet.number],
        format_args!("TCP header: {why}"),
    );
}

pub(super) fn judge(view: &View<'_, '_>, sum: Sum, out: &mut Out) {
    let (scope, number, tcp) = (view.scope(), &[view.number()], view.tcp);
    if view.packet.has_wrong(sum) {
        out.add(
            &CHECKSUM,
            scope,
            number,
            format_args!("TCP checksum {:#06x} is wrong", tcp.checksum),
        );
    }
    if tcp.reserved != 0 {
        out.add(
            &RESERVED,
            scope,
            number,
            format_args!("reserved bits {:#x}", tcp.reserved >> 1),
        );
    }
    if !tcp.flags.urg && tcp.urgent != 0 {
        out.add(
            &URGENT,
            scope,
            number,
            format_args!("urgent pointer {} without URG", tcp.urgent),
        );
    }
    judge_flags(view, out);
    judge_options(view, out);
    if tcp.flags.syn {
        judge_syn(view, out);
    }
}

fn judge_flags(view: &View<'_, '_>, out: &mut Out) {
    let (scope, number, flags) = (view.scope(), &[view.number()], view.tcp.flags);
    let odd = if flags.syn && flags.fin {
        Some("SYN and FIN")
    } else if flags.syn && flags.rst {
        Some("SYN and RST")
    } else if !(flags.syn || flags.fin || flags.rst || flags.ack || flags.psh || flags.urg) {
        Some("no flags")
    } else if flags.fin && !flags.ack {
        Some("FIN without ACK")
    } else {
        None
    };
    if let Some(odd) = odd {
        out.add(&FLAGS, scope, number, format_args!("a segment with {odd}"));
    } else if !flags.ack && !flags.rst && !flags.syn && view.agreed.is_some() {
        out.add(
            &NO_ACK,
            scope,
            number,
            format_args!("a segment of {} bytes without ACK", view.tcp.len),
        );
    }
}

fn judge_options(view: &View<'_, '_>, out: &mut Out) {
    let (scope, number, tcp) = (view.scope(), &[view.number()], view.tcp);
    let options = &tcp.options;
    match options.fault {
        Some(Fault::Length { kind, length } | Fault::Fixed { kind, length }) => out.add(
            &OPTIONS,
            scope,
            number,
            format_args!("option {kind} with length {length}"),
        ),
        Some(Fault::Tail) => out.add(
            &OPTIONS,
            scope,
            number,
            format_args!("bytes other than zero follow the end of the options"),
        ),
        None => {}
    }
    let misplaced = [
        (options.mss.is_some(), "maximum segment size"),
        (options.window_scale.is_some(), "window scale"),
        (options.sack_permitted, "SACK-permitted"),
    ];
    for (is_there, name) in misplaced {
        if is_there && !tcp.flags.syn {
            out.add(
                &SYN_OPTIONS,
                scope,
                number,
                format_args!("{name} on a segment without SYN"),
            );
        }
    }
}

fn judge_syn(view: &View<'_, '_>, out: &mut Out) {
    let (scope, number, tcp) = (view.scope(), &[view.number()], view.tcp);
    let options = &tcp.options;
    if let Some(scale) = options.window_scale
        && scale > 14
    {
        out.add(&SCALE, scope, number, format_args!("window scale {scale}"));
    }
    if let (Some(mtu), Some(mss)) = (view.options.mtu, options.mss) {
        let expected = mtu.saturating_sub(if view.packet.ip.is_v4() { 40 } else { 60 });
        if u32::from(mss) != expected {
            out.add(
                &MSS,
                scope,
                number,
                format_args!("maximum segment size {mss} on a link of {mtu}, not {expected}"),
            );
        }
    }
    let asked = view.peer().syn.as_ref().filter(|syn| !syn.flags.ack);
    let Some(asked) = asked.filter(|_| tcp.flags.ack) else {
        return;
    };
    let granted = [
        (
            options.window_scale.is_some(),
            asked.options.window_scale.is_some(),
            "window scale",
        ),
        (
            options.sack_permitted,
            asked.options.sack_permitted,
            "SACK-permitted",
        ),
        (
            options.timestamps.is_some(),
            asked.options.timestamps.is_some(),
            "timestamps",
        ),
    ];
    for (has, had, name) in granted {
        if has && !had {
            out.add(
                &UNASKED,
                scope,
                &[view.number(), asked.packet],
                format_args!("{name} on a SYN-ACK whose SYN had none"),
            );
        }
    }
}
