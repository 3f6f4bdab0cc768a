//! What a stack asks of a network device.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use txbuf::{GsoKind, Offloads, Packet};

/// What a device can do. Constant while the device lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The largest IP packet on the wire in bytes. A super-packet may be larger; its segments may not.
    pub mtu: usize,
    /// What may be left to the device: checksums to be completed, super-packets to be cut.
    pub offloads: Offloads,
    /// The most packets that are worth handing over or asking for in one call.
    pub burst: usize,
    /// Most bytes worth handing over in one call: what goes beyond is sent before what arrived meanwhile, such as
    /// acknowledgements, is looked at.
    pub burst_bytes: usize,
    /// The memory of devices whose bytes this device moves although the CPU may not read them, by the number of its
    /// [provider](txbuf::DeviceMemory::provider): it sends payload that lies there and completes its checksum, and
    /// receives payload into it. Payload of another provider is dropped and counted (`tx_unreadable`), but for a memory
    /// link, which moves no bytes and hands all on as it is.
    pub device_memory: Option<u64>,
}

impl Capabilities {
    /// A device for packets of up to `mtu` bytes, which does nothing itself.
    pub fn plain(mtu: usize, burst: usize) -> Capabilities {
        Capabilities {
            mtu,
            offloads: Offloads::default(),
            burst,
            burst_bytes: burst * mtu,
            device_memory: None,
        }
    }
}

/// A network device: IP packets in, IP packets out.
///
/// One thread drives a device. It calls [`receive`](Device::receive) when the [`poll_fd`](Device::poll_fd) is
/// readable, and [`transmit`](Device::transmit) when it has packets; neither blocks.
pub trait Device: Send {
    /// What this device can do.
    fn capabilities(&self) -> Capabilities;

    /// Appends up to `max` received packets to `into` and returns how many. 0 means that there is none now; it is
    /// never `WouldBlock`. The packets belong to the caller; their payload stays in the storage it was received in.
    ///
    /// # Errors
    ///
    /// The device is unusable: it is down, or was deleted. Packets appended before the error stay appended.
    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize>;

    /// Takes packets from the front of `from` and returns how many, which may be fewer than there are: the rest
    /// stays in order, for a later call, and that is the only back-pressure. Nothing is dropped for lack of room.
    ///
    /// A packet must keep to the [`capabilities`](Device::capabilities); one that does not is dropped and counted.
    /// A super-packet of which the device could take only a part stays as the super-packet of the rest.
    ///
    /// # Errors
    ///
    /// The device is unusable: it is down, or was deleted. Packets that were not sent stay in `from`.
    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize>;

    /// As [`transmit`](Device::transmit), for segments that an [`Edge`](crate::Edge) has cut and summed. Their payload was
    /// read for that, so that a device may copy each into one piece, if one piece leaves sooner than several.
    ///
    /// # Errors
    ///
    /// As [`transmit`](Device::transmit).
    fn transmit_summed(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        self.transmit(from)
    }

    /// Says that what comes is only carried on: from now on a received packet may have every byte in its payload, and
    /// who wants to see its headers pulls them. A device for which that is not cheaper does nothing.
    fn receive_whole(&mut self) {}

    /// A descriptor that is readable as long as [`receive`](Device::receive) has something, and not only once when it
    /// comes: a loop may sleep on it without asking again before. `None` if the device was made without one.
    ///
    /// A memory link's is readable too when it took fewer packets than it was given and has room again. A TUN device
    /// has no way to tell that: its kernel queue is full only for moments, so try again within a millisecond or so.
    fn poll_fd(&self) -> Option<BorrowedFd<'_>>;

    /// What has passed and what has not.
    fn counters(&self) -> DeviceCounters;
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn receive(&mut self, into: &mut Vec<Packet>, max: usize) -> io::Result<usize> {
        (**self).receive(into, max)
    }

    fn transmit(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        (**self).transmit(from)
    }

    fn transmit_summed(&mut self, from: &mut VecDeque<Packet>) -> io::Result<usize> {
        (**self).transmit_summed(from)
    }

    fn receive_whole(&mut self) {
        (**self).receive_whole();
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).poll_fd()
    }

    fn counters(&self) -> DeviceCounters {
        (**self).counters()
    }
}

/// The classes that a counter may be declared to have. Without one it counts what passes, or an event.
macro_rules! of_class {
    (dropped $value:expr) => {
        $value
    };
}

