//! The packets that a script sends.

use std::net::SocketAddr;

use super::Player;
use crate::ast::{Body, Class, FlowLabel, Icmp, IpSpec, Packet, Quote, Segment};
use crate::capture::{Direction, Record};
use crate::flow::Flow;
use crate::pattern;
use crate::report::Failure;
use crate::wire::{self, Address, TcpFields};

const SYN: u16 = 0x02;

/// The hop limit where a script says none.
const TTL: u8 = 255;

impl Player<'_> {
    /// Sends the packet of a script to the host.
    pub(super) fn inbound(&mut self, line: usize, packet: &Packet) -> Result<(), Failure> {
        let mut flow = match self.flow.take() {
            Some(flow) => flow,
            None => self.new_flow(matches!(packet.body, Body::Udp(_) | Body::Group(_))),
        };
        let mut bytes = match &packet.body {
            Body::Tcp(segment) => tcp(&mut flow, &packet.ip, segment),
            Body::Udp(len) => {
                let payload = pattern::bytes(0, usize::from(*len));
                wire::udp(
                    address(&flow, &packet.ip),
                    flow.remote.port(),
                    flow.local.port(),
                    &payload,
                )
            }
            Body::Icmp(message) => icmp(&flow, &packet.ip, message),
            Body::Echo(echo) => {
                let word = u32::from(echo.id) << 16 | u32::from(echo.seq);
                let data = pattern::bytes(0, usize::from(echo.len));
                wire::icmp(address(&flow, &packet.ip), echo.kind, 0, word, &data)
            }
            Body::Group(message) => {
                let address = address(&flow, &packet.ip);
                wire::group(address, message.kind, message.code, &message.rest)
            }
        };
        if let Some(shape) = &packet.ip.shape {
            wire::shape(&mut bytes, shape).map_err(|why| self.fail(line, why))?;
        }
        self.flow = Some(flow);
        let at = self.host.now();
        self.packets.push(Record {
            at,
            direction: Direction::Received,
            bytes: bytes.clone(),
        });
        self.host
            .deliver(&bytes)
            .map_err(|why| self.fail(line, why))?;
        self.collect()
    }

    /// A conversation that the script begins: of segments from a port that it has not used, of datagrams from the one
    /// that sockets send to.
    fn new_flow(&mut self, datagrams: bool) -> Flow {
        let settings = &self.script.settings;
        if datagrams {
            let remote = SocketAddr::new(settings.remote, settings.connect_port);
            return Flow::new(self.local(), remote);
        }
        let remote = SocketAddr::new(settings.remote, self.next_port);
        self.next_port = self.next_port.wrapping_add(1);
        Flow::new(self.local(), remote)
    }
}

fn address(flow: &Flow, ip: &IpSpec) -> Address {
    Address {
        src: ip.src.unwrap_or(flow.remote.ip()),
        dst: ip.dst.unwrap_or(flow.local.ip()),
        class: match ip.class {
            None => 0,
            Some(Class::Tos(tos)) => tos,
            Some(Class::Ecn(ecn)) => ecn,
            Some(Class::Ect01) => 2,
        },
        ttl: ip.ttl.unwrap_or(TTL),
        label: match ip.flow_label {
            Some(FlowLabel::Is(label)) => label,
            Some(FlowLabel::Chosen) | None => 0,
        },
    }
}

fn tcp(flow: &mut Flow, ip: &IpSpec, segment: &Segment) -> Vec<u8> {
    if segment.flags & SYN != 0 {
        flow.note_remote_isn(segment.seq);
    }
    let fields = TcpFields {
        src_port: flow.remote.port(),
        dst_port: flow.local.port(),
        seq: segment.seq,
        ack: segment.ack.map_or(0, |ack| flow.to_live(ack)),
        flags: segment.flags,
        window: segment.window.unwrap_or(0),
        urgent: segment.urgent.unwrap_or(0),
        options: flow.options_to_live(segment.options.as_deref().unwrap_or_default()),
    };
    // The number of a SYN is that of no byte: data in its segment begins one further.
    let first = segment
        .seq
        .wrapping_add(u32::from(segment.flags & SYN != 0));
    let payload = pattern::bytes(flow.script_place(first), segment.len as usize);
    wire::tcp(address(flow, ip), &fields, &payload)
}

/// An error about a packet of the host, which is quoted as RFC 792 wants it: its headers and eight bytes more.
fn icmp(flow: &Flow, ip: &IpSpec, message: &Icmp) -> Vec<u8> {
    let quoted = Address {
        src: flow.local.ip(),
        dst: flow.remote.ip(),
        class: 0,
        ttl: 64,
        label: 0,
    };
    let (local, remote) = (flow.local.port(), flow.remote.port());
    let packet = match message.quote {
        Quote::Tcp { range } => {
            let (seq, len) = range.unwrap_or((0, 0));
            let fields = TcpFields {
                src_port: local,
                dst_port: remote,
                seq: flow.to_live(seq),
                flags: 0x10,
                ..TcpFields::default()
            };
            let place = flow.host_place(seq);
            wire::tcp(quoted, &fields, &pattern::bytes(place, len as usize))
        }
        Quote::Udp(len) => wire::udp(quoted, local, remote, &pattern::bytes(0, usize::from(len))),
    };
    let header = if quoted.src.is_ipv4() { 20 } else { 40 };
    let kept = packet.get(..header + 20).unwrap_or(&packet);
    let at = if message.v6 { 0 } else { 24 };
    let pointer = message.pointer.map(|pointer| pointer << at);
    let word = message.mtu.or(pointer).unwrap_or(0);
    wire::icmp(address(flow, ip), message.kind, message.code, word, kept)
}
