//! Who waits for descriptors of a stack: blocked calls, and eventfds that the host waits on.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use netstack_sockets::{Errno, Sockets};
use parking_lot::{Condvar, Mutex};
use rustix::event::{EventfdFlags, eventfd};

/// What an eventfd may tell of beside errors and hang-ups.
const ASKED: u32 = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLPRI | libc::EPOLLRDHUP) as u32;
/// What it tells of unasked.
const UNASKED: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

/// All that wait for descriptors of one stack.
#[derive(Default)]
pub(crate) struct Hearers {
    descriptors: BTreeMap<i32, Heard>,
    /// Kept for its memory.
    news: Vec<i32>,
}

/// A descriptor that somebody waits for, or waited for.
#[derive(Default)]
struct Heard {
    calls: Arc<Hearing>,
    bells: Vec<Bell>,
}

/// An eventfd, readable while one of `events` is so.
struct Bell {
    events: u32,
    fd: OwnedFd,
    rings: bool,
}

/// Where calls sleep that wait for a descriptor.
#[derive(Default)]
pub(crate) struct Hearing {
    heard: Mutex<Told>,
    more: Condvar,
}

/// What was told to calls that wait.
#[derive(Clone, Copy, Default)]
struct Told {
    /// How often something happened.
    times: u64,
    /// The descriptor is closed.
    closed: bool,
}

/// A call that is about to wait: whatever happens from now on wakes it.
pub(crate) struct Waiter {
    hearing: Arc<Hearing>,
    seen: u64,
}

impl Waiter {
    /// Sleeps until something happens; false when it is `until` first.
    pub(crate) fn sleep(&self, until: Option<Instant>) -> bool {
        let mut told = self.hearing.heard.lock();
        while told.times == self.seen && !told.closed {
            match until {
                None => self.hearing.more.wait(&mut told),
                Some(until) if self.hearing.more.wait_until(&mut told, until).timed_out() => {
                    return false;
                }
                Some(_) => {}
            }
        }
        true
    }

    /// Whether the descriptor was closed: the same number may be of another one since.
    pub(crate) fn is_closed(&self) -> bool {
        self.hearing.heard.lock().closed
    }
}

impl Hearing {
    fn tell(&self, closed: bool) {
        let mut told = self.heard.lock();
        told.times = told.times.wrapping_add(1);
        told.closed |= closed;
        drop(told);
        self.more.notify_all();
    }
}

impl Hearers {
    /// Prepares a call to wait for a descriptor, under the same lock under which it found that it has to.
    pub(crate) fn waiter(&mut self, sockets: &mut Sockets, fd: i32) -> Result<Waiter, Errno> {
        let hearing = Arc::clone(&self.heard(sockets, fd)?.calls);
        let seen = hearing.heard.lock().times;
        Ok(Waiter { hearing, seen })
    }

    /// An eventfd for the program, to be closed by it.
    pub(crate) fn eventfd(
        &mut self,
        sockets: &mut Sockets,
        fd: i32,
        events: i16,
    ) -> Result<OwnedFd, Errno> {
        let events = u32::from(events as u16);
        if events & !(ASKED | UNASKED) != 0 {
            return Err(Errno::EINVAL);
        }
        let events = events & ASKED;
        let heard = self.heard(sockets, fd)?;
        let at = match heard.bells.iter().position(|bell| bell.events == events) {
            Some(at) => at,
            None => {
                heard.bells.push(Bell::new(events)?);
                heard.bells.len() - 1
            }
        };
        let bell = heard.bells.get(at).ok_or(Errno::EIO)?;
        let own = bell.fd.try_clone().map_err(|_| Errno::EMFILE)?;
        self.look(sockets, fd);
        Ok(own)
    }

    /// Passes on what happened to descriptors; says whether anything did.
    pub(crate) fn settle(&mut self, sockets: &mut Sockets) -> bool {
        let mut news = std::mem::take(&mut self.news);
        sockets.take_news(&mut news);
        let any = !news.is_empty();
        for fd in news.drain(..) {
            if let Some(heard) = self.descriptors.get(&fd) {
                heard.calls.tell(false);
            }
            self.look(sockets, fd);
        }
        self.news = news;
        any
    }

    /// Has the eventfds of a descriptor be as the descriptor is.
    pub(crate) fn look(&mut self, sockets: &mut Sockets, fd: i32) {
        let Some(heard) = self.descriptors.get_mut(&fd) else {
            return;
        };
        let ready = sockets.readiness(fd).unwrap_or(UNASKED);
        for bell in &mut heard.bells {
            bell.set(ready & (bell.events | UNASKED) != 0);
        }
        let out = libc::EPOLLOUT as u32;
        if ready & out == 0
            && heard.bells.iter().any(|bell| bell.events & out != 0)
            && let Ok(Some(socket)) = sockets.handle(fd)
        {
            // Who asks for room that is not there hears when it is.
            let _ = sockets.stack_mut().send_room(socket);
        }
        if heard.bells.is_empty() && Arc::strong_count(&heard.calls) == 1 {
            // Nobody waits any more.
            self.descriptors.remove(&fd);
            let _ = sockets.follow(fd, false);
        }
    }

    /// Tells those that wait for a descriptor that it is closed.
    pub(crate) fn close(&mut self, fd: i32) {
        if let Some(heard) = self.descriptors.remove(&fd) {
            heard.end();
        }
    }

    /// Tells everybody that nothing comes any more.
    pub(crate) fn close_all(&mut self) {
        std::mem::take(&mut self.descriptors)
            .into_values()
            .for_each(Heard::end);
    }

    fn heard(&mut self, sockets: &mut Sockets, fd: i32) -> Result<&mut Heard, Errno> {
        sockets.follow(fd, true)?;
        Ok(self.descriptors.entry(fd).or_default())
    }
}

impl Heard {
    fn end(mut self) {
        self.calls.tell(true);
        // Whoever polls one is told to look, and finds the descriptor closed.
        self.bells.iter_mut().for_each(|bell| bell.set(true));
    }
}

impl Bell {
    fn new(events: u32) -> Result<Bell, Errno> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Bell {
            events,
            fd: fd.map_err(|error| Errno::from_raw(error.raw_os_error()))?,
            rings: false,
        })
    }

    fn set(&mut self, rings: bool) {
        if rings == self.rings {
            return;
        }
        self.rings = rings;
        // It has room for one, and gives it up at once: neither fails unless the program meddles with it.
        let _ = match rings {
            true => rustix::io::write(self.fd.as_fd(), &1u64.to_ne_bytes()),
            false => rustix::io::read(self.fd.as_fd(), &mut [0; 8]),
        };
    }
}
