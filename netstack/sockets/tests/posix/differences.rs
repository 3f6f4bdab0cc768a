//! Where the stack's sockets are meant to answer otherwise than the kernel's, and why.

/// A state or probe, by the beginning of its name; every one if empty. What is expected of the stack there is whatever it
/// says: the reason tells it.
pub(crate) struct Difference {
    pub(crate) state: &'static str,
    pub(crate) probe: &'static str,
    pub(crate) why: &'static str,
}

#[rustfmt::skip]
pub(crate) static DIFFERENCES: &[Difference] = &[
    Difference { state: "tcp dissolved", probe: "", why: "the kernel's peer has closed and the connection is reset: its error is left behind by the dissolution; and an own port is remembered" },
    Difference { state: "udp refused", probe: "", why: "the stack's own datagrams are refused only when they leave, which is not yet when the call is made: a port unreachable of the stack to itself is not told" },
    Difference { state: "epoll", probe: "", why: "the kernel asks what the descriptor is in another order" },
    Difference { state: "", probe: "SO_SNDBUF of more than allowed", why: "wmem_max of this kernel is another" },
    Difference { state: "", probe: "TCP_CC_INFO", why: "an algorithm of this kernel says more; level TCP is unknown to datagrams" },
    Difference { state: "", probe: "IPV6_V6ONLY", why: "getsockopt says EOPNOTSUPP for a level that is unknown; a refused value is seen as set where the kernel's socket was bound with it" },
    Difference { state: "", probe: "a level that is none", why: "getsockopt says EOPNOTSUPP there" },
    Difference { state: "", probe: "UDP_SEGMENT", why: "getsockopt of a level that streams have not says EOPNOTSUPP" },
    Difference { state: "udp", probe: "TCP_", why: "getsockopt of a level that datagrams have not says EOPNOTSUPP" },
    Difference { state: "udp", probe: "state in TCP_INFO", why: "getsockopt of a level that datagrams have not says EOPNOTSUPP" },
    Difference { state: "udp", probe: "SO_KEEPALIVE", why: "the stack has no such option of datagrams" },
    Difference { state: "", probe: "bind", why: "the kernel looks whether the address is its own before the state, and frees the port of a connection that is over" },
    Difference { state: "tcp no longer listening", probe: "SIOCOUTQ", why: "the kernel counts sequence numbers" },
    Difference { state: "tcp refused", probe: "SIOCOUTQ", why: "the kernel counts sequence numbers" },
    Difference { state: "tcp refused", probe: "getsockname", why: "the kernel remembers a port that it has given back" },
    Difference { state: "tcp shut", probe: "SIOCOUTQ", why: "the kernel counts its FIN, which may not be acknowledged yet" },
    Difference { state: "tcp shut", probe: "state in TCP_INFO", why: "the FIN may not be acknowledged yet" },
    Difference { state: "tcp data waits", probe: "shut for reading", why: "a stack's socket that is shut for reading throws away what waits" },
    Difference { state: "tcp peer gone", probe: "send twice", why: "the kernel says EPIPE where the reset came after the end of the stream" },
    Difference { state: "udp6", probe: "", why: "the kernel takes a name by its family before its length, and asks for a destination before the length of the message" },
];
