//! What the network says about packets that were sent (RFC 5927, RFC 8085 5.2).

use super::Stack;
use super::tcp_ingress::segment_size;
use crate::Instant;
use crate::ip::icmp::{self, IcmpError};
use crate::ip::quote::Quoted;
use crate::ip::{IfaceId, IpHeader};
use crate::socket::{Arrival, ConnectionError, ErrorOrigin, ErrorReport, SocketId};
use crate::storage;
use crate::tcp::flow::FlowKey;
use crate::tcp::seq::Seq;
use core::time::Duration;
use smoltcp::wire::IpProtocol;
use std::net::IpAddr;
use txbuf::{Chain, Packet, Span};

/// How often a connection asks whether its path is still narrow.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// An ICMP error, and the packet that it came in.
pub(super) struct Notice {
    pub(super) error: IcmpError,
    pub(super) quoted: Quoted,
    pub(super) report: ErrorReport,
    packet: Packet,
    /// Where in the packet the quoted transport header begins.
    transport_at: usize,
}

impl Notice {
    /// The error that `packet`, with the header `header`, is, which came by `iface`.
    pub(super) fn new(
        (now, iface): (Instant, IfaceId),
        header: &IpHeader,
        error: IcmpError,
        quoted: Quoted,
        packet: Packet,
    ) -> Notice {
        let mut start = [0; 2];
        // It was read before, to know the error.
        let _ = packet.copy_to(header.header_len, &mut start);
        let info = match error {
            IcmpError::TooBig { mtu } => mtu,
            IcmpError::ParameterProblem { pointer, .. } => pointer,
            _ => 0,
        };
        let origin = match header.is_v4() {
            true => ErrorOrigin::Icmp,
            false => ErrorOrigin::Icmpv6,
        };
        Notice {
            error,
            quoted,
            report: ErrorReport {
                to: quoted.dst,
                origin,
                kind: start[0],
                code: start[1],
                info,
                offender: Some(header.src),
                arrival: Some(Arrival {
                    to: header.dst,
                    iface,
                    hop_limit: header.hop_limit,
                    traffic_class: header.traffic_class,
                    time: now,
                    outgoing: false,
                }),
                time: now,
            },
            packet,
            transport_at: header.header_len + icmp::HEADER + quoted.transport_at,
        }
    }

    /// What it quotes of the payload behind a transport header of `header` bytes.
    pub(super) fn payload(&self, header: usize, small: &mut Chain) -> Option<Span> {
        let packet = self.packet.clone();
        let payload = packet.into_payload(self.transport_at + header, small);
        storage::bounded(payload.ok()??, small).ok()
    }
}

impl Stack {
    /// Takes an ICMP error, if it is about a packet that was sent and is outstanding.
    pub(super) fn icmp_error_input(&mut self, now: Instant, notice: Notice) {
        self.counters.ip.icmp_in_errors += 1;
        let (error, quoted) = (notice.error, notice.quoted);
        // Who forges a report finds a short packet more easily than a long one (RFC 5927, 7.2). Packets that were joined on
        // their way to more than 64 KiB say no length.
        if let IcmpError::TooBig { mtu } = error
            && quoted.total_len > quoted.transport_at
            && usize::try_from(mtu).is_ok_and(|mtu| mtu >= quoted.total_len)
        {
            self.counters.ip.icmp_in_bad_mtu += 1;
            return;
        }
        let observed = self.raw_icmp_error(&notice);
        match quoted.protocol {
            IpProtocol::Tcp => self.tcp_icmp_error(now, error, &quoted),
            IpProtocol::Udp => self.udp_icmp_error(now, notice),
            IpProtocol::Icmp | IpProtocol::Icmpv6 => self.echo_icmp_error(now, notice),
            _ if observed => {}
            _ => self.counters.ip.icmp_in_not_ours += 1,
        }
    }

    /// Takes in that a packet of `sent` bytes to `to` was too long for a link that takes `mtu`.
    pub(super) fn reduce_path(&mut self, now: Instant, to: IpAddr, mtu: u32, sent: usize) {
        let way = self.way_to(to, None);
        if let Some(interface) = way.and_then(|(iface, _)| self.interface(iface)) {
            let most = interface.mtu();
            self.pmtu.reduce(now, to, mtu, sent.min(most), most);
        }
    }

    /// Has a connection whose path was narrow try what the link takes, when nobody has said for a while that the path is
    /// narrow (RFC 1191, 6.3; RFC 8201, 5.3).
    pub(super) fn look_at_path(&mut self, now: Instant, id: SocketId) {
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let (iface, to) = (tcp.iface, tcp.connection.flow.remote().ip());
        let Some(mtu) = self.interface(iface).map(|interface| interface.mtu()) else {
            return;
        };
        let path = self.pmtu.lookup(now, to, mtu);
        if let Ok(tcp) = self.table.tcp_mut(id) {
            let mss = segment_size(path.mtu, to);
            tcp.connection
                .widen_path(mss, path.dont_fragment, now + LOOK_AGAIN);
        }
    }

    // req: MUST-54, MUST-56, SHLD-26, RFC8899-03, RFC8899-09
    fn tcp_icmp_error(&mut self, now: Instant, error: IcmpError, quoted: &Quoted) {
        let key = FlowKey::new(quoted.src, quoted.dst);
        let Some(id) = self.connection_of(&key) else {
            self.counters.ip.icmp_in_not_ours += 1;
            return;
        };
        let Ok(tcp) = self.table.tcp_mut(id) else {
            return;
        };
        let connection = &mut tcp.connection;
        // Who cannot see the connection cannot name a sequence number in flight (RFC 5927, 4.1).
        let in_flight = quoted
            .sequence
            .is_some_and(|sequence| connection.snd.is_outstanding(Seq(sequence)));
        if !in_flight {
            self.counters.tcp.icmp_not_in_flight += 1;
            return;
        }
        let iface = tcp.iface;
        match error {
            IcmpError::TooBig { mtu } => {
                let Some(interface) = self.interface(iface) else {
                    return;
                };
                let interface_mtu = interface.mtu();
                let destination = quoted.dst.ip();
                let sent = quoted.total_len.min(interface_mtu);
                if self
                    .pmtu
                    .reduce(now, destination, mtu, sent, interface_mtu)
                    .is_some()
                {
                    self.counters.tcp.path_mtu_reduced += 1;
                }
                // The estimate may have fallen before, for another connection to the same host.
                let path = self.pmtu.lookup(now, destination, interface_mtu);
                let until = now + self.pmtu.lifetime();
                if let Ok(tcp) = self.table.tcp_mut(id) {
                    let mss = segment_size(path.mtu, destination);
                    tcp.connection.reduce_path(mss, path.dont_fragment, until);
                }
            }
            // RFC 1122, 4.2.3.9 lets hard errors abort; on an established connection they are hints too,
            // because anybody may forge them (RFC 5927, 5.2).
            error if connection.is_connecting() && error.is_hard() => {
                connection.fail(ConnectionError::Refused);
            }
            IcmpError::Unreachable(_) if connection.is_connecting() => {
                connection.fail(ConnectionError::Unreachable);
            }
            IcmpError::Unreachable(_)
            | IcmpError::TimeExceeded(_)
            | IcmpError::ParameterProblem { .. } => connection.note_soft_error(),
            IcmpError::Unknown { .. } => {}
        }
        self.settle(id);
    }
}
