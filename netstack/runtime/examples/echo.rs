//! An echo server on a TUN device: `cargo run --example echo -- tun0 10.1.0.2/24`, and then, with the kernel's side of
//! the device at 10.1.0.1, `nc 10.1.0.2 7`.

use std::error::Error;
use std::io::{self, Read, Write};
use std::thread;

use netstack::drivers::{Tun, TunConfig};
use netstack::net::{TcpListener, TcpStream};
use netstack::txbuf::{Account, Ledger, Pool, PoolConfig};
use netstack::{Interface, IpCidr, Netstack};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(device), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: echo DEVICE ADDRESS/PREFIX".into());
    };
    let address: IpCidr = address
        .parse()
        .map_err(|()| "the address must look like 10.1.0.2/24")?;

    let ledger = Ledger::new();
    // What received packets may take. Before it is used up, data that nobody reads is copied out of it.
    let arena = Account::new(64 << 20);
    let config = PoolConfig {
        segment: 64 << 10,
        limit: arena.limit(),
        keep: 16,
    };
    let pool = Pool::charged_to(&ledger, config, &arena);
    let tun = Tun::open(&TunConfig::new(&device), &pool)?;
    let net = Netstack::builder()
        .interface(Interface::new(device, tun).arena(&arena).address(address))
        .start()?;

    let listener = TcpListener::bind(&net, "0.0.0.0:7")?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = echo(stream) {
                eprintln!("connection: {error}");
            }
        });
    }
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buf)? {
            0 => return Ok(()),
            length => stream.write_all(&buf[..length])?,
        }
    }
}
