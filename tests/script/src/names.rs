//! Constants of the socket interface and of ICMP, by name.

/// The number of the error `name`.
pub(crate) fn errno(name: &str) -> Option<i32> {
    Some(match name {
        "EPERM" => libc::EPERM,
        "ENOENT" => libc::ENOENT,
        "EINTR" => libc::EINTR,
        "EBADF" => libc::EBADF,
        "EAGAIN" | "EWOULDBLOCK" => libc::EAGAIN,
        "ENOMEM" => libc::ENOMEM,
        "EACCES" => libc::EACCES,
        "EFAULT" => libc::EFAULT,
        "EINVAL" => libc::EINVAL,
        "EPIPE" => libc::EPIPE,
        "EPROTO" => libc::EPROTO,
        "ENOTSOCK" => libc::ENOTSOCK,
        "EDESTADDRREQ" => libc::EDESTADDRREQ,
        "EMSGSIZE" => libc::EMSGSIZE,
        "ENOPROTOOPT" => libc::ENOPROTOOPT,
        "EPROTONOSUPPORT" => libc::EPROTONOSUPPORT,
        "EOPNOTSUPP" => libc::EOPNOTSUPP,
        "EAFNOSUPPORT" => libc::EAFNOSUPPORT,
        "EADDRINUSE" => libc::EADDRINUSE,
        "EADDRNOTAVAIL" => libc::EADDRNOTAVAIL,
        "ENETDOWN" => libc::ENETDOWN,
        "ENETUNREACH" => libc::ENETUNREACH,
        "ECONNABORTED" => libc::ECONNABORTED,
        "ECONNRESET" => libc::ECONNRESET,
        "ENOBUFS" => libc::ENOBUFS,
        "EISCONN" => libc::EISCONN,
        "ENOTCONN" => libc::ENOTCONN,
        "ETIMEDOUT" => libc::ETIMEDOUT,
        "ECONNREFUSED" => libc::ECONNREFUSED,
        "EHOSTDOWN" => libc::EHOSTDOWN,
        "EHOSTUNREACH" => libc::EHOSTUNREACH,
        "EALREADY" => libc::EALREADY,
        "EINPROGRESS" => libc::EINPROGRESS,
        _ => return None,
    })
}

/// The name of the error `number`, for messages.
pub(crate) fn errno_name(number: i32) -> String {
    const NAMES: [&str; 31] = [
        "EPERM",
        "ENOENT",
        "EINTR",
        "EBADF",
        "EAGAIN",
        "ENOMEM",
        "EACCES",
        "EFAULT",
        "EINVAL",
        "EPIPE",
        "EPROTO",
        "ENOTSOCK",
        "EDESTADDRREQ",
        "EMSGSIZE",
        "ENOPROTOOPT",
        "EPROTONOSUPPORT",
        "EOPNOTSUPP",
        "EADDRINUSE",
        "EADDRNOTAVAIL",
        "ENETDOWN",
        "ENETUNREACH",
        "ECONNABORTED",
        "ECONNRESET",
        "EISCONN",
        "ENOTCONN",
        "ETIMEDOUT",
        "ECONNREFUSED",
        "EHOSTUNREACH",
        "EALREADY",
        "EINPROGRESS",
        "ENOBUFS",
    ];
    let name = NAMES.iter().find(|name| errno(name) == Some(number));
    name.map_or_else(|| format!("error {number}"), |name| (*name).to_owned())
}

/// The option that tells the peer a user timeout (RFC 5482), in seconds: no kernel has one, and the number is that of
/// the RFC.
pub(crate) const ADVERTISE_USER_TIMEOUT: i32 = 5482;

