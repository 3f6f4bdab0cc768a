//! How a loop sleeps: until a descriptor, its alarm or the clock has something.

use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use smallvec::SmallVec;

use crate::alarm::Alarm;

/// Descriptors for which sleeping allocates nothing.
const USUAL: usize = 4;

/// How long to sleep when there is no sleeping on descriptors.
const BLIND: Duration = Duration::from_millis(10);

/// Sleeps until one of `devices` is readable or `alarm` rings, for at most `timeout`.
pub(crate) fn sleep<'a>(
    alarm: &Alarm,
    devices: impl Iterator<Item = BorrowedFd<'a>>,
    timeout: Option<Duration>,
) {
    let bell = alarm.fd();
    let mut fds = SmallVec::<[_; USUAL]>::from_iter([PollFd::new(&bell, PollFlags::IN)]);
    fds.extend(devices.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    match rustix::event::poll(&mut fds, timeout.map(timespec).as_ref()) {
        Ok(_) if fds[0].revents().is_empty() => {}
        Ok(_) => alarm.clear(),
        Err(rustix::io::Errno::INTR) => {}
        Err(error) => {
            // The kernel is short of memory: the loop goes on by the clock.
            tracing::error!(%error, "the event loop cannot sleep on its descriptors");
            thread::sleep(BLIND);
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests;
