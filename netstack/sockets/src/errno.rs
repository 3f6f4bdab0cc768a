//! What calls fail with, by Linux's numbers.

use core::fmt;

use netstack_core::{
    AcceptError, BindError, ConnectError, ConnectionError, ListenError, OptionError, RecvError,
    SendError, SocketError,
};

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        impl Errno {
            $($(#[$doc])* pub const $name: Errno = Errno(libc::$name);)*

            /// Its name, as in C; `None` for a number that no call here gives.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Errno::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

/// Why a call failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

errnos! {
    /// Operation not permitted.
    EPERM,
    /// There is none of this name.
    ENOENT,
    /// Input or output error.
    EIO,
    /// Not a descriptor.
    EBADF,
    /// Nothing yet; try again when it is ready.
    EAGAIN,
    /// There is no such device or address.
    ENXIO,
    /// No memory.
    ENOMEM,
    /// Not allowed.
    EACCES,
    /// An argument points nowhere.
    EFAULT,
    /// It is there or in use already.
    EBUSY,
    /// It is there already.
    EEXIST,
    /// There is no such device.
    ENODEV,
    /// An argument or the state is wrong.
    EINVAL,
    /// Too many descriptors.
    EMFILE,
    /// The socket knows no such request.
    ENOTTY,
    /// Nobody reads any more.
    EPIPE,
    /// A number is out of its range.
    EDOM,
    /// A result does not fit.
    ERANGE,
    /// Too many levels of epoll descriptors.
    ELOOP,
    /// There is no such call.
    ENOSYS,
    /// The descriptor is of no socket.
    ENOTSOCK,
    /// A destination is required.
    EDESTADDRREQ,
    /// The message is too long.
    EMSGSIZE,
    /// A protocol's rules were broken.
    EPROTO,
    /// The protocol is of another type.
    EPROTOTYPE,
    /// There is no such option.
    ENOPROTOOPT,
    /// There is no such protocol.
    EPROTONOSUPPORT,
    /// There is no such type of socket.
    ESOCKTNOSUPPORT,
    /// The socket does not do this.
    EOPNOTSUPP,
    /// There is no such family of addresses here.
    EAFNOSUPPORT,
    /// The address is in use.
    EADDRINUSE,
    /// The address is not this stack's.
    EADDRNOTAVAIL,
    /// No way leads there.
    ENETUNREACH,
    /// This side gave the connection up.
    ECONNABORTED,
    /// The peer reset the connection.
    ECONNRESET,
    /// No storage.
    ENOBUFS,
    /// Connected already.
    EISCONN,
    /// Not connected.
    ENOTCONN,
    /// The peer did not answer for too long.
    ETIMEDOUT,
    /// Nobody listens there.
    ECONNREFUSED,
    /// The peer cannot be reached.
    EHOSTUNREACH,
    /// A connection attempt is under way.
    EALREADY,
    /// A connection attempt has begun.
    EINPROGRESS,
}

impl Errno {
    /// The error of a number.
    pub const fn from_raw(number: i32) -> Errno {
        Errno(number)
    }

    /// The number, greater than zero.
    pub const fn raw(self) -> i32 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

impl From<ConnectionError> for Errno {
    fn from(error: ConnectionError) -> Errno {
        match error {
            ConnectionError::Refused => Errno::ECONNREFUSED,
            ConnectionError::Reset => Errno::ECONNRESET,
            ConnectionError::BrokenPipe => Errno::EPIPE,
            ConnectionError::TimedOut => Errno::ETIMEDOUT,
            ConnectionError::Unreachable => Errno::EHOSTUNREACH,
            ConnectionError::TooLong => Errno::EMSGSIZE,
            _ => Errno::ECONNABORTED,
        }
    }
}

impl From<SocketError> for Errno {
    fn from(error: SocketError) -> Errno {
        match error {
            SocketError::BadHandle => Errno::EBADF,
            SocketError::NotConnected => Errno::ENOTCONN,
            _ => Errno::EINVAL,
        }
    }
}

impl From<BindError> for Errno {
    fn from(error: BindError) -> Errno {
        match error {
            BindError::NotAvailable => Errno::EADDRNOTAVAIL,
            _ => Errno::EADDRINUSE,
        }
    }
}

impl From<ListenError> for Errno {
    fn from(error: ListenError) -> Errno {
        match error {
            ListenError::NotAvailable => Errno::EADDRNOTAVAIL,
            _ => Errno::EADDRINUSE,
        }
    }
}

impl From<AcceptError> for Errno {
    fn from(error: AcceptError) -> Errno {
        match error {
            AcceptError::WouldBlock => Errno::EAGAIN,
            AcceptError::Socket(error) => error.into(),
            _ => Errno::EINVAL,
        }
    }
}

impl From<ConnectError> for Errno {
    fn from(error: ConnectError) -> Errno {
        match error {
            ConnectError::NoRoute | ConnectError::InvalidAddress => Errno::ENETUNREACH,
            ConnectError::NotPermitted => Errno::EACCES,
            _ => Errno::EADDRNOTAVAIL,
        }
    }
}

impl From<SendError> for Errno {
    fn from(error: SendError) -> Errno {
        match error {
            SendError::WouldBlock => Errno::EAGAIN,
            SendError::NoMemory => Errno::ENOBUFS,
            SendError::Closed => Errno::EPIPE,
            SendError::Connection(error) => error.into(),
            SendError::TooLong => Errno::EMSGSIZE,
            SendError::NoDestination => Errno::EDESTADDRREQ,
            SendError::NoRoute => Errno::ENETUNREACH,
            SendError::NotPermitted => Errno::EACCES,
            SendError::Socket(error) => error.into(),
            _ => Errno::EINVAL,
        }
    }
}

impl From<RecvError> for Errno {
    fn from(error: RecvError) -> Errno {
        match error {
            RecvError::WouldBlock => Errno::EAGAIN,
            RecvError::NoMemory => Errno::ENOMEM,
            RecvError::Unreadable => Errno::EFAULT,
            RecvError::Connection(error) => error.into(),
            RecvError::Socket(error) => error.into(),
            _ => Errno::EINVAL,
        }
    }
}

impl From<OptionError> for Errno {
    fn from(error: OptionError) -> Errno {
        match error {
            OptionError::Socket(SocketError::WrongKind) => Errno::ENOPROTOOPT,
            OptionError::Socket(error) => error.into(),
            _ => Errno::EINVAL,
        }
    }
}