/// The value of a constant of the socket interface.
pub(crate) fn constant(name: &str) -> Option<i64> {
    Some(i64::from(match name {
        "AF_INET" | "PF_INET" => libc::AF_INET,
        "AF_INET6" | "PF_INET6" => libc::AF_INET6,
        "SOCK_STREAM" => libc::SOCK_STREAM,
        "SOCK_DGRAM" => libc::SOCK_DGRAM,
        "SOCK_NONBLOCK" => libc::SOCK_NONBLOCK,
        "SOCK_CLOEXEC" => libc::SOCK_CLOEXEC,
        "IPPROTO_TCP" | "SOL_TCP" => libc::IPPROTO_TCP,
        "IPPROTO_UDP" => libc::IPPROTO_UDP,
        "IPPROTO_IP" | "SOL_IP" => libc::IPPROTO_IP,
        "IPPROTO_IPV6" | "SOL_IPV6" => libc::IPPROTO_IPV6,
        "SOL_SOCKET" => libc::SOL_SOCKET,
        "SO_REUSEADDR" => libc::SO_REUSEADDR,
        "SO_ERROR" => libc::SO_ERROR,
        "SO_SNDBUF" => libc::SO_SNDBUF,
        "SO_RCVBUF" => libc::SO_RCVBUF,
        "SO_KEEPALIVE" => libc::SO_KEEPALIVE,
        "SO_LINGER" => libc::SO_LINGER,
        "SO_OOBINLINE" => libc::SO_OOBINLINE,
        "SO_BROADCAST" => libc::SO_BROADCAST,
        "TCP_NODELAY" => libc::TCP_NODELAY,
        "TCP_MAXSEG" => libc::TCP_MAXSEG,
        "TCP_CORK" => libc::TCP_CORK,
        "TCP_KEEPIDLE" => libc::TCP_KEEPIDLE,
        "TCP_KEEPINTVL" => libc::TCP_KEEPINTVL,
        "TCP_KEEPCNT" => libc::TCP_KEEPCNT,
        "TCP_SYNCNT" => libc::TCP_SYNCNT,
        "TCP_LINGER2" => libc::TCP_LINGER2,
        "TCP_DEFER_ACCEPT" => libc::TCP_DEFER_ACCEPT,
        "TCP_QUICKACK" => libc::TCP_QUICKACK,
        "TCP_CONGESTION" => libc::TCP_CONGESTION,
        "TCP_USER_TIMEOUT" => libc::TCP_USER_TIMEOUT,
        "TCP_ADVERTISE_USER_TIMEOUT" => ADVERTISE_USER_TIMEOUT,
        "TCP_INFO" => libc::TCP_INFO,
        "TCP_INQ" => 36,
        "TCP_NOTSENT_LOWAT" => 25,
        "TCP_FASTOPEN" => libc::TCP_FASTOPEN,
        "TCP_FASTOPEN_CONNECT" => libc::TCP_FASTOPEN_CONNECT,
        "MSG_DONTWAIT" => libc::MSG_DONTWAIT,
        "MSG_PEEK" => libc::MSG_PEEK,
        "MSG_WAITALL" => libc::MSG_WAITALL,
        "MSG_MORE" => libc::MSG_MORE,
        "MSG_OOB" => libc::MSG_OOB,
        "MSG_NOSIGNAL" => libc::MSG_NOSIGNAL,
        "MSG_TRUNC" => libc::MSG_TRUNC,
        "MSG_FASTOPEN" => libc::MSG_FASTOPEN,
        "SHUT_RD" => libc::SHUT_RD,
        "SHUT_WR" => libc::SHUT_WR,
        "SHUT_RDWR" => libc::SHUT_RDWR,
        "F_GETFL" => libc::F_GETFL,
        "F_SETFL" => libc::F_SETFL,
        "O_RDONLY" => libc::O_RDONLY,
        "O_WRONLY" => libc::O_WRONLY,
        "O_RDWR" => libc::O_RDWR,
        "O_NONBLOCK" => libc::O_NONBLOCK,
        "POLLIN" => i32::from(libc::POLLIN),
        "POLLPRI" => i32::from(libc::POLLPRI),
        "POLLOUT" => i32::from(libc::POLLOUT),
        "POLLERR" => i32::from(libc::POLLERR),
        "POLLHUP" => i32::from(libc::POLLHUP),
        "POLLRDHUP" => i32::from(libc::POLLRDHUP),
        "SIOCINQ" | "FIONREAD" => 0x541B,
        "SIOCOUTQ" | "TIOCOUTQ" => 0x5411,
        "SIOCOUTQNSD" => 0x894B,
        _ => return of_ip(name).or_else(|| errno(name)).map(i64::from),
    }))
}

