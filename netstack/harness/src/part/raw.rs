//! A TUN device that is read and written packet by packet, without a driver.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use drivers::{Tun, TunConfig};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;
use txbuf::{Ledger, Pool, PoolConfig};

use crate::BenchError;

/// Room for the largest super-packet, its `virtio_net_hdr` and one byte to tell a longer one by.
pub(super) const ROOM: usize = (64 << 10) + 64;
/// Bytes of the `virtio_net_hdr`.
pub(super) const PREFIX: usize = 10;
/// How long a program sleeps before it looks at the clock.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// An open device.
pub(super) struct Opened {
    tun: Tun,
    offload: bool,
}

/// A TUN descriptor, read and written packet by packet.
pub(super) struct Raw<'a> {
    fd: BorrowedFd<'a>,
    /// Bytes in front of each packet.
    pub(super) prefix: usize,
}

/// Opens the device, which is made if it is not there.
pub(super) fn open(config: &TunConfig) -> Result<Opened, BenchError> {
    // The driver only opens the device: its pool stays empty.
    let storage = PoolConfig {
        segment: 128 << 10,
        limit: 128 << 10,
        keep: 1,
    };
    let pool = Pool::new(&Ledger::new(), storage);
    Ok(Opened {
        tun: Tun::open(config, &pool)?,
        offload: config.offload,
    })
}

impl Opened {
    /// Its descriptor.
    pub(super) fn raw(&self) -> Raw<'_> {
        Raw {
            fd: rustix::fd::AsFd::as_fd(&self.tun),
            prefix: if self.offload { PREFIX } else { 0 },
        }
    }
}

impl Raw<'_> {
    /// Reads a packet; `None` when there is none now.
    pub(super) fn read(&self, room: &mut [u8]) -> std::io::Result<Option<usize>> {
        match rustix::io::read(self.fd, room) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes a packet; `false` when the kernel has no room now.
    pub(super) fn write(&self, packet: &[u8]) -> std::io::Result<bool> {
        match rustix::io::write(self.fd, packet) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sleeps until there is a packet, but not long.
    pub(super) fn sleep(&self, most: Duration) -> std::io::Result<()> {
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
