//! What is beside and below streams and datagrams: groups, packets, devices, numbers of messages, data with a SYN.

use std::net::SocketAddr;

use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use netstack_sockets::{Errno, MessageHead, PollFd, ReceivedMessage, SockAddr, Sockets};
use txbuf::{IovIter, Offloads, Packet};

const NOW: Instant = Instant::from_secs(1);
const FIRST: IfaceId = IfaceId::new(0);
const ONE: [u8; 4] = 1i32.to_ne_bytes();

/// A host on two networks.
fn sockets() -> Sockets {
    let mut stack = Stack::new(Config::new([7; 32]));
    for (name, address) in [("one", "10.0.0.1/24"), ("two", "10.0.1.1/24")] {
        let config = InterfaceConfig {
            name: name.into(),
            mtu: 1500,
            offloads: Offloads::default(),
        };
        let iface = stack.add_interface(config).expect("an interface");
        let cidr = address.parse().expect("a prefix");
        stack.add_address(iface, cidr).expect("an address");
    }
    stack.handle_timeout(NOW);
    Sockets::new(stack)
}

fn at(text: &str) -> SockAddr {
    text.parse::<SocketAddr>().expect("an address").into()
}

fn socket(sockets: &mut Sockets, domain: i32, kind: i32, protocol: i32) -> i32 {
    let made = sockets.socket(domain, kind | libc::SOCK_NONBLOCK, protocol);
    made.expect("a socket")
}

fn udp(sockets: &mut Sockets, local: &str) -> i32 {
    let fd = socket(sockets, libc::AF_INET, libc::SOCK_DGRAM, 0);
    assert_eq!(sockets.bind(fd, &at(local)), Ok(()));
    fd
}

/// What leaves by an interface.
fn sent(sockets: &mut Sockets, iface: u32) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some(packet) = sockets.stack_mut().poll_transmit(NOW, IfaceId::new(iface)) {
        packets.push(packet.to_vec().expect("readable bytes"));
    }
    packets
}

fn arrives(sockets: &mut Sockets, iface: IfaceId, bytes: &[u8]) {
    let mut arena = txbuf::Chain::arena(&sockets.stack().pools().small);
    let packet = Packet::copy_from(bytes, &mut arena).expect("room");
    sockets.stack_mut().handle_packet(NOW, iface, packet);
}

fn send(sockets: &mut Sockets, fd: i32, to: Option<&SockAddr>, flags: i32) -> Result<usize, Errno> {
    let head = MessageHead {
        name: to.map(|to| &**to),
        ..MessageHead::default()
    };
    sockets.sendmsg(fd, &mut IovIter::bytes(b"hello"), &head, flags)
}

fn receive(sockets: &mut Sockets, fd: i32, flags: i32) -> Result<ReceivedMessage, Errno> {
    let mut buffer = [0; 100];
    sockets.recvmsg(fd, &mut IovIter::buffer(&mut buffer), 100, flags)
}

fn set(sockets: &mut Sockets, fd: i32, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
    sockets.setsockopt(NOW, fd, level, name, value)
}

#[test]
fn a_socket_joins_a_group_before_it_is_bound() {
    let mut sockets = sockets();
    let fd = socket(&mut sockets, libc::AF_INET, libc::SOCK_DGRAM, 0);
    let wish = [239, 1, 1, 1, 10, 0, 1, 1];
    let joined = set(
        &mut sockets,
        fd,
        libc::IPPROTO_IP,
        libc::IP_ADD_MEMBERSHIP,
        &wish,
    );
    assert_eq!(joined, Ok(()));
    // The routers of its link hear of it, and of no other.
    assert_eq!(sent(&mut sockets, 0), Vec::<Vec<u8>>::new());
    assert_eq!(sent(&mut sockets, 1).len(), 1);
    assert_eq!(sockets.getsockname(fd), Ok(at("0.0.0.0:0")));
    assert_eq!(sockets.bind(fd, &at("239.1.1.1:7")), Ok(()));
    let sender = udp(&mut sockets, "10.0.1.1:9");
    let by = set(
        &mut sockets,
        sender,
        libc::IPPROTO_IP,
        libc::IP_MULTICAST_IF,
        &[10, 0, 1, 1],
    );
    assert_eq!(by, Ok(()));
    assert_eq!(
        send(&mut sockets, sender, Some(&at("239.1.1.1:7")), 0),
        Ok(5)
    );
    // It leaves by the interface that was named, and loops back.
    assert_eq!(sent(&mut sockets, 1).len(), 1);
    assert_eq!(receive(&mut sockets, fd, 0).map(|got| got.bytes), Ok(5));
    assert_eq!(receive(&mut sockets, fd, 0), Err(Errno::EAGAIN));
}

