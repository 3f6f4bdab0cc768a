//! TCP (RFC 9293): a connection is composed of rooms that do not know each other.
//!
//! A segment comes in through [`segment`] and [`connection`]'s input, in the order of RFC 9293,
//! 3.10.7; one goes out through its output. [`send`] and [`recv`] hold what each direction knows,
//! [`congestion`] how much may be in flight, [`listen`] and [`handshake`] what precedes a connection.

mod acknowledged;
pub(crate) mod challenge;
pub(crate) mod congestion;
pub(crate) mod connection;
pub(crate) mod cookie;
mod extras;
pub(crate) mod fast_open;
pub(crate) mod flow;
pub(crate) mod handshake;
mod info;
mod input;
pub(crate) mod isn;
pub(crate) mod listen;
mod opening;
pub(crate) mod options;
mod output;
mod reading;
pub(crate) mod recv;
pub(crate) mod reset;
pub(crate) mod segment;
pub(crate) mod send;
pub(crate) mod seq;
pub(crate) mod stamps;
mod state;
pub(crate) mod time_wait;
mod timeout;
pub(crate) mod timer;
mod times;
mod traffic;
mod urgent;
pub(crate) mod user_timeout;
mod wishes;

pub use fast_open::FastOpen;
pub use info::TcpInfo;
pub use state::State as TcpState;
pub use traffic::SegmentCounts;

use crate::Instant;
use crate::Pools;
use crate::counters::TcpCounters;
use crate::socket::Congestion;
use core::time::Duration;
use txbuf::Chain;

/// What every connection of a stack starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpConfig {
    /// The most bytes that a connection holds for sending, acknowledged ones not counted.
    pub send_buffer: usize,
    /// The most bytes that a connection holds for reading; the receive window follows from it.
    pub receive_buffer: usize,
    /// Whether connections begin with less of each, and come to hold more as the path and the application use it (Linux's
    /// `tcp_moderate_rcvbuf`). A size that a socket is given ends that for it.
    pub autotuning: bool,
    /// What they begin with for sending, if that is not more than the most (the second number of Linux's `tcp_wmem`).
    pub first_send_buffer: usize,
    /// Likewise for reading (`tcp_rmem`).
    pub first_receive_buffer: usize,
    /// Whether the timestamps option is offered (RFC 7323).
    pub timestamps: bool,
    /// Whether selective acknowledgement is offered (RFC 2018).
    pub sack: bool,
    /// Whether routers may mark packets instead of dropping them.
    pub ecn: Ecn,
    /// What bounds the data in flight.
    pub congestion: Congestion,
    /// Whether probes find out what segments a path takes, beside what ICMP says.
    pub mtu_probing: MtuProbing,
    /// The segment size, options included, that such a search begins with (Linux's `tcp_base_mss`). Over IPv6 at least the
    /// 1220 bytes that every path takes.
    pub base_mss: u16,
    /// How many bytes of a connection may wait to be sent for the first time before it is not writable, where the
    /// application does not say ([`NotSentLowWater`](crate::SocketOption::NotSentLowWater); Linux's `tcp_notsent_lowat`).
    /// `None`, or 0, for as many as the send buffer holds.
    pub not_sent_low_water: Option<u32>,
    /// Whether a connection that sent nothing for a retransmission timeout begins with a small window again (RFC 5681,
    /// 4.1; Linux's `tcp_slow_start_after_idle`).
    pub slow_start_after_idle: bool,
    /// How often a SYN is sent again before a connection attempt fails. Less than the default of 7 is less than the
    /// three minutes of RFC 9293, 3.8.3; more than 255 are as many.
    // req: MUST-23
    pub syn_retries: u32,
    /// How often a SYN-ACK is sent again before a half-open connection is dropped.
    pub synack_retries: u32,
    /// How many half-open connections a listener holds, if that is more than its backlog. They are small, and those of an
    /// honest crowd should all be remembered: who is not, and loses the last segment of the handshake, is never heard.
    pub syn_backlog: usize,
    /// Whether a listener whose backlog of half-open connections is full answers SYNs with cookies (RFC 4987, 3.6)
    /// instead of dropping them.
    pub syn_cookies: bool,
    /// Whether data may go with SYNs, and be taken from them, where applications ask for that.
    pub fast_open: FastOpen,
    /// How often unacknowledged data is sent again before the connection fails (R2 of RFC 9293, 3.8.3).
    pub retries: u32,
    /// How long a closed connection stays in TIME-WAIT: twice the maximum segment lifetime.
    pub time_wait: Duration,
    /// Connections that nobody holds any more and that are not in TIME-WAIT yet: beyond so many, a connection that is
    /// closed is reset instead of being seen through.
    pub orphans: usize,
    /// Connections in TIME-WAIT that nobody holds any more, at least one: beyond so many, the oldest is forgotten.
    pub time_waits: usize,
    /// Connections and half-open connections altogether, those that [`time_waits`](Self::time_waits) counts left out:
    /// beyond so many, SYNs are dropped.
    pub connections: usize,
    /// How long a connection that nobody holds any more waits in FIN-WAIT-2 for the peer's FIN.
    pub fin_timeout: Duration,
}

