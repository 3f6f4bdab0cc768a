//! Network namespaces that are there: by name, the current one, and code that runs inside one.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::NetlinkError;

/// Where `ip netns` keeps its namespaces.
const NETNS_DIRECTORY: &str = "/run/netns";
/// The calling thread's own namespace.
const THREAD_NETNS: &str = "/proc/thread-self/ns/net";

/// A network namespace, held open: it lives at least as long as the last clone of this handle.
#[derive(Clone, Debug)]
pub struct Netns {
    name: Arc<str>,
    fd: Arc<OwnedFd>,
}

impl Netns {
    /// The namespace that `ip netns add NAME` made.
    ///
    /// # Errors
    ///
    /// [`NetlinkError::NoSuchNamespace`] if there is none, [`NetlinkError::NamespaceDenied`] if it may not be opened.
    pub fn by_name(name: &str) -> Result<Netns, NetlinkError> {
        let missing = || NetlinkError::NoSuchNamespace {
            name: name.to_owned(),
        };
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(missing());
        }
        let file =
            File::open(Path::new(NETNS_DIRECTORY).join(name)).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::NotFound => missing(),
                    io::ErrorKind::PermissionDenied => NetlinkError::NamespaceDenied {
                        name: name.to_owned(),
                    },
                    _ => NetlinkError::Refused {
                        what: format!("open network namespace {name}"),
                        source: error,
                    },
                }
            })?;
        Ok(Netns {
            name: name.into(),
            fd: Arc::new(file.into()),
        })
    }

    /// The calling thread's namespace, for use from threads that are elsewhere.
    ///
    /// # Errors
    ///
    /// /proc is not mounted or not readable.
    pub fn current() -> Result<Netns, NetlinkError> {
        Netns::of_thread("current")
    }

    /// The calling thread's namespace, by a name for messages.
    pub(super) fn of_thread(name: &str) -> Result<Netns, NetlinkError> {
        let file = File::open(THREAD_NETNS).map_err(|source| NetlinkError::Refused {
            what: format!("open {THREAD_NETNS}, the thread's network namespace"),
            source,
        })?;
        Ok(Netns {
            name: name.into(),
            fd: Arc::new(file.into()),
        })
    }

    /// The name it was opened by, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` inside this namespace, on a thread of its own, and waits for it. Sockets and TUN devices opened
    /// by `work` belong to the namespace for good, wherever they are used afterwards.
    ///
    /// # Errors
    ///
    /// [`NetlinkError::NamespaceDenied`] without CAP_SYS_ADMIN.
    ///
    /// # Panics
    ///
    /// If `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetlinkError> {
        on_thread(|| {
            self.enter()?;
            Ok(work())
        })?
    }

    fn enter(&self) -> Result<(), NetlinkError> {
        move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network)).map_err(
            |errno| match errno {
                rustix::io::Errno::PERM => NetlinkError::NamespaceDenied {
                    name: self.name.to_string(),
                },
                rustix::io::Errno::INVAL => NetlinkError::NoSuchNamespace {
                    name: self.name.to_string(),
                },
                other => NetlinkError::Refused {
                    what: format!("enter network namespace {}", self.name),
                    source: other.into(),
                },
            },
        )
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Runs `work` on a new thread and waits: what it does to its namespaces ends with the thread.
pub(super) fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, NetlinkError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netlink".into())
            .spawn_scoped(scope, work)
            .map_err(NetlinkError::Setup)?;
        match thread.join() {
            Ok(value) => Ok(value),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
