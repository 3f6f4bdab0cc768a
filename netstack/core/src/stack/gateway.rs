//! A gateway: an interface on which connections and datagrams to any address and port are taken in, each after a
//! decision about it.

pub(super) mod book;
mod ingress;

use super::Stack;
use super::table::Socket;
use crate::Instant;
use crate::ip::classify::names_one_host;
use crate::ip::icmp::{IcmpError, Unreachable};
use crate::ip::output::Marks;
use crate::ip::{IfaceId, forward, icmp};
use crate::news::News;
use crate::socket::{AcceptError, SocketError, SocketId};
use crate::stack::ConfigError;
use crate::tcp::flow::FlowKey;
use crate::tcp::reset;
pub use book::FlowId;
use book::{Asked, Undecided};
use core::time::Duration;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;
use txbuf::Packet;

/// What a gateway holds at most.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// Flows that wait to be [taken](Stack::gateway_next) or to be decided upon. The first packet of any further one is
    /// dropped before anybody is asked; its sender will try again.
    pub backlog: usize,
    /// How long a flow waits for its decision. Afterwards it is forgotten, as if its first packet had been lost.
    pub patience: Duration,
    /// UDP flows that were accepted and are not closed. TCP flows count with
    /// [all connections](crate::TcpConfig::connections).
    pub udp_flows: usize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        GatewayConfig {
            backlog: 1024,
            patience: Duration::from_secs(10),
            udp_flows: 16_384,
        }
    }
}

/// The protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// A connection.
    Tcp,
    /// Datagrams of one address and port to one other.
    Udp,
}

/// A flow that somebody behind a gateway begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// By which interface it comes.
    pub iface: IfaceId,
    /// Its protocol.
    pub transport: Transport,
    /// Who begins it.
    pub source: SocketAddr,
    /// Where it is meant to go: an address that this stack has not.
    pub destination: SocketAddr,
}

/// What becomes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The stack answers in place of the destination.
    Accept,
    /// Its sender is told that nobody listens there: by a reset, or by an ICMP error.
    Reject,
    /// Nothing is answered.
    Drop,
    /// It waits for [`flow_accept`](Stack::flow_accept), [`flow_reject`](Stack::flow_reject) or
    /// [`flow_drop`](Stack::flow_drop); nothing is answered before.
    Later,
}

/// Decides on flows. A closure with these arguments does.
///
/// It is asked before anything is answered: once for each flow that begins, and again when the sender of one that was
/// not accepted tries again.
pub trait Admit: Send {
    /// What becomes of `flow`.
    fn admit(&mut self, now: Instant, flow: &Flow) -> Admission;
}

impl<F: FnMut(Instant, &Flow) -> Admission + Send> Admit for F {
    fn admit(&mut self, now: Instant, flow: &Flow) -> Admission {
        self(now, flow)
    }
}

/// What [`Stack::gateway_next`] hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewFlow {
    /// An accepted flow, whose socket belongs to the caller from now on. A connection is not established yet: a connected
    /// or a closed event follows.
    Accepted(SocketId, Flow),
    /// A flow that the caller is to decide on.
    Undecided(FlowId, Flow),
}

/// Deciding on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlowError {
    /// It is decided already, its patience is over, or its sender has given it up.
    #[error("the flow waits no more")]
    Gone,
    /// The stack has as many connections or UDP flows as it may. The flow still waits.
    #[error("there are too many connections or flows")]
    Full,
}

/// What the table of sockets holds of a gateway.
pub(super) struct Gateway {
    iface: IfaceId,
    config: GatewayConfig,
    admit: Box<dyn Admit>,
    /// What was not handed out yet. Undecided flows that ended meanwhile are among them.
    arrivals: VecDeque<NewFlow>,
    /// How many flows wait for a decision, handed out or not.
    undecided: usize,
    /// How many were accepted and not handed out.
    accepted: usize,
}

impl Gateway {
    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    fn is_full(&self) -> bool {
        // Undecided flows that ended before they were handed out still have their place.
        let waiting = self.arrivals.len().max(self.undecided + self.accepted);
        waiting >= self.config.backlog
    }
}

