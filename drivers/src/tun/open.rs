//! Getting hold of a TUN device: create it, attach to it, or adopt a descriptor of one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{Mode as FileMode, OFlags};
use rustix::io::Errno;
use tun_tap::{Iface, Mode};

use super::backend::{Backend, Batches};
use super::kind::LinkKind;
use super::offload::{self, Agreement, VnetHeader};
use super::{TunError, napi, vnet};
use crate::netlink::{self, Changes, LinkConfig, Netns};
use crate::sys;

const DEVICE_NODE: &str = "/dev/net/tun";
/// The device number of /dev/net/tun (Linux's list of devices: misc 10, 200).
const DEVICE_NUMBER: (u32, u32) = (10, 200);

/// Which TUN or TAP device to open, and what the kernel's side of it is to look like.
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
    /// With offload: the header in front of each packet.
    pub header: VnetHeader,
    /// The system calls that packets are sent by.
    pub backend: Backend,
    /// Whether the kernel takes in what is sent on a thread of its own, which joins segments (threaded NAPI), and not
    /// inside the call that sends. It takes CAP_SYS_ADMIN, and Linux 5.12.
    ///
    /// Streams of packets of the MTU come in more than twice as fast where a core is left for the thread; what is sent
    /// alone waits until the thread is awake. A device that was there keeps the thread's setting.
    pub threaded_napi: bool,
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
    pub(super) kind: LinkKind,
    pub(super) name: String,
    pub(super) mtu: usize,
    pub(super) persistent: bool,
    /// What the kernel agreed to do, if it was asked.
    pub(super) agreement: Option<Agreement>,
    /// What was done to the kernel's side.
    pub(super) changes: Option<Changes>,
    pub(super) batches: Batches,
}

/// Creates the device or attaches to it with so many queues, resets what an earlier user may have set, and sets the
/// kernel's side up. What was done there is told with the first queue.
pub(super) fn open(
    kind: LinkKind,
    config: &TunConfig,
    queues: usize,
) -> Result<Vec<Opened>, TunError> {
    netlink::check_name(&config.name.replacen("%d", "0", 1))?;
    // Attaching changes a device that is there, too.
    let before = netlink::snapshot(config.netns.as_ref(), &config.name)?;
    let attach = || {
        let attached = attach_all(kind, config, queues)?;
        if config.threaded_napi {
            napi::start_threads(&attached.1.name)?;
        }
        Ok::<_, TunError>(attached)
    };
    let (fds, device) = match &config.netns {
        Some(netns) => netns.run(attach)?,
        None => attach(),
    }?;
    let header = config.header;
    fds.iter().try_for_each(|fd| prepare(kind, fd, header))?;
    let first = fds.first().filter(|_| config.offload);
    let agreement = first.map(|fd| offload::agree(fd, header)).transpose()?;
    // With all queues there: where a packet goes depends on how many there are.
    let link = config.link.clone().unwrap_or_default();
    let changes = netlink::configure_since(before, config.netns.as_ref(), &device.name, &link)?;
    let mtu = changes.after().mtu as usize;
    let mut changes = Some(changes);
    let opened = fds.into_iter().map(|fd| {
        Ok(Opened {
            fd,
            kind,
            mtu,
            name: device.name.clone(),
            persistent: device.flags & sys::IFF_PERSIST != 0,
            agreement,
            changes: changes.take(),
            batches: config.backend.batches()?,
        })
    });
    opened.collect()
}

/// Attaches so many queues to the device, which all have the name that the first was given.
fn attach_all(
    kind: LinkKind,
    config: &TunConfig,
    queues: usize,
) -> Result<(Vec<OwnedFd>, sys::TunFlags), TunError> {
    let asked = [
        (config.offload, sys::IFF_VNET_HDR),
        (queues > 1, sys::IFF_MULTI_QUEUE),
        (config.threaded_napi, sys::IFF_NAPI),
    ];
    let flags = asked.iter().filter(|(is_asked, _)| *is_asked);
    let attach = |name: &str| match flags.clone().fold(0, |all, (_, flag)| all | flag) {
        0 => attach(kind, name),
        flags => attach_with(kind, name, flags),
    };
    let first = attach(&config.name)?;
    let device = sys::tun_flags(first.as_fd())
        .map_err(|errno| TunError::refused("ask the new device its flags", errno))?;
    let mut fds = vec![first];
    for _ in 1..queues {
        fds.push(attach(&device.name)?);
    }
    Ok((fds, device))
}

