//! A segment in the light of what came before it: what the rules are shown.

use crate::parse::Packet;
use crate::parse::ip::Sum;
use crate::parse::seq::Seq;
use crate::parse::tcp::Segment;
use crate::{Offload, Options};

use super::half::Half;
use super::{Agreed, Track};
use crate::out::Scope;

/// What a segment's place in the sequence makes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    /// Takes no sequence numbers.
    None,
    /// Begins where its side had got to, or is the first.
    New,
    /// Begins further on: something before it was not seen.
    Gap,
    /// Fills what was not seen before: it, or what it repeats, was late or lost before the capture.
    Late,
    /// Repeats what was seen.
    Again(Retransmission),
    /// Asks for an answer when nothing is outstanding.
    KeepAlive,
    /// Asks for an answer when the window is shut.
    Probe,
}

/// What is known about bytes that are sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retransmission {
    /// Since the last sending of the first of its bytes.
    pub(crate) since: u64,
    /// The gap before that sending.
    pub(crate) gap: u64,
    /// How often that byte was sent before.
    pub(crate) times: u32,
    pub(crate) last_packet: u64,
    pub(crate) last_time: u64,
    /// It begins at the first unacknowledged byte.
    pub(crate) at_una: bool,
    /// It reaches to the last byte that was sent.
    pub(crate) reaches_end: bool,
    /// All of it had been acknowledged.
    pub(crate) acked: bool,
    /// By segments that its sender had to take.
    pub(crate) heard: bool,
    /// All of it had been reported in SACK blocks.
    pub(crate) sacked: bool,
}

/// What follows from a segment and the track before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Which side sent it.
    pub(crate) me: usize,
    pub(crate) data: Data,
    /// Bytes and flags of the other side that it is the first to acknowledge.
    pub(crate) newly: u32,
    /// The right edge of the window it offers.
    pub(crate) edge: Option<Seq>,
    pub(crate) is_super: bool,
    /// A SYN that does not belong to the handshake seen.
    pub(crate) is_stray_syn: bool,
}

/// What rules are shown.
pub(crate) struct View<'a, 'p> {
    pub(crate) packet: &'a Packet<'p>,
    pub(crate) tcp: &'a Segment<'p>,
    pub(crate) flow: &'a Track,
    pub(crate) facts: Facts,
    pub(crate) agreed: Option<Agreed>,
    pub(crate) options: &'a Options,
}

impl View<'_, '_> {
    pub(crate) fn me(&self) -> &Half {
        &self.flow.halves[self.facts.me]
    }

    pub(crate) fn peer(&self) -> &Half {
        &self.flow.halves[1 - self.facts.me]
    }

    pub(crate) fn now(&self) -> u64 {
        self.packet.now
    }

    pub(crate) fn number(&self) -> u64 {
        self.packet.number
    }

    /// For findings about who sent this segment.
    pub(crate) fn scope(&self) -> Scope {
        let mut scope = self.flow.scope(self.facts.me, self.packet.timed);
        scope.has.wire &= !self.facts.is_super;
        scope
    }

    /// For findings about who did not answer, or answered wrongly before.
    pub(crate) fn peer_scope(&self) -> Scope {
        self.flow.scope(1 - self.facts.me, self.packet.timed)
    }

    pub(crate) fn again(&self) -> Option<Retransmission> {
        match self.facts.data {
            Data::Again(again) => Some(again),
            _ => None,
        }
    }

    /// New bytes, in their place or beyond a gap.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.facts.data, Data::New | Data::Gap)
    }
}

