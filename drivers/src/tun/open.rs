//! Getting hold of a TUN device: create it, attach to it, or adopt a descriptor of one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use rustix::fs::{Mode as FileMode, OFlags};
use rustix::io::Errno;
use tun_tap::{Iface, Mode};
use txbuf::Offloads;

use super::TunError;
use super::batch::Batches;
use crate::netlink::{self, Changes, LinkConfig, Netns};
use crate::sys;
use crate::sys::ring::Ring;

const DEVICE_NODE: &str = "/dev/net/tun";
/// The device number of /dev/net/tun (Linux's list of devices: misc 10, 200).
const DEVICE_NUMBER: (u32, u32) = (10, 200);
/// `sizeof(struct virtio_net_hdr)`: what the kernel starts a new device with.
const VNET_HEADER: i32 = 10;

/// Which TUN device to open, and what the kernel's side of it is to look like.
#[derive(Clone, Debug, Default)]
pub struct TunConfig {
    /// The name of the device. It may be one that exists, and may have `%d` in it for the first free number.
    pub name: String,
    /// The network namespace of the device, if not that of the calling thread.
    pub netns: Option<Netns>,
    /// What to set on the kernel's side, which takes CAP_NET_ADMIN. `None` leaves the device as it is, which may
    /// then be down: see [`netlink::configure`] for doing it elsewhere.
    pub link: Option<LinkConfig>,
    /// Whether to ask for offloads: super-packets and partial checksums in both directions. What the kernel does not
    /// know it is not asked for.
    pub offload: bool,
    /// The system calls that packets are sent by.
    pub backend: Backend,
}

/// The system calls that packets are sent by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// io_uring where the kernel allows it, else a call for each packet.
    #[default]
    Auto,
    /// A call for each packet.
    Calls,
    /// io_uring: one call for a batch.
    Ring,
}

impl Backend {
    /// What batches are to be sent by; when io_uring was asked for by name, only if it can be used.
    fn batches(self) -> Result<Batches, TunError> {
        match self {
            Backend::Calls => Ok(Batches::OneByOne),
            Backend::Auto => Ok(Batches::Untried),
            Backend::Ring => probe().map(|()| Batches::Untried).map_err(TunError::NoRing),
        }
    }
}

/// Makes a ring and throws it away, on a thread of its own: the kernel interrupts a system call of every thread that used
/// a ring when the ring goes.
fn probe() -> io::Result<()> {
    thread::scope(|scope| {
        let tried = scope.spawn(|| Ring::new().map(drop)).join();
        tried.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}

impl TunConfig {
    /// The device `name` in the calling thread's namespace, its kernel side left alone.
    pub fn new(name: impl Into<String>) -> TunConfig {
        TunConfig {
            name: name.into(),
            ..TunConfig::default()
        }
    }
}

/// An open device, before it has a place to read packets into.
pub(super) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) name: String,
    pub(super) mtu: usize,
    pub(super) persistent: bool,
    /// What the kernel agreed to do, if it was asked.
    pub(super) offloads: Option<Offloads>,
    /// What was done to the kernel's side.
    pub(super) changes: Option<Changes>,
    pub(super) batches: Batches,
}

/// Creates the device or attaches to it with so many queues, resets what an earlier user may have set, and sets the
/// kernel's side up. What was done there is told with the first queue.
pub(super) fn open(config: &TunConfig, queues: usize) -> Result<Vec<Opened>, TunError> {
    netlink::check_name(&config.name.replacen("%d", "0", 1))?;
    // Attaching changes a device that is there, too.
    let before = netlink::snapshot(config.netns.as_ref(), &config.name)?;
    let attach = || attach_all(&config.name, config.offload, queues);
    let (fds, device) = match &config.netns {
        Some(netns) => netns.run(attach)?,
        None => attach(),
    }?;
    fds.iter().try_for_each(prepare)?;
    let first = fds.first().filter(|_| config.offload);
    let offloads = first
        .map(|fd| negotiate(|mask| sys::set_tun_offload(fd.as_fd(), mask)))
        .transpose()?;
    // With all queues there: where a packet goes depends on how many there are.
    let link = config.link.clone().unwrap_or_default();
    let changes = netlink::configure_since(before, config.netns.as_ref(), &device.name, &link)?;
    let mtu = changes.after().mtu as usize;
    let mut changes = Some(changes);
    let opened = fds.into_iter().map(|fd| {
        Ok(Opened {
            fd,
            mtu,
            name: device.name.clone(),
            persistent: device.flags & sys::IFF_PERSIST != 0,
            offloads,
            changes: changes.take(),
            batches: config.backend.batches()?,
        })
    });
    opened.collect()
}

