//! Socket options by Linux's numbers.

use std::net::IpAddr;
use std::time::Duration;

use netstack_core::{GroupError, Instant, SocketOption, Stack};

use super::{Kind, Outcome, Socket, Stop, connection_errno};
use crate::calls::{Returned, Value};
use crate::names;

const SOCKET: i64 = libc::SOL_SOCKET as i64;
const TCP: i64 = libc::IPPROTO_TCP as i64;
const IP: i64 = libc::IPPROTO_IP as i64;
const IPV6: i64 = libc::IPPROTO_IPV6 as i64;
const IP_TTL: i64 = libc::IP_TTL as i64;
const IP_TOS: i64 = libc::IP_TOS as i64;
const HOPS: i64 = libc::IPV6_UNICAST_HOPS as i64;
const TCLASS: i64 = libc::IPV6_TCLASS as i64;
const REUSE: i64 = libc::SO_REUSEADDR as i64;
const ERROR: i64 = libc::SO_ERROR as i64;
const LINGER: i64 = libc::SO_LINGER as i64;
const KEEP: i64 = libc::SO_KEEPALIVE as i64;
const RCVBUF: i64 = libc::SO_RCVBUF as i64;
const JOIN: i64 = libc::IP_ADD_MEMBERSHIP as i64;
const LEAVE: i64 = libc::IP_DROP_MEMBERSHIP as i64;
const JOIN6: i64 = libc::IPV6_ADD_MEMBERSHIP as i64;
const LEAVE6: i64 = libc::IPV6_DROP_MEMBERSHIP as i64;
const DISCOVER: i64 = libc::IP_MTU_DISCOVER as i64;
const DISCOVER6: i64 = libc::IPV6_MTU_DISCOVER as i64;
const NEVER_CUT: i64 = libc::IP_PMTUDISC_DO as i64;
const SNDBUF: i64 = libc::SO_SNDBUF as i64;
const NODELAY: i64 = libc::TCP_NODELAY as i64;
const KEEPIDLE: i64 = libc::TCP_KEEPIDLE as i64;
const KEEPINTVL: i64 = libc::TCP_KEEPINTVL as i64;
const KEEPCNT: i64 = libc::TCP_KEEPCNT as i64;
const MAXSEG: i64 = libc::TCP_MAXSEG as i64;
const CORK: i64 = libc::TCP_CORK as i64;
const QUICKACK: i64 = libc::TCP_QUICKACK as i64;
const USER_TIMEOUT: i64 = libc::TCP_USER_TIMEOUT as i64;
const ADVERTISE: i64 = names::ADVERTISE_USER_TIMEOUT as i64;
const CONGESTION: i64 = libc::TCP_CONGESTION as i64;
const FASTOPEN: i64 = libc::TCP_FASTOPEN as i64;
const FASTOPEN_CONNECT: i64 = libc::TCP_FASTOPEN_CONNECT as i64;

/// Whether the stack has the option for sockets of this kind; others are kept for the connections of a listener.
pub(super) fn takes(kind: &Kind, option: &SocketOption) -> bool {
    let marks = matches!(
        option,
        SocketOption::HopLimit(_) | SocketOption::TrafficClass(_)
    );
    let of_datagrams = matches!(
        option,
        SocketOption::DontFragment(_) | SocketOption::ReceiveBuffer(_)
    );
    let of_listener = matches!(option, SocketOption::FastOpen(_));
    match kind {
        Kind::Listener(_) => of_listener || marks,
        Kind::Datagram { .. } => marks || of_datagrams,
        Kind::Fresh { .. } | Kind::Tcp { .. } => !of_listener,
    }
}

