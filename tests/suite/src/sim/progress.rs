//! What a connection may not put off, whatever the network and the readers do.

use core::time::Duration;
use netstack_core::{Instant, TcpInfo, TcpState};

/// From here on the interval between probes of a shut window need not grow (RFC 9293, 3.8.6.1; RFC 6298, 2.5).
const LONG: Duration = Duration::from_secs(60);

/// What a connection has said: all numbers sent and how often any was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    numbers: u64,
    repeated: u64,
}

/// What has been heard, or its application has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard {
    state: TcpState,
    acked: u64,
    shut: bool,
}

impl Heard {
    /// What starts its timers anew: an acknowledgement, a window that shuts or opens.
    fn restarts(self) -> (u64, bool) {
        (self.acked, self.shut)
    }
}

/// Watches one end of a connection, at every step of the world: before anything is sent, and again when time has passed
/// and something has arrived.
#[derive(Debug, Default)]
pub(super) struct Progress {
    before: Option<(Said, Heard)>,
    /// When it was looked at last: what was sent since, was sent then.
    looked: Instant,
    /// Whether anything waited then to be sent or acknowledged.
    waited: bool,
    /// By when it says something.
    until: Instant,
    /// The retransmission timeout when it was looked at last.
    rto: Duration,
    /// When something was said to a window that was shut before and since, and how long before that the time before.
    probed: Option<(Instant, Duration)>,
}

impl Progress {
    /// Looks at it.
    ///
    /// # Panics
    ///
    /// When something is late.
    pub(super) fn check(&mut self, now: Instant, info: &TcpInfo) {
        let said = Said {
            numbers: info.bytes_acked + info.outstanding as u64,
            repeated: info.retransmits,
        };
        let heard = Heard {
            state: info.state,
            acked: info.bytes_acked,
            shut: info.send_window == 0,
        };
        // How long the pace holds back what the window would take is for congestion control to say.
        let paced = info.pacing_rate.is_some() && !heard.shut;
        let waits = info.outstanding > 0 || info.unsent > 0 && !paced;
        let before = self.before.map(|(_, before)| before);
        let spoke = self.before.is_some_and(|before| before.0 != said);
        let listened = before != Some(heard);
        let restarted = before.map(Heard::restarts) != Some(heard.restarts());
        if spoke {
            self.check_probe(&heard, listened, info);
        }
        if listened {
            self.probed = None;
        }
        if restarted {
            self.until = now + info.rto;
        } else if listened || spoke || !self.waited {
            // A timer that runs goes on. What has arrived since may have made it shorter for the next time, and a probe
            // longer at once.
            self.until = self.until.max(self.looked + info.rto.max(self.rto));
        }
        self.check_timeout(now, waits, info);
        self.check_room(listened, info);
        self.before = Some((said, heard));
        self.waited = waits;
        self.rto = info.rto;
        self.looked = now;
    }

    /// Who has something to send or to hear of is never silent for longer than the retransmission timeout: it repeats
    /// (RFC 6298, 5), or probes a window that does not let it (RFC 9293, 3.8.6.1).
    fn check_timeout(&self, now: Instant, waits: bool, info: &TcpInfo) {
        assert!(
            !waits || now <= self.until,
            "nothing was sent by {:?}, though something waits: {info:#?}",
            self.until
        );
    }

    /// Probes of a window that stays shut come ever more rarely (RFC 9293, 3.8.6.1).
    fn check_probe(&mut self, heard: &Heard, listened: bool, info: &TcpInfo) {
        if !heard.shut || listened {
            return;
        }
        let at = self.looked;
        let interval = match self.probed {
            None => Duration::ZERO,
            Some((last, before)) => {
                let interval = at.since(last);
                assert!(
                    interval >= LONG.min(before * 2),
                    "a probe of a shut window after {interval:?}, the one before after {before:?}: {info:#?}"
                );
                interval
            }
        };
        self.probed = Some((at, interval));
    }

    /// Who has read everything leaves no window standing that a segment does not fit into (RFC 9293, 3.8.6.2.2): the
    /// other would wait for its probe.
    fn check_room(&self, listened: bool, info: &TcpInfo) {
        if listened || info.unread > 0 || !info.state.may_receive() {
            return;
        }
        let scale = info.scales.map_or(0, |(_, ours)| ours);
        let room = info.receive_buffer.min(usize::from(u16::MAX) << scale);
        let full = info.receive_mss.min(room / 2);
        let told = info.receive_window;
        assert!(
            told >= full || told + full + (1 << scale) > room,
            "everything was read, and of {room} bytes of room {told} are told: {info:#?}"
        );
    }
}

#[cfg(test)]
mod tests;
