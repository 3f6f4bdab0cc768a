//! All stacks of the process, by number. A number is never given twice, so that one of a stack that is gone is an error
//! and never another stack.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use netstack_sockets::Errno;
use parking_lot::{Mutex, RwLock};
use runtime::Driver;

use crate::attach;
use crate::instance::Instance;
use crate::opts::Opts;

/// The number of the stack that `ns_init` makes.
pub(crate) const GLOBAL: i32 = 0;

/// How long the end of a stack that runs by itself waits for what closed connections still have to deliver.
const LINGER: Duration = Duration::from_secs(5);

static STACKS: RwLock<BTreeMap<i32, Arc<Home>>> = RwLock::new(BTreeMap::new());
static NEXT: AtomicI32 = AtomicI32::new(GLOBAL + 1);

/// Where a stack lives.
enum Home {
    /// By itself nothing happens there.
    Still(Box<Mutex<Instance>>),
    /// It has a thread of its own.
    Attached(Driver<Instance>),
}

impl Home {
    fn new(opts: &Opts) -> Result<Home, Errno> {
        Ok(match &opts.attach {
            None => Home::Still(Box::new(Mutex::new(Instance::new(opts)?))),
            Some(attach) => Home::Attached(attach::start(opts, attach)?),
        })
    }

    /// Works on the stack, alone. `None`: it has ended.
    fn with<T>(&self, work: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        let settled = |on: &mut Instance| {
            let done = work(on);
            on.settle();
            done
        };
        match self {
            Home::Still(instance) => Some(settled(&mut instance.lock())),
            Home::Attached(driver) => driver
                .with(|on, now| {
                    on.now = now;
                    settled(on)
                })
                .ok(),
        }
    }

    /// Ends the stack's thread, if it has one, and tells all that wait.
    fn end(&self, patience: Duration) {
        match self {
            Home::Still(instance) => instance.lock().hearers.close_all(),
            Home::Attached(driver) => {
                // One that has died has ended too.
                let _ = driver.shutdown(patience);
            }
        }
    }
}

/// Makes a stack with a number of its own.
pub(crate) fn add(opts: &str) -> Result<i32, Errno> {
    let number = NEXT
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            next.checked_add(1)
        })
        .map_err(|_| Errno::EMFILE)?;
    add_as(number, opts)?;
    Ok(number)
}

/// Makes the stack of this number.
pub(crate) fn add_as(number: i32, opts: &str) -> Result<(), Errno> {
    caught(|| {
        let opts = Opts::parse(opts)?;
        if STACKS.read().contains_key(&number) {
            return Err(Errno::EBUSY);
        }
        // Others go on meanwhile: a device takes its time.
        let home = Arc::new(Home::new(&opts)?);
        let mut stacks = STACKS.write();
        if stacks.contains_key(&number) {
            drop(stacks);
            return Err(Errno::EBUSY);
        }
        stacks.insert(number, home);
        Ok(())
    })
}

/// Ends a stack. A call on it that is under way is finished first; one that waits is told.
pub(crate) fn remove(number: i32) -> Result<(), Errno> {
    let home = STACKS.write().remove(&number).ok_or(unknown(number))?;
    caught(|| {
        home.end(LINGER);
        drop(home);
        Ok(())
    })
}

/// Works on a stack. If that panics, which is a bug of the stack, there is no such stack any more.
pub(crate) fn with<T>(
    number: i32,
    work: impl FnOnce(&mut Instance) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let home = STACKS.read().get(&number).cloned();
    let home = home.ok_or(unknown(number))?;
    match catch_unwind(AssertUnwindSafe(|| home.with(work))) {
        Ok(result) => result.ok_or(unknown(number))?,
        Err(_) => {
            // What is left of it is not to be trusted, nor dropped.
            let _kept = ManuallyDrop::new(STACKS.write().remove(&number));
            let home = ManuallyDrop::new(home);
            let _ = catch_unwind(AssertUnwindSafe(|| home.end(Duration::ZERO)));
            Err(Errno::EIO)
        }
    }
}

/// Works on a stack for a call on a descriptor, which leaves the descriptor's eventfds as they should be.
pub(crate) fn with_fd<T>(
    number: i32,
    fd: i32,
    work: impl FnOnce(&mut Instance) -> Result<T, Errno>,
) -> Result<T, Errno> {
    with(number, |on| {
        let result = work(on);
        on.hearers.look(&mut on.sockets, fd);
        result
    })
}

fn caught<T>(work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Errno::EIO))
}

fn unknown(number: i32) -> Errno {
    if number == GLOBAL {
        Errno::ENODEV
    } else {
        Errno::EBADF
    }
}
