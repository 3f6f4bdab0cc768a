//! The example of a gateway: between a namespace whose every packet goes to its TUN device, and another with servers,
//! which have no other way to each other.

#[path = "../examples/gateway/flows.rs"]
mod flows;
mod kernel;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kernel::{curl, in_url, link, queues, raise_descriptors, resident, sysctl, within};
use needs::may_use_tun;
use netstack::drivers::netlink::{self, Netns};
use netstack::tokio::Gateway;
use netstack::{GatewayConfig, Interface, IpCidr, Netstack, Stack};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// Where the servers are.
const FAR: [&str; 2] = ["198.51.100.7", "2001:db8:7::7"];
const WEB: u16 = 80;
/// Sends back what it gets, once it is let.
const ECHO: u16 = 7;
const DATAGRAMS: u16 = 9;
const FLOWS: usize = 1000;
/// Bytes of each flow: far more than all buffers on its way hold, which is 90 to 180 KB by what the kernel keeps.
const BYTES: usize = 400_000;
/// Bytes that clients and servers move at a time: what they hold is measured as the gateway's.
const PART: usize = 2000;
/// What all flows may hold together: of what their sockets keep.
const MEMORY: usize = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(120);
/// Any address and port of either version.
const ANY: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
];

/// The memory of the process is measured while no other test uses any.
static MEASURED: RwLock<()> = RwLock::new(());

/// The two namespaces, the gateway between them, and the thread with the gateway's and the servers' sockets.
struct Network {
    near: Netns,
    net: Netstack,
    far: Option<(JoinHandle<()>, oneshot::Sender<()>)>,
    /// Lets the echo server read.
    open: Arc<Semaphore>,
}

fn far(number: usize, port: u16) -> SocketAddr {
    SocketAddr::new(FAR[number].parse().expect("an address"), port)
}

impl Network {
    fn new() -> Network {
        Network::with_shards(1)
    }

