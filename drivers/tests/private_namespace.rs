//! A private user and network namespace, with and without privilege.
//!
//! Namespaces are made by a process with a single thread, which the test harness is not: this test has none, and
//! starts itself again for each case.

use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use drivers::netlink::{self, Address, LinkConfig, NetlinkError};
use drivers::{Device, Tun, TunConfig, TunError};
use txbuf::{Ledger, Pool, PoolConfig};

const CASE: &str = "PRIVATE_NAMESPACE_CASE";
const NOBODY: u32 = 65534;

/// How a case ends that could not be tried on this machine.
const NOT_HERE: u8 = 77;

fn main() -> ExitCode {
    if std::env::var_os(CASE).is_some() {
        return inside();
    }
    let required = std::env::var_os("REQUIRE_TUN").is_some_and(|value| value == "1");
    let mut failed = false;
    for user in [None, Some(NOBODY)] {
        let mut command = Command::new("/proc/self/exe");
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let name = user.map_or("as the calling user".to_owned(), |user| {
            format!("as user {user}")
        });
        match command.env(CASE, "1").status() {
            Ok(status) if status.success() => println!("private namespace {name}: ok"),
            Ok(status) if status.code() == Some(NOT_HERE.into()) => {
                skip(&name, "see above");
                // Who has all rights can always try the case without a change of user.
                failed |= required && user.is_none();
            }
            Ok(status) => {
                eprintln!("private namespace {name}: {status}");
                failed = true;
            }
            // Only root may become somebody else, who may not be allowed to read this program.
            Err(error) => skip(&name, &error.to_string()),
        }
    }
    ExitCode::from(u8::from(failed))
}

fn skip(case: &str, reason: &str) {
    eprintln!("SKIPPED: private namespace {case}: {reason}");
}

/// Runs in a process of its own: makes the namespace, a device in it, and sends a packet each way.
fn inside() -> ExitCode {
    match netlink::private_namespace() {
        Ok(()) => {}
        Err(error @ NetlinkError::NoUserNamespaces { .. }) => return not_here(&error.to_string()),
        Err(error) => panic!("{error}"),
    }
    assert!(
        netlink::link_state(None, "lo")
            .expect("a loopback device")
            .up
    );
    let pool = Pool::new(
        &Ledger::new(),
        PoolConfig {
            segment: 65536,
            limit: 1 << 20,
            keep: 1,
        },
    );
    let address = Address {
        local: "2001:db8::2/64".parse().expect("an address"),
        peer: None,
    };
    let link = LinkConfig {
        mtu: Some(1280),
        addresses: vec![address],
        up: true,
        ..LinkConfig::default()
    };
    let mut tun = match Tun::open(
        &TunConfig {
            link: Some(link),
            ..TunConfig::new("tun0")
        },
        &pool,
    ) {
        Ok(tun) => tun,
        Err(error @ (TunError::DeviceNodeDenied { .. } | TunError::NoDeviceNode)) => {
            return not_here(&error.to_string());
        }
        Err(error) => panic!("{error}"),
    };
    let socket = UdpSocket::bind("[2001:db8::2]:2000").expect("the address is usable at once");
    socket
        .send_to(b"hello", "[2001:db8::9]:3000")
        .expect("a route");
    let mut packets = Vec::new();
    while !packets
        .iter()
        .any(|packet: &txbuf::Packet| packet.to_vec().is_ok_and(|bytes| bytes.ends_with(b"hello")))
    {
        tun.receive(&mut packets, 64).expect("a device that is up");
    }
    ExitCode::SUCCESS
}

fn not_here(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::from(NOT_HERE)
}
