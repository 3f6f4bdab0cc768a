//! `setsockopt`.

use core::time::Duration;

use netstack_core::{Instant, OptionError, SocketError, SocketId, SocketOption, TcpState};

use super::table::{TABLE, Takes, find_for};
use super::{Options, concerns, half};
use crate::address::Domain;
use crate::datagram::{Kind, Port};
use crate::files::{File, Object};
use crate::stream::{Stream, StreamState};
use crate::{Errno, Sockets};

/// The least that buffers hold, doubled: of Linux on 64-bit machines.
const LEAST_SEND: i32 = 4608;
const LEAST_RECEIVE: i32 = 2304;
const ICMP_FILTER: i32 = 1;
/// The bits of a traffic class that TCP sets itself.
const ECN: i32 = 0b11;

impl Sockets {
    /// Sets an option from the bytes of its value. Options may be set before there is a connection; those of a listener
    /// pass on to what it accepts.
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for an option that the socket has not, `EINVAL` for a value that is too short or out of range.
    pub fn setsockopt(
        &mut self,
        now: Instant,
        fd: i32,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        if self.set_interface(now, fd, (level, name), value)? {
            return Ok(());
        }
        if (level, name) == (libc::SOL_SOCKET, libc::SO_TIMESTAMPING) {
            self.begin_stamping(fd, number(value)? as u32)?;
        }
        let limits = self.limits;
        let state = self.connection_state(fd);
        let over = state == Some(TcpState::Closed);
        let connected = state.is_some() && !over;
        let file = self.files.get_mut(fd)?;
        let (options, id) = options_mut(file)?;
        let meaning = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_LINGER) => {
                set_linger(options, value)?;
                Some(options.lingering())
            }
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO) => {
                let timeout = timeout(value)?;
                let which = usize::from(name == libc::SO_SNDTIMEO);
                if let Some(slot) = file.timeouts.get_mut(which) {
                    *slot = timeout;
                }
                return Ok(());
            }
            (libc::SOL_SOCKET, libc::SO_SNDBUF) => {
                let size = doubled(number(value)?, limits.send_buffer, LEAST_SEND);
                options.send_buffer = Some(size);
                Some(SocketOption::SendBuffer(half(size)))
            }
            (libc::SOL_SOCKET, libc::SO_RCVBUF) => {
                let size = doubled(number(value)?, limits.receive_buffer, LEAST_RECEIVE);
                options.receive_buffer = Some(size);
                Some(SocketOption::ReceiveBuffer(half(size)))
            }
            (libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE) => {
                options.pacing = pacing(value)?;
                Some(SocketOption::PacingRate(options.pacing))
            }
            (
                libc::SOL_SOCKET,
                libc::SO_TYPE
                | libc::SO_DOMAIN
                | libc::SO_PROTOCOL
                | libc::SO_ERROR
                | libc::SO_ACCEPTCONN,
            ) => {
                number(value)?;
                return Err(Errno::ENOPROTOOPT);
            }
            (libc::IPPROTO_TCP, libc::TCP_CONGESTION) if is_stream(file) => {
                let (options, _) = options_mut(file)?;
                let algorithm = text(value)?.parse().map_err(|_| Errno::ENOENT)?;
                options.congestion = Some(algorithm);
                Some(SocketOption::Congestion(algorithm))
            }
            _ => set_number(file, (level, name), value, connected)?,
        };
        match (meaning, id) {
            // The SYN left long ago: it is kept for the next connection.
            (Some(SocketOption::FastOpenConnect(_)), _) if over => Ok(()),
            (Some(option), Some(id)) if self.concerns(fd, id, (level, name)) => {
                match self.stack.set_option(now, id, option) {
                    // It is kept for the connection that there will be, or means nothing for this kind of socket.
                    Err(OptionError::Socket(SocketError::WrongKind)) => Ok(()),
                    set => Ok(set?),
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether an option of a level means something now: to a stream by what it sends, to others by what they are.
    fn concerns(&self, fd: i32, id: SocketId, option: (i32, i32)) -> bool {
        match self.files.get(fd).map(|file| &file.object) {
            Ok(Object::Datagram(datagram)) => concerns(option, datagram.domain == Domain::V4),
            _ => concerns(option, self.is_on_v4(id)),
        }
    }

    fn connection_state(&self, fd: i32) -> Option<TcpState> {
        let id = self.stream(fd).ok().and_then(Stream::connection)?;
        self.stack.tcp_state(id).ok()
    }
}

fn is_stream(file: &File) -> bool {
    matches!(file.object, Object::Stream(_))
}

pub(crate) fn options_mut(file: &mut File) -> Result<(&mut Options, Option<SocketId>), Errno> {
    match &mut file.object {
        Object::Stream(stream) => {
            let id = stream.id();
            Ok((&mut stream.options, id))
        }
        Object::Datagram(datagram) => Ok((&mut datagram.options, datagram.id)),
        Object::Packet(packet) => Ok((&mut packet.options, Some(packet.id))),
        Object::Epoll(_) => Err(Errno::ENOTSOCK),
    }
}

/// Sets an option whose value is a number; returns what it means for the stack.
fn set_number(
    file: &mut File,
    (level, name): (i32, i32),
    value: &[u8],
    connected: bool,
) -> Result<Option<SocketOption>, Errno> {
    // Socket options are looked at after their length, others before.
    if level == libc::SOL_SOCKET && value.len() < 4 {
        return Err(Errno::EINVAL);
    }
    let at = find_for(&file.object, level, name).ok_or(unknown(&file.object, level, name))?;
    let entry = TABLE.get(at).ok_or(Errno::ENOPROTOOPT)?;
    let value = match level {
        libc::IPPROTO_IP if value.is_empty() && needs_value(name) => return Err(Errno::EINVAL),
        libc::IPPROTO_IP => number_or_byte(value),
        _ => number(value)?,
    };
    refused(file, level, name)?;
    let late = match (level, name) {
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => has_port(&file.object),
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN) => connected,
        (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT) => connected || is_listening(&file.object),
        _ => false,
    };
    if late {
        return Err(Errno::EINVAL);
    }
    let value = match entry.takes {
        Takes::Flag => i32::from(value != 0),
        Takes::Any => value,
        Takes::LowWater if value < 0 => i32::MAX,
        Takes::LowWater => value.max(1),
        Takes::Range(least, most) if (least..=most).contains(&value) => value,
        Takes::ZeroOr(least, most) if value == 0 || (least..=most).contains(&value) => value,
        Takes::Octet(_) if value == -1 => entry.default,
        Takes::Octet(least) if (least..=255).contains(&value) => value,
        Takes::Byte => value & 0xFF,
        _ => return Err(Errno::EINVAL),
    };
    let is_class = matches!(
        (level, name),
        (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
    );
    let value = match is_class && is_stream(file) {
        true => value & !ECN,
        false => value,
    };
    let (options, _) = options_mut(file)?;
    options.store(at, value);
    options.settle_stamps(level, name);
    Ok(options.meaning(entry))
}

/// What a socket says to an option that it has not.
fn unknown(object: &Object, level: i32, name: i32) -> Errno {
    match is_filter_of_others(object, level, name) {
        true => Errno::EOPNOTSUPP,
        false => Errno::ENOPROTOOPT,
    }
}

/// Whether an option is one of raw sockets that are of ICMP, where the socket is one of another protocol.
pub(super) fn is_filter_of_others(object: &Object, level: i32, name: i32) -> bool {
    let Object::Datagram(datagram) = object else {
        return false;
    };
    let protocol = match datagram.kind {
        Kind::Raw(protocol) => i32::from(protocol),
        Kind::Udp | Kind::Ping => return false,
    };
    match (datagram.domain, level) {
        (Domain::V4, libc::SOL_RAW) => name == ICMP_FILTER && protocol != libc::IPPROTO_ICMP,
        (Domain::V6, libc::SOL_ICMPV6) => protocol != libc::IPPROTO_ICMPV6,
        _ => false,
    }
}

/// Options that are there, but not for this socket.
fn refused(file: &File, level: i32, name: i32) -> Result<(), Errno> {
    match (level, name, &file.object) {
        (libc::SOL_SOCKET, libc::SO_ZEROCOPY, Object::Stream(_)) => Ok(()),
        (libc::SOL_SOCKET, libc::SO_ZEROCOPY, Object::Datagram(datagram))
            if datagram.kind == Kind::Udp =>
        {
            Ok(())
        }
        (libc::SOL_SOCKET, libc::SO_ZEROCOPY, _) => Err(Errno::EOPNOTSUPP),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_TTL, Object::Stream(_)) => Err(Errno::EINVAL),
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, Object::Stream(_)) => {
            Err(Errno::ENOPROTOOPT)
        }
        (libc::IPPROTO_IP, libc::IP_HDRINCL, Object::Datagram(datagram))
            if matches!(datagram.kind, Kind::Raw(_)) =>
        {
            Ok(())
        }
        (libc::IPPROTO_IP, libc::IP_HDRINCL, _) => Err(Errno::ENOPROTOOPT),
        _ => Ok(()),
    }
}

