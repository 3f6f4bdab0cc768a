//! The values of arguments: parsed once, checked once, named by the sentence that refuses them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use drivers::LinkKind;
use drivers::ethernet::{Mac, MacError};
use drivers::impair::Chance;
use drivers::netlink::{Cidr, CidrError};

/// The most bytes that `--size` takes: more would be a slip of the keyboard.
const MAX_SIZE: u64 = 1 << 44;
/// The longest time that `--for` takes, ten years: anything a clock can add.
const MAX_TIME: Duration = Duration::from_secs(10 * 365 * 86400);
/// The highest rate that `--rate` takes, in bits a second.
const MAX_RATE: f64 = 1e13;
/// The longest name of a device (`IFNAMSIZ` less the terminator).
const MAX_DEVICE_NAME: usize = 15;

/// Which TUN device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TunName {
    /// A device by its name.
    Name(String),
    /// A descriptor of an attached device that this process inherited.
    Fd(i32),
}

impl FromStr for TunName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(number) = text.strip_prefix("fd:") {
            return match number.parse() {
                Ok(fd) if fd >= 0 => Ok(TunName::Fd(fd)),
                _ => {
                    Err("after `fd:` comes the number of an open descriptor, as in fd:3".to_owned())
                }
            };
        }
        let is_name = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
        if text.is_empty()
            || text.len() > MAX_DEVICE_NAME
            || !text.chars().all(is_name)
            || matches!(text, "." | "..")
        {
            return Err(format!(
                "a device name is 1 to {MAX_DEVICE_NAME} letters or digits, as in tun0"
            ));
        }
        Ok(TunName::Name(text.to_owned()))
    }
}

impl fmt::Display for TunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunName::Name(name) => f.write_str(name),
            TunName::Fd(fd) => write!(f, "fd:{fd}"),
        }
    }
}

/// An address of one host with the length of its network's prefix, which must be there.
pub(crate) fn host(text: &str) -> Result<Cidr, String> {
    if !text.contains('/') {
        return Err("the prefix length is missing, as in 10.9.0.2/24 or fd00:9::2/64".to_owned());
    }
    let cidr: Cidr = text.parse().map_err(|error: CidrError| error.to_string())?;
    let address = cidr.address();
    // RFC 1122, section 3.2.1.3: "this network". RFC 1112, section 4: reserved, and the limited broadcast.
    let is_no_unicast = matches!(address, IpAddr::V4(v4) if matches!(v4.octets()[0], 0 | 240..));
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() || is_no_unicast
    {
        return Err(format!("{address} cannot be the address of one host"));
    }
    match address {
        IpAddr::V4(v4) => check_host_bits(v4, &cidr)?,
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return Err(format!(
                    "{v6} is an IPv4 address in the form of IPv6; write it as {v4} with a prefix length of up to 32"
                ));
            }
        }
    }
    Ok(cidr)
}

/// The first and the last address of an IPv4 network belong to no host, unless it has two addresses or one (RFC 3021).
fn check_host_bits(address: Ipv4Addr, cidr: &Cidr) -> Result<(), String> {
    if cidr.prefix() >= 31 {
        return Ok(());
    }
    let host_bits = u32::MAX >> cidr.prefix();
    let role = match u32::from(address) & host_bits {
        0 => "network",
        bits if bits == host_bits => "broadcast",
        _ => return Ok(()),
    };
    Err(format!(
        "{address} is the {role} address of {}/{}; take another",
        cidr.network(),
        cidr.prefix()
    ))
}

/// The name of a TAP device.
pub(crate) fn tap_name(text: &str) -> Result<String, String> {
    match text.parse()? {
        TunName::Name(name) => Ok(name),
        TunName::Fd(_) => {
            Err("a TAP device is opened by its name; give one, as in tap0".to_owned())
        }
    }
}

/// The address of one interface on Ethernet.
pub(crate) fn mac(text: &str) -> Result<Mac, String> {
    let mac: Mac = text.parse().map_err(|error: MacError| error.to_string())?;
    match mac.is_unicast() {
        true => Ok(mac),
        false => Err(format!(
            "{mac} is no address of one interface; the first byte is even, as in 02:00:5e:10:00:01"
        )),
    }
}

/// A device that a bridge opens itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceName {
    pub(crate) kind: LinkKind,
    pub(crate) name: String,
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.strip_prefix("tap:") {
            Some(name) => (LinkKind::Tap, name),
            None => (LinkKind::Tun, text),
        };
        match name.parse()? {
            TunName::Name(name) => Ok(DeviceName { kind, name }),
            TunName::Fd(_) => {
                Err("a bridge opens its devices itself; give a name, as in tun0".to_owned())
            }
        }
    }
}

