//! Multicast groups: who is in which, and what routers are told of it (RFC 3376, RFC 3810).
//!
//! Sources are not told apart: every membership is in EXCLUDE mode with an empty list.

use super::Stack;
use crate::Instant;
use crate::ip::membership::{self, MOST_RECORDS, Query, Say, Version};
use crate::ip::pseudo::{self, Trust};
use crate::ip::{IfaceId, IpHeader};
use crate::random::Random;
use crate::socket::{GroupError, SocketId, canonical};
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use txbuf::Packet;

/// Groups that one socket may be in.
const MOST_OF_SOCKET: usize = 64;
/// Groups that a stack may be in, interface by interface.
const MOST: usize = 4096;
/// How often a change is told (RFC 3376, 8.1).
const ROBUSTNESS: u8 = 2;
/// Within what time a change is told again (RFC 3376, 8.11).
const UNSOLICITED: Duration = Duration::from_secs(1);
/// How long a router of an older version is taken to be there (RFC 3376, 8.12).
const OLDER_PRESENT: Duration = Duration::from_secs(260);

type Place = (IfaceId, IpAddr);

/// A group on one link.
#[derive(Debug, Default)]
struct Group {
    members: Vec<SocketId>,
    /// How often the latest change is still to be told, and when next.
    changes: u8,
    tell_at: Option<Instant>,
    /// When a query is to be answered.
    answer_at: Option<Instant>,
}

impl Group {
    fn next(&self) -> Option<Instant> {
        [self.tell_at, self.answer_at].into_iter().flatten().min()
    }
}

/// What a link's routers have said.
#[derive(Debug, Default)]
struct Link {
    /// The oldest version that was heard, and until when that counts.
    older: Option<(Version, Instant)>,
    /// When a query for all groups is to be answered.
    answer_at: Option<Instant>,
}

/// All groups of a stack.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<Place, Group>,
    /// By interface, and whether it is about IPv4.
    links: BTreeMap<(IfaceId, bool), Link>,
    next: Option<Instant>,
}

impl Groups {
    /// When something is to be sent next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    fn has(&self, iface: IfaceId, group: IpAddr) -> bool {
        let members = self.groups.get(&(iface, group)).map(|group| &group.members);
        members.is_some_and(|members| !members.is_empty())
    }

    pub(super) fn is_member(&self, socket: SocketId, iface: IfaceId, group: IpAddr) -> bool {
        let members = self.groups.get(&(iface, group)).map(|group| &group.members);
        members.is_some_and(|members| members.contains(&socket))
    }

    fn note_next(&mut self) {
        let groups = self.groups.values().filter_map(Group::next);
        let links = self.links.values().filter_map(|link| link.answer_at);
        self.next = groups.chain(links).min();
    }

    fn version(&self, now: Instant, iface: IfaceId, is_v4: bool) -> Version {
        let older = self.links.get(&(iface, is_v4)).and_then(|link| link.older);
        older
            .filter(|(_, until)| now < *until)
            .map_or(Version::Three, |(version, _)| version)
    }

    /// Takes in what a router asks.
    // req: RFC3376-09, RFC3376-11, RFC3810-08, RFC3810-09
    fn ask(
        &mut self,
        now: Instant,
        iface: IfaceId,
        is_v4: bool,
        query: Query,
        random: &mut Random,
    ) {
        let link = self.links.entry((iface, is_v4)).or_default();
        if query.version < Version::Three {
            let oldest = link
                .older
                .filter(|(_, until)| now < *until)
                .map_or(query.version, |(version, _)| version.min(query.version));
            link.older = Some((oldest, now + OLDER_PRESENT));
        }
        let at = now + part_of(query.within, random);
        // What is to be said soon anyway is said then.
        let soon = link.answer_at.is_some_and(|answer| answer <= at);
        match query.group {
            _ if soon => {}
            None => link.answer_at = Some(at),
            Some(group) => {
                if let Some(group) = self.groups.get_mut(&(iface, group))
                    && !group.members.is_empty()
                {
                    group.answer_at = Some(group.answer_at.map_or(at, |answer| answer.min(at)));
                }
            }
        }
        self.note_next();
    }

    /// Takes out what is due at `now`: what is to be said about which groups.
    fn take_due(&mut self, now: Instant, random: &mut Random) -> Vec<(Place, Say)> {
        let mut due = Vec::new();
        for ((iface, is_v4), link) in &mut self.links {
            if link.answer_at.take_if(|at| *at <= now).is_some() {
                let of_link = self
                    .groups
                    .iter_mut()
                    .filter(|((on, group), _)| on == iface && group.is_ipv4() == *is_v4);
                for (place, group) in of_link.filter(|(_, group)| !group.members.is_empty()) {
                    group.answer_at = None;
                    due.push((*place, Say::IsIn));
                }
            }
        }
        for (place, group) in &mut self.groups {
            let is_in = !group.members.is_empty();
            if group.answer_at.take_if(|at| *at <= now).is_some() && is_in {
                due.push((*place, Say::IsIn));
            }
            if group.tell_at.take_if(|at| *at <= now).is_some() {
                due.push((*place, if is_in { Say::Joins } else { Say::Leaves }));
                group.changes = group.changes.saturating_sub(1);
                let again = group.changes > 0;
                group.tell_at = again.then(|| now + part_of(UNSOLICITED, random));
            }
        }
        self.groups
            .retain(|_, group| !group.members.is_empty() || group.tell_at.is_some());
        self.note_next();
        due.retain(|((_, group), _)| membership::is_reported(*group));
        due
    }
}

