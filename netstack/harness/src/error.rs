//! What can go wrong, each in a sentence that says what to do.

use std::io;

use drivers::TunError;
use drivers::netlink::NetlinkError;

/// Why nothing, or one cell, could be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A case that is not in the table.
    #[error("there is no case {name}; choose from {known}")]
    UnknownCase {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A subject that is not in the table.
    #[error("there is no subject {name}; choose from {known}")]
    UnknownSubject {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Subjects and cases were chosen that do not meet.
    #[error("none of these subjects serves any of these cases; choose others")]
    NothingToDo,
    /// None of the subjects that were chosen is here.
    #[error("none of these subjects is here; {subject}: {why}")]
    NobodyHere {
        /// The first of them.
        subject: &'static str,
        /// Why, and how to have it.
        why: String,
    },
    /// A length of measurements that cannot be.
    #[error("a measurement takes from 0.01 to 60 seconds, and there are from 1 to 1000 rounds")]
    BadLength,
    /// Pinning to two cores where there is one.
    #[error("`--pin two` needs two cores and this process may use one; leave it out")]
    OneCore,
    /// Network namespaces and links.
    #[error(transparent)]
    Network(#[from] NetlinkError),
    /// TUN devices.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// Something the kernel refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was to be done.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A process of the measurement ended too early.
    #[error("{who} ended before its time{}", said_so(.said))]
    Ended {
        /// Which.
        who: String,
        /// The last line it said.
        said: String,
    },
    /// A process of the measurement did not answer.
    #[error("{who} did not answer within {seconds} s{}", said_so(.said))]
    Silent {
        /// Which.
        who: String,
        /// How long was waited.
        seconds: u64,
        /// The last line it said.
        said: String,
    },
    /// The client printed something else than a sample.
    #[error("the client did not report a sample: {0}; build the program anew")]
    NoSample(serde_json::Error),
    /// The argument of a part is not one.
    #[error("this is no part of a measurement: {0}; run `netstack bench`")]
    NoPart(serde_json::Error),
    /// The page could not be drawn.
    #[error("cannot draw the page: {0}")]
    Drawing(String),
    /// A signal.
    #[error("interrupted; run it again for a result")]
    Interrupted,
}

impl BenchError {
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> BenchError {
        BenchError::Io {
            what: what.into(),
            source: source.into(),
        }
    }
}

fn said_so(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}
