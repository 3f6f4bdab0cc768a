//! One side of a bridge: its device, the kernel's side of that, its capture.

use std::net::IpAddr;
use std::path::PathBuf;

use drivers::ethernet::{Ethernet, TapDevice};
use drivers::netlink::{Address, Cidr, LinkConfig, Netns, Route};
use drivers::tap::{Capture, Tap, TapConfig};
use drivers::{Device, LinkKind, Tun, TunConfig};
use netstack::Interface;
use txbuf::Ledger;

use super::interface;
use crate::args::{Bridge, DeviceName, Mode, Sides, link};
use crate::capture_file::{CaptureFile, Place};
use crate::failure::Failure;
use crate::serve::receive_pool;
use crate::serve::restore::Restore;

/// What the kernel queues towards a plain TUN device: the default of 500 packets is less than a window.
const TUN_QUEUE: u32 = 4000;

/// What a side is to be.
pub(super) struct Plan {
    /// `left` or `right`.
    pub(super) label: &'static str,
    pub(super) device: DeviceName,
    pub(super) netns: Option<Netns>,
    /// Addresses of the kernel's.
    pub(super) peers: Vec<Cidr>,
    /// Addresses of the router, and networks it reaches through this side.
    pub(super) router: Vec<Cidr>,
    pub(super) routes: Vec<Cidr>,
    /// The neighbours behind which those networks lie.
    gateways: Vec<IpAddr>,
    /// What the kernel reaches through the router.
    beyond: Vec<Route>,
    mtu: Option<u32>,
    offload: bool,
    pcap: Option<CaptureFile>,
}

/// A side whose device is open.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) mtu: usize,
    device: Box<dyn Device>,
    restore: Restore,
    plan: Plan,
}

/// A side that is ready.
pub(super) struct Ready {
    pub(super) interface: Interface,
    pub(super) tail: Tail,
}

/// What there is to do about a side once its device is closed.
pub(super) struct Tail {
    restore: Restore,
    /// With where it goes.
    capture: Option<(Capture, Place)>,
}

/// Both sides as the options say.
///
/// # Errors
/// In a sentence that says what to do.
pub(super) fn plans(options: &Bridge) -> Result<[Plan; 2], Failure> {
    let netns = |name: &Option<String>| {
        let name = name.as_deref();
        name.map(Netns::by_name).transpose().map_err(Failure::of)
    };
    let spaces = [netns(&options.left_netns)?, netns(&options.right_netns)?];
    let name = |device: &Option<DeviceName>| device.as_ref().map(|device| device.name.clone());
    if name(&options.left) == name(&options.right) && options.left_netns == options.right_netns {
        return Err(Failure::new(
            "--left and --right are the same device; name two, or give --left-netns or --right-netns",
        ));
    }
    let peers = [options.left_peer.clone(), options.right_peer.clone()];
    let router = [options.left_addr.clone(), options.right_addr.clone()];
    with(options, spaces, peers, router)
}

/// Both sides in these namespaces, with these addresses of the kernel and of the router.
pub(super) fn with(
    options: &Bridge,
    [left_space, right_space]: [Option<Netns>; 2],
    [left_peers, right_peers]: [Vec<Cidr>; 2],
    [left_router, right_router]: [Vec<Cidr>; 2],
) -> Result<[Plan; 2], Failure> {
    check_mode(options, &left_router, &right_router)?;
    check_ends(&left_router, &left_peers, "left")?;
    check_ends(&right_router, &right_peers, "right")?;
    let reach = |own: &[Cidr], other: &[Cidr], more: &[Cidr], peers: &[Cidr]| match peers.is_empty()
    {
        true => Vec::new(),
        false => beyond(own, other.iter().chain(more)),
    };
    let left_beyond = reach(
        &left_router,
        &right_router,
        &options.right_route,
        &left_peers,
    );
    let right_beyond = reach(
        &right_router,
        &left_router,
        &options.left_route,
        &right_peers,
    );
    let offload = |side| {
        options
            .offload
            .is_some_and(|sides| sides == Sides::Both || sides == side)
    };
    let capture = |path: &Option<PathBuf>, remedy| {
        let open = |path: &PathBuf| CaptureFile::open(path, remedy);
        path.as_ref().map(open).transpose()
    };
    let left_pcap = capture(&options.left_pcap, "choose another file with --left-pcap")?;
    if let (Some(left), Some(right)) = (&left_pcap, &options.right_pcap)
        && left.is_file_at(right)
    {
        return Err(Failure::new(
            "--left-pcap and --right-pcap name the same file; choose another for one of them",
        ));
    }
    let left = Plan {
        label: "left",
        device: device(&options.left, "left"),
        netns: left_space,
        peers: left_peers,
        router: left_router,
        routes: options.left_route.clone(),
        gateways: options.left_gateway.clone(),
        beyond: left_beyond,
        mtu: options.left_mtu.or(options.mtu),
        offload: offload(Sides::Left),
        pcap: left_pcap,
    };
    let right = Plan {
        label: "right",
        device: device(&options.right, "right"),
        netns: right_space,
        peers: right_peers,
        router: right_router,
        routes: options.right_route.clone(),
        gateways: options.right_gateway.clone(),
        beyond: right_beyond,
        mtu: options.right_mtu.or(options.mtu),
        offload: offload(Sides::Right),
        pcap: capture(&options.right_pcap, "choose another file with --right-pcap")?,
    };
    check_gateways(&left)?;
    check_gateways(&right)?;
    Ok([left, right])
}

