//! Accounts: limits on storage, charged until the last pin goes.
//!
//! There are two ledgers of memory. Storage is charged to whoever provides it, at its
//! true size, and given back by whichever thread drops the last pin: that is an
//! [`Account`]. What a queue holds is counted by the queue's owner, who alone touches
//! it, in a plain number.

use std::fmt;
use std::sync::Arc;

use crate::error::NoMemory;
use crate::sync::{self, AtomicU32, AtomicUsize, Level, Ordering};

/// What an account's owner is told. Called on the thread that charged or gave back;
/// must not block, and not charge the same account.
pub trait Watch: Send + Sync + 'static {
    /// Seven eighths of the limit were passed, or, with `on` false, no more than half
    /// of it is in use again. Edges seen by two threads at once may come in either
    /// order; [`Account::is_pressed`] tells how it stands.
    fn pressure(&self, on: bool) {
        let _ = on;
    }

    /// Bytes were given back after somebody [waited](Account::wait).
    fn room(&self) {}
}

/// A limit on bytes of storage. Cheap to clone; every clone is the same account. An
/// account may lie within another (a socket's within the stack's): what is charged
/// to it is charged there too.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    within: Option<Account>,
    limit: Level,
    used: AtomicUsize,
    /// Not zero while somebody waits for bytes.
    waiting: AtomicU32,
    /// Not zero under pressure.
    pressed: AtomicU32,
    watch: Option<Box<dyn Watch>>,
}

impl Account {
    /// An account of its own with a limit in bytes.
    pub fn new(limit: usize) -> Self {
        Self::build(limit, None, None)
    }

    /// As [`new`](Self::new), with somebody to tell.
    pub fn watched(limit: usize, watch: impl Watch) -> Self {
        Self::build(limit, None, Some(Box::new(watch)))
    }

    /// An account within this one.
    #[must_use]
    pub fn within(&self, limit: usize) -> Self {
        Self::build(limit, Some(self.clone()), None)
    }

    /// An account within this one, with somebody to tell.
    #[must_use]
    pub fn within_watched(&self, limit: usize, watch: impl Watch) -> Self {
        Self::build(limit, Some(self.clone()), Some(Box::new(watch)))
    }

    fn build(limit: usize, within: Option<Self>, watch: Option<Box<dyn Watch>>) -> Self {
        Self(Arc::new(Inner {
            within,
            limit: Level::new(limit),
            used: AtomicUsize::new(0),
            waiting: AtomicU32::new(0),
            pressed: AtomicU32::new(0),
            watch,
        }))
    }

    /// Bytes charged at the moment.
    pub fn in_use(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most that can be charged.
    pub fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit. What is charged beyond a lower one stays charged.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// True under pressure, see [`Watch::pressure`].
    pub fn is_pressed(&self) -> bool {
        self.0.pressed.load(Ordering::Relaxed) != 0
    }

    /// Charges `bytes` here and wherever this account lies within. They are given
    /// back when the [`Charge`] is dropped: together with storage it was put to
    /// (`(owner, charge)` is a [`StableBytes`](crate::StableBytes)), or by itself.
    ///
    /// # Errors
    ///
    /// [`NoMemory`] when a limit would be passed; nothing is charged.
    pub fn charge(&self, bytes: usize) -> Result<Charge, NoMemory> {
        self.add(bytes)?;
        // The count of the `Arc`.
        sync::note(1);
        Ok(Charge {
            account: self.clone(),
            bytes,
        })
    }

    /// For a writer whose charge of `bytes` was refused: true when it is to wait for
    /// [`Watch::room`], which then comes when anything is given back; false when
    /// there is room now.
    pub fn wait(&self, bytes: usize) -> bool {
        let Inner {
            waiting,
            used,
            within,
            ..
        } = &*self.0;
        // Both are read-modify-writes. If the one on `used` comes before that of
        // somebody who gives back, then his look at `waiting` comes after ours.
        waiting.swap(1, Ordering::AcqRel);
        let now = used.fetch_add(0, Ordering::AcqRel);
        let full = now.checked_add(bytes).is_none_or(|sum| sum > self.limit());
        let outside = within.as_ref().is_some_and(|account| account.wait(bytes));
        full || outside
    }

    pub(crate) fn add(&self, bytes: usize) -> Result<(), NoMemory> {
        let limit = self.limit();
        let charge = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= limit);
        let before = self
            .0
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, charge);
        let used = before.map_err(|_| NoMemory)? + bytes;
        if let Some(account) = &self.0.within
            && let Err(full) = account.add(bytes)
        {
            self.0.used.fetch_sub(bytes, Ordering::AcqRel);
            return Err(full);
        }
        if used > limit - limit / 8 && self.0.pressed.swap(1, Ordering::AcqRel) == 0 {
            self.tell(|watch| watch.pressure(true));
        }
        Ok(())
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        let Inner {
            waiting,
            used,
            pressed,
            ..
        } = &*self.0;
        let left = used.fetch_sub(bytes, Ordering::AcqRel) - bytes;
        if left <= self.limit() / 2
            && pressed.load(Ordering::Relaxed) != 0
            && pressed.swap(0, Ordering::AcqRel) != 0
        {
            self.tell(|watch| watch.pressure(false));
        }
        if let Some(account) = &self.0.within {
            account.give_back(bytes);
        }
        if waiting.load(Ordering::Acquire) != 0 && waiting.swap(0, Ordering::AcqRel) != 0 {
            self.tell(|watch| watch.room());
        }
    }

    fn tell(&self, f: impl FnOnce(&dyn Watch)) {
        if let Some(watch) = &self.0.watch {
            f(&**watch);
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("in_use", &self.in_use())
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}

/// Bytes charged to an [`Account`] until this is dropped.
#[derive(Debug)]
pub struct Charge {
    account: Account,
    bytes: usize,
}

impl Charge {
    /// How many.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `bytes` of them (all, if there are fewer) as a charge of their own.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Charge {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Charge {
            account: self.account.clone(),
            bytes,
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        sync::note(1);
        self.account.give_back(self.bytes);
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
