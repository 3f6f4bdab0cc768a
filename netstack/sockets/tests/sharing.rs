//! What sockets share and what their options do on the wire: two versions of IP, ports, hop limits, halves that are shut.

use std::net::SocketAddr;

use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use netstack_sockets::{Errno, MessageHead, PollFd, SockAddr, Sockets, sysctl};
use txbuf::{IovIter, Offloads};

const NOW: Instant = Instant::from_secs(1);
const IFACE: IfaceId = IfaceId::new(0);

fn sockets() -> Sockets {
    let mut stack = Stack::new(Config::new([7; 32]));
    let config = InterfaceConfig {
        name: "lo".into(),
        mtu: 1500,
        offloads: Offloads::default(),
    };
    let iface = stack.add_interface(config).expect("an interface");
    for cidr in ["10.0.0.1/24", "fd00::1/64"] {
        let cidr = cidr.parse().expect("a prefix");
        stack.add_address(iface, cidr).expect("an address");
    }
    Sockets::new(stack)
}

fn at(text: &str) -> SockAddr {
    text.parse::<SocketAddr>().expect("an address").into()
}

/// What the stack sends to others.
fn sent(sockets: &mut Sockets) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some(packet) = sockets.stack_mut().poll_transmit(NOW, IFACE) {
        packets.push(packet.to_vec().expect("readable bytes"));
    }
    packets
}

fn set(sockets: &mut Sockets, fd: i32, level: i32, name: i32, value: i32) -> Result<(), Errno> {
    sockets.setsockopt(NOW, fd, level, name, &value.to_ne_bytes())
}

fn receive(sockets: &mut Sockets, fd: i32) -> Result<(Vec<u8>, Option<SockAddr>), Errno> {
    let mut buffer = [0; 64];
    let got = sockets.recvmsg(fd, &mut IovIter::buffer(&mut buffer), 0, 0)?;
    Ok((buffer[..got.taken].to_vec(), got.name))
}

fn send(sockets: &mut Sockets, fd: i32, bytes: &[u8], to: Option<&SockAddr>) {
    let head = MessageHead {
        name: to.map(|to| &**to),
        ..MessageHead::default()
    };
    let done = sockets.sendmsg(fd, &mut IovIter::bytes(bytes), &head, 0);
    assert_eq!(done, Ok(bytes.len()));
}

#[test]
fn a_socket_of_ipv6_takes_ipv4_unless_it_is_for_ipv6_only() {
    for only in [false, true] {
        let mut sockets = sockets();
        let listener = sockets.socket(libc::AF_INET6, libc::SOCK_STREAM, 0);
        let listener = listener.expect("a socket");
        let done = set(
            &mut sockets,
            listener,
            libc::IPPROTO_IPV6,
            libc::IPV6_V6ONLY,
            only.into(),
        );
        assert_eq!(done, Ok(()));
        assert_eq!(sockets.bind(listener, &at("[::]:80")), Ok(()));
        assert_eq!(sockets.listen(listener, 5), Ok(()));
        let client = sockets.socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let client = client.expect("a socket");
        let begun = sockets.connect(NOW, client, &at("10.0.0.1:80"));
        assert_eq!(begun, Err(Errno::EINPROGRESS));
        sent(&mut sockets);
        let accepted = sockets.accept(NOW, listener, 0);
        if only {
            assert_eq!(accepted.err(), Some(Errno::EAGAIN));
            continue;
        }
        let (server, name) = accepted.expect("a connection");
        let name = name.address().expect("a name");
        assert_eq!(
            name.ip(),
            "::ffff:10.0.0.1"
                .parse::<std::net::IpAddr>()
                .expect("an address")
        );
        let own = sockets.getsockname(server).expect("a name");
        assert_eq!(own, at("[::ffff:10.0.0.1]:80"));
    }
}

#[test]
fn datagrams_of_both_versions_reach_a_socket_of_ipv6() {
    let mut sockets = sockets();
    let both = sockets.socket(libc::AF_INET6, libc::SOCK_DGRAM, 0);
    let both = both.expect("a socket");
    assert_eq!(sockets.bind(both, &at("[::]:53")), Ok(()));
    for (domain, from, to) in [
        (libc::AF_INET, "10.0.0.1:9", "10.0.0.1:53"),
        (libc::AF_INET6, "[fd00::1]:9", "[fd00::1]:53"),
    ] {
        let fd = sockets
            .socket(domain, libc::SOCK_DGRAM, 0)
            .expect("a socket");
        assert_eq!(sockets.bind(fd, &at(from)), Ok(()));
        send(&mut sockets, fd, b"question", Some(&at(to)));
        sent(&mut sockets);
        let (bytes, name) = receive(&mut sockets, both).expect("a datagram");
        assert_eq!(bytes, b"question");
        send(&mut sockets, both, b"answer", name.as_ref());
        sent(&mut sockets);
        assert_eq!(receive(&mut sockets, fd).expect("an answer").0, b"answer");
    }
}

#[test]
fn ports_are_shared_by_those_that_say_so() {
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
        for (option, second_listens) in [
            (None, None),
            (Some(libc::SO_REUSEADDR), Some(Err(Errno::EADDRINUSE))),
            (Some(libc::SO_REUSEPORT), Some(Ok(()))),
        ] {
            let mut sockets = sockets();
            let mut make = || {
                let fd = sockets.socket(libc::AF_INET, kind, 0).expect("a socket");
                if let Some(option) = option {
                    set(&mut sockets, fd, libc::SOL_SOCKET, option, 1).expect("an option");
                }
                (fd, sockets.bind(fd, &at("10.0.0.1:80")))
            };
            let ((one, first), (two, second)) = (make(), make());
            assert_eq!(first, Ok(()));
            let Some(second_listens) = second_listens else {
                assert_eq!(second, Err(Errno::EADDRINUSE));
                continue;
            };
            assert_eq!(second, Ok(()), "{option:?}");
            if kind == libc::SOCK_STREAM {
                assert_eq!(sockets.listen(one, 5), Ok(()));
                assert_eq!(sockets.listen(two, 5), second_listens, "{option:?}");
            }
        }
    }
}

