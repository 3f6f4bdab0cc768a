//! The tables: sockets by handle, connections by their four-tuple, half-open connections.

use super::events::Pending;
use super::flows::{Flow, Flows};
use super::gateway::Gateway;
use super::pages::Pages;
use super::schedule::Scheduled;
use super::tcp_bind::Bound;
use super::time_waits::TimeWaits;
use crate::datagram::DatagramSocket;
use crate::ip::IfaceId;
use crate::ip::output::Marks;
use crate::random::Random;
use crate::socket::{SocketError, SocketId};
use crate::tcp::connection::Connection;
use crate::tcp::flow::FlowKey;
use crate::tcp::handshake::Request;
use crate::tcp::listen::Listener;
use slab::Slab;
use std::collections::BTreeMap;
use txbuf::{Account, Completions};

/// A connection and what the stack keeps beside it.
pub(super) struct TcpSocket {
    pub(super) connection: Connection,
    pub(super) iface: IfaceId,
    /// Whether it stands in its interface's ready list.
    pub(super) ready: bool,
    /// Whether its application knows IPv4 addresses in mapped form.
    pub(super) dual: bool,
    pub(super) marks: Marks,
    pub(super) scheduled: Scheduled,
}

impl TcpSocket {
    pub(super) fn new(connection: Connection, iface: IfaceId) -> Self {
        TcpSocket {
            connection,
            iface,
            ready: false,
            dual: false,
            marks: Marks::default(),
            scheduled: Scheduled::default(),
        }
    }
}

/// A half-open connection and what the stack keeps beside it.
pub(super) struct HalfOpen {
    pub(super) request: Request,
    pub(super) listener: SocketId,
    pub(super) iface: IfaceId,
    pub(super) ready: bool,
    pub(super) scheduled: Scheduled,
}

/// A datagram socket and what the stack keeps beside it.
pub(super) struct DatagramEntry {
    pub(super) socket: DatagramSocket,
    /// Whether it stands in an interface's ready list.
    pub(super) ready: bool,
}

/// A socket of any kind.
pub(super) enum Socket {
    Tcp(Box<TcpSocket>),
    Bound(Box<Bound>),
    Listener(Box<Listener>),
    Datagram(Box<DatagramEntry>),
    Gateway(Box<Gateway>),
}

struct Slot {
    generation: u32,
    pending: Pending,
    /// Made with the first token.
    completions: Option<Box<Completions>>,
    /// What copies of received spans that the application keeps are charged to. Made with the first.
    kept: Option<Account>,
    socket: Socket,
}

/// All sockets of a stack.
pub(super) struct Table {
    slots: Pages<Slot>,
    generation: u32,
    flows: Flows,
    requests: Slab<HalfOpen>,
    pub(super) time_waits: TimeWaits,
    /// Connections without a handle.
    pub(super) orphans: usize,
    /// Connections whose SYN brought data and whose handshake is not through, with their listeners.
    pub(super) early: BTreeMap<SocketId, SocketId>,
}

impl Table {
    pub(super) fn new(random: &mut Random) -> Self {
        Table {
            slots: Pages::default(),
            generation: 0,
            flows: Flows::new(random),
            requests: Slab::new(),
            time_waits: TimeWaits::default(),
            orphans: 0,
            early: BTreeMap::new(),
        }
    }

    /// Adds a socket and returns its handle.
    pub(super) fn insert(&mut self, socket: Socket) -> SocketId {
        self.generation = self.generation.wrapping_add(1);
        let slot = Slot {
            generation: self.generation,
            pending: Pending::default(),
            completions: None,
            kept: None,
            socket,
        };
        let index = self.slots.insert(slot);
        SocketId {
            index,
            generation: self.generation,
        }
    }

    /// Removes a socket; its handle is dead from now on.
    pub(super) fn remove(&mut self, id: SocketId) -> Option<Socket> {
        self.slot(id)?;
        self.slots.remove(id.index).map(|slot| slot.socket)
    }

