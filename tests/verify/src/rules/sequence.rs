//! Sequence and acknowledgement numbers, windows, and the bytes themselves.

use crate::Offload;
use crate::out::{Out, Scope};
use crate::parse::seq::Seq;
use crate::rule::{Rule, rules};
use crate::track::{Data, Track, View};

rules! {
    TOO_LONG = Error "W-TCPSEQ-01", "9293 section 3.7.1; 6691", "A segment has no more payload than the other side's maximum segment size less the options" [wire];
    TOO_LONG_UNSAID = Warning "W-TCPSEQ-02", "9293 section 3.7.1", "Without a maximum segment size said, payload is at most 536 bytes, or 1220 in IPv6" [wire];
    BEYOND_WINDOW = Error "W-TCPSEQ-03", "9293 section 3.8", "New data never pass the window that was offered" [near whole];
    LONG_PROBE = Warning "W-TCPSEQ-04", "9293 section 3.8.6.1", "What goes beyond a shut window is one byte" [near whole];
    SHRUNK = Warning "W-TCPSEQ-05", "9293 section 3.8; 7323 section 2.4", "The right edge of the window does not move left by more than rounding" [near];
    ACK_UNSENT = Error "W-TCPSEQ-06", "9293 section 3.4", "Nothing is acknowledged that was not sent" [whole];
    ACK_BACK = Warning "W-TCPSEQ-07", "9293 section 3.4", "Acknowledgement numbers do not go back" [near];
    OTHER_BYTES = Error "W-TCPSEQ-08", "9293 section 3.4", "The bytes at one sequence number are the same in every transmission";
    FIN_ACK = Error "W-TCPSEQ-09", "9293 section 3.4", "A FIN takes one sequence number, and no acknowledgement goes beyond it" [whole];
    AFTER_FIN = Error "W-TCPSEQ-10", "9293 section 3.6", "No data come after a FIN";
    FIN_MOVED = Error "W-TCPSEQ-11", "9293 section 3.6", "A repeated FIN has the same number";
    RETRANSMITTED_TOO_LONG = Error "W-RTX-08", "9293 section 3.7; 1191", "What is sent again is no longer than a segment may be" [wire];
}

#[derive(Default)]
pub(super) struct State {
    /// Acknowledgements of what was not seen sent: the number, and the packet. The next segment tells whether the
    /// capture lost something.
    unsent: [Option<(Seq, u64)>; 2],
    /// Of each side: segments that may be too long, or may be cut on their way out.
    long: [Vec<Long>; 2],
    /// Segments of exactly the longest payload that each side may send.
    full: [u32; 2],
}

/// So many are kept until more is known.
const LONG: usize = 16;
/// A sender whose segments are cut after the capture does not send so many that need no cutting, and none of twice the
/// length.
const FULL: u32 = 8;

struct Long {
    rule: &'static Rule,
    packets: [u64; 2],
    len: u32,
    options: u32,
    mss: u32,
    /// It is no longer than what its sender said it can receive in a segment.
    fits_link: bool,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        if view.tcp.flags.rst {
            return;
        }
        self.judge_length(view, out);
        judge_window(view, out);
        self.judge_ack(view, out);
        judge_bytes(view, out);
        judge_fin(view, out);
    }

    pub(super) fn end(&mut self, flow: &Track, out: &mut Out) {
        for side in 0..2 {
            if let Some((number, packet)) = self.unsent[side].take() {
                report_unsent(flow, side, number, packet, out);
            }
            let is_cut_before = self.full[side] >= FULL;
            for long in self.long[side].drain(..) {
                let mut scope = flow.scope(side, true);
                scope.has.wire &= long.fits_link || is_cut_before;
                long.report(scope, out);
            }
        }
    }

    /// What seems too long may be cut after the capture, which other segments of the connection tell: so it is said at
    /// the end, unless the capture is known to be of the wire.
    fn judge_length(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        let Some(syn) = view.peer().syn.as_ref().filter(|_| tcp.len > 0) else {
            return;
        };
        let Some(mss) = view.flow.mss_towards(me) else {
            return;
        };
        let options = u32::try_from(tcp.header_len).map_or(0, |length| length.saturating_sub(20));
        let most = mss.saturating_sub(options);
        self.full[me] = self.full[me].saturating_add(u32::from(tcp.len == most));
        if tcp.len <= most {
            return;
        }
        let rule = if view.again().is_some() {
            &RETRANSMITTED_TOO_LONG
        } else if syn.options.mss.is_some() {
            &TOO_LONG
        } else {
            &TOO_LONG_UNSAID
        };
        let own = view.me().syn.as_ref().and_then(|syn| syn.options.mss);
        let long = Long {
            rule,
            packets: [view.number(), syn.packet],
            len: tcp.len,
            options,
            mss,
            fits_link: own.is_some_and(|own| tcp.len + options <= u32::from(own)),
        };
        if view.options.offload != Offload::Auto || view.facts.is_super {
            long.report(view.scope(), out);
        } else if self.long[me].len() < LONG {
            self.long[me].push(long);
        }
    }

    fn judge_ack(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        // What this side sends now settles what was said of the other's acknowledgement: it sends on from there, or has
        // not got there. Without data it may stand further back than it had got.
        if let Some((number, packet)) = self.unsent[1 - me]
            && (tcp.seq_len() > 0 || !tcp.seq.before(number))
        {
            self.unsent[1 - me] = None;
            if tcp.seq.before(number) {
                report_unsent(view.flow, 1 - me, number, packet, out);
            }
        }
        if !tcp.flags.ack {
            return;
        }
        if let Some(fin) = view.peer().fin
            && tcp.ack_number.after(fin.seq.plus(1))
        {
            out.add(
                &FIN_ACK,
                view.scope(),
                &[view.number(), fin.packet],
                format_args!("acknowledges {}, the FIN is {}", tcp.ack_number, fin.seq),
            );
        } else if let Some(nxt) = view.peer().nxt
            && tcp.ack_number.after(nxt)
            && !tcp.flags.syn
            && view.peer().is_placed
            && (view.flow.from_start || view.peer().una.is_some())
        {
            self.unsent[me].get_or_insert((tcp.ack_number, view.number()));
        }
        let Some(last) = view.me().acked else { return };
        if tcp.ack_number.before(last.number)
            && !matches!(view.facts.data, Data::Again(_) | Data::Late)
        {
            out.add(
                &ACK_BACK,
                view.scope(),
                &[view.number(), last.packet],
                format_args!("acknowledges {} after {}", tcp.ack_number, last.number),
            );
        }
        judge_edge(view, out);
    }
}

