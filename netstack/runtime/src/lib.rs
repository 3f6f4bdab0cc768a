//! A user-mode TCP/IP stack with blocking and tokio sockets.
//!
//! A [`Netstack`] owns network devices (see [`drivers`]) and drives the protocols of [`netstack_core`] on a thread of its
//! own, which sleeps when there is nothing to do. A [`Bridge`] joins two devices, as a wire or as a router. Two front ends work on the same sockets: [`net`] is shaped like
//! [`std::net`], and [`tokio`] like `tokio::net`. Servers that need no thread of their own run inside the loop as a
//! [`Service`]; [`services`] has some.
//!
//! A [`Driver`] drives, in the same way, a stack that is part of something else.
//!
//! A stack may consist of several *shards*, of which each has a queue of every device and a thread of its own:
//! [`Interface::queue`]. Sockets are used as if there were one.
//!
//! ```
//! use std::io::{Read, Write};
//! use netstack::{Interface, Netstack, net::TcpStream, services::Echo};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two stacks on the ends of a link in memory; a TUN device serves as well.
//! let link = drivers::memory::MemoryConfig { wakeup: true, ..Default::default() };
//! let (one, other) = drivers::memory::pair(link)?;
//! let server = Netstack::builder()
//!     .interface(Interface::new("mem0", one).address("10.0.0.1/24".parse::<netstack::IpCidr>().unwrap()))
//!     .service(Echo::new(["10.0.0.1:7".parse()?]))
//!     .start()?;
//! let client = Netstack::builder()
//!     .interface(Interface::new("mem0", other).address("10.0.0.2/24".parse::<netstack::IpCidr>().unwrap()))
//!     .start()?;
//!
//! let mut stream = TcpStream::connect(&client, "10.0.0.1:7")?;
//! stream.write_all(b"hello")?;
//! let mut reply = [0; 5];
//! stream.read_exact(&mut reply)?;
//! assert_eq!(&reply, b"hello");
//! # drop((stream, server));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod alarm;
pub mod bridge;
mod builder;
mod clock;
mod copy;
mod destructors;
mod driven;
mod driver;
mod error;
mod event_loop;
mod holders;
mod hosted;
mod mailbox;
pub mod net;
mod netstack;
mod running;
mod service;
pub mod services;
mod shared;
mod sleep;
mod socket;
#[cfg(feature = "tokio")]
pub mod tokio;
mod waiters;

pub use drivers;
pub use netstack_core::{
    Admission, Config, ConfigError, Congestion, Counters, Ecn, Event, Flow, GatewayConfig, Hook,
    IfaceId, Injector, Instant, IpCidr, KeepAlive, Passage, Pools, Received, RecvFlags,
    SegmentCounts, SendControl, SendFlags, Shard, SocketHoldings, SocketId, SocketOption, Stack,
    TcpConfig, TcpInfo, Transport, Verdict,
};
pub use txbuf;

pub use crate::bridge::Bridge;
pub use crate::builder::{Builder, Interface, StartError};
pub use crate::driven::{Afterwards, Driven};
pub use crate::driver::Driver;
pub use crate::holders::Memory;
pub use crate::netstack::Netstack;
pub use crate::running::Shutdown;
pub use crate::service::{Service, ServiceContext};
pub use crate::shared::InterfaceStatus;

/// Connections that wait to be accepted, when nothing else is said.
pub const DEFAULT_BACKLOG: usize = 1024;
