//! One side of a connection: what it sent, what it acknowledged, what it was told.

use crate::parse::Packet;
use crate::parse::seq::Seq;
use crate::parse::tcp::{Flags, Options, Segment};

use super::copies::Recent;
use super::ranges::Ranges;
use super::sent::{Budget, Sending, SentList};
use super::view::{Data, Facts};

/// A packet as others refer to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) packet: u64,
    pub(crate) time: u64,
    pub(crate) seq: Seq,
}

/// A SYN, with or without an acknowledgement.
pub(crate) struct Syn {
    pub(crate) seq: Seq,
    pub(crate) packet: u64,
    pub(crate) flags: Flags,
    pub(crate) options: Options,
    pub(crate) len: u32,
    pub(crate) last_time: u64,
    pub(crate) times: u32,
}

impl Syn {
    /// Whether this SYN asks for ECN (RFC 3168, 6.1.1) and `other` agrees.
    pub(crate) fn asks_ecn(&self, other: &Syn) -> bool {
        !self.flags.ack
            && self.flags.ece
            && self.flags.cwr
            && !self.flags.ae
            && other.flags.ece
            && !other.flags.cwr
            && !other.flags.ae
    }
}

/// What an acknowledgement said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    pub(crate) number: Seq,
    pub(crate) window: u16,
    pub(crate) packet: u64,
}

/// One side.
#[derive(Default)]
pub(crate) struct Half {
    pub(crate) packets: u64,
    /// Of payload.
    pub(crate) bytes: u64,
    pub(crate) syn: Option<Syn>,
    /// After the last number it has used.
    pub(crate) nxt: Option<Seq>,
    /// The highest acknowledgement of its data.
    pub(crate) una: Option<Seq>,
    /// The highest acknowledgement of its data in segments that it had to take: others it drops, number and all.
    pub(crate) una_heard: Option<Seq>,
    pub(crate) fin: Option<Mark>,
    pub(crate) rst: Option<Mark>,
    pub(crate) sent: SentList,
    /// What the capture has seen of its data, and the other side had to take.
    pub(crate) arrived: Ranges,
    /// What the capture has seen of its data, whatever became of it, as far as the window let it through.
    pub(crate) seen: Ranges,
    /// What the other side said it has, above `una`, in segments that this side had to take.
    pub(crate) sacked: Ranges,
    /// Duplicate acknowledgements received since `una` moved.
    pub(crate) dups: u32,
    /// Recovery from a loss goes on until this is acknowledged.
    pub(crate) recover: Option<Seq>,
    pub(crate) acked: Option<Ack>,
    /// The furthest right edge of the window it has offered, and the last one.
    pub(crate) edge: Option<Seq>,
    pub(crate) last_edge: Option<Seq>,
    /// The largest window it has offered.
    pub(crate) window: u32,
    /// The last packet, the last one with new data, the last advance of `una`.
    pub(crate) last: Option<Mark>,
    pub(crate) last_new: Option<Mark>,
    pub(crate) una_moved: Option<Mark>,
    /// The round-trip time from the capture to the other side and back, smoothed; and the shortest.
    pub(crate) rtt: Option<u64>,
    pub(crate) rtt_min: Option<u64>,
    /// The timestamp of its last segment that was neither repeated nor late.
    pub(crate) tsval: Option<u32>,
    /// The last timestamp that it echoed: what is older it drops (RFC 7323, 5.3).
    pub(crate) echo: Option<u32>,
    /// The shortest time in which it has answered what the capture saw pass.
    pub(crate) quickest_answer: Option<u64>,
    /// Between this side and the capture packets are lost or change places.
    pub(crate) disturbed: bool,
    /// The largest payload it has sent.
    pub(crate) largest: u32,
    /// Segments that acknowledge, and nothing else.
    pub(crate) pure_acks: u64,
    /// It has shown how far it has got: by a SYN, or a segment without data. Until then all of it may be a repetition of
    /// what came before the capture.
    pub(crate) is_placed: bool,
    /// Its last packets.
    pub(crate) recent: Recent,
}

impl Half {
    /// Bytes and flags sent and not acknowledged.
    pub(crate) fn flight(&self) -> u32 {
        match (self.nxt, self.una) {
            (Some(nxt), Some(una)) => u32::try_from(nxt.since(una)).unwrap_or(0),
            _ => 0,
        }
    }

    pub(crate) fn is_recovering(&self) -> bool {
        match (self.recover, self.una) {
            (Some(recover), Some(una)) => una.before(recover),
            _ => false,
        }
    }

    /// The window that its last acknowledgement offered is closed.
    pub(crate) fn window_is_shut(&self) -> bool {
        self.acked.is_some_and(|ack| ack.window == 0)
    }

