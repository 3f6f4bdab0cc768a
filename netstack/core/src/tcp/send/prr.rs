//! How much leaves in fast recovery: proportional rate reduction (RFC 9937, which replaces RFC 6937).

/// One congestion response. Sizes are in bytes, of which less than 2^31 can be outstanding; names are those of RFC 9937,
/// 6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prr {
    recover_fs: u32,
    delivered: u32,
    out: u32,
    /// What may be in the network until the next acknowledgement.
    limit: u32,
}

impl Prr {
    /// The response to a congestion that was noticed while `pipe` bytes were in the network, and room for `unused` more:
    /// where several acknowledgements come together, nothing leaves between them, and what the earlier ones made room
    /// for leaves now, as if it had been in the network.
    // req: RFC6937-01, RFC9937-03, RFC9937-04
    pub(crate) fn new(pipe: usize, unused: usize) -> Self {
        Prr {
            recover_fs: short(pipe.saturating_add(unused)).max(1),
            delivered: short(unused),
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
        self.delivered = self.delivered.saturating_add(short(delivered));
        let mut count = if pipe > ssthresh {
            let share = u128::from(self.delivered) * ssthresh as u128;
            let due = share.div_ceil(u128::from(self.recover_fs));
            usize::try_from(due)
                .unwrap_or(usize::MAX)
                .saturating_sub(self.out as usize)
        } else {
            let banked = self.delivered.saturating_sub(self.out) as usize;
            let banked = banked.max(delivered);
            let growth = if safe { mss } else { 0 };
            banked.saturating_add(growth).min(ssthresh - pipe)
        };
        if self.out == 0 {
            count = count.max(mss);
        }
        self.limit = short(pipe.saturating_add(count));
    }

    /// `len` bytes leave.
    pub(crate) fn on_send(&mut self, len: usize) {
        self.out = self.out.saturating_add(short(len));
    }

    /// What may be in the network now.
    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }
}

fn short(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
