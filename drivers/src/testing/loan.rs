//! An application that lends a packet's payload.

use txbuf::{Completions, Ledger, Order, Packet, Region};

/// The memory that was lent, and the message it was lent for.
pub(crate) struct Loan {
    /// Until it is withdrawn.
    region: Option<Region<Vec<u8>>>,
    completions: Completions,
}

impl Loan {
    /// Puts lent memory with the same bytes in place of the payload of `packet`, in two pieces.
    pub(crate) fn of(packet: &mut Packet, ledger: &Ledger) -> Loan {
        let bytes = packet.span().expect("a payload").to_vec().expect("bytes");
        let region = Region::new(ledger, bytes);
        let mut completions = Completions::new(Order::Stream, 1);
        let token = completions.token().expect("the first");
        let half = region.len() / 2;
        let ranges = [0..half, half..region.len()];
        packet.set_span(region.lend_all(&ranges, Some(&token)).expect("in range"));
        Loan {
            region: Some(region),
            completions,
        }
    }

    /// Whether the message is done, and then whether it was copied. Told once.
    pub(crate) fn completion(&mut self) -> Option<bool> {
        self.completions.poll().map(|done| done.copied)
    }

    /// Pieces that somebody still has.
    pub(crate) fn lent(&self) -> usize {
        self.region.as_ref().map_or(0, Region::lent)
    }

    /// Takes the memory back by force, and writes over it.
    pub(crate) fn withdraw(&mut self) {
        let region = self.region.take().expect("not withdrawn before");
        region.withdraw().expect("nobody reads it now").fill(0);
    }
}
