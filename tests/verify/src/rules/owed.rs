//! Segments that have to be answered, and answers that did not come.

use crate::out::{Out, Scope};
use crate::parse::seq::Seq;
use crate::parse::{MS, SEC, ms};
use crate::rule::{Rule, rules};
use crate::track::{Data, Track, View};

/// An answer that takes longer than this does not come.
const PATIENCE: u64 = SEC;
/// What TIME-WAIT is at least in practice.
const TIME_WAIT: u64 = 55 * SEC;
/// What a timestamp says of something older than this is nothing (RFC 7323, 5.5).
const STALE: u64 = 24 * 86_400 * SEC;

rules! {
    NO_CHALLENGE = Error "W-TCPSEQ-14", "5961 section 3.2", "A RST in the window, but not at its beginning, is answered with an acknowledgement" [time near whole];
    UNACCEPTABLE = Error "W-TCPSEQ-17", "9293 section 3.10.7.4", "Old data and what lies beyond the window are answered with an acknowledgement" [time near whole];
    CLOSED = Warning "W-TCPSEQ-18", "9293 section 3.10.7.1", "What reaches a connection that its host has reset is answered with a RST" [time near whole];
    BEHIND = Error "W-TS-07", "7323 section 5.3", "Data with a timestamp behind the last one are not taken, and are answered with an acknowledgement" [time near whole];
    REPEATED_FIN = Warning "W-CLOSE-01", "9293 section 3.10.7.4", "In TIME-WAIT a repeated FIN is acknowledged again" [time near whole];
}

/// What each side is to answer, and what it was not to take. Such answers may be rationed (RFC 5961, 7): of each kind only
/// the first is waited for.
#[derive(Default)]
pub(super) struct State {
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    owed: Option<Owed>,
    asked: Vec<&'static str>,
    /// It has sent a RST that ended the connection.
    has_reset: bool,
    /// Data that are behind the last timestamp, and the packet.
    behind: Option<(Seq, Seq, u64)>,
}

