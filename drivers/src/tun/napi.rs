//! A thread of the kernel that takes in what a device sends.
//!
//! A write to a TUN device ends when the kernel has done all that the packet calls for, up to the socket it is for. With
//! NAPI on a thread of the device's own the write ends as soon as the packet is queued. The thread finds several of them,
//! joins the segments of a stream, and works on another core.

use std::thread;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::UnshareFlags;

use super::TunError;
use crate::sys;

/// Lets the kernel take in by threads what comes from the device `name` of the calling thread's network namespace, to
/// which a queue with `IFF_NAPI` is attached.
///
/// # Errors
/// [`TunError::NoThreads`], and [`TunError::Refused`] where no thread can be started to do it.
pub(super) fn start_threads(name: &str) -> Result<(), TunError> {
    // What is mounted on /sys shows the devices of the namespace that it was mounted in. So another is mounted, by a
    // thread that ends with its mounts: file trees belong to threads.
    let switched = thread::scope(|scope| {
        let switching = thread::Builder::new().spawn_scoped(scope, || {
            let setting = open_setting(name, OFlags::WRONLY)?;
            rustix::io::write(&setting, b"1").map(drop)
        });
        switching.map(thread::ScopedJoinHandle::join)
    });
    match switched {
        Ok(Ok(switched)) => switched.map_err(|errno| TunError::NoThreads {
            name: name.to_owned(),
            source: errno.into(),
        }),
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => Err(TunError::Refused {
            what: "start a thread that sets the device up".to_owned(),
            source: error,
        }),
    }
}

/// Opens the device's setting, on a thread that may be given a file tree of its own.
fn open_setting(name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    sys::unshare_namespaces(UnshareFlags::NEWNS)?;
    let path = format!("class/net/{name}/threaded");
    rustix::fs::openat(
        mount_sysfs()?.as_fd(),
        path,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// A sysfs that is mounted nowhere: it goes with its descriptor.
fn mount_sysfs() -> Result<OwnedFd, Errno> {
    let sysfs = fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(sysfs.as_fd())?;
    fsmount(
        sysfs.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
}

#[cfg(test)]
mod tests;
