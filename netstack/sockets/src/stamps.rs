//! `SO_TIMESTAMPING`: which times a program wants to know, of what it receives and of what it sends.

use netstack_core::{StampRequest, StampStage, Stamps, TcpState};

use crate::files::Object;
use crate::options::{Options, places};
use crate::{Errno, Sockets};

/// Tells the times that were taken in software.
pub(crate) const SOFTWARE: u32 = libc::SOF_TIMESTAMPING_SOFTWARE;
/// Takes them of what is received.
pub(crate) const RX_SOFTWARE: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE;
/// Tells more of IPv4's packets that left.
pub(crate) const OPT_CMSG: u32 = libc::SOF_TIMESTAMPING_OPT_CMSG;
/// Messages, or bytes of a stream, are numbered.
const OPT_ID: u32 = libc::SOF_TIMESTAMPING_OPT_ID;
/// `SOF_TIMESTAMPING_OPT_STATS`.
const OPT_STATS: u32 = 1 << 12;
/// `SOF_TIMESTAMPING_BIND_PHC`: a clock of hardware.
const BIND_PHC: u32 = 1 << 15;
/// `SOF_TIMESTAMPING_OPT_ID_TCP`: numbers of a stream begin with what is written next.
const OPT_ID_TCP: u32 = 1 << 16;
/// `SOF_TIMESTAMPING_OPT_RX_FILTER`: of what is received only those that it asks for.
const OPT_RX_FILTER: u32 = 1 << 17;
/// `SOF_TIMESTAMPING_TX_COMPLETION`, which means nothing here.
const TX_COMPLETION: u32 = 1 << 18;
/// All of them.
const KNOWN: u32 = (TX_COMPLETION << 1) - 1;
/// Those that one message may ask for.
pub(crate) const OF_MESSAGE: u32 = libc::SOF_TIMESTAMPING_TX_HARDWARE
    | libc::SOF_TIMESTAMPING_TX_SOFTWARE
    | libc::SOF_TIMESTAMPING_TX_SCHED
    | libc::SOF_TIMESTAMPING_TX_ACK
    | TX_COMPLETION;
/// Those for which a datagram gets a number, whether or not there is hardware.
const NUMBERED: u32 = libc::SOF_TIMESTAMPING_TX_HARDWARE
    | libc::SOF_TIMESTAMPING_TX_SOFTWARE
    | libc::SOF_TIMESTAMPING_TX_SCHED;

impl Options {
    /// What was asked for.
    pub(crate) fn stamping(&self) -> u32 {
        self.value(places::SO_TIMESTAMPING) as u32
    }

    /// Whether times of what is received are told, where they are known.
    pub(crate) fn tells_arrivals(&self) -> bool {
        let flags = self.stamping();
        flags & SOFTWARE != 0 && (flags & RX_SOFTWARE != 0 || flags & OPT_RX_FILTER == 0)
    }

    /// What is to be told of a message, which asks for `own` itself, if it does.
    pub(crate) fn stamp_of(&self, own: Option<u32>) -> Option<StampRequest> {
        let flags = self.stamping();
        let asked = own.unwrap_or(flags);
        let mut wanted = Stamps::NONE;
        for (flag, meaning) in [
            (libc::SOF_TIMESTAMPING_TX_SCHED, Stamps::SCHEDULED),
            (libc::SOF_TIMESTAMPING_TX_SOFTWARE, Stamps::SENT),
            (libc::SOF_TIMESTAMPING_TX_ACK, Stamps::ACKNOWLEDGED),
        ] {
            if asked & flag != 0 {
                wanted = wanted | meaning;
            }
        }
        if wanted == Stamps::NONE {
            return None;
        }
        if flags & libc::SOF_TIMESTAMPING_OPT_TSONLY == 0 {
            wanted = wanted | Stamps::WITH_PACKET;
        }
        let id = (flags & OPT_ID != 0).then_some(self.stamp_key);
        Some(StampRequest { wanted, id })
    }

    /// Counts a datagram that was sent, which asked for `own` itself, if it did.
    pub(crate) fn count_datagram(&mut self, own: Option<u32>) {
        let flags = self.stamping();
        if flags & OPT_ID != 0 && own.unwrap_or(flags) & NUMBERED != 0 {
            self.stamp_key = self.stamp_key.wrapping_add(1);
        }
    }

    /// Counts bytes of a stream that were written.
    pub(crate) fn count_bytes(&mut self, written: usize) {
        if self.stamping() & OPT_ID != 0 {
            // Numbers come again.
            self.stamp_key = self.stamp_key.wrapping_add(written as u32);
        }
    }
}

/// `ee_info` of `struct sock_extended_err`.
pub(crate) fn number_of(stage: StampStage) -> u32 {
    match stage {
        StampStage::Sent => 0,
        StampStage::Scheduled => 1,
        StampStage::Acknowledged => 2,
    }
}

impl Sockets {
    /// Looks at `flags` that a program sets, and where numbers begin if they do now.
    pub(crate) fn begin_stamping(&mut self, fd: i32, flags: u32) -> Result<(), Errno> {
        let wrong = flags & !KNOWN != 0
            || flags & OPT_STATS != 0 && flags & libc::SOF_TIMESTAMPING_OPT_TSONLY == 0
            || flags & OPT_ID_TCP != 0 && flags & OPT_ID == 0;
        if wrong {
            return Err(Errno::EINVAL);
        }
        let object = &self.files.get(fd)?.object;
        let (options, connection) = match object {
            Object::Stream(stream) => (&stream.options, Some(stream.connection())),
            Object::Datagram(datagram) => (&datagram.options, None),
            Object::Packet(packet) => (&packet.options, None),
            Object::Epoll(_) => return Err(Errno::ENOTSOCK),
        };
        let begins = flags & OPT_ID != 0 && options.stamping() & OPT_ID == 0;
        let first = match connection {
            Some(connection) if begins => {
                let info = self.stack.tcp_info(connection.ok_or(Errno::EINVAL)?)?;
                let over = matches!(info.state, TcpState::Closed | TcpState::TimeWait);
                match flags & OPT_ID_TCP {
                    _ if over => return Err(Errno::EINVAL),
                    // What is not acknowledged has numbers too.
                    0 => (info.outstanding + info.unsent) as u32,
                    _ => 0,
                }
            }
            _ => 0,
        };
        if flags & BIND_PHC != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if flags & OPT_STATS != 0 {
            // There are none.
            return Err(Errno::EINVAL);
        }
        if begins {
            let (options, _) = crate::options::options_mut(self.files.get_mut(fd)?)?;
            options.stamp_key = first;
        }
        Ok(())
    }
}
