//! A stack that runs by itself, on a TUN device.

use std::error::Error;
use std::io;

use drivers::netlink::{Address, LinkConfig, NetlinkError, Netns};
use drivers::{Tun, TunConfig, TunError};
use netstack_sockets::Errno;
use runtime::{Driver, Interface, Netstack, StartError};
use txbuf::{Account, Ledger, Pool, PoolConfig};

use crate::instance::Instance;
use crate::opts::{Attach, Opts};

/// What a device with offload asks for: room for two of its longest packets, each with a byte to tell a longer one by.
const SEGMENT: usize = 128 << 10;
/// The most memory that received packets may take.
const RECEIVE_LIMIT: usize = 64 << 20;
/// Idle segments that are kept.
const RECEIVE_KEEP: usize = 16;

/// Opens the device and starts the stack's thread.
pub(crate) fn start(opts: &Opts, attach: &Attach) -> Result<Driver<Instance>, Errno> {
    let arena = Account::new(RECEIVE_LIMIT);
    let config = PoolConfig {
        segment: SEGMENT,
        limit: RECEIVE_LIMIT,
        keep: RECEIVE_KEEP,
    };
    let pool = Pool::charged_to(&Ledger::new(), config, &arena);
    let tun = Tun::open(&device(opts, attach)?, &pool).map_err(|error| of_device(&error))?;
    let mut interface = Interface::new(tun.name().to_owned(), tun).arena(&arena);
    for address in &opts.addresses {
        interface = interface.address(*address);
    }
    for (all, via) in opts.ways()? {
        interface = interface.route(all, via);
    }
    let builder = Netstack::builder().seed(opts.seed()).interface(interface);
    Driver::start(builder, Instance::attached).map_err(|error| match error {
        StartError::Interface { .. } => Errno::EINVAL,
        other => by_system(&other),
    })
}

fn device(opts: &Opts, attach: &Attach) -> Result<TunConfig, Errno> {
    let netns = attach.netns.as_deref().map(Netns::by_name).transpose();
    let address = |peer| Address {
        local: peer,
        peer: None,
    };
    let mtu = opts.mtu.map(u32::try_from).transpose();
    let link = LinkConfig {
        mtu: mtu.map_err(|_| Errno::EINVAL)?,
        addresses: attach.peers.iter().copied().map(address).collect(),
        up: !attach.peers.is_empty(),
        ..LinkConfig::default()
    };
    let changes = link.mtu.is_some() || link.up;
    Ok(TunConfig {
        netns: netns.map_err(|error| of_kernel(&error))?,
        link: changes.then_some(link),
        offload: attach.offload,
        ..TunConfig::new(&attach.tun)
    })
}

fn of_device(error: &TunError) -> Errno {
    match error {
        TunError::NoDeviceNode | TunError::NotDeviceNode => Errno::ENODEV,
        TunError::DeviceNodeDenied { .. } => Errno::EACCES,
        TunError::NoPermission { .. } => Errno::EPERM,
        TunError::Busy { .. } => Errno::EBUSY,
        TunError::OtherKind { .. } | TunError::NotMultiQueue { .. } => Errno::EEXIST,
        TunError::Netlink(error) => of_kernel(error),
        other => by_system(other),
    }
}

fn of_kernel(error: &NetlinkError) -> Errno {
    match error {
        NetlinkError::NoPermission { .. } | NetlinkError::NamespaceDenied { .. } => Errno::EPERM,
        NetlinkError::NoSuchNamespace { .. } => Errno::ENOENT,
        NetlinkError::NoSuchDevice { .. } => Errno::ENODEV,
        NetlinkError::Exists { .. } => Errno::EEXIST,
        NetlinkError::BadName { .. }
        | NetlinkError::BadMtu { .. }
        | NetlinkError::MtuBelowIpv6 { .. }
        | NetlinkError::PeerFamily { .. } => Errno::EINVAL,
        NetlinkError::Ipv6Disabled { .. } => Errno::EADDRNOTAVAIL,
        other => by_system(other),
    }
}

/// What the system said, if anything behind the error is its.
fn by_system(error: &(dyn Error + 'static)) -> Errno {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(number) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Errno::from_raw(number);
        }
        cause = error.source();
    }
    Errno::EIO
}
