//! This stack in virtual time: the clock stands still while anything can happen, and jumps to what comes next.

mod info;
mod settings;
mod sockets;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use drivers::memory::{MemoryConfig, MemoryEnd, raw_pair};
use drivers::{Device as _, Edge};
use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack, TcpConfig};
use txbuf::{Ledger, Offloads, Packet, Span};

use self::sockets::Sockets;
use super::Host;
use crate::ast::Settings;
use crate::calls::{Op, Returned};

/// The stack has run for some days when a script begins.
const START: Instant = Instant::from_secs(300_000);
/// Packets that are asked of the stack before the device gets them.
const BURST: usize = 64;

/// The stack as a host.
pub(crate) struct StackHost {
    settings: Settings,
    /// What connections start with, until the stack is made.
    tcp: TcpConfig,
    machine: Option<Machine>,
    now: Instant,
    sockets: Sockets,
    sent: VecDeque<(Duration, Vec<u8>)>,
    returned: Option<(Duration, Returned)>,
}

/// The stack and its device.
struct Machine {
    stack: Stack,
    iface: IfaceId,
    device: Edge<MemoryEnd>,
    wire: MemoryEnd,
    waiting: VecDeque<Packet>,
    /// Storage of what arrives.
    ledger: Ledger,
}

impl StackHost {
    /// A stack as the script's settings want it.
    pub(crate) fn new(settings: &Settings) -> StackHost {
        StackHost {
            settings: settings.clone(),
            tcp: TcpConfig::default(),
            machine: None,
            now: START,
            sockets: Sockets::default(),
            sent: VecDeque::new(),
            returned: None,
        }
    }

    /// The stack; it is made when it is first needed, because variables have to be set before.
    fn machine(&mut self) -> Result<&mut Machine, String> {
        if self.machine.is_none() {
            self.machine = Some(Machine::new(&self.settings, &self.tcp)?);
        }
        self.machine
            .as_mut()
            .ok_or_else(|| "there is no stack".into())
    }

    /// Takes what the stack sends now, and sees whether the call that waits returns.
    fn look(&mut self) -> Result<(), String> {
        if self.machine.is_none() {
            return Ok(());
        }
        let now = self.now;
        let at = now - START;
        let machine = self.machine()?;
        let mut sent = machine.transmit(now)?;
        while machine.stack.poll_event().is_some() {}
        let Some(machine) = self.machine.as_mut() else {
            return Ok(());
        };
        if let Some(returned) = self.sockets.resume(&mut machine.stack, now) {
            self.returned = Some((at, returned));
            sent.extend(machine.transmit(now)?);
        }
        self.sent
            .extend(sent.into_iter().map(|packet| (at, packet)));
        Ok(())
    }
}

impl Host for StackHost {
    fn now(&self) -> Duration {
        self.now - START
    }

    fn advance(&mut self, until: Duration) -> Result<(), String> {
        let time = until;
        let until = START + time;
        if until - START != time {
            return Err("the clock of the stack does not count so far".into());
        }
        let had = (self.sent.len(), self.returned.is_some());
        loop {
            self.look()?;
            if (self.sent.len(), self.returned.is_some()) != had {
                return Ok(());
            }
            let next = self
                .machine
                .as_ref()
                .and_then(|machine| machine.stack.poll_timeout());
            match next.into_iter().chain(self.sockets.deadline()).min() {
                Some(next) if next <= until => {
                    self.now = self.now.max(next);
                    let now = self.now;
                    self.machine()?.stack.handle_timeout(now);
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
        let now = self.now;
        let machine = self.machine()?;
        machine.receive(now, packet)?;
        self.look()
    }

    fn call(&mut self, op: &Op, made: i64) -> Result<Option<Returned>, String> {
        let now = self.now;
        self.machine()?;
        let Some(machine) = self.machine.as_mut() else {
            return Err("there is no stack".into());
        };
        let makes_one = matches!(op, Op::Socket { .. } | Op::Accept { .. });
        if makes_one && self.sockets.table.contains_key(&made) {
            return Err(format!("the descriptor {made} is open already"));
        }
        let returned = self.sockets.call(&mut machine.stack, now, op, made)?;
        self.look()?;
        Ok(returned)
    }

    fn take_returned(&mut self) -> Option<(Duration, Returned)> {
        self.returned.take()
    }

    fn set(&mut self, name: &str, values: &[i64]) -> Result<(), String> {
        if self.machine.is_some() {
            return Err(format!(
                "{name} can only be set before the first packet or call: the stack exists"
            ));
        }
        settings::set(&mut self.tcp, name, values)
    }

    fn info(&mut self) -> Option<BTreeMap<&'static str, i128>> {
        let machine = self.machine.as_ref()?;
        let socket = self.sockets.current()?;
        machine
            .stack
            .tcp_info(socket)
            .ok()
            .map(|info| info::fields(&info))
    }
}

impl Machine {
    fn new(settings: &Settings, tcp: &TcpConfig) -> Result<Machine, String> {
        let mtu = settings.mtu as usize;
        let offloads = Offloads::default();
        let link = MemoryConfig {
            queue: 1 << 16,
            ..MemoryConfig::symmetric(mtu, offloads)
        };
        let (near, wire) = raw_pair(link).map_err(|error| error.to_string())?;
        let mut config = Config::new([7; 32]);
        config.tcp = tcp.clone();
        let mut stack = Stack::new(config);
        let name = "script".into();
        let interface = InterfaceConfig {
            name,
            mtu,
            offloads,
        };
        let iface = stack
            .add_interface(interface)
            .map_err(|error| error.to_string())?;
        let (prefix, all) = if settings.local.is_ipv4() {
            (16, "0.0.0.0/0")
        } else {
            (64, "::/0")
        };
        let address = format!("{}/{prefix}", settings.local).parse();
        let address = address.map_err(|()| "this is no address")?;
        stack
            .add_address(iface, address)
            .map_err(|error| error.to_string())?;
        let all = all.parse().map_err(|()| "this is no prefix")?;
        stack
            .add_route(all, iface, None)
            .map_err(|error| error.to_string())?;
        Ok(Machine {
            stack,
            iface,
            device: Edge::new(near),
            wire,
            waiting: VecDeque::new(),
            ledger: Ledger::new(),
        })
    }

    /// Everything that the stack sends now, as it is on the wire.
    fn transmit(&mut self, now: Instant) -> Result<Vec<Vec<u8>>, String> {
        let mut carried = Vec::new();
        loop {
            while self.waiting.len() < BURST
                && let Some(packet) = self.stack.poll_transmit(now, self.iface)
            {
                self.waiting.push_back(packet);
            }
            if self.waiting.is_empty() {
                break;
            }
            self.device
                .transmit(&mut self.waiting)
                .map_err(|error| error.to_string())?;
            self.wire
                .receive(&mut carried, usize::MAX)
                .map_err(|error| error.to_string())?;
        }
        carried
            .iter()
            .map(|packet| packet.to_vec().map_err(|error| error.to_string()))
            .collect()
    }

    /// Hands a packet to the stack as a device does.
    fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<(), String> {
        let span = Span::from_bytes(&self.ledger, bytes.to_vec().into())
            .map_err(|error| error.to_string())?;
        let mut packets = VecDeque::from([Packet::from_span(span)]);
        self.wire
            .transmit(&mut packets)
            .map_err(|error| error.to_string())?;
        let mut received = Vec::new();
        self.device
            .receive(&mut received, usize::MAX)
            .map_err(|error| error.to_string())?;
        for packet in received {
            self.stack.handle_packet(now, self.iface, packet);
        }
        Ok(())
    }
}
