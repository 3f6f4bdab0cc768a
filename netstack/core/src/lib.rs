//! A TCP/IP stack that does no input or output of its own.
//!
//! [`Stack`] is a state machine: packets, commands and the time go in; packets, events and the next
//! deadline come out. It has no clock, no thread and no system call, and the same seed and the same
//! calls give the same packets, bit for bit. So an hour of a lossy network is a unit test, and the
//! same code serves a TUN device.
//!
//! ```
//! use netstack_core::{Config, Instant, InterfaceConfig, RecvFlags, SendControl, SendFlags, Stack};
//! use txbuf::{IovIter, Offloads};
//!
//! fn host(number: u8) -> Result<Stack, Box<dyn std::error::Error>> {
//!     let mut stack = Stack::new(Config::new([number; 32]));
//!     let offloads = Offloads::default();
//!     let iface = stack.add_interface(InterfaceConfig { name: "link".into(), mtu: 1500, offloads })?;
//!     stack.add_address(iface, format!("10.0.0.{number}/24").parse().map_err(|()| "bad address")?)?;
//!     Ok(stack)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut client, mut server) = (host(1)?, host(2)?);
//! let (now, iface) = (Instant::ZERO, netstack_core::IfaceId::new(0));
//! let address = "10.0.0.2:7".parse()?;
//! let listener = server.tcp_listen(address, 16)?;
//! let socket = client.tcp_connect(now, address, None)?;
//!
//! // The link: whatever one stack sends, the other receives. A device would finish the checksums.
//! let mut link = |client: &mut Stack, server: &mut Stack| {
//!     for _ in 0..4 {
//!         while let Some(packet) = client.poll_transmit(now, iface) {
//!             server.handle_packet(now, iface, packet);
//!         }
//!         while let Some(packet) = server.poll_transmit(now, iface) {
//!             client.handle_packet(now, iface, packet);
//!         }
//!     }
//! };
//! link(&mut client, &mut server);
//! let (accepted, _) = server.tcp_accept(listener)?;
//!
//! client.send_message(socket, &mut IovIter::bytes(b"hello"), SendFlags::NONE, &SendControl::default())?;
//! link(&mut client, &mut server);
//! let mut buffer = [0; 64];
//! let received = server.receive_message(accepted, &mut IovIter::buffer(&mut buffer), RecvFlags::NONE)?;
//! assert_eq!(&buffer[..received.bytes], b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! A packet's three ways begin in `stack/ingress.rs` and end in `stack/egress.rs`.
#![forbid(unsafe_code)]

mod counters;
mod datagram;
mod doorbell;
mod flags;
mod ip;
pub mod messages {
    #![doc = include_str!("messages.md")]
}
mod news;
mod pools;
mod random;
mod socket;
mod stack;
mod stamps;
mod storage;
mod tcp;
mod time;
mod udp;

pub use counters::{Counters, GatewayCounters, IpCounters, RawCounters, TcpCounters, UdpCounters};
pub use ip::IfaceId;
pub use pools::Pools;
pub use smoltcp::wire::IpCidr;
pub use socket::{
    AcceptError, Arrival, BindError, BindOptions, Congestion, ConnectError, ConnectionError,
    ErrorOrigin, ErrorReport, Event, GroupError, How, KeepAlive, ListenError, OptionError,
    Readiness, Received, ReceivedError, ReceivedStamp, RecvError, RecvFlags, Sees, SendControl,
    SendError, SendFlags, SocketError, SocketId, SocketOption, Stamp, StampRequest, StampStage,
    Stamps, TokenError, UnknownCongestion, UrgentByte, UrgentData,
};
pub use stack::{
    Admission, Admit, Config, ConfigError, Cut, Flow, FlowError, FlowId, GatewayConfig, Hook,
    Injector, InterfaceConfig, NewFlow, Passage, Shard, SocketHoldings, SpliceError, Stack, Stray,
    Transport, Verdict,
};
pub use tcp::{Ecn, FastOpen, MtuProbing, SegmentCounts, TcpConfig, TcpInfo, TcpState};
pub use time::Instant;
