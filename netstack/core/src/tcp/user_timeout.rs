//! How long sent data may stay unacknowledged (RFC 9293, 3.8.3), and what both ends tell each other about that
//! (RFC 5482).

use core::time::Duration;

/// The limits of a timeout that follows from what the peer says (RFC 5482, 3.1). The lower one is above the longest
/// retransmission timeout.
// req: RFC5482-04, RFC5482-07, RFC5482-08
const LEAST: Duration = Duration::from_secs(150);
const MOST: Duration = Duration::from_secs(3600);

/// The user timeout of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UserTimeout {
    /// What the application chose. No peer changes that.
    chosen: Option<Duration>,
    /// Whether options are sent and heeded (ENABLED), and what ours say (ADV_UTO).
    enabled: bool,
    advertised: Option<Told>,
    /// What the peer said last (REMOTE_UTO).
    remote: Option<Told>,
    /// The next segment with room for it says ours.
    due: bool,
}

/// A timeout as the option says it: a bit that means minutes, else seconds, and 15 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told(u16);

const MINUTES: u16 = 1 << 15;

impl Told {
    /// `time`, rounded up to what an option can say; `None` for no time at all, which is reserved, or too long a one.
    // req: RFC5482-10, RFC5482-11
    pub(crate) fn of(time: Duration) -> Option<Told> {
        let more = u64::from(time.subsec_nanos() > 0);
        let seconds = time.as_secs().saturating_add(more);
        let (value, unit) = match seconds < u64::from(MINUTES) {
            true => (seconds, 0),
            false => (seconds.div_ceil(60), MINUTES),
        };
        let value = u16::try_from(value).ok()?;
        (value > 0 && value < MINUTES).then_some(Told(value | unit))
    }

    /// The field of a received option; `None` for the reserved zero.
    // req: RFC5482-11
    pub(crate) fn from_field(field: u16) -> Option<Told> {
        (field != 0).then_some(Told(field))
    }

    pub(crate) fn field(self) -> u16 {
        self.0
    }

    fn time(self) -> Duration {
        let unit = if self.0 & MINUTES == 0 { 1 } else { 60 };
        Duration::from_secs(u64::from(self.0 & !MINUTES) * unit)
    }
}

impl UserTimeout {
    /// The application chooses, or leaves it to the stack and the peer.
    // req: RFC5482-05
    pub(crate) fn choose(&mut self, timeout: Option<Duration>) {
        self.chosen = timeout;
    }

    /// Tells the peer `told` from now on, and heeds what it says; `None` ends both.
    // req: RFC5482-03
    pub(crate) fn advertise(&mut self, told: Option<Told>) {
        self.enabled = told.is_some();
        self.advertised = told;
        self.due = told.is_some();
    }

    /// What a SYN says, whose option may get lost: the first segment behind it says it again.
    // req: RFC5482-01, RFC5482-02, RFC5482-09
    pub(crate) fn of_syn(&self) -> Option<Told> {
        self.advertised
    }

    /// What the next segment says; asked once.
    pub(crate) fn take_due(&mut self) -> Option<Told> {
        self.advertised.filter(|_| core::mem::take(&mut self.due))
    }

    /// Takes what the peer says: it counts as soon as options are heeded.
    pub(crate) fn hear(&mut self, told: Told) {
        self.remote = Some(told);
    }

    /// The timeout in force, if there is any.
    pub(crate) fn in_force(&self) -> Option<Duration> {
        self.chosen.or(self.agreed())
    }

    /// What follows from both ends' options, where the application did not choose.
    // req: RFC5482-06
    pub(crate) fn agreed(&self) -> Option<Duration> {
        if self.chosen.is_some() || !self.enabled {
            return None;
        }
        let told = [self.advertised, self.remote].into_iter().flatten();
        let longest = told.map(Told::time).max()?;
        Some(longest.clamp(LEAST, MOST))
    }
}

#[cfg(test)]
mod tests;
