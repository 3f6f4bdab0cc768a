//! Binding: which addresses and ports a socket can have.

use super::Stack;
use super::ports::{Holder, PortSpace, Ports, bindable};
use crate::ip::IfaceId;
use crate::socket::{BindError, BindOptions, SocketId, canonical};
use crate::tcp::flow::FlowKey;
use std::net::{IpAddr, SocketAddr};

/// The ports of a protocol.
pub(super) type Space = fn(&Ports) -> &PortSpace;

impl Stack {
    /// The holder that a socket bound to `local` would be, and its port.
    ///
    /// `many`: whether addresses of groups and broadcasts can be had. `receives`: whether it takes what arrives.
    // req: RFC1122udp-08, RFC8085-08, RFC8085-09
    pub(super) fn claim(
        &mut self,
        space: Space,
        local: SocketAddr,
        options: &BindOptions,
        many: bool,
    ) -> Result<(u16, Holder), BindError> {
        let dual = options.dual && local.is_ipv6();
        let address = match dual {
            true => canonical(local.ip()),
            false => local.ip(),
        };
        let is_ours = self.is_own(address) || many && self.can_bind(address);
        let has_device = options.device.is_none_or(|at| self.interface(at).is_some());
        if !is_ours || !has_device {
            return Err(BindError::NotAvailable);
        }
        let holder = Holder {
            id: SocketId::NONE,
            address,
            options: BindOptions { dual, ..*options },
            peer: None,
            receives: many,
        };
        if local.port() != 0 {
            return match space(&self.ports).is_free(local.port(), &holder) {
                true => Ok((local.port(), holder)),
                false => Err(BindError::InUse),
            };
        }
        let start = self.random.next_u32();
        let used = |port: u16| space(&self.ports).is_used(port);
        let free = |port: &u16| self.shard.may_choose(*port) && !used(*port);
        let port = bindable(start).find(free).ok_or(BindError::NoPorts)?;
        Ok((port, holder))
    }

    /// Whether any socket can be bound to `address`: it is unspecified, one of this stack's, or that of a group or a
    /// broadcast address, which only datagram sockets can have.
    pub fn can_bind(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        self.is_own(address) || !self.is_for_one(address)
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address.is_unspecified() || self.addresses.owns(address)
    }

    /// The TCP socket that listens for what `key` names and came by `iface`.
    pub(super) fn listener_for(&self, key: &FlowKey, iface: IfaceId) -> Option<SocketId> {
        let hash = || self.secret.group_hash(key);
        self.ports
            .tcp
            .find(key.local(), key.remote(), Some(iface), hash)
    }

    /// The socket of `space` for what `remote` sends to `local`, by `iface` if that matters.
    pub(super) fn receiver_for(
        &self,
        space: Space,
        local: SocketAddr,
        remote: SocketAddr,
        iface: Option<IfaceId>,
    ) -> Option<SocketId> {
        let hash = || self.secret.group_hash(&FlowKey::new(local, remote));
        space(&self.ports).find(local, remote, iface, hash)
    }

    /// Whether a packet to `address` is for one host.
    pub(super) fn is_for_one(&self, address: IpAddr) -> bool {
        !address.is_multicast() && !self.addresses.is_broadcast(address)
    }
}