/// How often something happens, as a percentage.
pub(crate) fn chance(text: &str) -> Result<Chance, String> {
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.parse().ok());
    number
        .and_then(Chance::percent)
        .ok_or_else(|| "a chance is a percentage from 0% to 100%, as in 1% or 0.05%".to_owned())
}

/// Bits in a second, such as `100mbit`.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor: u64 = match unit {
        "bit" => 1,
        "kbit" => 1000,
        "mbit" => 1000 * 1000,
        "gbit" => 1000 * 1000 * 1000,
        _ => return Err("a rate ends in kbit, mbit or gbit, as in 100mbit".to_owned()),
    };
    match number.parse::<f64>().map(|n| n * factor as f64) {
        Ok(bits) if (1.0..=MAX_RATE).contains(&bits) => Ok(bits as u64),
        _ => Err("a rate is a number and a unit, as in 100mbit or 1.5gbit".to_owned()),
    }
}

/// The name of a network namespace, as `ip netns` knows it.
pub(crate) fn netns(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('/') || matches!(text, "." | "..") {
        return Err(
            "a network namespace is given by a name from `ip netns list`, not by a path".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceKind {
    /// Sends back what it gets (RFC 862).
    Echo,
    /// Throws away what it gets (RFC 863).
    Discard,
    /// Sends for as long as it may (RFC 864).
    Chargen,
    /// Gives out files.
    Http,
}

impl ServiceKind {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ServiceKind::Echo => "echo",
            ServiceKind::Discard => "discard",
            ServiceKind::Chargen => "chargen",
            ServiceKind::Http => "http",
        }
    }
}

/// A service on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) kind: ServiceKind,
    pub(crate) port: u16,
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, port)) = text.split_once(':') else {
            return Err("a service is written NAME:PORT, as in echo:7".to_owned());
        };
        let kinds = [
            ServiceKind::Echo,
            ServiceKind::Discard,
            ServiceKind::Chargen,
            ServiceKind::Http,
        ];
        let Some(kind) = kinds.into_iter().find(|kind| kind.name() == name) else {
            return Err(format!(
                "there is no service `{name}`; choose echo, discard, chargen or http"
            ));
        };
        match port.parse() {
            Ok(port) if port > 0 => Ok(Service { kind, port }),
            _ => Err("a port is a number from 1 to 65535".to_owned()),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.port)
    }
}

/// A port whose connections are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) target: SocketAddr,
}

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(port, target)| {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            Some((port, target.parse::<SocketAddr>().ok()?))
        });
        let Some((port, target)) = parts.filter(|(_, target)| target.port() > 0) else {
            return Err(
                "a proxy is written PORT=ADDRESS:PORT, as in 8080=10.9.0.1:80 or 8080=[fd00:9::1]:80"
                    .to_owned(),
            );
        };
        let address = target.ip();
        let is_no_host = address.is_unspecified()
            || address.is_multicast()
            || address.is_loopback()
            || matches!(address, IpAddr::V4(v4) if matches!(v4.octets()[0], 0 | 240..))
            || matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        if is_no_host {
            return Err(format!("the stack cannot connect to {address}"));
        }
        Ok(Proxy { port, target })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.port, self.target)
    }
}

/// A time such as `20s`, `500ms`, `2m`, `1h`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "us" => 0.000_001,
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("a time ends in us, ms, s, m or h, as in 20s".to_owned()),
    };
    match number
        .parse::<f64>()
        .map(|n| Duration::try_from_secs_f64(n * factor))
    {
        Ok(Ok(time)) if time <= MAX_TIME => Ok(time),
        _ => Err("a time is a number and a unit, as in 20s, 500ms or 2m".to_owned()),
    }
}

/// How packets are handed to the kernel.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum Backend {
    /// io_uring where the kernel allows it, else a call for each packet
    #[default]
    Auto,
    /// A call for each packet
    Calls,
    /// io_uring: one call for a batch
    Ring,
}

impl From<Backend> for drivers::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => drivers::Backend::Auto,
            Backend::Calls => drivers::Backend::Calls,
            Backend::Ring => drivers::Backend::Ring,
        }
    }
}

/// A number of bytes such as `1GiB`, `64MiB`, `10kB` or `4096`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err("a size ends in KiB, MiB or GiB, as in 64MiB".to_owned()),
    };
    match number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
    {
        Some(bytes) if (1..=MAX_SIZE).contains(&bytes) => Ok(bytes),
        _ => Err("a size is a whole number and a unit, as in 64MiB or 1GiB".to_owned()),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    text.split_at(end)
}