/// A random part of a time, not none of it.
fn part_of(time: Duration, random: &mut Random) -> Duration {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    Duration::from_micros(u64::from(random.below(micros)) + 1)
}

impl Stack {
    /// Has a datagram socket receive what is sent to `group` on the link of `iface`, and tells the routers there that
    /// this host is in it, if it was not before (`IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`). Without an interface that of the
    /// route to the group is taken.
    ///
    /// # Errors
    ///
    /// See [`GroupError`].
    // req: RFC3376-08, RFC3810-07, RFC8504-09
    pub fn join_group(
        &mut self,
        now: Instant,
        socket: SocketId,
        group: IpAddr,
        iface: Option<IfaceId>,
    ) -> Result<(), GroupError> {
        self.tell_time(now);
        let place = self.group_place(socket, group, iface)?;
        if self.groups.is_member(socket, place.0, place.1) {
            return Err(GroupError::Already);
        }
        let of_socket = |group: &&Group| group.members.contains(&socket);
        let count = self.groups.groups.values().filter(of_socket).count();
        if count >= MOST_OF_SOCKET || self.groups.groups.len() >= MOST {
            return Err(GroupError::TooMany);
        }
        let group = self.groups.groups.entry(place).or_default();
        group.members.push(socket);
        if group.members.len() == 1 {
            self.tell_change(now, place);
        }
        Ok(())
    }

    /// Ends what [`join_group`](Self::join_group) began. Closing the socket does too.
    ///
    /// # Errors
    ///
    /// See [`GroupError`].
    pub fn leave_group(
        &mut self,
        now: Instant,
        socket: SocketId,
        group: IpAddr,
        iface: Option<IfaceId>,
    ) -> Result<(), GroupError> {
        self.tell_time(now);
        let place = self.group_place(socket, group, iface)?;
        if !self.groups.is_member(socket, place.0, place.1) {
            return Err(GroupError::NotMember);
        }
        self.drop_member(now, socket, place);
        Ok(())
    }

    fn group_place(
        &self,
        socket: SocketId,
        group: IpAddr,
        iface: Option<IfaceId>,
    ) -> Result<Place, GroupError> {
        self.table.datagram(socket)?;
        let group = canonical(group);
        if !group.is_multicast() {
            return Err(GroupError::NotGroup);
        }
        let (iface, _) = self.way_to(group, iface).ok_or(GroupError::NoInterface)?;
        Ok((iface, group))
    }

    fn drop_member(&mut self, now: Instant, socket: SocketId, place: Place) {
        let Some(group) = self.groups.groups.get_mut(&place) else {
            return;
        };
        group.members.retain(|member| *member != socket);
        if group.members.is_empty() {
            self.tell_change(now, place);
        }
    }

    /// Has a closed socket leave all its groups.
    pub(super) fn leave_groups(&mut self, now: Instant, socket: SocketId) {
        let of_socket =
            |(place, group): (&Place, &Group)| group.members.contains(&socket).then_some(*place);
        let places: Vec<Place> = self.groups.groups.iter().filter_map(of_socket).collect();
        for place in places {
            self.drop_member(now, socket, place);
        }
    }