/// Attaches so many queues to the device, which all have the name that the first was given.
fn attach_all(
    name: &str,
    offload: bool,
    queues: usize,
) -> Result<(Vec<OwnedFd>, sys::TunFlags), TunError> {
    let attach = |name: &str| match (offload, queues > 1) {
        (false, false) => attach(name),
        (offload, many) => attach_with(
            name,
            if offload { sys::IFF_VNET_HDR } else { 0 }
                | if many { sys::IFF_MULTI_QUEUE } else { 0 },
        ),
    };
    let first = attach(name)?;
    let device = sys::tun_flags(first.as_fd())
        .map_err(|errno| refused("ask the new TUN device its flags", errno))?;
    let mut fds = vec![first];
    for _ in 1..queues {
        fds.push(attach(&device.name)?);
    }
    Ok((fds, device))
}

/// Takes over a descriptor that somebody else attached. `mtu`: if the device is not in the calling thread's
/// namespace, where it can be looked up by its name.
pub(super) fn adopt(fd: OwnedFd, mtu: Option<usize>, backend: Backend) -> Result<Opened, TunError> {
    let stat = rustix::fs::fstat(&fd).map_err(|errno| refused("look at the descriptor", errno))?;
    let number = (
        rustix::fs::major(stat.st_rdev),
        rustix::fs::minor(stat.st_rdev),
    );
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_char_device()
        || number != DEVICE_NUMBER
    {
        return Err(TunError::NotATunDescriptor);
    }
    let device = sys::tun_flags(fd.as_fd()).map_err(|_| TunError::NotAttached)?;
    let name = device.name;
    if device.flags & sys::IFF_TUN == 0 {
        return Err(TunError::Tap { name });
    }
    if device.flags & sys::IFF_VNET_HDR != 0 {
        return Err(TunError::VnetHeader { name });
    }
    if puts_information_in_front(&fd)? {
        return Err(TunError::PacketInformation { name });
    }
    prepare(&fd)?;
    let persistent = device.flags & sys::IFF_PERSIST != 0;
    let mtu = match mtu {
        Some(mtu) => mtu,
        None => netlink::link_state(None, &name)?.mtu as usize,
    };
    Ok(Opened {
        fd,
        name,
        mtu,
        persistent,
        offloads: None,
        changes: None,
        batches: backend.batches()?,
    })
}

/// As [`adopt`], for a descriptor known by its number only.
pub(super) fn adopt_number(
    number: RawFd,
    mtu: Option<usize>,
    backend: Backend,
) -> Result<Opened, TunError> {
    let fd = sys::duplicate_by_number(number).map_err(|_| TunError::NotOpen { number })?;
    adopt(fd, mtu, backend)
}

fn attach(name: &str) -> Result<OwnedFd, TunError> {
    let iface = Iface::without_packet_info(name, Mode::Tun);
    iface
        .map(sys::into_owned_fd)
        .map_err(|error| attach_error(name, error))
}

