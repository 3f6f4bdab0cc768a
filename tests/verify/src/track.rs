//! Follows TCP connections: what each side has sent, was told and has said. Rules read this; they do not write it.

mod copies;
mod half;
mod ranges;
mod sent;
mod view;

use std::net::SocketAddr;

use crate::out::{Accused, Scope};
use crate::parse::Packet;
use crate::parse::seq::Seq;
use crate::parse::tcp::Segment;
use crate::rule::Needs;
use crate::{Options, Vantage};

pub(crate) use half::{Half, Syn};
pub(crate) use sent::Budget;
pub(crate) use view::{Data, Facts, Retransmission, View};

/// One host whose shortest answer takes no longer than this is beside the capture.
pub(crate) const BESIDE: u64 = 2 * crate::parse::MS;

/// One connection. Side 0 is the one whose packet was seen first.
pub(crate) struct Track {
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) halves: [Half; 2],
    /// The number of its first packet.
    pub(crate) first: u64,
    pub(crate) last_time: u64,
    /// Its first packet was a SYN: nothing came before.
    pub(crate) from_start: bool,
    /// What the connection before it on these ports left behind.
    pub(crate) previous: Option<Previous>,
    /// Bytes were acknowledged that the capture has not, or has as what their receiver should have dropped: what it has
    /// now is not known.
    pub(crate) gaps: bool,
    /// The capture lost packets, or was filtered: bytes were acknowledged that it has not even so, or that no window in it
    /// let through.
    pub(crate) lacks: bool,
    /// The capture is said to have every packet.
    complete: bool,
    vantage: Vantage,
    /// Which sides the capture is said to have been taken beside, if that was said.
    beside: Option<[bool; 2]>,
    pub(crate) super_packets: bool,
}

/// The end of an earlier connection on the same ports.
#[derive(Clone, Copy)]
pub(crate) struct Previous {
    pub(crate) ends: [SocketAddr; 2],
    /// After the last byte that each side had sent.
    pub(crate) nxt: [Option<Seq>; 2],
    /// The last timestamp of each side.
    pub(crate) tsval: [Option<u32>; 2],
    pub(crate) closed_at: u64,
    /// Both sides had closed in order, so that one is in TIME-WAIT.
    pub(crate) orderly: bool,
}

impl Previous {
    /// With its sides in the order of the connection that follows.
    pub(crate) fn seen_from(mut self, same_order: bool) -> Previous {
        if !same_order {
            self.ends.reverse();
            self.nxt.reverse();
            self.tsval.reverse();
        }
        self
    }
}

/// What both SYNs together settle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    pub(crate) scaling: bool,
    pub(crate) sack: bool,
    pub(crate) timestamps: bool,
    pub(crate) ecn: bool,
}

impl Track {
    pub(crate) fn new(ends: [SocketAddr; 2], packet: &Packet<'_>, options: &Options) -> Track {
        Track {
            ends,
            halves: [Half::default(), Half::default()],
            first: packet.number,
            last_time: packet.now,
            from_start: false,
            previous: None,
            gaps: false,
            lacks: false,
            complete: options.complete && ends.iter().any(|end| options.beside.contains(&end.ip())),
            vantage: options.vantage,
            beside: (!options.beside.is_empty())
                .then(|| ends.map(|end| options.beside.contains(&end.ip()))),
            super_packets: options.offload == crate::Offload::Before,
        }
    }