/// Whether a socket has a port, by being bound or otherwise.
fn has_port(object: &Object) -> bool {
    match object {
        Object::Stream(stream) => stream.state != StreamState::Fresh,
        // A raw socket has its protocol for one.
        Object::Datagram(datagram) => {
            datagram.port != Port::None || matches!(datagram.kind, Kind::Raw(_))
        }
        Object::Packet(_) | Object::Epoll(_) => false,
    }
}

fn is_listening(object: &Object) -> bool {
    matches!(object, Object::Stream(stream) if stream.is_listening())
}

fn set_linger(options: &mut Options, value: &[u8]) -> Result<(), Errno> {
    let on = number(value)?;
    let seconds = number(value.get(4..).unwrap_or_default())?;
    options.linger = (on != 0).then_some(seconds);
    options.linger_off = if on == 0 { options.linger_off } else { seconds };
    Ok(())
}

pub(super) fn number(value: &[u8]) -> Result<i32, Errno> {
    let bytes = value.first_chunk().ok_or(Errno::EINVAL)?;
    Ok(i32::from_ne_bytes(*bytes))
}

/// Options of IPv4 for which nothing is not the same as 0.
fn needs_value(name: i32) -> bool {
    matches!(
        name,
        libc::IP_TTL | libc::IP_MULTICAST_TTL | libc::IP_MULTICAST_LOOP
    )
}