/// As [`attach`], with flags that the `tun-tap` crate cannot ask for.
fn attach_with(name: &str, flags: u16) -> Result<OwnedFd, TunError> {
    let node = rustix::fs::open(
        DEVICE_NODE,
        OFlags::RDWR | OFlags::CLOEXEC,
        FileMode::empty(),
    );
    let attached = node.and_then(|node| sys::attach_tun(node.as_fd(), name, flags).map(|()| node));
    attached.map_err(|errno| match errno {
        Errno::INVAL if flags & sys::IFF_MULTI_QUEUE != 0 => TunError::NotMultiQueue {
            name: name.to_owned(),
        },
        errno => attach_error(name, errno.into()),
    })
}

/// Asks for every offload by `set`, and for fewer where the kernel is too old for the newer ones.
fn negotiate(mut set: impl FnMut(u32) -> rustix::io::Result<()>) -> Result<Offloads, TunError> {
    let tso = sys::TUN_F_CSUM | sys::TUN_F_TSO4 | sys::TUN_F_TSO6;
    let uso = sys::TUN_F_USO4 | sys::TUN_F_USO6;
    let wishes = [
        (tso | sys::TUN_F_TSO_ECN | uso, true, true),
        (tso | sys::TUN_F_TSO_ECN, true, false),
        (tso, true, false),
        (sys::TUN_F_CSUM, false, false),
    ];
    let mut refusal = Errno::INVAL;
    for (mask, tso, uso) in wishes {
        match set(mask) {
            Ok(()) => {
                return Ok(Offloads {
                    tx_checksum: true,
                    rx_checksum: true,
                    tso,
                    uso,
                });
            }
            Err(errno) => refusal = errno,
        }
    }
    Err(refused(
        "agree on any offload with the kernel; a plain device does without",
        refusal,
    ))
}

/// `tun-tap` reports the `open` and the TUNSETIFF alike; their errors do not overlap but for EBUSY, EPERM and
/// EACCES, which a look at the device node tells apart.
fn attach_error(name: &str, error: io::Error) -> TunError {
    let name = name.to_owned();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => TunError::NoDeviceNode,
        Some(Errno::NOTTY | Errno::ISDIR) => TunError::NotDeviceNode,
        Some(Errno::ACCESS) => {
            let mode =
                fs::metadata(DEVICE_NODE).map_or(0, |node| node.permissions().mode() & 0o7777);
            TunError::DeviceNodeDenied { mode }
        }
        Some(Errno::PERM) => TunError::NoPermission { name },
        Some(Errno::BUSY) => TunError::Busy { name },
        Some(Errno::INVAL) => TunError::NotTun { name },
        _ => TunError::Refused {
            what: format!("create TUN device {name} or attach to it"),
            source: error,
        },
    }
}

/// Whether the device was attached without `IFF_NO_PI`, which no ioctl tells: TUNGETIFF has the same bit for a
/// descriptor without a packet filter. Four zero bytes do. They are a header of packet information with nothing
/// behind it, or a packet of no IP version, which the kernel refuses before it looks whether the device is up.
fn puts_information_in_front(fd: &OwnedFd) -> Result<bool, TunError> {
    match rustix::io::write(fd, &[0; 4]) {
        Err(Errno::INVAL) => Ok(false),
        Ok(_) | Err(Errno::IO) => Ok(true),
        Err(errno) => Err(refused(
            "write to the TUN descriptor, which must be open for reading and writing",
            errno,
        )),
    }
}

/// What every plain device needs: a persistent one may still have the offloads and the header of its last user.
fn prepare(fd: &OwnedFd) -> Result<(), TunError> {
    sys::set_tun_offload(fd.as_fd(), 0)
        .map_err(|errno| refused("reset the offloads of the TUN device", errno))?;
    sys::set_tun_vnet_header_size(fd.as_fd(), VNET_HEADER)
        .map_err(|errno| refused("reset the header size of the TUN device", errno))?;
    rustix::io::ioctl_fionbio(fd, true)
        .map_err(|errno| refused("make the TUN descriptor non-blocking", errno))
}

fn refused(what: &str, errno: Errno) -> TunError {
    TunError::Refused {
        what: what.to_owned(),
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests;