    /// Puts a socket in the place of another, whose handle it has from now on.
    pub(super) fn replace(&mut self, id: SocketId, socket: Socket) {
        if let Some(slot) = self.slot_mut(id) {
            slot.socket = socket;
        }
    }

    /// A socket that is bound and nothing more.
    pub(super) fn bound(&self, id: SocketId) -> Option<&Bound> {
        match self.get(id) {
            Ok(Socket::Bound(bound)) => Some(bound),
            _ => None,
        }
    }

    /// The handle of what stands in a slot.
    pub(super) fn id_at(&self, index: u32) -> Option<SocketId> {
        let slot = self.slots.get(index)?;
        Some(SocketId {
            index,
            generation: slot.generation,
        })
    }

    /// Every handle, in the order of slots.
    pub(super) fn ids(&self) -> Vec<SocketId> {
        self.iter().map(|(id, ..)| id).collect()
    }

    /// Slots that there are, whether or not a socket is in them.
    pub(super) fn slots(&self) -> u32 {
        self.slots.numbers()
    }

    /// The socket in the slot `number`.
    pub(super) fn in_slot(&mut self, number: u32) -> Option<&mut Socket> {
        self.slots.get_mut(number).map(|slot| &mut slot.socket)
    }

    /// Every socket, with what copies are charged to that its reader keeps.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SocketId, &Socket, Option<&Account>)> {
        self.slots.iter().map(|(index, slot)| {
            let id = SocketId {
                index,
                generation: slot.generation,
            };
            (id, &slot.socket, slot.kept.as_ref())
        })
    }

    pub(super) fn get(&self, id: SocketId) -> Result<&Socket, SocketError> {
        self.slot(id)
            .map(|slot| &slot.socket)
            .ok_or(SocketError::BadHandle)
    }

    /// A socket, and what copies that its reader keeps are charged to.
    pub(super) fn with_kept(&self, id: SocketId) -> Option<(&Socket, Option<&Account>)> {
        let slot = self.slot(id)?;
        Some((&slot.socket, slot.kept.as_ref()))
    }

    pub(super) fn get_mut(&mut self, id: SocketId) -> Result<&mut Socket, SocketError> {
        self.slot_mut(id)
            .map(|slot| &mut slot.socket)
            .ok_or(SocketError::BadHandle)
    }

    /// A socket, and what is charged with the copies that its reader keeps.
    pub(super) fn reader(
        &mut self,
        id: SocketId,
    ) -> Result<(&mut Socket, &mut Option<Account>), SocketError> {
        self.slot_mut(id)
            .map(|slot| (&mut slot.socket, &mut slot.kept))
            .ok_or(SocketError::BadHandle)
    }

    pub(super) fn tcp(&self, id: SocketId) -> Result<&TcpSocket, SocketError> {
        match self.get(id)? {
            Socket::Tcp(tcp) => Ok(tcp),
            _ => Err(SocketError::WrongKind),
        }
    }

    pub(super) fn tcp_mut(&mut self, id: SocketId) -> Result<&mut TcpSocket, SocketError> {
        match self.get_mut(id)? {
            Socket::Tcp(tcp) => Ok(tcp),
            _ => Err(SocketError::WrongKind),
        }
    }

    /// A connection together with its untold events.
    pub(super) fn tcp_and_pending(
        &mut self,
        id: SocketId,
    ) -> Option<(&mut TcpSocket, &mut Pending)> {
        match self.slot_mut(id)? {
            Slot {
                socket: Socket::Tcp(tcp),
                pending,
                ..
            } => Some((tcp, pending)),
            _ => None,
        }
    }

    pub(super) fn listener_mut(&mut self, id: SocketId) -> Result<&mut Listener, SocketError> {
        match self.get_mut(id)? {
            Socket::Listener(listener) => Ok(listener),
            _ => Err(SocketError::WrongKind),
        }
    }

    pub(super) fn datagram(&self, id: SocketId) -> Result<&DatagramSocket, SocketError> {
        match self.get(id)? {
            Socket::Datagram(entry) => Ok(&entry.socket),
            _ => Err(SocketError::WrongKind),
        }
    }

    pub(super) fn datagram_mut(&mut self, id: SocketId) -> Result<&mut DatagramEntry, SocketError> {
        match self.get_mut(id)? {
            Socket::Datagram(entry) => Ok(entry),
            _ => Err(SocketError::WrongKind),
        }
    }

    pub(super) fn gateway_mut(&mut self, id: SocketId) -> Result<&mut Gateway, SocketError> {
        match self.get_mut(id)? {
            Socket::Gateway(gateway) => Ok(gateway),
            _ => Err(SocketError::WrongKind),
        }
    }

    pub(super) fn pending_mut(&mut self, id: SocketId) -> Option<&mut Pending> {
        self.slot_mut(id).map(|slot| &mut slot.pending)
    }

    pub(super) fn completions_mut(
        &mut self,
        id: SocketId,
    ) -> Result<&mut Option<Box<Completions>>, SocketError> {
        self.slot_mut(id)
            .map(|slot| &mut slot.completions)
            .ok_or(SocketError::BadHandle)
    }

    /// Who has the four-tuple.
    pub(super) fn flow(&self, key: &FlowKey) -> Option<Flow> {
        self.flows.find(key, |flow| match flow {
            Flow::Connection(id) => self.tcp(id).is_ok_and(|tcp| tcp.connection.flow == *key),
            Flow::Request(number) => self
                .requests
                .get(number as usize)
                .is_some_and(|half_open| half_open.request.origin.flow == *key),
            Flow::TimeWait(number) => self
                .time_waits
                .time_wait(number)
                .is_some_and(|time_wait| time_wait.flow == *key),
        })
    }

    /// Connections and half-open connections, those in TIME-WAIT that nobody holds left out.
    pub(super) fn connection_count(&self) -> usize {
        self.flows.len().saturating_sub(self.time_waits.len())
    }

    /// Gives the four-tuple, which nobody has, to `flow`.
    pub(super) fn set_flow(&mut self, key: &FlowKey, flow: Flow) {
        self.flows.insert(key, flow);
    }

    /// Frees the four-tuple, if it still belongs to `flow`.
    pub(super) fn clear_flow(&mut self, key: &FlowKey, flow: Flow) {
        self.flows.remove(key, flow);
    }

    pub(super) fn add_request(&mut self, half_open: HalfOpen) -> u32 {
        let key = half_open.request.origin.flow;
        let number = self.requests.insert(half_open) as u32;
        self.set_flow(&key, Flow::Request(number));
        number
    }

    pub(super) fn request_mut(&mut self, number: u32) -> Option<&mut HalfOpen> {
        self.requests.get_mut(number as usize)
    }

    /// Takes a half-open connection out; its four-tuple is free and its listener has room again.
    pub(super) fn take_request(&mut self, number: u32) -> Option<HalfOpen> {
        let half_open = self.requests.try_remove(number as usize)?;
        self.clear_flow(&half_open.request.origin.flow, Flow::Request(number));
        if let Ok(listener) = self.listener_mut(half_open.listener) {
            listener.on_settled();
        }
        Some(half_open)
    }

    /// The half-open connections of a listener.
    pub(super) fn requests_of(&self, listener: SocketId) -> Vec<u32> {
        let of = self
            .requests
            .iter()
            .filter(|(_, half_open)| half_open.listener == listener);
        of.map(|(number, _)| number as u32).collect()
    }

    fn slot(&self, id: SocketId) -> Option<&Slot> {
        self.slots
            .get(id.index)
            .filter(|slot| slot.generation == id.generation)
    }

    fn slot_mut(&mut self, id: SocketId) -> Option<&mut Slot> {
        self.slots
            .get_mut(id.index)
            .filter(|slot| slot.generation == id.generation)
    }
}
