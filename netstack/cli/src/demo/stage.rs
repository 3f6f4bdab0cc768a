//! Where the demonstration takes place: a TUN device in a namespace of its own, or a link in memory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::{Duration, Instant};

use drivers::memory::{self, MemoryConfig};
use drivers::netlink::{self, Address, Cidr, LinkConfig};
use drivers::tap::{Capture, CaptureReport, Tap, TapConfig};
use drivers::{Device, Tun, TunConfig};
use netstack::services::Echo;
use netstack::{Builder, Interface, Netstack};
use txbuf::{Account, Ledger, Offloads};

use super::host::{Host, Sockets};
use crate::args::{Service, ServiceKind};
use crate::capture_file::{CaptureFile, Place};
use crate::failure::Failure;
use crate::serve::{Files, Web, everywhere, receive_pool};

/// The ports of the near end's services.
pub(crate) const ECHO_PORT: u16 = 7;
pub(crate) const HTTP_PORT: u16 = 80;

/// The most packets in the capture, and the most bytes.
const CAPTURED: u64 = 20_000;
const CAPTURED_BYTES: u64 = 96 << 20;
/// What a plain TUN device queues for the stack before it drops: the default of 500 is less than a window.
const TUN_QUEUE: u32 = 4000;
/// Packets on their way in each direction of the link in memory.
const MEMORY_QUEUE: usize = 1024;
/// How long a stack may take to end.
const GRACE: Duration = Duration::from_secs(10);

const NEAR_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const NEAR_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 2);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 9, 0, 0, 0, 0, 0, 1);
/// The addresses of the near end.
pub(super) const NEAR: [IpAddr; 2] = [IpAddr::V4(NEAR_V4), IpAddr::V6(NEAR_V6)];

/// What the stage is made of.
pub(crate) struct Props {
    /// Without the kernel, even where it could be had.
    pub(crate) no_tun: bool,
    /// The largest packet in bytes.
    pub(crate) mtu: u32,
    pub(crate) capture: CaptureFile,
    /// What the near end's http service gives out.
    pub(crate) files: Files,
}

/// Two ends and what joins them.
pub(crate) struct Stage {
    /// The stack that is shown, with an echo and an http service.
    pub(crate) near: Host,
    /// The kernel, or another stack.
    pub(crate) far: Host,
    /// Why the kernel is not the other end, when it was to be.
    pub(crate) fallback: Option<String>,
    web: Web,
    capture: Capture,
    place: Place,
    /// Of the memory that devices receive into.
    ledger: Ledger,
}

/// What is left when the stage is cleared.
pub(crate) struct Remains {
    pub(crate) live_nodes: usize,
    pub(crate) capture: CaptureReport,
    /// Whether every connection had delivered what it had to.
    pub(crate) finished: bool,
    pub(crate) packets: u64,
    pub(crate) retransmits: u64,
}

impl Stage {
    /// The kernel as the other end where that is allowed, a second stack where it is not or is not wanted.
    ///
    /// Must be called while the process has one thread.
    pub(crate) fn set(props: Props) -> Result<Stage, Failure> {
        if props.no_tun {
            return Stage::in_memory(props, None);
        }
        let ledger = Ledger::new();
        match open_tun(&ledger, props.mtu) {
            Ok(tun) => Stage::with_kernel(tun, props, ledger),
            Err(why) => Stage::in_memory(props, Some(why)),
        }
    }

    /// Whether the far end is the kernel.
    pub(crate) fn has_kernel(&self) -> bool {
        matches!(self.far.sockets, Sockets::Kernel)
    }

    /// The addresses of the kernel, where it is the far end.
    pub(crate) fn kernel(&self) -> Vec<IpAddr> {
        match self.far.sockets {
            Sockets::Kernel => vec![self.far.v4.into(), self.far.v6.into()],
            Sockets::Stack(_) => Vec::new(),
        }
    }

    /// Ends everything and says what is left.
    pub(crate) fn clear(self) -> Result<Remains, Failure> {
        let Stage {
            near,
            far,
            web,
            capture,
            place,
            ledger,
            ..
        } = self;
        wait_until_closed(&[&near, &far]);
        drop(web);
        let mut remains = Remains {
            live_nodes: 0,
            capture: CaptureReport::default(),
            finished: true,
            packets: 0,
            retransmits: 0,
        };
        let mut ledgers = vec![ledger];
        let stacks = [far, near]
            .into_iter()
            .filter_map(|host| match host.sockets {
                Sockets::Stack(stack) => Some(stack),
                Sockets::Kernel => None,
            });
        for stack in stacks {
            let shutdown = stack.shutdown(GRACE).map_err(Failure::of)?;
            remains.finished &= shutdown.finished;
            remains.retransmits += shutdown.counters.tcp.retransmits;
            // Of two ends of one link the last seen counts: what one receives, the other has sent.
            remains.packets = shutdown
                .interfaces
                .iter()
                .map(|i| i.device.rx_packets + i.device.tx_packets)
                .sum();
            ledgers.extend(shutdown.ledgers);
        }
        remains.capture = capture.finish().map_err(|error| place.failure(&error))?;
        remains.live_nodes = ledgers.iter().map(Ledger::live_nodes).sum();
        Ok(remains)
    }

