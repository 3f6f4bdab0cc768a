//! Messages of a stream of which is to be told when they left and arrived, of connections whose application asked for that.

use super::connection::Connection;
use super::segment::{Flags, Segment};
use super::seq::Seq;
use crate::Instant;
use crate::counters::TcpCounters;
use crate::news::News;
use crate::socket::{Stamp, StampRequest, StampStage, Stamps};
use crate::stamps::{MOST, MOST_BYTES, StampQueue};
use std::collections::VecDeque;
use txbuf::{Held, Span};

/// Messages that are waited for, and what is to be told.
#[derive(Debug, Default)]
pub(crate) struct Stamping {
    /// Those that are not acknowledged, the oldest first.
    awaited: VecDeque<Awaited>,
    pub(crate) told: StampQueue,
}

impl Stamping {
    /// Bytes of storage that it keeps alive.
    fn storage(&self) -> usize {
        let payloads = self.awaited.iter().filter_map(|one| one.payload.as_ref());
        Held::of(payloads).footprint + self.told.storage()
    }
}

/// A message that is waited for.
#[derive(Debug)]
struct Awaited {
    /// Its last byte.
    last: Seq,
    request: StampRequest,
    /// The payload that left with it, if that is to be shown when it is acknowledged and there was room for it.
    payload: Option<Span>,
}

/// A packet that left, as it is to be kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// As told of it; without a packet nothing is.
    pub(crate) of: Option<(std::net::IpAddr, crate::socket::Arrival)>,
    pub(crate) packet: Option<Span>,
    pub(crate) payload: Option<Span>,
}

/// The data of a segment: where it begins, and its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    start: Seq,
    len: usize,
}

impl Data {
    pub(crate) fn of(segment: &Segment) -> Data {
        // A SYN has a number and is no data.
        let syn = usize::from(segment.flags.has(Flags::SYN));
        Data {
            start: segment.seq + syn,
            len: segment.len,
        }
    }

    fn has(self, at: Seq) -> bool {
        at.at_or_after(self.start) && at.before(self.start + self.len)
    }
}

impl Connection {
    /// Waits for the `taken` bytes that were written last.
    pub(crate) fn await_stamp(
        &mut self,
        request: StampRequest,
        taken: usize,
        counters: &mut TcpCounters,
    ) {
        let Some(more) = taken.checked_sub(1) else {
            return;
        };
        let last = self.snd.queue.end() - 1;
        if last.before(self.snd.una) {
            return;
        }
        let stamping = self.extras_mut().stamping.get_or_insert_default();
        if stamping.awaited.len() >= MOST {
            counters.stamps_queue_full += 1;
            return;
        }
        let id = request.id.map(|id| id.wrapping_add(more as u32));
        stamping.awaited.push_back(Awaited {
            last,
            request: StampRequest { id, ..request },
            payload: None,
        });
    }

    /// What is to be told of a segment with `data` that leaves now, if anything.
    #[inline]
    pub(crate) fn stamps_wanted(&self, data: Data) -> Option<Stamps> {
        let stamping = self.extras.as_ref()?.stamping.as_ref()?;
        let concerned = stamping.awaited.iter().filter(|one| data.has(one.last));
        concerned
            .map(|one| one.request.wanted)
            .reduce(|one, other| one | other)
    }

    /// Such a segment has left. Says whether there is something new to tell.
    pub(crate) fn stamp_sent(
        &mut self,
        data: Data,
        now: Instant,
        kept: &Kept,
        counters: &mut TcpCounters,
    ) -> bool {
        let stamping = self.extras.as_mut().and_then(|it| it.stamping.as_mut());
        let Some(Stamping { awaited, told }) = stamping.map(|it| &mut **it) else {
            return false;
        };
        let mut news = false;
        let payloads = awaited.iter().filter_map(|one| one.payload.as_ref());
        let mut bytes: usize = payloads.map(Span::len).sum();
        for one in awaited.iter_mut().filter(|one| data.has(one.last)) {
            let wanted = one.request.wanted;
            let with_packet = wanted.has(Stamps::WITH_PACKET);
            for (stage, is_wanted) in [
                (StampStage::Scheduled, wanted.has(Stamps::SCHEDULED)),
                (StampStage::Sent, wanted.has(Stamps::SENT)),
            ] {
                if is_wanted {
                    let of = kept.of.filter(|_| with_packet);
                    let stamp = Stamp {
                        stage,
                        id: one.request.id,
                        time: now,
                        source: of.map(|(source, _)| source),
                        departure: of.map(|(_, departure)| departure),
                    };
                    let packet = kept.packet.clone().filter(|_| with_packet);
                    news |= count(told.push(stamp, packet), counters);
                }
            }
            if wanted.has(Stamps::ACKNOWLEDGED) {
                bytes -= one.payload.take().map_or(0, |before| before.len());
                let payload = kept.payload.as_ref().filter(|_| with_packet);
                one.payload = payload.filter(|it| bytes + it.len() <= MOST_BYTES).cloned();
                bytes += one.payload.as_ref().map_or(0, Span::len);
                counters.stamps_without_payload +=
                    u64::from(payload.is_some() && one.payload.is_none());
            }
        }
        news
    }

    /// More was acknowledged.
    #[inline]
    pub(super) fn stamp_acknowledged(&mut self, now: Instant, counters: &mut TcpCounters) {
        let una = self.snd.una;
        let stamping = self.extras.as_mut().and_then(|it| it.stamping.as_mut());
        let Some(Stamping { awaited, told }) = stamping.map(|it| &mut **it) else {
            return;
        };
        let mut news = false;
        while let Some(one) = awaited.pop_front_if(|one| one.last.before(una)) {
            if one.request.wanted.has(Stamps::ACKNOWLEDGED) {
                let stamp = Stamp {
                    stage: StampStage::Acknowledged,
                    id: one.request.id,
                    time: now,
                    source: None,
                    departure: None,
                };
                news |= count(told.push(stamp, one.payload), counters);
            }
        }
        if news {
            self.note(News::STAMPED);
        }
    }

    /// What is told of messages that were sent, and waits to be read.
    pub(crate) fn stamps(&self) -> Option<&StampQueue> {
        Some(&self.extras.as_ref()?.stamping.as_ref()?.told)
    }

    /// Bytes of storage that are kept alive to be shown with what is told.
    pub(crate) fn stamps_storage(&self) -> usize {
        let stamping = self.extras.as_ref().and_then(|it| it.stamping.as_ref());
        stamping.map_or(0, |stamping| stamping.storage())
    }
}

/// Counts a stamp, and says whether it was queued.
fn count(queued: bool, counters: &mut TcpCounters) -> bool {
    match queued {
        true => counters.stamps_queued += 1,
        false => counters.stamps_queue_full += 1,
    }
    queued
}
