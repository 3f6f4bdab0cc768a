//! `getsockopt`.

use core::time::Duration;

use netstack_core::SocketId;

use super::Options;
use super::set::is_filter_of_others;
use super::table::find_for;
use crate::datagram::Kind;
use crate::files::Object;
use crate::info::{
    congestion_info_bytes, meminfo_bytes, tcp_info_bytes, tcp_info_of_no_connection,
};
use crate::{Errno, Sockets};

/// Bytes of the name of an algorithm, with the zeroes behind it.
const NAME: usize = 16;
/// What a connection assumes the peer to take before it knows.
const MSS_DEFAULT: i32 = 536;
/// What datagram sockets hold.
const DATAGRAMS_RECEIVED: i32 = 1 << 20;
const DATAGRAMS_SENT: i32 = 256 << 10;

/// What is asked of, for the time of a call.
struct Asked {
    options: Options,
    /// The stack's socket.
    id: Option<SocketId>,
    connection: Option<SocketId>,
    listens: bool,
    is_stream: bool,
    kind: i32,
    protocol: i32,
    domain: i32,
}

impl Sockets {
    /// Writes the value of an option into `into`, as much as there is room for; returns its bytes.
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for an option that the socket has not.
    pub fn getsockopt(
        &mut self,
        fd: i32,
        level: i32,
        name: i32,
        into: &mut [u8],
    ) -> Result<usize, Errno> {
        let asked = self.asked(fd)?;
        let value = match level {
            libc::SOL_SOCKET => self.read_socket(fd, &asked, name)?,
            libc::IPPROTO_TCP if asked.is_stream => self.read_tcp(&asked, name)?,
            _ => None,
        };
        let value = match value {
            Some(value) => Some(value),
            None => self.read_interface(fd, (level, name), into.len())?,
        };
        let value = match value {
            Some(value) => value,
            None => {
                let object = &self.files.get(fd)?.object;
                let error = match is_filter_of_others(object, level, name) {
                    true => Errno::EOPNOTSUPP,
                    false => unknown(&asked, level),
                };
                find_for(object, level, name).ok_or(error)?;
                int(asked.options.number(level, name))
            }
        };
        // IPv4's options fit into a byte, if there is no room for more.
        let len = match level {
            libc::IPPROTO_IP if into.len() < 4 => into.len().min(1),
            _ => into.len().min(value.len()),
        };
        if let (Some(into), Some(value)) = (into.get_mut(..len), value.get(..len)) {
            into.copy_from_slice(value);
        }
        Ok(len)
    }

    fn asked(&self, fd: i32) -> Result<Asked, Errno> {
        Ok(match &self.files.get(fd)?.object {
            Object::Stream(stream) => Asked {
                options: stream.options.clone(),
                id: stream.id(),
                connection: stream.connection(),
                listens: stream.is_listening(),
                is_stream: true,
                kind: libc::SOCK_STREAM,
                protocol: libc::IPPROTO_TCP,
                domain: stream.domain.number(),
            },
            Object::Datagram(datagram) => Asked {
                options: datagram.options.clone(),
                id: datagram.id,
                connection: None,
                listens: false,
                is_stream: false,
                kind: match datagram.kind {
                    Kind::Raw(_) => libc::SOCK_RAW,
                    Kind::Udp | Kind::Ping => libc::SOCK_DGRAM,
                },
                protocol: datagram.protocol(),
                domain: datagram.domain.number(),
            },
            Object::Packet(packet) => Asked {
                options: packet.options.clone(),
                id: Some(packet.id),
                connection: None,
                listens: false,
                is_stream: false,
                kind: packet.kind,
                // Linux says what it is bound to with its name only.
                protocol: 0,
                domain: libc::AF_PACKET,
            },
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        })
    }

