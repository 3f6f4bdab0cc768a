//! A path between the kernel and somebody else: a TUN device, a bridge that loses packets, and the far host with a
//! capture beside it.

use super::Host;
use drivers::impair::{Chance, Impairments};
use drivers::memory::{EndConfig, MemoryConfig, raw_pair};
use drivers::netlink::{Address, LinkConfig, Netns};
use drivers::tap::{Capture, Tap, TapConfig};
use drivers::{Device, Tun, TunConfig};
use netstack::{Bridge, Interface, Netstack};
use std::time::Duration;
use tempfile::NamedTempFile;
use txbuf::{Ledger, Offloads, Pool, PoolConfig};

pub(crate) const NEAR: &str = "10.77.0.1";
pub(crate) const FAR: &str = "10.77.0.2";
const PREFIX: u8 = 24;
const MTU: usize = 1500;
/// Bytes of a packet that a capture keeps: the headers.
const SNAP: u32 = 128;

/// Who is at the far end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Far {
    Stack,
    Kernel,
}

pub(crate) struct Path {
    pub(crate) near: Host,
    pub(crate) far: Host,
    bridge: Bridge,
    capture: Capture,
    file: NamedTempFile,
}

impl Path {
    /// A path that loses `percent` of all packets of an MTU, and takes `delay`, in each direction.
    pub(crate) fn new(far: Far, percent: f64, delay: Duration, seed: u64) -> Path {
        let ledger = Ledger::new();
        let (near, left) = kernel(NEAR, &ledger);
        let (far, right): (Host, Box<dyn Device>) = match far {
            Far::Kernel => {
                let (host, device) = kernel(FAR, &ledger);
                (host, Box::new(device))
            }
            Far::Stack => {
                let (host, device) = stack();
                (host, Box::new(device))
            }
        };
        let file = NamedTempFile::new().expect("a temporary file");
        let mut config = TapConfig::new("far").snap(SNAP);
        config.queue_packets = 1 << 16;
        let reopened = file.reopen().expect("the file");
        let (right, capture) = Tap::new(right, reopened, config).expect("a capture");
        let network = Impairments {
            loss: Chance::percent(percent).expect("a percentage"),
            delay,
            ..Impairments::default()
        };
        let bridge = Bridge::wire(Interface::new("near", left), Interface::new("far", right))
            .left_to_right(network.pipeline(seed, 0))
            .right_to_left(network.pipeline(seed, 1))
            .start()
            .expect("a bridge");
        Path {
            near,
            far,
            bridge,
            capture,
            file,
        }
    }

    /// Takes everything down; what was captured beside the far host stays.
    pub(crate) fn end(self) -> NamedTempFile {
        drop(self.near);
        drop(self.far);
        self.bridge.stop().expect("the bridge still runs");
        self.capture.finish().expect("room for the capture");
        self.file
    }
}

/// A kernel, and the other end of its device.
fn kernel(address: &str, ledger: &Ledger) -> (Host, Tun) {
    let space = Netns::anonymous().expect("root");
    let local = format!("{address}/{PREFIX}").parse().expect("an address");
    let config = TunConfig {
        netns: Some(space.clone()),
        link: Some(LinkConfig {
            mtu: Some(MTU as u32),
            addresses: vec![Address { local, peer: None }],
            up: true,
            ..LinkConfig::default()
        }),
        offload: true,
        ..TunConfig::new("tun0")
    };
    let pool = PoolConfig {
        segment: 1 << 20,
        limit: 64 << 20,
        keep: 16,
    };
    let tun = Tun::open(&config, &Pool::new(ledger, pool)).expect("a TUN device");
    (Host::Kernel(space), tun)
}

/// This stack on one end of a link in memory, and the other end. Packets are as on a TUN device with offload.
fn stack() -> (Host, drivers::memory::MemoryEnd) {
    let offloads = Offloads {
        tx_checksum: true,
        rx_checksum: true,
        tso: true,
        uso: true,
    };
    let link = MemoryConfig {
        ends: [EndConfig { mtu: MTU, offloads }; 2],
        wakeup: true,
        ..MemoryConfig::default()
    };
    let (end, other) = raw_pair(link).expect("descriptors");
    let address: netstack::IpCidr = format!("{FAR}/{PREFIX}").parse().expect("an address");
    let stack = Netstack::builder()
        .interface(Interface::new("far", end).address(address))
        .start()
        .expect("a stack");
    (Host::Stack(stack), other)
}
