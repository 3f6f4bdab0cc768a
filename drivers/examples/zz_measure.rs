use drivers::*;
use std::collections::VecDeque;
use std::time::Instant;
use txbuf::*;
struct Null(u64);
impl Device for Null {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(1500, 64)
    }
    fn receive(&mut self, _: &mut Vec<Packet>, _: usize) -> std::io::Result<usize> {
        Ok(0)
    }
    fn transmit(&mut self, f: &mut VecDeque<Packet>) -> std::io::Result<usize> {
        let n = f.len();
        self.0 += n as u64;
        f.clear();
        Ok(n)
    }
    fn poll_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
    fn counters(&self) -> DeviceCounters {
        DeviceCounters::default()
    }
}
fn sup(span: &Span) -> Packet {
    let mut p = Packet::with_payload(span.clone());
    let h = p.push(52).unwrap();
    h[0] = 0x45;
    h[8] = 64;
    h[9] = 6;
    h[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    h[32] = 0x80;
    h[33] = 0x18;
    p.meta.checksum = Checksum::Partial {
        start: 20,
        offset: 16,
    };
    p.meta.gso = Some(Gso {
        kind: GsoKind::TcpV4,
        size: 1448,
        headers: 52,
    });
    p
}
fn plain(span: &Span) -> Packet {
    let mut p = sup(&span.slice(..1448).unwrap());
    p.meta.gso = None;
    p.complete_checksum().unwrap();
    let len = 1500u16.to_be_bytes();
    let h = p.headers_mut();
    h[2..4].copy_from_slice(&len);
    h[10..12].fill(0);
    let s = !checksum::sum(&h[..20]);
    h[10..12].copy_from_slice(&s.to_be_bytes());
    p
}
fn run<D: Device>(
    name: &str,
    d: &mut D,
    mk: &dyn Fn() -> Packet,
    per: u64,
    secs: f64,
    drain: &mut dyn FnMut(),
) {
    let mut q = VecDeque::new();
    let t = Instant::now();
    let mut n = 0u64;
    while t.elapsed().as_secs_f64() < secs {
        for _ in 0..16 {
            q.push_back(mk());
        }
        d.transmit(&mut q).unwrap();
        n += 16 * per;
        drain();
    }
    println!(
        "{name}: {:.1} ns/segment",
        t.elapsed().as_secs_f64() * 1e9 / n as f64
    );
}
fn main() {
    let l = Ledger::new();
    let pool = Pool::new(
        &l,
        PoolConfig {
            segment: 65536,
            limit: 64 << 20,
            keep: 16,
        },
    );
    let span = Chain::arena(&pool).copy(&vec![7u8; 1448 * 45]).unwrap();
    let some = Offloads {
        tx_checksum: true,
        ..Default::default()
    };
    let _ = some;
    run(
        "edge cut 45 segments, checksum",
        &mut Edge::new(Null(0)),
        &|| sup(&span),
        45,
        1.0,
        &mut || {},
    );
    run(
        "edge plain packet complete",
        &mut Edge::new(Null(0)),
        &|| plain(&span),
        1,
        1.0,
        &mut || {},
    );
    run(
        "baseline plain make",
        &mut Null(0),
        &|| plain(&span),
        1,
        1.0,
        &mut || {},
    );
    let (mut a, mut b) = memory::pair(memory::MemoryConfig {
        queue: 1024,
        ..Default::default()
    })
    .unwrap();
    let mut v = Vec::new();
    run(
        "memory link cut+receive",
        &mut a,
        &|| sup(&span),
        45,
        1.0,
        &mut || {
            b.receive(&mut v, 4096).unwrap();
            v.clear();
        },
    );
    let (t, c) = tap::Tap::new(Null(0), std::io::sink(), tap::TapConfig::new("x")).unwrap();
    let mut e = Edge::new(t);
    run(
        "tap below edge (sink)",
        &mut e,
        &|| sup(&span),
        45,
        1.0,
        &mut || {},
    );
    drop(e);
    println!("{:?}", c.finish().unwrap());
    let ns = netlink::Netns::anonymous().unwrap();
    let t0 = Instant::now();
    let link = netlink::LinkConfig {
        up: true,
        tx_queue: Some(4000),
        addresses: vec![
            netlink::Address {
                local: "10.0.0.1/24".parse().unwrap(),
                peer: None,
            },
            netlink::Address {
                local: "fd00::1/64".parse().unwrap(),
                peer: None,
            },
        ],
        ..Default::default()
    };
    let tun = Tun::open(
        &TunConfig {
            netns: Some(ns.clone()),
            link: Some(link),
            ..TunConfig::new("tun0")
        },
        &pool,
    )
    .unwrap();
    println!("open+configure {:?}", t0.elapsed());
    let mut e = Edge::new(tun);
    run(
        "tun write 1500 through edge (dropped by kernel: not local)",
        &mut e,
        &|| sup(&span),
        45,
        1.0,
        &mut || {},
    );
    let s = ns
        .run(|| std::net::UdpSocket::bind("10.0.0.1:9").unwrap())
        .unwrap();
    s.connect("10.0.0.2:9").unwrap();
    let mut v = Vec::new();
    e.receive(&mut v, 4096).unwrap();
    v.clear();
    let (mut n, mut d) = (0, std::time::Duration::ZERO);
    for len in [20usize, 1400] {
        n = 0;
        d = d * 0;
        for _ in 0..200 {
            for _ in 0..256 {
                s.send(&vec![0; len]).unwrap();
            }
            let t = Instant::now();
            n += e.receive(&mut v, 4096).unwrap();
            d += t.elapsed();
            v.clear();
        }
        println!(
            "tun read udp {len}: {:.0} ns ({n})",
            d.as_nanos() as f64 / n as f64
        );
    }
    let t = Instant::now();
    for _ in 0..100000 {
        e.receive(&mut v, 1).unwrap();
    }
    println!(
        "empty receive {:.0} ns",
        t.elapsed().as_nanos() as f64 / 1e5
    );
}
