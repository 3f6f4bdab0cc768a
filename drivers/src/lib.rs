//! Network devices for a user-mode TCP/IP stack.
//!
//! Everything a stack sends and receives goes through one trait, [`Device`]: batches of [`txbuf::Packet`] in,
//! batches out, back-pressure instead of drops, and a descriptor to sleep on.
//!
//! | device | what it is |
//! |---|---|
//! | [`Tun`] | a Linux TUN interface, with or without offload |
//! | [`ethernet::TapDevice`] | a Linux TAP interface: resolves neighbours, and carries IP packets in Ethernet frames |
//! | [`memory`] | two ends of an in-memory link, bounded, with or without offload |
//! | [`Edge`] | wraps a device that lacks offloads: cuts super-packets and completes checksums; joins received TCP segments whose payload lies side by side |
//! | [`shielded::Shielded`] | wraps a device and moves payload in memory that the CPU may not read |
//! | [`tap::Tap`] | wraps a device and writes what passes into a pcapng capture |
//!
//! Layers compose from the wire upwards. A capture should show what is on the wire, so the tap sits below the
//! edge:
//!
//! ```no_run
//! use drivers::{Edge, Tun, Backend, TunConfig, tap::{Tap, TapConfig}};
//! use txbuf::{Ledger, Pool, PoolConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new(&Ledger::new(), PoolConfig { segment: 64 << 10, limit: 64 << 20, keep: 16 });
//! let tun = Tun::open(&TunConfig::new("tun0"), &pool)?;
//! let (tap, capture) = Tap::new(tun, std::fs::File::create("tun0.pcapng")?, TapConfig::new("tun0"))?;
//! let device = Edge::new(tap);
//! // ... hand `device` to the stack; when the device is gone:
//! drop(device);
//! println!("{} packets captured", capture.finish()?.written);
//! # Ok(())
//! # }
//! ```
//!
//! What a bad network does to packets on their way between two devices is a pipeline of its own: [`impair`].
//!
//! The kernel's side of a device (addresses, MTU, routes, namespaces) is set up by [`netlink`].
//!
//! # Whose memory payload lies in
//!
//! | kind | [`Tun`], [`ethernet::TapDevice`] | [`Edge`] | [`memory`] | [`tap::Tap`] | [`shielded::Shielded`] |
//! |---|---|---|---|---|---|
//! | Buffered, Owned | written from where it lies | cut, summed | handed on | kept; copied when many wait that pin much | handed on |
//! | User (lent) | written from where it lies | cut, summed | copied at once | copied at once | handed on |
//! | Device | dropped, counted | cut; its checksum is for a device that can | handed on | not kept; the capture says so | moved, summed |
//!
//! A copy reports the message that lent the bytes as copied, and holds it up no longer.
//!
//! # Unsafe code
//!
//! It lies in two files, each block with its reason: system calls (`sys`) and a mapping of memory
//! (`shielded/mapping`).

#![deny(unsafe_code)]

mod device;
mod edge;
pub mod ethernet;
mod headers;
pub mod impair;
pub mod memory;
pub mod netlink;
pub mod shielded;
mod sys;
pub mod tap;
#[cfg(test)]
mod testing;
mod tun;

pub use device::{Capabilities, Device, DeviceCounters};
pub use edge::{CutError, Edge, cut};
pub use tun::{Backend, LinkKind, Tun, TunConfig, TunError, VnetHeader};
