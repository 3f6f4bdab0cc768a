//! Where the stack's sockets answer otherwise than the kernel's: in which state, to what, with what, and why.
//!
//! An entry allows one answer of the stack and no other. Each reason says how it is known: by an experiment with the
//! kernel (Linux 6.18), or by a manual page.

/// What the stack answers to a probe in a state, other than this kernel.
pub(crate) struct Difference {
    pub(crate) state: &'static str,
    pub(crate) probe: &'static str,
    pub(crate) stack: &'static str,
    /// Whether the kernel's answer is another one only now and then.
    pub(crate) is_race: bool,
    pub(crate) why: &'static str,
}

/// Seen with TCP_INFO: the state changes at the next tick of the kernel's clock, or after 40 ms where data went before. A
/// host that has sent a FIN is in FIN-WAIT-2 once that is acknowledged.
const FIN: &str =
    "the kernel's peer delays the acknowledgement of the FIN, which counts as outstanding so long";
/// Seen: 2 of a socket that listened, and the peer's window and 2 after a connection: what the number that the next
/// connection begins with is greater than the one before.
const NUMBERS: &str = "the kernel subtracts sequence numbers that no longer mean anything";
/// Seen: another socket can be bound to the port that `getsockname` shows.
const PORT: &str = "the kernel shows a port that the socket has given back";

/// Seen: any number is taken, and sending says ENODEV.
const NUMBER: &str =
    "the kernel takes the number of an interface that is none, and nothing can be sent then";
/// packet(7): a packet goes to the device as it is. Seen: the loopback carries three bytes too.
const PACKETS: &str = "an interface carries packets of IP here, and nothing else";

/// Seen: SCM_TIMESTAMPING_OPT_STATS, of streams.
const STATISTICS: &str =
    "there are no statistics with times, which is said when they are asked for";

/// RFC 1812, 4.3.2.5. Seen: the kernel gives them precedence 6, on hosts too.
const PRECEDENCE: &str =
    "ICMP errors have a precedence only if routers send them, and this is a host's";

/// Seen: of two connections to a listener, the one that was made before an option was set has the option's default.
const PASSES: &str = "options of a listener pass on when a connection is accepted here, and when it is made in the kernel";

/// RFC 1122, 3.3.6. Seen: the kernel takes it for a host's since 5.14.
const ZEROS: &str = "the first address of a subnet is a broadcast address too";
/// RFC 1112, 4. Seen: on an interface that is named the kernel sends there.
const RESERVED: &str = "240.0.0.1 is no address that anything goes to";
/// RFC 6335, 6: it is reserved. Seen: the kernel sends a SYN there, and refuses its own.
const NO_PORT: &str = "no connection is made to port 0, which is said at once";
/// Seen: a socket that was connected to a mapped address reaches no other until it is connected to nobody.
const EITHER: &str = "a socket of both versions can be connected to one and then to the other here";

/// Seen: a call of connect that fails has the kernel forget the way on which it was asked.
const ASKED: &str = "whether a socket may broadcast is asked when it is connected, and not again because another connection failed";

