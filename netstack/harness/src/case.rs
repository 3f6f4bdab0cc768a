//! What is measured: the table of cases.

use serde::{Deserialize, Serialize};

/// What the client does to the subject. The client is always the kernel's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// TCP streams: from the client to the discard port, from the chargen port to the client, or both at once.
    Bulk {
        /// Whether the client sends.
        inward: bool,
        /// Whether the subject sends.
        outward: bool,
        /// Connections for each direction.
        connections: u32,
    },
    /// A request of so many bytes on a standing connection, sent back by the echo port, and the next.
    Ask {
        /// Bytes of a request, and of its answer.
        bytes: u32,
        /// Whether the client asks again and again for the answer instead of sleeping until it is there.
        spin: bool,
    },
    /// Connect, one byte there and back, close.
    Connect,
    /// Datagrams of so many bytes to the echo port, one at a time.
    Datagrams {
        /// Bytes of a datagram.
        bytes: u32,
    },
    /// Datagrams of 1472 bytes to the discard port as fast as the client can, 44 for each call.
    Flood,
    /// The same to the echo port, a few calls ahead of what has come back.
    Volley,
    /// A TCP stream to the proxy port, which the subject passes on to the client's own discard port.
    Proxy,
    /// Datagrams in packets of so many bytes, 44 for each call, to be carried on to another device.
    Forward {
        /// Bytes of a packet.
        bytes: u32,
        /// Whether the 44 of one call go as a super-packet.
        supers: bool,
    },
}

impl Load {
    /// Whether packets are to be carried from one device to another.
    pub fn is_forwarding(self) -> bool {
        matches!(self, Load::Forward { .. })
    }

    /// Whether super-packets are to be carried.
    pub(crate) fn is_super(self) -> bool {
        matches!(self, Load::Forward { supers: true, .. })
    }

    /// Whether the figure is in bits for each second; else it is in operations for each second.
    pub fn is_bulk(self) -> bool {
        matches!(
            self,
            Load::Bulk { .. } | Load::Flood | Load::Volley | Load::Proxy
        )
    }
}

/// Which cores subject and client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pin {
    /// Both on the last core.
    One,
    /// The subject on the last core, the client on the first.
    Two,
    /// As the kernel sees fit.
    Free,
}

impl Pin {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Pin::One => "one",
            Pin::Two => "two",
            Pin::Free => "free",
        }
    }
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// As it is written on the command line.
    pub name: &'static str,
    /// In words, for the report.
    pub about: &'static str,
    /// What the client does.
    pub load: Load,
    /// On which cores, when the command line does not say.
    pub pins: &'static [Pin],
}

/// The cases, in the order in which they run.
pub const CASES: &[Case] = &[
    bulk(
        "in-1",
        "TCP, client to subject, 1 connection",
        true,
        false,
        1,
    ),
    bulk(
        "in-10",
        "TCP, client to subject, 10 connections",
        true,
        false,
        10,
    ),
    bulk(
        "in-100",
        "TCP, client to subject, 100 connections",
        true,
        false,
        100,
    ),
    bulk(
        "out-1",
        "TCP, subject to client, 1 connection",
        false,
        true,
        1,
    ),
    bulk(
        "out-10",
        "TCP, subject to client, 10 connections",
        false,
        true,
        10,
    ),
    bulk(
        "out-100",
        "TCP, subject to client, 100 connections",
        false,
        true,
        100,
    ),
    bulk("both-1", "TCP, both ways, 1 connection each", true, true, 1),
    bulk(
        "both-10",
        "TCP, both ways, 10 connections each",
        true,
        true,
        10,
    ),
    bulk(
        "both-100",
        "TCP, both ways, 100 connections each",
        true,
        true,
        100,
    ),
    ask(
        "rr-1",
        "TCP request and response of 1 byte",
        1,
        false,
        &[Pin::One, Pin::Two, Pin::Free],
    ),
    ask(
        "rr-1-spin",
        "TCP request and response of 1 byte, the client spins",
        1,
        true,
        &[Pin::Two, Pin::Free],
    ),
    ask(
        "rr-1k",
        "TCP request and response of 1 KiB",
        1 << 10,
        false,
        &[Pin::One],
    ),
    ask(
        "rr-64k",
        "TCP request and response of 64 KiB",
        64 << 10,
        false,
        &[Pin::One],
    ),
    Case {
        name: "crr",
        about: "TCP connect, 1 byte there and back, close",
        load: Load::Connect,
        pins: &[Pin::One],
    },
    Case {
        name: "udp-echo",
        about: "UDP request and response of 64 bytes",
        load: Load::Datagrams { bytes: 64 },
        pins: &[Pin::One],
    },
    Case {
        name: "udp-bulk",
        about: "UDP, client to subject, datagrams of 1472 bytes",
        load: Load::Flood,
        pins: &[Pin::Free],
    },
    Case {
        name: "udp-bulk-gso",
        about: "UDP, client to subject and back, 44 datagrams of 1472 bytes together",
        load: Load::Volley,
        pins: &[Pin::Free],
    },
    Case {
        name: "proxy",
        about: "TCP, client through subject to a server beside the client, 1 connection",
        load: Load::Proxy,
        pins: &[Pin::Free],
    },
    forward("fwd-64", "packets of 64 bytes, device to device", 64, false),
    forward(
        "fwd-512",
        "packets of 512 bytes, device to device",
        512,
        false,
    ),
    forward(
        "fwd-1500",
        "packets of 1500 bytes, device to device",
        1500,
        false,
    ),
    forward(
        "fwd-64k",
        "super-packets of 44 times 1500 bytes, device to device",
        1500,
        true,
    ),
];

const fn bulk(
    name: &'static str,
    about: &'static str,
    inward: bool,
    outward: bool,
    connections: u32,
) -> Case {
    Case {
        name,
        about,
        load: Load::Bulk {
            inward,
            outward,
            connections,
        },
        pins: &[Pin::Free],
    }
}

const fn ask(
    name: &'static str,
    about: &'static str,
    bytes: u32,
    spin: bool,
    pins: &'static [Pin],
) -> Case {
    Case {
        name,
        about,
        load: Load::Ask { bytes, spin },
        pins,
    }
}

const fn forward(name: &'static str, about: &'static str, bytes: u32, supers: bool) -> Case {
    Case {
        name,
        about,
        load: Load::Forward { bytes, supers },
        pins: &[Pin::Two, Pin::One],
    }
}
