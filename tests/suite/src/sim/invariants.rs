//! What must hold of a connection at every step, whatever the network does.

use netstack_core::{Congestion, TcpInfo};

/// Two segments of storage that are not full.
const SEGMENTS: usize = 128 << 10;
/// The largest step of a scaled window.
const ROUNDING: usize = 1 << 14;

/// Watches one connection.
#[derive(Debug, Default)]
pub struct Invariants {
    before: Option<TcpInfo>,
    /// The congestion window, or what was in the network where that was more, when recovery began or the window was
    /// reduced in it: that is at once, what is in the network grows less as it arrives. What was taken for lost by mistake
    /// was in the network, too.
    peak: usize,
    /// The most that was ever outstanding, and the longest segment.
    most: usize,
    longest: usize,
    /// The largest receive buffer that it ever had.
    room: usize,
    /// The window that a model of the path had last: what comes after it begins with that,
    /// in whole segments.
    modelled: usize,
}

impl Invariants {
    /// Looks at it, after anything happened to it.
    ///
    /// # Panics
    ///
    /// When something does not hold.
    pub fn check(&mut self, info: &TcpInfo) {
        self.most = self.most.max(info.outstanding);
        self.longest = self.longest.max(info.send_mss);
        self.room = self.room.max(info.receive_buffer);
        if info.congestion == Congestion::Bbr {
            self.modelled = info.congestion_window;
        }
        self.check_sums(info);
        self.check_window(info);
        self.check_memory(info);
        self.check_promise(info);
        self.note_peak(info);
        self.before = Some(info.clone());
    }

    /// The pipe: every outstanding number is in the network, with the peer, or lost.
    fn check_sums(&self, info: &TcpInfo) {
        let known = info.in_network + info.sacked + info.lost;
        assert!(
            known == info.outstanding || info.sacked + info.lost == 0,
            "{info:#?}"
        );
    }

    /// What waits: no more than it may.
    fn check_memory(&self, info: &TcpInfo) {
        // A SYN and a FIN have numbers too.
        assert!(
            info.outstanding + info.unsent <= info.send_buffer + 2,
            "{info:#?}"
        );
        assert!(
            info.send_storage <= 4 * info.send_buffer + SEGMENTS,
            "{info:#?}"
        );
        // What the SYN has promised stays promised, and an edge that was told is rounded up.
        let promised = self.room.max(usize::from(u16::MAX)) + ROUNDING;
        assert!(info.unread + info.out_of_order <= promised, "{info:#?}");
    }

    /// The right edge: it moves only to where the buffer ends behind what was read, and a little further where it is
    /// rounded.
    fn check_promise(&self, info: &TcpInfo) {
        let Some(before) = &self.before else { return };
        let edge = |info: &TcpInfo| info.bytes_received + info.receive_window as u64;
        let synchronized = before.state.is_synchronized() && info.state.is_synchronized();
        if !synchronized || edge(info) <= edge(before) {
            return;
        }
        let read = info.bytes_received - info.unread as u64;
        let step = 1 << info.scales.map_or(0, |(_, ours)| ours);
        let room = info.receive_buffer.max(before.receive_buffer);
        let room = room + room / 8 + step;
        assert!(
            edge(info) <= read + room as u64,
            "of {} bytes all up to {read} are read: {info:#?}",
            edge(info)
        );
    }

    fn note_peak(&mut self, info: &TcpInfo) {
        let Some(before) = &self.before else { return };
        if !info.in_recovery {
            self.peak = info.congestion_window.max(info.in_network);
        } else if self.took_back(info) {
            self.peak = self.peak.max(before.outstanding);
        } else if info.congestion_window < before.congestion_window {
            self.peak = self.peak.max(before.in_network);
        }
    }

    /// Whether what was taken for lost and was not is in the network after all: it has not left anew.
    fn took_back(&self, info: &TcpInfo) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|before| info.undone > before.undone || info.reneged > before.reneged)
    }

    /// The congestion window: never below a segment, and never exceeded by what leaves, but for the segments that are
    /// to leave whatever it says (the first repetition, limited transmit, a probe).
    fn check_window(&self, info: &TcpInfo) {
        assert!(info.congestion_window >= info.send_mss, "{info:#?}");
        // A window grows by what is acknowledged, while half of it is (RFC 7661): it is never far beyond what was used. A
        // model may think more of its path.
        let modelled = self.modelled + self.longest;
        let bound = modelled.max(5 * self.most + 20 * self.longest);
        assert!(info.congestion_window <= bound, "{bound}: {info:#?}");
        let Some(before) = &self.before else { return };
        let exempt = 3 * info.send_mss + 2;
        let window = info.congestion_window.max(before.congestion_window);
        let most = window.max(self.peak) + exempt;
        // Without selective acknowledgements nobody knows what has left the network: duplicates inflate the window, and
        // what they let out is there when recovery has just ended.
        let blind = (info.in_recovery || before.in_recovery) && !info.sack;
        let grew = info.in_network > before.in_network && !blind && !self.took_back(info);
        assert!(
            !grew || info.in_network <= most || before.send_mss != info.send_mss,
            "in the network {}, then {}: {info:#?}",
            before.in_network,
            info.in_network
        );
        assert!(info.retransmits >= before.retransmits, "{info:#?}");
    }
}

#[cfg(test)]
mod tests;