/// The value of a constant of the sockets of IP.
fn of_ip(name: &str) -> Option<libc::c_int> {
    Some(match name {
        "IP_TOS" => libc::IP_TOS,
        "IP_TTL" => libc::IP_TTL,
        "IP_ADD_MEMBERSHIP" => libc::IP_ADD_MEMBERSHIP,
        "IP_DROP_MEMBERSHIP" => libc::IP_DROP_MEMBERSHIP,
        "IPV6_JOIN_GROUP" | "IPV6_ADD_MEMBERSHIP" => libc::IPV6_ADD_MEMBERSHIP,
        "IPV6_LEAVE_GROUP" | "IPV6_DROP_MEMBERSHIP" => libc::IPV6_DROP_MEMBERSHIP,
        "IPV6_MTU_DISCOVER" => libc::IPV6_MTU_DISCOVER,
        "IPV6_PMTUDISC_DO" => libc::IPV6_PMTUDISC_DO,
        "IP_MTU_DISCOVER" => libc::IP_MTU_DISCOVER,
        "IP_PMTUDISC_DONT" => libc::IP_PMTUDISC_DONT,
        "IP_PMTUDISC_DO" => libc::IP_PMTUDISC_DO,
        "IP_MTU" => libc::IP_MTU,
        "IP_RECVERR" => libc::IP_RECVERR,
        "IPV6_UNICAST_HOPS" => libc::IPV6_UNICAST_HOPS,
        "IPV6_TCLASS" => libc::IPV6_TCLASS,
        "IPV6_V6ONLY" => libc::IPV6_V6ONLY,
        _ => return None,
    })
}

/// The type of ICMP `name`, of the version that is asked for.
pub(crate) fn icmp_type(v6: bool, name: &str) -> Option<u8> {
    Some(match (v6, name) {
        (false, "echo_reply") => 0,
        (false, "unreachable") => 3,
        (false, "source_quench") => 4,
        (false, "redirect") => 5,
        (false, "echo" | "echo_request") => 8,
        (false, "time_exceeded") => 11,
        (false, "parameter_problem") => 12,
        (true, "unreachable") => 1,
        (true, "packet_too_big") => 2,
        (true, "time_exceeded") => 3,
        (true, "parameter_problem") => 4,
        (true, "echo_request") => 128,
        (true, "echo_reply") => 129,
        _ => return None,
    })
}

/// The type `name` of messages about groups: of IGMP, or of MLD.
pub(crate) fn group_type(v6: bool, name: &str) -> Option<u8> {
    Some(match (v6, name) {
        (false, "query") => 0x11,
        (false, "report1") => 0x12,
        (false, "report2") => 0x16,
        (false, "leave") => 0x17,
        (false, "report") => 0x22,
        (true, "query") => 130,
        (true, "report1") => 131,
        (true, "done") => 132,
        (true, "report") => 143,
        _ => return None,
    })
}

/// The code `name` of the type `kind` of ICMP.
pub(crate) fn icmp_code(v6: bool, kind: u8, name: &str) -> Option<u8> {
    const V4: [&str; 16] = [
        "net_unreachable",
        "host_unreachable",
        "protocol_unreachable",
        "port_unreachable",
        "frag_needed",
        "source_route_failed",
        "net_unknown",
        "host_unknown",
        "source_host_isolated",
        "net_prohibited",
        "host_prohibited",
        "net_unreachable_for_tos",
        "host_unreachable_for_tos",
        "packet_filtered",
        "precedence_violation",
        "precedence_cutoff",
    ];
    const V6: [&str; 5] = [
        "no_route",
        "admin_prohibited",
        "beyond_scope",
        "address_unreachable",
        "port_unreachable",
    ];
    const EXCEEDED: [&str; 2] = ["ttl_exceeded", "reassembly_exceeded"];
    let names: &[&str] = match (v6, kind) {
        (false, 3) => &V4,
        (true, 1) => &V6,
        (false, 11) | (true, 3) => &EXCEEDED,
        _ => return None,
    };
    let at = names.iter().position(|known| *known == name)?;
    u8::try_from(at).ok()
}
