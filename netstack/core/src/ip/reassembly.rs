//! Putting fragments together again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use txbuf::{Chain, HEADER_AREA, Meta, NoMemory, Packet, Pool};

use super::checks::least_transport;
use super::input;
use super::join::join;
use super::{FragmentInfo, IpHeader};
use crate::counters::IpCounters;
use crate::storage;
use crate::time::Instant;

mod datagram;

use datagram::{Datagram, Fragment, Refusal};

/// How much reassembly may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReassemblyLimits {
    /// Most bytes of all datagrams together, a fixed overhead for each fragment included.
    pub(crate) total: usize,
    /// Most bytes of one datagram, counted the same way.
    pub(crate) datagram: usize,
    /// Most unfinished datagrams.
    pub(crate) datagrams: usize,
    /// Most unfinished datagrams from one source.
    pub(crate) per_source: usize,
    /// How long after its first fragment an IPv4 datagram is given up (RFC 1122 section 3.3.2: from 60 to 120 s).
    pub(crate) v4_timeout: Duration,
    /// The same for IPv6 (RFC 8200 section 4.5).
    pub(crate) v6_timeout: Duration,
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        ReassemblyLimits {
            total: 4 << 20,
            datagram: 256 << 10,
            datagrams: 1024,
            per_source: 128,
            v4_timeout: Duration::from_secs(60),
            v6_timeout: Duration::from_secs(60),
        }
    }
}

/// What became of a fragment. All but `Complete` have been counted, and so has that.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was the last one missing: this is the whole packet, parsed anew, as if it had come in one piece
    /// but for a checksum that nobody has verified yet. Its payload is one span.
    Complete(IpHeader, Packet),
    /// It is kept; others are missing.
    Pending,
    /// It was dropped, and maybe the rest of its datagram with it.
    Dropped,
}

/// Why a fragment was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReassemblyDrop {
    /// It had been received before.
    Duplicate,
    /// It overlaps another: the whole datagram is refused (RFC 5722), here for IPv4 too.
    Overlap,
    /// It disagrees with another fragment about where the datagram ends.
    Inconsistent,
    /// It is a first fragment without the fixed part of the transport header (RFC 6274 section 4.1).
    Tiny,
    /// The datagram has too many fragments or bytes.
    TooLarge,
    /// Its datagram was refused before.
    Refused,
    /// Some fragments say congestion and some that their sender does not speak ECN (RFC 3168 section
    /// 5.3).
    BadEcn,
    /// No memory was left to copy what must be copied.
    NoMemory,
    /// The datagram is whole, but its headers make no sense.
    Malformed,
}

impl ReassemblyDrop {
    fn count(self, counters: &mut IpCounters) {
        let counter = match self {
            ReassemblyDrop::Duplicate => &mut counters.reassembly_duplicates,
            ReassemblyDrop::Overlap => &mut counters.reassembly_overlaps,
            ReassemblyDrop::Inconsistent => &mut counters.reassembly_inconsistent,
            ReassemblyDrop::Tiny => &mut counters.reassembly_tiny,
            ReassemblyDrop::TooLarge => &mut counters.reassembly_too_large,
            ReassemblyDrop::Refused => &mut counters.reassembly_refused,
            ReassemblyDrop::BadEcn => &mut counters.reassembly_bad_ecn,
            ReassemblyDrop::NoMemory => &mut counters.reassembly_no_memory,
            ReassemblyDrop::Malformed => &mut counters.reassembly_malformed,
        };
        *counter += 1;
    }
}

/// A datagram whose time is up.
#[derive(Debug)]
pub(crate) struct Expired {
    /// Its first fragment as it was received, if that arrived: then its sender is to be told that the
    /// time for reassembly was exceeded (RFC 1122 section 3.3.2, RFC 8200 section 4.5).
    pub(crate) first: Option<Packet>,
}

/// All datagrams of which some fragments have arrived.
///
/// What is held is bounded in bytes, datagrams, datagrams of one source, and time. When it is full the
/// oldest datagram goes, first of the same source.
pub(crate) struct Reassembly {
    limits: ReassemblyLimits,
    /// Where fragments are copied that would pin much more than they hold.
    small: Chain,
    datagrams: BTreeMap<Key, Datagram>,
    expiry: BTreeSet<(Instant, Key)>,
    held: usize,
}

/// What fragments of one datagram have in common (RFC 791 section 3.2, RFC 8200 section 4.5). IPv6 does
/// not count the protocol: only that of the first fragment means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    ident: u32,
    protocol: u8,
}

