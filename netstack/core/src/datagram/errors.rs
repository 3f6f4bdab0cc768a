//! Errors that the network reported for datagrams: the latest, and, for who asks for it, a bounded queue of them.

use std::collections::VecDeque;
use std::net::SocketAddr;

use txbuf::{IovIter, Span};

use super::socket::DatagramSocket;
use crate::ip::icmp::IcmpError;
use crate::socket::{ConnectionError, ErrorReport, ReceivedError, RecvError};
use crate::storage::Taking;

/// The most reports that wait to be read.
const LIMIT: usize = 64;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// The socket is not concerned.
    Ignored,
    /// The next call is told.
    Told,
    /// It is queued, too.
    Queued,
    /// The next call is told, but the queue was full.
    Dropped,
}

/// Reports that wait to be read, each with the start of its datagram's payload.
#[derive(Default)]
pub(super) struct ErrorQueue {
    pub(super) wanted: bool,
    reports: VecDeque<(ErrorReport, Option<Span>)>,
}

impl ErrorQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }
}

impl DatagramSocket {
    /// Whether a report about a datagram to `to` concerns the socket.
    ///
    /// Without a queue of errors only a connected socket is told, only about its peer, and only of errors that trying
    /// again cannot mend (RFC 1122 section 4.1.3.3, RFC 8085 section 5.2).
    pub(crate) fn hears_of(&self, to: SocketAddr, error: &IcmpError) -> bool {
        self.errors.wanted || self.is_peer(to) && (error.is_hard() || self.is_too_long(error))
    }

    /// Takes in an ICMP error. `start` is what it quotes of the payload.
    pub(crate) fn report(
        &mut self,
        error: &IcmpError,
        report: ErrorReport,
        start: Option<Span>,
    ) -> Reported {
        if !self.hears_of(report.to, error) {
            return Reported::Ignored;
        }
        self.error = Some(match self.is_too_long(error) {
            true => ConnectionError::TooLong,
            false => meaning(error),
        });
        if !self.errors.wanted {
            return Reported::Told;
        }
        self.queue_error(report, start)
    }

    /// Whether an error says that a datagram was too long which must not be cut.
    fn is_too_long(&self, error: &IcmpError) -> bool {
        self.settings.dont_fragment && matches!(error, IcmpError::TooBig { .. })
    }

    /// Queues what this host itself has to say about a datagram that could not be sent.
    pub(crate) fn queue_error(&mut self, report: ErrorReport, start: Option<Span>) -> Reported {
        if self.errors.reports.len() >= LIMIT {
            return Reported::Dropped;
        }
        self.errors.reports.push_back((report, start));
        Reported::Queued
    }

    /// Whether errors are queued.
    pub(crate) fn queues_errors(&self) -> bool {
        self.errors.wanted
    }

    /// Says whether errors are queued (`IP_RECVERR`). What was queued goes when that ends.
    pub(crate) fn queue_errors(&mut self, wanted: bool) {
        self.errors.wanted = wanted;
        if !wanted {
            self.errors.reports.clear();
        }
    }

    /// Reads the oldest report; the start of the datagram goes into `sink`.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is queued; those of copying, and then it stays queued.
    pub(crate) fn recv_error(
        &mut self,
        sink: &mut IovIter<'_>,
        taking: &mut Taking<'_>,
    ) -> Result<ReceivedError, RecvError> {
        let front = self.errors.reports.front().ok_or(RecvError::WouldBlock)?;
        let (report, start) = front;
        let len = start.as_ref().map_or(0, Span::len);
        let bytes = match start {
            Some(start) => {
                let mut start = start.clone();
                let _ = start.truncate(len.min(sink.remaining()));
                taking.put(start, sink)?
            }
            None => 0,
        };
        let mut report = *report;
        report.to = self.shown(report.to);
        self.errors.reports.pop_front();
        if self.errors.is_empty() {
            self.error = None;
        }
        Ok(ReceivedError {
            report,
            bytes,
            len,
            truncated: bytes < len,
        })
    }
}

/// What an ICMP error means to who sent the datagram.
fn meaning(error: &IcmpError) -> ConnectionError {
    match error.is_hard() {
        true => ConnectionError::Refused,
        false => ConnectionError::Unreachable,
    }
}