/// Makes the struct, its iterator and its sums from one list, so that none of them can miss a counter.
macro_rules! device_counters {
    ($($(#[$doc:meta])* $name:ident $(: $class:ident)?,)*) => {
        /// Packets and bytes that passed a device, and every reason for which one did not.
        ///
        /// A layer around a device adds to the counters of the device inside it.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct DeviceCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl DeviceCounters {
            /// Every counter with its name, for printing.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// Packets that did not pass: the sum of the counters that count nothing else.
            pub fn drops(&self) -> u64 {
                0_u64 $($(.wrapping_add(of_class!($class self.$name)))?)*
            }

            /// Each counter increased by the same one of `more`.
            pub fn plus(&self, more: &DeviceCounters) -> DeviceCounters {
                DeviceCounters { $($name: self.$name.wrapping_add(more.$name)),* }
            }
        }
    };
}

device_counters! {
    /// Packets received.
    rx_packets,
    /// Bytes received, IP headers included.
    rx_bytes,
    /// Packets sent, as they were on the wire.
    tx_packets,
    /// Bytes sent, IP headers included.
    tx_bytes,
    /// Received packets dropped because they, or their segments, were larger than the MTU the device was opened with.
    rx_too_big: dropped,
    /// Received packets dropped because the pool they are read into was at its cap.
    rx_no_memory: dropped,
    /// Received packets dropped because their offload header has a checksum where their transport has none, or segments
    /// without a checksum to complete.
    rx_bad_checksum_place: dropped,
    /// Received super-packets dropped because their offload header names another kind than theirs, or an unknown one.
    rx_bad_gso_kind: dropped,
    /// Received super-packets dropped because a length does not fit: that of the headers in the offload header, or that
    /// of the packet in its IP or UDP header.
    rx_bad_gso_length: dropped,
    /// Received fragments dropped because they were said to be super-packets, or to have a checksum to complete.
    rx_bad_gso_fragment: dropped,
    /// Received super-packets dropped because the checksum of their IPv4 header was wrong: their segments' would be right.
    rx_bad_gso_header_checksum: dropped,
    /// Received super-packets dropped because they had a TCP flag that is for one segment alone: SYN, RST or URG.
    rx_bad_gso_flags: dropped,
    /// Received super-packets dropped because no sender makes segments that small: of nothing, or of less than any TCP
    /// segment has.
    rx_bad_gso_size: dropped,
    /// Received frames dropped because they were shorter than their link's header.
    rx_short: dropped,
    /// Received frames dropped because they were for another interface, or for all although their packet is for one.
    rx_not_for_us: dropped,
    /// Received frames dropped because what they carry is neither IP nor the resolution of its addresses.
    rx_unknown_protocol: dropped,
    /// Received frames dropped because what they carry is not what they say, or breaks a rule of address resolution.
    rx_malformed: dropped,
    /// Packets dropped because the neighbour they were for did not answer, or could not be asked.
    tx_unresolved: dropped,
    /// Packets dropped because too many waited for neighbours, or too many neighbours were looked for; answers to
    /// neighbours dropped because too many waited to be sent.
    tx_neighbour_full: dropped,
    /// Packets dropped because they were larger than the MTU.
    tx_too_big: dropped,
    /// Packets dropped because they needed an offload that the device has not.
    tx_unsupported: dropped,
    /// Packets dropped because the CPU may not read their payload.
    tx_unreadable: dropped,
    /// Packets dropped because their payload had to be copied and the pool for that was at its cap.
    tx_no_memory: dropped,
    /// Packets dropped because the kernel refused them as malformed.
    tx_refused: dropped,
    /// Packets dropped because their headers do not fit their offload metadata.
    tx_malformed: dropped,
    /// Packets dropped because the other end of the link is gone.
    tx_no_peer: dropped,
    /// Questions and answers of neighbours received.
    neighbour_messages,
    /// Messages of a neighbour that claims an address of this host.
    address_conflicts,
    /// Times that a device took fewer packets than it was given.
    tx_backpressure,
    /// Super-packets cut into segments.
    super_packets,
    /// Segments they were cut into.
    segments,
    /// Received segments that were joined to the one before them.
    joined,
    /// Packets that could not be captured because the capture queue was full or its writer had failed.
    capture_dropped,
}

/// Whether a device with these offloads cuts super-packets of this kind itself. Cutting makes new checksums, so it
/// takes that offload too.
pub(crate) fn cuts(offloads: Offloads, kind: GsoKind) -> bool {
    offloads.tx_checksum
        && match kind {
            GsoKind::TcpV4 | GsoKind::TcpV6 => offloads.tso,
            GsoKind::Udp => offloads.uso,
        }
}
