//! Ping sockets: echo requests of one identifier out, the answers to them in, without any right to more.

use super::Stack;
use super::echo::identifier;
use super::icmp_errors::Notice;
use crate::Instant;
use crate::datagram::{DatagramLimits, DatagramSocket, Delivery, Kind};
use crate::ip::icmp::IcmpError;
use crate::ip::{IfaceId, IpHeader};
use crate::socket::{BindError, BindOptions, SocketId};
use std::net::SocketAddr;
use txbuf::Packet;

impl Stack {
    /// Opens a ping socket (`SOCK_DGRAM` with `IPPROTO_ICMP` or `IPPROTO_ICMPV6`). `local` has the address that it sends
    /// from, or an unspecified one of its family, and in place of a port the identifier, 0 for one of the stack's
    /// choice.
    ///
    /// What is sent is an echo request as a whole, from the type on: at least 8 bytes, of which the identifier and the
    /// checksum are filled in. What is received is an echo reply as a whole.
    ///
    /// # Errors
    ///
    /// The identifier is taken, the address is not this stack's, or no identifier is free.
    pub fn ping_open(
        &mut self,
        local: SocketAddr,
        options: &BindOptions,
    ) -> Result<SocketId, BindError> {
        let options = BindOptions {
            dual: false,
            ..*options
        };
        let (ident, mut holder) = self.claim(|ports| &ports.ping, local, &options, false)?;
        holder.receives = true;
        let bound = SocketAddr::new(holder.address, ident);
        let socket = DatagramSocket::new(Kind::Ping, bound, DatagramLimits::default())
            .of(false, options.device);
        holder.id = self.add_datagram(socket);
        self.ports.ping.bind(ident, holder);
        Ok(holder.id)
    }

    /// An answer to a ping.
    pub(super) fn ping_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: Packet,
    ) {
        self.counters.ip.icmp_in_echo_replies += 1;
        let Some(ident) = identifier(header, &packet) else {
            return;
        };
        let local = SocketAddr::new(header.dst, ident);
        let remote = SocketAddr::new(header.src, 0);
        let Some(id) = self.receiver_for(|ports| &ports.ping, local, remote, Some(iface)) else {
            // Somebody else asked, a raw socket perhaps.
            return;
        };
        let delivery = Delivery::of_ip(header, header.header_len, iface, now);
        match self.deliver_datagram(id, &delivery, packet) {
            Ok(_) => self.counters.raw.in_packets += 1,
            Err(reason) => reason.count_raw(&mut self.counters.raw),
        }
    }

    /// What the network says about a ping.
    pub(super) fn ping_icmp_error(&mut self, now: Instant, notice: Notice) {
        let (local, remote) = (notice.quoted.src, notice.quoted.dst);
        let Some(id) = self.receiver_for(|ports| &ports.ping, local, remote, None) else {
            self.counters.ip.icmp_in_not_ours += 1;
            return;
        };
        if let IcmpError::TooBig { mtu } = notice.error
            && self
                .table
                .datagram(id)
                .is_ok_and(|socket| socket.speaks_to(remote))
        {
            self.reduce_path(now, remote.ip(), mtu, notice.quoted.total_len);
        }
        self.report_datagram(id, &notice);
    }
}
