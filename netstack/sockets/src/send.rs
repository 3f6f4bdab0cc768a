//! `sendmsg`.

use std::net::{IpAddr, SocketAddr};

use netstack_core::{FastOpen, SendControl, SendError, SendFlags, SocketId, TcpState};
use txbuf::{IovIter, Token};

use crate::address::{Domain, to_send, to_send_v6};
use crate::control::{Way, Wishes, of_datagram, of_others};
use crate::datagram::{Datagram, Kind};
use crate::errors::zerocopy;
use crate::files::Object;
use crate::interfaces::numbered;
use crate::options::{Options, places};
use crate::parts::Parts;
use crate::stream::StreamState;
use crate::{Errno, Sockets};

/// The longest datagram, headers and all.
const LONGEST: usize = 0xFFFF;
/// Bytes of the header of an echo request.
const ECHO_HEADER: usize = 8;
/// Types of echo requests.
const ECHO_V4: u8 = 8;
const ECHO_V6: u8 = 128;

/// What goes with a message that is sent, beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageHead<'a> {
    /// Whom a datagram is for; `None` for the peer. On a stream it means nothing.
    pub name: Option<&'a [u8]>,
    /// Control messages.
    pub control: &'a [u8],
    /// The message's token ([`Stack::message_token`](netstack_core::Stack::message_token)).
    pub token: Option<&'a Token>,
}

impl Sockets {
    /// Sends a message, or on a stream as much of it as there is room for. `from` is advanced by what was taken, which is
    /// returned. `flags` may have `MSG_MORE`, `MSG_DONTWAIT`, `MSG_OOB`, `MSG_ZEROCOPY`, `MSG_FASTOPEN`, `MSG_NOSIGNAL` (there
    /// is no signal anyway) and others that mean nothing here.
    ///
    /// # Errors
    ///
    /// As Linux has them. Nothing was taken.
    pub fn sendmsg(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
    ) -> Result<usize, Errno> {
        let mut whole = Parts::default();
        let sent = self.sendmsg_part(fd, from, head, flags, &mut whole);
        self.end_message(whole);
        sent
    }

    /// As [`sendmsg`](Self::sendmsg), of what is left of a message whose earlier `parts` are sent. On a stream its number on
    /// the error queue and the times that are told of it (`MSG_ZEROCOPY`, `SO_TIMESTAMPING`) are of the whole, once
    /// [`end_message`](Self::end_message) says that no more of it comes.
    ///
    /// # Errors
    ///
    /// As Linux has them. Nothing was taken.
    pub fn sendmsg_part(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
        parts: &mut Parts,
    ) -> Result<usize, Errno> {
        match &self.files.get(fd)?.object {
            Object::Stream(_) => self.send_stream(fd, from, head, flags, parts),
            Object::Datagram(_) => self.send_datagram(fd, from, head, flags),
            Object::Packet(_) => self.send_packet(fd, from, head),
            Object::Epoll(_) => Err(Errno::ENOTSOCK),
        }
    }

    fn send_stream(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
        parts: &mut Parts,
    ) -> Result<usize, Errno> {
        if flags & libc::MSG_FASTOPEN != 0
            && let Some(sent) = self.send_early(fd, from, head, flags)
        {
            return sent;
        }
        let stream = self.stream_mut(fd)?;
        let id = match stream.state {
            StreamState::Fresh | StreamState::Bound(_) | StreamState::Listening(_) => {
                return Err(stream.left.take().unwrap_or(Errno::EPIPE));
            }
            StreamState::Connecting(id) | StreamState::Connected(id) => id,
        };
        // What has failed or is shut is looked at first.
        if !head.control.is_empty()
            && let Err(error) = self.stack.send_room(id)
            && error != SendError::WouldBlock
        {
            return Err(error.into());
        }
        let own_stamps = of_others(head.control)?;
        let stamp = self.stream(fd)?.options.stamp_of(own_stamps);
        let begins = parts.token.is_none();
        if begins && self.sends_zerocopy(fd, flags, from)? {
            parts.token = Some(self.zerocopy_token(id, from)?);
        }
        let control = SendControl {
            token: head.token.or(parts.token.as_ref()),
            ..SendControl::default()
        };
        let sent = self
            .stack
            .send_message(id, from, send_flags(flags), &control);
        let taken = match sent {
            Ok(taken) => taken,
            Err(error) => {
                if let Some(token) = parts.token.take_if(|_| begins) {
                    // It gives its number back.
                    self.stack.revoke_token(id, token);
                }
                return Err(error.into());
            }
        };
        if let Some(request) = stamp
            && taken > 0
        {
            parts.stamp = Some((id, request, taken));
        }
        self.stream_mut(fd)?.options.count_bytes(taken);
        Ok(taken)
    }

