//! The variables of Linux (`sysctl`) that mean something for this stack.

use core::ops::RangeInclusive;
use core::time::Duration;

use netstack_core::{Ecn, FastOpen, MtuProbing, TcpConfig};

use crate::{Errno, Sockets};

/// What stands before the names of TCP's variables, if somebody writes it.
const PREFIXES: [&str; 2] = ["net.ipv4.", "net/ipv4/"];

/// Variables of what sockets begin with: the level and the name of an option, and what it takes.
const OF_SOCKETS: [(&str, i32, i32, RangeInclusive<u32>); 4] = [
    (
        "tcp_keepalive_time",
        libc::IPPROTO_TCP,
        libc::TCP_KEEPIDLE,
        1..=32_767,
    ),
    (
        "tcp_keepalive_intvl",
        libc::IPPROTO_TCP,
        libc::TCP_KEEPINTVL,
        1..=32_767,
    ),
    (
        "tcp_keepalive_probes",
        libc::IPPROTO_TCP,
        libc::TCP_KEEPCNT,
        1..=127,
    ),
    ("ip_default_ttl", libc::IPPROTO_IP, libc::IP_TTL, 1..=255),
];

impl Sockets {
    /// Sets a variable of the stack or of its descriptors: those of [`set`], `tcp_keepalive_time`, `tcp_keepalive_intvl`,
    /// `tcp_keepalive_probes` and `ip_default_ttl` for sockets that are made later, and `net.core.rmem_max`,
    /// `net.core.wmem_max` and `net.core.somaxconn`.
    ///
    /// # Errors
    ///
    /// As for [`set`].
    pub fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        let of_socket = OF_SOCKETS.iter().find(|of| of.0 == bare(name));
        if let Some((_, level, option, taken)) = of_socket {
            let value = in_range(value, taken)?;
            self.defaults.begin_with(*level, *option, value as i32);
            return Ok(());
        }
        let limits = &mut self.limits;
        match name.replace('/', ".").as_str() {
            "net.core.rmem_max" => limits.receive_buffer = number(value)? as usize,
            "net.core.wmem_max" => limits.send_buffer = number(value)? as usize,
            "net.core.somaxconn" => limits.backlog = number(value)? as usize,
            _ => {
                let mut config = self.stack.tcp_config().clone();
                set(&mut config, name, value)?;
                self.stack.set_tcp_config(config);
            }
        }
        Ok(())
    }
}

/// Sets the variable `name` of `tcp` to `value`, both as Linux writes them: `tcp_rmem` to `4096 131072 6291456`. The name
/// may begin with `net.ipv4.`.
///
/// # Errors
///
/// `ENOENT` for a variable that means nothing for this stack, `EINVAL` for a value that it does not take.
pub fn set(tcp: &mut TcpConfig, name: &str, value: &str) -> Result<(), Errno> {
    match bare(name) {
        "tcp_sack" => tcp.sack = flag(value)?,
        "tcp_timestamps" => tcp.timestamps = number(value)? != 0,
        "tcp_moderate_rcvbuf" => tcp.autotuning = flag(value)?,
        "tcp_ecn" => {
            tcp.ecn = match number(value)? {
                0 => Ecn::Off,
                1 => Ecn::Offer,
                2 => Ecn::Accept,
                _ => return Err(Errno::EINVAL),
            };
        }
        "tcp_congestion_control" => {
            tcp.congestion = value.trim().parse().map_err(|_| Errno::ENOENT)?;
        }
        "tcp_syn_retries" => tcp.syn_retries = in_range(value, &(1..=127))?,
        "tcp_synack_retries" => tcp.synack_retries = in_range(value, &(0..=255))?,
        "tcp_retries2" => tcp.retries = in_range(value, &(0..=255))?,
        "tcp_fin_timeout" => tcp.fin_timeout = Duration::from_secs(number(value)?.into()),
        "tcp_syncookies" => tcp.syn_cookies = number(value)? != 0,
        "tcp_max_syn_backlog" => tcp.syn_backlog = number(value)? as usize,
        "tcp_max_orphans" => tcp.orphans = number(value)? as usize,
        "tcp_max_tw_buckets" => tcp.time_waits = (number(value)? as usize).max(1),
        "tcp_fastopen" => tcp.fast_open = FastOpen::from_bits(number(value)?),
        "tcp_mtu_probing" => {
            tcp.mtu_probing = match number(value)? {
                0 => MtuProbing::Off,
                1 => MtuProbing::AfterBlackHole,
                2 => MtuProbing::Always,
                _ => return Err(Errno::EINVAL),
            };
        }
        "tcp_base_mss" => {
            tcp.base_mss = u16::try_from(number(value)?).map_err(|_| Errno::EINVAL)?;
        }
        "tcp_notsent_lowat" => {
            // The greatest number means none, and so does 0, with which nothing could be written.
            let most = number(value)?;
            tcp.not_sent_low_water = (most != 0 && most != u32::MAX).then_some(most);
        }
        "tcp_slow_start_after_idle" => tcp.slow_start_after_idle = flag(value)?,
        "tcp_rmem" => {
            (tcp.first_receive_buffer, tcp.receive_buffer) = sizes(value)?;
        }
        "tcp_wmem" => {
            (tcp.first_send_buffer, tcp.send_buffer) = sizes(value)?;
        }
        _ => return Err(Errno::ENOENT),
    }
    Ok(())
}

/// A name without what may stand before it.
fn bare(name: &str) -> &str {
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    bare.unwrap_or(name)
}

fn number(value: &str) -> Result<u32, Errno> {
    value.trim().parse().map_err(|_| Errno::EINVAL)
}

fn flag(value: &str) -> Result<bool, Errno> {
    match number(value)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}

fn in_range(value: &str, taken: &RangeInclusive<u32>) -> Result<u32, Errno> {
    let number = number(value)?;
    taken
        .contains(&number)
        .then_some(number)
        .ok_or(Errno::EINVAL)
}

/// The sizes that buffers begin with and that they have at most, of a least, a first and a greatest one. A first one that is
/// more than the greatest is that, as in Linux.
fn sizes(value: &str) -> Result<(usize, usize), Errno> {
    let sizes: Result<Vec<u32>, Errno> = value.split_whitespace().map(number).collect();
    match sizes?.as_slice() {
        [least, first, most] if (*least).min(*first).min(*most) > 0 => {
            Ok((*first as usize, (*first).max(*most) as usize))
        }
        _ => Err(Errno::EINVAL),
    }
}