    fn read_socket(&mut self, fd: i32, asked: &Asked, name: i32) -> Result<Option<Vec<u8>>, Errno> {
        let options = &asked.options;
        Ok(Some(match name {
            libc::SO_TYPE => int(asked.kind),
            libc::SO_PROTOCOL => int(asked.protocol),
            libc::SO_DOMAIN => int(asked.domain),
            libc::SO_ACCEPTCONN => int(i32::from(asked.listens)),
            libc::SO_ERROR if self.stream(fd).is_ok_and(|stream| stream.left.is_some()) => {
                let left = self.stream_mut(fd)?.left.take();
                int(left.map_or(0, Errno::raw))
            }
            libc::SO_ERROR => {
                let error = asked.id.and_then(|id| self.stack.take_error(id).ok());
                int(error.flatten().map_or(0, |error| Errno::from(error).raw()))
            }
            libc::SO_LINGER => {
                let seconds = options.linger.unwrap_or(options.linger_off);
                let on = i32::from(options.linger.is_some());
                [int(on), int(seconds)].concat()
            }
            libc::SO_RCVTIMEO => self.timeout(fd, 0)?,
            libc::SO_SNDTIMEO => self.timeout(fd, 1)?,
            libc::SO_SNDBUF => int(self.buffers(asked).0),
            libc::SO_RCVBUF => int(self.buffers(asked).1),
            libc::SO_MAX_PACING_RATE => {
                let rate = options.pacing.unwrap_or(u64::MAX);
                rate.to_ne_bytes().to_vec()
            }
            // Behind it the number of a clock of hardware.
            libc::SO_TIMESTAMPING => [int(options.stamping() as i32), int(0)].concat(),
            libc::SO_MEMINFO => {
                let (send, receive) = self.buffers(asked);
                meminfo_bytes(&self.stack, asked.id, send, receive)
            }
            _ => return Ok(None),
        }))
    }

    fn read_tcp(&mut self, asked: &Asked, name: i32) -> Result<Option<Vec<u8>>, Errno> {
        let info = asked.connection.map(|id| self.stack.tcp_info(id));
        let info = info.transpose()?;
        let options = &asked.options;
        Ok(Some(match name {
            libc::TCP_INFO => match info {
                Some(info) => tcp_info_bytes(&info).to_vec(),
                None => {
                    let backlog = asked.id.and_then(|id| self.stack.tcp_backlog(id).ok());
                    tcp_info_of_no_connection(backlog).to_vec()
                }
            },
            libc::TCP_CC_INFO => info.map_or_else(Vec::new, |info| congestion_info_bytes(&info)),
            libc::TCP_CONGESTION => {
                let of_connection = info.map(|info| info.congestion);
                let algorithm = of_connection
                    .or(options.congestion)
                    .unwrap_or(self.stack.tcp_config().congestion);
                let mut name = algorithm.name().as_bytes().to_vec();
                name.resize(NAME, 0);
                name
            }
            libc::TCP_MAXSEG => {
                let own = options.number(libc::IPPROTO_TCP, name);
                let known = info.filter(|info| info.state != netstack_core::TcpState::Closed);
                let sent = known.map(|info| i32::try_from(info.send_mss).unwrap_or(i32::MAX));
                int(sent.unwrap_or(if own == 0 { MSS_DEFAULT } else { own }))
            }
            _ => return Ok(None),
        }))
    }

    /// Sizes of the buffers for sending and receiving.
    fn buffers(&self, asked: &Asked) -> (i32, i32) {
        let size = |size: usize| i32::try_from(size).unwrap_or(i32::MAX);
        let (send, receive) = if asked.is_stream {
            let config = self.stack.tcp_config();
            let info = asked.connection.and_then(|id| self.stack.tcp_info(id).ok());
            info.map_or(
                (
                    size(config.send_buffer_at_first()),
                    size(config.receive_buffer_at_first()),
                ),
                |info| (size(info.send_buffer), size(info.receive_buffer)),
            )
        } else {
            (DATAGRAMS_SENT, DATAGRAMS_RECEIVED)
        };
        (
            asked.options.send_buffer.unwrap_or(send),
            asked.options.receive_buffer.unwrap_or(receive),
        )
    }

    fn timeout(&self, fd: i32, which: usize) -> Result<Vec<u8>, Errno> {
        let timeout = self.files.get(fd)?.timeouts.get(which).copied().flatten();
        let timeout = timeout.unwrap_or(Duration::ZERO);
        let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
        let micros = i64::from(timeout.subsec_micros());
        Ok([seconds.to_ne_bytes(), micros.to_ne_bytes()].concat())
    }
}

/// What a socket says to an option that it has not: that of a level which is none of its own gets as far as IP.
fn unknown(asked: &Asked, level: i32) -> Errno {
    let of_raw = level == libc::SOL_RAW && asked.kind == libc::SOCK_RAW;
    let transport = match asked.protocol {
        protocol @ (libc::IPPROTO_TCP | libc::IPPROTO_UDP) => protocol,
        _ => libc::SOL_SOCKET,
    };
    let own = [libc::SOL_SOCKET, libc::IPPROTO_IP, transport].contains(&level);
    match own || of_raw || asked.domain != libc::AF_INET {
        true => Errno::ENOPROTOOPT,
        false => Errno::EOPNOTSUPP,
    }
}

pub(super) fn int(value: i32) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}
