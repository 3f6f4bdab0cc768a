//! One connection: the two halves, the state, and what the application may ask of it.

use super::congestion;
use super::extras::Extras;
use super::fast_open::Cookie;
use super::flow::FlowKey;
use super::handshake::{Agreed, Origin, syn_window};
use super::recv::Receiver;
use super::recv::window::scale_for;
use super::segment::Segment;
use super::send::Sender;
use super::send::queue::SendQueue;
use super::seq::Seq;
use super::state::State;
use super::time_wait;
use super::timer::{Timer, Timers};
use super::traffic::Traffic;
use super::{Context, Ecn, TcpConfig};
use crate::Instant;
use crate::news::News;
use crate::socket::{ConnectionError, UrgentData};
use core::num::NonZeroU32;
use core::time::Duration;
use txbuf::{IovIter, NoMemory, Token};

/// The timestamps of a connection that agreed on them (RFC 7323).
#[derive(Debug)]
pub(crate) struct TimestampState {
    /// What our clock is ahead of the stack's.
    pub(crate) offset: u32,
    /// TS.Recent.
    recent: u32,
    /// When TS.Recent was set, in seconds and one: never zero, so that the option of all this has the same size.
    recent_at: NonZeroU32,
}

/// A TS.Recent older than this says nothing about what is old (RFC 7323, 5.5): by then a clock of one
/// tick per millisecond may have come half around.
const RECENT_LIFETIME: u32 = 24 * 24 * 3600;

fn seconds(now: Instant) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add((now.as_millis() / 1_000) as u32)
}

impl TimestampState {
    pub(crate) fn new(offset: u32, recent: u32, now: Instant) -> Self {
        TimestampState {
            offset,
            recent,
            recent_at: seconds(now),
        }
    }

    /// TS.Recent, to be echoed.
    pub(crate) fn recent(&self) -> u32 {
        self.recent
    }

    /// Sets TS.Recent.
    pub(crate) fn set_recent(&mut self, val: u32, now: Instant) {
        self.recent = val;
        self.recent_at = seconds(now);
    }

    /// Whether a segment with the timestamp `val` is older than what was received before (PAWS).
    // req: RFC7323-38, RFC7323-39
    pub(crate) fn is_old(&self, val: u32, now: Instant) -> bool {
        let age = seconds(now).get().wrapping_sub(self.recent_at.get());
        (val.wrapping_sub(self.recent) as i32) < 0 && age < RECENT_LIFETIME
    }

    /// Our timestamp clock, in milliseconds.
    pub(crate) fn clock(&self, now: Instant) -> u32 {
        (now.as_millis() as u32).wrapping_add(self.offset)
    }
}

/// A connection from its SYN on.
pub(crate) struct Connection {
    pub(crate) state: State,
    pub(crate) flow: FlowKey,
    pub(crate) snd: Sender,
    pub(crate) rcv: Receiver,
    pub(crate) timers: Timers,
    pub(super) traffic: Traffic,
    /// TSval and TSecr state, where both ends agreed.
    pub(crate) timestamps: Option<TimestampState>,
    /// Whether small segments leave without waiting (`TCP_NODELAY`).
    pub(crate) nodelay: bool,
    /// Whether small segments wait for more to come (`TCP_CORK`).
    pub(crate) cork: bool,
    /// What reading does with urgent data.
    pub(crate) urgent_data: UrgentData,
    /// What most connections do without.
    pub(crate) extras: Option<Box<Extras>>,
    /// What the peer said of its timeout before anybody asked, as the option says it; zero for nothing.
    pub(super) told_timeout: u16,
    /// What the application said last: more will follow (`MSG_MORE`).
    pub(crate) more: bool,
    /// RCV.NXT when a segment left last (Last.ACK.sent of RFC 7323).
    pub(crate) last_ack: Seq,
    /// Before this, no further challenge acknowledgement leaves.
    pub(crate) quiet_until: Instant,
    /// A handshake segment, a window probe or a keep-alive probe is to leave.
    pub(crate) handshake_due: bool,
    pub(crate) probe_due: bool,
    pub(crate) keep_alive_due: bool,
    /// What our SYN announces, and the largest segment that the path there takes.
    pub(crate) receive_mss: u16,
    pub(crate) path_mss: u16,
    /// The largest segment that the peer takes; 0 until it has said so.
    peer_mss: u16,
    /// The window scale that our SYN offers.
    pub(crate) our_scale: u8,
    /// The window that it announces.
    pub(super) syn_window: u16,
    /// Whether the peer's SYN said that it does not scale windows.
    pub(crate) unscaled: bool,
    /// Whether our SYN left without the bits of ECN.
    plain_syn: bool,
    /// The peer's SYN brought data that was accepted (RFC 7413): this is a connection although it is in SYN-RECEIVED.
    pub(super) early: bool,
    /// Whether packets forbid fragmentation; false only where the path claims to take too little for that.
    pub(crate) dont_fragment: bool,
    happened: News,
    /// The application was refused a write and waits for room.
    starved: bool,
    /// The application let go of its handle.
    orphan: bool,
    /// The application will not read any more.
    pub(crate) read_shut: bool,
    error: Option<ConnectionError>,
    /// Whether the network said of what is outstanding that it does not arrive.
    soft_error: bool,
}

