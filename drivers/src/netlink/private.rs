//! Network namespaces made on the spot: one without a name, and one for this process alone, which needs no privilege.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

use super::changes::loopback_up;
use super::namespace::on_thread;
use super::{NetlinkError, Netns};
use crate::sys;

impl Netns {
    /// A fresh namespace without a name, with nothing in it but a loopback device that is up. It goes away with the
    /// last handle, descriptor or thread in it.
    ///
    /// # Errors
    ///
    /// [`NetlinkError::NoPermission`] without CAP_SYS_ADMIN; [`private_namespace`] works
    /// without, for the whole process.
    pub fn anonymous() -> Result<Netns, NetlinkError> {
        let netns = on_thread(|| {
            sys::unshare_namespaces(UnshareFlags::NEWNET).map_err(|errno| match errno {
                Errno::PERM => NetlinkError::NoPermission {
                    what: "make a network namespace (which also takes CAP_SYS_ADMIN)".into(),
                },
                other => NetlinkError::Refused {
                    what: "make a network namespace".into(),
                    source: other.into(),
                },
            })?;
            Netns::of_thread("anonymous")
        })??;
        loopback_up(Some(&netns))?;
        Ok(netns)
    }
}

/// Moves the whole process into a new user and network namespace, in which it has every right over the (private,
/// empty) network, and brings the loopback device up. The calling user appears as root inside; files it writes
/// belong to the calling user as before.
///
/// Must be called while the process has a single thread: namespaces belong to threads, and those that exist would
/// stay outside. /proc/self/task is checked. There is no way back; after an error the process can go on with what
/// needs no network of the kernel.
///
/// # Errors
///
/// [`NetlinkError::NotSingleThreaded`]; [`NetlinkError::NoUserNamespaces`] if the kernel was built without them or
/// its settings forbid them.
pub fn private_namespace() -> Result<(), NetlinkError> {
    let threads = fs::read_dir("/proc/self/task")
        .map_err(|source| refused("count the process's threads in /proc/self/task", source))?
        .count();
    if threads != 1 {
        return Err(NetlinkError::NotSingleThreaded { threads });
    }
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    sys::unshare_namespaces(UnshareFlags::NEWUSER | UnshareFlags::NEWNET).map_err(no_namespace)?;
    write_map("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    // Without this a group could be dropped, and with it a denial; the kernel asks for it before a group map.
    write_map("/proc/self/setgroups", "deny")?;
    write_map("/proc/self/gid_map", &format!("0 {gid} 1"))?;
    loopback_up(None).map_err(|error| match error {
        NetlinkError::NoPermission { .. } => NetlinkError::NoUserNamespaces {
            why: "its user has no rights inside, as AppArmor does it".into(),
            remedy: "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
        },
        other => other,
    })
}

fn no_namespace(errno: Errno) -> NetlinkError {
    let remedy = match errno {
        Errno::NOSPC | Errno::USERS => {
            "`sysctl user.max_user_namespaces=10000 user.max_net_namespaces=10000`"
        }
        Errno::PERM => {
            "`sysctl kernel.unprivileged_userns_clone=1` (in a container: allow unshare in its seccomp profile)"
        }
        _ => "use a kernel built with CONFIG_USER_NS and CONFIG_NET_NS",
    };
    NetlinkError::NoUserNamespaces {
        why: io::Error::from(errno).to_string(),
        remedy,
    }
}

fn write_map(path: &str, content: &str) -> Result<(), NetlinkError> {
    fs::write(path, content).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => NetlinkError::NoUserNamespaces {
            why: format!("{path} may not be written"),
            remedy: "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
        },
        _ => refused(&format!("write {path}"), error),
    })
}

fn refused(what: &str, source: io::Error) -> NetlinkError {
    NetlinkError::Refused {
        what: what.to_owned(),
        source,
    }
}
