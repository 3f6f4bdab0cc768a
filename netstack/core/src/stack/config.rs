//! What a stack and its interfaces are made from.

use super::forward::Cut;
use super::strays::Shard;
use crate::ip::IfaceId;
use crate::ip::reassembly::ReassemblyLimits;
use crate::tcp::TcpConfig;
use std::net::IpAddr;
use std::task::Waker;
use thiserror::Error;
use txbuf::{Account, Ledger, Offloads, Pool, PoolConfig};

/// Bytes of a segment of the sending pool: a super-packet fits into two.
const SEND_SEGMENT: usize = 64 << 10;
/// Bytes of a segment of the pool for small data.
const SMALL_SEGMENT: usize = 4 << 10;

/// The pools of one stack, and the one limit on what they and the copies beside them hold.
#[derive(Clone, Debug)]
pub struct Pools {
    /// Send queues: segments of 64 KiB.
    pub send: Pool,
    /// Data too small to pin a large segment: segments of 4 KiB.
    pub small: Pool,
    /// What both are charged to. Under pressure (from seven eighths of its limit on, until half of it is free
    /// again) a connection may queue 64 KiB in each direction and no more; at the limit nothing is taken that
    /// needs storage.
    pub account: Account,
    /// The ledger on which they stand, for buffers that applications hand over. One that is
    /// [tracking](Ledger::tracking) lists who holds what: [`Stack::ledger`](crate::Stack::ledger).
    pub ledger: Ledger,
}

impl Pools {
    /// Pools charged to `ledger` that hold at most `limit` bytes together.
    pub fn new(ledger: &Ledger, limit: usize) -> Pools {
        let account = Account::new(limit);
        let pool = |name, segment, keep| {
            let config = PoolConfig {
                segment,
                limit,
                keep,
            };
            Pool::charged_to(&ledger.named(name), config, &account)
        };
        Pools {
            send: pool("send queues", SEND_SEGMENT, 256),
            small: pool("small data", SMALL_SEGMENT, 256),
            account,
            ledger: ledger.named("applications"),
        }
    }
}

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
