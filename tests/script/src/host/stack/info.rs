//! What the stack says of a connection, by the names and in the units of Linux's `TCP_INFO`.

use std::collections::BTreeMap;
use std::time::Duration;

use netstack_core::{TcpInfo, TcpState};

/// Linux's threshold before the first loss.
const NO_THRESHOLD: f64 = 2_147_483_647.0;

/// The fields that can be told; windows and thresholds in segments, times in microseconds.
pub(super) fn fields(info: &TcpInfo) -> BTreeMap<&'static str, f64> {
    let mss = info.send_mss.max(1);
    let segments = |bytes: usize| bytes.div_ceil(mss) as f64;
    let micros = |time: Duration| time.as_micros() as f64;
    let threshold = if info.threshold == usize::MAX {
        NO_THRESHOLD
    } else {
        (info.threshold / mss) as f64
    };
    BTreeMap::from([
        ("tcpi_state", state(info.state)),
        ("tcpi_ca_state", ca_state(info)),
        ("tcpi_rto", micros(info.rto)),
        ("tcpi_snd_mss", info.send_mss as f64),
        ("tcpi_rcv_mss", info.receive_mss as f64),
        ("tcpi_unacked", segments(info.outstanding)),
        ("tcpi_sacked", segments(info.sacked)),
        ("tcpi_lost", segments(info.lost)),
        ("tcpi_rtt", micros(info.rtt.unwrap_or_default())),
        ("tcpi_rttvar", micros(info.rtt_variation)),
        ("tcpi_min_rtt", micros(info.min_rtt)),
        ("tcpi_snd_ssthresh", threshold),
        ("tcpi_snd_cwnd", (info.congestion_window / mss) as f64),
        ("tcpi_total_retrans", info.retransmits as f64),
        ("tcpi_notsent_bytes", info.unsent as f64),
        ("tcpi_snd_wnd", info.send_window as f64),
        ("tcpi_rcv_wnd", info.receive_window as f64),
        ("tcpi_dsack_dups", info.duplicate_reports as f64),
    ])
}

/// As Linux numbers them.
fn state(state: TcpState) -> f64 {
    match state {
        TcpState::Established => 1.0,
        TcpState::SynSent => 2.0,
        TcpState::SynReceived => 3.0,
        TcpState::FinWait1 => 4.0,
        TcpState::FinWait2 => 5.0,
        TcpState::TimeWait => 6.0,
        TcpState::Closed => 7.0,
        TcpState::CloseWait => 8.0,
        TcpState::LastAck => 9.0,
        TcpState::Closing => 11.0,
    }
}

/// Open, recovery or loss.
fn ca_state(info: &TcpInfo) -> f64 {
    match (info.after_timeout, info.in_recovery) {
        (true, _) => 4.0,
        (false, true) => 3.0,
        (false, false) => 0.0,
    }
}