impl Facts {
    pub(crate) fn of(
        track: &Track,
        me: usize,
        packet: &Packet<'_>,
        tcp: &Segment<'_>,
        sum: Sum,
        options: &Options,
    ) -> Facts {
        let (mine, theirs) = (&track.halves[me], &track.halves[1 - me]);
        // What came before an answer to a SYN was no part of the connection.
        let answers = tcp.flags.ack
            && mine.syn.is_none()
            && theirs.syn.as_ref().is_some_and(|syn| {
                tcp.ack_number == syn.seq.plus(1) && theirs.una == Some(syn.seq)
            });
        let is_stray_syn = tcp.flags.syn
            && !answers
            && mine
                .syn
                .as_ref()
                .map_or(mine.packets > 0, |syn| syn.seq != tcp.seq);
        let newly = match (theirs.una, theirs.nxt) {
            (Some(una), Some(nxt)) if tcp.flags.ack && !tcp.ack_number.after(nxt) => {
                u32::try_from(tcp.ack_number.since(una)).unwrap_or(0)
            }
            _ => 0,
        };
        let scale = if tcp.flags.syn {
            Some(0)
        } else {
            track.scale(me)
        };
        Facts {
            me,
            data: classify(mine, theirs, packet, tcp),
            newly,
            edge: scale.map(|scale| tcp.ack_number.plus(u32::from(tcp.window) << scale)),
            is_super: is_super(track, me, packet, tcp, sum, options),
            is_stray_syn,
        }
    }
}

fn classify(mine: &Half, theirs: &Half, packet: &Packet<'_>, tcp: &Segment<'_>) -> Data {
    if tcp.flags.rst {
        return Data::None;
    }
    let Some(nxt) = mine.nxt else {
        return if tcp.seq_len() > 0 {
            Data::New
        } else {
            Data::None
        };
    };
    if let Some(probe) = probing(mine, theirs, nxt, tcp) {
        return probe;
    }
    let from = tcp.seq.plus(u32::from(tcp.flags.syn));
    let end = tcp.end();
    if !end.after(from) {
        return Data::None;
    }
    if from == nxt {
        return Data::New;
    }
    if from.after(nxt) {
        return Data::Gap;
    }
    let old_end = end.min(nxt);
    if !mine.arrived.covers(from, old_end) {
        return Data::Late;
    }
    let una = mine.una.unwrap_or(from);
    let before = mine.sent.overlapping(from, end).next();
    Data::Again(Retransmission {
        since: before.map_or(0, |sent| packet.now.saturating_sub(sent.last)),
        gap: before.map_or(0, |sent| sent.gap),
        times: before.map_or(1, |sent| sent.times),
        last_packet: before.map_or(packet.number, |sent| sent.last_packet),
        last_time: before.map_or(packet.now, |sent| sent.last),
        at_una: !from.after(una),
        reaches_end: !end.before(nxt),
        acked: !end.after(una),
        heard: mine.una_heard.is_some_and(|heard| !end.after(heard)),
        sacked: end.after(una) && mine.sacked.covers(from.max(una), end),
    })
}

/// Keep-alives and window probes: at most one byte, just below what was sent or acknowledged.
fn probing(mine: &Half, theirs: &Half, nxt: Seq, tcp: &Segment<'_>) -> Option<Data> {
    let flags = tcp.flags;
    if flags.syn || flags.fin || !flags.ack || tcp.len > 1 {
        return None;
    }
    let una = mine.una.unwrap_or(nxt);
    let below_una = tcp.seq == una.minus(1);
    if theirs.window_is_shut() && (below_una || tcp.len == 1 && tcp.seq == una) {
        return Some(Data::Probe);
    }
    // Below the first byte stands the SYN's number, which the end of the handshake must not have.
    let is_past_handshake =
        mine.acked.is_some() || mine.syn.as_ref().is_none_or(|syn| syn.seq != tcp.seq);
    (below_una && una == nxt && is_past_handshake).then_some(Data::KeepAlive)
}

/// Whether a segment is one before segmentation or after joining, or one whose checksum is not yet made.
fn is_super(
    track: &Track,
    me: usize,
    packet: &Packet<'_>,
    tcp: &Segment<'_>,
    sum: Sum,
    options: &Options,
) -> bool {
    match options.offload {
        Offload::Before => true,
        Offload::After => false,
        Offload::Auto => {
            // Two joined segments have as many options as one, and room for them twice.
            let options =
                u32::try_from(tcp.header_len).map_or(0, |length| length.saturating_sub(20));
            let most = |mss: u32| mss.saturating_sub(options).max(mss / 2);
            let long = packet.ip.is_unsaid
                || packet.ip.total_len > usize::from(u16::MAX)
                || track
                    .mss_towards(me)
                    .is_some_and(|mss| mss > 0 && tcp.len >= 2 * most(mss));
            long || sum == Sum::Partial
        }
    }
}
