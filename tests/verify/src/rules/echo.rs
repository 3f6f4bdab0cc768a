//! Echo requests and replies.

use std::collections::HashSet;
use std::net::IpAddr;

use super::icmp;
use crate::bounded::Bounded;
use crate::out::{Accused, Out, Scope};
use crate::parse::ip::{Ip, is_unicast};
use crate::parse::{Packet, SEC, ms, u16_at};
use crate::rule::rules;

const REQUESTS: usize = 1024;
const HOSTS: usize = 4096;
/// How much of a request is compared.
const BYTES: usize = 2048;
/// An answer is expected within this.
const ANSWER: u64 = SEC;

rules! {
    REPLY = Error "W-ICMP-10", "792; 1122 section 3.2.2.6; 4443 section 4.2", "A reply has the request's identifier, sequence number and data";
    UNANSWERED = Warning "W-ICMP-11", "1122 section 3.2.2.6; 4443 section 4.2", "Every request to one host is answered within a second" [time];
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    from: IpAddr,
    to: IpAddr,
    id: u16,
    sequence: u16,
}

struct Request {
    time: u64,
    number: u64,
    length: usize,
    data: Box<[u8]>,
    answered: bool,
    timed: bool,
}

pub(super) struct State {
    requests: Bounded<Key, Request>,
    /// Hosts that answer.
    answering: HashSet<IpAddr>,
}

impl Default for State {
    fn default() -> State {
        State {
            requests: Bounded::new(REQUESTS),
            answering: HashSet::new(),
        }
    }
}

impl State {
    pub(super) fn judge(&mut self, packet: &Packet<'_>, out: &mut Out) {
        let ip = &packet.ip;
        let Some((bytes, is_v4)) = icmp::message(ip) else {
            return;
        };
        self.expire(packet.now, out);
        let Some(data) = bytes.get(8..) else { return };
        match (is_v4, bytes[0]) {
            (true, 8) | (false, 128) if is_unicast(ip.destination) => self.ask(packet, bytes, data),
            (true, 0) | (false, 129) => self.judge_reply(packet, bytes, data, out),
            (v4, kind) if icmp::is_error(v4, kind) => {
                // It was answered, if not with an echo.
                if let Ok(quoted) = Ip::parse(data, usize::MAX) {
                    let key = Key::of(quoted.source, quoted.destination, quoted.payload);
                    self.requests.remove(&key);
                }
            }
            _ => {}
        }
    }

    pub(super) fn end(&mut self, now: u64, out: &mut Out) {
        self.expire(now, out);
    }

    fn ask(&mut self, packet: &Packet<'_>, bytes: &[u8], data: &[u8]) {
        let key = Key::of(packet.ip.source, packet.ip.destination, bytes);
        let request = Request {
            time: packet.now,
            number: packet.number,
            length: packet.ip.payload_len,
            data: data[..data.len().min(BYTES)].into(),
            answered: false,
            timed: packet.timed,
        };
        self.requests.insert(key, request);
    }

    fn judge_reply(&mut self, packet: &Packet<'_>, bytes: &[u8], data: &[u8], out: &mut Out) {
        let ip = &packet.ip;
        let scope = Scope::of_packet(packet.timed);
        if self.answering.len() < HOSTS {
            self.answering.insert(ip.source);
        }
        let key = Key::of(ip.destination, ip.source, bytes);
        let Some(request) = self.requests.get_mut(&key) else {
            let is_asked = |(other, request): &(&Key, &Request)| {
                other.from == key.from && other.to == key.to && !request.answered
            };
            if let Some((_, request)) = self.requests.iter().find(is_asked) {
                out.add(
                    &REPLY,
                    scope,
                    &[packet.number, request.number],
                    format_args!(
                        "a reply with identifier {} and sequence {}, which was not asked for",
                        key.id, key.sequence
                    ),
                );
            }
            return;
        };
        request.answered = true;
        let common = data.len().min(request.data.len());
        if request.length != ip.payload_len || data[..common] != request.data[..common] {
            out.add(
                &REPLY,
                scope,
                &[packet.number, request.number],
                format_args!(
                    "the reply's data of {} bytes are not the request's of {}",
                    ip.payload_len.saturating_sub(8),
                    request.length.saturating_sub(8)
                ),
            );
        }
    }

    fn expire(&mut self, now: u64, out: &mut Out) {
        while let Some((key, request)) = self
            .requests
            .pop_if(|request| now.saturating_sub(request.time) > ANSWER)
        {
            if !request.answered && self.answering.contains(&key.to) {
                out.add(
                    &UNANSWERED,
                    Scope::of_packet(request.timed).against(Accused::Host(key.to)),
                    &[request.number],
                    format_args!(
                        "{} answers others, but not this in {:.0} ms",
                        key.to,
                        ms(now.saturating_sub(request.time))
                    ),
                );
            }
        }
    }
}

impl Key {
    fn of(from: IpAddr, to: IpAddr, message: &[u8]) -> Key {
        Key {
            from,
            to,
            id: u16_at(message, 4),
            sequence: u16_at(message, 6),
        }
    }
}
