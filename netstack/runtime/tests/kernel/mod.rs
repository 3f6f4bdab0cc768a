//! The kernel at the other end of a TUN device, in a network namespace of its own.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Output};

use netstack::drivers::netlink::{Address, LinkConfig, Netns, Route};
use netstack::drivers::{Tun, TunConfig};
use netstack::txbuf::{Account, Ledger, Pool, PoolConfig};

/// A TUN device and what it receives into.
pub struct Device {
    pub tun: Tun,
    pub arena: Account,
    pub ledger: Ledger,
}

/// A device in `space` with these addresses, and these routes by it.
pub fn device(space: &Netns, name: &str, addresses: &[&str], routes: &[&str]) -> Device {
    let mut queues = queues(space, name, addresses, routes, 1);
    queues.pop().expect("one")
}

/// As [`device`], with so many queues, each of which is a device to the stack.
pub fn queues(
    space: &Netns,
    name: &str,
    addresses: &[&str],
    routes: &[&str],
    count: usize,
) -> Vec<Device> {
    let config = TunConfig {
        netns: Some(space.clone()),
        link: Some(link(addresses, routes)),
        ..TunConfig::new(name)
    };
    let storage = || {
        let (ledger, arena) = (Ledger::new(), Account::new(32 << 20));
        let pool = PoolConfig {
            segment: 64 << 10,
            limit: arena.limit(),
            keep: 16,
        };
        (Pool::charged_to(&ledger, pool, &arena), (arena, ledger))
    };
    let (pools, charged): (Vec<_>, Vec<_>) = (0..count).map(|_| storage()).unzip();
    let tuns = Tun::open_queues(&config, &pools).expect("a TUN device");
    let both = tuns.into_iter().zip(charged);
    both.map(|(tun, (arena, ledger))| Device { tun, arena, ledger })
        .collect()
}

/// Sets a variable of a namespace's network.
pub fn sysctl(space: &Netns, name: &str, value: &str) {
    let set = space.run(|| fs::write(format!("/proc/sys/net/{name}"), value));
    set.expect("a namespace").expect("a variable");
}

/// What a device is to have, which is to be up.
pub fn link(addresses: &[&str], routes: &[&str]) -> LinkConfig {
    let address = |text: &&str| Address {
        local: text.parse().expect("an address and a prefix"),
        peer: None,
    };
    let route = |text: &&str| Route {
        destination: text.parse().expect("a prefix"),
        via: None,
    };
    LinkConfig {
        addresses: addresses.iter().map(address).collect(),
        routes: routes.iter().map(route).collect(),
        up: true,
        ..LinkConfig::default()
    }
}

/// Runs the kernel's curl in `space`.
pub fn curl(space: &Netns, arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "30"])
        .args(arguments);
    let run = space.run(|| command.output());
    run.expect("a namespace").expect("curl is installed")
}

/// Runs `work` on a tokio runtime of one thread in `space`: its sockets belong there.
pub fn within<T: Send>(space: &Netns, work: impl Future<Output = T> + Send) -> T {
    let run = space.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(work)
    });
    run.expect("a namespace")
}

/// As many descriptors as this process may have.
pub fn raise_descriptors(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let enough = now.current.is_none_or(|current| current >= wanted);
    if !enough {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: now.maximum.map(|most| most.max(wanted)),
        };
        setrlimit(Resource::Nofile, raised).expect("root may have more descriptors");
    }
}

/// Bytes of memory that this process has in use.
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    1024 * kib.and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Connects in the namespace of the calling thread.
pub async fn connect(to: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    tokio::net::TcpStream::connect(to).await
}

/// An address as it stands in a URL.
pub fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}
