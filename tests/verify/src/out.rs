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
    /// The first packet of the connection, where it is about one.
    pub(crate) track: Option<u64>,
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
            track: None,
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
    /// The packet is one that the capture has seen before: of its sender it tells nothing new.
    pub(crate) is_copy: bool,
    /// What was said of the connection that is being judged.
    pub(crate) claims: Claims,
}

/// How often each rule was found to be broken in one connection, of those that take the capture to be whole or of the
/// wire: what comes later may show that it is not.
#[derive(Default)]
pub(crate) struct Claims(Vec<(&'static Rule, u64)>);

impl Claims {
    fn add(&mut self, rule: &'static Rule) {
        if !rule.needs.whole && !rule.needs.wire {
            return;
        }
        match self.0.iter_mut().find(|claim| claim.0 == rule) {
            Some(claim) => claim.1 += 1,
            None => self.0.push((rule, 1)),
        }
    }
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
        let accused = match scope.accused {
            Accused::Sender => self.sender,
            Accused::Host(host) => Some(host),
            Accused::Unknown => None,
        };
        let is_repeated = self.is_copy && accused == self.sender;
        if is_repeated || !scope.allows(rule.needs) {
            *self.report.withheld.entry(rule.id).or_default() += 1;
            return;
        }
        if scope.track.is_some() {
            self.claims.add(rule);
        }
        self.report.add(Finding {
            rule,
            packets: packets.to_vec(),
            flow: scope.flow,
            track: scope.track,
            accused,
            sentence: sentence.to_string(),
        });
    }

    /// Takes back what was said of the connection that began with packet `track`, as far as it takes what the capture
    /// turned out not to be.
    pub(crate) fn withdraw(&mut self, track: u64, has: Needs) {
        let is_unsure =
            |rule: &Rule| rule.needs.whole && !has.whole || rule.needs.wire && !has.wire;
        let claims = std::mem::take(&mut self.claims);
        let claims: Vec<_> = claims
            .0
            .into_iter()
            .filter(|claim| is_unsure(claim.0))
            .collect();
        if !claims.is_empty() {
            self.report.withdraw(track, &claims);
        }
    }
}
