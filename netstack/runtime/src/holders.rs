//! Who holds the memory of a running stack.

use std::fmt;

use netstack_core::SocketHoldings;
use txbuf::{LedgerReport, LiveNode};

/// A reading of who holds a stack's memory; [`Netstack::memory`](crate::Netstack::memory) takes it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Memory {
    /// Pieces and bytes of storage, by kind.
    pub total: LedgerReport,
    /// What each socket keeps alive, those that keep nothing left out.
    pub sockets: Vec<SocketHoldings>,
    /// Every piece, oldest first: kind, size, age, in whose name it was made, and how often it is pinned. Only of a
    /// stack whose pools are on a ledger that lists them ([`Ledger::tracking_by`](txbuf::Ledger::tracking_by), given by
    /// [`Builder::configure`](crate::Builder::configure)); arenas of devices on the same ledger are among them.
    pub nodes: Vec<LiveNode>,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, usage) in self.total.iter().filter(|(_, usage)| usage.nodes > 0) {
            let (kind, nodes, bytes) = (kind.name(), usage.nodes, usage.bytes);
            writeln!(f, "{kind}: {nodes} of {bytes} bytes")?;
        }
        self.sockets
            .iter()
            .try_for_each(|socket| writeln!(f, "{socket}"))?;
        self.nodes.iter().try_for_each(|node| writeln!(f, "{node}"))
    }
}
