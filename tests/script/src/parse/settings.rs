//! The `--name=value` lines at the top of a script.

use std::net::IpAddr;
use std::time::Duration;

use winnow::prelude::*;
use winnow::token::take_while;

use super::input::{Input, Parsed, looks_at, place, refused, skip};
use crate::ast::{Family, Settings};

/// Options that tell the established tool how to reach its network; here nothing depends on them.
const WITHOUT_EFFECT: [&str; 9] = [
    "gateway_ip",
    "netmask_ip",
    "tcp_ts_tick_usecs",
    "non_fatal",
    "speed",
    "init_scripts",
    "send_omit_free",
    "strict_segments",
    "verbose",
];

/// Nothing that a script waits for is so inexact.
const MOST_TOLERANCE: Duration = Duration::from_secs(3600);

/// Reads all such lines.
pub(super) fn settings(input: &mut Input<'_>) -> Parsed<Settings> {
    let mut given = Vec::new();
    while looks_at(input, "--") {
        let begin = place(input);
        let line: &str = take_while(0.., |c: char| !c.is_whitespace()).parse_next(input)?;
        let line = &line[2..];
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        given.push((begin, name, value));
        skip(input)?;
    }
    // The version first: what the others mean depends on it.
    let mut settings = Settings::default();
    for (begin, name, value) in &given {
        if *name == "ip_version" {
            settings = Settings::of(match *value {
                "ipv4" => Family::V4,
                "ipv6" => Family::V6,
                "ipv4-mapped-ipv6" => Family::Mapped,
                other => {
                    return refused(
                        *begin,
                        format!(
                            "`{other}` is no version of IP: say ipv4, ipv6 or ipv4-mapped-ipv6"
                        ),
                    );
                }
            });
        }
    }
    for (begin, name, value) in given {
        set(&mut settings, begin, name, value)?;
    }
    if settings.local.is_ipv6() && settings.mtu < 1280 {
        return refused(0, "IPv6 needs an MTU of at least 1280");
    }
    Ok(settings)
}

fn set(settings: &mut Settings, begin: usize, name: &str, value: &str) -> Parsed<()> {
    match name {
        "ip_version" => {}
        "local_ip" => settings.local = address(settings, begin, value)?,
        "remote_ip" => settings.remote = address(settings, begin, value)?,
        "bind_port" => settings.bind_port = of(begin, name, value)?,
        "connect_port" => settings.connect_port = of(begin, name, value)?,
        "tolerance_usecs" => {
            settings.tolerance = Duration::from_micros(of(begin, name, value)?);
            if settings.tolerance > MOST_TOLERANCE {
                return refused(begin, "a tolerance is an hour at most");
            }
        }
        "mtu" => {
            settings.mtu = of(begin, name, value)?;
            if !(68..=65535).contains(&settings.mtu) {
                return refused(begin, "an MTU is from 68 to 65535 bytes");
            }
        }
        _ if WITHOUT_EFFECT.contains(&name) => {}
        _ => {
            return refused(
                begin,
                format!(
                    "there is no option `--{name}`: there are ip_version, local_ip, remote_ip, bind_port, connect_port, \
                     tolerance_usecs and mtu"
                ),
            );
        }
    }
    Ok(())
}

fn of<T: std::str::FromStr>(begin: usize, name: &str, value: &str) -> Parsed<T> {
    match value.parse() {
        Ok(value) => Ok(value),
        Err(_) => refused(begin, format!("`{value}` is no value for `--{name}`")),
    }
}

fn address(settings: &Settings, begin: usize, value: &str) -> Parsed<IpAddr> {
    match value.parse::<IpAddr>() {
        Ok(address) if address.is_ipv6() == (settings.family == Family::V6) => Ok(address),
        Ok(_) => refused(
            begin,
            format!("{value} is of another version than `--ip_version`"),
        ),
        Err(_) => refused(begin, format!("`{value}` is no IP address")),
    }
}
