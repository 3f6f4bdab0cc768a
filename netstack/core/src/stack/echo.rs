//! Pings that are answered, and what the network says about the answers.

use super::Stack;
use super::icmp_errors::Notice;
use crate::Instant;
use crate::ip::classify::names_one_host;
use crate::ip::icmp::{self, IcmpError, ReplyFrom};
use crate::ip::{HOP_LIMIT, IfaceId, IpHeader};
use std::collections::VecDeque;
use std::net::IpAddr;
use txbuf::Packet;

/// Who was answered last, with the identifier: what somebody else says about answers to them is not believed
/// (RFC 8201, 4).
#[derive(Debug, Default)]
pub(super) struct Echoes {
    latest: VecDeque<(IpAddr, u16)>,
}

impl Echoes {
    const LIMIT: usize = 16;

    fn note(&mut self, to: IpAddr, ident: u16) {
        if self.latest.contains(&(to, ident)) {
            return;
        }
        if self.latest.len() >= Echoes::LIMIT {
            self.latest.pop_front();
        }
        self.latest.push_back((to, ident));
    }
}

impl Stack {
    // req: RFC8201-03
    pub(super) fn answer_echo(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: Packet,
    ) {
        self.counters.ip.icmp_in_echo_requests += 1;
        // RFC 1122, 3.2.2.6 lets a ping to a broadcast address go unanswered; all that answer would
        // amplify.
        let amplifies = header.is_v4() && !self.addresses.owns(header.dst);
        if amplifies || !names_one_host(header.src) {
            self.counters.ip.icmp_out_suppressed += 1;
            return;
        }
        let source = match self.addresses.owns(header.dst) {
            true => Some(header.dst),
            false => self.addresses.select_source(iface, header.src, None),
        };
        let Some(source) = source else {
            self.counters.ip.out_no_source += 1;
            return;
        };
        let from = ReplyFrom {
            source,
            hop_limit: HOP_LIMIT,
            ident: self.ident(source, header.src, header.protocol) as u16,
        };
        if let Some(ident) = identifier(header, &packet) {
            self.echoes.note(header.src, ident);
        }
        let interface_mtu = self.interface(iface).map_or(0, |interface| interface.mtu());
        let path = self.pmtu.lookup(now, header.src, interface_mtu);
        match icmp::echo_reply(header, packet, &from) {
            Ok(reply) => {
                self.send_control(iface, reply, path.mtu);
            }
            Err(reason) => reason.count(&mut self.counters.ip),
        }
    }

    /// What the network says about an echo message of this host.
    pub(super) fn echo_icmp_error(&mut self, now: Instant, notice: Notice) {
        let quoted = notice.quoted;
        let (to, ident) = (quoted.dst.ip(), quoted.src.port());
        let is_reply = matches!(quoted.icmp_type, Some(ICMP_REPLY | ICMP6_REPLY));
        if !is_reply {
            return self.ping_icmp_error(now, notice);
        }
        match notice.error {
            IcmpError::TooBig { mtu } if self.echoes.latest.contains(&(to, ident)) => {
                self.reduce_path(now, to, mtu, quoted.total_len);
            }
            _ => self.counters.ip.icmp_in_not_ours += 1,
        }
    }
}

const ICMP_REPLY: u8 = 0;
const ICMP6_REPLY: u8 = 129;

/// The identifier of an echo message.
pub(super) fn identifier(header: &IpHeader, packet: &Packet) -> Option<u16> {
    let mut bytes = [0; 2];
    let copied = packet.copy_to(header.header_len + 4, &mut bytes).ok()?;
    (copied == bytes.len()).then(|| u16::from_be_bytes(bytes))
}