#[test]
fn hop_limit_and_class_stand_in_packets() {
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
        let mut sockets = sockets();
        let four = sockets.socket(libc::AF_INET, kind, 0).expect("a socket");
        set(&mut sockets, four, libc::IPPROTO_IP, libc::IP_TTL, 9).expect("a TTL");
        set(&mut sockets, four, libc::IPPROTO_IP, libc::IP_TOS, 0xB8).expect("a class");
        let six = sockets.socket(libc::AF_INET6, kind, 0).expect("a socket");
        set(
            &mut sockets,
            six,
            libc::IPPROTO_IPV6,
            libc::IPV6_UNICAST_HOPS,
            9,
        )
        .expect("a limit");
        set(
            &mut sockets,
            six,
            libc::IPPROTO_IPV6,
            libc::IPV6_TCLASS,
            0xB8,
        )
        .expect("a class");
        // Of what does not leave in this version it says nothing.
        set(&mut sockets, six, libc::IPPROTO_IP, libc::IP_TTL, 77).expect("a TTL");
        for (fd, to) in [(four, "10.0.0.2:80"), (six, "[fd00::2]:80")] {
            let done = sockets.connect(NOW, fd, &at(to));
            if kind == libc::SOCK_DGRAM {
                assert_eq!(done, Ok(()));
                send(&mut sockets, fd, b"x", None);
            }
            let packets = sent(&mut sockets);
            let packet = packets.first().expect("a packet");
            let (class, limit) = match packet[0] >> 4 {
                4 => (packet[1], packet[8]),
                _ => (packet[0] << 4 | packet[1] >> 4, packet[7]),
            };
            assert_eq!((class, limit), (0xB8, 9), "{to}");
        }
    }
}

#[test]
fn what_waits_can_be_read_after_the_socket_is_shut_for_reading() {
    let mut sockets = sockets();
    let listener = sockets
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    assert_eq!(sockets.bind(listener, &at("10.0.0.1:80")), Ok(()));
    assert_eq!(sockets.listen(listener, 5), Ok(()));
    let client = sockets
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    let _ = sockets.connect(NOW, client, &at("10.0.0.1:80"));
    sent(&mut sockets);
    let (server, _) = sockets.accept(NOW, listener, 0).expect("a connection");
    send(&mut sockets, client, b"late", None);
    sent(&mut sockets);
    assert_eq!(sockets.shutdown(NOW, server, libc::SHUT_RD), Ok(()));
    let mut poll = [PollFd {
        fd: server,
        events: libc::POLLIN | libc::POLLRDHUP,
        revents: 0,
    }];
    sockets.poll(&mut poll);
    assert_eq!(poll[0].revents, libc::POLLIN | libc::POLLRDHUP);
    assert_eq!(receive(&mut sockets, server).expect("data").0, b"late");
    assert_eq!(receive(&mut sockets, server).expect("the end").0, b"");
}

#[test]
fn a_port_stays_with_who_bound_it_when_a_connection_is_over() {
    let mut sockets = sockets();
    let fd = sockets
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    assert_eq!(sockets.bind(fd, &at("10.0.0.1:5000")), Ok(()));
    let begun = sockets.connect(NOW, fd, &at("10.0.0.1:80"));
    assert_eq!(begun, Err(Errno::EINPROGRESS));
    sent(&mut sockets);
    let told = sockets.connect(NOW, fd, &at("10.0.0.1:80"));
    assert_eq!(told, Err(Errno::ECONNREFUSED));
    assert_eq!(sockets.getsockname(fd), Ok(at("10.0.0.1:5000")));
    let other = sockets
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    assert_eq!(
        sockets.bind(other, &at("10.0.0.1:5000")),
        Err(Errno::EADDRINUSE)
    );
    assert_eq!(sockets.listen(fd, 1), Ok(()), "it can begin again");
}

#[test]
fn variables_have_the_names_and_values_of_linux() {
    let mut sockets = sockets();
    let mut tcp = sockets.stack().tcp_config().clone();
    assert_eq!(
        sysctl::set(&mut tcp, "net.ipv4.tcp_mtu_probing", "2"),
        Ok(())
    );
    assert_eq!(sysctl::set(&mut tcp, "tcp_base_mss", "512"), Ok(()));
    assert_eq!(sysctl::set(&mut tcp, "tcp_fastopen", "3"), Ok(()));
    assert_eq!(tcp.mtu_probing, netstack_core::MtuProbing::Always);
    assert_eq!(tcp.base_mss, 512);
    assert_eq!(tcp.fast_open, netstack_core::FastOpen::from_bits(3));
    assert_eq!(
        sysctl::set(&mut tcp, "tcp_mtu_probing", "3"),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        sysctl::set(&mut tcp, "tcp_base_mss", "70000"),
        Err(Errno::EINVAL)
    );
    assert_eq!(sysctl::set(&mut tcp, "tcp_none", "1"), Err(Errno::ENOENT));
    sockets.stack_mut().set_tcp_config(tcp);
}