    /// Begins a connection that carries data with its SYN, if its peer gave a cookie, and asks for one otherwise. `None` if
    /// there is a connection that was begun otherwise and is made now.
    fn send_early(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
    ) -> Option<Result<usize, Errno>> {
        let now = self.stack.latest_time();
        let is_client = self.stack.tcp_config().fast_open.has(FastOpen::CLIENT);
        let unspecified = (libc::AF_UNSPEC as u16).to_ne_bytes();
        if !is_client || head.name.is_some_and(|name| name.starts_with(&unspecified)) {
            return Some(Err(Errno::EOPNOTSUPP));
        }
        let begun = match self.stream(fd) {
            Ok(stream) => stream.state,
            Err(error) => return Some(Err(error)),
        };
        if let StreamState::Connecting(id) = begun
            && self.stack.tcp_state(id) == Ok(TcpState::SynSent)
            && self
                .stack
                .readiness(id)
                .is_ok_and(|ready| !ready.connecting)
        {
            // It waits for data.
            return None;
        }
        let connected = match (head.name, begun) {
            // Without a name only one that was begun can be meant.
            (None, StreamState::Listening(_) | StreamState::Connected(_)) => Err(Errno::EISCONN),
            (None, StreamState::Connecting(id)) => self.conclude(now, fd, id),
            (name, _) => self.connect(now, fd, name.unwrap_or_default()),
        };
        match connected {
            Ok(()) => return None,
            Err(Errno::EINPROGRESS) => {}
            Err(error) => return Some(Err(error)),
        }
        Some(self.write_early(fd, from, flags))
    }

    fn write_early(&mut self, fd: i32, from: &mut IovIter<'_>, flags: i32) -> Result<usize, Errno> {
        let id = self.stream(fd)?.connection().ok_or(Errno::EPIPE)?;
        let peer = self.stack.peer_addr(id)?;
        let (control, early) = (SendControl::default(), SendFlags::FAST_OPEN);
        if self.stack.can_fast_open(peer.ip()) {
            let flags = send_flags(flags) | early;
            let sent = self.stack.send_message(id, from, flags, &control)?;
            self.stream_mut(fd)?.options.count_bytes(sent);
            return Ok(sent);
        }
        let nothing = &mut IovIter::bytes(&[]);
        self.stack.send_message(id, nothing, early, &control)?;
        Err(Errno::EINPROGRESS)
    }

