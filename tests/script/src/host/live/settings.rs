//! Variables of the kernel, in the calling thread's network namespace.

use std::fs;

/// Makes the kernel's answers the same on all machines, as far as it can be told: where a variable does not exist, it
/// has no effect either.
pub(super) fn prepare() {
    for (name, value) in [
        ("net/ipv4/tcp_congestion_control", "cubic"),
        ("net/ipv4/tcp_ecn", "2"),
        ("net/ipv4/tcp_fastopen", "0"),
        ("net/ipv6/conf/default/router_solicitations", "0"),
        ("net/ipv6/conf/default/accept_dad", "0"),
    ] {
        let _ = fs::write(format!("/proc/sys/{name}"), value);
    }
}

/// Sets a variable.
pub(super) fn set(name: &str, values: &[i64]) -> Result<(), String> {
    if name
        .split('.')
        .any(|part| part.is_empty() || part.contains('/'))
        || !name.starts_with("net.")
    {
        return Err(format!("{name} is no variable of the network"));
    }
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    fs::write(&path, texts.join(" ")).map_err(|error| format!("{name}: {error}"))
}
