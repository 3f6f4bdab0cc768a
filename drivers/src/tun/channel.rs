//! An open TUN or TAP device: it carries packets, with the header of their link in front or none. `reader` and `receive`
//! read them, `transmit` writes them.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use txbuf::{Offloads, Pool};

use super::backend::Batches;
use super::batch::Places;
use super::kind::{ETHERNET, LinkKind};
use super::offload::Agreement;
use super::open::{self, TunConfig};
use super::reader::Reader;
use super::{TunError, vnet};
use crate::netlink::{self, Changes};
use crate::{Capabilities, DeviceCounters};

/// Packets for one call: enough that the loop around it costs nothing, few enough that sending gets its turn.
pub(crate) const BURST: usize = 64;

/// Bytes sent together with offload. The more there are, the less often the receiver is woken that has caught up; but the
/// kernel answers in between, what it answers waits in a queue of some 500 packets, and other connections wait as well.
const BURST_BYTES: usize = 2 << 20;
/// Bytes received by one call: what is read is still in a core's cache when the same memory is read into again.
pub(super) const RECEIVE_BYTES: usize = 512 << 10;
/// The longest super-packet.
const LONGEST: usize = 65_535;
/// What may stand in front of a packet: a virtio header and a link's.
pub(super) const FRONT: usize = vnet::LONGEST + ETHERNET;

/// An open device, with a place to read packets into.
pub(crate) struct Channel {
    pub(super) fd: OwnedFd,
    pub(super) kind: LinkKind,
    name: String,
    pub(super) mtu: usize,
    persistent: bool,
    /// What the kernel agreed to do, where each packet has a `virtio_net_hdr` in front.
    agreement: Option<Agreement>,
    changes: Option<Changes>,
    pub(super) reader: Reader,
    /// Room for one packet and what is in front of it: for reading when the pool is at its cap, for writing what has too
    /// many pieces or few bytes in some.
    pub(super) scratch: Box<[u8]>,
    pub(super) batches: Batches,
    pub(super) places: Places,
    pub(crate) counters: DeviceCounters,
}

impl Channel {
    /// Opens the device that `config` names, with a queue for each of `pools`; without one, nothing is done.
    ///
    /// # Errors
    ///
    /// Each [`TunError`] says in one sentence what to do. Nothing is left changed.
    pub(crate) fn open(
        kind: LinkKind,
        config: &TunConfig,
        pools: &[Pool],
    ) -> Result<Vec<Channel>, TunError> {
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let opened = open::open(kind, config, pools.len())?;
        let changes = opened.first().and_then(|first| first.changes.clone());
        let queues = opened.into_iter().zip(pools);
        let queues = queues.map(|(opened, pool)| Channel::new(opened, pool));
        queues
            .collect::<Result<Vec<Channel>, TunError>>()
            .inspect_err(|_| {
                if let Some(changes) = &changes {
                    // The first error says more.
                    let name = &changes.after().name;
                    let _ = netlink::undo(config.netns.as_ref(), name, changes);
                }
            })
    }

    /// An open device that reads into `pool`.
    ///
    /// # Errors
    ///
    /// [`TunError::ArenaTooSmall`].
    pub(super) fn new(opened: open::Opened, pool: &Pool) -> Result<Channel, TunError> {
        let open::Opened {
            fd,
            kind,
            name,
            mtu,
            persistent,
            agreement,
            changes,
            batches,
        } = opened;
        // One byte more than the MTU, so that a longer packet shows instead of being cut short by the kernel. Where packets
        // are of very different lengths, a segment is for two of the longest: each read asks for the room of one, and
        // what no longer has that room would otherwise be all that is behind the first packet, however short it is.
        let (longest, least) = match agreement {
            Some(_) => (LONGEST, 2 * (LONGEST + 1)),
            None => (mtu, kind.front() + mtu + 1),
        };
        if pool.segment() < least {
            return Err(TunError::ArenaTooSmall {
                name,
                least,
                segment: pool.segment(),
            });
        }
        let scratch = vec![0; FRONT + longest + 1].into_boxed_slice();
        Ok(Channel {
            fd,
            kind,
            name,
            mtu,
            persistent,
            agreement,
            changes,
            reader: Reader::new(pool),
            scratch,
            batches,
            places: Places::default(),
            counters: DeviceCounters::default(),
        })
    }

    /// Bytes of the virtio header.
    pub(super) fn vnet(&self) -> usize {
        self.agreement
            .map_or(0, |agreement| agreement.header.length())
    }

    /// One byte more than the longest packet has.
    pub(super) fn room(&self) -> usize {
        self.scratch.len() - FRONT
    }

    /// Bytes in front of each packet.
    pub(super) fn prefix(&self) -> usize {
        self.vnet() + self.kind.front()
    }

    pub(super) fn offloads(&self) -> Option<Offloads> {
        self.agreement.map(|agreement| agreement.offloads)
    }

    /// The sentence for an error that ends the use of the device.
    pub(super) fn failed(&self, errno: Errno) -> io::Error {
        let (kind, name) = (self.kind, &self.name);
        match errno {
            Errno::IO => io::Error::new(
                io::ErrorKind::NetworkDown,
                format!("{kind} device {name} is down: bring it up by `ip link set {name} up`"),
            ),
            Errno::BADFD | Errno::FAULT | Errno::NODEV => io::Error::new(
                io::ErrorKind::NotConnected,
                format!("{kind} device {name} was deleted while in use: open it again"),
            ),
            other => {
                let error = io::Error::from(other);
                io::Error::new(
                    error.kind(),
                    format!("{kind} device {name} failed: {error}"),
                )
            }
        }
    }

    /// What the device can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let plain = Capabilities::plain(self.mtu, BURST);
        match self.offloads() {
            Some(offloads) => Capabilities {
                offloads,
                burst_bytes: BURST_BYTES,
                ..plain
            },
            None => plain,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent
    }

    pub(crate) fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }

    /// What `Debug` says of the device whose type is called `name`.
    pub(crate) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("name", &self.name)
            .field("fd", &self.fd)
            .field("mtu", &self.mtu)
            .field("persistent", &self.persistent)
            .finish_non_exhaustive()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