impl Socket {
    /// `setsockopt`; an option that this stack does not have is an error of its own name, as in a kernel.
    pub(super) fn set_option(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (level, name): (i64, i64),
        value: &Value,
    ) -> Outcome {
        if let Value::Group(group) = value {
            return self.join(stack, now, (level, name), *group);
        }
        let option = match ((level, name), value) {
            ((SOCKET, REUSE), _) => return Ok(Returned::value(0)),
            ((SOCKET, LINGER), Value::Linger { on, seconds }) => {
                let time = Duration::from_secs(fitting(*seconds)?);
                SocketOption::Linger(on.then_some(time))
            }
            ((TCP, FASTOPEN), Value::Int(most)) => {
                let most = fitting(*most)?;
                SocketOption::FastOpen(most)
            }
            ((TCP, FASTOPEN_CONNECT), Value::Int(on)) => SocketOption::FastOpenConnect(*on != 0),
            ((SOCKET, KEEP), Value::Int(on)) => {
                SocketOption::KeepAlive((*on != 0).then_some(self.keep_times))
            }
            ((SOCKET, SNDBUF), Value::Int(limit)) => SocketOption::SendBuffer(fitting(*limit)?),
            ((SOCKET, RCVBUF), Value::Int(limit)) if self.is_datagram() => {
                SocketOption::ReceiveBuffer(fitting(*limit)?)
            }
            ((IP, DISCOVER) | (IPV6, DISCOVER6), Value::Int(how)) if self.is_datagram() => {
                SocketOption::DontFragment(*how == NEVER_CUT)
            }
            ((TCP, NODELAY), Value::Int(on)) => SocketOption::NoDelay(*on != 0),
            ((TCP, KEEPIDLE | KEEPINTVL | KEEPCNT), Value::Int(value)) => {
                let number = u32::try_from(*value).ok().filter(|value| *value > 0);
                let number = number.ok_or(Stop::Errno(libc::EINVAL))?;
                let time = Duration::from_secs(u64::from(number));
                match name {
                    KEEPIDLE => self.keep_times.idle = time,
                    KEEPINTVL => self.keep_times.interval = time,
                    _ => self.keep_times.probes = number,
                }
                // Times alone switch nothing on.
                if !self.keeps_alive() {
                    return Ok(Returned::value(0));
                }
                SocketOption::KeepAlive(Some(self.keep_times))
            }
            ((IP, IP_TTL) | (IPV6, HOPS), Value::Int(limit)) => {
                SocketOption::HopLimit(Some(fitting(*limit)?))
            }
            ((IP, IP_TOS) | (IPV6, TCLASS), Value::Int(class)) => {
                SocketOption::TrafficClass(fitting(*class)?)
            }
            ((TCP, CORK), Value::Int(on)) => SocketOption::Cork(*on != 0),
            ((TCP, QUICKACK), Value::Int(on)) => SocketOption::QuickAck(*on != 0),
            ((TCP, USER_TIMEOUT), Value::Int(millis)) => {
                let millis: u64 = fitting(*millis)?;
                SocketOption::UserTimeout((millis > 0).then(|| Duration::from_millis(millis)))
            }
            ((TCP, ADVERTISE), Value::Int(seconds)) => {
                let seconds = fitting(*seconds)?;
                SocketOption::AdvertiseUserTimeout(Some(Duration::from_secs(seconds)))
            }
            ((TCP, MAXSEG), Value::Int(size)) => SocketOption::MaxSegment(fitting(*size)?),
            ((TCP, CONGESTION), Value::Text(algorithm)) => {
                SocketOption::Congestion(algorithm.parse().map_err(|_| Stop::Errno(libc::ENOENT))?)
            }
            _ => return Err(Stop::Errno(libc::ENOPROTOOPT)),
        };
        let same = core::mem::discriminant(&option);
        self.options
            .retain(|old| core::mem::discriminant(old) != same);
        self.options.push(option);
        if let Kind::Tcp { id, .. } | Kind::Listener(id) | Kind::Datagram { id: Some(id), .. } =
            self.kind
            && takes(&self.kind, &option)
        {
            stack
                .set_option(now, id, option)
                .map_err(|_| Stop::Errno(libc::EINVAL))?;
        }
        Ok(Returned::value(0))
    }

    fn is_datagram(&self) -> bool {
        matches!(self.kind, Kind::Datagram { .. })
    }

    /// Joins a multicast group, or leaves it.
    fn join(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        what: (i64, i64),
        group: IpAddr,
    ) -> Outcome {
        let id = match self.kind {
            Kind::Datagram { .. } => self.open_datagram(stack, now)?,
            _ => return Err(Stop::Errno(libc::EINVAL)),
        };
        let done = match what {
            (IP, JOIN) | (IPV6, JOIN6) => stack.join_group(now, id, group, None),
            (IP, LEAVE) | (IPV6, LEAVE6) => stack.leave_group(now, id, group, None),
            _ => return Err(Stop::Errno(libc::ENOPROTOOPT)),
        };
        done.map_err(|error| {
            Stop::Errno(match error {
                GroupError::Already => libc::EADDRINUSE,
                GroupError::NotMember => libc::EADDRNOTAVAIL,
                _ => libc::EINVAL,
            })
        })?;
        Ok(Returned::value(0))
    }

    fn keeps_alive(&self) -> bool {
        let on = |option: &SocketOption| matches!(option, SocketOption::KeepAlive(Some(_)));
        self.options.iter().any(on)
    }

    /// `getsockopt`.
    pub(super) fn read_option(&self, stack: &mut Stack, (level, name): (i64, i64)) -> Outcome {
        let value = match (level, name) {
            (SOCKET, ERROR) => match self.id() {
                Ok(id) => stack
                    .take_error(id)
                    .ok()
                    .flatten()
                    .map_or(0, connection_errno)
                    .into(),
                Err(_) => 0,
            },
            (TCP, MAXSEG) => {
                let info = stack
                    .tcp_info(self.id()?)
                    .map_err(|_| Stop::Errno(libc::EINVAL))?;
                i64::try_from(info.send_mss).unwrap_or(i64::MAX)
            }
            (TCP, NODELAY) => {
                let on = self
                    .options
                    .iter()
                    .any(|option| matches!(option, SocketOption::NoDelay(true)));
                i64::from(on)
            }
            _ => return Err(Stop::Errno(libc::ENOPROTOOPT)),
        };
        Ok(Returned {
            out: vec![value],
            ..Returned::default()
        })
    }
}

/// A number that has to be within what the option takes.
fn fitting<T: TryFrom<i64>>(number: i64) -> Result<T, Stop> {
    T::try_from(number).map_err(|_| Stop::Errno(libc::EINVAL))
}