/// IPv4's options take a byte too.
fn number_or_byte(value: &[u8]) -> i32 {
    number(value).unwrap_or_else(|_| value.first().copied().unwrap_or(0).into())
}

/// A size as Linux keeps it: at most what the system allows, doubled for what goes beside data.
fn doubled(size: i32, most: usize, least: i32) -> i32 {
    // Greater than any system allows, if it is negative.
    let size = u32::try_from(size).unwrap_or(u32::MAX) as usize;
    let doubled = size.min(most).saturating_mul(2);
    i32::try_from(doubled).unwrap_or(i32::MAX).max(least)
}

/// A rate; all ones, of either size, means none.
fn pacing(value: &[u8]) -> Result<Option<u64>, Errno> {
    let rate = match value.first_chunk() {
        Some(bytes) => u64::from_ne_bytes(*bytes),
        None => match number(value)? as u32 {
            u32::MAX => u64::MAX,
            rate => rate.into(),
        },
    };
    Ok((rate != u64::MAX && rate != 0).then_some(rate))
}

/// A `struct timeval`; none for zero.
fn timeout(value: &[u8]) -> Result<Option<Duration>, Errno> {
    let number = |at: usize| {
        let bytes = value.get(at..).and_then(<[u8]>::first_chunk);
        bytes
            .map(|bytes| i64::from_ne_bytes(*bytes))
            .ok_or(Errno::EINVAL)
    };
    let (seconds, micros) = (number(0)?, number(8)?);
    let micros = u32::try_from(micros)
        .ok()
        .filter(|micros| *micros < 1_000_000)
        .ok_or(Errno::EDOM)?;
    let timeout = match u64::try_from(seconds) {
        Ok(seconds) => Duration::new(seconds, micros * 1000),
        Err(_) => return Ok(Some(Duration::ZERO)),
    };
    Ok((!timeout.is_zero()).then_some(timeout))
}

/// A name, up to its end or a zero byte.
fn text(value: &[u8]) -> Result<&str, Errno> {
    let bytes = value.split(|byte| *byte == 0).next().unwrap_or_default();
    if value.is_empty() {
        return Err(Errno::EINVAL);
    }
    core::str::from_utf8(bytes).map_err(|_| Errno::ENOENT)
}
