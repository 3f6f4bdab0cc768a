//! `epoll`: what is watched stands in a list when something happened to it, and is looked at when somebody asks.
//!
//! Level-triggered, a descriptor goes back to the list's end when it was told; edge-triggered it does not, before
//! something happens again. One-shot, it is told once and then not before it is armed again. An exclusive watcher is
//! marked like any other: which of several sleepers is woken is a matter of who sleeps, and here nobody does.

mod nesting;

use std::collections::{BTreeMap, BTreeSet};

use netstack_core::Event;

use crate::files::Object;
use crate::readiness::{ERR, HUP, IN, OUT, PRI, RDBAND, RDNORM, WRBAND, WRNORM};
use crate::{Errno, Sockets};

const ET: u32 = libc::EPOLLET as u32;
const ONESHOT: u32 = libc::EPOLLONESHOT as u32;
const WAKEUP: u32 = libc::EPOLLWAKEUP as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
/// What may be said beside `EPOLLEXCLUSIVE`.
const BESIDE_EXCLUSIVE: u32 = IN | OUT | ERR | HUP | WAKEUP | ET | EXCLUSIVE;

/// An event of `epoll`, or what to watch for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpollEvent {
    /// Bits such as `EPOLLIN`.
    pub events: u32,
    /// What the program wants to have with them.
    pub data: u64,
}

/// What one epoll descriptor watches.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    interest: BTreeMap<i32, Interest>,
    /// What something happened to, by its place in the list; each once. Any can be taken out, wherever it stands: of very
    /// many that are ready, each may be closed.
    ready: BTreeMap<u64, i32>,
    /// The place of the next one.
    next: u64,
}

#[derive(Debug)]
struct Interest {
    wanted: EpollEvent,
    /// Where it stands in the list, if it does.
    place: Option<u64>,
    /// It was one-shot, and was told.
    spent: bool,
}

impl Epoll {
    /// Every descriptor that is watched.
    pub(crate) fn watched(&self) -> Vec<i32> {
        self.interest.keys().copied().collect()
    }

    /// Puts a descriptor on the list if it is watched for any of `bits`; says whether it is new there.
    fn mark(&mut self, fd: i32, bits: u32) -> bool {
        let Some(interest) = self.interest.get_mut(&fd) else {
            return false;
        };
        let concerned = bits & (interest.wanted.events | ERR | HUP) != 0;
        if interest.spent || interest.place.is_some() || !concerned {
            return false;
        }
        self.list(fd);
        true
    }

    /// Puts a descriptor that does not stand there at the list's end.
    fn list(&mut self, fd: i32) {
        if let Some(interest) = self.interest.get_mut(&fd) {
            interest.place = Some(self.next);
            self.ready.insert(self.next, fd);
            self.next += 1;
        }
    }

    fn forget(&mut self, fd: i32) {
        let interest = self.interest.remove(&fd);
        if let Some(place) = interest.and_then(|interest| interest.place) {
            self.ready.remove(&place);
        }
    }
}

/// The bits that wake those who wait for them, for what happened.
pub(crate) fn wakes(event: &Event) -> u32 {
    if event.connected || event.closed {
        return u32::MAX;
    }
    let read = if event.readable || event.urgent {
        IN | PRI | RDNORM | RDBAND | ERR
    } else {
        0
    };
    let write = if event.writable {
        OUT | WRNORM | WRBAND
    } else {
        0
    };
    let error = if event.completed || event.stamped {
        ERR
    } else {
        0
    };
    read | write | error
}

