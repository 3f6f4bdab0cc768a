//! Which link-layer addresses neighbours have: the states of RFC 4861, 7.3, for IPv6 and, as RFC 826 leaves all of this
//! open, for IPv4.
//!
//! Sans-IO: the time is passed in. What is to be asked and what may leave is collected, for the caller to send.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use txbuf::Packet;

use super::mac::Mac;
use crate::impair::Dice;

/// RETRANS_TIMER: between two questions.
const RETRANSMIT: Duration = Duration::from_secs(1);
/// MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT: questions without an answer.
const QUESTIONS: u8 = 3;
/// REACHABLE_TIME, of which a random part between the half and one and a half counts.
const REACHABLE: Duration = Duration::from_secs(30);
/// DELAY_FIRST_PROBE_TIME: before somebody is asked of whom nothing was heard for long.
const DELAY: Duration = Duration::from_secs(5);

/// The most neighbours that are remembered, but for those that never change.
pub(super) const NEIGHBOURS: usize = 1024;
/// The most of them that are being looked for.
pub(super) const SOUGHT: usize = NEIGHBOURS / 2;
/// The most packets that wait for one neighbour, and for all.
pub(super) const WAITING: usize = 32;
pub(super) const WAITING_IN_ALL: usize = 512;

/// A question that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) about: IpAddr,
    /// `None`: to whom it may concern.
    pub(super) to: Option<Mac>,
}

/// What an answer says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) mac: Option<Mac>,
    /// It answers a question of this host: so packets reach the neighbour.
    pub(super) solicited: bool,
    /// What was known before is to be forgotten.
    pub(super) replace: bool,
}

/// The table.
pub(super) struct Neighbours {
    entries: HashMap<IpAddr, Entry>,
    /// Of the entries that wait for a time to come.
    deadlines: BTreeSet<(Duration, IpAddr)>,
    sought: usize,
    waiting: usize,
    dice: Dice,
    pub(super) questions: Vec<Question>,
    /// Packets whose neighbour was found, in order.
    pub(super) released: Vec<(Mac, Packet)>,
    /// Packets dropped as nobody answered.
    pub(super) unresolved: u64,
    /// Packets dropped for want of room.
    pub(super) no_room: u64,
}

struct Entry {
    state: State,
    used: Duration,
    deadline: Option<Duration>,
}

enum State {
    Incomplete {
        asked: u8,
        waiting: VecDeque<Packet>,
    },
    Reachable {
        mac: Mac,
        until: Duration,
    },
    Stale {
        mac: Mac,
    },
    Delay {
        mac: Mac,
    },
    Probe {
        mac: Mac,
        asked: u8,
    },
    Permanent {
        mac: Mac,
    },
}

impl State {
    fn mac(&self) -> Option<Mac> {
        match *self {
            State::Incomplete { .. } => None,
            State::Reachable { mac, .. }
            | State::Stale { mac }
            | State::Delay { mac }
            | State::Probe { mac, .. }
            | State::Permanent { mac } => Some(mac),
        }
    }
}

impl Neighbours {
    /// Knows `permanent`, which never changes. Chances follow from `seed`.
    pub(super) fn new(permanent: &[(IpAddr, Mac)], seed: u64) -> Neighbours {
        let entry = |&(address, mac)| {
            let state = State::Permanent { mac };
            let (used, deadline) = (Duration::ZERO, None);
            (
                address,
                Entry {
                    state,
                    used,
                    deadline,
                },
            )
        };
        Neighbours {
            entries: permanent.iter().map(entry).collect(),
            deadlines: BTreeSet::new(),
            sought: 0,
            waiting: 0,
            dice: Dice::new(seed, 0, 0),
            questions: Vec::new(),
            released: Vec::new(),
            unresolved: 0,
            no_room: 0,
        }
    }

    /// The address to send to now, if it is known. One of which nothing was heard for long is used and, if nothing is
    /// heard in the next seconds either, asked for.
    pub(super) fn address_of(&mut self, now: Duration, neighbour: IpAddr) -> Option<Mac> {
        let entry = self.entries.get_mut(&neighbour)?;
        entry.used = now;
        let mac = entry.state.mac()?;
        let is_old = match entry.state {
            State::Reachable { until, .. } => until <= now,
            State::Stale { .. } => true,
            _ => false,
        };
        if is_old {
            entry.state = State::Delay { mac };
            arm(&mut self.deadlines, neighbour, entry, Some(now + DELAY));
        }
        Some(mac)
    }

    /// Keeps a packet until the address of its neighbour, which is not known, is found; asks for it if nobody has yet.
    /// The oldest that waits for the same neighbour gives way.
    pub(super) fn keep(&mut self, now: Duration, neighbour: IpAddr, packet: Packet) {
        let known = self.entries.contains_key(&neighbour);
        if !known && (self.sought >= SOUGHT || !self.make_room()) {
            self.no_room += 1;
            return;
        }
        if !known {
            self.sought += 1;
            self.questions.push(Question {
                about: neighbour,
                to: None,
            });
        }
        let entry = self.entries.entry(neighbour).or_insert_with(|| Entry {
            state: State::Incomplete {
                asked: 1,
                waiting: VecDeque::new(),
            },
            used: now,
            deadline: None,
        });
        entry.used = now;
        if !known {
            arm(
                &mut self.deadlines,
                neighbour,
                entry,
                Some(now + RETRANSMIT),
            );
        }
        let State::Incomplete { waiting, .. } = &mut entry.state else {
            return;
        };
        let is_full = waiting.len() >= WAITING || self.waiting >= WAITING_IN_ALL;
        if is_full {
            self.no_room += 1;
            if waiting.pop_front().is_none() {
                return;
            }
        } else {
            self.waiting += 1;
        }
        waiting.push_back(packet);
    }