    /// Bytes that must still be under way: those above everything that is reported to have arrived. What is missing
    /// below may be lost.
    pub(crate) fn surely_under_way(&self) -> u32 {
        let from = self
            .sacked
            .end()
            .into_iter()
            .chain(self.una)
            .reduce(Seq::max);
        match (self.nxt, from) {
            (Some(nxt), Some(from)) => u32::try_from(nxt.since(from)).unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether all of this side's `tcp` lies before what the other had in order already.
    pub(crate) fn has_arrived(&self, tcp: &Segment<'_>) -> bool {
        let taken = self.arrived.to();
        taken.is_some_and(|to| tcp.seq.before(to) && !tcp.end().after(to))
    }

    /// Whether this side drops `tcp` of the other, which never offered a larger window than `window`: it is behind what
    /// was echoed (RFC 7323, 5.3), acknowledges what is too old (RFC 5961, 5.2), or is beyond the window that this side
    /// offers (RFC 9293, 3.10.7.4).
    pub(super) fn drops(&self, tcp: &Segment<'_>, window: u32) -> bool {
        let is_behind = match (tcp.options.timestamps, self.echo) {
            (Some(stamps), Some(echo)) => Seq(stamps.value).before(Seq(echo)),
            _ => false,
        };
        let is_old = self.una.is_some_and(|una| {
            window > 0 && tcp.flags.ack && tcp.ack_number.before(una.minus(window))
        });
        let is_beyond = tcp.seq_len() > 0
            && !tcp.flags.syn
            && self.edge.is_some_and(|edge| tcp.seq.after(edge));
        is_behind || is_old || is_beyond
    }

    /// Whether the other's `tcp` acknowledges what was not seen of this side, or no window let through.
    pub(super) fn shows_unseen(&self, tcp: &Segment<'_>) -> bool {
        tcp.flags.ack
            && self.nxt.is_some_and(|nxt| !tcp.ack_number.after(nxt))
            && !self.seen.covers_to(tcp.ack_number)
    }

    /// Notes what this side had to take of the other's `tcp`.
    pub(super) fn hears(&mut self, tcp: &Segment<'_>) {
        let number = tcp.ack_number;
        self.una_heard = Some(self.una_heard.map_or(number, |old| old.max(number)));
        for &(left, right) in tcp.options.sack() {
            if self.nxt.is_some_and(|nxt| !right.after(nxt)) && !left.before(number) {
                self.sacked.add(left, right);
            }
        }
    }

    pub(super) fn answered_within(&mut self, time: u64) {
        self.quickest_answer = Some(self.quickest_answer.map_or(time, |old| old.min(time)));
    }

    /// A duplicate acknowledgement or SACK shows a hole where the capture saw bytes pass a while ago.
    pub(super) fn shows_loss_after_capture(&self, tcp: &Segment<'_>, now: u64) -> bool {
        let hole_end = tcp.options.sack().iter().map(|block| block.0);
        let Some(hole_end) = hole_end.reduce(Seq::min) else {
            return self.dups >= 3 && self.arrived.to().is_some_and(|to| to.after(tcp.ack_number));
        };
        hole_end.after(tcp.ack_number)
            && self.arrived.covers(tcp.ack_number, hole_end)
            && self
                .sent
                .overlapping(tcp.ack_number, hole_end)
                .all(|sent| now.saturating_sub(sent.last) > super::BESIDE)
    }

    /// Notes an acknowledgement of this side's data; gives the time it took, where that can be told.
    pub(super) fn acknowledged(
        &mut self,
        packet: &Packet<'_>,
        tcp: &Segment<'_>,
        budget: &mut Budget,
    ) -> Option<u64> {
        let number = tcp.ack_number;
        if self.una == Some(number) && self.flight() > 0 && tcp.is_pure_ack() {
            self.dups += 1;
        }
        // What began before the capture may have got further than its first segments show.
        let is_beyond = !self.is_placed && self.nxt.is_some_and(|nxt| number.after(nxt));
        if self.syn.is_none() && (self.una.is_none() || is_beyond) {
            self.nxt = self.nxt.map(|nxt| nxt.max(number));
            self.arrived.advance(number);
            self.seen.advance(number);
        }
        let moved = self.una.is_none_or(|una| number.after(una))
            && self.nxt.is_none_or(|nxt| !number.after(nxt));
        if !moved {
            return None;
        }
        let syn_alone = self
            .syn
            .as_ref()
            .filter(|syn| syn.times == 1 && self.una == Some(syn.seq) && number == syn.seq.plus(1))
            .map(|syn| packet.now.saturating_sub(syn.last_time));
        self.una = Some(number);
        self.una_moved = Some(Mark {
            packet: packet.number,
            time: packet.now,
            seq: number,
        });
        self.dups = 0;
        self.sacked.begin(number);
        self.sacked.advance(number);
        if syn_alone.is_some() {
            return syn_alone;
        }
        let (sent_at, once) = self.sent.acknowledge(number, budget)?;
        if !once || self.is_recovering() {
            return None;
        }
        let time = packet.now.saturating_sub(sent_at);
        self.rtt = Some(self.rtt.map_or(time, |old| old - old / 8 + time / 8));
        self.rtt_min = Some(self.rtt_min.map_or(time, |old| old.min(time)));
        Some(time)
    }

    /// Notes what this side acknowledges.
    fn send_ack(&mut self, packet: &Packet<'_>, tcp: &Segment<'_>) {
        let echo = tcp.options.timestamps.map(|stamps| stamps.echo);
        self.echo = echo.or(self.echo);
        self.acked = Some(Ack {
            number: tcp.ack_number,
            window: tcp.window,
            packet: packet.number,
        });
    }

    /// Notes what this side sends; `is_dropped` if the other must drop it, whose window reaches to `edge`.
    pub(super) fn send(
        &mut self,
        packet: &Packet<'_>,
        tcp: &Segment<'_>,
        facts: &Facts,
        is_dropped: bool,
        edge: Option<Seq>,
        budget: &mut Budget,
    ) {
        let mark = Mark {
            packet: packet.number,
            time: packet.now,
            seq: tcp.seq,
        };
        self.packets += 1;
        self.pure_acks += u64::from(tcp.is_pure_ack());
        self.last = Some(mark);
        if tcp.flags.rst {
            self.rst.get_or_insert(mark);
            return;
        }
        if tcp.flags.syn {
            self.send_syn(packet, tcp, facts);
            if facts.is_stray_syn {
                return;
            }
        }
        if tcp.flags.ack {
            self.send_ack(packet, tcp);
        }
        let from = tcp.seq.plus(u32::from(tcp.flags.syn));
        match facts.data {
            Data::KeepAlive | Data::Probe => {
                self.is_placed = true;
                return;
            }
            Data::None => {
                self.is_placed = true;
                // It may be a keep-alive, below what was acknowledged before.
                let una = self.una.unwrap_or(from);
                let nxt = *self.nxt.get_or_insert(from.max(una));
                self.arrived.begin(nxt);
                self.seen.begin(nxt);
                return;
            }
            Data::New | Data::Gap => self.last_new = Some(mark),
            Data::Again(_) => {
                let nxt = self.nxt.unwrap_or(from);
                self.recover = Some(self.recover.map_or(nxt, |old| old.max(nxt)));
            }
            Data::Late => {}
        }
        self.arrived.begin(from);
        self.seen.begin(from);
        self.bytes += u64::from(tcp.len);
        self.largest = self.largest.max(tcp.len);
        let end = tcp.end();
        if tcp.flags.fin {
            self.fin.get_or_insert(Mark {
                seq: end.minus(1),
                ..mark
            });
        }
        if !is_dropped {
            self.arrived.add(from, end);
        }
        // A FIN may stand beyond.
        let is_within = |edge: &Seq| !from.plus(tcp.len).after(*edge);
        let seen_to = edge.filter(|edge| !is_within(edge)).unwrap_or(end);
        if seen_to.after(from) {
            self.seen.add(from, seen_to);
        }
        self.nxt = Some(self.nxt.map_or(end, |nxt| nxt.max(end)));
        if self.una.is_some_and(|una| !end.after(una)) {
            return;
        }
        let sending = Sending {
            seq: from,
            end,
            now: packet.now,
            packet: packet.number,
            tsval: tcp.options.timestamps.map(|stamps| stamps.value),
            ip_id: (packet.ip.is_v4() && !packet.ip.dont_fragment).then_some(packet.ip.id as u16),
            payload: if packet.ip.is_cut() { &[] } else { tcp.payload },
        };
        self.sent.send(sending, budget);
    }

    fn send_syn(&mut self, packet: &Packet<'_>, tcp: &Segment<'_>, facts: &Facts) {
        if facts.is_stray_syn {
            return;
        }
        if let Some(syn) = &mut self.syn
            && syn.seq == tcp.seq
        {
            syn.times += 1;
            syn.last_time = packet.now;
            // What was granted may be fewer options than were asked for first (RFC 9293 leaves that open).
            syn.options = tcp.options.clone();
            // The other side may answer either; a repetition may have given up on ECN.
            syn.flags.ece |= tcp.flags.ece;
            syn.flags.cwr |= tcp.flags.cwr;
            return;
        }
        self.syn = Some(Syn {
            seq: tcp.seq,
            packet: packet.number,
            flags: tcp.flags,
            options: tcp.options.clone(),
            len: tcp.len,
            last_time: packet.now,
            times: 1,
        });
        self.nxt = Some(tcp.seq.plus(1));
        self.una = Some(tcp.seq);
        self.is_placed = true;
    }

    /// Notes that this side has sent up to `number`, and the other has it, though the capture has not.
    pub(super) fn has_sent(&mut self, number: Seq, budget: &mut Budget) {
        self.nxt = Some(number);
        self.una = Some(number);
        self.arrived.advance(number);
        self.seen.advance(number);
        self.sacked.advance(number);
        self.sent.acknowledge(number, budget);
    }

    pub(super) fn edge_sent(&mut self, tcp: &Segment<'_>, edge: Option<Seq>) {
        if !tcp.flags.ack || tcp.flags.rst {
            return;
        }
        let Some(edge) = edge else {
            // What a SYN said without a scale is out of date.
            (self.edge, self.last_edge, self.window) = (None, None, 0);
            return;
        };
        self.edge = Some(self.edge.map_or(edge, |old| old.max(edge)));
        self.last_edge = Some(edge);
        let window = u32::try_from(edge.since(tcp.ack_number)).unwrap_or(0);
        self.window = self.window.max(window);
    }
}
