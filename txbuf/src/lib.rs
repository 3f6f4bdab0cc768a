//! Chainable, refcounted storage for packets and byte streams.
//!
//! In the usual design a packet keeps a reference on every page behind it, and
//! pays for each whenever its shape changes. Here lifetime is not the packet's
//! business: storage has its own refcounted object, packets pin the one they start
//! in, and each of those pins its successor. A clone is one increment and a split at
//! most one, however many pieces of memory lie behind.
//!
//! # The pieces
//!
//! **Node.** Refcounted storage of one [`Kind`]: a *Buffered* node is a segment of a
//! [`Pool`], a *User* one is a piece of an application's [`Region`] lent for one
//! message, an *Owned* one is somebody's buffer together with its destructor
//! ([`StableBytes`]), a *Device* one is a place in memory the CPU may not read
//! ([`DeviceMemory`]), a *Gather* is an ordered list of spans of other nodes. Nodes
//! are not visible; a [`Ledger`] counts them, and lists them if asked to.
//!
//! **[`Chain`].** The one producer of Buffered nodes. A stream chain is a send
//! queue: it knows its bytes by position, links its nodes in runs of at most
//! [`RUN_NODES`] and [`RUN_BYTES`], and frees them as positions are released. An
//! arena chain takes what a device receives; it keeps only the node it is filling.
//!
//! **[`Reservation`].** The one way to write. It covers bytes that no span reaches
//! yet; committing it publishes them, dropping it abandons them. Another thread
//! fills a [`DetachedReservation`], whose segment the chain's owner then adopts.
//!
//! **[`Span`].** A pin, a position and a length: 16 bytes, `Send + Sync`, immutable.
//!
//! **[`Packet`].** An exclusive header area, at most one span, and [`Meta`]. Headers
//! are pushed into and pulled into the area, where they may be written.
//!
//! **[`IovIter`].** A cursor over I/O vectors or spans, for either direction.
//!
//! **[`Token`].** A share in one message. Whatever was lent or handed over for the
//! message holds one, and so does its place in the queue
//! ([`Chain::end_message`]); when the last is dropped, [`Completions`] reports the
//! message, once.
//!
//! **[`Account`].** A limit on storage; a [`Charge`] is bytes of it, and a [`Watch`] hears
//! of pressure, and of room for who waits.
//!
//! **[`Held`].** What a queue keeps, counted as it is and not as it shows.
//!
//! **[`Deferral`].** While it lives, destructors of others' buffers wait on this thread.
//!
//! # Who owns what
//!
//! * A function that takes a `Span` or a `Packet` by value owns it; one that
//!   returns it gives it to the caller. Whoever holds a span keeps its storage, on
//!   whatever thread, and drops it whenever it likes: the last drop frees the
//!   storage, or returns it to its pool, in a loop and not by recursion, also where
//!   owners keep spans of other owners. It runs the destructor of a buffer that was
//!   handed over, on the thread that dropped; who holds a lock then puts that off by a
//!   [`Deferral`]. One that panics leaves every count right; the panic reaches whoever
//!   dropped the span.
//! * Published bytes never change. No method of [`Packet`] or [`Span`] gives
//!   mutable access to a payload; a node is written again only when its chain holds
//!   the last pin.
//! * Links exist only inside a run of one stream chain, so a forgotten span keeps
//!   at most one run, one gather's leaves or one owned buffer alive.
//!   [`Span::footprint`] says how much; who may hold spans for an unbounded time
//!   copies those that keep far more than they show.
//! * Storage is charged to who provides it until the last pin goes: segments to
//!   their pool, whose [`Pool::in_use`] never passes its limit, and through
//!   [`Pool::charged_to`] to an [`Account`] that several pools share; an owned buffer
//!   to the account whose [`Charge`] lies beside it. At a limit there is
//!   [`NoMemory`] and nothing else happens. Copies are made in segments of the pool that
//!   is named, never beside it. A queue's owner counts what it holds in plain numbers of
//!   its own ([`Held`] tells what that takes), and [`collapse`]s it when it keeps too much.
//! * Lent memory stays with its lender: whoever lets a span out of the sender's
//!   reach turns it into a copy first ([`Span::orphan`]), and the lender can take the
//!   memory back by force ([`Region::withdraw`]). No `&[u8]` is ever made over it.
//!
//! # Example
//!
//! ```
//! use txbuf::{Chain, Ledger, Packet, Pool, PoolConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ledger = Ledger::new();
//! let pool = Pool::new(&ledger, PoolConfig { segment: 4096, limit: 1 << 20, keep: 16 });
//!
//! // The application's bytes become part of a send queue.
//! let mut queue = Chain::stream(&pool);
//! queue.append(b"hello, world")?;
//!
//! // A packet with the first five bytes: one pin, and headers of its own.
//! let mut packet = Packet::with_payload(queue.span(0, 5));
//! packet.push(2)?.copy_from_slice(b"> ");
//! let copy = packet.clone();
//! assert_eq!(packet.to_vec()?, b"> hello");
//!
//! // Acknowledged: the queue lets go, the packets still hold the storage.
//! queue.release(12);
//! drop(queue);
//! assert_eq!(ledger.live_nodes(), 1);
//! drop((packet, copy));
//! assert_eq!(ledger.live_nodes(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What operations cost
//!
//! Atomic read-modify-writes (those of pools and ledgers included), allocations and
//! copied bytes of each operation in the steady state. Spans of 1 and 16 extents lie
//! on one run of nodes, those of 64 on a gather of four runs. A test counts them.
//!
#![doc = include_str!("prices.md")]
//!
//! # Unsafe code
//!
//! All of it lies in the few modules that `lib.rs` lets use it, each block with
//! its reason: the count, the links and what is dropped later (`node`), the five kinds of storage
//! (`segment`, `user`, `owned`, `device`, `gather`), the two views (`extent` to read,
//! `reservation` to write), tokens that become queue entries (`completion::token`),
//! the list of live nodes (`ledger::live`), one change of lifetime (`iov::vectors`),
//! one move out of a field on drop (`area`), and one call of code for a processor
//! that was asked for it (`checksum::avx2`).

