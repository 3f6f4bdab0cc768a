//! Two stacks that hand each other packets at once and without loss, for tests that move much: nothing is
//! looked at, payload stays where it is, and time passes only when nothing else happens.

use crate::sim::{Host, World, WorldConfig};
use core::time::Duration;
use netstack_core::{Instant, SocketId};
use txbuf::{Chain, Packet, Pool};

/// Sees every packet, with the number of the host that sent it.
type Watch = Box<dyn FnMut(usize, &Packet)>;

/// Two hosts, addressed as those of a [`World`].
pub struct Duo {
    /// The virtual time.
    pub now: Instant,
    /// The hosts.
    pub hosts: [Host; 2],
    /// Where the devices of the hosts receive into; without one they pass spans on.
    arenas: [Option<Chain>; 2],
    /// Packets that were lost because an arena was at its cap.
    pub lost: u64,
    watch: Option<Watch>,
}

impl Duo {
    /// Two hosts made alike.
    pub fn new(config: &WorldConfig) -> Duo {
        Duo::of([Host::new(1, config), Host::new(2, config)])
    }

    /// Two hosts that were made otherwise, numbered 1 and 2.
    pub fn of(hosts: [Host; 2]) -> Duo {
        Duo {
            now: Instant::ZERO,
            hosts,
            arenas: [None, None],
            lost: 0,
            watch: None,
        }
    }

    /// Has the device of host `to` read what it receives into segments of `pool`, as a TUN device does.
    pub fn receive_into(&mut self, to: usize, pool: &Pool) {
        self.arenas[to] = Some(Chain::arena(pool));
    }

    /// Shows `watch` every packet from now on.
    pub fn watch(&mut self, watch: impl FnMut(usize, &Packet) + 'static) {
        self.watch = Some(Box::new(watch));
    }

    /// Carries what both hosts send now, and what they answer with; says whether that was anything.
    ///
    /// # Panics
    ///
    /// When a packet is not readable though it is to be read into an arena.
    pub fn exchange(&mut self) -> bool {
        let mut any = false;
        loop {
            let mut moved = false;
            for from in 0..2 {
                while let Some(packet) = self.sent(from) {
                    moved = true;
                    self.carry(from, packet);
                }
            }
            if !moved {
                return any;
            }
            any = true;
        }
    }

    /// What a host sends next, as it leaves the stack: a device would copy what is lent.
    fn sent(&mut self, from: usize) -> Option<Packet> {
        let host = &mut self.hosts[from];
        host.stack.poll_transmit(self.now, host.iface)
    }

    fn carry(&mut self, from: usize, packet: Packet) {
        if let Some(watch) = &mut self.watch {
            watch(from, &packet);
        }
        let to = 1 - from;
        let packet = match &mut self.arenas[to] {
            None => packet,
            Some(arena) => {
                let bytes = packet.to_vec().expect("readable");
                let Ok(mut copy) = Packet::copy_from(&bytes, arena) else {
                    self.lost += 1;
                    return;
                };
                copy.meta = packet.meta;
                copy
            }
        };
        let host = &mut self.hosts[to];
        host.stack.handle_packet(self.now, host.iface, packet);
    }

    /// Goes on to the next timer, if there is one within `limit`; says whether there was.
    pub fn wait(&mut self, limit: Duration) -> bool {
        let timers = self.hosts.iter();
        let next = timers.filter_map(|host| host.stack.poll_timeout()).min();
        let Some(next) = next.filter(|next| *next <= self.now + limit) else {
            return false;
        };
        self.now = self.now.max(next);
        for host in &mut self.hosts {
            host.stack.handle_timeout(self.now);
        }
        true
    }

    /// Exchanges, and lets up to `time` pass while there is something to wait for.
    pub fn settle(&mut self, time: Duration) {
        let end = self.now + time;
        self.exchange();
        while self.wait(end - self.now) {
            self.exchange();
        }
    }

    /// A connection from host 0 to `port` of host 1: both ends.
    ///
    /// # Panics
    ///
    /// When the port is taken.
    pub fn connect(&mut self, port: u16) -> [SocketId; 2] {
        let to = World::address(1, false, port);
        let now = self.now;
        let [one, other] = &mut self.hosts;
        let listener = other.stack.tcp_listen(to, 4).expect("a free port");
        let client = one.stack.tcp_connect(now, to, None).expect("a route");
        self.settle(Duration::from_millis(100));
        let other = &mut self.hosts[1].stack;
        let (server, _) = other.tcp_accept(listener).expect("connected");
        other.close(now, listener);
        [client, server]
    }

    /// Bytes of storage that are alive in the stack of a host.
    pub fn live_bytes(&self, host: usize) -> usize {
        let report = self.hosts[host].stack.ledger().report();
        report.iter().map(|(_, usage)| usage.bytes).sum()
    }
}
