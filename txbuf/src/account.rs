//! Accounts: limits on storage, charged until the last pin goes.
//!
//! There are two ledgers of memory. Storage is charged to whoever provides it, at its
//! true size, and given back by whichever thread drops the last pin: that is an
//! [`Account`]. What a queue holds is counted by the queue's owner, who alone touches
//! it, in a plain number.
//!
//! # Who waits
//!
//! A charge can be refused by the account it is made to or by any that this lies
//! within, and one that fits here and not outside is taken back after others may have
//! seen it. So whoever waits enters itself with each account that has no room for it,
//! and is told of bytes that come back to any of them, however they do: by a charge
//! dropped, by one taken back, or by a limit raised.
//!
//! None of that is lost. Who waits says so in `waits`, so that whoever finds its entry
//! tells it, enters itself, says so in `waiting`, and then looks at `used`
//! again; who gives back first takes from `used` and then looks at `waiting`. Both do
//! so with read-modify-writes of `used` that acquire and release. If that of who waits
//! comes first, the other one sees the flag, and if not, it is itself the one to see
//! the room. A raised limit is told of in the same way, with a read-modify-write of
//! `used` that takes nothing.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};

use crate::error::NoMemory;
use crate::sync::{self, AtomicU32, AtomicUsize, Mutex, Ordering};

/// What an account's owner is told. Called on the thread that charged or gave back;
/// must not block, and not charge the same account. A panic reaches that thread when all
/// that is to be told is told and counted.
pub trait Watch: Send + Sync + 'static {
    /// Seven eighths of the limit were passed, or, with `on` false, no more than half
    /// of it is in use again. Edges seen by two threads at once may come in either
    /// order; [`Account::is_pressed`] tells how it stands.
    fn pressure(&self, on: bool) {
        let _ = on;
    }

    /// Bytes came back, to this account or one it lies within, after somebody
    /// [waited](Account::wait) for them here; or a limit was raised. It is told once for
    /// any number that waited meanwhile.
    fn room(&self) {}
}

