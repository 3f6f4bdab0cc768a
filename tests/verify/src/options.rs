//! How a capture is to be judged.

use std::net::IpAddr;

/// Where a capture was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vantage {
    /// Told by how quickly each side answers what passes the capture.
    #[default]
    Auto,
    /// Beside the side that sends more data.
    Sender,
    /// Beside the side that sends less.
    Receiver,
    /// Beside neither.
    Middle,
}

/// Whether packets were captured as they are on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Told by lengths and checksums that cannot be on a wire.
    #[default]
    Auto,
    /// Before segmentation and checksums: lengths, and the checksums of IPv4, TCP and UDP, are not judged.
    Before,
    /// As on the wire.
    After,
}

/// How a capture is to be judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Where the capture was taken.
    pub vantage: Vantage,
    /// The addresses of the host that the capture was taken beside, where they are known: every TCP connection is then
    /// judged from the place of that one of its ends which has such an address, and `vantage` does not count. What is
    /// said here is believed, also of a host that seems to lose packets between itself and the capture.
    pub beside: Vec<IpAddr>,
    /// Whether the capture has every packet of the hosts in `beside`. What such a host acknowledges and the capture has
    /// not, it has not received; otherwise the capture is taken to lack it, and to be no proof of what was done.
    pub complete: bool,
    /// Whether packets are as on the wire.
    pub offload: Offload,
    /// The MTU of the link, if announced segment sizes are to be held against it.
    pub mtu: Option<u32>,
}
