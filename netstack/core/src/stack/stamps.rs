//! Telling applications when what they sent has left.

use super::Stack;
use super::table::Socket;
use crate::Instant;
use crate::ip::IfaceId;
use crate::ip::input::RawHeader;
use crate::ip::join::join;
use crate::news::News;
use crate::socket::{
    Arrival, ReceivedStamp, RecvError, RecvFlags, SocketError, SocketId, Stamp, StampRequest,
    StampStage, Stamps,
};
use crate::storage;
use crate::tcp::stamps::{Data, Kept};
use txbuf::{IovIter, Packet, Span};

impl Stack {
    /// Takes the oldest of what is to be told of messages that were sent with a [request](crate::SendControl::stamp) for
    /// it; the packet, if it was to be kept, goes into `into` (`MSG_ERRQUEUE`). A [stamped](crate::Event::stamped) event says
    /// that there is something new. Of one socket 256 wait, with 256 KiB of packets; what comes then is dropped and counted.
    /// As many messages of a stream wait to be acknowledged; those whose bytes would be beyond 256 KiB are told without.
    ///
    /// # Errors
    ///
    /// [`RecvError::WouldBlock`] when there is none; those of [`receive_message`](Self::receive_message), and then it stays
    /// queued.
    pub fn receive_stamp(
        &mut self,
        socket: SocketId,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Result<ReceivedStamp, RecvError> {
        if into.is_source() {
            return Err(RecvError::NotASink);
        }
        let mut waits = false;
        let (reader, mut taking) = self.reader(socket, flags, &mut waits)?;
        let queue = match reader {
            Socket::Datagram(entry) => Some(&mut entry.socket.stamps),
            Socket::Tcp(tcp) => {
                let extras = tcp.connection.extras.as_mut();
                let stamping = extras.and_then(|extras| extras.stamping.as_mut());
                stamping.map(|stamping| &mut stamping.told)
            }
            _ => return Err(SocketError::WrongKind.into()),
        };
        let read = queue.map_or(Err(RecvError::WouldBlock), |queue| {
            queue.recv(into, &mut taking)
        });
        if read == Err(RecvError::NoMemory) {
            self.short_of_storage(socket, News::STAMPED, waits);
        }
        read
    }

    /// Asks for times of the last byte of the `written` bytes that were given to a connection last, which began with the
    /// request's number, as [`SendControl::stamp`](crate::SendControl::stamp) does with the bytes themselves: for messages
    /// that were given in parts. Of a byte that the peer has acknowledged meanwhile nothing is told any more.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`], or [`SocketError::WrongKind`] if it is not a connection.
    pub fn stamp_written(
        &mut self,
        socket: SocketId,
        request: StampRequest,
        written: usize,
    ) -> Result<(), SocketError> {
        let connection = &mut self.table.tcp_mut(socket)?.connection;
        connection.await_stamp(request, written, &mut self.counters.tcp);
        Ok(())
    }

    /// A datagram of which is to be told has left by `iface`, as `packet` if that is to be kept; `given` is when it was sent.
    pub(super) fn datagram_stamp(
        &mut self,
        id: SocketId,
        (request, given): (StampRequest, Instant),
        iface: IfaceId,
        packet: Option<&Packet>,
    ) {
        let (wanted, now) = (request.wanted, self.now);
        let kept = packet.map_or_else(Kept::default, |packet| self.kept(now, iface, packet));
        let Ok(entry) = self.table.datagram_mut(id) else {
            return;
        };
        let mut news = false;
        for (stage, time, is_wanted) in [
            (StampStage::Scheduled, given, wanted.has(Stamps::SCHEDULED)),
            (StampStage::Sent, now, wanted.has(Stamps::SENT)),
        ] {
            if is_wanted {
                let stamp = Stamp {
                    stage,
                    id: request.id,
                    time,
                    source: kept.of.map(|(source, _)| source),
                    departure: kept.of.map(|(_, departure)| departure),
                };
                match entry.socket.stamps.push(stamp, kept.packet.clone()) {
                    true => {
                        self.counters.udp.stamps_queued += 1;
                        news = true;
                    }
                    false => self.counters.udp.stamps_queue_full += 1,
                }
            }
        }
        if news {
            self.datagram_news(id, News::STAMPED);
        }
    }

    /// A segment with `data` of which is to be told leaves by `iface` as `packet`.
    pub(super) fn tcp_stamp(
        &mut self,
        now: Instant,
        (id, iface): (SocketId, IfaceId),
        (data, wanted): (Data, Stamps),
        packet: &Packet,
    ) {
        let kept = match wanted.has(Stamps::WITH_PACKET) {
            true => self.kept(now, iface, packet),
            false => Kept::default(),
        };
        if let Ok(tcp) = self.table.tcp_mut(id)
            && tcp
                .connection
                .stamp_sent(data, now, &kept, &mut self.counters.tcp)
        {
            self.datagram_news(id, News::STAMPED);
        }
    }

    /// A packet as it is kept until somebody reads it: nothing of it that its sender lent, and little more than its bytes.
    /// Without memory it is told of without its bytes.
    fn kept(&mut self, now: Instant, iface: IfaceId, packet: &Packet) -> Kept {
        let header = RawHeader::of(packet);
        let departure = Arrival {
            to: header.dst,
            iface,
            hop_limit: header.hop_limit,
            traffic_class: header.traffic_class,
            time: now,
            outgoing: true,
        };
        let payload = packet.span().and_then(|span| self.kept_span(span));
        let headers = self.small.copy(packet.headers()).ok();
        let packet = match (headers, &payload) {
            (Some(headers), Some(payload)) => {
                join(&self.pools.send, &[headers, payload.clone()]).ok()
            }
            (headers, _) => headers,
        };
        Kept {
            of: Some((header.src, departure)),
            packet,
            payload,
        }
    }

    /// What the processor may not read cannot be told anyway.
    fn kept_span(&mut self, span: &Span) -> Option<Span> {
        let mut span = Some(span.clone()).filter(Span::is_readable)?;
        span.orphan(&mut self.small).ok()?;
        storage::bounded(span, &mut self.small).ok()
    }
}