    fn send_datagram(
        &mut self,
        fd: i32,
        from: &mut IovIter<'_>,
        head: &MessageHead<'_>,
        flags: i32,
    ) -> Result<usize, Errno> {
        // It has a port from now on, whether or not anything is sent.
        let id = self.bound_datagram(fd)?;
        let datagram = self.datagram(fd)?;
        let (kind, domain) = (datagram.kind, datagram.domain);
        let too_long = from.remaining() > LONGEST;
        if too_long && domain == Domain::V4 {
            return Err(Errno::EMSGSIZE);
        }
        if kind == Kind::Ping && from.remaining() < ECHO_HEADER {
            return Err(Errno::EINVAL);
        }
        // Of UDP over IPv6 nobody looks.
        let urgent = flags & libc::MSG_OOB != 0;
        if urgent && (domain, kind) != (Domain::V6, Kind::Udp) {
            return Err(Errno::EOPNOTSUPP);
        }
        if kind == Kind::Ping && !is_request(domain, from) {
            return Err(Errno::EINVAL);
        }
        let named = datagram.named(head.name)?;
        let own = || Some(self.local_of_datagram(datagram));
        let named = named.map(|to| self.not_unspecified(to, own));
        let to = named.or(datagram.peer).ok_or(Errno::EDESTADDRREQ)?;
        if named.is_none() && datagram.refuses_port(to) {
            return Err(Errno::EINVAL);
        }
        if urgent && to.ip().to_canonical().is_ipv4() {
            return Err(Errno::EOPNOTSUPP);
        }
        if too_long {
            return Err(Errno::EMSGSIZE);
        }
        let shut = datagram.shut.write;
        let way = Way {
            to_v4: to.ip().to_canonical().is_ipv4(),
            of_v6: domain == Domain::V6,
            is_udp: kind == Kind::Udp,
        };
        let wishes = of_datagram(head.control, way)?;
        datagram.begins_icmp(from.remaining())?;
        let mut control = self.control_of(&datagram.options, to.ip().to_canonical(), &wishes)?;
        control.stamp = datagram.options.stamp_of(wishes.stamps);
        if shut {
            let error = self.stack.take_error(id)?;
            return Err(error.map_or(Errno::EPIPE, Errno::from));
        }
        let own = match self.sends_zerocopy(fd, flags, from)? {
            true => Some(self.zerocopy_token(id, from)?),
            false => None,
        };
        control.to = named;
        control.token = head.token.or(own.as_ref());
        let len = from.remaining();
        control.segment = control.segment.filter(|size| usize::from(*size) < len);
        let sent = self
            .stack
            .send_message(id, from, send_flags(flags), &control);
        self.settle_token(id, own, sent.is_ok());
        if sent.is_ok() {
            self.datagram_mut(fd)?.options.count_datagram(wishes.stamps);
        }
        sent.map_err(|error| match error {
            // The address is one that no way leads to.
            SendError::InvalidAddress => Errno::ENETUNREACH,
            error => error.into(),
        })
    }

    /// How a datagram to `to` is addressed and marked: as its control messages say, or else as the socket.
    fn control_of(
        &self,
        options: &Options,
        to: IpAddr,
        wishes: &Wishes,
    ) -> Result<SendControl<'static>, Errno> {
        let iface = match wishes.interface {
            Some(number) => Some(numbered(&self.stack, number)?),
            None => None,
        };
        let is_own = |source: IpAddr| self.stack.interface_of(source).is_some();
        match wishes.source {
            Some(source) if is_own(source) => {}
            Some(IpAddr::V4(_)) => return Err(Errno::ENETUNREACH),
            Some(IpAddr::V6(_)) => return Err(Errno::EINVAL),
            None => {}
        }
        let segment = options.value(places::UDP_SEGMENT);
        let segment = wishes.segment.or(u16::try_from(segment).ok());
        let (group, limit, class) = match to.is_ipv4() {
            true => (
                options.group_interface_v4.iface,
                match to.is_multicast() {
                    true => options.value(places::IP_MULTICAST_TTL),
                    false => options.value(places::IP_TTL),
                },
                options.value(places::IP_TOS),
            ),
            false => (
                options.group_interface_v6,
                match to.is_multicast() {
                    true => options.value(places::IPV6_MULTICAST_HOPS),
                    false => options.value(places::IPV6_UNICAST_HOPS),
                },
                options.value(places::IPV6_TCLASS),
            ),
        };
        Ok(SendControl {
            source: wishes.source,
            iface: iface.or(group.filter(|_| to.is_multicast())),
            segment: segment.filter(|size| *size > 0),
            hop_limit: wishes.hop_limit.or(u8::try_from(limit).ok()),
            traffic_class: wishes.traffic_class.or(u8::try_from(class).ok()),
            dont_fragment: wishes.dont_fragment,
            ..SendControl::default()
        })
    }

    /// Whether a message is to be told of on the error queue when nobody needs its bytes any more.
    fn sends_zerocopy(&self, fd: i32, flags: i32, from: &IovIter<'_>) -> Result<bool, Errno> {
        // Of a stream nothing is no message.
        let (options, is_message) = match &self.files.get(fd)?.object {
            Object::Stream(stream) => (&stream.options, from.remaining() > 0),
            Object::Datagram(datagram) => (&datagram.options, true),
            Object::Packet(_) | Object::Epoll(_) => return Ok(false),
        };
        Ok(flags & libc::MSG_ZEROCOPY != 0 && is_message && zerocopy(options))
    }

    /// Gives the number of a message back that was not sent.
    fn settle_token(&mut self, id: SocketId, token: Option<Token>, sent: bool) {
        if let Some(token) = token
            && !sent
        {
            self.stack.revoke_token(id, token);
        }
    }
}

