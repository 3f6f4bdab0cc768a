//! The Linux kernel in real time: a network namespace of its own for each script, and a TUN device whose far end the
//! script plays.

mod descriptors;
mod settings;
#[expect(unsafe_code, reason = "system calls")]
pub(crate) mod sys;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use drivers::netlink::{Address, LinkConfig, Route};
use drivers::{Device as _, Tun, TunConfig};
use txbuf::{Ledger, Packet, Pool, PoolConfig, Span};

use self::descriptors::Descriptors;
use super::Host;
use crate::ast::{Action, Script, Settings};
use crate::calls::{Op, Returned};

/// How long a call may take that does not wait.
const AT_ONCE: Duration = Duration::from_millis(2);
/// How often the device is looked at.
const LOOK: Duration = Duration::from_micros(100);

/// The kernel as a host.
pub(crate) struct LiveHost {
    settings: Settings,
    /// Where packets go that are the script's matter.
    of_script: BTreeSet<IpAddr>,
    tun: Tun,
    ledger: Ledger,
    start: Instant,
    descriptors: Descriptors,
    sent: VecDeque<(Duration, Vec<u8>)>,
    waiting: Option<Receiver<(Instant, Returned, Op, i64)>>,
    returned: Option<(Duration, Returned)>,
    /// When the device was looked at last while time passed.
    looked: Option<Instant>,
    /// The longest time between two looks: by so much may a time be wrong that was seen.
    stalled: Duration,
}

impl LiveHost {
    /// Moves the calling thread into a new network namespace with a TUN device in it. Takes the rights for that, which
    /// a process has in a user namespace of its own.
    ///
    /// # Errors
    ///
    /// A sentence that says what could not be made.
    pub(crate) fn new(script: &Script) -> Result<LiveHost, String> {
        let settings = &script.settings;
        sys::new_network().map_err(|error| format!("no network namespace can be made: {error}"))?;
        settings::prepare();
        let (prefix, all) = if settings.local.is_ipv4() {
            (16, "0.0.0.0/0")
        } else {
            (64, "::/0")
        };
        let cidr = format!("{}/{prefix}", settings.local);
        let link = LinkConfig {
            mtu: Some(settings.mtu),
            addresses: vec![Address {
                local: cidr.parse().map_err(|error| format!("{cidr}: {error}"))?,
                peer: None,
            }],
            routes: vec![Route {
                destination: all.parse().map_err(|error| format!("{all}: {error}"))?,
                via: None,
            }],
            up: true,
            ..LinkConfig::default()
        };
        let config = TunConfig {
            link: Some(link),
            ..TunConfig::new("script0")
        };
        let ledger = Ledger::new();
        let pool = PoolConfig {
            segment: 65_536,
            limit: 64 << 20,
            keep: 4,
        };
        let tun =
            Tun::open(&config, &Pool::new(&ledger, pool)).map_err(|error| error.to_string())?;
        Ok(LiveHost {
            settings: settings.clone(),
            of_script: destinations(script),
            tun,
            ledger,
            start: Instant::now(),
            descriptors: Descriptors::default(),
            sent: VecDeque::new(),
            waiting: None,
            returned: None,
            looked: None,
            stalled: Duration::ZERO,
        })
    }

    /// Starts the clock anew: what came before was preparation.
    pub(crate) fn begin(&mut self) {
        self.start = Instant::now();
    }

    /// By how much a time that was seen may be wrong, because the machine did other things.
    pub(crate) fn stalled(&self) -> Duration {
        self.stalled
    }

    fn receive(&mut self) -> Result<(), String> {
        let mut packets: Vec<Packet> = Vec::new();
        self.tun
            .receive(&mut packets, 64)
            .map_err(|error| error.to_string())?;
        let at = self.now();
        for packet in packets {
            let bytes = packet.to_vec().map_err(|error| error.to_string())?;
            if self.is_of_script(&bytes) {
                self.sent.push_back((at, bytes));
            }
        }
        Ok(())
    }

