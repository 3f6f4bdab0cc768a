//! A web server with TLS, HTTP/1.1 and HTTP/2 on a TUN device, from hyper and rustls as they are:
//! `cargo run --example https_server -- tun0 10.1.0.2/24 cert.pem`, and then, with the kernel's side of the device at
//! 10.1.0.1, `curl --cacert cert.pem https://10.1.0.2/`. The certificate is made at the start and written to the file.

mod server;

use std::error::Error;
use std::fs;
use std::net::SocketAddr;

use netstack::drivers::{Tun, TunConfig};
use netstack::tokio::TcpListener;
use netstack::txbuf::{Account, Ledger, Pool, PoolConfig};
use netstack::{Interface, IpCidr, Netstack};

use server::Identity;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(device), Some(cidr), Some(file)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: https_server DEVICE ADDRESS/PREFIX CERTIFICATE-FILE".into());
    };
    let cidr: IpCidr = cidr
        .parse()
        .map_err(|()| "the address must look like 10.1.0.2/24")?;
    let address = std::net::IpAddr::from(cidr.address());

    let ledger = Ledger::new();
    let arena = Account::new(64 << 20);
    let config = PoolConfig {
        segment: 64 << 10,
        limit: arena.limit(),
        keep: 16,
    };
    let pool = Pool::charged_to(&ledger, config, &arena);
    let tun = Tun::open(&TunConfig::new(&device), &pool)?;
    let net = Netstack::builder()
        .interface(Interface::new(device, tun).arena(&arena).address(cidr))
        .start()?;

    let identity = Identity::new(&[address.to_string()])?;
    fs::write(file, &identity.certificate)?;
    let listener = TcpListener::bind(&net, SocketAddr::new(address, 443))?;
    println!("ready");
    server::serve(listener, &identity).await;
    Ok(())
}