impl Stack {
    /// Takes in, by `iface`, connections and datagrams to any address of one host and any port, but for the stack's own
    /// addresses, to which its listeners and sockets belong as ever. `admit` decides on each flow. What is accepted
    /// is an ordinary socket, connected to the flow's source, whose local address is the flow's destination.
    ///
    /// Datagrams to a flow's source leave by the route that leads there: the interface needs one to whatever is behind it.
    /// An interface once so used forwards nothing that comes in by it. Pings to others are not answered.
    ///
    /// The handle is closed by [`close`](Self::close): flows that are accepted and handed out stay, later ones are
    /// rejected.
    ///
    /// # Errors
    ///
    /// There is no such interface, or it has a gateway ([`ConfigError::Gateway`]).
    pub fn gateway_open(
        &mut self,
        iface: IfaceId,
        config: GatewayConfig,
        admit: impl Admit + 'static,
    ) -> Result<SocketId, ConfigError> {
        self.interface(iface).ok_or(ConfigError::Interface(iface))?;
        if self.gateways.of(iface).is_some() {
            return Err(ConfigError::Gateway(iface));
        }
        let id = self.table.insert(Socket::Gateway(Box::new(Gateway {
            iface,
            config,
            admit: Box::new(admit),
            arrivals: VecDeque::new(),
            undecided: 0,
            accepted: 0,
        })));
        self.gateways.open(iface, id);
        Ok(id)
    }

    /// Takes the flow that has waited longest, of those that were accepted or put off.
    ///
    /// # Errors
    ///
    /// [`AcceptError::WouldBlock`] when none waits: a readable event follows when one does.
    pub fn gateway_next(&mut self, gateway: SocketId) -> Result<NewFlow, AcceptError> {
        let entry = self.table.gateway_mut(gateway)?;
        while let Some(arrival) = entry.arrivals.pop_front() {
            match arrival {
                NewFlow::Accepted(..) => {
                    entry.accepted -= 1;
                    return Ok(arrival);
                }
                NewFlow::Undecided(id, _) if self.gateways.waits(id) => return Ok(arrival),
                NewFlow::Undecided(..) => {}
            }
        }
        Err(AcceptError::WouldBlock)
    }

    /// Accepts a flow that was put off. The socket belongs to the caller; a connection is not established yet: a
    /// connected or a closed event follows. A UDP flow has in its queue what came meanwhile.
    ///
    /// # Errors
    ///
    /// See [`FlowError`].
    pub fn flow_accept(&mut self, now: Instant, flow: FlowId) -> Result<SocketId, FlowError> {
        self.tell_time(now);
        let undecided = self.gateways.get(flow).ok_or(FlowError::Gone)?;
        let full = match &undecided.asked {
            Asked::Tcp { .. } => self.is_crowded(),
            Asked::Udp { .. } => self.has_no_room_for_udp(undecided.gateway),
        };
        if full {
            return Err(FlowError::Full);
        }
        let undecided = self.take_undecided(flow).ok_or(FlowError::Gone)?;
        Ok(match undecided.asked {
            Asked::Tcp { syn, beyond } => {
                self.counters.gateway.accepted_tcp += 1;
                self.answer_flow(now, undecided.iface, undecided.key, syn, beyond)
            }
            Asked::Udp { socket, .. } => {
                self.counters.gateway.accepted_udp += 1;
                self.gateways.settle_udp(&undecided.key);
                // What was told before, nobody could understand.
                if let Some(pending) = self.table.pending_mut(socket) {
                    self.events.push(socket, pending, News::READABLE);
                }
                socket
            }
        })
    }

    /// Rejects a flow that was put off: its sender is told that nobody listens there.
    ///
    /// # Errors
    ///
    /// [`FlowError::Gone`].
    pub fn flow_reject(&mut self, now: Instant, flow: FlowId) -> Result<(), FlowError> {
        self.tell_time(now);
        let undecided = self.take_undecided(flow).ok_or(FlowError::Gone)?;
        self.counters.gateway.rejected += 1;
        match undecided.asked {
            Asked::Tcp { syn, .. } => {
                if let Some(reset) = reset::answer(&syn) {
                    self.send_reset(undecided.iface, &undecided.key, Marks::default(), &reset);
                }
            }
            Asked::Udp { socket, refusal } => {
                self.close_datagram(now, socket);
                let to = undecided.key.remote().ip();
                self.send_refusal(now, undecided.iface, to, refusal);
            }
        }
        Ok(())
    }

    /// Drops a flow that was put off: nothing is answered.
    ///
    /// # Errors
    ///
    /// [`FlowError::Gone`].
    pub fn flow_drop(&mut self, now: Instant, flow: FlowId) -> Result<(), FlowError> {
        self.tell_time(now);
        let undecided = self.take_undecided(flow).ok_or(FlowError::Gone)?;
        self.counters.gateway.dropped += 1;
        self.forget_flow(now, undecided);
        Ok(())
    }