    /// The kernel also looks for routers and joins groups; that is no script's matter unless it says so.
    fn is_of_script(&self, bytes: &[u8]) -> bool {
        let destination: Option<IpAddr> = match self.settings.remote {
            IpAddr::V4(_) => bytes
                .get(16..20)
                .and_then(|four| <[u8; 4]>::try_from(four).ok())
                .map(IpAddr::from),
            IpAddr::V6(_) => bytes
                .get(24..40)
                .and_then(|all| <[u8; 16]>::try_from(all).ok())
                .map(IpAddr::from),
        };
        destination.is_some_and(|destination| self.of_script.contains(&destination))
    }

    fn look_for_return(&mut self, patience: Duration) {
        let Some(waiting) = &self.waiting else {
            return;
        };
        match waiting.recv_timeout(patience) {
            Ok((at, returned, op, made)) => {
                self.waiting = None;
                let returned = self.descriptors.conclude(&op, made, returned);
                self.returned = Some((at - self.start, returned));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.waiting = None,
        }
    }

    /// The address as the sockets of the script write it.
    fn mapped(&self, address: SocketAddr) -> SocketAddr {
        match (self.settings.family, address.ip()) {
            (crate::ast::Family::Mapped, IpAddr::V4(ip)) => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), address.port())
            }
            _ => address,
        }
    }
}

/// Where the packets go that a script expects.
fn destinations(script: &Script) -> BTreeSet<IpAddr> {
    let said = script
        .events
        .iter()
        .filter_map(|event| match &event.action {
            Action::Outbound(packet) => packet.ip.dst,
            _ => None,
        });
    said.chain([script.settings.remote]).collect()
}

impl Host for LiveHost {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn advance(&mut self, until: Duration) -> Result<(), String> {
        let had = (self.sent.len(), self.returned.is_some());
        loop {
            let looks = Instant::now();
            if let Some(looked) = self.looked.replace(looks) {
                self.stalled = self.stalled.max(looks - looked);
            }
            self.receive()?;
            self.look_for_return(Duration::ZERO);
            let now = self.now();
            if (self.sent.len(), self.returned.is_some()) != had || now >= until {
                return Ok(());
            }
            thread::sleep(LOOK.min(until - now));
        }
    }

    fn take_sent(&mut self) -> Option<(Duration, Vec<u8>)> {
        self.sent.pop_front()
    }

    fn deliver(&mut self, packet: &[u8]) -> Result<(), String> {
        let span = Span::from_bytes(&self.ledger, packet.to_vec().into())
            .map_err(|error| error.to_string())?;
        let mut packets = VecDeque::from([Packet::from_span(span)]);
        self.tun
            .transmit(&mut packets)
            .map_err(|error| error.to_string())?;
        if packets.is_empty() {
            Ok(())
        } else {
            Err("the device did not take the packet".into())
        }
    }

    fn call(&mut self, op: &Op, made: i64) -> Result<Option<Returned>, String> {
        if self.waiting.is_some() {
            return Err("a call waits already".into());
        }
        let mut op = op.clone();
        if let Op::Bind { to, .. } | Op::Connect { to, .. } | Op::Send { to: Some(to), .. } =
            &mut op
        {
            *to = self.mapped(*to);
        }
        let call = self.descriptors.begin(&op)?;
        let (result, waiting) = mpsc::channel();
        thread::spawn(move || {
            let returned = call();
            // Nobody listens any more when the script has ended.
            let _ = result.send((Instant::now(), returned, op, made));
        });
        self.waiting = Some(waiting);
        self.look_for_return(AT_ONCE);
        Ok(self.returned.take().map(|(_, returned)| returned))
    }

    fn take_returned(&mut self) -> Option<(Duration, Returned)> {
        self.returned.take()
    }

    fn set(&mut self, name: &str, values: &[i64]) -> Result<(), String> {
        settings::set(name, values)
    }

    fn info(&mut self) -> Option<BTreeMap<&'static str, i128>> {
        self.descriptors.info()
    }
}
