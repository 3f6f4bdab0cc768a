//! The table of descriptors.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::Errno;
use crate::datagram::Datagram;
use crate::epoll::Epoll;
use crate::packet::PacketSocket;
use crate::stream::Stream;

/// What a descriptor is open on.
#[derive(Debug)]
pub(crate) enum Object {
    Stream(Box<Stream>),
    Datagram(Box<Datagram>),
    Packet(Box<PacketSocket>),
    Epoll(Epoll),
}

/// An open descriptor.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) object: Object,
    /// Whether a front end that would wait does not (`O_NONBLOCK`).
    pub(crate) nonblocking: bool,
    /// The epoll descriptors that watch it.
    pub(crate) watchers: BTreeSet<i32>,
    /// Whether a front end hears what happens to it.
    pub(crate) followed: bool,
    /// It is to hear of it.
    pub(crate) has_news: bool,
    /// How long a front end waits (`SO_RCVTIMEO`, `SO_SNDTIMEO`).
    pub(crate) timeouts: [Option<Duration>; 2],
}

impl File {
    pub(crate) fn new(object: Object, nonblocking: bool) -> File {
        File {
            object,
            nonblocking,
            watchers: BTreeSet::new(),
            followed: false,
            has_news: false,
            timeouts: [None; 2],
        }
    }
}

/// All descriptors, by number: a new one has the lowest that is free.
#[derive(Debug)]
pub(crate) struct Files {
    slots: Vec<Option<File>>,
    first: i32,
    most: usize,
    /// Places among the slots that nothing is in.
    free: BTreeSet<usize>,
}

impl Files {
    /// Numbers begin at `first`; at most `most` are open.
    pub(crate) fn new(first: i32, most: usize) -> Files {
        Files {
            slots: Vec::new(),
            first: first.max(0),
            most: most.min((i32::MAX - first.max(0)) as usize),
            free: BTreeSet::new(),
        }
    }

    pub(crate) fn insert(&mut self, file: File) -> Result<i32, Errno> {
        let at = self.free.first().copied().unwrap_or(self.slots.len());
        if at >= self.most {
            return Err(Errno::EMFILE);
        }
        self.free.pop_first();
        match self.slots.get_mut(at) {
            Some(slot) => *slot = Some(file),
            None => self.slots.push(Some(file)),
        }
        Ok(self.first + at as i32)
    }

    pub(crate) fn get(&self, fd: i32) -> Result<&File, Errno> {
        let slot = self.at(fd).and_then(|at| self.slots.get(at));
        slot.and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    pub(crate) fn get_mut(&mut self, fd: i32) -> Result<&mut File, Errno> {
        let at = self.at(fd);
        let slot = at.and_then(|at| self.slots.get_mut(at));
        slot.and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    pub(crate) fn remove(&mut self, fd: i32) -> Result<File, Errno> {
        let at = self.at(fd).ok_or(Errno::EBADF)?;
        let file = self.slots.get_mut(at).and_then(Option::take);
        let file = file.ok_or(Errno::EBADF)?;
        self.free.insert(at);
        Ok(file)
    }

    /// Every open descriptor.
    pub(crate) fn all(&self) -> Vec<i32> {
        let open = self.slots.iter().enumerate();
        open.filter(|(_, slot)| slot.is_some())
            .map(|(at, _)| self.first + at as i32)
            .collect()
    }

    fn at(&self, fd: i32) -> Option<usize> {
        usize::try_from(fd.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests;