/// Opens the device of a side and sets its kernel side up.
///
/// # Errors
/// In a sentence that says what to do. A device that was created is gone again, one that was there is as before.
pub(super) fn open(plan: Plan, ledger: &Ledger) -> Result<Opened, Failure> {
    let config = TunConfig {
        name: plan.device.name.clone(),
        netns: plan.netns.clone(),
        link: kernel_side(&plan),
        offload: plan.offload,
        ..TunConfig::default()
    };
    let pool = receive_pool(ledger).0;
    let (name, changes, device): (_, _, Box<dyn Device>) = match plan.device.kind {
        LinkKind::Tap => {
            let ethernet = Ethernet {
                gateways: plan.behind_gateways(),
                ..Ethernet::with_addresses(plan.router.iter().copied())
            };
            let tap = TapDevice::open(&config, &ethernet, &pool).map_err(Failure::of)?;
            (tap.name().to_owned(), tap.changes().cloned(), Box::new(tap))
        }
        _ => {
            let tun = Tun::open(&config, &pool).map_err(Failure::of)?;
            (tun.name().to_owned(), tun.changes().cloned(), Box::new(tun))
        }
    };
    let mtu = device.capabilities().mtu;
    Ok(Opened {
        name: format!("{} ({name})", plan.label),
        mtu,
        device,
        restore: Restore::new(config.netns, changes),
        plan,
    })
}

impl Plan {
    /// The networks that a neighbour leads to, each with that neighbour.
    fn behind_gateways(&self) -> Vec<(Cidr, IpAddr)> {
        let by = |network: &Cidr| {
            let mut gateways = self.gateways.iter();
            let by = gateways.find(|by| by.is_ipv4() == network.address().is_ipv4())?;
            Some((*network, *by))
        };
        self.routes.iter().filter_map(by).collect()
    }
}

impl Opened {
    /// Begins the capture, which empties its file: call it once nothing is left that could be refused.
    ///
    /// # Errors
    /// The capture cannot be written.
    pub(super) fn begin(mut self) -> Result<Ready, Failure> {
        let (device, capture): (Box<dyn Device>, _) = match self.plan.pcap.take() {
            None => (self.device, None),
            Some(file) => {
                let (file, place) = file.begin()?;
                let config = TapConfig::new(self.plan.label);
                let (tap, capture) =
                    Tap::new(self.device, file, config).map_err(|error| place.failure(&error))?;
                (Box::new(tap), Some((capture, place)))
            }
        };
        Ok(Ready {
            interface: interface(&self.plan, device),
            tail: Tail {
                restore: self.restore,
                capture,
            },
        })
    }
}

impl Tail {
    /// Whether there is a capture that is not written any more.
    pub(super) fn has_lost_capture(&self) -> bool {
        let capture = self.capture.as_ref();
        capture.is_some_and(|(capture, _)| capture.has_failed())
    }

    /// Puts the kernel's side back, and completes the capture.
    ///
    /// # Errors
    /// In a sentence that says what is left behind or missing.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let restored = self.restore.finish();
        if let Some((capture, place)) = self.capture {
            capture.finish().map_err(|error| place.failure(&error))?;
        }
        restored
    }
}

fn device(given: &Option<DeviceName>, default: &str) -> DeviceName {
    given.clone().unwrap_or_else(|| DeviceName {
        kind: LinkKind::Tun,
        name: default.to_owned(),
    })
}

