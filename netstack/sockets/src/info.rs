//! What sockets say of themselves in structures of Linux: `TCP_INFO`, `TCP_CC_INFO`, `SO_MEMINFO`.
//!
//! A field that the stack does not keep is zero: segments out of order, when the latest acknowledgement came, timeouts so
//! far. Each would be a number more for every idle connection. Segments delivered are counted by their bytes.

use core::time::Duration;

use netstack_core::{Congestion, SocketId, Stack, TcpInfo};

/// Bytes of `struct tcp_info` as of Linux 6.7.
pub const TCP_INFO_LEN: usize = 248;

/// Linux's threshold before the first loss.
const NO_THRESHOLD: u32 = i32::MAX as u32;
const LISTEN: u8 = 10;
const CLOSE: u8 = 7;
/// Bits of `tcpi_options`.
const OPT_TIMESTAMPS: u8 = 1;
const OPT_SACK: u8 = 2;
const OPT_WSCALE: u8 = 4;
const OPT_ECN: u8 = 8;

/// `struct tcp_info`: windows and thresholds in segments; times in microseconds, ages in milliseconds.
pub fn tcp_info_bytes(info: &TcpInfo) -> [u8; TCP_INFO_LEN] {
    let mut out = Structure([0; TCP_INFO_LEN]);
    let mss = info.send_mss.max(1);
    let segments = |bytes: usize| word(bytes.div_ceil(mss));
    let (theirs, ours) = info.scales.unwrap_or_default();
    let backoff = u8::try_from(info.backoff).unwrap_or(u8::MAX);
    out.put(0, [info.tcpi_state()]);
    out.put(1, [info.tcpi_ca_state()]);
    out.put(2, [backoff]);
    out.put(3, [u8::try_from(info.probes).unwrap_or(u8::MAX)]);
    out.put(4, [backoff]);
    out.put(5, [options(info)]);
    out.put(6, [theirs & 0xF | ours << 4]);
    let threshold = match info.threshold {
        usize::MAX => NO_THRESHOLD,
        bytes => word(bytes / mss),
    };
    let acked = usize::try_from(info.bytes_acked).unwrap_or(usize::MAX);
    let delivered = segments(acked.saturating_add(info.sacked));
    // What a peer is told is the receive buffer's room.
    for (at, value) in [
        (8, micros(info.rto)),
        (16, word(info.send_mss)),
        (20, word(info.receive_mss)),
        (24, segments(info.outstanding)),
        (28, segments(info.sacked)),
        (32, segments(info.lost)),
        (36, segments(info.resent)),
        (44, millis(info.segments.since_data_sent)),
        (52, millis(info.segments.since_data_received)),
        (60, word(info.path_mss + 40)),
        (64, word(info.receive_window)),
        (68, micros(info.rtt.unwrap_or_default())),
        (72, micros(info.rtt_variation)),
        (76, threshold),
        (80, word(info.congestion_window / mss)),
        (84, word(info.advertised_mss)),
        (88, 3),
        (92, micros(info.receive_rtt)),
        (96, word(info.receive_space)),
        (100, u32::try_from(info.retransmits).unwrap_or(u32::MAX)),
        (136, info.segments.sent),
        (140, info.segments.received),
        (144, word(info.unsent)),
        (148, micros(info.min_rtt)),
        (152, info.segments.received_with_data),
        (156, info.segments.sent_with_data),
        (192, delivered),
        (
            216,
            u32::try_from(info.duplicate_reports).unwrap_or(u32::MAX),
        ),
        (220, u32::from(info.reordering_seen)),
        (228, word(info.send_window)),
        (232, word(info.receive_window)),
    ] {
        out.put(at, value.to_ne_bytes());
    }
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    for (at, value) in [
        (104, info.pacing_rate.unwrap_or(u64::MAX)),
        (112, info.pacing_limit.unwrap_or(u64::MAX)),
        (120, info.bytes_acked),
        (128, info.bytes_received),
        (160, info.delivery_rate),
        (168, micros(info.busy)),
        (176, micros(info.window_limited)),
        (184, micros(info.buffer_limited)),
        (200, info.bytes_sent),
        (208, info.bytes_retransmitted),
    ] {
        out.put(at, value.to_ne_bytes());
    }
    out.0
}

/// What both ends agreed on, in bits.
fn options(info: &TcpInfo) -> u8 {
    let bits = [
        (info.timestamps, OPT_TIMESTAMPS),
        (info.sack, OPT_SACK),
        (info.scales.is_some(), OPT_WSCALE),
        (info.ecn, OPT_ECN),
    ];
    let had = bits.iter().filter(|(has, _)| *has);
    had.map(|(_, bit)| bit).sum()
}

/// `struct tcp_info` of a socket that listens, with the connections that wait and that may, or that has no connection.
pub(crate) fn tcp_info_of_no_connection(backlog: Option<(usize, usize)>) -> [u8; TCP_INFO_LEN] {
    let mut out = Structure([0; TCP_INFO_LEN]);
    match backlog {
        Some((waiting, most)) => {
            out.put(0, [LISTEN]);
            out.put(24, word(waiting).to_ne_bytes());
            out.put(28, word(most.saturating_sub(1)).to_ne_bytes());
        }
        None => out.put(0, [CLOSE]),
    }
    out.0
}

/// `struct tcp_bbr_info` for BBR, without gains; other algorithms have nothing to say.
pub(crate) fn congestion_info_bytes(info: &TcpInfo) -> Vec<u8> {
    if info.congestion != Congestion::Bbr {
        return Vec::new();
    }
    let rate = info.delivery_rate.to_ne_bytes();
    let rtt = micros(info.min_rtt).to_ne_bytes();
    [rate.as_slice(), rtt.as_slice(), &[0; 8]].concat()
}

/// The nine numbers of `SO_MEMINFO`.
pub(crate) fn meminfo_bytes(
    stack: &Stack,
    id: Option<SocketId>,
    send: i32,
    receive: i32,
) -> Vec<u8> {
    let (receiving, sending) = id
        .and_then(|id| stack.holding(id))
        .map_or((0, 0), |held| (word(held.receiving), word(held.sending)));
    let numbers = [
        receiving,
        receive as u32,
        sending,
        send as u32,
        0,
        sending,
        0,
        0,
        0,
    ];
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

/// The bytes of a structure.
struct Structure<const N: usize>([u8; N]);

impl<const N: usize> Structure<N> {
    fn put<const M: usize>(&mut self, at: usize, value: [u8; M]) {
        if let Some(place) = self.0.get_mut(at..at + M) {
            place.copy_from_slice(&value);
        }
    }
}

fn word(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
