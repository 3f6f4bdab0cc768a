//! The variables of Linux (`sysctl`) that mean something for this stack.

use std::time::Duration;

use netstack_core::{Ecn, FastOpen, MtuProbing, TcpConfig};

/// Sets what `name` means.
pub(super) fn set(tcp: &mut TcpConfig, name: &str, values: &[i64]) -> Result<(), String> {
    let first = values.first().copied().unwrap_or_default();
    let count = u32::try_from(first).map_err(|_| format!("{first} is no value for {name}"));
    let seconds = |count| Duration::from_secs(u64::from(count));
    match name {
        "net.ipv4.tcp_sack" => tcp.sack = first != 0,
        "net.ipv4.tcp_timestamps" => tcp.timestamps = first != 0,
        "net.ipv4.tcp_ecn" => {
            tcp.ecn = match first {
                0 => Ecn::Off,
                1 => Ecn::Offer,
                _ => Ecn::Accept,
            };
        }
        "net.ipv4.tcp_syn_retries" => tcp.syn_retries = count?,
        "net.ipv4.tcp_synack_retries" => tcp.synack_retries = count?,
        "net.ipv4.tcp_retries2" => tcp.retries = count?,
        "net.ipv4.tcp_fin_timeout" => tcp.fin_timeout = seconds(count?),
        "net.ipv4.tcp_syncookies" => tcp.syn_cookies = first != 0,
        "net.ipv4.tcp_max_syn_backlog" => tcp.syn_backlog = count? as usize,
        "net.ipv4.tcp_fastopen" => tcp.fast_open = FastOpen::from_bits(count?),
        "net.ipv4.tcp_mtu_probing" => {
            tcp.mtu_probing = match first {
                0 => MtuProbing::Off,
                1 => MtuProbing::AfterBlackHole,
                _ => MtuProbing::Always,
            };
        }
        "net.ipv4.tcp_base_mss" => {
            let size = u16::try_from(first);
            tcp.base_mss = size.map_err(|_| format!("{first} is no value for {name}"))?;
        }
        "net.ipv4.tcp_rmem" => tcp.receive_buffer = middle(name, values)?,
        "net.ipv4.tcp_wmem" => tcp.send_buffer = middle(name, values)?,
        _ => return Err(format!("{name} means nothing for this stack")),
    }
    Ok(())
}

/// The size that sockets start with: of a least, a first and a greatest one.
fn middle(name: &str, values: &[i64]) -> Result<usize, String> {
    let [_, first, _] = values else {
        return Err(format!("{name} has three values"));
    };
    usize::try_from(*first)
        .ok()
        .filter(|first| *first > 0)
        .ok_or_else(|| format!("{first} is no value for {name}"))
}
