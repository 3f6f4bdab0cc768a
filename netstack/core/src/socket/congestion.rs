//! Which algorithm bounds what a connection has in flight.

use core::fmt;
use core::str::FromStr;
use thiserror::Error;

/// The algorithms that bound what a connection has in flight (`TCP_CONGESTION`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Congestion {
    /// NewReno (RFC 5681, RFC 6582).
    Reno,
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
    #[default]
    Cubic,
    /// A model of the path, with pacing: BBR, version 1.
    Bbr,
}

impl Congestion {
    /// All of them.
    pub const ALL: [Congestion; 3] = [Congestion::Reno, Congestion::Cubic, Congestion::Bbr];

    /// The name, as Linux spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Congestion::Reno => "reno",
            Congestion::Cubic => "cubic",
            Congestion::Bbr => "bbr",
        }
    }

    /// Whether it follows samples of the delivery rate, and neither losses nor marks. Then its window holds in fast
    /// recovery too, and packets do not say that they may be marked.
    pub(crate) const fn is_model_based(self) -> bool {
        matches!(self, Congestion::Bbr)
    }
}

impl fmt::Display for Congestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no algorithm of this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no congestion control named {0:?}: choose reno, cubic or bbr")]
pub struct UnknownCongestion(String);

impl FromStr for Congestion {
    type Err = UnknownCongestion;

    fn from_str(name: &str) -> Result<Self, UnknownCongestion> {
        Congestion::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnknownCongestion(name.to_owned()))
    }
}