/// Takes over a descriptor that somebody else attached. `mtu`: if the device is not in the calling thread's
/// namespace, where it can be looked up by its name.
pub(super) fn adopt(fd: OwnedFd, mtu: Option<usize>, backend: Backend) -> Result<Opened, TunError> {
    let stat = rustix::fs::fstat(&fd)
        .map_err(|errno| TunError::refused("look at the descriptor", errno))?;
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
    let header = match device.flags & sys::IFF_VNET_HDR {
        0 => None,
        _ => Some(offload::header_of(&fd, &name)?),
    };
    if puts_information_in_front(&fd, header)? {
        return Err(TunError::PacketInformation { name });
    }
    prepare(LinkKind::Tun, &fd, header.unwrap_or_default())?;
    let agreement = header
        .map(|header| offload::agree(&fd, header))
        .transpose()?;
    let persistent = device.flags & sys::IFF_PERSIST != 0;
    let mtu = match mtu {
        Some(mtu) => mtu,
        None => netlink::link_state(None, &name)?.mtu as usize,
    };
    Ok(Opened {
        fd,
        kind: LinkKind::Tun,
        name,
        mtu,
        persistent,
        agreement,
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

fn attach(kind: LinkKind, name: &str) -> Result<OwnedFd, TunError> {
    let mode = match kind {
        LinkKind::Tun => Mode::Tun,
        LinkKind::Tap => Mode::Tap,
    };
    let iface = Iface::without_packet_info(name, mode);
    iface
        .map(sys::into_owned_fd)
        .map_err(|error| attach_error(kind, name, error))
}

/// As [`attach`], with flags that the `tun-tap` crate cannot ask for.
fn attach_with(kind: LinkKind, name: &str, flags: u16) -> Result<OwnedFd, TunError> {
    let mode = match kind {
        LinkKind::Tun => sys::IFF_TUN,
        LinkKind::Tap => sys::IFF_TAP,
    };
    let node = rustix::fs::open(
        DEVICE_NODE,
        OFlags::RDWR | OFlags::CLOEXEC,
        FileMode::empty(),
    );
    let attached =
        node.and_then(|node| sys::attach_tun(node.as_fd(), name, mode | flags).map(|()| node));
    attached.map_err(|errno| match errno {
        Errno::INVAL if flags & sys::IFF_MULTI_QUEUE != 0 => TunError::NotMultiQueue {
            name: name.to_owned(),
        },
        errno => attach_error(kind, name, errno.into()),
    })
}

/// `tun-tap` reports the `open` and the TUNSETIFF alike; their errors do not overlap but for EBUSY, EPERM and
/// EACCES, which a look at the device node tells apart.
fn attach_error(kind: LinkKind, name: &str, error: io::Error) -> TunError {
    let name = name.to_owned();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => TunError::NoDeviceNode,
        Some(Errno::NOTTY | Errno::ISDIR) => TunError::NotDeviceNode,
        Some(Errno::ACCESS) => {
            let mode =
                fs::metadata(DEVICE_NODE).map_or(0, |node| node.permissions().mode() & 0o7777);
            TunError::DeviceNodeDenied { mode }
        }
        Some(Errno::PERM) => TunError::NoPermission { kind, name },
        Some(Errno::BUSY) => TunError::Busy { kind, name },
        Some(Errno::INVAL) => TunError::OtherKind { kind, name },
        _ => TunError::Refused {
            what: format!("create {kind} device {name} or attach to it"),
            source: error,
        },
    }
}

/// Whether the device was attached without `IFF_NO_PI`, which no ioctl tells: TUNGETIFF has the same bit for a
/// descriptor without a packet filter. Four zero bytes do, and as many as a virtio header has. They are a header of packet
/// information with nothing behind it, or a packet of no IP version, which the kernel refuses before it looks whether
/// the device is up.
fn puts_information_in_front(fd: &OwnedFd, header: Option<VnetHeader>) -> Result<bool, TunError> {
    let zeros = [0; 4 + vnet::LONGEST];
    let length = 4 + header.map_or(0, VnetHeader::length);
    match rustix::io::write(fd, &zeros[..length]) {
        Err(Errno::INVAL) => Ok(false),
        Ok(_) | Err(Errno::IO) => Ok(true),
        Err(errno) => Err(TunError::refused(
            "write to the TUN descriptor, which must be open for reading and writing",
            errno,
        )),
    }
}

/// What every device needs: a persistent one may still have the offloads, the header and the filter of its last user.
fn prepare(kind: LinkKind, fd: &OwnedFd, header: VnetHeader) -> Result<(), TunError> {
    if kind == LinkKind::Tap {
        sys::clear_tap_filter(fd.as_fd())
            .map_err(|errno| TunError::refused("clear the filter of the TAP device", errno))?;
    }
    sys::set_tun_offload(fd.as_fd(), 0)
        .map_err(|errno| TunError::refused("reset the offloads of the TUN device", errno))?;
    sys::set_tun_vnet_header_size(fd.as_fd(), header.length() as i32)
        .map_err(|errno| TunError::refused("reset the header size of the TUN device", errno))?;
    rustix::io::ioctl_fionbio(fd, true)
        .map_err(|errno| TunError::refused("make the TUN descriptor non-blocking", errno))
}