impl Connection {
    /// An active open: the SYN leaves with the next [`poll_transmit`](Self::poll_transmit).
    pub(crate) fn connect(origin: Origin, ctx: &Context<'_>) -> Connection {
        let config = ctx.config;
        let mut connection = Connection::new(origin, ctx, Seq(0), 0);
        connection.handshake_due = true;
        let timestamps = TimestampState::new(origin.timestamp_offset, 0, ctx.now);
        connection.timestamps = config.timestamps.then_some(timestamps);
        connection.snd.sack = config.sack;
        connection
    }

    /// The connection of a handshake that a listener saw through, with `retries` SYN-ACKs sent again; `sent` is when the
    /// SYN-ACK left, if its acknowledgement says how long the path is.
    // req: RFC6298-08
    pub(crate) fn established(
        origin: Origin,
        agreed: &Agreed,
        retries: u32,
        sent: Option<Instant>,
        ctx: &Context<'_>,
    ) -> Connection {
        let mut connection = Connection::new(origin, ctx, agreed.irs, agreed.window);
        let snd = &mut connection.snd;
        snd.timeouts = u8::try_from(retries).unwrap_or(u8::MAX);
        match sent {
            Some(at) => snd.on_send(at, origin.iss, 1),
            None => snd.nxt = origin.iss + 1,
        }
        connection.state = State::SynReceived;
        connection.agree(agreed, ctx);
        connection.last_ack = connection.rcv.nxt;
        connection
    }

    /// The connection of a SYN whose data was taken at once (RFC 7413, 4.2.2); the SYN-ACK leaves with the next
    /// [`poll_transmit`](Self::poll_transmit), and shows `cookie` if there is one.
    // req: RFC7413-11
    pub(crate) fn early(
        origin: Origin,
        agreed: &Agreed,
        cookie: Option<Cookie>,
        syn: &Segment,
        ctx: &Context<'_>,
    ) -> Connection {
        let mut connection = Connection::new(origin, ctx, agreed.irs, agreed.window);
        connection.state = State::SynReceived;
        connection.agree(agreed, ctx);
        connection.snd.open_window(syn, 0);
        connection.early = true;
        connection.handshake_due = true;
        connection.last_ack = connection.rcv.nxt;
        if let Some(cookie) = cookie {
            connection.offer(Some(cookie), 0, false);
        }
        connection
    }

