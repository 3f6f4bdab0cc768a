//! The example of a web server with TLS on a TUN device, fetched by the kernel's curl and under load, and that of a
//! client.

#[path = "../examples/https_client/client.rs"]
mod client;
mod kernel;
#[path = "../examples/https_server/server.rs"]
mod server;

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{Client, Trust, Version};
use kernel::{curl, device, in_url, within};
use needs::{has, may_use_tun};
use netstack::drivers::netlink::Netns;
use netstack::tokio::{TcpListener, TcpStream};
use netstack::{Interface, IpCidr, Netstack, Shutdown};
use server::Identity;
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::time::timeout;

const SERVER: [&str; 2] = ["10.84.0.2", "fd84::2"];
/// Connections at a time under load, and requests of each.
const CONNECTIONS: usize = 200;
const REQUESTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// The example's server behind a device in a namespace.
struct Site {
    space: Netns,
    net: Netstack,
    runtime: Runtime,
    identity: Arc<Identity>,
    certificate: NamedTempFile,
}

fn cidr(text: &str) -> IpCidr {
    text.parse().expect("an address and a prefix")
}

fn server(number: usize) -> SocketAddr {
    let address: IpAddr = SERVER[number].parse().expect("an address");
    SocketAddr::new(address, 443)
}

fn site() -> Site {
    let space = Netns::anonymous().expect("root");
    let device = device(&space, "tun84", &["10.84.0.1/24", "fd84::1/64"], &[]);
    let interface = Interface::new("tun84", device.tun).arena(&device.arena);
    let net = Netstack::builder()
        .interface(
            interface
                .address(cidr("10.84.0.2/24"))
                .address(cidr("fd84::2/64"))
                .route(cidr("10.85.0.0/24"), None),
        )
        .start()
        .expect("a stack");
    let identity = Arc::new(Identity::new(&SERVER.map(str::to_owned)).expect("a certificate"));
    let certificate = NamedTempFile::new().expect("a file");
    std::fs::write(certificate.path(), &identity.certificate).expect("room");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let guard = runtime.enter();
    for number in 0..SERVER.len() {
        let listener = TcpListener::bind(&net, server(number)).expect("a free port");
        let identity = Arc::clone(&identity);
        tokio::spawn(async move { server::serve(listener, &identity).await });
    }
    drop(guard);
    Site {
        space,
        net,
        runtime,
        identity,
        certificate,
    }
}

impl Site {
    /// Ends the site; nothing may be left.
    fn finish(self) -> Shutdown {
        let begun = Instant::now();
        let ended = self.net.shutdown(Duration::from_secs(5)).expect("a stack");
        assert!(ended.finished, "{ended:?}");
        println!("the stack ended in {:?}", begun.elapsed());
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        assert_eq!(ended.live_nodes(), 0, "{ended:?}");
        assert_eq!(ended.counters.udp.drops(), 0);
        ended
    }

    fn curl(&self, version: &str, address: SocketAddr, path: &str) -> (Vec<u8>, String) {
        let url = format!("https://{}{path}", in_url(address.ip()));
        let trust = self.certificate.path().to_str().expect("a name");
        let out = NamedTempFile::new().expect("a file");
        let file = out.path().to_str().expect("a name");
        let fetched = curl(
            &self.space,
            &[
                version,
                "--cacert",
                trust,
                "--output",
                file,
                "--write-out",
                "%{http_version} %{http_code}",
                &url,
            ],
        );
        assert!(fetched.status.success(), "{version} {url}: {fetched:?}");
        let said = String::from_utf8(fetched.stdout).expect("text");
        (std::fs::read(out.path()).expect("the file"), said)
    }
}

#[test]
fn the_kernels_curl_fetches_over_both_versions_of_http() {
    if !may_use_tun() {
        return;
    }
    let site = site();
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for number in 0..SERVER.len() {
            let (body, said) = site.curl(option, server(number), "/bytes/5000000");
            assert_eq!(said, format!("{version} 200"));
            assert!(body == server::pattern(5_000_000), "{} bytes", body.len());
        }
        let (_, said) = site.curl(option, server(0), "/nothing");
        assert_eq!(said, format!("{version} 404"));
    }
    site.finish();
}

