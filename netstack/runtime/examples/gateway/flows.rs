//! Flows, each joined to a socket of the host.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use netstack::tokio::{FlowSocket, Gateway, IncomingFlow, UdpSocket as StackSocket};
use netstack::txbuf::Ledger;
use netstack::{Admission, Config, Flow, KeepAlive, Pools, SocketOption, Transport};
use tokio::io::{ReadBuf, copy_bidirectional};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Flows at a time. Each holds a descriptor of the host.
const MOST: usize = 4096;
/// How long a host may take to answer.
const CONNECTING: Duration = Duration::from_secs(8);
/// After so long without a datagram a flow is over.
const IDLE: Duration = Duration::from_secs(60);
/// A source that is silent for so long is asked whether it is still there.
const SILENT: Duration = Duration::from_secs(600);
/// The longest datagram.
const DATAGRAM: usize = 65_535;

thread_local! {
    /// One datagram on its way. A flow that waits holds none.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; DATAGRAM]);
}

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
        stream.set_option(SocketOption::KeepAlive(Some(KeepAlive {
            idle: SILENT,
            ..KeepAlive::default()
        })))?;
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
    host.writable().await?;
    loop {
        let step = poll_fn(|cx| BUFFER.with_borrow_mut(|buffer| pass(cx, &socket, &host, buffer)));
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

/// Passes one datagram on in each direction, if there is one. What the host says of its side is told apart from an end of
/// the stack.
fn pass(
    cx: &mut Context<'_>,
    socket: &StackSocket,
    host: &UdpSocket,
    buffer: &mut [u8],
) -> Poll<io::Result<io::Result<()>>> {
    let mut passed = false;
    let mut datagram = ReadBuf::new(buffer);
    if let Poll::Ready(received) = socket.poll_recv(cx, &mut datagram) {
        received?;
        if let Err(error) = sent(host.try_send(datagram.filled())) {
            return Poll::Ready(Ok(Err(error)));
        }
        passed = true;
    }
    datagram.clear();
    if let Poll::Ready(received) = host.poll_recv(cx, &mut datagram) {
        if let Err(error) = received {
            return Poll::Ready(Ok(Err(error)));
        }
        sent(socket.try_send(datagram.filled()))?;
        passed = true;
    }
    match passed {
        true => Poll::Ready(Ok(Ok(()))),
        false => Poll::Pending,
    }
}

/// A datagram for which there is no room is lost, as it may be anywhere on its way.
fn sent(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
