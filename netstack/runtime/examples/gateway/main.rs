//! Bridges every connection and every datagram that comes by a TUN device to sockets of the host:
//! `cargo run --example gateway -- tun0`. Whatever the kernel sends to the device (`ip route add 203.0.113.0/24 dev
//! tun0`), this program fetches for it, by the host's other ways; so the host needs one that does not lead back here.

mod flows;

use std::error::Error;

use netstack::drivers::{Tun, TunConfig};
use netstack::tokio::Gateway;
use netstack::txbuf::{Account, Ledger, Pool, PoolConfig};
use netstack::{GatewayConfig, Interface, IpCidr, Netstack};

/// Bytes of received packets, and the same again of what sockets hold.
const MEMORY: usize = 64 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(device) = std::env::args().nth(1) else {
        return Err("usage: gateway DEVICE".into());
    };
    let ledger = Ledger::new();
    let arena = Account::new(MEMORY);
    let config = PoolConfig {
        segment: 64 << 10,
        limit: arena.limit(),
        keep: 16,
    };
    let pool = Pool::charged_to(&ledger, config, &arena);
    let tun = Tun::open(&TunConfig::new(&device), &pool)?;
    let mut interface = Interface::new(&device, tun).arena(&arena);
    // The gateway has no address; but it has to know by where its answers leave.
    for everywhere in ["0.0.0.0/0", "::/0"] {
        let everywhere: IpCidr = everywhere.parse().map_err(|()| "a route")?;
        interface = interface.route(everywhere, None);
    }
    let net = Netstack::builder()
        .interface(interface)
        .configure(move |config| flows::bound(config, MEMORY))
        .start()?;
    let gateway = Gateway::open(&net, &device, &GatewayConfig::default(), flows::admit)?;
    println!("ready");
    flows::bridge(gateway).await?;
    Ok(())
}
