//! What can be done with a descriptor right now: `poll`, and the bits that it and `epoll` share.

use netstack_core::{SocketId, TcpState};

use crate::datagram::Datagram;
use crate::files::Object;
use crate::options::{Options, places};
use crate::stream::{Stream, StreamState};
use crate::{Errno, Sockets};

/// Bits of `poll` and `epoll`, which are the same.
pub(crate) const IN: u32 = libc::EPOLLIN as u32;
pub(crate) const OUT: u32 = libc::EPOLLOUT as u32;
pub(crate) const ERR: u32 = libc::EPOLLERR as u32;
pub(crate) const HUP: u32 = libc::EPOLLHUP as u32;
pub(crate) const PRI: u32 = libc::EPOLLPRI as u32;
pub(crate) const RDNORM: u32 = libc::EPOLLRDNORM as u32;
pub(crate) const RDBAND: u32 = libc::EPOLLRDBAND as u32;
pub(crate) const WRNORM: u32 = libc::EPOLLWRNORM as u32;
pub(crate) const WRBAND: u32 = libc::EPOLLWRBAND as u32;
pub(crate) const RDHUP: u32 = libc::EPOLLRDHUP as u32;

/// A `struct pollfd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PollFd {
    /// The descriptor; one below 0 is left out.
    pub fd: i32,
    /// What to look for: `POLLIN`, `POLLOUT` and so on.
    pub events: i16,
    /// What there is of it; `POLLERR`, `POLLHUP` and `POLLNVAL` unasked.
    pub revents: i16,
}

impl Sockets {
    /// Says of each descriptor what can be done with it now; returns of how many there is something to say.
    pub fn poll(&mut self, fds: &mut [PollFd]) -> usize {
        self.take_events();
        let mut ready = 0;
        for poll in fds {
            poll.revents = match self.readiness(poll.fd) {
                _ if poll.fd < 0 => 0,
                // The bits that were asked for fit.
                Ok(mask) => (mask & (u32::from(poll.events as u16) | ERR | HUP)) as i16,
                Err(_) => libc::POLLNVAL,
            };
            ready += usize::from(poll.revents != 0);
        }
        ready
    }

    /// What can be done with a descriptor now, in bits of `epoll`.
    ///
    /// # Errors
    ///
    /// Not a descriptor.
    pub fn readiness(&self, fd: i32) -> Result<u32, Errno> {
        Ok(match &self.files.get(fd)?.object {
            Object::Stream(stream) => self.stream_mask(stream),
            Object::Datagram(datagram) => self.datagram_mask(datagram),
            Object::Packet(packet) => self.queue_mask(Some(packet.id)),
            Object::Epoll(epoll) if self.has_ready(epoll) => IN | RDNORM,
            Object::Epoll(_) => 0,
        })
    }

    fn stream_mask(&self, stream: &Stream) -> u32 {
        let id = match stream.state {
            StreamState::Listening(id) => {
                let readable = self.stack.readiness(id).is_ok_and(|ready| ready.readable);
                return if readable { IN | RDNORM } else { 0 };
            }
            StreamState::Fresh | StreamState::Bound(_) => {
                let read = if stream.shut.read {
                    IN | RDNORM | RDHUP
                } else {
                    0
                };
                let error = if stream.left.is_some() { ERR } else { 0 };
                return HUP | OUT | WRNORM | read | error;
            }
            StreamState::Connecting(id) | StreamState::Connected(id) => id,
        };
        let (Ok(ready), Ok(state)) = (self.stack.readiness(id), self.stack.tcp_state(id)) else {
            return HUP | ERR;
        };
        let over = matches!(state, TcpState::Closed | TcpState::TimeWait);
        let peer_shut = matches!(
            state,
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing
        );
        let read_shut = over || peer_shut || stream.shut.read;
        let write_shut = over || stream.shut.write;
        let mut mask = 0;
        if read_shut && write_shut {
            mask |= HUP;
        }
        if read_shut {
            mask |= IN | RDNORM | RDHUP;
        }
        if ready.error || ready.stamped || stream.completed.is_some() {
            mask |= ERR;
        }
        if !ready.connecting {
            if ready.urgent {
                mask |= PRI;
            }
            if ready.readable && self.has_enough(stream, id, usize::MAX) {
                mask |= IN | RDNORM;
            }
            if ready.writable || write_shut {
                mask |= OUT | WRNORM;
            }
        }
        mask
    }

    /// Whether as much is there as the program waits for (`SO_RCVLOWAT`), or no more comes before it reads.
    pub(crate) fn has_enough(&self, stream: &Stream, id: SocketId, most: usize) -> bool {
        let least = stream.options.least_to_read().min(most);
        if least <= 1 {
            return true;
        }
        // The urgent byte that is next counts for nothing.
        let at_mark = !stream.options.inline() && self.stack.tcp_urgent(id) == Ok(Some(1));
        let least = least + usize::from(at_mark);
        let unread = self.stack.tcp_info(id).map_or(0, |info| info.unread);
        unread >= least || unread == 0 || self.stack.tcp_may_receive(id) != Ok(true)
    }

    fn datagram_mask(&self, datagram: &Datagram) -> u32 {
        let mut mask = self.queue_mask(datagram.id);
        if datagram.completed.is_some() {
            mask |= ERR;
        }
        if mask & ERR != 0 && selects_errors(&datagram.options) {
            mask |= PRI;
        }
        if datagram.shut.read {
            mask |= IN | RDNORM | RDHUP;
        }
        if datagram.shut.read && datagram.shut.write {
            mask |= HUP;
        }
        mask
    }

    /// Of a socket with a queue of datagrams in either direction.
    fn queue_mask(&self, id: Option<SocketId>) -> u32 {
        let ready = id.and_then(|id| self.stack.readiness(id).ok());
        let mut mask = 0;
        if let Some(ready) = ready {
            if ready.error || ready.stamped {
                mask |= ERR;
            }
            let queued = id.and_then(|id| self.stack.datagram_queued(id).ok());
            if ready.readable && (!ready.error || queued.is_some_and(|(next, _)| next > 0)) {
                mask |= IN | RDNORM;
            }
        }
        if ready.is_none_or(|ready| ready.writable) {
            mask |= OUT | WRNORM | WRBAND;
        }
        mask
    }
}

/// Whether errors that wait to be read are told as something urgent too.
fn selects_errors(options: &Options) -> bool {
    options.is_on(places::SO_SELECT_ERR_QUEUE)
}
