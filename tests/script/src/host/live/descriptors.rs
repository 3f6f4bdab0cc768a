//! The descriptors of a script and those of the kernel.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use super::sys;
use crate::calls::{Op, Returned};
use crate::pattern;

/// A call, ready to be made on any thread.
pub(super) type Made = Box<dyn FnOnce() -> Returned + Send>;

#[derive(Default)]
pub(super) struct Descriptors {
    table: BTreeMap<i64, Descriptor>,
    /// The connection that was made last.
    current: Option<i64>,
}

struct Descriptor {
    fd: OwnedFd,
    datagram: bool,
    written: u64,
    read: u64,
}

impl Descriptors {
    /// Prepares a call.
    pub(super) fn begin(&mut self, op: &Op) -> Result<Made, String> {
        let op = op.clone();
        if let Op::Socket {
            v6,
            datagram,
            nonblocking,
        } = op
        {
            return Ok(Box::new(move || sys::socket(v6, datagram, nonblocking)));
        }
        if let Op::Poll { fds, timeout } = op {
            let known = fds.iter().map(|(fd, events)| Ok((self.raw(*fd)?, *events)));
            let known = known.collect::<Result<Vec<_>, String>>()?;
            return Ok(Box::new(move || sys::poll(&known, timeout)));
        }
        if let Op::Close { fd } = op {
            let closed = self.table.remove(&fd).ok_or_else(|| unknown(fd))?;
            return Ok(Box::new(move || sys::close(closed.fd)));
        }
        let raw = self.raw(op.fd())?;
        let (written, read, datagram) = match self.table.get(&op.fd()) {
            Some(descriptor) => (descriptor.written, descriptor.read, descriptor.datagram),
            None => (0, 0, false),
        };
        Ok(Box::new(move || match &op {
            Op::Bind { to, .. } => sys::bind(raw, *to),
            Op::Listen { backlog, .. } => sys::listen(raw, *backlog),
            Op::Accept { .. } => sys::accept(raw),
            Op::Connect { to, .. } => sys::connect(raw, *to),
            Op::Send { len, flags, to, .. } => {
                let at = if datagram { 0 } else { written };
                sys::send(raw, &pattern::bytes(at, *len), *flags, *to)
            }
            Op::Receive { len, flags, .. } => {
                let mut buffer = vec![0; *len];
                let mut returned = sys::receive(raw, &mut buffer, *flags);
                let got = usize::try_from(returned.value).unwrap_or(0).min(*len);
                let urgent = flags & i64::from(libc::MSG_OOB) != 0;
                let at = if datagram { 0 } else { read };
                returned.wrong_data = pattern::fault(at, &buffer[..got]).filter(|_| !urgent);
                returned
            }
            Op::SetOption {
                level, name, value, ..
            } => sys::set_option(raw, *level, *name, value),
            Op::ReadOption { level, name, .. } => sys::read_option(raw, *level, *name),
            Op::Shutdown { how, .. } => sys::shutdown(raw, *how),
            Op::SetFlags { flags, .. } => sys::set_flags(raw, *flags),
            Op::ReadFlags { .. } => sys::read_flags(raw),
            Op::Ioctl { request, .. } => sys::ioctl(raw, *request),
            Op::Socket { .. } | Op::Poll { .. } | Op::Close { .. } => Returned::error(libc::EINVAL),
        }))
    }

    /// Notes what a call has done; gives what it made the script's number.
    pub(super) fn conclude(&mut self, op: &Op, made: i64, mut returned: Returned) -> Returned {
        if returned.errno != 0 && !matches!(op, Op::Connect { .. }) {
            return returned;
        }
        let count = u64::try_from(returned.value).unwrap_or(0);
        match op {
            Op::Socket { datagram, .. } => self.adopt(made, *datagram, &mut returned),
            Op::Accept { .. } => {
                self.adopt(made, false, &mut returned);
                self.current = Some(made);
            }
            Op::Connect { fd, .. } => self.current = Some(*fd),
            Op::Send { fd, .. } => {
                if let Some(descriptor) = self.table.get_mut(fd) {
                    descriptor.written += count;
                }
            }
            Op::Receive { fd, flags, .. } if flags & i64::from(libc::MSG_PEEK) == 0 => {
                if let Some(descriptor) = self.table.get_mut(fd) {
                    descriptor.read += count;
                }
            }
            _ => {}
        }
        returned
    }

    fn adopt(&mut self, made: i64, datagram: bool, returned: &mut Returned) {
        let Ok(raw) = RawFd::try_from(returned.value) else {
            return;
        };
        let fd = sys::own(raw);
        self.table.insert(
            made,
            Descriptor {
                fd,
                datagram,
                written: 0,
                read: 0,
            },
        );
        returned.value = made;
    }

    fn raw(&self, fd: i64) -> Result<RawFd, String> {
        self.table
            .get(&fd)
            .map(|descriptor| descriptor.fd.as_raw_fd())
            .ok_or_else(|| unknown(fd))
    }

    /// `TCP_INFO` of the connection that was made last.
    pub(super) fn info(&self) -> Option<BTreeMap<&'static str, i128>> {
        sys::tcp_info(self.raw(self.current?).ok()?)
    }
}

fn unknown(fd: i64) -> String {
    format!("the script has no descriptor {fd}")
}

impl Drop for Descriptors {
    /// Wakes calls that still wait, so that their threads end.
    fn drop(&mut self) {
        for descriptor in self.table.values() {
            sys::shutdown(descriptor.fd.as_raw_fd(), i64::from(libc::SHUT_RDWR));
        }
    }
}
