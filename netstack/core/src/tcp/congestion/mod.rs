//! Congestion control: how much may be in flight. A file per algorithm, behind one trait.
//!
//! Loss recovery decides *what* is sent again and tells the algorithm *that* something was lost; an
//! algorithm never sees a sequence number.

mod bbr;
mod cubic;
mod hystart;
mod reno;
mod window;

use crate::Instant;
use crate::socket::Congestion;
use bbr::Bbr;
use core::time::Duration;
use cubic::Cubic;
use reno::Reno;

/// An acknowledgement of new data outside fast recovery. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked {
    pub(crate) now: Instant,
    pub(crate) bytes: usize,
    /// Whether the congestion window was what held the sender back, or was at least half used for a round trip
    /// (RFC 7661): otherwise it must not grow.
    pub(crate) validated: bool,
    /// Whether a new round trip begins.
    pub(crate) new_round: bool,
    /// A round-trip time measured by this acknowledgement.
    pub(crate) rtt: Option<Duration>,
    /// The smoothed round-trip time.
    pub(crate) srtt: Duration,
}

/// What one acknowledgement says of the path, for algorithms that follow a model of it. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) now: Instant,
    /// Everything delivered so far, and what had been when the newest of what is acknowledged left.
    pub(crate) delivered: u64,
    pub(crate) prior: u64,
    /// The delivery rate in bytes a second, where it could be measured.
    pub(crate) rate: Option<u64>,
    /// Whether the application, and not the path, set that rate.
    pub(crate) app_limited: bool,
    pub(crate) rtt: Option<Duration>,
    pub(crate) srtt: Duration,
    /// Acknowledged in any way, and found lost, by this acknowledgement.
    pub(crate) acked: usize,
    pub(crate) lost: usize,
    /// In the network before, and now.
    pub(crate) in_flight_before: usize,
    pub(crate) in_flight: usize,
    /// The most in one packet.
    pub(crate) packet: usize,
    /// Whether something lost is not yet made up for.
    pub(crate) in_recovery: bool,
}

/// How the network said that it is congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Something was lost.
    Loss,
    /// The peer echoes a mark (RFC 3168).
    Mark,
}

/// What was under way when congestion showed, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// What was in the network: sent, and not known to have arrived or to be lost. That is FlightSize (RFC 5681, 2) or
    /// less.
    pub(crate) pipe: usize,
    /// Whether the congestion window was full in this round trip or the one before. `pipe` may be less all the same: one
    /// acknowledgement often says that much arrived and that something is lost.
    pub(crate) full: bool,
}

#[cfg(test)]
impl Flight {
    /// Of a sender that fills its window.
    pub(crate) fn full(pipe: usize) -> Self {
        Flight { pipe, full: true }
    }
}

/// An algorithm that bounds the data in flight. All sizes are in bytes.
pub(crate) trait CongestionControl: Send {
    /// Which one it is.
    fn algorithm(&self) -> Congestion;
    /// The congestion window.
    fn window(&self) -> usize;
    /// The slow start threshold.
    fn threshold(&self) -> usize;
    /// The rate at which packets should leave, in bytes a second, if the algorithm says.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
    /// New data was acknowledged outside fast recovery.
    fn on_ack(&mut self, acked: &Acked);
    /// Something was delivered: asked of algorithms that are model-based, after everything else that the
    /// acknowledgement meant.
    fn on_sample(&mut self, _: &Sample) {}
    /// The network is congested, with `flight` outstanding.
    fn on_congestion(&mut self, now: Instant, flight: Flight, sign: Sign);
    /// Fast recovery ended; at most `limit` bytes may be in flight now, so that no burst leaves.
    fn on_recovered(&mut self, limit: usize);
    /// The retransmission timer went off, with `flight` outstanding; `again` when it did so before
    /// for the same data.
    fn on_timeout(&mut self, flight: Flight, again: bool);
    /// Remembers what the windows are, before a response that may turn out to be wrong.
    fn checkpoint(&mut self);
    /// The response since [`checkpoint`](Self::checkpoint) was wrong: nothing was lost.
    fn undo(&mut self);
    /// F-RTO found that the timeout was right: `window` is where slow start would be by now.
    fn resume_at(&mut self, window: usize);
    /// Nothing was sent for longer than a retransmission timeout (RFC 5681, 4.1).
    fn on_idle(&mut self);
    /// A SYN had to be sent again (RFC 5681, 3.1): the first window is one segment.
    fn on_handshake_loss(&mut self);
    /// The sender's maximum segment size changed.
    fn set_mss(&mut self, mss: usize);
}

/// The algorithm for a connection whose segments have `mss` bytes.
// req: MAY-18
pub(crate) fn control(algorithm: Congestion, mss: usize) -> Box<dyn CongestionControl> {
    match algorithm {
        Congestion::Reno => Box::new(Reno::new(mss)),
        Congestion::Cubic => Box::new(Cubic::new(mss)),
        Congestion::Bbr => Box::new(Bbr::new(mss)),
    }
}

/// The algorithm in place of `old`, which has come so far; in fast recovery, if it is `recovering`.
pub(crate) fn replace(
    old: &dyn CongestionControl,
    algorithm: Congestion,
    mss: usize,
    recovering: bool,
) -> Box<dyn CongestionControl> {
    let window = old.window();
    let threshold = match old.threshold() {
        // A model has none, but recovery by other rules leads to one (RFC 5681, 3.1: of two segments at least).
        usize::MAX if recovering => window.max(2 * mss),
        threshold => threshold,
    };
    match algorithm {
        Congestion::Reno => Box::new(Reno::resume(mss, window, threshold)),
        Congestion::Cubic => Box::new(Cubic::resume(mss, window, threshold)),
        Congestion::Bbr => Box::new(Bbr::resume(mss, window)),
    }
}