#[test]
fn two_hundred_connections_at_once() {
    if !may_use_tun() {
        return;
    }
    kernel::raise_descriptors(4096);
    let site = site();
    let trust = Trust::in_pem(&site.identity.certificate).expect("its own");
    let done = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    within(&site.space, async {
        let all = Arc::new(Barrier::new(CONNECTIONS));
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (trust, all, done) = (trust.clone(), Arc::clone(&all), Arc::clone(&done));
                tokio::spawn(async move {
                    let versions = [Version::Http1, Version::Http2];
                    let to = server(number / 2 % SERVER.len());
                    let stream = kernel::connect(to).await.expect("a connection");
                    let connected = Client::connect(stream, to.ip(), &trust, versions[number % 2]);
                    let mut client = connected.await.expect("TLS");
                    // Nobody goes on before all are connected.
                    all.wait().await;
                    for request in 0..REQUESTS {
                        let length = 1 + 1_000 * request;
                        let got = client.get(&format!("/bytes/{length}")).await;
                        let (status, body) = got.expect("an answer");
                        assert_eq!(status, 200);
                        assert!(body == server::pattern(length), "of {length} bytes");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for client in clients {
            let ended = timeout(PATIENCE, client).await;
            ended.expect("in time").expect("every answer right");
        }
    });
    let done = done.load(Ordering::Relaxed);
    assert_eq!(done, CONNECTIONS * REQUESTS);
    println!(
        "{CONNECTIONS} connections: {:.0} requests in a second",
        done as f64 / begun.elapsed().as_secs_f64()
    );
    let ended = site.finish();
    assert_eq!(ended.counters.tcp.syn_overflows, 0);
    assert_eq!(ended.counters.tcp.listen_overflows, 0);
}

#[test]
fn wrk_finds_no_error_with_two_hundred_connections() {
    if !may_use_tun() || !has("wrk") {
        return;
    }
    kernel::raise_descriptors(4096);
    let site = site();
    for number in 0..SERVER.len() {
        let url = format!("https://{}/bytes/1000", in_url(server(number).ip()));
        let mut wrk = Command::new("wrk");
        let connections = CONNECTIONS.to_string();
        wrk.args(["--threads", "2", "--connections", &connections])
            .args(["--duration", "3s", "--timeout", "10s", &url]);
        let ran = site.space.run(|| wrk.output()).expect("a namespace");
        let ran = ran.expect("wrk");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{ran:?}");
        // It tells of these only where there are some.
        for wrong in ["Socket errors", "Non-2xx"] {
            assert!(!said.contains(wrong), "{url}: {said}");
        }
        let (_, rest) = said.split_once("Requests/sec:").expect("its report");
        let each_second = rest.split_whitespace().next().expect("a number");
        println!("wrk, {connections} connections: {each_second} requests in a second");
        assert!(
            each_second.parse::<f64>().expect("a number") > 0.0,
            "{said}"
        );
    }
    let ended = site.finish();
    let accepted = ended.counters.tcp.passive_opens;
    assert!(accepted >= 2 * CONNECTIONS as u64, "{accepted}");
    assert_eq!(ended.counters.tcp.syn_overflows, 0);
    assert_eq!(ended.counters.tcp.listen_overflows, 0);
}

#[test]
fn the_client_fetches_from_the_server_across_the_kernel() {
    if !may_use_tun() {
        return;
    }
    let site = site();
    // A second device in the same namespace, and the kernel as the router between both.
    let device = device(&site.space, "tun85", &["10.85.0.1/24"], &[]);
    kernel::sysctl(&site.space, "ipv4/ip_forward", "1");
    let interface = Interface::new("tun85", device.tun).arena(&device.arena);
    let net = Netstack::builder()
        .interface(
            interface
                .address(cidr("10.85.0.2/24"))
                .route(cidr("0.0.0.0/0"), None),
        )
        .start()
        .expect("a stack");
    let trust = Trust::in_pem(&site.identity.certificate).expect("its own");
    site.runtime.block_on(async {
        for version in [Version::Http1, Version::Http2] {
            let fetch = async {
                let stream = TcpStream::connect(&net, server(0)).await.expect("a way");
                let connected = Client::connect(stream, server(0).ip(), &trust, version);
                let mut client = connected.await.expect("TLS");
                let (_, greeting) = client.get("/").await.expect("an answer");
                let (_, body) = client.get("/bytes/3000000").await.expect("an answer");
                (greeting, body)
            };
            let (greeting, body) = timeout(PATIENCE, fetch).await.expect("in time");
            let expected = match version {
                Version::Http1 => "hello over HTTP/1.1\n",
                Version::Http2 => "hello over HTTP/2.0\n",
            };
            assert_eq!(greeting, expected);
            assert!(body == server::pattern(3_000_000), "{} bytes", body.len());
        }
    });
    let ended = net.shutdown(Duration::from_secs(5)).expect("a stack");
    drop(device.ledger);
    site.finish();
    assert_eq!(ended.live_nodes(), 0, "{ended:?}");
}