    fn new(origin: Origin, ctx: &Context<'_>, irs: Seq, window: usize) -> Connection {
        let config = ctx.config;
        let mss = usize::from(origin.mss);
        let send_buffer = config.send_buffer_at_first();
        let receive_buffer = config.receive_buffer_at_first();
        let queue = SendQueue::new(ctx.pools, origin.iss + 1, send_buffer);
        let our_scale = scale_for(config.receive_buffer);
        let control = congestion::control(config.congestion, mss);
        let mut snd = Sender::new(origin.iss, mss, queue, control, ctx.now);
        snd.not_sent_most = config.not_sent_most();
        Connection {
            state: State::SynSent,
            flow: origin.flow,
            snd,
            rcv: Receiver::new(irs, window, our_scale, receive_buffer),
            timers: Timers::default(),
            traffic: Traffic::new(ctx.now),
            urgent_data: UrgentData::default(),
            timestamps: None,
            nodelay: false,
            cork: false,
            extras: None,
            told_timeout: 0,
            more: false,
            last_ack: Seq(0),
            quiet_until: Instant::ZERO,
            handshake_due: false,
            probe_due: false,
            keep_alive_due: false,
            receive_mss: origin.receive_mss,
            path_mss: origin.mss,
            peer_mss: 0,
            our_scale,
            syn_window: syn_window(config) as u16,
            unscaled: false,
            plain_syn: false,
            early: false,
            dont_fragment: origin.dont_fragment,
            happened: News::default(),
            starved: false,
            orphan: false,
            read_shut: false,
            error: None,
            soft_error: false,
        }
    }

    /// Whether the SYN that is about to leave offers ECN: not once one was not answered.
    // req: RFC3168-12
    pub(super) fn offers_ecn(&mut self, config: &TcpConfig) -> bool {
        let offers =
            config.ecn == Ecn::Offer && self.state == State::SynSent && self.snd.timeouts == 0;
        self.plain_syn |= !offers;
        offers
    }

    /// Settles what both SYNs said.
    // req: MUST-16, RFC6691-02, RFC8985-01, RFC2018-04
    pub(crate) fn agree(&mut self, agreed: &Agreed, ctx: &Context<'_>) {
        let config = ctx.config;
        self.peer_mss = agreed.mss;
        let mss = usize::from(agreed.mss.min(self.path_mss));
        self.snd.scale = agreed.scale.unwrap_or(0);
        self.unscaled = agreed.scale.is_none();
        let our_scale = if agreed.scale.is_some() {
            self.our_scale
        } else {
            0
        };
        let (limit, fixed) = self.rcv.limit();
        self.rcv = Receiver::new(agreed.irs, agreed.window, our_scale, limit);
        if fixed {
            self.rcv.set_limit(limit);
        }
        self.snd.sack = agreed.sack && config.sack;
        // A SYN that was sent again did not offer it.
        // req: RFC3168-08
        if agreed.ecn && !self.plain_syn {
            self.snd.ecn.enable();
            self.rcv.ecn.enable();
        }
        match (&mut self.timestamps, agreed.timestamp) {
            (_, None) => self.timestamps = None,
            (Some(state), Some(recent)) => state.set_recent(recent, ctx.now),
            (None, Some(recent)) => {
                let offset = agreed.timestamp_offset;
                self.timestamps = Some(TimestampState::new(offset, recent, ctx.now));
            }
        }
        let mss = self.without_options(mss);
        // Until larger segments are seen: the peer may send smaller ones than both allow.
        self.rcv.set_mss(self.rcv.mss().min(mss));
        self.snd.mss = mss;
        self.snd.congestion.set_mss(mss);
    }

    /// Takes bytes to send from `from`; `more` when the application will write again at once. The queue keeps
    /// a share in `token` until the bytes are acknowledged. While arenas are `vacated` it takes copies of what lies
    /// there.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when nothing could be stored. `Ok(0)` means that the queue is full: a writable
    /// event will follow.
    pub(crate) fn write(
        &mut self,
        from: &mut IovIter<'_>,
        more: bool,
        token: Option<&Token>,
        vacated: bool,
    ) -> Result<usize, NoMemory> {
        let most = self.snd.room();
        let taken = self.snd.queue.write(from, most, token, vacated)?;
        self.more = more;
        if from.remaining() > 0 {
            self.starved = true;
        }
        Ok(taken)
    }

