//! What can go wrong on the kernel's side, each in one sentence that says what to do.

use std::io;

use rustix::io::Errno;

/// Why the kernel's side of a device could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// No right to change the network of this namespace.
    #[error(
        "no permission to {what}: this needs CAP_NET_ADMIN in the device's network namespace, so run as root, \
         with `sudo`, or give the program the right by `setcap cap_net_admin+ep PROGRAM`"
    )]
    NoPermission {
        /// The action that was refused.
        what: String,
    },
    /// No interface of this name in the namespace.
    #[error(
        "there is no network device named {name} in this network namespace: see `ip link` for the names there are"
    )]
    NoSuchDevice {
        /// The name that was looked for.
        name: String,
    },
    /// The name cannot be that of a network device.
    #[error(
        "{name:?} cannot name a network device because {why}: choose 1 to 15 bytes, for example tun0"
    )]
    BadName {
        /// The name that was asked for.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The device refuses this MTU.
    #[error("the MTU {mtu} is out of range for device {name}: choose one from {min} to {max}")]
    BadMtu {
        /// The name of the device.
        name: String,
        /// What was asked for.
        mtu: u32,
        /// The smallest MTU of the device.
        min: u32,
        /// The largest MTU of the device.
        max: u32,
    },
    /// RFC 8200 section 5: every link that carries IPv6 has an MTU of at least 1280.
    #[error(
        "device {name} has an MTU of {mtu}, and IPv6 needs at least 1280: raise the MTU or leave out {address}"
    )]
    MtuBelowIpv6 {
        /// The name of the device.
        name: String,
        /// Its MTU.
        mtu: u32,
        /// The IPv6 address or route that was asked for.
        address: String,
    },
    /// The kernel has IPv6 switched off for this device.
    #[error(
        "IPv6 is disabled for device {name}: run `sysctl net.ipv6.conf.all.disable_ipv6=0` in its network namespace"
    )]
    Ipv6Disabled {
        /// The name of the device.
        name: String,
    },
    /// No file of this name in /run/netns.
    #[error(
        "there is no network namespace named {name:?} in /run/netns: create it by `ip netns add {name}` (`ip netns` lists those there are)"
    )]
    NoSuchNamespace {
        /// The name that was looked for.
        name: String,
    },
    /// The namespace is there, but may not be entered.
    #[error(
        "no permission to enter network namespace {name}: this needs CAP_SYS_ADMIN, so run as root or inside `ip netns exec {name}`"
    )]
    NamespaceDenied {
        /// The name of the namespace.
        name: String,
    },
    /// The kernel was built without namespaces, or forbids them.
    #[error(
        "this system does not let the user make a private user and network namespace ({why}): run as root, or {remedy}"
    )]
    NoUserNamespaces {
        /// The kernel's reason.
        why: String,
        /// What an administrator could change.
        remedy: &'static str,
    },
    /// A namespace can be changed for a whole process only while it has one thread.
    #[error(
        "the process already runs {threads} threads: make the private namespace first, before any other thread is started"
    )]
    NotSingleThreaded {
        /// How many threads there are.
        threads: usize,
    },
    /// Peer and address are of different IP versions.
    #[error(
        "the peer {peer} and the address {address} are of different IP versions: give both as IPv4 or both as IPv6"
    )]
    PeerFamily {
        /// The local address.
        address: String,
        /// The address of the other side.
        peer: String,
    },
    /// The same destination leads elsewhere, or the same address is set otherwise.
    #[error(
        "could not {what} because there is one already: choose another, or delete the old one with `ip route del` or `ip address del`"
    )]
    Exists {
        /// The action that failed.
        what: String,
    },
    /// The kernel refused for a reason that has no sentence of its own.
    #[error(
        "could not {what}: {source}; the command `ip` shows the present state of devices, addresses and routes"
    )]
    Refused {
        /// The action that failed.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A thread, a socket or a runtime could not be had.
    #[error(
        "could not start talking to the kernel by netlink: {0}; check the limits on processes and open files"
    )]
    Setup(#[source] io::Error),
}

impl NetlinkError {
    /// Turns what a netlink request said into the sentence for it. `what` completes "no permission to ...".
    pub(crate) fn from_request(
        what: String,
        device: &str,
        error: rtnetlink::Error,
    ) -> NetlinkError {
        let errno = errno_of(&error);
        let source = match error {
            rtnetlink::Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other.to_string()),
        };
        match errno {
            Some(Errno::PERM) => NetlinkError::NoPermission { what },
            Some(Errno::NODEV) => NetlinkError::NoSuchDevice {
                name: device.to_owned(),
            },
            _ => NetlinkError::Refused { what, source },
        }
    }

    /// As [`from_request`](NetlinkError::from_request), for a request that adds an address or a route.
    pub(super) fn from_add(
        what: String,
        device: &str,
        is_ipv6: bool,
        error: rtnetlink::Error,
    ) -> NetlinkError {
        match errno_of(&error) {
            // Not EPERM: so the kernel says that IPv6 is switched off for a device.
            Some(Errno::ACCESS) if is_ipv6 => NetlinkError::Ipv6Disabled {
                name: device.to_owned(),
            },
            Some(Errno::EXIST) => NetlinkError::Exists { what },
            _ => NetlinkError::from_request(what, device, error),
        }
    }

    /// The error of a request, but for one that says that there was nothing to do.
    pub(super) fn unless(
        harmless: Errno,
        what: String,
        device: &str,
        result: Result<(), rtnetlink::Error>,
    ) -> Result<(), NetlinkError> {
        match result {
            Ok(()) => Ok(()),
            Err(error) if errno_of(&error) == Some(harmless) => Ok(()),
            Err(error) => Err(NetlinkError::from_request(what, device, error)),
        }
    }
}

fn errno_of(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => {
            message.to_io().raw_os_error().map(Errno::from_raw_os_error)
        }
        _ => None,
    }
}
