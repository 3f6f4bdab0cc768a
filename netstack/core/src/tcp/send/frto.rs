//! Whether a timeout was spurious, for peers with and without selective acknowledgements (F-RTO, RFC 5682).
//!
//! After the timeout's one segment, new data leaves instead of old: if what is acknowledged next was never sent twice,
//! then the flight was late and not lost.

use crate::tcp::seq::Seq;

/// Where the algorithm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Off,
    /// Waiting for the acknowledgement of the segment that the timeout sent (step 2).
    Repeated,
    /// New data left; waiting for the next acknowledgement (step 3).
    Asked,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Frto {
    step: Step,
    /// SND.NXT when the timer went off, then when step 3 began.
    recover: Seq,
    /// Behind the segment that the timeout sends.
    repeated: Seq,
    /// New data that step 2 still lets out.
    credit: u32,
}

/// What one acknowledgement said, for F-RTO.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// SND.UNA after it.
    pub(crate) una: Seq,
    /// Whether that moved.
    pub(crate) advanced: bool,
    /// Whether it is a duplicate.
    pub(crate) duplicate: bool,
    /// Whether it acknowledged, in whichever way, data that was sent once and before the timeout.
    pub(crate) original: bool,
    /// Behind the highest number it acknowledged, in whichever way.
    pub(crate) highest: Seq,
    pub(crate) sack: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Nothing yet.
    Open,
    /// Up to two new segments are to leave, if they can; else [`Frto::stop`].
    Ask,
    /// The timeout was spurious.
    Spurious,
    /// Something was lost: the window is at most three segments.
    Lost,
}

impl Frto {
    /// The timer went off for the first time, outside recovery, while `nxt` was SND.NXT; it sends what is before
    /// `repeated`.
    // req: RFC5682-01
    pub(crate) fn start(&mut self, nxt: Seq, repeated: Seq) {
        self.step = Step::Repeated;
        self.recover = nxt;
        self.repeated = repeated;
    }

    /// The algorithm ends without a finding.
    pub(crate) fn stop(&mut self) {
        self.step = Step::Off;
    }

    /// Takes an acknowledgement; `nxt` is SND.NXT.
    // req: RFC5682-02, RFC5682-03, RFC5682-04, RFC5682-05, RFC5682-09
    #[inline]
    pub(crate) fn on_ack(&mut self, heard: &Heard, nxt: Seq) -> Judgement {
        match self.step {
            Step::Off => Judgement::Open,
            Step::Repeated
                if heard.advanced
                    && heard.una.before(self.recover)
                    && heard.una.at_or_after(self.repeated) =>
            {
                self.recover = nxt;
                self.step = Step::Asked;
                Judgement::Ask
            }
            Step::Repeated if heard.advanced || heard.duplicate && !heard.sack => {
                self.step = Step::Off;
                Judgement::Open
            }
            Step::Repeated => Judgement::Open,
            Step::Asked => self.on_second(heard),
        }
    }

    fn on_second(&mut self, heard: &Heard) -> Judgement {
        if !heard.advanced && !heard.duplicate {
            return Judgement::Open;
        }
        self.step = Step::Off;
        let beyond = heard.highest.after(self.recover);
        let proof = if heard.sack {
            heard.original && !beyond
        } else {
            heard.advanced
        };
        if proof {
            Judgement::Spurious
        } else {
            Judgement::Lost
        }
    }

    /// Step 2 lets `len` bytes of new data out.
    pub(crate) fn grant(&mut self, len: usize) {
        self.credit = u32::try_from(len).unwrap_or(u32::MAX);
    }

    /// The bytes of new data that may leave while the algorithm waits; nothing is sent again meanwhile.
    pub(crate) fn allowance(&self) -> Option<usize> {
        (self.step == Step::Asked).then_some(self.credit as usize)
    }

    /// `len` bytes of new data leave.
    #[inline]
    pub(crate) fn on_send(&mut self, len: usize) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        self.credit = self.credit.saturating_sub(len);
    }
}

#[cfg(test)]
mod tests;
