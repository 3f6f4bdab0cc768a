//! smoltcp in virtual time: its interface and its TCP sockets behind the calls of scripts.
//!
//! What its sockets cannot be asked for is said to be so ([`SmolHost::cannot`]), apart from what they do wrongly.

mod sockets;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, PollResult, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use self::sockets::Sockets;
use super::Host;
use crate::ast::Settings;
use crate::calls::{Op, Returned};

/// The host has run for some days when a script begins.
const START: Instant = Instant::from_millis_const(300_000_000);
/// smoltcp is asked again so soon when it has something to do at once and does nothing.
const TICK: smoltcp::time::Duration = smoltcp::time::Duration::from_millis(1);

thread_local! {
    /// The clock of timestamps, which smoltcp asks through a plain function.
    static TIMESTAMP: Cell<u32> = const { Cell::new(0) };
}

/// smoltcp as a host.
pub(crate) struct SmolHost {
    interface: Interface,
    wire: Wire,
    set: SocketSet<'static>,
    sockets: Sockets,
    now: Instant,
    sent: VecDeque<(Duration, Vec<u8>)>,
    returned: Option<(Duration, Returned)>,
    /// What the script asks for and smoltcp's sockets have not.
    pub(crate) cannot: Option<String>,
}

impl SmolHost {
    /// A host as the script's settings want it.
    pub(crate) fn new(settings: &Settings) -> SmolHost {
        let mut wire = Wire {
            mtu: settings.mtu as usize,
            ..Wire::default()
        };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = 7;
        let mut interface = Interface::new(config, &mut wire, START);
        let prefix = if settings.local.is_ipv4() { 16 } else { 64 };
        interface.update_ip_addrs(|addresses| {
            // There is room for the first.
            let _ = addresses.push(IpCidr::new(settings.local.into(), prefix));
        });
        let routes = interface.routes_mut();
        // Without a link layer any gateway does; there is room for the first.
        let _ = match IpAddress::from(settings.remote) {
            IpAddress::Ipv4(gateway) => routes.add_default_ipv4_route(gateway),
            IpAddress::Ipv6(gateway) => routes.add_default_ipv6_route(gateway),
        };
        SmolHost {
            interface,
            wire,
            set: SocketSet::new(Vec::new()),
            sockets: Sockets::default(),
            now: START,
            sent: VecDeque::new(),
            returned: None,
            cannot: None,
        }
    }

    fn at(&self) -> Duration {
        (self.now - START).into()
    }

    /// Lets smoltcp do all it can, and sees whether the call that waits returns.
    fn look(&mut self) {
        TIMESTAMP.set(u32::try_from(self.now.total_millis()).unwrap_or(u32::MAX));
        self.poll();
        if let Some(result) = self.sockets.resume(&mut self.interface, &mut self.set) {
            match result {
                Ok(returned) => self.returned = Some((self.at(), returned)),
                Err(what) => self.cannot = Some(what),
            }
            self.poll();
        }
    }

    fn poll(&mut self) {
        while self.interface.poll(self.now, &mut self.wire, &mut self.set) != PollResult::None {}
        let at = self.at();
        self.sent
            .extend(self.wire.sent.drain(..).map(|packet| (at, packet)));
        self.sockets.keep_listening(&mut self.set);
    }
}

impl Host for SmolHost {
    fn now(&self) -> Duration {
        self.at()
    }

    fn advance(&mut self, until: Duration) -> Result<(), String> {
        let until = START + until.into();
        let had = (self.sent.len(), self.returned.is_some());
        loop {
            self.look();
            if (self.sent.len(), self.returned.is_some()) != had {
                return Ok(());
            }
            match self.interface.poll_at(self.now, &self.set) {
                Some(next) if next.max(self.now + TICK) <= until => {
                    self.now = next.max(self.now + TICK);
                }
                _ => {
                    self.now = self.now.max(until);
                    return Ok(());
                }
            }
        }
    }

    fn take_sent(&mut self) -> Option<(Duration, Vec<u8>)> {
        self.sent.pop_front()
    }

    fn deliver(&mut self, packet: &[u8]) -> Result<(), String> {
        self.wire.arrived.push_back(packet.to_vec());
        self.look();
        Ok(())
    }

    fn call(&mut self, op: &Op, made: i64) -> Result<Option<Returned>, String> {
        let returned = self
            .sockets
            .call(&mut self.interface, &mut self.set, op, made)
            .inspect_err(|what| self.cannot = Some(what.clone()))?;
        self.look();
        Ok(returned)
    }

    fn take_returned(&mut self) -> Option<(Duration, Returned)> {
        self.returned.take()
    }

    fn set(&mut self, name: &str, values: &[i64]) -> Result<(), String> {
        let first = values.first().copied().unwrap_or_default();
        self.sockets
            .set(name, first, values)
            .inspect_err(|what| self.cannot = Some(what.clone()))
    }

    fn info(&mut self) -> Option<BTreeMap<&'static str, i128>> {
        self.cannot = Some("its sockets have no TCP_INFO".into());
        None
    }
}

/// What arrives and what is sent.
#[derive(Default)]
struct Wire {
    mtu: usize,
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Arrived(Vec<u8>);
struct Slot<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Slot<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Slot<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Slot<'_>)> {
        let packet = self.arrived.pop_front()?;
        Some((Arrived(packet), Slot(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Slot<'_>> {
        Some(Slot(&mut self.sent))
    }
}
