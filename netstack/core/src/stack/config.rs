//! What a stack and its interfaces are made from.

use super::forward::Cut;
use super::strays::Shard;
use crate::Pools;
use crate::ip::IfaceId;
use crate::ip::reassembly::ReassemblyLimits;
use crate::tcp::TcpConfig;
use std::net::IpAddr;
use std::task::Waker;
use thiserror::Error;
use txbuf::{Ledger, Offloads};

/// What a stack is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Everything random follows from it. In production it comes from the operating system.
    pub seed: [u8; 32],
    /// Where sockets store data.
    pub pools: Pools,
    /// What every TCP connection starts with.
    pub tcp: TcpConfig,
    /// Woken, on whatever thread, when [`poll_event`](crate::Stack::poll_event) has come to have something
    /// without a call to the stack: a message was completed by whoever dropped its last span.
    pub waker: Option<Waker>,
    /// Bytes of copies that the reader of one socket may keep as spans. Beyond, receiving as spans says
    /// [`NoMemory`](crate::RecvError::NoMemory) until some are dropped, and so it does whenever the stack is
    /// short of storage: what one reader keeps stops no other socket.
    pub reader_keeps: usize,
    /// Whether the stack is a router: it forwards packets that are for others, by the routes that it has (RFC 1812,
    /// RFC 8200). It is none by default (RFC 1122, 3.1).
    pub forward: bool,
    /// How a super-packet is cut that a router has to fragment: the edge of a device knows. Without it such a packet is
    /// dropped and counted.
    pub cut: Option<Cut>,
    /// Which one it is, if several stacks share the addresses.
    pub shard: Shard,
    pub(crate) reassembly: ReassemblyLimits,
}

impl Config {
    /// The defaults: a ledger of its own, at most 1 GiB in the pools, nobody to wake.
    pub fn new(seed: [u8; 32]) -> Config {
        Config {
            seed,
            pools: Pools::new(&Ledger::new(), 1 << 30),
            tcp: TcpConfig::default(),
            waker: None,
            reader_keeps: 16 << 20,
            forward: false,
            cut: None,
            shard: Shard::default(),
            reassembly: ReassemblyLimits::default(),
        }
    }
}

/// What an interface is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// A name for people.
    pub name: String,
    /// The largest packet on the wire, IP header included, in bytes.
    pub mtu: usize,
    /// What the device does itself.
    pub offloads: Offloads,
}

/// A stack cannot be configured so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The MTU is not one that IP can work with.
    #[error("an MTU of {0} is not possible: give one from 68 to 65535")]
    Mtu(usize),
    /// IPv6 needs larger packets.
    #[error(
        "IPv6 needs an MTU of at least 1280, the interface has {0}: raise it, or take no IPv6 address"
    )]
    MtuTooSmallForIpv6(usize),
    /// The address is none a host can have, or the stack has it already.
    #[error("{0} cannot be an address of this stack: it names no single host, or is there already")]
    Address(IpAddr),
    /// There is no such interface.
    #[error("there is no interface {}", .0.index())]
    Interface(IfaceId),
    /// The interface has a gateway already.
    #[error("interface {} has a gateway already: close that first", .0.index())]
    Gateway(IfaceId),
}
