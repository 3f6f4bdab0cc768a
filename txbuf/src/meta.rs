//! What travels with a packet beside its bytes.

/// Metadata of a [`Packet`](crate::Packet).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Interface the packet came in on or goes out on; the numbers are the
    /// stack's.
    pub iface: u32,
    /// When the packet was received, in nanoseconds; 0 when not known.
    pub timestamp: u64,
    /// What is known of the transport checksum.
    pub checksum: Checksum,
    /// Set when the packet stands for several on the wire.
    pub gso: Option<Gso>,
}

/// State of the transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Sent: the field is final. Received: nobody has checked it yet.
    #[default]
    Complete,
    /// Received: the device vouches for it.
    Verified,
    /// The field holds the folded, not inverted sum of the pseudo-header. Sent:
    /// the edge adds the rest. Received: the packet never was on a wire and is
    /// trusted.
    Partial {
        /// Where the summed bytes begin, from the start of the packet.
        start: u16,
        /// Where the field lies, from `start`.
        offset: u16,
    },
}

/// How a super-packet is to be cut into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// What the copies of the header need.
    pub kind: GsoKind,
    /// Payload bytes per segment (the last may have fewer).
    pub size: u16,
    /// Bytes of headers that every segment repeats.
    pub headers: u16,
}

/// The protocol of a super-packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GsoKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP over either, as the IP version says.
    Udp,
}

/// What a device does by itself. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Takes packets with [`Checksum::Partial`].
    pub tx_checksum: bool,
    /// May deliver [`Checksum::Verified`] and [`Checksum::Partial`].
    pub rx_checksum: bool,
    /// Takes and delivers TCP super-packets.
    pub tso: bool,
    /// Takes and delivers UDP super-packets.
    pub uso: bool,
}