    /// A neighbour has said an address of its own unasked, in a question. `worth_knowing`: remember one that was not
    /// known, too.
    pub(super) fn heard(
        &mut self,
        now: Duration,
        neighbour: IpAddr,
        mac: Mac,
        worth_knowing: bool,
    ) {
        let is_news = match self.entries.get(&neighbour).map(|entry| &entry.state) {
            Some(State::Permanent { .. }) => false,
            Some(state) => state.mac() != Some(mac),
            None => worth_knowing && self.make_room(),
        };
        if is_news {
            self.enter(now, neighbour, State::Stale { mac });
        }
    }

    /// A neighbour has said who it is (RFC 4861, 7.2.5). Nobody is remembered who was not asked for.
    pub(super) fn answered(&mut self, now: Duration, neighbour: IpAddr, answer: Answer) {
        let Some(entry) = self.entries.get(&neighbour) else {
            return;
        };
        let known = entry.state.mac();
        let Some(mac) = answer.mac.or(known) else {
            return;
        };
        let differs = known.is_some_and(|known| known != mac);
        let state = match entry.state {
            State::Permanent { .. } => return,
            State::Reachable { mac, .. } if differs && !answer.replace => State::Stale { mac },
            _ if differs && !answer.replace => return,
            _ if answer.solicited => State::Reachable {
                mac,
                until: now + REACHABLE / 2 + self.dice.time_up_to(REACHABLE),
            },
            _ if known.is_none() || differs => State::Stale { mac },
            _ => return,
        };
        self.enter(now, neighbour, state);
    }

    /// Asks again, and gives up, where it is time.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        while let Some(&(due, neighbour)) = self.deadlines.first()
            && due <= now
        {
            self.deadlines.pop_first();
            let Some(entry) = self.entries.get_mut(&neighbour) else {
                continue;
            };
            entry.deadline = None;
            let to = entry.state.mac();
            match &mut entry.state {
                State::Incomplete { asked, .. } | State::Probe { asked, .. }
                    if *asked >= QUESTIONS =>
                {
                    self.forget(neighbour);
                    continue;
                }
                State::Incomplete { asked, .. } | State::Probe { asked, .. } => *asked += 1,
                State::Delay { mac } => {
                    let mac = *mac;
                    entry.state = State::Probe { mac, asked: 1 };
                }
                State::Reachable { .. } | State::Stale { .. } | State::Permanent { .. } => continue,
            }
            arm(
                &mut self.deadlines,
                neighbour,
                entry,
                Some(now + RETRANSMIT),
            );
            self.questions.push(Question {
                about: neighbour,
                to,
            });
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// Puts a neighbour into a state in which its address is known, and lets go what waited for it.
    fn enter(&mut self, now: Duration, neighbour: IpAddr, state: State) {
        let mac = state.mac();
        let Some(entry) = self.entries.get_mut(&neighbour) else {
            let entry = Entry {
                state,
                used: now,
                deadline: None,
            };
            self.entries.insert(neighbour, entry);
            return;
        };
        let before = std::mem::replace(&mut entry.state, state);
        arm(&mut self.deadlines, neighbour, entry, None);
        let (State::Incomplete { waiting, .. }, Some(mac)) = (before, mac) else {
            return;
        };
        self.sought -= 1;
        self.waiting -= waiting.len();
        let released = waiting.into_iter().map(|packet| (mac, packet));
        self.released.extend(released);
        // They are sent now: whether they arrive is to be seen.
        self.address_of(now, neighbour);
    }

    /// Forgets a neighbour that does not answer, and what waited for it.
    fn forget(&mut self, neighbour: IpAddr) {
        let Some(entry) = self.entries.remove(&neighbour) else {
            return;
        };
        if let Some(due) = entry.deadline {
            self.deadlines.remove(&(due, neighbour));
        }
        if let State::Incomplete { waiting, .. } = entry.state {
            self.sought -= 1;
            self.waiting -= waiting.len();
            self.unresolved += waiting.len() as u64;
        }
    }

    /// Makes room for one more, at the expense of whoever was not needed for the longest time. False: there is none.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < NEIGHBOURS {
            return true;
        }
        let is_kept =
            |state: &State| matches!(state, State::Incomplete { .. } | State::Permanent { .. });
        let candidates = self
            .entries
            .iter()
            .filter(|(_, entry)| !is_kept(&entry.state));
        let oldest = candidates.min_by_key(|(address, entry)| (entry.used, **address));
        let oldest = oldest.map(|(address, _)| *address);
        oldest.inspect(|address| self.forget(*address)).is_some()
    }
}

/// Sets the time at which an entry is looked at again.
fn arm(
    deadlines: &mut BTreeSet<(Duration, IpAddr)>,
    neighbour: IpAddr,
    entry: &mut Entry,
    at: Option<Duration>,
) {
    if let Some(before) = std::mem::replace(&mut entry.deadline, at) {
        deadlines.remove(&(before, neighbour));
    }
    if let Some(at) = at {
        deadlines.insert((at, neighbour));
    }
}

#[cfg(test)]
mod tests;