#[derive(Clone, Copy)]
struct Owed {
    rule: &'static Rule,
    since: u64,
    packet: u64,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let me = view.facts.me;
        self.answer(view, out);
        self.judge_taking(view, out);
        self.overdue(1 - me, view.peer_scope(), view.now(), out);
        if let Some(rule) = self.asks(view)
            && !self.sides[1 - me].asked.contains(&rule.id)
        {
            let side = &mut self.sides[1 - me];
            side.asked.push(rule.id);
            side.owed.get_or_insert(Owed {
                rule,
                since: view.now(),
                packet: view.number(),
            });
        }
    }

    pub(super) fn end(&mut self, flow: &Track, now: u64, out: &mut Out) {
        for side in 0..2 {
            self.overdue(side, flow.scope(side, true), now, out);
        }
    }

    /// Takes note of what a side says at last.
    fn answer(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, me) = (view.tcp, view.facts.me);
        self.overdue(me, view.scope(), view.now(), out);
        let side = &mut self.sides[me];
        if let Some(owed) = side.owed.take()
            && owed.rule == &NO_CHALLENGE
            && tcp.flags.rst
        {
            out.add(
                owed.rule,
                view.scope(),
                &[view.number(), owed.packet],
                format_args!("a RST that was not at the window's beginning ended the connection"),
            );
        }
        let numbers = [view.me().nxt, view.me().una];
        side.has_reset =
            tcp.flags.rst && is_established(view.flow) && numbers.contains(&Some(tcp.seq));
    }

    fn overdue(&mut self, side: usize, scope: Scope, now: u64, out: &mut Out) {
        let is_late = |owed: &mut Owed| now.saturating_sub(owed.since) > PATIENCE;
        if let Some(owed) = self.sides[side].owed.take_if(is_late) {
            out.add(
                owed.rule,
                scope,
                &[owed.packet],
                format_args!(
                    "there was no answer for {:.0} ms",
                    ms(now.saturating_sub(owed.since))
                ),
            );
        }
    }

    /// Whether this acknowledges data that only came behind their time.
    fn judge_taking(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let (tcp, side) = (view.tcp, &mut self.sides[view.facts.me]);
        if let Some((seq, end, packet)) = side.behind
            && tcp.flags.ack
            && tcp.ack_number.after(seq)
        {
            side.behind = None;
            let is_known = view.peer().arrived.covers_to(tcp.ack_number);
            if !is_known && !tcp.ack_number.after(end) {
                out.add(
                    &BEHIND,
                    view.scope(),
                    &[view.number(), packet],
                    format_args!("acknowledges {} of {seq} to {end}", tcp.ack_number),
                );
            }
        }
    }

    /// The rule by which the other side has to answer this.
    fn asks(&mut self, view: &View<'_, '_>) -> Option<&'static Rule> {
        let (tcp, peer, flow) = (view.tcp, view.peer(), view.flow);
        let has_reset = self.sides[1 - view.facts.me].has_reset;
        if tcp.flags.syn || !is_established(flow) {
            return None;
        }
        if tcp.flags.rst {
            return (!flow.is_over() && is_challenged(view)).then_some(&NO_CHALLENGE);
        }
        if has_reset {
            return tcp.flags.ack.then_some(&CLOSED);
        }
        if flow.is_reset() {
            return None;
        }
        let taken = peer.acked.map(|ack| ack.number)?;
        if tcp.flags.fin && peer.fin.is_some() && view.me().fin.is_some() {
            return is_in_time_wait(view).then_some(&REPEATED_FIN);
        }
        let asks = matches!(view.facts.data, Data::KeepAlive | Data::Probe);
        if tcp.len == 0 || asks || flow.is_over() || !tcp.flags.ack {
            return None;
        }
        let stamps = tcp.options.timestamps.zip(peer.echo);
        let idle = peer
            .last
            .map_or(0, |last| view.now().saturating_sub(last.time));
        if stamps.is_some_and(|(own, echo)| Seq(own.value).before(Seq(echo))) && idle < STALE {
            if view.me().arrived.to() == Some(tcp.seq) {
                let end = tcp.end();
                self.sides[1 - view.facts.me].behind = Some((tcp.seq, end, view.number()));
            }
            return Some(&BEHIND);
        }
        let is_beyond = peer.last_edge.is_some_and(|edge| tcp.seq.after(edge));
        (!tcp.end().after(taken) || is_beyond).then_some(&UNACCEPTABLE)
    }
}

/// Each side has acknowledged the other's SYN.
pub(super) fn is_established(flow: &Track) -> bool {
    flow.halves.iter().all(|half| {
        let syn = half.syn.as_ref().map(|syn| syn.seq);
        half.una.zip(syn).is_some_and(|(una, syn)| una.after(syn))
    })
}

/// A RST within the window, at no number that its receiver may take for the next.
fn is_challenged(view: &View<'_, '_>) -> bool {
    let (tcp, mine, peer) = (view.tcp, view.me(), view.peer());
    let (Some(acked), Some(edge)) = (peer.acked, peer.last_edge) else {
        return false;
    };
    tcp.seq.after(acked.number)
        && tcp.seq.before(edge)
        && mine.arrived.to() == Some(acked.number)
        && mine.arrived.end() != Some(tcp.seq)
}

/// Whether the other side has closed first and has acknowledged the FIN that this segment repeats.
fn is_in_time_wait(view: &View<'_, '_>) -> bool {
    let (mine, peer) = (view.me(), view.peer());
    let (Some(own), Some(other)) = (mine.fin, peer.fin) else {
        return false;
    };
    let is_acked = mine.una.is_some_and(|una| una.after(own.seq));
    let since = mine
        .una_moved
        .map_or(0, |mark| view.now().saturating_sub(mark.time));
    other.packet < own.packet && is_acked && (MS..TIME_WAIT).contains(&since)
}