    fn with_kernel(
        (tun, arena): (Tun, Account),
        props: Props,
        ledger: Ledger,
    ) -> Result<Stage, Failure> {
        let (tap, capture, place) = tap(tun, props.capture, props.mtu)?;
        let interface = Interface::new("demo0", tap).arena(&arena);
        let (near, web) = start_near(interface, props.files)?;
        let far = Host {
            v4: FAR_V4,
            v6: FAR_V6,
            sockets: Sockets::Kernel,
        };
        Ok(Stage {
            near,
            far,
            fallback: None,
            web,
            capture,
            place,
            ledger,
        })
    }

    fn in_memory(props: Props, fallback: Option<String>) -> Result<Stage, Failure> {
        let config = MemoryConfig {
            queue: MEMORY_QUEUE,
            wakeup: true,
            ..MemoryConfig::symmetric(props.mtu as usize, Offloads::default())
        };
        let (near, far) = memory::raw_pair(config).map_err(Failure::of)?;
        let (tap, capture, place) = tap(near, props.capture, props.mtu)?;
        let (near, web) = start_near(Interface::new("near", tap), props.files)?;
        let far = start(
            Netstack::builder(),
            Interface::new("far", far),
            (FAR_V4, FAR_V6),
        )?;
        Ok(Stage {
            near,
            far: host(far, (FAR_V4, FAR_V6)),
            fallback,
            web,
            capture,
            place,
            ledger: Ledger::new(),
        })
    }
}

/// A TUN device in a namespace of this process alone; why not, when it cannot be had.
fn open_tun(ledger: &Ledger, mtu: u32) -> Result<(Tun, Account), String> {
    netlink::private_namespace().map_err(|error| error.to_string())?;
    let address =
        |address, prefix| Cidr::new(address, prefix).map(|local| Address { local, peer: None });
    let addresses = [address(FAR_V4.into(), 24), address(FAR_V6.into(), 64)];
    let link = LinkConfig {
        mtu: Some(mtu),
        tx_queue: Some(TUN_QUEUE),
        addresses: addresses.into_iter().flatten().collect(),
        up: true,
        ..LinkConfig::default()
    };
    let config = TunConfig {
        name: "demo0".to_owned(),
        netns: None,
        link: Some(link),
        ..TunConfig::default()
    };
    let (pool, arena) = receive_pool(ledger);
    let tun = Tun::open(&config, &pool).map_err(|error| error.to_string())?;
    Ok((tun, arena))
}

/// Waits until no connection has anything left to deliver: each end needs the other for that, so that neither may
/// be taken away before.
fn wait_until_closed(hosts: &[&Host]) {
    let deadline = Instant::now() + GRACE;
    let is_open = |host: &&Host| match &host.sockets {
        Sockets::Stack(stack) => stack
            .inspect(|stack| stack.closing() > 0)
            .is_ok_and(|open| open.contains(&true)),
        Sockets::Kernel => false,
    };
    while hosts.iter().any(is_open) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The end that is shown, and its services.
fn start_near(interface: Interface, files: Files) -> Result<(Host, Web), Failure> {
    let builder = Netstack::builder().service(Echo::new(everywhere(ECHO_PORT)));
    let stack = start(builder, interface, (NEAR_V4, NEAR_V6))?;
    let http = Service {
        kind: ServiceKind::Http,
        port: HTTP_PORT,
    };
    let web = Web::start(&stack, &[http], files)?;
    Ok((host(stack, (NEAR_V4, NEAR_V6)), web))
}

fn start(
    builder: Builder,
    interface: Interface,
    (v4, v6): (Ipv4Addr, Ipv6Addr),
) -> Result<Netstack, Failure> {
    let interface = interface
        .address(netstack::IpCidr::new(v4.into(), 24))
        .address(netstack::IpCidr::new(v6.into(), 64));
    builder.interface(interface).start().map_err(Failure::of)
}

fn host(stack: Netstack, (v4, v6): (Ipv4Addr, Ipv6Addr)) -> Host {
    Host {
        v4,
        v6,
        sockets: Sockets::Stack(stack),
    }
}

/// Captures what passes `device`.
fn tap<D: Device>(
    device: D,
    file: CaptureFile,
    mtu: u32,
) -> Result<(Tap<D>, Capture, Place), Failure> {
    let (file, place) = file.begin()?;
    let packets = CAPTURED.min(CAPTURED_BYTES / u64::from(mtu.max(1)));
    let (tap, capture) = Tap::new(device, file, TapConfig::new("demo0").first(packets))
        .map_err(|error| place.failure(&error))?;
    Ok((tap, capture, place))
}
