//! Pings: those that are answered, and those that are sent.

use super::*;
use netstack_core::BindError;
use suite::wire::{Icmp, Ip};

fn open(lab: &mut Lab, local: &str) -> SocketId {
    let options = BindOptions::default();
    let opened = lab.host.stack.ping_open(address(local), &options);
    opened.expect("an identifier")
}

/// An echo request as an application writes it: without identifier and checksum.
fn request(v6: bool, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if v6 { 128 } else { 8 }, 0, 0, 0, 0, 0];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn a_ping_goes_out_and_its_answer_comes_in() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let socket = open(&mut lab, if v6 { "[::]:0" } else { "0.0.0.0:0" });
        let ident = lab.host.stack.local_addr(socket).expect("open").port();
        assert_ne!(ident, 0);
        let to = SendControl::to(SocketAddr::new(Lab::neighbour(v6), 0));
        for len in [0, 56, 4_000] {
            let data = vec![7; len];
            send(&mut lab, socket, &request(v6, 3, &data), to).expect("room");
            let whole = Ip::reassemble(&lab.sent());
            let sent = Icmp::of(&whole).expect("ICMP, its checksum right");
            assert_eq!(sent.kind, (if v6 { 128 } else { 8 }, 0));
            assert_eq!(sent.word, u32::from(ident) << 16 | 3);
            assert_eq!((sent.src, sent.payload.len()), (Lab::address(v6), len));
            let reply = Icmp {
                src: sent.dst,
                dst: sent.src,
                kind: (if v6 { 129 } else { 0 }, 0),
                ..sent
            };
            lab.inject(&reply.to_packet());
            let (bytes, received) = receive(&mut lab.host.stack, socket).expect("an answer");
            assert_eq!(bytes, reply.to_message());
            assert_eq!(
                received.from.map(|from| from.ip()),
                Some(Lab::neighbour(v6))
            );
            // One of another identifier is for somebody else.
            let other = Icmp {
                word: reply.word ^ 1 << 16,
                ..reply
            };
            lab.inject(&other.to_packet());
            assert!(payloads(&mut lab, socket).is_empty());
        }
        lab.host.stack.close(lab.now, socket);
        assert_eq!((lab.held(), lab.host.live_nodes()), (0, 0));
    }
}

#[test]
fn a_ping_socket_sends_nothing_but_pings_and_has_its_identifier_alone() {
    let mut lab = Lab::default();
    let socket = open(&mut lab, "0.0.0.0:77");
    let to = SendControl::to(SocketAddr::new(Lab::neighbour(false), 0));
    for message in [
        &b""[..],
        &[8, 0, 0, 0, 0, 0, 0],
        &request(true, 1, b"six"),
        &[0; 8],
    ] {
        let refused = send(&mut lab, socket, message, to);
        assert_eq!(refused, Err(SendError::InvalidMessage));
    }
    let options = BindOptions::default();
    let taken = lab.host.stack.ping_open(address("0.0.0.0:77"), &options);
    assert_eq!(taken.err(), Some(BindError::InUse));
    assert!(lab.sent().is_empty());
}

#[test]
fn what_the_network_says_about_a_ping_is_told() {
    let mut lab = Lab::default();
    let socket = open(&mut lab, "0.0.0.0:0");
    option(&mut lab, socket, SocketOption::QueueErrors(true));
    let to = SendControl::to(address("10.0.0.9:0"));
    send(&mut lab, socket, &request(false, 1, b"data"), to).expect("room");
    let error = Icmp {
        src: Lab::neighbour(false),
        dst: Lab::address(false),
        kind: (3, 1),
        word: 0,
        payload: lab.sent().remove(0),
    };
    lab.inject(&error.to_packet());
    let mut buffer = [0; 100];
    let mut into = IovIter::buffer(&mut buffer);
    let stack = &mut lab.host.stack;
    let read = stack.receive_error(socket, &mut into, RecvFlags::NONE);
    let read = read.expect("an error");
    assert_eq!((read.report.kind, read.report.code), (3, 1));
    assert_eq!(read.bytes, 12, "the whole message");
}

// req: RFC8201-01, RFC8201-03
#[test]
fn answers_to_pings_follow_the_path() {
    let mut lab = Lab::default();
    let (src, dst) = (Lab::neighbour(true), Lab::address(true));
    let ping = |ident| Icmp::echo_request(src, dst, ident, 1, vec![1; 1_400]);
    lab.inject(&ping(5).to_packet());
    let reply = lab.sent();
    assert_eq!(reply.len(), 1, "the link takes it whole");
    let too_big = |quoted: &[u8]| Icmp {
        src: "fd09::1".parse().expect("a literal"),
        dst,
        kind: (2, 0),
        word: 1280,
        payload: quoted[..1200].to_vec(),
    };
    // About an answer that was never given nothing is believed.
    let mut forged = reply[0].clone();
    forged[44..46].copy_from_slice(&[9, 9]);
    lab.inject(&too_big(&forged).to_packet());
    lab.inject(&ping(5).to_packet());
    assert_eq!(lab.sent().len(), 1);
    lab.inject(&too_big(&reply[0]).to_packet());
    lab.inject(&ping(6).to_packet());
    let parts = lab.sent();
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().all(|part| part.len() <= 1280));
    let whole = Icmp::of(&Ip::reassemble(&parts)).expect("ICMP");
    assert_eq!(whole.payload, vec![1; 1_400]);
}
