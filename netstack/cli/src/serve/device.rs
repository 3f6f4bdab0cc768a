//! The device: found or made, its kernel side set up, its packets written to a capture when asked.

use std::iter;

use drivers::ethernet::TapDevice;
use drivers::netlink::{self, Address, Cidr, LinkConfig, Netns};
use drivers::tap::{Capture, Tap, TapConfig};
use drivers::{Device, Tun, TunConfig};
use txbuf::{Account, Ledger, Pool, PoolConfig};

use super::restore::Restore;
use crate::args::{Serve, TunName};
use crate::capture_file::{CaptureFile, Place};
use crate::failure::Failure;

/// The longest packet that a TUN device carries, and one byte to tell a longer one by.
const LONGEST: usize = 64 << 10;
/// Room for two of them: short packets then fill more than half of each segment, whatever comes between.
const SEGMENT: usize = 2 * LONGEST;
/// The most memory that received packets may take.
const RECEIVE_LIMIT: usize = 256 << 20;
/// Idle segments that are kept.
const RECEIVE_KEEP: usize = 32;

/// A device that is ready for the stack.
pub(crate) struct Opened {
    /// Its queues, each with what the storage is charged to that it reads into.
    pub(crate) queues: Vec<(Box<dyn Device>, Account)>,
    pub(crate) name: String,
    /// With where it goes.
    pub(crate) capture: Option<(Capture, Place)>,
    pub(crate) restore: Restore,
}

/// Opens what the options name and sets the kernel's side up as they say.
///
/// # Errors
/// In a sentence that says what to do. A device that was created is gone again, one that was there is as before.
pub(crate) fn open(options: &Serve) -> Result<Opened, Failure> {
    check_addresses(options)?;
    check_reach(options)?;
    check_adopted(options)?;
    let netns = match &options.netns {
        Some(name) => Some(Netns::by_name(name).map_err(Failure::of)?),
        None => None,
    };
    // Before the device, so that a file that cannot be written leaves nothing behind.
    let open = |path| CaptureFile::open(path, "choose another file with --pcap");
    let capture = options.pcap.as_deref().map(open).transpose()?;
    // Shards share nothing, nor do their ledgers.
    let pools = (0..options.shards).map(|_| receive_pool(&Ledger::new()));
    let (pools, arenas): (Vec<Pool>, Vec<Account>) = pools.unzip();
    let Found {
        devices,
        name,
        restore,
    } = match (&options.tap, &options.tun) {
        (Some(name), _) => open_tap(options, name, netns, &pools)?,
        (None, Some(tun)) => open_tun(options, tun, netns, &pools)?,
        (None, None) => return Err(Failure::new("no device is named: add --tun NAME")),
    };
    let (devices, capture) = match capture {
        None => (devices, None),
        Some(file) => capturing(devices, file, &name)?,
    };
    Ok(Opened {
        queues: devices.into_iter().zip(arenas).collect(),
        name,
        capture,
        restore,
    })
}

/// The queues of a device.
type Devices = Vec<Box<dyn Device>>;

/// The queues with a tap on each, all of one capture.
fn capturing(
    devices: Devices,
    file: CaptureFile,
    name: &str,
) -> Result<(Devices, Option<(Capture, Place)>), Failure> {
    let (file, place) = file.begin()?;
    let mut devices = devices.into_iter();
    let Some(first) = devices.next() else {
        return Ok((Vec::new(), None));
    };
    let (first, capture) =
        Tap::new(first, file, TapConfig::new(name)).map_err(|error| place.failure(&error))?;
    let rest: Vec<_> = devices.map(|next| boxed(first.beside(next))).collect();
    let devices = iter::once(boxed(first)).chain(rest);
    Ok((devices.collect(), Some((capture, place))))
}

fn boxed(device: impl Device + 'static) -> Box<dyn Device> {
    Box::new(device)
}

/// The pool that a device reads into, and what it is charged to.
pub(crate) fn receive_pool(ledger: &Ledger) -> (Pool, Account) {
    let account = Account::new(RECEIVE_LIMIT);
    let config = PoolConfig {
        segment: SEGMENT,
        limit: RECEIVE_LIMIT,
        keep: RECEIVE_KEEP,
    };
    (Pool::charged_to(ledger, config, &account), account)
}

/// A device that is open.
struct Found {
    devices: Devices,
    name: String,
    restore: Restore,
}

fn open_tap(
    options: &Serve,
    name: &str,
    netns: Option<Netns>,
    pools: &[Pool],
) -> Result<Found, Failure> {
    let ethernet = options.link.ethernet(&options.addr).map_err(Failure::new)?;
    let config = config(options, name, netns);
    let tap = TapDevice::open(&config, &ethernet, &pools[0]).map_err(Failure::of)?;
    Ok(Found {
        name: tap.name().to_owned(),
        restore: Restore::new(config.netns, tap.changes().cloned()),
        devices: vec![boxed(tap)],
    })
}