#![deny(unsafe_code)]

mod account;
#[allow(unsafe_code)]
mod area;
mod chain;
pub mod checksum;
mod collapse;
mod completion;
#[allow(unsafe_code)]
mod device;
mod error;
#[allow(unsafe_code)]
mod extent;
#[allow(unsafe_code)]
mod gather;
mod iov;
mod ledger;
mod meta;
#[allow(unsafe_code)]
mod node;
#[allow(unsafe_code)]
mod owned;
mod packet;
mod pool;
#[cfg(all(test, not(loom)))]
mod prices;
#[allow(unsafe_code)]
mod reservation;
#[allow(unsafe_code)]
mod segment;
mod span;
mod sync;
#[cfg(all(test, not(loom)))]
mod test_support;
#[allow(unsafe_code)]
mod user;

pub use account::{Account, Charge, Watch};
pub use area::HEADER_AREA;
pub use chain::{Chain, ChainReport, EntryReport, RUN_BYTES, RUN_NODES};
pub use collapse::{Held, collapse, pack, push_merged};
pub use completion::{Completion, Completions, Order, Token, TooManyMessages};
pub use device::{DeviceExtent, DeviceMemory};
pub use error::{
    ChecksumError, CopyError, NoMemory, NoRoom, OutOfRange, PullError, TooLong, TooManyParts,
    Unreadable,
};
pub use extent::{Extent, Extents, RawExtent};
pub use gather::GATHER_MAX;
pub use iov::{IovIter, Part};
pub use ledger::{Kind, Ledger, LedgerReport, LiveNode, Usage};
pub use meta::{Checksum, Gso, GsoKind, Meta, Offloads};
pub use node::Deferral;
pub use owned::StableBytes;
pub use packet::{HEADROOM, INLINE_MAX, Packet};
pub use pool::{Pool, PoolConfig};
pub use reservation::{DetachedReservation, Reservation};
pub use span::{OVERPIN, Segments, Span};
pub use user::{Busy, LendError, Region};
