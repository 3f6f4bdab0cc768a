//! Tail loss probes (RFC 8985, 7): when the end of a flight is not acknowledged, one segment asks about it long before
//! the retransmission timer would.

use crate::tcp::seq::Seq;
use core::time::Duration;

/// How long a peer may hold back the acknowledgement of a single segment: longer than its timer usually is.
const MAX_ACK_DELAY: Duration = Duration::from_millis(200);
/// What the peer's scheduling may add to two round trips, which says more where they are short.
const SLACK: Duration = Duration::from_millis(2);
/// The interval before the first measurement.
const INITIAL: Duration = Duration::from_secs(1);

/// The probe of one connection.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// TLP.end_seq: behind the probe that is under way.
    end: Option<Seq>,
    /// Whether the probe was data sent before.
    resent: bool,
    /// A round trip was measured since the last probe.
    measured: bool,
    /// A probe is to leave.
    due: bool,
}

/// What an acknowledgement says of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing, or that nothing was lost.
    Nothing,
    /// The probe repaired the only loss there was, which nobody else will notice.
    Repaired,
}

impl Probe {
    /// PTO: how long after the last segment or acknowledgement a probe leaves, when `single` segment is in flight.
    // req: RFC8985-14
    pub(crate) fn interval(srtt: Option<Duration>, single: bool) -> Duration {
        match srtt {
            None => INITIAL,
            Some(srtt) if single => srtt * 2 + MAX_ACK_DELAY,
            Some(srtt) => srtt * 2 + SLACK,
        }
    }

    /// Whether a probe may leave: not two at a time, nor two without a measurement between.
    // req: RFC8985-16
    pub(crate) fn may_leave(&self) -> bool {
        self.end.is_none() && self.measured
    }

    /// The interval is over. Returns whether a probe leaves.
    pub(crate) fn on_timeout(&mut self) -> bool {
        self.due = self.may_leave();
        self.due
    }

    /// Whether a probe is to leave.
    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// The same, asked once.
    pub(crate) fn take_due(&mut self) -> bool {
        core::mem::take(&mut self.due)
    }

    /// The probe leaves; it ends before `end`.
    pub(crate) fn on_send(&mut self, end: Seq, resent: bool) {
        self.end = Some(end);
        self.resent = resent;
        self.measured = false;
    }

    /// A round trip was measured.
    #[inline]
    pub(crate) fn on_measured(&mut self) {
        self.measured = true;
    }

    /// Whether a report that the bytes up to `duplicate` arrived twice is about the probe.
    #[inline]
    pub(crate) fn is_about(&self, duplicate: Option<Seq>) -> bool {
        self.resent && duplicate.is_some() && self.end == duplicate
    }

    /// An acknowledgement of everything before `ack` arrived, perhaps with a report that the bytes up to `duplicate`
    /// arrived twice; `bare` when it acknowledges nothing new and reports nothing at all.
    // req: RFC8985-19
    #[inline]
    pub(crate) fn on_ack(&mut self, ack: Seq, duplicate: Option<Seq>, bare: bool) -> Outcome {
        let Some(end) = self.end.filter(|end| ack.at_or_after(*end)) else {
            return Outcome::Nothing;
        };
        let spurious = duplicate == Some(end) || bare && ack == end;
        if !self.resent || spurious {
            self.end = None;
        } else if ack.after(end) {
            self.end = None;
            return Outcome::Repaired;
        }
        Outcome::Nothing
    }

    /// Recovery of another kind begins.
    pub(crate) fn cancel(&mut self) {
        self.end = None;
        self.due = false;
    }
}

#[cfg(test)]
mod tests;