impl Sockets {
    /// Makes a descriptor that watches others.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn epoll_create(&mut self) -> Result<i32, Errno> {
        self.open(Object::Epoll(Epoll::default()), false)
    }

    /// Watches a descriptor (`EPOLL_CTL_ADD`), otherwise than before (`EPOLL_CTL_MOD`), or no more (`EPOLL_CTL_DEL`).
    ///
    /// # Errors
    ///
    /// `EBADF`; `EINVAL` where `ep` is no epoll descriptor or watches itself; `EEXIST` and `ENOENT`; `ELOOP` where epoll
    /// descriptors would watch each other in a circle, or more than five of them one behind the other.
    pub fn epoll_ctl(&mut self, ep: i32, op: i32, fd: i32, event: EpollEvent) -> Result<(), Errno> {
        self.take_events();
        let watcher = &self.files.get(ep)?.object;
        let watched = &self.files.get(fd)?.object;
        let Object::Epoll(epoll) = watcher else {
            return Err(Errno::EINVAL);
        };
        if ep == fd {
            return Err(Errno::EINVAL);
        }
        let wanted = event;
        let is_there = epoll.interest.get(&fd);
        let exclusive = wanted.events & EXCLUSIVE != 0;
        if exclusive && op != libc::EPOLL_CTL_DEL {
            let nested = matches!(watched, Object::Epoll(_));
            let beside = wanted.events & !BESIDE_EXCLUSIVE != 0;
            if op == libc::EPOLL_CTL_MOD || nested || beside {
                return Err(Errno::EINVAL);
            }
        }
        match (op, is_there) {
            (libc::EPOLL_CTL_ADD, None) => {
                if matches!(watched, Object::Epoll(_)) && !self.may_nest(ep, fd) {
                    return Err(Errno::ELOOP);
                }
                self.files.get_mut(fd)?.watchers.insert(ep);
            }
            (libc::EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST),
            (libc::EPOLL_CTL_MOD, Some(old)) => {
                if old.wanted.events & EXCLUSIVE != 0 {
                    return Err(Errno::EINVAL);
                }
            }
            (libc::EPOLL_CTL_DEL, Some(_)) => {
                self.epoll_mut(ep)?.forget(fd);
                self.files.get_mut(fd)?.watchers.remove(&ep);
                return Ok(());
            }
            (libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL, None) => return Err(Errno::ENOENT),
            _ => return Err(Errno::EINVAL),
        }
        let epoll = self.epoll_mut(ep)?;
        let place = epoll.interest.get(&fd).and_then(|interest| interest.place);
        let interest = Interest {
            wanted,
            place,
            spent: false,
        };
        epoll.interest.insert(fd, interest);
        // What is so already is told too.
        let mask = self.readiness(fd)?;
        self.mark(ep, fd, mask);
        Ok(())
    }

    /// Tells what there is now of what is watched, at most `into.len()` descriptors; returns of how many. Those that it
    /// has no room for come first the next time.
    ///
    /// # Errors
    ///
    /// `EBADF`; `EINVAL` where `ep` is no epoll descriptor or `into` is empty.
    pub fn epoll_wait(&mut self, ep: i32, into: &mut [EpollEvent]) -> Result<usize, Errno> {
        self.take_events();
        self.files.get(ep)?;
        let listed = self.epoll_mut(ep)?.ready.len();
        if into.is_empty() {
            return Err(Errno::EINVAL);
        }
        let mut told = 0;
        for _ in 0..listed {
            let Some(place) = into.get_mut(told) else {
                break;
            };
            let Some((_, fd)) = self.epoll_mut(ep)?.ready.pop_first() else {
                break;
            };
            let mask = self.readiness(fd).unwrap_or(0);
            let epoll = self.epoll_mut(ep)?;
            let Some(interest) = epoll.interest.get_mut(&fd) else {
                continue;
            };
            interest.place = None;
            let events = mask & (interest.wanted.events | ERR | HUP);
            if interest.spent || events == 0 {
                continue;
            }
            *place = EpollEvent {
                events,
                data: interest.wanted.data,
            };
            told += 1;
            if interest.wanted.events & ONESHOT != 0 {
                interest.spent = true;
            } else if interest.wanted.events & ET == 0 {
                epoll.list(fd);
            }
        }
        Ok(told)
    }

    /// How many descriptors [`epoll_wait`](Self::epoll_wait) looks at if it is called now: it tells of no more.
    ///
    /// # Errors
    ///
    /// `EBADF`; `EINVAL` where `ep` is no epoll descriptor.
    pub fn epoll_listed(&mut self, ep: i32) -> Result<usize, Errno> {
        self.take_events();
        Ok(self.epoll_mut(ep)?.ready.len())
    }

    /// Tells those that watch a descriptor that something of `bits` may have happened to it.
    pub(crate) fn wake(&mut self, fd: i32, bits: u32) {
        self.note(fd);
        let Ok(file) = self.files.get_mut(fd) else {
            return;
        };
        // Nobody looks at them meanwhile: what they watch is none of theirs.
        let watchers = core::mem::take(&mut file.watchers);
        for watcher in &watchers {
            self.mark(*watcher, fd, bits);
        }
        if let Ok(file) = self.files.get_mut(fd) {
            file.watchers = watchers;
        }
    }

    fn mark(&mut self, ep: i32, fd: i32, bits: u32) {
        if self.epoll_mut(ep).is_ok_and(|epoll| epoll.mark(fd, bits)) {
            self.wake(ep, IN | RDNORM);
        }
    }

    /// Has nobody watch a descriptor that is closed.
    pub(crate) fn forget_interest(&mut self, fd: i32, watchers: &BTreeSet<i32>) {
        for watcher in watchers {
            if let Ok(epoll) = self.epoll_mut(*watcher) {
                epoll.forget(fd);
            }
        }
    }

    fn epoll_mut(&mut self, ep: i32) -> Result<&mut Epoll, Errno> {
        match &mut self.files.get_mut(ep)?.object {
            Object::Epoll(epoll) => Ok(epoll),
            _ => Err(Errno::EINVAL),
        }
    }
}