fn open_tun(
    options: &Serve,
    tun: &TunName,
    netns: Option<Netns>,
    pools: &[Pool],
) -> Result<Found, Failure> {
    let (tuns, restore) = match tun {
        TunName::Name(name) => {
            let config = config(options, name, netns);
            let tuns = Tun::open_queues(&config, pools).map_err(Failure::of)?;
            let changes = tuns.first().and_then(Tun::changes).cloned();
            (tuns, Restore::new(config.netns, changes))
        }
        TunName::Fd(number) => adopt_tun(options, *number, netns, &pools[0])?,
    };
    let name = tuns.first().map_or("", Tun::name).to_owned();
    Ok(Found {
        devices: tuns.into_iter().map(boxed).collect(),
        name,
        restore,
    })
}

fn adopt_tun(
    options: &Serve,
    number: i32,
    netns: Option<Netns>,
    pool: &Pool,
) -> Result<(Vec<Tun>, Restore), Failure> {
    let backend = options.backend.into();
    let adopt = |mtu| Tun::adopt_number(number, mtu, backend, pool).map_err(Failure::of);
    let tun = match (&netns, options.mtu) {
        // The device cannot be looked up before its name is known, which the descriptor tells.
        (Some(netns), None) => {
            let name = adopt(Some(LONGEST - 1))?.name().to_owned();
            let state = netlink::link_state(Some(netns), &name).map_err(Failure::of)?;
            adopt(Some(state.mtu as usize))?
        }
        (_, Some(mtu)) => adopt(Some(mtu as usize))?,
        (None, None) => adopt(None)?,
    };
    let configure = |link| netlink::configure(netns.as_ref(), tun.name(), &link);
    let link = kernel_side(options);
    let changes = link.map(configure).transpose().map_err(Failure::of)?;
    Ok((vec![tun], Restore::new(netns, changes)))
}

/// How a device is to be opened by its name.
fn config(options: &Serve, name: &str, netns: Option<Netns>) -> TunConfig {
    TunConfig {
        name: name.to_owned(),
        netns,
        link: kernel_side(options),
        offload: options.offload,
        backend: options.backend.into(),
        threaded_napi: options.threaded_napi,
        ..TunConfig::default()
    }
}

/// What is to be changed on the kernel's side; nothing, when the options say nothing about it.
fn kernel_side(options: &Serve) -> Option<LinkConfig> {
    if options.peer.is_empty() && options.mtu.is_none() {
        return None;
    }
    Some(LinkConfig {
        mtu: options.mtu,
        addresses: options
            .peer
            .iter()
            .map(|peer| Address {
                local: *peer,
                peer: None,
            })
            .collect(),
        up: !options.peer.is_empty(),
        ..LinkConfig::default()
    })
}

/// Each address belongs to one end, and is given once.
fn check_addresses(options: &Serve) -> Result<(), Failure> {
    for (index, addr) in options.addr.iter().enumerate() {
        let address = addr.address();
        let has = |list: &[Cidr]| list.iter().any(|other| other.address() == address);
        if has(&options.addr[..index]) {
            return Err(Failure::new(format!(
                "the address {address} is given twice; give each --addr once"
            )));
        }
        if has(&options.peer) {
            return Err(Failure::new(format!(
                "the address {address} is given to both --addr and --peer; the two ends of a device need one each"
            )));
        }
    }
    Ok(())
}

/// Offloads and queues are agreed on when a device is attached, which for a descriptor has been done by somebody else.
/// Neighbours are asked by one queue, and may answer by another: a TAP device has one.
fn check_adopted(options: &Serve) -> Result<(), Failure> {
    match options.tun {
        None if options.shards > 1 => Err(Failure::new(
            "--shards needs a TUN device: name it with --tun NAME in place of --tap",
        )),
        Some(TunName::Fd(_)) if options.offload => Err(Failure::new(
            "--offload needs a device that serve opens itself: name it with --tun NAME",
        )),
        Some(TunName::Fd(_)) if options.threaded_napi => Err(Failure::new(
            "--threaded-napi needs a device that serve opens itself: name it with --tun NAME",
        )),
        Some(TunName::Fd(_)) if options.shards > 1 => Err(Failure::new(
            "--shards needs a device that serve opens itself: name it with --tun NAME",
        )),
        _ => Ok(()),
    }
}

/// With `--peer`, the kernel must have a way to each of the stack's addresses: they lie in a peer's network.
fn check_reach(options: &Serve) -> Result<(), Failure> {
    let Some(stranded) = options
        .addr
        .iter()
        .find(|addr| !is_reached(addr, &options.peer))
    else {
        return Ok(());
    };
    let prefix = if stranded.address().is_ipv4() { 24 } else { 64 };
    Err(Failure::new(format!(
        "{} lies in the network of no --peer, so the kernel would not find it; add a --peer of the same network, \
         such as another address of {}/{prefix}",
        stranded.address(),
        Cidr::new(stranded.address(), prefix).map_or(stranded.address(), |cidr| cidr.network()),
    )))
}

fn is_reached(addr: &Cidr, peers: &[Cidr]) -> bool {
    let shares = |peer: &Cidr| {
        Cidr::new(addr.address(), peer.prefix())
            .is_ok_and(|there| there.network() == peer.network())
    };
    peers.is_empty()
        || peers
            .iter()
            .any(|peer| peer.address().is_ipv4() == addr.address().is_ipv4() && shares(peer))
}