impl Key {
    fn new(header: &IpHeader, fragment: FragmentInfo) -> Self {
        let protocol = if header.is_v4() {
            u8::from(header.protocol)
        } else {
            0
        };
        Key {
            src: header.src,
            dst: header.dst,
            ident: fragment.ident,
            protocol,
        }
    }
}

impl Reassembly {
    /// Nothing held yet. Segments of `small` take copies of fragments that would pin much more than they
    /// hold, and payloads of more pieces than a span can gather; 16 of them must hold a datagram.
    pub(crate) fn new(limits: ReassemblyLimits, small: &Pool) -> Self {
        let small = Chain::arena(small);
        Reassembly {
            limits,
            small,
            datagrams: BTreeMap::new(),
            expiry: BTreeSet::new(),
            held: 0,
        }
    }

    /// Takes in a fragment, which [`input::parse`] has accepted. A packet that is no fragment comes back
    /// as complete.
    // req: RFC815-01, RFC1122-09, RFC5722-02, RFC8200-21, RFC6274-13
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        header: &IpHeader,
        packet: Packet,
        counters: &mut IpCounters,
    ) -> Outcome {
        let Some(info) = header.fragment else {
            return Outcome::Complete(*header, packet);
        };
        counters.fragments_received += 1;
        match self.try_insert(now, header, info, packet, counters) {
            Ok(Some((header, packet))) => {
                counters.reassembled += 1;
                Outcome::Complete(header, packet)
            }
            Ok(None) => Outcome::Pending,
            Err(reason) => {
                reason.count(counters);
                Outcome::Dropped
            }
        }
    }

    /// Gives the storage that is kept for further fragments back to its pool.
    pub(crate) fn shrink(&mut self) {
        self.small = Chain::arena(&self.small.pool().clone());
    }

    /// When [`Reassembly::expire`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.expiry.first().map(|&(when, _)| when)
    }

    /// Gives up one datagram whose time is up; `None` if there is none left. Datagrams that were refused
    /// before go without a word.
    // req: RFC815-03, RFC1122-53, RFC1122-54, RFC8200-16, RFC8200-17
    pub(crate) fn expire(&mut self, now: Instant, counters: &mut IpCounters) -> Option<Expired> {
        while let Some(&(when, key)) = self.expiry.first()
            && when <= now
        {
            if let Some(datagram) = self.remove(&key)
                && !datagram.is_refused()
            {
                counters.reassembly_timeouts += 1;
                return Some(Expired {
                    first: datagram.into_first(),
                });
            }
        }
        None
    }

    fn try_insert(
        &mut self,
        now: Instant,
        header: &IpHeader,
        info: FragmentInfo,
        packet: Packet,
        counters: &mut IpCounters,
    ) -> Result<Option<(IpHeader, Packet)>, ReassemblyDrop> {
        if info.offset == 0
            && header.is_v4()
            && header.payload_len < least_transport(header.protocol)
        {
            return Err(ReassemblyDrop::Tiny);
        }
        let key = Key::new(header, info);
        if !self.datagrams.contains_key(&key) {
            self.open(now, key, counters);
        }
        let datagram = self
            .datagrams
            .get_mut(&key)
            .ok_or(ReassemblyDrop::Refused)?;
        let before = datagram.charge();
        if let Err(refusal) = datagram.admit(info, header.payload_len, header.ecn()) {
            return Err(self.refuse(&key, refusal));
        }
        let charge = Datagram::charge_for(header.payload_len);
        if before + charge > self.limits.datagram {
            return Err(self.refuse(&key, Refusal::Whole(ReassemblyDrop::TooLarge)));
        }
        if !self.make_room(charge, &key, counters) {
            return Err(self.refuse(&key, Refusal::Whole(ReassemblyDrop::TooLarge)));
        }
        let fragment = self.keep(header, info, packet)?;
        let datagram = self
            .datagrams
            .get_mut(&key)
            .ok_or(ReassemblyDrop::Refused)?;
        self.held -= datagram.charge();
        datagram.insert(info, header, fragment);
        self.held += datagram.charge();
        if !datagram.is_complete() {
            return Ok(None);
        }
        match self.remove(&key) {
            Some(datagram) => self.assemble(datagram).map(Some),
            None => Ok(None),
        }
    }

    /// Makes an entry for a datagram, and room for it if there are too many.
    fn open(&mut self, now: Instant, key: Key, counters: &mut IpCounters) {
        let oldest_of_source = |all: &BTreeMap<Key, Datagram>| {
            let first = Key {
                src: key.src,
                dst: lowest(key.src),
                ident: 0,
                protocol: 0,
            };
            let same = all
                .range(first..)
                .take_while(|(other, _)| other.src == key.src);
            let (count, oldest) = same.fold((0, None), |(count, oldest), (key, datagram)| {
                let candidate = (datagram.expires(), *key);
                (
                    count + 1,
                    Some(oldest.map_or(candidate, |oldest: (Instant, Key)| oldest.min(candidate))),
                )
            });
            oldest.filter(|_| count >= self.limits.per_source)
        };
        if let Some((_, oldest)) = oldest_of_source(&self.datagrams) {
            self.evict(&oldest, counters);
        }
        while self.datagrams.len() >= self.limits.datagrams.max(1) {
            let Some(&(_, oldest)) = self.expiry.first() else {
                break;
            };
            self.evict(&oldest, counters);
        }
        let timeout = if key.src.is_ipv4() {
            self.limits.v4_timeout
        } else {
            self.limits.v6_timeout
        };
        let datagram = Datagram::new(now + timeout);
        self.held += datagram.charge();
        self.expiry.insert((datagram.expires(), key));
        self.datagrams.insert(key, datagram);
    }

    /// Evicts the oldest datagrams other than `keep` until `more` bytes fit.
    fn make_room(&mut self, more: usize, keep: &Key, counters: &mut IpCounters) -> bool {
        while self.held + more > self.limits.total {
            let Some(&(_, oldest)) = self.expiry.iter().find(|(_, key)| key != keep) else {
                return false;
            };
            self.evict(&oldest, counters);
        }
        true
    }

    fn evict(&mut self, key: &Key, counters: &mut IpCounters) {
        if let Some(datagram) = self.remove(key)
            && !datagram.is_refused()
        {
            counters.reassembly_evicted += 1;
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.expiry.remove(&(datagram.expires(), *key));
        self.held -= datagram.charge();
        Some(datagram)
    }

    /// Drops what `refusal` says, and remembers a refused datagram until its time is up, so that its
    /// other fragments are dropped too.
    fn refuse(&mut self, key: &Key, refusal: Refusal) -> ReassemblyDrop {
        match refusal {
            Refusal::Fragment(reason) => reason,
            Refusal::Whole(reason) => {
                if let Some(datagram) = self.datagrams.get_mut(key) {
                    self.held -= datagram.charge();
                    datagram.refuse();
                    self.held += datagram.charge();
                }
                reason
            }
        }
    }

    /// Takes from the packet what is to be held of it.
    fn keep(
        &mut self,
        header: &IpHeader,
        info: FragmentInfo,
        packet: Packet,
    ) -> Result<Fragment, ReassemblyDrop> {
        let meta = packet.meta;
        let head = match info.offset {
            0 => packet
                .headers()
                .get(..header.header_len)
                .and_then(|bytes| ArrayVec::try_from(bytes).ok()),
            _ => None,
        };
        let payload = packet.into_payload(header.header_len, &mut self.small);
        let payload = payload.map_err(|_| ReassemblyDrop::NoMemory)?;
        let span = payload.ok_or(ReassemblyDrop::Malformed)?;
        let span =
            storage::bounded(span, &mut self.small).map_err(|NoMemory| ReassemblyDrop::NoMemory)?;
        Ok(Fragment { head, meta, span })
    }

    /// Joins all fragments to a packet and reads its headers as if it had just come in.
    fn assemble(&self, datagram: Datagram) -> Result<(IpHeader, Packet), ReassemblyDrop> {
        let malformed = ReassemblyDrop::Malformed;
        let whole = datagram.into_whole().ok_or(malformed)?;
        let payload = join(self.small.pool(), &whole.pieces);
        let payload = payload.map_err(|NoMemory| ReassemblyDrop::NoMemory)?;
        let mut packet = Packet::inline(&whole.header).ok_or(malformed)?;
        packet.set_span(payload);
        packet.meta = Meta {
            iface: whole.meta.iface,
            timestamp: whole.meta.timestamp,
            ..Meta::default()
        };
        let header = input::parse(&mut packet).map_err(|_| ReassemblyDrop::Malformed)?;
        Ok((header, packet))
    }
}

/// The first address of the same version: the start of a range of keys.
fn lowest(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    }
}

/// The bytes of a header that is held.
type HeaderBytes = ArrayVec<u8, HEADER_AREA>;

#[cfg(test)]
mod tests;