    /// Refuses a UDP flow that was accepted, because its destination has turned out to refuse it: its socket is closed, and
    /// its sender is told that nobody listens there. The error quotes the headers of the datagram that began the flow.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`]; [`SocketError::WrongKind`] for any other socket.
    pub fn flow_refuse(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError> {
        self.tell_time(now);
        let udp = self.table.datagram(socket)?;
        let source = udp.peer().ok_or(SocketError::WrongKind)?;
        let flow = self.gateways.udp(&FlowKey::new(udp.local(), source));
        let flow = flow.filter(|flow| flow.socket == socket);
        let flow = flow.ok_or(SocketError::WrongKind)?;
        let iface = flow.iface;
        let opening = Packet::copy_from(&flow.opening, &mut self.small);
        let refusal = opening.ok().and_then(|opening| self.refusal(&opening));
        self.counters.gateway.refused += 1;
        self.close_datagram(now, socket);
        self.send_refusal(now, iface, source.ip(), refusal);
        Ok(())
    }

    /// Whether the datagram socket is that of a flow, whose peer is its source for good.
    pub(super) fn is_udp_flow(&self, socket: SocketId) -> bool {
        let Ok(udp) = self.table.datagram(socket) else {
            return false;
        };
        let flow = udp.peer().and_then(|peer| self.udp_flow(udp.local(), peer));
        flow == Some(socket)
    }

    /// The datagram socket of the flow between `local`, another host's, and `remote`.
    pub(super) fn udp_flow(&self, local: SocketAddr, remote: SocketAddr) -> Option<SocketId> {
        let flow = self.gateways.udp(&FlowKey::new(local, remote));
        flow.map(|flow| flow.socket)
    }

    /// Whether packets that come in by `iface` for `dst`, which is not this host's, are taken in.
    pub(super) fn takes_for_others(&self, iface: IfaceId, dst: IpAddr) -> bool {
        self.gateways.captures(iface)
            && names_one_host(dst)
            && !self.addresses.owns(dst)
            && !self.addresses.is_broadcast(dst)
    }

    /// Forgets flows whose patience is over.
    pub(super) fn end_undecided(&mut self, now: Instant) {
        while let Some(flow) = self.gateways.due(now) {
            if let Some(undecided) = self.take_undecided(flow) {
                self.counters.gateway.undecided_late += 1;
                self.forget_flow(now, undecided);
            }
        }
    }

    /// Closes a gateway with all that it has not handed out or that is not decided.
    pub(super) fn close_gateway(&mut self, now: Instant, id: SocketId) {
        for flow in self.gateways.undecided_of(id) {
            // Nobody is left to decide otherwise.
            let _ = self.flow_reject(now, flow);
        }
        let Ok(gateway) = self.table.gateway_mut(id) else {
            return;
        };
        let iface = gateway.iface;
        let arrivals = core::mem::take(&mut gateway.arrivals);
        self.gateways.close(iface);
        self.table.remove(id);
        for arrival in arrivals {
            if let NewFlow::Accepted(socket, _) = arrival {
                self.abort(now, socket);
            }
        }
    }

    fn take_undecided(&mut self, flow: FlowId) -> Option<Undecided> {
        let undecided = self.gateways.take(flow)?;
        if let Ok(gateway) = self.table.gateway_mut(undecided.gateway) {
            gateway.undecided -= 1;
        }
        Some(undecided)
    }

    fn forget_flow(&mut self, now: Instant, undecided: Undecided) {
        if let Asked::Udp { socket, .. } = undecided.asked {
            self.close_datagram(now, socket);
        }
    }

    /// Queues an arrival of a gateway, and says so.
    fn arrives(&mut self, gateway: SocketId, arrival: NewFlow) {
        if let Ok(entry) = self.table.gateway_mut(gateway) {
            match arrival {
                NewFlow::Accepted(..) => entry.accepted += 1,
                NewFlow::Undecided(..) => entry.undecided += 1,
            }
            entry.arrivals.push_back(arrival);
        }
        if let Some(pending) = self.table.pending_mut(gateway) {
            self.events.push(gateway, pending, News::READABLE);
        }
    }

    fn has_no_room_for_udp(&mut self, gateway: SocketId) -> bool {
        let open = self.gateways.udp_count();
        let gateway = self.table.gateway_mut(gateway);
        gateway.map_or(true, |gateway| open >= gateway.config.udp_flows)
    }

    /// The error that says in place of the destination that nobody listens there, for the sender of `packet`.
    fn refusal(&mut self, packet: &Packet) -> Option<Packet> {
        let error = IcmpError::Unreachable(Unreachable::Port);
        let first = forward::first_on_wire(packet);
        icmp::recipient(error, &first, &self.addresses)?;
        let ident = self.random.next_u32() as u16;
        icmp::error_in_place(error, &first, ident, &mut self.small)
    }

    /// Sends an error that was made before, if the rate allows.
    fn send_refusal(&mut self, now: Instant, iface: IfaceId, to: IpAddr, refusal: Option<Packet>) {
        let Some(refusal) = refusal else {
            self.counters.ip.icmp_out_not_made += 1;
            return;
        };
        if self.limiter.allow(now, to, &mut self.random) {
            self.counters.ip.icmp_out_errors += 1;
            self.send_answer(iface, refusal);
        } else {
            self.counters.ip.icmp_out_rate_limited += 1;
        }
    }
}
