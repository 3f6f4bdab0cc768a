//! The file itself, and what does not even get to be a packet.

use std::collections::HashMap;
use std::time::Duration;

use crate::out::{Out, Scope};
use crate::parse::ip::Unreadable;
use crate::rule::rules;
use crate::source::Captured;

/// A file names few interfaces; so many are told apart.
const INTERFACES: usize = 4096;

rules! {
    DAMAGED = Error "J-FILE-01", "none", "The capture can be read to its end, and its records make sense";
    TIME = Warning "J-FILE-02", "none", "Time does not go backwards on one interface";
    VERSION = Error "J-IP-01", "791", "What a raw IP link carries is IPv4 or IPv6";
    V4_HEADER = Error "W-IP4-02", "791; 6274", "IHL is at least 5, and IHL*4 <= total length <= captured IP bytes";
    V6_HEADER = Error "W-IP6-01", "8200 section 3", "Payload Length agrees with the bytes captured, and so does the chain of headers";
}

/// Reports that the file cannot be read on after packet `number`.
pub(crate) fn damaged(number: u64, why: &str, out: &mut Out) {
    out.add(
        &DAMAGED,
        Scope::of_packet(true),
        &[number],
        format_args!("after this packet the file cannot be read: {why}"),
    );
}

/// Reports that a record behind packet `number` cannot be read, and the next one can.
pub(crate) fn skipped(number: u64, why: &str, out: &mut Out) {
    out.add(
        &DAMAGED,
        Scope::of_packet(true),
        &[number],
        format_args!("a record after this packet cannot be read: {why}"),
    );
}

/// Reports that the record of packet `number` contradicts itself.
pub(crate) fn odd(number: u64, why: &str, out: &mut Out) {
    out.add(
        &DAMAGED,
        Scope::of_packet(true),
        &[number],
        format_args!("the record of this packet cannot be right: {why}"),
    );
}

/// Reports a packet without a header to speak of.
pub(crate) fn unreadable(number: u64, why: &Unreadable, out: &mut Out) {
    let scope = Scope::of_packet(true);
    match why {
        Unreadable::Cut => {}
        Unreadable::Version(version) => out.add(
            &VERSION,
            scope,
            &[number],
            format_args!("IP version {version}"),
        ),
        Unreadable::Header { version: 4, why } => {
            out.add(
                &V4_HEADER,
                scope,
                &[number],
                format_args!("IPv4 header: {why}"),
            );
        }
        Unreadable::Header { why, .. } => {
            out.add(
                &V6_HEADER,
                scope,
                &[number],
                format_args!("IPv6 header: {why}"),
            );
        }
    }
}

/// Reports an IPv4 or IPv6 packet whose header says more than there is.
pub(super) fn shorter_than_header(number: u64, is_v4: bool, said: usize, held: u64, out: &mut Out) {
    let (rule, version) = if is_v4 {
        (&V4_HEADER, 4)
    } else {
        (&V6_HEADER, 6)
    };
    out.add(
        rule,
        Scope::of_packet(true),
        &[number],
        format_args!("the IPv{version} header says {said} bytes, the link carried {held}"),
    );
}

/// Reports an IPv4 packet whose header says that it has no bytes.
pub(super) fn shorter_than_it_is(number: u64, held: u64, out: &mut Out) {
    out.add(
        &V4_HEADER,
        Scope::of_packet(true),
        &[number],
        format_args!("the IPv4 header says 0 bytes, the link carried {held}"),
    );
}

/// Reports a chain of extension headers that ends inside one.
pub(super) fn broken_chain(number: u64, out: &mut Out) {
    out.add(
        &V6_HEADER,
        Scope::of_packet(true),
        &[number],
        format_args!("the packet ends inside an IPv6 extension header"),
    );
}

/// The last time of each interface. A pcapng file need not be in order across interfaces.
#[derive(Default)]
pub(crate) struct Clocks(HashMap<u32, Duration>);

impl Clocks {
    pub(crate) fn judge(&mut self, number: u64, captured: &Captured<'_>, out: &mut Out) {
        let Some(now) = captured.timestamp else {
            return;
        };
        if self.0.len() >= INTERFACES && !self.0.contains_key(&captured.interface) {
            return;
        }
        let last = self.0.entry(captured.interface).or_insert(now);
        if now < *last {
            let back = *last - now;
            out.add(
                &TIME,
                Scope::of_packet(true),
                &[number],
                format_args!("stamped {back:?} before an earlier packet"),
            );
        } else {
            *last = now;
        }
    }
}
