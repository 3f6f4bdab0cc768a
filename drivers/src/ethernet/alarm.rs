//! One descriptor to sleep on, for a device and for a time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Readable when a device has something, or a time has come.
pub(super) struct Alarm {
    both: OwnedFd,
    timer: OwnedFd,
    /// When it goes off.
    at: Option<Duration>,
}

impl Alarm {
    /// Watches `device`.
    pub(super) fn new(device: BorrowedFd<'_>) -> io::Result<Alarm> {
        let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        for (number, fd) in [(0, device), (1, timer.as_fd())] {
            let data = epoll::EventData::new_u64(number);
            epoll::add(&both, fd, data, epoll::EventFlags::IN)?;
        }
        Ok(Alarm {
            both,
            timer,
            at: None,
        })
    }

    /// Goes off at `at`, it being `now`; not at all, if that is `None`. Until it is set again after that it stays
    /// readable.
    pub(super) fn set(&mut self, now: Duration, at: Option<Duration>) -> io::Result<()> {
        let has_gone_off = self.at.is_some_and(|at| at <= now);
        if self.at == at && !has_gone_off {
            return Ok(());
        }
        // A time of zero would mean never.
        let wait = at.map(|at| at.saturating_sub(now).max(Duration::from_nanos(1)));
        let wait = wait.unwrap_or_default();
        let time = |seconds, nanoseconds| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let value = Itimerspec {
            it_interval: time(0, 0),
            it_value: time(wait.as_secs() as i64, i64::from(wait.subsec_nanos())),
        };
        // Which also takes back that it went off.
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
        self.at = at;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.both.as_fd()
    }
}