    /// What the handshake settled; `None` unless both SYNs were seen.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        let [Some(a), Some(b)] = [&self.halves[0].syn, &self.halves[1].syn] else {
            return None;
        };
        let both = |test: fn(&Syn) -> bool| test(a) && test(b);
        Some(Agreed {
            scaling: both(|syn| syn.options.window_scale.is_some()),
            sack: both(|syn| syn.options.sack_permitted),
            timestamps: both(|syn| syn.options.timestamps.is_some()),
            ecn: a.asks_ecn(b) || b.asks_ecn(a),
        })
    }

    /// By how much the windows of `side` are shifted; `None` when the handshake was not seen.
    pub(crate) fn scale(&self, side: usize) -> Option<u32> {
        let agreed = self.agreed()?;
        let own = self.halves[side].syn.as_ref()?.options.window_scale;
        Some(if agreed.scaling {
            own.map_or(0, |scale| u32::from(scale.min(14)))
        } else {
            0
        })
    }

    /// The most payload that `side` may put into a segment, header options not subtracted.
    pub(crate) fn mss_towards(&self, side: usize) -> Option<u32> {
        let syn = self.halves[1 - side].syn.as_ref()?;
        Some(match syn.options.mss {
            Some(mss) => mss.into(),
            None if self.ends[0].is_ipv4() => 536,
            None => 1220,
        })
    }

    /// Whether the capture was taken beside `side`.
    pub(crate) fn near(&self, side: usize) -> bool {
        if let Some(beside) = self.beside {
            return beside[side];
        }
        let (own, other) = (&self.halves[side], &self.halves[1 - side]);
        match self.vantage {
            Vantage::Middle => false,
            Vantage::Sender => own.bytes >= other.bytes,
            Vantage::Receiver => own.bytes <= other.bytes,
            Vantage::Auto => {
                !own.disturbed && own.quickest_answer.is_some_and(|time| time <= BESIDE)
            }
        }
    }

    /// Whether the other side drops `tcp`, which `side` sends and the network has held back for long.
    pub(crate) fn drops(&self, side: usize, tcp: &Segment<'_>) -> bool {
        self.halves[1 - side].drops(tcp, self.halves[side].window)
    }

    /// What can be said about the conduct of `side`.
    pub(crate) fn scope(&self, side: usize, timed: bool) -> Scope {
        Scope {
            has: Needs {
                time: timed,
                near: self.near(side),
                wire: !self.super_packets,
                whole: !self.gaps,
            },
            flow: Some((self.ends[0], self.ends[1])),
            track: Some(self.first),
            accused: Accused::Host(self.ends[side].ip()),
        }
    }

    /// Whether `tcp`, of `side`, acknowledges what was not seen to reach it.
    pub(crate) fn acks_unseen(&self, side: usize, tcp: &Segment<'_>) -> bool {
        let theirs = &self.halves[1 - side];
        tcp.flags.ack
            && theirs.nxt.is_some_and(|nxt| !tcp.ack_number.after(nxt))
            && !theirs.arrived.covers_to(tcp.ack_number)
    }

    /// Whether `tcp`, of `side`, stands behind what was not seen of that side, and the other has acknowledged all the
    /// same.
    fn has_sent_unseen(&self, side: usize, tcp: &Segment<'_>) -> bool {
        let acked = self.halves[1 - side].acked;
        !self.complete
            && !tcp.flags.rst
            && self.halves[side].nxt.is_some_and(|nxt| tcp.seq.after(nxt))
            && acked.is_some_and(|ack| !tcp.seq.after(ack.number))
    }

    /// Whether the capture has all that reached `side`, and all that it sent.
    pub(crate) fn is_complete(&self, side: usize) -> bool {
        self.complete && self.near(side)
    }

    /// What the capture turned out to be at the end of the connection. If nobody has acknowledged anything without
    /// sending, it has segments with data only.
    pub(crate) fn turned_out(&self) -> Needs {
        let is_filtered = !self.complete
            && !self.from_start
            && self.halves.iter().all(|half| half.pure_acks == 0);
        Needs {
            whole: !self.lacks && !is_filtered,
            ..self.scope(0, true).has
        }
    }

    /// Whether `tcp`, of side `side`, is a packet that the capture had already.
    pub(crate) fn is_copy(&mut self, side: usize, packet: &Packet<'_>, tcp: &Segment<'_>) -> bool {
        let is_copy = self.halves[side].recent.has(packet, tcp);
        is_copy && !self.complete
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.halves.iter().any(|half| half.rst.is_some())
    }

    /// Both sides have closed, or one has reset.
    pub(crate) fn is_over(&self) -> bool {
        self.is_reset() || self.halves.iter().all(|half| half.fin.is_some())
    }

    /// What a later connection on the same ports has to know.
    pub(crate) fn remains(&self) -> Previous {
        Previous {
            ends: self.ends,
            nxt: [self.halves[0].nxt, self.halves[1].nxt],
            tsval: [self.halves[0].tsval, self.halves[1].tsval],
            closed_at: self.last_time,
            orderly: !self.is_reset() && self.halves.iter().all(|half| half.fin.is_some()),
        }
    }

    /// Takes note of a segment after the rules have seen it.
    pub(crate) fn update(
        &mut self,
        packet: &Packet<'_>,
        tcp: &Segment<'_>,
        facts: &Facts,
        budget: &mut Budget,
    ) {
        let me = facts.me;
        self.last_time = self.last_time.max(packet.now);
        self.from_start |= self.halves.iter().all(|half| half.packets == 0) && tcp.flags.syn;
        self.super_packets |= facts.is_super;
        // What a host beside the capture sends is seen whole and in order.
        let went_back = self.halves[me]
            .acked
            .is_some_and(|ack| tcp.flags.ack && tcp.ack_number.before(ack.number));
        self.halves[me].disturbed |= went_back || matches!(facts.data, Data::Gap | Data::Late);
        if self.has_sent_unseen(me, tcp) {
            (self.gaps, self.lacks) = (true, true);
            self.halves[me].has_sent(tcp.seq, budget);
        }
        if tcp.flags.ack {
            self.acknowledge(packet, tcp, me, budget);
        }
        let is_dropped = self.drops(me, tcp);
        let edge = self.halves[1 - me].edge;
        let mine = &mut self.halves[me];
        mine.send(packet, tcp, facts, is_dropped, edge, budget);
        if let Some(data) = tcp.options.timestamps
            && !matches!(facts.data, Data::Again(_) | Data::Late)
        {
            mine.tsval = Some(data.value);
        }
        self.halves[me].edge_sent(tcp, facts.edge);
    }

    /// What an acknowledgement says about the other side's data.
    fn acknowledge(
        &mut self,
        packet: &Packet<'_>,
        tcp: &Segment<'_>,
        me: usize,
        budget: &mut Budget,
    ) {
        let is_unseen = self.acks_unseen(me, tcp);
        let (mine, theirs) = two(&mut self.halves, me);
        if is_unseen {
            self.gaps |= !self.complete;
            theirs.arrived.advance(tcp.ack_number);
        }
        if theirs.shows_unseen(tcp) {
            (self.gaps, self.lacks) = (!self.complete, !self.complete);
            theirs.seen.advance(tcp.ack_number);
        }
        let heard = !mine.has_arrived(tcp) && !theirs.drops(tcp, mine.window);
        if heard {
            theirs.hears(tcp);
        }
        mine.disturbed |= theirs.shows_loss_after_capture(tcp, packet.now);
        if let Some(time) = theirs.acknowledged(packet, tcp, budget) {
            mine.answered_within(time);
        }
    }
}

fn two(halves: &mut [Half; 2], me: usize) -> (&mut Half, &mut Half) {
    let [a, b] = halves;
    if me == 0 { (a, b) } else { (b, a) }
}
