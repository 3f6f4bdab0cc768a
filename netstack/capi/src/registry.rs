//! All stacks of the process, by number. A number is never given twice, so that one of a stack that is gone is an error
//! and never another stack.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use netstack_sockets::Errno;
use parking_lot::{Mutex, RwLock};

use crate::instance::Instance;
use crate::opts::Opts;

/// The number of the stack that `ns_init` makes.
pub(crate) const GLOBAL: i32 = 0;

static STACKS: RwLock<BTreeMap<i32, Arc<Mutex<Instance>>>> = RwLock::new(BTreeMap::new());
static NEXT: AtomicI32 = AtomicI32::new(GLOBAL + 1);

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
        let instance = Instance::new(&Opts::parse(opts)?)?;
        let mut stacks = STACKS.write();
        if stacks.contains_key(&number) {
            return Err(Errno::EBUSY);
        }
        stacks.insert(number, Arc::new(Mutex::new(instance)));
        Ok(())
    })
}

/// Ends a stack. A call on it that is under way is finished first.
pub(crate) fn remove(number: i32) -> Result<(), Errno> {
    let stack = STACKS.write().remove(&number).ok_or(unknown(number))?;
    caught(|| {
        drop(stack);
        Ok(())
    })
}

/// Works on a stack. If that panics, which is a bug of the stack, there is no such stack any more.
pub(crate) fn with<T>(
    number: i32,
    work: impl FnOnce(&mut Instance) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let stack = STACKS.read().get(&number).cloned().ok_or(unknown(number))?;
    match catch_unwind(AssertUnwindSafe(|| work(&mut stack.lock()))) {
        Ok(result) => result,
        Err(_) => {
            // What is left of it is not to be trusted, nor dropped here.
            STACKS.write().remove(&number);
            Err(Errno::EIO)
        }
    }
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