fn report_unsent(flow: &Track, side: usize, number: Seq, packet: u64, out: &mut Out) {
    let nxt = flow.halves[1 - side].nxt.unwrap_or(number);
    out.add(
        &ACK_UNSENT,
        flow.scope(side, true),
        &[packet],
        format_args!(
            "acknowledges {number}, {} bytes more than was sent",
            number.since(nxt)
        ),
    );
}

impl Long {
    fn report(&self, scope: Scope, out: &mut Out) {
        out.add(
            self.rule,
            scope,
            &self.packets,
            format_args!(
                "{} bytes of payload and {} of options, the maximum segment size is {}",
                self.len, self.options, self.mss
            ),
        );
    }
}

fn judge_window(view: &View<'_, '_>, out: &mut Out) {
    let tcp = view.tcp;
    let new = matches!(view.facts.data, Data::New | Data::Gap);
    let Some(edge) = view
        .peer()
        .edge
        .filter(|_| new && tcp.len > 0 && !tcp.flags.syn)
    else {
        return;
    };
    // The FIN may stand beyond the edge in what others count.
    let end = tcp.seq.plus(tcp.len);
    let beyond = end.since(edge);
    if beyond <= 0 {
        return;
    }
    let shut = view.peer().window_is_shut();
    let numbers = &[view.number(), view.peer().acked.map_or(0, |ack| ack.packet)];
    let rule = if shut { &LONG_PROBE } else { &BEYOND_WINDOW };
    if !(shut && beyond == 1) {
        out.add(
            rule,
            view.scope(),
            numbers,
            format_args!("data up to {end}, {beyond} bytes beyond the window's edge at {edge}"),
        );
    }
}

fn judge_edge(view: &View<'_, '_>, out: &mut Out) {
    let (Some(edge), Some(before)) = (view.facts.edge, view.me().edge) else {
        return;
    };
    let rounding = 1i32 << view.flow.scale(view.facts.me).unwrap_or(0);
    let back = before.since(edge);
    if back >= rounding && !view.tcp.flags.syn {
        out.add(
            &SHRUNK,
            view.scope(),
            &[view.number()],
            format_args!("the window's edge moves from {before} to {edge}, {back} bytes back"),
        );
    }
}

fn judge_bytes(view: &View<'_, '_>, out: &mut Out) {
    let tcp = view.tcp;
    if !matches!(view.facts.data, Data::Again(_)) || tcp.flags.syn || view.packet.ip.is_cut() {
        return;
    }
    let end = tcp.seq.plus(tcp.len);
    for sent in view.me().sent.overlapping(tcp.seq, end) {
        let (from, to) = (sent.seq.max(tcp.seq), sent.end.min(end));
        let place = |number: Seq| usize::try_from(number.since(tcp.seq)).unwrap_or(0);
        let Some(old) = sent.data(from, to) else {
            continue;
        };
        let new = tcp.payload.get(place(from)..place(from) + old.len());
        if let Some(new) = new
            && let Some(at) = old.iter().zip(new).position(|(a, b)| a != b)
        {
            out.add(
                &OTHER_BYTES,
                view.scope(),
                &[view.number(), sent.first_packet],
                format_args!(
                    "byte {} was {:#04x} and is now {:#04x}",
                    from.plus(at as u32),
                    old[at],
                    new[at]
                ),
            );
            return;
        }
    }
}

fn judge_fin(view: &View<'_, '_>, out: &mut Out) {
    let tcp = view.tcp;
    let Some(fin) = view.me().fin else { return };
    if tcp.len > 0 && tcp.seq.plus(tcp.len).after(fin.seq) {
        out.add(
            &AFTER_FIN,
            view.scope(),
            &[view.number(), fin.packet],
            format_args!(
                "data up to {} after the FIN at {}",
                tcp.seq.plus(tcp.len),
                fin.seq
            ),
        );
    } else if tcp.flags.fin && tcp.end().minus(1) != fin.seq {
        out.add(
            &FIN_MOVED,
            view.scope(),
            &[view.number(), fin.packet],
            format_args!("a FIN at {} after one at {}", tcp.end().minus(1), fin.seq),
        );
    }
}