impl Datagram {
    /// Whether so many bytes are the beginning of a message of ICMP, if a raw socket is one of it: type and code, which
    /// the kernel looks at, and of ICMPv6 the checksum too, which it writes.
    fn begins_icmp(&self, len: usize) -> Result<(), Errno> {
        let ping = match self.domain {
            Domain::V4 => libc::IPPROTO_ICMP,
            Domain::V6 => libc::IPPROTO_ICMPV6,
        };
        if !matches!(self.kind, Kind::Raw(of) if i32::from(of) == ping) {
            return Ok(());
        }
        match (self.domain, len) {
            (Domain::V4, _) if self.options.is_on(places::IP_HDRINCL) => Ok(()),
            (_, 0..2) => Err(Errno::EFAULT),
            (Domain::V6, 2..4) => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// Whom a message is for that has a name.
    fn named(&self, name: Option<&[u8]>) -> Result<Option<SocketAddr>, Errno> {
        let Some(name) = name else {
            return Ok(None);
        };
        let named = match (self.kind, self.domain) {
            (Kind::Ping | Kind::Raw(_), Domain::V6) => to_send_v6(name)?,
            (_, domain) => to_send(domain, self.v6_only(), name)?,
        };
        match (self.kind, named) {
            (Kind::Udp, Some(to)) if to.port() == 0 => Err(Errno::EINVAL),
            // Of IPv6 it may name the protocol once more.
            (Kind::Raw(protocol), Some(to))
                if self.domain == Domain::V6
                    && to.port() != 0
                    && to.port() != u16::from(protocol)
                    && i32::from(protocol) != libc::IPPROTO_RAW =>
            {
                Err(Errno::EINVAL)
            }
            (_, named) => Ok(named),
        }
    }
}

/// Whether a message begins as an echo request; what cannot be looked at here is looked at by the stack.
fn is_request(domain: Domain, from: &mut IovIter<'_>) -> bool {
    let mut start = [0; 2];
    if from.plain() < start.len() {
        return true;
    }
    let copied = from.copy_from(&mut start);
    let request = match domain {
        Domain::V4 => ECHO_V4,
        Domain::V6 => ECHO_V6,
    };
    from.revert(copied).is_ok() && start == [request, 0]
}

fn send_flags(flags: i32) -> SendFlags {
    let mut meant = SendFlags::NONE;
    for (flag, meaning) in [
        (libc::MSG_MORE, SendFlags::MORE),
        (libc::MSG_DONTWAIT, SendFlags::DONTWAIT),
        (libc::MSG_OOB, SendFlags::OOB),
    ] {
        if flags & flag != 0 {
            meant = meant | meaning;
        }
    }
    meant
}
