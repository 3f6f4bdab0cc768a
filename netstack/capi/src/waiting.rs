//! Calls that wait: on a stack that runs by itself, for a descriptor that is to be waited for.

use std::time::{Duration, Instant};

use netstack_sockets::Errno;

use crate::hearers::Waiter;
use crate::instance::Instance;
use crate::registry;

/// What a call waits by.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// `SO_RCVTIMEO`.
    Read,
    /// `SO_SNDTIMEO`.
    Write,
    /// `SO_LINGER`, which closing waits by whether or not the descriptor is non-blocking.
    Close,
}

impl Side {
    /// Whether a call on a descriptor waits.
    fn waits(self, on: &Instance, fd: i32) -> Result<bool, Errno> {
        match self {
            Side::Read | Side::Write => on.waits(fd),
            Side::Close => Ok(on.is_attached()),
        }
    }

    /// For how long; `None` is for ever.
    fn patience(self, on: &Instance, fd: i32) -> Result<Option<Duration>, Errno> {
        let [read, write] = on.sockets.patience(fd)?;
        Ok(match self {
            Side::Read => read,
            Side::Write => write,
            Side::Close => on.sockets.lingers(fd)?,
        })
    }
}

/// Which try it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    First,
    /// Something happened to the descriptor.
    Again,
    /// The time is up.
    Last,
}

/// What a try came to.
enum Step<T> {
    Done(T),
    /// It failed for now, with this.
    Wait(Waiter, Errno),
}

/// Makes a call on a descriptor, which waits until it need not: if the stack runs by itself, the descriptor is not
/// non-blocking, and the call is not `hasty`.
pub(crate) fn patiently<T>(
    stack: i32,
    fd: i32,
    side: Side,
    hasty: bool,
    mut work: impl FnMut(&mut Instance, Try) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let mut waited: Option<(Waiter, Errno)> = None;
    let mut until: Option<Instant> = None;
    let mut attempt = Try::First;
    loop {
        let step = registry::with_fd(stack, fd, |on| {
            if let Some((waiter, _)) = &waited
                && waiter.is_closed()
            {
                return Err(Errno::EBADF);
            }
            match work(on, attempt) {
                Err(error) if waits_for(error) && !hasty && side.waits(on, fd)? => {
                    if attempt == Try::First {
                        let patience = side.patience(on, fd)?;
                        until = patience.and_then(|time| Instant::now().checked_add(time));
                    }
                    let waiter = on.hearers.waiter(&mut on.sockets, fd)?;
                    Ok(Step::Wait(waiter, error))
                }
                result => result.map(Step::Done),
            }
        });
        let (waiter, error) = match step? {
            Step::Done(value) => return Ok(value),
            Step::Wait(waiter, error) => (waiter, error),
        };
        // What it failed with at first is what it fails with when the time is up.
        let error = waited.map_or(error, |(_, first)| first);
        if attempt == Try::Last {
            return Err(error);
        }
        attempt = if waiter.sleep(until) {
            Try::Again
        } else {
            Try::Last
        };
        waited = Some((waiter, error));
    }
}

/// Whether a call that fails with this may succeed later.
fn waits_for(error: Errno) -> bool {
    matches!(
        error,
        Errno::EAGAIN | Errno::EINPROGRESS | Errno::EALREADY | Errno::ENOBUFS | Errno::ENOMEM
    )
}
