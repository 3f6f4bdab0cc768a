//! Where the stack's sockets answer otherwise than the kernel's: in which state, to what, with what, and why.
//!
//! An entry allows one answer of the stack and no other. The reasons are what the kernel's answers (Linux 6) suggest: none
//! has been verified in its sources.

/// What the stack answers to a probe in a state, other than this kernel.
pub(crate) struct Difference {
    pub(crate) state: &'static str,
    pub(crate) probe: &'static str,
    pub(crate) stack: &'static str,
    /// Whether the kernel's answer is another one only now and then.
    pub(crate) is_race: bool,
    pub(crate) why: &'static str,
}

const OVER: &str = "the kernel frees the port of a connection that is over, and lets the socket be bound; \
    here it is first told what became of it";
const FIN: &str =
    "the kernel's peer delays the acknowledgement of the FIN, which counts as outstanding so long";
const NUMBERS: &str = "the kernel subtracts sequence numbers that no longer mean anything";
const PORT: &str = "the kernel shows a port that the socket has given back";
const DISSOLVED: &str = "the kernel leaves an error behind for who dissolves a connection himself; \
    here nothing is told of what was wanted";

const fn differs(
    state: &'static str,
    probe: &'static str,
    stack: &'static str,
    why: &'static str,
) -> Difference {
    Difference {
        state,
        probe,
        stack,
        is_race: false,
        why,
    }
}

const fn race(
    state: &'static str,
    probe: &'static str,
    stack: &'static str,
    why: &'static str,
) -> Difference {
    Difference {
        state,
        probe,
        stack,
        is_race: true,
        why,
    }
}

#[rustfmt::skip]
pub(crate) static DIFFERENCES: &[Difference] = &[
    differs("tcp no longer listening", "SIOCOUTQ", "0", NUMBERS),
    differs("tcp no longer listening", "SIOCOUTQNSD", "0", NUMBERS),
    race("tcp shut for writing", "state in TCP_INFO", "[5]", FIN),
    race("tcp shut for writing", "SIOCOUTQ", "0", FIN),
    race("tcp shut", "state in TCP_INFO", "[5]", FIN),
    race("tcp shut", "SIOCOUTQ", "0", FIN),
    differs("tcp both shut for writing", "bind", "EINVAL", OVER),
    differs("tcp both shut for writing", "bind to a taken port", "EINVAL", OVER),
    differs("tcp reset", "bind", "EINVAL", OVER),
    differs("tcp reset", "bind to a taken port", "EINVAL", OVER),
    differs("tcp reset, the error was taken", "bind", "EINVAL", OVER),
    differs("tcp reset, the error was taken", "bind to a taken port", "EINVAL", OVER),
    differs("tcp refused", "bind", "EINVAL", OVER),
    differs("tcp refused", "bind to a taken port", "EINVAL", OVER),
    differs("tcp refused, the error was taken", "bind", "EINVAL", OVER),
    differs("tcp refused, the error was taken", "bind to a taken port", "EINVAL", OVER),
    differs("tcp refused and told", "getsockname", "[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", PORT),
    differs("tcp refused and told", "SIOCOUTQ", "0", NUMBERS),
    differs("tcp refused and told", "SIOCOUTQNSD", "0", NUMBERS),
    differs("tcp dissolved", "send", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "send twice", "EPIPE EPIPE", DISSOLVED),
    differs("tcp dissolved", "send nothing", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "send with MSG_MORE", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "send too much for a datagram", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "sendto", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "sendto port 0", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "sendto with a short name", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "sendto family 77", "EPIPE", DISSOLVED),
    differs("tcp dissolved", "recv", "ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "recv twice", "ENOTCONN ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "recv little", "ENOTCONN ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "recv nothing", "ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "recv with MSG_PEEK", "ENOTCONN ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "recv with MSG_TRUNC", "ENOTCONN ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "recv with MSG_WAITALL", "ENOTCONN", DISSOLVED),
    differs("tcp dissolved", "shut for reading", "ENOTCONN (0, []) 8533", DISSOLVED),
    differs("tcp dissolved", "shut for writing", "ENOTCONN EPIPE 276", DISSOLVED),
    differs("tcp dissolved", "shut", "ENOTCONN 8533", DISSOLVED),
    differs("tcp dissolved", "getsockname", "[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", PORT),
    differs("tcp dissolved", "SO_ERROR", "[0, 0, 0, 0] [0, 0, 0, 0]", DISSOLVED),
    differs("tcp dissolved", "poll", "276", DISSOLVED),
    differs("tcp dissolved", "poll for nothing", "16", DISSOLVED),
    differs("tcp dissolved", "poll after receiving", "ENOTCONN 276", DISSOLVED),
    differs("tcp dissolved", "poll after sending", "EPIPE 276", DISSOLVED),
    differs("tcp dissolved", "SIOCOUTQ", "0", NUMBERS),
    differs("tcp dissolved", "SIOCOUTQNSD", "0", NUMBERS),
];
