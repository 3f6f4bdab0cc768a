//! What a front end hears that waits for its callers: which descriptors something happened to.

use core::time::Duration;

use crate::{Errno, Sockets};

impl Sockets {
    /// Has [`take_news`](Self::take_news) tell of a descriptor, or no more. Who follows one looks at
    /// [`readiness`](Self::readiness) first: only what happens from then on is told.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn follow(&mut self, fd: i32, follow: bool) -> Result<(), Errno> {
        self.files.get_mut(fd)?.followed = follow;
        Ok(())
    }

    /// Adds to `into` the descriptors that are [followed](Self::follow) and that something happened to, which may have
    /// changed what can be done with them; each once.
    pub fn take_news(&mut self, into: &mut Vec<i32>) {
        self.take_events();
        for fd in self.news.drain(..) {
            if let Ok(file) = self.files.get_mut(fd) {
                file.has_news = false;
                into.push(fd);
            }
        }
    }

    /// How long a front end waits that reads (`SO_RCVTIMEO`), and one that writes (`SO_SNDTIMEO`); `None` is for ever.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn patience(&self, fd: i32) -> Result<[Option<Duration>; 2], Errno> {
        Ok(self.files.get(fd)?.timeouts)
    }

    /// Notes that something happened to a descriptor.
    pub(crate) fn note(&mut self, fd: i32) {
        if let Ok(file) = self.files.get_mut(fd)
            && file.followed
            && !file.has_news
        {
            file.has_news = true;
            self.news.push(fd);
        }
    }
}