    /// The gateway has so many shards, each with a queue of the device.
    fn with_shards(shards: usize) -> Network {
        let near = Netns::anonymous().expect("root");
        let space = Netns::anonymous().expect("root");
        let servers = link(&["198.51.100.7/32", "2001:db8:7::7/128"], &[]);
        netlink::configure(Some(&space), "lo", &servers).expect("addresses of servers");
        // What is not read is to be felt at once, wherever the kernel would keep it.
        sysctl(&space, "ipv4/tcp_wmem", "4096 16384 16384");
        let devices = queues(
            &near,
            "tun86",
            &["10.86.0.1/24", "fd86::1/64"],
            &["0.0.0.0/0", "::/0"],
            shards,
        );
        let mut devices = devices.into_iter();
        let first = devices.next().expect("a queue");
        let mut interface = Interface::new("tun86", first.tun).arena(&first.arena);
        for other in devices {
            interface = interface.queue(other.tun).arena(&other.arena);
        }
        for everywhere in ["0.0.0.0/0", "::/0"] {
            let everywhere: IpCidr = everywhere.parse().expect("a prefix");
            interface = interface.route(everywhere, None);
        }
        let net = Netstack::builder()
            .interface(interface)
            .configure(|config| flows::bound(config, MEMORY))
            .start()
            .expect("a stack");
        let config = GatewayConfig::default();
        let gateway = Gateway::open(&net, "tun86", &config, flows::admit).expect("a gateway");
        let open = Arc::new(Semaphore::new(0));
        let let_in = Arc::clone(&open);
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            within(&space, async move {
                serve(&let_in).await.expect("free ports");
                ready.send(()).expect("somebody waits");
                tokio::select! {
                    ended = flows::bridge(gateway) => panic!("{ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv().expect("servers");
        Network {
            near,
            net,
            far: Some((thread, stop)),
            open,
        }
    }

    /// Ends everything; nothing may be left.
    fn finish(mut self) {
        if let Some((thread, stop)) = self.far.take() {
            stop.send(()).expect("it still runs");
            thread.join().expect("no panic");
        }
        let ended = self.net.shutdown(Duration::from_secs(5)).expect("a stack");
        assert_eq!(ended.live_nodes(), 0, "{ended:?}");
        let gateway = &ended.counters.gateway;
        assert_eq!(
            (
                gateway.backlog_full,
                gateway.undecided_late,
                gateway.udp_flows_full
            ),
            (0, 0, 0)
        );
    }
}

/// Starts the servers, in the namespace of the calling thread.
async fn serve(open: &Arc<Semaphore>) -> io::Result<()> {
    for any in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        FAR[1].parse().expect("an address"),
    ] {
        let web = TcpListener::bind((any, WEB)).await?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = web.accept().await {
                let answer = service_fn(|request: Request<_>| async move {
                    let _: &hyper::body::Incoming = request.body();
                    let body = Full::new(Bytes::from(vec![b'x'; 1_000_000]));
                    Ok::<_, io::Error>(Response::new(body))
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
            }
        });
        let echo = match any {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // So that what is not read is felt at once.
        echo.set_recv_buffer_size(8 << 10)?;
        echo.bind((any, ECHO).into())?;
        let echo = echo.listen(1024)?;
        let open = Arc::clone(open);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                let open = Arc::clone(&open);
                tokio::spawn(async move {
                    // Closed only at the end of the test.
                    let _place = open.acquire().await;
                    let mut buf = vec![0; PART];
                    while let Ok(length @ 1..) = stream.read(&mut buf).await
                        && stream.write_all(&buf[..length]).await.is_ok()
                    {}
                });
            }
        });
        let datagrams = UdpSocket::bind((any, DATAGRAMS)).await?;
        tokio::spawn(async move {
            let mut buf = vec![0; 1 << 16];
            while let Ok((length, from)) = datagrams.recv_from(&mut buf).await {
                let _ = datagrams.send_to(&buf[..length], from).await;
            }
        });
    }
    Ok(())
}

/// Byte `place` of flow `flow`.
fn byte(flow: usize, place: usize) -> u8 {
    ((flow as u32).wrapping_mul(0x85eb_ca6b) ^ (place as u32).wrapping_mul(0x9e37_79b1))
        .to_be_bytes()[0]
}

#[test]
fn the_kernels_curl_goes_through() {
    if !may_use_tun() {
        return;
    }
    let _beside = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let network = Network::new();
    for number in 0..FAR.len() {
        let url = format!("http://{}/", in_url(far(number, WEB).ip()));
        let fetched = curl(&network.near, &[&url]);
        assert!(fetched.status.success(), "{url}: {fetched:?}");
        assert!(
            fetched.stdout == vec![b'x'; 1_000_000],
            "{}",
            fetched.stdout.len()
        );
    }
    // Where nobody listens, and where the gateway lets nobody, is refused: curl's 7, and quickly.
    for port in [81, 25] {
        let begun = Instant::now();
        let url = format!("http://{}:{port}/", FAR[0]);
        let refused = curl(&network.near, &[&url]);
        assert_eq!(refused.status.code(), Some(7), "{url}: {refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    network.finish();
}

#[test]
fn datagrams_go_through_and_are_refused() {
    if !may_use_tun() {
        return;
    }
    let _beside = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let network = Network::new();
    within(&network.near, async {
        let exchanges: Vec<_> = (0..64)
            .map(|number| tokio::spawn(exchange(number)))
            .collect();
        for exchange in exchanges {
            let ended = timeout(PATIENCE, exchange).await;
            ended
                .expect("in time")
                .expect("no panic")
                .expect("an answer");
        }
        // This port the gateway lets nobody to: that comes back as an error.
        let socket = UdpSocket::bind("0.0.0.0:0").await.expect("a socket");
        socket.connect(far(0, 25)).await.expect("a way");
        refused(&socket).await;
        // Where nobody listens, the host is told so after the flow was accepted: that comes back too.
        for (number, any) in ANY.into_iter().enumerate() {
            let socket = UdpSocket::bind(any).await.expect("a socket");
            socket.connect(far(number, 10)).await.expect("a way");
            refused(&socket).await;
        }
    });
    let counters = network.net.counters().expect("a stack").gateway;
    assert!(counters.refused >= 2, "{counters:?}");
    network.finish();
}

/// Sends until it is told that nobody listens.
async fn refused(socket: &UdpSocket) {
    let asking = async {
        loop {
            socket.send(b"?").await?;
            let mut buf = [0; 10];
            match timeout(Duration::from_millis(200), socket.recv(&mut buf)).await {
                Ok(received) => return received,
                Err(_) => continue,
            }
        }
    };
    let answer = timeout(Duration::from_secs(10), asking).await;
    let error = answer.expect("an answer").expect_err("nobody is there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_gateway_of_two_shards_carries_connections_and_datagrams() {
    if !may_use_tun() {
        return;
    }
    let _beside = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let network = Network::with_shards(2);
    network.open.add_permits(FLOWS);
    within(&network.near, async {
        let flows = (0..40).map(|number| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(far(number % 2, ECHO))
                    .await
                    .expect("a way");
                echoed(number, &mut stream, &AtomicUsize::new(0)).await;
                exchange(number).await.expect("an answer");
            })
        });
        for flow in flows.collect::<Vec<_>>() {
            timeout(PATIENCE, flow)
                .await
                .expect("in time")
                .expect("every byte right");
        }
    });
    let accepted = |stack: &Stack| {
        let counters = &stack.counters().gateway;
        (counters.accepted_tcp, counters.accepted_udp)
    };
    // The kernel shares flows out by their addresses and ports: of so many, each queue has some.
    let shards = network.net.inspect(accepted).expect("a stack");
    println!("flows of each shard: {shards:?}");
    assert_eq!(shards.len(), 2);
    assert!(
        shards.iter().all(|(tcp, udp)| *tcp > 0 && *udp > 0),
        "{shards:?}"
    );
    assert_eq!(shards.iter().map(|(tcp, _)| tcp).sum::<u64>(), 40);
    network.finish();
}

/// Datagrams of many sizes to the echo server and back, from a socket of their own.
async fn exchange(number: usize) -> io::Result<()> {
    let socket = UdpSocket::bind(ANY[number % 2]).await?;
    socket.connect(far(number % 2, DATAGRAMS)).await?;
    for length in [0, 1, 1000, 1472, 5000, 20_000] {
        let sent: Vec<u8> = (0..length).map(|place| byte(number, place)).collect();
        let mut buf = vec![0; 1 << 16];
        // A datagram may be lost where so many begin at once.
        loop {
            socket.send(&sent).await?;
            let Ok(received) = timeout(Duration::from_secs(2), socket.recv(&mut buf)).await else {
                continue;
            };
            let received = received?;
            // One that was sent again is answered twice.
            if received == length {
                assert!(buf[..received] == sent[..], "datagram of {length} bytes");
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn a_thousand_flows_at_once_in_bounded_memory() {
    if !may_use_tun() {
        return;
    }
    let _alone = MEASURED.write().unwrap_or_else(PoisonError::into_inner);
    raise_descriptors(8192);
    let network = Network::new();
    sysctl(&network.near, "ipv4/tcp_wmem", "4096 16384 16384");
    // BBR takes a sender that was kept waiting for a path of a few kilobits, and goes on so.
    sysctl(&network.near, "ipv4/tcp_congestion_control", "reno");
    let before = resident();
    let watch = Watch::new(&network.net);
    within(&network.near, async {
        let written = Arc::new(AtomicUsize::new(0));
        let connected = Arc::new(AtomicUsize::new(0));
        let news = Arc::new(Notify::new());
        let flows: Vec<_> = (0..FLOWS)
            .map(|number| {
                let (written, connected, news) = (
                    Arc::clone(&written),
                    Arc::clone(&connected),
                    Arc::clone(&news),
                );
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(far(number % 2, ECHO))
                        .await
                        .expect("a way");
                    connected.fetch_add(1, Ordering::Relaxed);
                    news.notify_one();
                    echoed(number, &mut stream, &written).await;
                })
            })
            .collect();
        let all = async {
            while connected.load(Ordering::Relaxed) < FLOWS {
                news.notified().await;
            }
        };
        timeout(PATIENCE, all).await.expect("all are connected");
        // Nobody reads: what is written fills every buffer on the way, until nothing moves any more.
        let mut last = 0;
        loop {
            sleep(Duration::from_millis(500)).await;
            let now = written.load(Ordering::Relaxed);
            if now == last {
                break;
            }
            last = now;
        }
        println!("{} of {} bytes wait for readers", last, FLOWS * BYTES);
        // It is felt where it comes from: most writers cannot go on.
        assert!(last < FLOWS * BYTES / 2, "{last} bytes were taken");
        let connections = network
            .net
            .inspect(|stack: &Stack| stack.tcp_connections().count());
        assert_eq!(connections.expect("a stack").iter().sum::<usize>(), FLOWS);
        network.open.add_permits(FLOWS);
        for flow in flows {
            timeout(PATIENCE, flow)
                .await
                .expect("in time")
                .expect("every byte right");
        }
    });
    let (most, grown) = watch.end(before);
    println!("{FLOWS} flows: at most {most} bytes of buffers, {grown} of memory");
    // What sockets hold, and what the device receives into.
    assert!(most <= MEMORY, "{most} bytes of buffers");
    assert!(grown < 4 * MEMORY, "{grown} bytes of memory");
    network.finish();
}

/// Sends the bytes of a flow and compares what comes back.
async fn echoed(number: usize, stream: &mut TcpStream, written: &AtomicUsize) {
    let (mut read, mut write) = stream.split();
    let sending = async {
        let mut place = 0;
        while place < BYTES {
            let end = BYTES.min(place + PART);
            let part: Vec<u8> = (place..end).map(|place| byte(number, place)).collect();
            write.write_all(&part).await.expect("a connection");
            written.fetch_add(part.len(), Ordering::Relaxed);
            place = end;
        }
        write.shutdown().await.expect("a connection");
    };
    let receiving = async {
        let (mut place, mut buf) = (0, vec![0; PART]);
        loop {
            let length = read.read(&mut buf).await.expect("a connection");
            if length == 0 {
                break;
            }
            let right = buf[..length]
                .iter()
                .zip(place..)
                .all(|(have, place)| *have == byte(number, place));
            assert!(right, "flow {number} at {place}");
            place += length;
        }
        assert_eq!(place, BYTES, "flow {number}");
    };
    tokio::join!(sending, receiving);
}

/// Looks at a stack's memory, and at the process's, again and again.
struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
}

impl Watch {
    fn new(net: &Netstack) -> Watch {
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, net) = (Arc::clone(&ended), net.clone());
        let thread = thread::spawn(move || {
            let (mut buffers, mut memory) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let held = |stack: &Stack| stack.pools().account.in_use();
                let held = net.inspect(held).expect("a stack");
                buffers = buffers.max(held.iter().sum());
                memory = memory.max(resident());
                thread::sleep(Duration::from_millis(20));
            }
            (buffers, memory)
        });
        Watch { ended, thread }
    }

    /// The most bytes of buffers, and by how much the process has grown.
    fn end(self, before: usize) -> (usize, usize) {
        self.ended.store(true, Ordering::Relaxed);
        let (buffers, memory) = self.thread.join().expect("no panic");
        (buffers, memory.saturating_sub(before))
    }
}
