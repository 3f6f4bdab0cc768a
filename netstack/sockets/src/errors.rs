//! The error queue of a socket (`MSG_ERRQUEUE`): what the network said about datagrams, which messages that were sent
//! without a copy are done with, and when messages left.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netstack_core::{ErrorOrigin, ErrorReport, RecvError, RecvFlags, SocketId, Stamp};
use txbuf::{Completion, IovIter, Token};

use crate::address::Domain;
use crate::control::{Writer, tell_arrival, tell_stamp, tell_time};
use crate::files::Object;
use crate::options::{Options, places};
use crate::receive::ReceivedMessage;
use crate::stamps::{OPT_CMSG, number_of};
use crate::{Errno, Sockets};

/// `ee_origin` of `struct sock_extended_err`.
const LOCAL: u8 = 1;
const ICMP: u8 = 2;
const ICMP6: u8 = 3;
const TIMESTAMPING: u8 = 4;
const ZEROCOPY: u8 = 5;
/// `ee_code` of a completion whose bytes were copied after all (`SO_EE_CODE_ZEROCOPY_COPIED`).
const COPIED: u8 = 1;

/// A `struct sock_extended_err`.
#[derive(Clone, Copy, Debug, Default)]
struct Extended {
    errno: i32,
    origin: u8,
    kind: u8,
    code: u8,
    info: u32,
    data: u32,
}

impl Extended {
    fn bytes(&self) -> Vec<u8> {
        let bytes = [self.origin, self.kind, self.code, 0];
        let words = [self.errno as u32, u32::from_ne_bytes(bytes)];
        let words = words.into_iter().chain([self.info, self.data]);
        words.flat_map(u32::to_ne_bytes).collect()
    }
}

impl Sockets {
    /// Takes the oldest of what is queued: completions first, since they free memory, then times.
    pub(crate) fn receive_error(
        &mut self,
        fd: i32,
        into: &mut IovIter<'_>,
        room: usize,
    ) -> Result<ReceivedMessage, Errno> {
        self.take_events();
        let (domain, id) = match &self.files.get(fd)?.object {
            Object::Stream(stream) => (stream.domain, stream.connection()),
            Object::Datagram(datagram) => (datagram.domain, datagram.id),
            Object::Packet(_) | Object::Epoll(_) => return Err(Errno::EAGAIN),
        };
        let id = id.ok_or(Errno::EAGAIN)?;
        if let Some(completion) = self.take_completion(fd, id) {
            let mut control = Writer::new(room);
            push(&mut control, domain, &of_completion(&completion), None);
            return Ok(message(0, None, control, false));
        }
        match self.stack.receive_stamp(id, into, RecvFlags::NONE) {
            Ok(read) => {
                let control = self.tell_stamped(domain, self.options(fd)?, &read.stamp, room);
                return Ok(message(read.bytes, None, control, read.truncated));
            }
            Err(RecvError::WouldBlock) => {}
            Err(error) => return Err(error.into()),
        }
        let read = self.stack.receive_error(id, into, RecvFlags::NONE);
        // A stream has no such queue.
        let read = read.map_err(|error| match Errno::from(error) {
            Errno::EINVAL => Errno::EAGAIN,
            error => error,
        })?;
        let report = read.report;
        let control = self.tell_report(domain, self.options(fd)?, &report, room);
        let name = domain.write(SocketAddr::new(report.to.ip(), report.to.port()));
        Ok(message(read.bytes, Some(name), control, read.truncated))
    }

    fn tell_report(
        &self,
        domain: Domain,
        options: &Options,
        report: &ErrorReport,
        room: usize,
    ) -> Writer {
        let mut control = Writer::new(room);
        tell_time(&mut control, options, self.limits.epoch, report.time);
        if let Some(arrival) = &report.arrival {
            let nowhere = || Ipv4Addr::UNSPECIFIED;
            tell_arrival(&mut control, (options, domain), arrival, nowhere);
        }
        let offender = report
            .offender
            .filter(|_| report.origin != ErrorOrigin::Local);
        push(&mut control, domain, &of_report(report), offender);
        control
    }

