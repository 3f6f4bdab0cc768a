//! What must hold of a connection at every step, whatever the network does.

use super::host::Host;
use netstack_core::{SocketId, TcpInfo};

/// Watches one connection.
#[derive(Debug, Default)]
pub struct Invariants {
    before: Option<TcpInfo>,
    /// The congestion window, or what was in the network where that was more, when recovery began: the window is reduced
    /// at once, what is in the network as it arrives.
    peak: usize,
}

impl Invariants {
    /// Looks at `socket` of `host`, after anything happened to it. A socket that is gone is not looked at.
    ///
    /// # Panics
    ///
    /// When something does not hold.
    pub fn check(&mut self, host: &Host, socket: SocketId) {
        let Ok(info) = host.stack.tcp_info(socket) else {
            return;
        };
        self.check_sums(&info);
        self.check_window(&info);
        if !info.in_recovery {
            self.peak = info.congestion_window.max(info.in_network);
        }
        self.before = Some(info);
    }

    /// The pipe: every outstanding number is in the network, with the peer, or lost.
    fn check_sums(&self, info: &TcpInfo) {
        let known = info.in_network + info.sacked + info.lost;
        assert!(
            known == info.outstanding || info.sacked + info.lost == 0,
            "{info:#?}"
        );
    }

    /// The congestion window: never below a segment, and never exceeded by what leaves, but for the segments that are
    /// to leave whatever it says (the first repetition, limited transmit, a probe).
    fn check_window(&self, info: &TcpInfo) {
        assert!(info.congestion_window >= info.send_mss, "{info:#?}");
        let Some(before) = &self.before else { return };
        let exempt = 3 * info.send_mss + 2;
        let window = info.congestion_window.max(before.congestion_window);
        let most = window.max(self.peak) + exempt;
        // Without selective acknowledgements nobody knows what has left the network: duplicates inflate the window, and
        // what they let out is there when recovery has just ended.
        let blind = (info.in_recovery || before.in_recovery) && !info.sack;
        let grew = info.in_network > before.in_network && !blind;
        assert!(
            !grew || info.in_network <= most || before.send_mss != info.send_mss,
            "in the network {}, then {}: {info:#?}",
            before.in_network,
            info.in_network
        );
        assert!(info.retransmits >= before.retransmits, "{info:#?}");
    }
}
