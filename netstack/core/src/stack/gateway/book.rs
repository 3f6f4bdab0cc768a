//! What a stack remembers of the flows of its gateways.

use crate::Instant;
use crate::ip::IfaceId;
use crate::socket::SocketId;
use crate::tcp::flow::FlowKey;
use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use std::collections::{BTreeMap, BTreeSet};
use txbuf::Packet;

/// A flow that waits for its decision. It never names another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(u64);

/// A flow that waits for its decision.
pub(in crate::stack) struct Undecided {
    pub(super) gateway: SocketId,
    pub(super) iface: IfaceId,
    pub(super) key: FlowKey,
    deadline: Instant,
    pub(super) asked: Asked,
}

/// What the sender of an undecided flow has sent.
pub(super) enum Asked {
    Tcp {
        syn: Segment,
        /// What the connection must begin behind, if it follows another of the same name.
        beyond: Option<Seq>,
    },
    Udp {
        /// Has what was received so far.
        socket: SocketId,
        /// What its sender is told if it is rejected.
        refusal: Option<Packet>,
    },
}

/// A UDP flow.
pub(super) struct UdpFlow {
    pub(super) socket: SocketId,
    /// By which interface it comes.
    pub(super) iface: IfaceId,
    /// The headers of the datagram that began it: what an error about it quotes.
    pub(super) opening: Box<[u8]>,
    /// Who has accepted it already.
    pub(super) decided: bool,
}

/// The flows, by whatever they are looked for. Trees, because their order hangs on nothing random, and nobody can
/// choose ports that make them slow.
#[derive(Default)]
pub(in crate::stack) struct Gateways {
    /// Interfaces that take in what is for anybody, with their gateways; `None` for one that was closed.
    of_iface: BTreeMap<IfaceId, Option<SocketId>>,
    undecided: BTreeMap<FlowId, Undecided>,
    deadlines: BTreeSet<(Instant, FlowId)>,
    syns: BTreeMap<FlowKey, FlowId>,
    udp: BTreeMap<FlowKey, UdpFlow>,
    /// How many UDP flows are decided.
    udp_decided: usize,
    latest: u64,
}

impl Gateways {
    /// The gateway that is open on `iface`.
    pub(super) fn of(&self, iface: IfaceId) -> Option<SocketId> {
        self.of_iface.get(&iface).copied().flatten()
    }

    /// Whether a gateway is or was open on `iface`.
    #[inline]
    pub(in crate::stack) fn captures(&self, iface: IfaceId) -> bool {
        !self.of_iface.is_empty() && self.of_iface.contains_key(&iface)
    }

    pub(super) fn open(&mut self, iface: IfaceId, gateway: SocketId) {
        self.of_iface.insert(iface, Some(gateway));
    }

    pub(super) fn close(&mut self, iface: IfaceId) {
        self.of_iface.insert(iface, None);
    }

    /// Remembers a flow until `deadline`.
    pub(super) fn put_off(
        &mut self,
        gateway: SocketId,
        iface: IfaceId,
        key: FlowKey,
        deadline: Instant,
        asked: Asked,
    ) -> FlowId {
        self.latest += 1;
        let id = FlowId(self.latest);
        if matches!(asked, Asked::Tcp { .. }) {
            self.syns.insert(key, id);
        }
        self.deadlines.insert((deadline, id));
        let undecided = Undecided {
            gateway,
            iface,
            key,
            deadline,
            asked,
        };
        self.undecided.insert(id, undecided);
        id
    }

    pub(super) fn waits(&self, id: FlowId) -> bool {
        self.undecided.contains_key(&id)
    }

    pub(super) fn get(&self, id: FlowId) -> Option<&Undecided> {
        self.undecided.get(&id)
    }

    /// Takes a flow out: it waits no more. A UDP flow keeps its place, and its socket.
    pub(super) fn take(&mut self, id: FlowId) -> Option<Undecided> {
        let undecided = self.undecided.remove(&id)?;
        self.deadlines.remove(&(undecided.deadline, id));
        if matches!(undecided.asked, Asked::Tcp { .. }) {
            self.syns.remove(&undecided.key);
        }
        Some(undecided)
    }

    pub(super) fn undecided_of(&self, gateway: SocketId) -> Vec<FlowId> {
        let of = self
            .undecided
            .iter()
            .filter(|(_, undecided)| undecided.gateway == gateway);
        of.map(|(id, _)| *id).collect()
    }

    /// The undecided flow of this name, and the SYN that began it.
    pub(super) fn syn_mut(&mut self, key: &FlowKey) -> Option<(FlowId, &mut Segment)> {
        let id = *self.syns.get(key)?;
        match &mut self.undecided.get_mut(&id)?.asked {
            Asked::Tcp { syn, .. } => Some((id, syn)),
            Asked::Udp { .. } => None,
        }
    }

    /// Whether a TCP flow of this name waits for its decision.
    pub(in crate::stack) fn is_asked(&self, key: &FlowKey) -> bool {
        self.syns.contains_key(key)
    }

    /// A flow whose patience is over by `now`.
    pub(super) fn due(&self, now: Instant) -> Option<FlowId> {
        let (deadline, id) = self.deadlines.first()?;
        (*deadline <= now).then_some(*id)
    }

    /// When the patience of the next one is over.
    pub(in crate::stack) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn add_udp(&mut self, key: FlowKey, flow: UdpFlow) {
        self.udp_decided += usize::from(flow.decided);
        self.udp.insert(key, flow);
    }

    /// The UDP flow of this name.
    #[inline]
    pub(super) fn udp(&self, key: &FlowKey) -> Option<&UdpFlow> {
        self.udp.get(key)
    }

    /// The UDP flow of this name was accepted.
    pub(super) fn settle_udp(&mut self, key: &FlowKey) {
        if let Some(flow) = self.udp.get_mut(key)
            && !core::mem::replace(&mut flow.decided, true)
        {
            self.udp_decided += 1;
        }
    }

    /// The socket of a UDP flow is closed.
    pub(in crate::stack) fn remove_udp(&mut self, key: &FlowKey, socket: SocketId) {
        if self.udp.get(key).is_some_and(|flow| flow.socket == socket)
            && let Some(flow) = self.udp.remove(key)
        {
            self.udp_decided -= usize::from(flow.decided);
        }
    }

    pub(super) fn udp_count(&self) -> usize {
        self.udp_decided
    }
}
