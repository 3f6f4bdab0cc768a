//! Who sends when a device has room: each class gets the same bytes, however large its packets are.

use super::{LEFT, RIGHT, Router, across, bytes, host};
use core::net::SocketAddr;
use core::time::Duration;
use netstack_core::{
    Config, IfaceId, InterfaceConfig, RecvFlags, SendControl, SendFlags, SocketId, Stack,
};
use suite::wire::{Ip, Udp};
use txbuf::{IovIter, Offloads, Packet};

/// The most by which classes that always have something to send may differ: a super-packet and a turn.
const BOUND: usize = 65_535 + (16 << 10);

/// What one sender has sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    bytes: usize,
    largest: usize,
}

impl Sent {
    fn note(&mut self, packet: &Packet) {
        self.bytes += packet.len();
        self.largest = self.largest.max(packet.len());
    }
}

/// A host on the right with a TCP listener, which reads all.
struct Reader {
    stack: Stack,
    listener: SocketId,
    accepted: Option<SocketId>,
}

impl Reader {
    fn new() -> Reader {
        let mut config = Config::new([9; 32]);
        config.tcp.receive_buffer = 4 << 20;
        let mut stack = Stack::new(config);
        let iface = stack.add_interface(InterfaceConfig {
            name: "right".into(),
            mtu: 1400,
            offloads: Offloads::default(),
        });
        let address = format!("{}/24", host(RIGHT, false, 9)).parse().unwrap();
        stack.add_address(iface.unwrap(), address).unwrap();
        let listener = stack.tcp_listen(Reader::address(), 1).unwrap();
        Reader {
            stack,
            listener,
            accepted: None,
        }
    }

    fn address() -> SocketAddr {
        SocketAddr::new(host(RIGHT, false, 9), 9)
    }

    /// Takes packets in and reads; what is answered.
    fn take(&mut self, router: &Router, packets: Vec<Packet>) -> Vec<Packet> {
        let iface = IfaceId::new(0);
        for packet in packets {
            self.stack.handle_packet(router.now, iface, packet);
        }
        self.accepted = self
            .accepted
            .or_else(|| self.stack.tcp_accept(self.listener).ok().map(|(id, _)| id));
        if let Some(socket) = self.accepted {
            let mut all = IovIter::discard(usize::MAX);
            let _ = self
                .stack
                .receive_message(socket, &mut all, RecvFlags::NONE);
        }
        core::iter::from_fn(|| self.stack.poll_transmit(router.now, iface)).collect()
    }
}

/// Keeps the datagram socket's queue full.
fn fill(router: &mut Router, socket: SocketId, len: usize) {
    let control = SendControl::to(across(false).1);
    let payload = vec![1; len];
    while router
        .stack
        .send_message(
            socket,
            &mut IovIter::bytes(&payload),
            SendFlags::NONE,
            &control,
        )
        .is_ok()
    {}
}

#[test]
fn a_bulk_sender_small_datagrams_and_what_is_forwarded_share_the_device() {
    let mut router = Router::with(|config| {
        config.tcp.send_buffer = 4 << 20;
    });
    let mut reader = Reader::new();
    let bulk = router
        .stack
        .tcp_connect(router.now, Reader::address(), None)
        .unwrap();
    let small = router
        .stack
        .udp_bind(SocketAddr::new(host(RIGHT, false, 1), 5))
        .unwrap();
    let through = Udp {
        src: across(false).0,
        dst: across(false).1,
        payload: vec![2; 700],
    };
    let through = through.to_packet();
    let mut sent = [Sent::default(); 3];
    let mut since = sent;
    for round in 0..3000 {
        router.now += Duration::from_micros(100);
        let data = vec![3; 1 << 20];
        let _ = router.stack.send_message(
            bulk,
            &mut IovIter::bytes(&data),
            SendFlags::NONE,
            &SendControl::default(),
        );
        fill(&mut router, small, 100);
        for _ in 0..64 {
            let packet = router.packet(&through);
            router.stack.handle_packet(router.now, LEFT, packet);
        }
        let mut segments = Vec::new();
        for _ in 0..64 {
            let packet = router.stack.poll_transmit(router.now, RIGHT).unwrap();
            let head = packet.headers();
            match (head[9], &head[12..16]) {
                (6, _) => {
                    sent[0].note(&packet);
                    segments.push(packet);
                }
                (_, [10, 0, 2, 1]) => sent[1].note(&packet),
                _ => sent[2].note(&packet),
            }
        }
        for answer in reader.take(&router, segments) {
            router.stack.handle_packet(router.now, RIGHT, answer);
        }
        // From when on the bulk sender has a window.
        if round == 1000 {
            since = sent;
        }
        let [_, small, through] = sent.map(|one| one.bytes);
        assert!(small.abs_diff(through) <= BOUND, "round {round}: {sent:?}");
        assert!(
            sent[0].bytes <= small.min(through) + BOUND,
            "round {round}: {sent:?}"
        );
    }
    let [bulk, small, through] = [0, 1, 2].map(|class| sent[class].bytes - since[class].bytes);
    assert!(sent[0].largest > 60_000, "{sent:?}");
    assert!(sent[1].largest < 200 && sent[2].largest < 800, "{sent:?}");
    // It waits for acknowledgements now and then, and gets nothing for that.
    assert!(
        bulk > small / 2 && bulk <= small + 2 * BOUND,
        "{bulk} {small} {through}"
    );
}

#[test]
fn a_socket_that_pauses_gets_no_more_afterwards() {
    let mut router = Router::new();
    let [busy, idle] = [5, 6].map(|port| {
        let at = SocketAddr::new(host(RIGHT, false, 1), port);
        router.stack.udp_bind(at).unwrap()
    });
    let take = |router: &mut Router, both: bool, packets: usize| {
        let mut sent = [0, 0];
        for _ in 0..packets {
            fill(router, busy, 1000);
            if both {
                fill(router, idle, 200);
            }
            let packet = router.stack.poll_transmit(router.now, RIGHT).unwrap();
            let port = Udp::of(&Ip::parse(&bytes(packet))).unwrap().src.port();
            sent[usize::from(port - 5)] += if port == 5 { 1028 } else { 228 };
        }
        sent
    };
    take(&mut router, true, 100);
    // What it had queued is gone soon; then it has nothing to send for a long time.
    take(&mut router, false, 5000);
    let [busy, idle] = take(&mut router, true, 2000);
    assert!(
        idle <= busy + BOUND && busy <= idle + BOUND,
        "{busy} {idle}"
    );
}
