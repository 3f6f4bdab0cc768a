//! What the stack says of a connection, by the names and in the units of Linux's `TCP_INFO`.

use std::collections::BTreeMap;
use std::time::Duration;

use netstack_core::TcpInfo;

/// Linux's threshold before the first loss.
const NO_THRESHOLD: i128 = 2_147_483_647;

/// The fields that can be told; windows and thresholds in segments, times in microseconds.
pub(super) fn fields(info: &TcpInfo) -> BTreeMap<&'static str, i128> {
    let mss = info.send_mss.max(1);
    let segments = |bytes: usize| number(bytes.div_ceil(mss));
    let micros = |time: Duration| number(time.as_micros());
    let threshold = if info.threshold == usize::MAX {
        NO_THRESHOLD
    } else {
        number(info.threshold / mss)
    };
    BTreeMap::from([
        ("tcpi_state", info.tcpi_state().into()),
        ("tcpi_ca_state", info.tcpi_ca_state().into()),
        ("tcpi_rto", micros(info.rto)),
        ("tcpi_snd_mss", number(info.send_mss)),
        ("tcpi_rcv_mss", number(info.receive_mss)),
        ("tcpi_unacked", segments(info.outstanding)),
        ("tcpi_sacked", segments(info.sacked)),
        ("tcpi_lost", segments(info.lost)),
        ("tcpi_rtt", micros(info.rtt.unwrap_or_default())),
        ("tcpi_rttvar", micros(info.rtt_variation)),
        ("tcpi_min_rtt", micros(info.min_rtt)),
        ("tcpi_snd_ssthresh", threshold),
        ("tcpi_snd_cwnd", number(info.congestion_window / mss)),
        ("tcpi_total_retrans", number(info.retransmits)),
        ("tcpi_notsent_bytes", number(info.unsent)),
        ("tcpi_snd_wnd", number(info.send_window)),
        ("tcpi_rcv_wnd", number(info.receive_window)),
        ("tcpi_dsack_dups", number(info.duplicate_reports)),
    ])
}

/// Counts that no memory or time reaches are told as the largest.
fn number(count: impl TryInto<i128>) -> i128 {
    count.try_into().unwrap_or(i128::MAX)
}