#[test]
fn a_packet_socket_sees_its_protocol_and_its_interface() {
    let mut sockets = sockets();
    let protocol = |of: i32| i32::from((of as u16).to_be());
    let mut open = |of| socket(&mut sockets, libc::AF_PACKET, libc::SOCK_RAW, protocol(of));
    let (all, v4, v6) = (
        open(libc::ETH_P_ALL),
        open(libc::ETH_P_IP),
        open(libc::ETH_P_IPV6),
    );
    let elsewhere = open(libc::ETH_P_ALL);
    let mut second = vec![0; 20];
    second[0] = libc::AF_PACKET as u8;
    second[4] = 2;
    assert_eq!(sockets.bind(elsewhere, &second), Ok(()));
    let sender = udp(&mut sockets, "10.0.0.1:9");
    assert_eq!(
        send(&mut sockets, sender, Some(&at("10.0.0.2:7")), 0),
        Ok(5)
    );
    let packets = sent(&mut sockets, 0);
    assert_eq!(packets.len(), 1);
    arrives(&mut sockets, FIRST, &packets[0]);
    let mut seen = |fd| {
        let mut kinds = Vec::new();
        while let Ok(got) = receive(&mut sockets, fd, 0) {
            let name = got.name.expect("a name");
            assert_eq!((got.bytes, name.len(), name[4]), (33, 20, 1));
            kinds.push(name[10]);
        }
        kinds
    };
    // What left is for nobody here; it comes back as something of another host.
    assert_eq!(seen(all), [libc::PACKET_OUTGOING, libc::PACKET_OTHERHOST]);
    assert_eq!(seen(v4), [libc::PACKET_OTHERHOST]);
    assert_eq!(seen(v6), []);
    assert_eq!(seen(elsewhere), []);
    // What it is given leaves as it is, by the interface that is named.
    let head = MessageHead {
        name: Some(&second),
        ..MessageHead::default()
    };
    let done = sockets.sendmsg(v6, &mut IovIter::bytes(&packets[0]), &head, 0);
    assert_eq!(done, Ok(33));
    assert_eq!(sent(&mut sockets, 1), packets);
    assert_eq!(send(&mut sockets, v6, None, 0), Err(Errno::ENXIO));
}

#[test]
fn a_bound_socket_is_confined_to_a_device() {
    let mut sockets = sockets();
    let fd = udp(&mut sockets, "0.0.0.0:7");
    let other = udp(&mut sockets, "10.0.0.1:9");
    let confined = |sockets: &mut Sockets, name: &[u8]| {
        set(sockets, fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name)
    };
    for (device, gets) in [("two", false), ("one", true), ("two", false), ("", true)] {
        assert_eq!(confined(&mut sockets, device.as_bytes()), Ok(()));
        let mut name = [0; 16];
        let len = sockets.getsockopt(fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut name);
        let expected = if device.is_empty() { 0 } else { 4 };
        assert_eq!(
            (len, name.starts_with(device.as_bytes())),
            (Ok(expected), true)
        );
        assert_eq!(send(&mut sockets, other, Some(&at("10.0.0.1:7")), 0), Ok(5));
        sent(&mut sockets, 0);
        assert_eq!(receive(&mut sockets, fd, 0).is_ok(), gets, "{device}");
        // The sender may have been told that nobody is there.
        let _ = receive(&mut sockets, other, 0);
    }
    assert_eq!(confined(&mut sockets, b"three"), Err(Errno::ENODEV));
}

#[test]
fn messages_that_are_refused_have_no_number() {
    let mut sockets = sockets();
    let fd = udp(&mut sockets, "10.0.0.1:9");
    let to = at("10.0.0.2:7");
    let on = set(&mut sockets, fd, libc::SOL_SOCKET, libc::SO_ZEROCOPY, &ONE);
    assert_eq!(on, Ok(()));
    let flags = libc::MSG_ZEROCOPY;
    assert_eq!(send(&mut sockets, fd, Some(&to), flags), Ok(5));
    assert_eq!(
        send(&mut sockets, fd, Some(&at("192.0.2.1:7")), flags),
        Err(Errno::ENETUNREACH)
    );
    assert_eq!(send(&mut sockets, fd, Some(&to), flags), Ok(5));
    assert_eq!(
        receive(&mut sockets, fd, libc::MSG_ERRQUEUE),
        Err(Errno::EAGAIN)
    );
    assert_eq!(sent(&mut sockets, 0).len(), 2);
    let mut polled = [PollFd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    }];
    assert_eq!(sockets.poll(&mut polled), 1);
    assert_eq!(polled[0].revents, libc::POLLOUT | libc::POLLERR);
    let got = receive(&mut sockets, fd, libc::MSG_ERRQUEUE).expect("both are done");
    let numbers: Vec<u32> = got.control[24..32]
        .chunks(4)
        .map(|four| u32::from_ne_bytes(four.try_into().expect("four bytes")))
        .collect();
    assert_eq!(numbers, [0, 1]);
    assert_eq!(
        receive(&mut sockets, fd, libc::MSG_ERRQUEUE),
        Err(Errno::EAGAIN)
    );
}

#[test]
fn without_a_cookie_the_first_data_waits_for_a_handshake() {
    let mut sockets = sockets();
    let fd = socket(&mut sockets, libc::AF_INET, libc::SOCK_STREAM, 0);
    let to = at("10.0.0.2:7");
    let flags = libc::MSG_FASTOPEN;
    assert_eq!(send(&mut sockets, fd, None, flags), Err(Errno::EINVAL));
    assert_eq!(
        send(&mut sockets, fd, Some(&to), flags),
        Err(Errno::EINPROGRESS)
    );
    assert_eq!(
        send(&mut sockets, fd, Some(&to), flags),
        Err(Errno::EALREADY)
    );
    // The SYN asks for a cookie: option 34 without one.
    let syn = sent(&mut sockets, 0).remove(0);
    assert!(syn[40..].windows(2).any(|option| option == [34, 2]));
    assert_eq!(sockets.sysctl("tcp_fastopen", "0"), Ok(()));
    let other = socket(&mut sockets, libc::AF_INET, libc::SOCK_STREAM, 0);
    assert_eq!(
        send(&mut sockets, other, Some(&to), flags),
        Err(Errno::EOPNOTSUPP)
    );
}
