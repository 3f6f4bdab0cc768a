//! A web client on a TUN device, from hyper and rustls as they are:
//! `cargo run --example https_client -- tun1 10.2.0.2/24 10.1.0.2:443 /bytes/1000 cert.pem`. It fetches the path from
//! that server twice, over HTTP/1.1 and over HTTP/2; the certificate's file says whom to trust. The kernel at the other
//! end of the device has to be the way there.

mod client;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;

use netstack::drivers::{Tun, TunConfig};
use netstack::tokio::TcpStream;
use netstack::txbuf::{Account, Ledger, Pool, PoolConfig};
use netstack::{Interface, IpCidr, Netstack};

use client::{Client, Trust, Version};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, cidr, server, path, file] = arguments.as_slice() else {
        return Err(
            "usage: https_client DEVICE ADDRESS/PREFIX SERVER:PORT PATH CERTIFICATE".into(),
        );
    };
    let cidr: IpCidr = cidr
        .parse()
        .map_err(|()| "the address must look like 10.2.0.2/24")?;
    let server: SocketAddr = server.parse()?;
    let trust = Trust::in_pem(&fs::read_to_string(file)?)?;

    let ledger = Ledger::new();
    let arena = Account::new(64 << 20);
    let config = PoolConfig {
        segment: 64 << 10,
        limit: arena.limit(),
        keep: 16,
    };
    let pool = Pool::charged_to(&ledger, config, &arena);
    let tun = Tun::open(&TunConfig::new(device), &pool)?;
    let everywhere: IpCidr = if server.is_ipv4() {
        "0.0.0.0/0"
    } else {
        "::/0"
    }
    .parse()
    .map_err(|()| "a route")?;
    let interface = Interface::new(device, tun).arena(&arena);
    let net = Netstack::builder()
        .interface(interface.address(cidr).route(everywhere, None))
        .start()?;

    for version in [Version::Http1, Version::Http2] {
        let stream = TcpStream::connect(&net, server).await?;
        let mut client = Client::connect(stream, server.ip(), &trust, version).await?;
        let (status, body) = client.get(path).await?;
        println!("{version:?}: {status}, {} bytes", body.len());
    }
    Ok(())
}
