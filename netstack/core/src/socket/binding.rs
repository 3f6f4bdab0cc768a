//! What a socket is bound with, and addresses of IPv4 in their form for IPv6 (RFC 4291, 2.5.5.2).

use crate::ip::IfaceId;
use std::net::IpAddr;

/// How a socket shares its address and port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// An IPv6 socket that deals with IPv4 too, whose addresses it names in mapped form (`::ffff:10.0.0.1`): bound to the
    /// unspecified address it takes both, bound to a mapped one IPv4 only (`IPV6_V6ONLY` off). Means nothing for an IPv4
    /// address.
    pub dual: bool,
    /// Shares address and port with other sockets that allow it too (`SO_REUSEADDR`). Of datagram sockets the last one
    /// bound receives what is for one host, and all receive what is for many. Of TCP sockets only one may listen; and
    /// without this one cannot be bound while a connection has the address and port, be it in TIME-WAIT.
    pub reuse_address: bool,
    /// Shares address and port with other sockets that allow it too, and receives its part (`SO_REUSEPORT`): peers are
    /// spread over the group by a keyed hash of addresses and ports, so that one peer stays with one socket while
    /// the group stays the same.
    pub reuse_port: bool,
    /// Sends by this interface only, and receives only what comes by it (`SO_BINDTODEVICE`).
    pub device: Option<IfaceId>,
}

/// Which packets of an interface a packet socket sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sees {
    /// All, those that leave too (`ETH_P_ALL`).
    #[default]
    All,
    /// Those of IPv4 that arrive (`ETH_P_IP`).
    ArrivingV4,
    /// Those of IPv6 that arrive (`ETH_P_IPV6`).
    ArrivingV6,
    /// None: the socket only sends.
    Nothing,
}

impl Sees {
    /// Whether a packet of IPv4 or IPv6, which arrives or leaves, is seen.
    pub(crate) fn has(self, is_v4: bool, outgoing: bool) -> bool {
        match self {
            Sees::All => true,
            Sees::ArrivingV4 => is_v4 && !outgoing,
            Sees::ArrivingV6 => !is_v4 && !outgoing,
            Sees::Nothing => false,
        }
    }
}

/// An address in the form in which packets have it.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// An address as an IPv6 socket names it.
pub(crate) fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
        IpAddr::V6(_) => address,
    }
}
