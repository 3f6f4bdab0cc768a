//! Answering marks of congestion as if a packet had been lost (RFC 3168, 6.1.2).

use crate::tcp::seq::Seq;

/// Timeouts after which a path that never let a packet that can be marked through is not offered another.
const PATIENCE: u8 = 2;

/// The answers of one connection.
#[derive(Debug, Default)]
pub(crate) struct EcnResponse {
    enabled: bool,
    /// Until more than this is acknowledged, further echoes are about the same window.
    until: Option<Seq>,
    /// The next new data says that the window was reduced.
    reduced: bool,
    /// The window is one segment and the path still congested: one segment for each retransmission timeout.
    held: bool,
    restart: bool,
    /// Whether data that could be marked was acknowledged, and timeouts before.
    proved: bool,
    timeouts: u8,
}

impl EcnResponse {
    /// Both ends understand marks.
    // req: SHLD-8
    pub(crate) fn enable(&mut self) {
        self.enabled = true;
    }

    /// Whether they do, and the path lets such packets through.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Everything before `una` is acknowledged with an echo, while `nxt` is SND.NXT. Returns whether the window is to
    /// be reduced: once for every window.
    // req: RFC3168-02, RFC3168-13
    pub(crate) fn on_echo(&mut self, una: Seq, nxt: Seq) -> bool {
        if !self.enabled || self.until.is_some_and(|until| una.at_or_before(until)) {
            return false;
        }
        self.until = Some(nxt);
        self.reduced = true;
        true
    }

    /// Everything before `una` is acknowledged: past the window that was answered there is nothing to remember.
    #[inline]
    pub(crate) fn carry(&mut self, una: Seq) {
        self.until.take_if(|until| una.after(*until));
    }

    /// The window cannot be reduced any more.
    // req: RFC3168-15, RFC9438-12
    pub(crate) fn hold(&mut self) {
        self.held = true;
        self.restart = true;
    }

    /// Whether nothing but what a timer asks for may leave.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether the retransmission timer is to begin anew; asked once.
    #[inline]
    pub(crate) fn take_restart(&mut self) -> bool {
        core::mem::take(&mut self.restart)
    }

    /// Data that could be marked arrived.
    #[inline]
    pub(crate) fn on_delivered(&mut self) {
        self.proved = true;
    }

    /// A timer let a segment out.
    pub(crate) fn on_timer(&mut self) {
        self.held = false;
    }

    /// The retransmission timer went off. A path that swallows what could be marked gets no more of it.
    pub(crate) fn on_timeout(&mut self) {
        self.held = false;
        let unproved = self.enabled && !self.proved;
        self.timeouts = self.timeouts.saturating_add(unproved.into());
        if self.timeouts >= PATIENCE {
            self.enabled = false;
        }
    }

    /// Whether the next new data is to say that the window was reduced.
    #[inline]
    pub(crate) fn is_reduced(&self) -> bool {
        self.reduced
    }

    /// The same; asked once.
    // req: RFC3168-09
    #[inline]
    pub(crate) fn take_reduced(&mut self) -> bool {
        core::mem::take(&mut self.reduced)
    }
}
