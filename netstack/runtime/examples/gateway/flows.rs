//! Flows, each joined to a socket of the host.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use netstack::tokio::{FlowSocket, Gateway, IncomingFlow};
use netstack::txbuf::Ledger;
use netstack::{Admission, Config, Flow, Pools, Transport};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Flows at a time. Each holds a descriptor of the host.
const MOST: usize = 4096;
/// How long a host may take to answer.
const CONNECTING: Duration = Duration::from_secs(8);
/// After so long without a datagram a flow is over.
const IDLE: Duration = Duration::from_secs(60);
/// The longest datagram.
const DATAGRAM: usize = 65_535;

/// Keeps what all flows hold together below `memory` bytes, and what each may queue so small that many can.
pub(crate) fn bound(config: &mut Config, memory: usize) {
    config.pools = Pools::new(&Ledger::new(), memory);
    config.tcp.send_buffer = 256 << 10;
    config.tcp.receive_buffer = 256 << 10;
}

/// What is decided at once: mail is nobody's business here. The rest depends on what the host finds out.
pub(crate) fn admit(flow: &Flow) -> Admission {
    match flow.destination.port() {
        25 => Admission::Reject,
        _ => Admission::Later,
    }
}

/// Joins all flows of a gateway to sockets of the host, until the stack ends.
pub(crate) async fn bridge(gateway: Gateway) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        let incoming = gateway.accept().await?;
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            // A source that hears nothing tries again.
            drop(incoming);
            continue;
        };
        tokio::spawn(async move {
            let flow = *incoming.flow();
            let bridged = match flow.transport {
                Transport::Tcp => connection(incoming, flow.destination).await,
                Transport::Udp => datagrams(incoming, flow.destination).await,
            };
            if let Err(error) = bridged {
                eprintln!("{} to {}: {error}", flow.source, flow.destination);
            }
            drop(place);
        });
    }
}

/// The connection is answered once the host's is there, and refused if that fails.
async fn connection(incoming: IncomingFlow, to: SocketAddr) -> io::Result<()> {
    let connected = timeout(CONNECTING, TcpStream::connect(to)).await;
    let mut host = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(host) => host,
        Err(error) => {
            incoming.reject()?;
            return Err(error);
        }
    };
    if let FlowSocket::Tcp(mut stream) = incoming.accept().await? {
        // A failure of one side is the other's end, and not a clean one.
        if let Err(error) = copy_bidirectional(&mut stream, &mut host).await {
            stream.set_zero_linger();
            return Err(error);
        }
    }
    Ok(())
}

/// The flow is accepted before its first datagram reaches the host's side: that nobody listens there shows only
/// afterwards, and is then passed on to the source.
async fn datagrams(incoming: IncomingFlow, to: SocketAddr) -> io::Result<()> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let host = UdpSocket::bind(any).await?;
    if let Err(error) = host.connect(to).await {
        incoming.reject()?;
        return Err(error);
    }
    let FlowSocket::Udp(socket) = incoming.accept().await? else {
        return Ok(());
    };
    let (mut there, mut back) = (vec![0; DATAGRAM], vec![0; DATAGRAM]);
    loop {
        let step = async {
            tokio::select! {
                length = socket.recv(&mut there) => {
                    let length = length?;
                    Ok(host.send(&there[..length]).await.map(|_| ()))
                }
                length = host.recv(&mut back) => match length {
                    Ok(length) => socket.send(&back[..length]).await.map(|_| Ok(())),
                    Err(error) => Ok(Err(error)),
                },
            }
        };
        let by_host: io::Result<()> = match timeout(IDLE, step).await {
            Ok(step) => step?,
            Err(_) => return Ok(()),
        };
        if let Err(error) = by_host {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                socket.refuse()?;
            }
            return Err(error);
        }
    }
}