    /// Whether the handshake is still under way.
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(self.state, State::SynSent | State::SynReceived)
    }

    /// Whether the application has to wait for the handshake.
    pub(crate) fn is_connecting(&self) -> bool {
        self.is_handshaking() && !self.is_early() && !self.waits_for_data()
    }

    /// Whether data may be written.
    // req: U-39
    pub(crate) fn may_write(&self) -> bool {
        !self.state.send_closed() && !self.snd.queue.finished()
    }

    /// Closes our side: a FIN follows what was written (RFC 9293, 3.10.4).
    pub(crate) fn shutdown_write(&mut self) {
        if !self.may_write() {
            return;
        }
        self.snd.queue.finish();
        self.more = false;
        match self.state {
            State::Established => self.state = State::FinWait1,
            State::CloseWait => self.state = State::LastAck,
            // SYN-SENT and SYN-RECEIVED queue the close until the handshake is through.
            _ => {}
        }
    }

    /// The application let go: closes our side and reads nothing more. Returns whether the connection
    /// is to be aborted instead, because data it was sent will never be read (RFC 9293, 3.10.4;
    /// RFC 2525, 2.17).
    pub(crate) fn release(&mut self, now: Instant, config: &TcpConfig) -> bool {
        self.orphan = true;
        if self.state == State::TimeWait {
            self.rcv.discard();
            return false;
        }
        let linger = self.extras.as_ref().and_then(|extras| extras.linger);
        let unread = self.rcv.queued() > 0 || !self.rcv.assembler.is_empty();
        if self.state == State::SynSent || unread || linger == Some(Duration::ZERO) {
            return true;
        }
        self.read_shut = true;
        self.shutdown_write();
        if self.state == State::FinWait2 {
            self.timers.set(Timer::Close, now + config.fin_timeout);
        } else if let Some(linger) = linger {
            self.timers.set(Timer::Close, now + linger);
        }
        false
    }

    /// Ends the connection at once, for `error`; the caller sends a reset where one is due.
    pub(crate) fn fail(&mut self, error: ConnectionError) {
        if self.state != State::Closed {
            self.error = Some(error);
            self.enter_closed();
        }
    }

    /// The network says that what is outstanding does not arrive: that need not stay so.
    // req: MUST-47, MUST-56, SHLD-25
    pub(crate) fn note_soft_error(&mut self) {
        self.soft_error = true;
    }

    /// New data was acknowledged: the peer can be reached.
    pub(crate) fn clear_soft_error(&mut self) {
        self.soft_error = false;
    }

    /// What the network said of what is outstanding, if that is nothing that ends the connection.
    // req: SHLD-9, SHLD-20
    pub(crate) fn soft_error(&self) -> Option<ConnectionError> {
        self.soft_error.then_some(ConnectionError::Unreachable)
    }

    /// Whether a peer would know this connection, so that aborting it calls for a reset.
    pub(crate) fn reset_due(&self) -> bool {
        !matches!(self.state, State::SynSent | State::TimeWait | State::Closed)
    }

    pub(crate) fn enter_closed(&mut self) {
        self.state = State::Closed;
        self.timers.stop_all();
        self.snd.queue.acknowledge(self.snd.queue.end());
        self.handshake_due = false;
        self.happened |= News::CLOSED;
        if self.orphan {
            self.rcv.discard();
        } else {
            // What is behind a hole cannot be read any more.
            self.rcv.assembler.clear();
        }
    }

    // req: MUST-13
    pub(crate) fn enter_time_wait(&mut self, ctx: &Context<'_>) {
        self.state = State::TimeWait;
        self.timers.stop_all();
        self.timers
            .set(Timer::Close, ctx.now + ctx.config.time_wait);
        self.happened |= News::CLOSED;
    }

    pub(crate) fn is_orphan(&self) -> bool {
        self.orphan
    }

    /// Why the connection ended, once; afterwards `None` (`SO_ERROR`).
    pub(crate) fn take_error(&mut self) -> Option<ConnectionError> {
        self.error.take()
    }

    /// What [`take_error`](Self::take_error) would say.
    pub(crate) fn error(&self) -> Option<ConnectionError> {
        self.error
    }

    /// Asks for a writable event when there is room again.
    pub(crate) fn wait_for_room(&mut self) {
        self.starved = true;
    }

    /// The path takes segments of `mss` bytes, options included, which is not doubted before `until`.
    // req: RFC7323-40
    pub(crate) fn reduce_path(&mut self, mss: u16, dont_fragment: bool, until: Instant) {
        self.dont_fragment = dont_fragment;
        // An application may allow less than any path takes.
        self.path_mss = mss.min(self.receive_mss);
        self.extras_mut().look_at_path = until;
        let mss = self.without_options(usize::from(self.path_mss));
        self.snd.reduce_path(mss);
    }

    /// Whether the path takes less than the link, as far as is known, and that is to be looked at again.
    pub(crate) fn doubts_path(&self, now: Instant) -> bool {
        let next = || self.extras.as_ref().map(|extras| extras.look_at_path);
        self.path_mss < self.receive_mss && next().is_none_or(|next| next <= now)
    }

    /// The path may take segments of `mss` bytes, options included; it is looked at again at `next`.
    pub(crate) fn widen_path(&mut self, mss: u16, dont_fragment: bool, next: Instant) {
        self.extras_mut().look_at_path = next;
        if mss <= self.path_mss {
            return;
        }
        self.dont_fragment = dont_fragment;
        self.path_mss = mss.min(self.receive_mss);
        if self.peer_mss > 0 {
            let mss = self.without_options(usize::from(self.path_mss.min(self.peer_mss)));
            self.snd.widen_path(mss);
        }
    }

    /// Sets how many bytes may wait to be read. A SYN that has not left yet announces no more than that, and a scale that
    /// can say it.
    pub(crate) fn set_receive_limit(&mut self, limit: usize) {
        if self.is_unsent() {
            self.our_scale = self.our_scale.max(scale_for(limit));
            self.syn_window = u16::try_from(limit).unwrap_or(u16::MAX);
        }
        self.rcv.set_limit(limit);
        // The peer may wait for room, and nothing be there to read that would tell of it.
        if self.state.may_receive() && self.rcv.update_due() {
            self.rcv.ack.demand();
        }
    }

    /// The largest segment that the path takes, as far as is known.
    pub(crate) fn path_mss(&self) -> usize {
        usize::from(self.path_mss)
    }

    /// Segments of both directions have at most `most` bytes, options included; the peer hears of it if our SYN has
    /// not left yet.
    pub(crate) fn limit_mss(&mut self, most: u16) {
        self.receive_mss = self.receive_mss.min(most);
        self.path_mss = self.path_mss.min(most);
        let mss = self.without_options(usize::from(self.path_mss));
        self.snd.limit_mss(mss);
    }

    /// Whether the application waits for room to write.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved
    }

    /// The longest payload that the peer's segments may have.
    pub(super) fn largest_received(&self) -> usize {
        self.without_options(usize::from(self.receive_mss))
    }

    /// What is left for payload of a segment of `mss` bytes with the options that every one carries.
    // req: RFC6691-02
    pub(crate) fn without_options(&self, mss: usize) -> usize {
        let options = if self.timestamps.is_some() {
            super::options::TIMESTAMPS_LEN
        } else {
            0
        };
        mss.saturating_sub(options).max(1)
    }

    /// Notes an event for [`take_happened`](Self::take_happened).
    pub(crate) fn note(&mut self, news: News) {
        self.happened |= news;
    }

    /// What happened since the last call.
    pub(crate) fn take_happened(&mut self) -> News {
        core::mem::take(&mut self.happened)
    }

    /// Notes that there is room to write, if somebody waits for it and it is worth waking them.
    pub(crate) fn note_room(&mut self) {
        let queue = &self.snd.queue;
        let sent = match self.snd.not_sent_most {
            u32::MAX => true,
            most => self.snd.unsent() <= most as usize / 2,
        };
        if self.starved && sent && queue.room() >= queue.len() / 2 {
            self.starved = false;
            self.happened |= News::WRITABLE;
        }
    }

    /// When the next timer goes off.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Whether a SYN that arrives in TIME-WAIT opens a new connection (RFC 6191).
    pub(crate) fn gives_way_to(&self, syn: &Segment, config: &TcpConfig) -> bool {
        let recent = self.timestamps.as_ref().map(TimestampState::recent);
        self.state == State::TimeWait && time_wait::is_newer(syn, recent, self.rcv.nxt, config)
    }
}
