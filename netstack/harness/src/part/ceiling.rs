//! What a TUN device gives at most: programs that answer the kernel's TCP and UDP with prepared headers and keep no
//! state of connections. They acknowledge what they see, holes included, and look at no payload.

mod answer;
mod receive;
mod transmit;
mod wire;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use drivers::{Tun, TunConfig};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;
use txbuf::{Ledger, Pool, PoolConfig};

use crate::BenchError;
use crate::case::Load;

/// Room for the largest super-packet, its `virtio_net_hdr` and one byte to tell a longer one by.
const ROOM: usize = (64 << 10) + 64;
/// Bytes of the `virtio_net_hdr`.
const PREFIX: usize = 10;
/// How long a program sleeps before it looks at the clock.
const LOOK: Duration = Duration::from_millis(50);

/// A TUN descriptor, read and written packet by packet.
struct Raw<'a> {
    fd: BorrowedFd<'a>,
    /// Bytes in front of each packet.
    prefix: usize,
}

/// Serves `load` on the device until `end`.
pub(super) fn run(name: &str, offload: bool, load: Load, end: Instant) -> Result<(), BenchError> {
    // The driver only opens the device: its pool stays empty.
    let config = PoolConfig {
        segment: 64 << 10,
        limit: 64 << 10,
        keep: 1,
    };
    let pool = Pool::new(&Ledger::new(), config);
    let config = TunConfig {
        offload,
        ..TunConfig::new(name)
    };
    let tun = Tun::open(&config, &pool)?;
    let raw = Raw {
        fd: rustix::fd::AsFd::as_fd(&tun),
        prefix: if offload { PREFIX } else { 0 },
    };
    let serve = || {
        super::say_ready()?;
        match load {
            Load::Bulk { inward: true, .. } => receive::acknowledge(&raw, offload, end),
            Load::Bulk { .. } => transmit::send(&raw, offload, end),
            Load::Flood => receive::discard(&raw, end),
            Load::Ask { .. } | Load::Connect | Load::Datagrams { .. } => answer::answer(&raw, end),
        }
    };
    serve().map_err(|error| BenchError::io("drive the TUN device", error))
}

impl Raw<'_> {
    /// Reads a packet; `None` when there is none now.
    fn read(&self, room: &mut [u8]) -> std::io::Result<Option<usize>> {
        match rustix::io::read(self.fd, room) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes a packet; `false` when the kernel has no room now.
    fn write(&self, packet: &[u8]) -> std::io::Result<bool> {
        match rustix::io::write(self.fd, packet) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sleeps until there is a packet, but not long.
    fn sleep(&self, most: Duration) -> std::io::Result<()> {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: most.min(LOOK).subsec_nanos().into(),
        };
        let mut fds = [PollFd::from_borrowed_fd(self.fd, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}