fn check_mode(options: &Bridge, left: &[Cidr], right: &[Cidr]) -> Result<(), Failure> {
    let routed = [left, right, &options.left_route, &options.right_route];
    let gateways = [&options.left_gateway, &options.right_gateway];
    let devices = [&options.left, &options.right].into_iter().flatten();
    let is_ethernet = devices
        .map(|device| device.kind)
        .any(|kind| kind == LinkKind::Tap);
    match options.mode {
        Mode::Wire if is_ethernet => Err(Failure::new(
            "a wire has no address on Ethernet, so nobody would find it: name TUN devices, or add --mode route",
        )),
        Mode::Wire if routed.iter().any(|list| !list.is_empty()) => Err(Failure::new(
            "a wire has no addresses and no routes: leave out --left-addr, --right-addr, --left-route and --right-route, or add --mode route",
        )),
        Mode::Wire if gateways.iter().any(|list| !list.is_empty()) => Err(Failure::new(
            "a wire has no routes and so no gateways: leave out --left-gateway and --right-gateway, or add --mode route",
        )),
        Mode::Route if left.is_empty() || right.is_empty() => Err(Failure::new(
            "a router needs an address on each side: add --left-addr and --right-addr, such as 10.1.0.1/24 and 10.2.0.1/24",
        )),
        Mode::Route => check_networks(
            [left, &options.left_route].concat(),
            &[right, &options.right_route].concat(),
        ),
        Mode::Wire => Ok(()),
    }
}

/// Gateways lead from a side with neighbours to networks that were named.
fn check_gateways(plan: &Plan) -> Result<(), Failure> {
    let label = plan.label;
    let leads = |by: &IpAddr| {
        let mut routes = plan.routes.iter();
        routes.any(|network| network.address().is_ipv4() == by.is_ipv4())
    };
    if !plan.gateways.is_empty() && plan.device.kind != LinkKind::Tap {
        return Err(Failure::new(format!(
            "a TUN device has no neighbours: leave out --{label}-gateway, or name a TAP device with --{label} tap:NAME",
        )));
    }
    if let Some(idle) = plan.gateways.iter().find(|by| !leads(by)) {
        return Err(Failure::new(format!(
            "--{label}-gateway {idle} leads nowhere: add --{label}-route with a network behind it",
        )));
    }
    let names = [format!("--{label}-gateway"), format!("--{label}-addr")];
    link::check_gateways(&plan.gateways, &plan.router, [&names[0], &names[1]]).map_err(Failure::new)
}

/// A router leads from one network to another, and to each by one side.
fn check_networks(left: Vec<Cidr>, right: &[Cidr]) -> Result<(), Failure> {
    let is_there = |own: &Cidr| {
        let mut others = right.iter();
        others.any(|other| own.network() == other.network() && own.prefix() == other.prefix())
    };
    match left.into_iter().find(is_there) {
        Some(twice) => Err(Failure::new(format!(
            "both sides (--left-addr and --left-route, --right-addr and --right-route) lead to the same network, {}/{}; \
             take another network for one of them",
            twice.network(),
            twice.prefix()
        ))),
        None => Ok(()),
    }
}

/// The router and the kernel have an address each.
fn check_ends(router: &[Cidr], peers: &[Cidr], label: &str) -> Result<(), Failure> {
    let is_taken = |own: &&Cidr| peers.iter().any(|peer| peer.address() == own.address());
    match router.iter().find(is_taken) {
        Some(twice) => Err(Failure::new(format!(
            "the address {} is given to both --{label}-addr and --{label}-peer; the router and the kernel need one each",
            twice.address()
        ))),
        None => Ok(()),
    }
}

fn kernel_side(plan: &Plan) -> Option<LinkConfig> {
    if plan.peers.is_empty() && plan.mtu.is_none() {
        return None;
    }
    let address = |local: &Cidr| Address {
        local: *local,
        peer: None,
    };
    Some(LinkConfig {
        mtu: plan.mtu,
        tx_queue: (!plan.offload).then_some(TUN_QUEUE),
        addresses: plan.peers.iter().map(address).collect(),
        routes: plan.beyond.clone(),
        up: !plan.peers.is_empty(),
    })
}

/// Routes of the kernel on one side to networks on the other, by the router's addresses on this one.
fn beyond<'a>(router: &[Cidr], networks: impl Iterator<Item = &'a Cidr>) -> Vec<Route> {
    let by = |network: &Cidr| {
        let is_v4 = network.address().is_ipv4();
        let via = router.iter().find(|own| own.address().is_ipv4() == is_v4)?;
        let destination = Cidr::new(network.network(), network.prefix()).ok()?;
        Some(Route {
            destination,
            via: Some(via.address()),
        })
    };
    networks.filter_map(by).collect()
}