    fn tell_stamped(
        &self,
        domain: Domain,
        options: &Options,
        stamp: &Stamp,
        room: usize,
    ) -> Writer {
        let mut control = Writer::new(room);
        tell_stamp(&mut control, options, self.limits.epoch, stamp.time);
        // A socket of IPv6 is told of every packet, and one of IPv4 if it says so.
        let told = domain == Domain::V6 || options.stamping() & OPT_CMSG != 0;
        let source = stamp.source.filter(|_| told);
        if let Some(departure) = stamp.departure.filter(|_| told) {
            let answers = || match (domain, source) {
                (Domain::V4, Some(IpAddr::V4(source))) => source,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            tell_arrival(&mut control, (options, domain), &departure, answers);
        }
        let error = Extended {
            errno: libc::ENOMSG,
            origin: TIMESTAMPING,
            info: number_of(stamp.stage),
            data: stamp.id.unwrap_or(0),
            ..Extended::default()
        };
        push(&mut control, domain, &error, source);
        control
    }

    /// The token of a message that is to be sent without a copy.
    pub(crate) fn zerocopy_token(
        &mut self,
        id: SocketId,
        from: &IovIter<'_>,
    ) -> Result<Token, Errno> {
        let token = self.stack.message_token(id).map_err(|_| Errno::ENOBUFS)?;
        // Slices are the caller's again when the call returns.
        if from.plain() == from.remaining() {
            token.mark_copied();
        }
        Ok(token)
    }

    /// Looks after completions of a socket that wants to read them as errors, so that it can be told to be ready.
    pub(crate) fn fetch_completion(&mut self, fd: i32, id: SocketId) {
        let Ok(file) = self.files.get_mut(fd) else {
            return;
        };
        let completed = match &mut file.object {
            Object::Stream(stream) if zerocopy(&stream.options) => &mut stream.completed,
            Object::Datagram(datagram) if zerocopy(&datagram.options) => &mut datagram.completed,
            _ => return,
        };
        if completed.is_none() {
            *completed = self.stack.poll_completion(id).ok().flatten();
        }
    }

    fn take_completion(&mut self, fd: i32, id: SocketId) -> Option<Completion> {
        let mut taken = self.completed_mut(fd)?.take()?;
        self.fetch_completion(fd, id);
        // What came since as the next range is told together.
        while let Some(next) = self.completed_mut(fd)?
            && next.first == taken.last.wrapping_add(1)
            && next.copied == taken.copied
        {
            taken.last = next.last;
            *self.completed_mut(fd)? = None;
            self.fetch_completion(fd, id);
        }
        Some(taken)
    }

    fn completed_mut(&mut self, fd: i32) -> Option<&mut Option<Completion>> {
        match &mut self.files.get_mut(fd).ok()?.object {
            Object::Stream(stream) => Some(&mut stream.completed),
            Object::Datagram(datagram) => Some(&mut datagram.completed),
            Object::Packet(_) | Object::Epoll(_) => None,
        }
    }
}

/// Whether a socket has `SO_ZEROCOPY`.
pub(crate) fn zerocopy(options: &Options) -> bool {
    options.is_on(places::SO_ZEROCOPY)
}

fn of_completion(completion: &Completion) -> Extended {
    Extended {
        origin: ZEROCOPY,
        code: if completion.copied { COPIED } else { 0 },
        info: completion.first,
        data: completion.last,
        ..Extended::default()
    }
}

fn of_report(report: &ErrorReport) -> Extended {
    let (origin, errno) = match report.origin {
        // Such as a router would have sent; there is no message.
        ErrorOrigin::Local => {
            return Extended {
                errno: libc::EMSGSIZE,
                origin: LOCAL,
                info: report.info,
                ..Extended::default()
            };
        }
        ErrorOrigin::Icmp => (ICMP, errno_of_v4(report.kind, report.code)),
        ErrorOrigin::Icmpv6 => (ICMP6, errno_of_v6(report.kind, report.code)),
    };
    Extended {
        errno,
        origin,
        kind: report.kind,
        code: report.code,
        info: report.info,
        data: 0,
    }
}

/// What an ICMP message means (RFC 792, RFC 1812), as Linux has it.
fn errno_of_v4(kind: u8, code: u8) -> i32 {
    match (kind, code) {
        (3, 0 | 6 | 9 | 11) => libc::ENETUNREACH,
        (3, 2) => libc::ENOPROTOOPT,
        (3, 3) => libc::ECONNREFUSED,
        (3, 4) => libc::EMSGSIZE,
        (3, 5) => libc::EOPNOTSUPP,
        (3, 7) => libc::EHOSTDOWN,
        (3, 8) => libc::ENONET,
        (12, _) => libc::EPROTO,
        _ => libc::EHOSTUNREACH,
    }
}

/// What an ICMPv6 message means (RFC 4443), as Linux has it.
fn errno_of_v6(kind: u8, code: u8) -> i32 {
    match (kind, code) {
        (1, 0) => libc::ENETUNREACH,
        (1, 1 | 5 | 6) => libc::EACCES,
        (1, 2 | 3) => libc::EHOSTUNREACH,
        (1, 4) => libc::ECONNREFUSED,
        (2, _) => libc::EMSGSIZE,
        (3, _) => libc::EHOSTUNREACH,
        _ => libc::EPROTO,
    }
}

/// Adds an error with the address of who told of it, which is all zeroes if nobody did.
fn push(control: &mut Writer, domain: Domain, error: &Extended, offender: Option<IpAddr>) {
    let (level, kind, zeroes) = match domain {
        Domain::V4 => (libc::IPPROTO_IP, libc::IP_RECVERR, 16),
        Domain::V6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 28),
    };
    let mut bytes = error.bytes();
    match offender {
        Some(offender) => bytes.extend_from_slice(&domain.write(SocketAddr::new(offender, 0))),
        None => bytes.extend(core::iter::repeat_n(0, zeroes)),
    }
    control.push(level, kind, &bytes);
}

fn message(
    bytes: usize,
    name: Option<crate::SockAddr>,
    control: Writer,
    truncated: bool,
) -> ReceivedMessage {
    let cut = if control.cut { libc::MSG_CTRUNC } else { 0 };
    let short = if truncated { libc::MSG_TRUNC } else { 0 };
    ReceivedMessage {
        bytes,
        taken: bytes,
        name,
        control: control.into_bytes(),
        flags: libc::MSG_ERRQUEUE | cut | short,
    }
}
