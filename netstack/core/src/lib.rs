//! A sans-IO TCP/IP stack.
#![forbid(unsafe_code)]

mod counters;
mod ip;
mod random;
mod socket;
mod stack;
mod storage;
mod tcp;
mod time;
mod udp;

pub use counters::{Counters, IpCounters, TcpCounters, UdpCounters};
pub use ip::IfaceId;
pub use smoltcp::wire::IpCidr;
pub use socket::{
    AcceptError, BindError, ConnectError, ConnectionError, Event, How, ListenError, OptionError,
    Readiness, Received, RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketError,
    SocketId, SocketOption,
};
pub use stack::{Config, ConfigError, InterfaceConfig, Pools, Stack};
pub use tcp::{KeepAlive, TcpConfig, TcpInfo, TcpState};
pub use time::Instant;
