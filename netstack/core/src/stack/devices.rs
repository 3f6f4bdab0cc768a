//! Interfaces by number, name and address, and sockets that are for one of them only.

use super::Stack;
use super::table::Socket;
use crate::datagram::Kind;
use crate::ip::IfaceId;
use crate::socket::{OptionError, SocketError, SocketId};
use smoltcp::wire::IpCidr;
use std::net::IpAddr;

impl Stack {
    /// The name that an interface was given; `None` where there is no such interface.
    pub fn interface_name(&self, iface: IfaceId) -> Option<&str> {
        Some(self.interface(iface)?.name())
    }

    /// The first interface of a name.
    pub fn interface_named(&self, name: &str) -> Option<IfaceId> {
        let at = self.interfaces.iter().position(|one| one.name() == name)?;
        Some(IfaceId::new(u32::try_from(at).ok()?))
    }

    /// The interface that has an address.
    pub fn interface_of(&self, address: IpAddr) -> Option<IfaceId> {
        self.addresses.owner(address)
    }

    /// The addresses of an interface, the first one first.
    pub fn addresses(&self, iface: IfaceId) -> impl Iterator<Item = IpCidr> {
        self.addresses.of(iface)
    }

    /// Has a socket send by one interface only, and receive only what comes by it, or by any again (`SO_BINDTODEVICE`). A
    /// connection stays where it is.
    ///
    /// # Errors
    ///
    /// [`OptionError::Invalid`] when there is no such interface; [`SocketError::WrongKind`] for a connection.
    pub fn set_device(
        &mut self,
        socket: SocketId,
        device: Option<IfaceId>,
    ) -> Result<(), OptionError> {
        if device.is_some_and(|device| self.interface(device).is_none()) {
            return Err(OptionError::Invalid);
        }
        let (space, port) = match self.table.get_mut(socket)? {
            Socket::Datagram(entry) => {
                entry.socket.device = device;
                let port = entry.socket.local().port();
                match entry.socket.kind {
                    Kind::Udp => (&mut self.ports.udp, port),
                    Kind::Ping => (&mut self.ports.ping, port),
                    _ => return Ok(()),
                }
            }
            Socket::Bound(bound) => {
                bound.options.device = device;
                (&mut self.ports.tcp, bound.local.port())
            }
            Socket::Listener(listener) => (&mut self.ports.tcp, listener.local.port()),
            Socket::Tcp(_) | Socket::Gateway(_) => return Err(SocketError::WrongKind.into()),
        };
        if let Some(holder) = space.holder_mut(port, socket) {
            holder.options.device = device;
        }
        Ok(())
    }
}