impl Default for TcpConfig {
    fn default() -> Self {
        TcpConfig {
            send_buffer: 4 << 20,
            receive_buffer: 4 << 20,
            autotuning: true,
            first_send_buffer: 256 << 10,
            first_receive_buffer: 256 << 10,
            timestamps: true,
            sack: true,
            ecn: Ecn::default(),
            congestion: Congestion::default(),
            mtu_probing: MtuProbing::default(),
            base_mss: 1024,
            not_sent_low_water: None,
            slow_start_after_idle: true,
            syn_retries: 7,
            synack_retries: 5,
            syn_backlog: 1024,
            syn_cookies: true,
            fast_open: FastOpen::CLIENT,
            retries: 15,
            orphans: 1 << 18,
            time_waits: 1 << 18,
            connections: 1 << 21,
            time_wait: Duration::from_secs(60),
            fin_timeout: Duration::from_secs(60),
        }
    }
}

impl TcpConfig {
    /// How many bytes may wait to be sent for the first time, where nothing is said of a connection.
    pub(crate) fn not_sent_most(&self) -> u32 {
        let most = self.not_sent_low_water.filter(|most| *most > 0);
        most.unwrap_or(u32::MAX)
    }

    /// Bytes that a connection holds for sending when it begins.
    pub fn send_buffer_at_first(&self) -> usize {
        self.at_first(self.first_send_buffer, self.send_buffer)
    }

    /// Bytes that a connection holds for reading when it begins.
    pub fn receive_buffer_at_first(&self) -> usize {
        self.at_first(self.first_receive_buffer, self.receive_buffer)
    }

    fn at_first(&self, first: usize, most: usize) -> usize {
        match self.autotuning {
            true => most.min(first),
            false => most,
        }
    }
}

/// Explicit congestion notification (RFC 3168).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ecn {
    /// Never.
    Off,
    /// Where the peer offers it.
    #[default]
    Accept,
    /// Offered with the SYN, and no more when that is not answered: some paths drop it.
    Offer,
}

/// Packetization layer path MTU discovery (RFC 4821; Linux's `tcp_mtu_probing`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MtuProbing {
    /// Never: a path that drops long packets and does not say so ends connections.
    Off,
    /// For a connection of which nothing gets through any more: its segments get short, and then as long as they can.
    #[default]
    AfterBlackHole,
    /// For every connection: segments begin with [`TcpConfig::base_mss`], and get as long as they can.
    Always,
}

/// What a connection borrows from the stack while it works.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a TcpConfig,
    /// Where spans that would pin too much are copied together.
    pub(crate) small: &'a mut Chain,
    /// Storage of send queues, and how short it is.
    pub(crate) pools: &'a Pools,
    /// Whether what a device receives into is near its cap.
    pub(crate) arena_pressed: bool,
    pub(crate) counters: &'a mut TcpCounters,
    pub(crate) challenges: &'a mut challenge::Challenges,
}