/// In every state but those of what is no socket.
pub(crate) const EVERY: &str = "";

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
    differs("tcp refused and told", "getsockname", "[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", PORT),
    differs("tcp refused and told", "SIOCOUTQ", "0", NUMBERS),
    differs("tcp refused and told", "SIOCOUTQNSD", "0", NUMBERS),
    differs("tcp dissolved", "getsockname", "[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", PORT),
    differs("tcp dissolved", "SIOCOUTQ", "0", NUMBERS),
    differs("tcp dissolved", "SIOCOUTQNSD", "0", NUMBERS),
    differs("tcp listening, one waits", "accept after SO_RCVTIMEO", "() [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", PASSES),
    differs("tcp listening, one waits that is reset", "accept after SO_RCVTIMEO", "() [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", PASSES),
    differs(EVERY, "SO_BINDTOIFINDEX that is none", "ENODEV [0, 0, 0, 0]", NUMBER),
    differs(EVERY, "stamping with statistics", "EINVAL [0, 0, 0, 0, 0, 0, 0, 0]", STATISTICS),
    differs("udp stamped and refused", "stamping with statistics", "EINVAL [18, 8, 0, 0, 0, 0, 0, 0]", STATISTICS),
    differs("tcp accepted of a listener with times", "stamping with statistics", "EINVAL [26, 8, 0, 0, 0, 0, 0, 0]", STATISTICS),
    differs(EVERY, "send to the first broadcast address", "EACCES", ZEROS),
    differs("udp by an interface", "connect to what is no address", "ENETUNREACH [0, 0, 0, 0] ENOTCONN EDESTADDRREQ", RESERVED),
    differs("tcp", "connect to port 0", "ENETUNREACH [0, 0, 0, 0] ENOTCONN EPIPE", NO_PORT),
    differs("tcp", "connect to port 0 of nobody in particular", "ENETUNREACH ENOTCONN EPIPE [0, 0, 0, 0]", NO_PORT),
    differs("tcp bound", "connect to port 0", "ENETUNREACH [10, 9, 9, 1] ENOTCONN EPIPE", NO_PORT),
    differs("tcp bound", "connect to port 0 of nobody in particular", "ENETUNREACH ENOTCONN EPIPE [0, 0, 0, 0]", NO_PORT),
    differs("tcp6", "connect to port 0 of IPv6", "ENETUNREACH [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] ENOTCONN EPIPE", NO_PORT),
    differs("udp6 connected to port 0 of a mapped address", "connect to port 0 of IPv6", "() [253, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] ENOTCONN 12", EITHER),
    differs("udp connected to a broadcast address", "connect to the broadcast address", "EACCES [10, 9, 9, 1] [10, 9, 9, 255] 12", ASKED),
    differs("udp connected to a broadcast address", "connect to all", "EACCES [10, 9, 9, 1] [10, 9, 9, 255] 12", ASKED),
    differs("udp connected to a broadcast address", "connect to what is no address", "ENETUNREACH [10, 9, 9, 1] [10, 9, 9, 255] 12", ASKED),
    differs("udp connected to a broadcast address", "connect to port 0 of the broadcast address", "EACCES [10, 9, 9, 1] [10, 9, 9, 255] 12", ASKED),
    differs("udp connected to a broadcast address", "connect to port 0 of all", "EACCES [10, 9, 9, 1] [10, 9, 9, 255] 12", ASKED),
    differs("packet bound", "send little", "EINVAL", PACKETS),
    differs("packet bound", "send what is no echo request", "EINVAL", PACKETS),
    differs("packet for nothing", "send little", "EINVAL", PACKETS),
    differs("packet for nothing", "send what is no echo request", "EINVAL", PACKETS),
    differs("udp errors queued, told all", "errors", r#""1 [120] from [2, 0, 0, 1, 10, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0] with [1/35: 16 bytes, 0/8: [1, 0, 0, 0, 0, 0, 0, 0, 10, 9, 9, 1], 0/2: [64, 0, 0, 0], 0/1: [0], 0/11: [111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 10, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]] 0x2000""#, PRECEDENCE),
    differs("udp errors queued, told all", "errors twice", r#""1 [120] from [2, 0, 0, 1, 10, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0] with [1/35: 16 bytes, 0/8: [1, 0, 0, 0, 0, 0, 0, 0, 10, 9, 9, 1], 0/2: [64, 0, 0, 0], 0/1: [0], 0/11: [111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 10, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]] 0x2000"; EAGAIN"#, PRECEDENCE),
    differs("udp errors queued, told all", "poll, errors, poll", r#"12; "1 [120] from [2, 0, 0, 1, 10, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0] with [1/35: 16 bytes, 0/8: [1, 0, 0, 0, 0, 0, 0, 0, 10, 9, 9, 1], 0/2: [64, 0, 0, 0], 0/1: [0], 0/11: [111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 10, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]] 0x2000"; 4"#, PRECEDENCE),
];
