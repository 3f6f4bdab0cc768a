//! Where rules put what they find, and what decides whether it may be said.

use std::fmt::Arguments;
use std::net::{IpAddr, SocketAddr};

use crate::report::{Finding, Report};
use crate::rule::{Needs, Rule};

/// Whom a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accused {
    /// Who sent the packet that is being judged.
    Sender,
    Host(IpAddr),
    /// Nobody whose address a packet has, such as a router.
    Unknown,
}

/// What the place and kind of the capture allow to be said about the host under judgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The capture's own qualities, in the terms of what rules need.
    pub(crate) has: Needs,
    pub(crate) flow: Option<(SocketAddr, SocketAddr)>,
    pub(crate) accused: Accused,
}

impl Scope {
    /// The same about another.
    pub(crate) fn against(self, accused: Accused) -> Scope {
        Scope { accused, ..self }
    }

    /// One packet without a history.
    pub(crate) fn of_packet(timed: bool) -> Scope {
        Scope {
            has: Needs {
                time: timed,
                near: true,
                wire: true,
                whole: true,
            },
            flow: None,
            accused: Accused::Sender,
        }
    }

    fn allows(&self, needs: Needs) -> bool {
        (self.has.time || !needs.time)
            && (self.has.near || !needs.near)
            && (self.has.wire || !needs.wire)
            && (self.has.whole || !needs.whole)
    }
}

/// The report as rules see it.
pub(crate) struct Out {
    pub(crate) report: Report,
    /// Who sent the packet that is being judged.
    pub(crate) sender: Option<IpAddr>,
}

impl Out {
    /// Adds a finding, unless the capture cannot show that `rule` was broken.
    pub(crate) fn add(
        &mut self,
        rule: &'static Rule,
        scope: Scope,
        packets: &[u64],
        sentence: Arguments<'_>,
    ) {
        if !scope.allows(rule.needs) {
            *self.report.withheld.entry(rule.id).or_default() += 1;
            return;
        }
        self.report.add(Finding {
            rule,
            packets: packets.to_vec(),
            flow: scope.flow,
            accused: match scope.accused {
                Accused::Sender => self.sender,
                Accused::Host(host) => Some(host),
                Accused::Unknown => None,
            },
            sentence: sentence.to_string(),
        });
    }
}
