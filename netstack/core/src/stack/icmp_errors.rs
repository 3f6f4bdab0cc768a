//! What the network says about packets that were sent (RFC 5927, RFC 8085 5.2).

use super::Stack;
use super::tcp_ingress::segment_size;
use crate::Instant;
use crate::ip::icmp::IcmpError;
use crate::ip::quote::Quoted;
use crate::socket::ConnectionError;
use crate::tcp::flow::FlowKey;
use crate::tcp::seq::Seq;
use smoltcp::wire::IpProtocol;

impl Stack {
    /// Takes an ICMP error about the packet `quoted`, if that is one that was sent and is outstanding.
    pub(super) fn icmp_error_input(&mut self, now: Instant, error: IcmpError, quoted: &Quoted) {
        self.counters.ip.icmp_in_errors += 1;
        match quoted.protocol {
            IpProtocol::Tcp => self.tcp_icmp_error(now, error, quoted),
            IpProtocol::Udp => self.udp_icmp_error(now, error, quoted),
            _ => self.counters.ip.icmp_in_not_ours += 1,
        }
    }

    // req: MUST-54, MUST-56, SHLD-26
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
                if let Ok(tcp) = self.table.tcp_mut(id) {
                    tcp.connection
                        .reduce_path(segment_size(path.mtu, destination), path.dont_fragment);
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