/// A limit on bytes of storage. Cheap to clone; every clone is the same account. An
/// account may lie within another (a socket's within the stack's): what is charged
/// to it is charged there too.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    within: Option<Account>,
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Not zero while somebody is entered in `waiters`.
    waiting: AtomicU32,
    /// Those to tell when bytes come back, by address: this account, and accounts
    /// within it. Who goes away strikes itself off.
    waiters: Mutex<BTreeMap<usize, Weak<Inner>>>,
    /// Not zero while somebody waits here.
    waits: AtomicU32,
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
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            waiting: AtomicU32::new(0),
            waiters: Mutex::new(BTreeMap::new()),
            waits: AtomicU32::new(0),
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

    /// Changes the limit. What is charged beyond a lower one stays charged; a higher
    /// one is told to who waits.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Ordering::Relaxed);
        // As if something was given back: who waits read the old limit before this, and
        // is seen, or reads the new one.
        let used = self.0.used.fetch_add(0, Ordering::AcqRel);
        let mut panic = None;
        if used > limit - limit / 8 {
            self.press_here(&mut panic);
        }
        self.relieve(used, &mut panic);
        self.call_waiters(&mut panic);
        resume(panic);
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
        let mut panic = None;
        let added = self.add(bytes, &mut panic);
        resume(panic);
        added?;
        // The count of the `Arc`.
        sync::note(1);
        let charge = Charge {
            account: self.clone(),
            bytes,
        };
        self.press();
        Ok(charge)
    }

    /// For a writer whose charge of `bytes` was refused: true when it is to wait for
    /// [`Watch::room`], which then comes (it may come before this returns) when bytes
    /// come back to an account that had too few of them, be it this one or one that it
    /// lies within; false when there is room now.
    pub fn wait(&self, bytes: usize) -> bool {
        let mut wait = false;
        let mut account = Some(self);
        while let Some(at) = account {
            if !at.has_room(bytes) {
                // Before the entry: who takes that out finds somebody to tell.
                self.0.waits.store(1, Ordering::Release);
                at.enter(&self.0);
                // Again, now that whoever gives back sees us.
                wait |= !at.has_room(bytes);
            }
            account = at.0.within.as_ref();
        }
        wait
    }

    fn has_room(&self, bytes: usize) -> bool {
        let used = self.0.used.fetch_add(0, Ordering::AcqRel);
        used.checked_add(bytes)
            .is_some_and(|sum| sum <= self.limit())
    }

    /// Enters who is to be told when bytes come back here.
    fn enter(&self, waiter: &Arc<Inner>) {
        let mut waiters = sync::lock(&self.0.waiters);
        waiters.insert(Arc::as_ptr(waiter).addr(), Arc::downgrade(waiter));
        self.0.waiting.swap(1, Ordering::AcqRel);
    }

    /// Charges here and outside. Whoever calls this makes something that gives the
    /// bytes back, and then calls [`press`](Self::press). A `panic` of somebody who was
    /// told is for the caller to [`resume`], once its own counts are right.
    pub(crate) fn add(&self, bytes: usize, panic: &mut Panic) -> Result<(), NoMemory> {
        let limit = self.limit();
        let charge = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= limit);
        let before = self
            .0
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, charge);
        before.map_err(|_| NoMemory)?;
        if let Some(account) = &self.0.within
            && let Err(full) = account.add(bytes, panic)
        {
            // Others may have been refused because of this, or found it too much.
            let left = self.0.used.fetch_sub(bytes, Ordering::AcqRel) - bytes;
            self.relieve(left, panic);
            self.call_waiters(panic);
            return Err(full);
        }
        Ok(())
    }

    /// Tells of pressure after a charge, here and outside.
    #[inline]
    pub(crate) fn press(&self) {
        let mut panic = None;
        let mut account = Some(self);
        while let Some(at) = account {
            let limit = at.limit();
            if at.in_use() > limit - limit / 8 {
                at.press_here(&mut panic);
            }
            account = at.0.within.as_ref();
        }
        resume(panic);
    }

    #[cold]
    fn press_here(&self, panic: &mut Panic) {
        let pressed = &self.0.pressed;
        if pressed.load(Ordering::Relaxed) != 0 || pressed.swap(1, Ordering::AcqRel) != 0 {
            return;
        }
        self.tell(panic, |watch| watch.pressure(true));
        // Everything may have come back before anybody saw that there was pressure.
        let used = self.0.used.fetch_add(0, Ordering::AcqRel);
        self.relieve(used, panic);
    }

    /// Ends the pressure if no more than half is `used`.
    fn relieve(&self, used: usize, panic: &mut Panic) {
        let pressed = &self.0.pressed;
        if used <= self.limit() / 2
            && pressed.load(Ordering::Relaxed) != 0
            && pressed.swap(0, Ordering::AcqRel) != 0
        {
            self.tell(panic, |watch| watch.pressure(false));
        }
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        let mut panic = None;
        self.give_back_telling(bytes, &mut panic);
        resume(panic);
    }

    /// As [`give_back`](Self::give_back), which leaves a `panic` to the caller.
    pub(crate) fn give_back_telling(&self, bytes: usize, panic: &mut Panic) {
        let left = self.0.used.fetch_sub(bytes, Ordering::AcqRel) - bytes;
        self.relieve(left, panic);
        if let Some(account) = &self.0.within {
            account.give_back_telling(bytes, panic);
        }
        self.call_waiters(panic);
    }

    /// Tells those who wait for bytes of this account.
    fn call_waiters(&self, panic: &mut Panic) {
        let waiting = &self.0.waiting;
        if waiting.load(Ordering::Acquire) == 0 || waiting.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        let waiters = std::mem::take(&mut *sync::lock(&self.0.waiters));
        for waiter in waiters.into_values().filter_map(|waiter| waiter.upgrade()) {
            // Once, although it may be entered with several accounts.
            if waiter.waits.swap(0, Ordering::AcqRel) != 0 {
                Account(waiter).tell(panic, |watch| watch.room());
            }
        }
    }

    fn tell(&self, panic: &mut Panic, f: impl FnOnce(&dyn Watch)) {
        if let Some(watch) = &self.0.watch {
            let told = catch_unwind(AssertUnwindSafe(|| f(&**watch)));
            *panic = panic.take().or(told.err());
        }
    }
}

/// The first panic of somebody who was told.
pub(crate) type Panic = Option<Box<dyn Any + Send>>;

/// Goes on with it, unless the thread is unwinding already: two would end the process.
pub(crate) fn resume(panic: Panic) {
    if let Some(panic) = panic
        && !std::thread::panicking()
    {
        resume_unwind(panic);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let address = std::ptr::from_ref(self).addr();
        let mut account = self.within.as_ref();
        while let Some(at) = account {
            sync::lock(&at.0.waiters).remove(&address);
            account = at.0.within.as_ref();
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