    /// Tells routers that the first socket has joined, or the last has left: at once, and again.
    fn tell_change(&mut self, now: Instant, place: Place) {
        if let Some(group) = self.groups.groups.get_mut(&place) {
            group.changes = ROBUSTNESS;
            group.tell_at = Some(now);
        }
        self.tell_groups(now);
    }

    /// Sends the reports that are due.
    pub(super) fn tell_groups(&mut self, now: Instant) {
        let due = self.groups.take_due(now, &mut self.random);
        let mut rest = due.as_slice();
        while let Some(((iface, first), _)) = rest.first().copied() {
            let version = self.groups.version(now, iface, first.is_ipv4());
            let together = |((on, group), _): &&(Place, Say)| {
                *on == iface && group.is_ipv4() == first.is_ipv4()
            };
            let most = if version == Version::Three {
                MOST_RECORDS
            } else {
                1
            };
            let count = rest.iter().take_while(together).take(most).count();
            let (now_said, later) = rest.split_at(count.max(1));
            rest = later;
            let groups: Vec<_> = now_said.iter().map(|((_, g), say)| (*g, *say)).collect();
            self.send_group_report(iface, version, &groups);
        }
    }

    fn send_group_report(&mut self, iface: IfaceId, version: Version, groups: &[(IpAddr, Say)]) {
        let is_v4 = groups.first().is_some_and(|(group, _)| group.is_ipv4());
        match membership::report(version, self.reporter(iface, is_v4), groups) {
            Ok(Some(packet)) => {
                let queued = self.push_control(iface, packet);
                self.counters.ip.group_reports += u64::from(queued);
            }
            Ok(None) => {}
            Err(_) => self.counters.ip.out_no_room += 1,
        }
    }

    /// The address that reports come from: in IPv6 one that no router could mistake for that of another link.
    fn reporter(&self, iface: IfaceId, is_v4: bool) -> IpAddr {
        let suits = |address: &IpAddr| match address {
            IpAddr::V4(_) => is_v4,
            IpAddr::V6(address) => !is_v4 && address.is_unicast_link_local(),
        };
        let mut own = self.addresses.of(iface).map(|cidr| cidr.address().into());
        own.find(suits).unwrap_or(match is_v4 {
            true => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            false => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        })
    }

    /// Whether this host is in `group` on the link of `iface`.
    // req: RFC1122-64
    pub(super) fn is_in_group(&self, iface: IfaceId, group: IpAddr) -> bool {
        let speaks = || self.addresses.of(iface).next().is_some();
        self.groups.has(iface, group) || is_all_nodes(group) && speaks()
    }

    /// Whether a socket receives what is for many: broadcasts and what is for all nodes always, other groups when it is in
    /// them.
    pub(super) fn is_among(&self, socket: SocketId, iface: IfaceId, to: IpAddr) -> bool {
        !to.is_multicast() || is_all_nodes(to) || self.groups.is_member(socket, iface, to)
    }

    // req: RFC3376-03, RFC3376-04
    pub(super) fn igmp_input(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: &Packet,
    ) {
        if pseudo::verify(packet, header.header_len, 2, 0) != Ok(Trust::Good) {
            self.counters.ip.igmp_in_bad_checksum += 1;
            return;
        }
        self.group_query(now, iface, header, packet);
    }

    /// A message about groups whose checksum is right.
    // req: RFC3810-05, RFC3810-06
    pub(super) fn group_query(
        &mut self,
        now: Instant,
        iface: IfaceId,
        header: &IpHeader,
        packet: &Packet,
    ) {
        let Some(query) = membership::query(header, packet) else {
            self.counters.ip.group_messages_ignored += 1;
            return;
        };
        self.counters.ip.group_queries += 1;
        let is_v4 = header.is_v4();
        self.groups.ask(now, iface, is_v4, query, &mut self.random);
    }
}

/// Whether `group` is one that every host belongs to: all systems, or all nodes of an interface or a
/// link (RFC 1112, 4; RFC 4291, 2.7.1).
fn is_all_nodes(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
        IpAddr::V6(group) => {
            group == Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1)
                || group == Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)
        }
    }
}
