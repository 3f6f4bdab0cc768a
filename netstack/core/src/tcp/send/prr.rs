//! How much leaves in fast recovery: proportional rate reduction (RFC 9937, which replaces RFC 6937).

/// One congestion response. Sizes are in bytes; names are those of RFC 9937, 6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prr {
    recover_fs: usize,
    delivered: usize,
    out: usize,
    /// What may be in the network until the next acknowledgement.
    limit: usize,
}

impl Prr {
    /// The response to a congestion that was noticed while `recover_fs` bytes were in the network.
    // req: RFC6937-01, RFC9937-03, RFC9937-04
    pub(crate) fn new(recover_fs: usize) -> Self {
        Prr {
            recover_fs: recover_fs.max(1),
            ..Prr::default()
        }
    }

    /// An acknowledgement says that `delivered` bytes arrived and leaves `pipe` in the network, towards `ssthresh`;
    /// `safe` when it acknowledges new data and finds nothing else lost.
    // req: RFC6937-02, RFC6937-03, RFC9937-05, RFC9937-06
    pub(crate) fn on_ack(
        &mut self,
        delivered: usize,
        pipe: usize,
        ssthresh: usize,
        mss: usize,
        safe: bool,
    ) {
        self.delivered = self.delivered.saturating_add(delivered);
        let mut count = if pipe > ssthresh {
            let share = self.delivered as u128 * ssthresh as u128;
            let due = share.div_ceil(self.recover_fs as u128);
            usize::try_from(due)
                .unwrap_or(usize::MAX)
                .saturating_sub(self.out)
        } else {
            let banked = self.delivered.saturating_sub(self.out).max(delivered);
            let growth = if safe { mss } else { 0 };
            banked.saturating_add(growth).min(ssthresh - pipe)
        };
        if self.out == 0 {
            count = count.max(mss);
        }
        self.limit = pipe.saturating_add(count);
    }

    /// `len` bytes leave.
    pub(crate) fn on_send(&mut self, len: usize) {
        self.out = self.out.saturating_add(len);
    }

    /// What may be in the network now.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests;
