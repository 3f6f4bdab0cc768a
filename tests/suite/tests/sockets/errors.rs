//! Errors that the network reports about datagrams.

use super::*;
use netstack_core::{ConnectionError, ErrorOrigin, ReceivedError};
use suite::wire::Icmp;

fn read_error(lab: &mut Lab, socket: SocketId) -> Result<(Vec<u8>, ReceivedError), RecvError> {
    let mut buffer = vec![0; 2_000];
    let mut into = IovIter::buffer(&mut buffer);
    let stack = &mut lab.host.stack;
    let read = stack.receive_error(socket, &mut into, RecvFlags::NONE)?;
    buffer.truncate(read.bytes);
    Ok((buffer, read))
}

/// What a router says about `packet`, which it quotes whole.
fn said(router: &str, kind: (u8, u8), word: u32, packet: &[u8]) -> Icmp {
    let src: std::net::IpAddr = router.parse().expect("a literal");
    Icmp {
        src,
        dst: Lab::address(src.is_ipv6()),
        kind,
        word,
        payload: packet.to_vec(),
    }
}

// req: RFC1122-24, RFC1122-33, RFC1122-38, RFC4443-04, RFC4443-14, RFC1122udp-03
#[test]
fn queued_errors_say_what_who_and_about_what() {
    for v6 in [false, true] {
        let mut lab = Lab::default();
        let local = if v6 { "[::]:53" } else { "0.0.0.0:53" };
        let socket = bind(&mut lab, local, BindOptions::default());
        option(&mut lab, socket, SocketOption::QueueErrors(true));
        let to = SocketAddr::new(Lab::neighbour(v6), 7);
        send(&mut lab, socket, b"what became of it?", SendControl::to(to)).expect("room");
        let packet = lab.sent().remove(0);
        let router = if v6 { "fd09::1" } else { "10.9.9.9" };
        let cases = match v6 {
            false => [((3, 3), 0), ((3, 1), 0), ((11, 0), 0), ((12, 0), 20 << 24)],
            true => [((1, 4), 0), ((1, 0), 0), ((3, 0), 0), ((100, 9), 0)],
        };
        for (kind, word) in cases {
            lab.inject(&said(router, kind, word, &packet).to_packet());
            let readiness = lab.host.stack.readiness(socket).expect("open");
            assert!(readiness.error && readiness.readable);
            let (start, error) = read_error(&mut lab, socket).expect("an error");
            let report = error.report;
            assert_eq!((report.kind, report.code), kind);
            assert_eq!((report.to, report.time), (to, lab.now));
            assert_eq!(report.offender, Some(router.parse().expect("a literal")));
            let origin = if v6 {
                ErrorOrigin::Icmpv6
            } else {
                ErrorOrigin::Icmp
            };
            assert_eq!(report.origin, origin);
            assert_eq!(report.info, word >> 24);
            assert_eq!(start, b"what became of it?");
            assert!(!error.truncated);
            assert_eq!(
                read_error(&mut lab, socket).err(),
                Some(RecvError::WouldBlock)
            );
            assert!(!lab.host.stack.readiness(socket).expect("open").error);
        }
    }
}

#[test]
fn the_next_call_is_told_too_and_the_queue_is_bounded() {
    let mut lab = Lab::default();
    let socket = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    option(&mut lab, socket, SocketOption::QueueErrors(true));
    let to = SendControl::to(SocketAddr::new(Lab::neighbour(false), 7));
    send(&mut lab, socket, &[1; 1_000], to).expect("room");
    let packet = lab.sent().remove(0);
    for _ in 0..100 {
        lab.inject(&said("10.0.0.2", (3, 3), 0, &packet[..560]).to_packet());
    }
    let refused = ConnectionError::Refused;
    let told = receive(&mut lab.host.stack, socket).err();
    assert_eq!(told, Some(RecvError::Connection(refused)));
    let counters = &lab.host.stack.counters().udp;
    assert_eq!(
        (counters.errors_queued, counters.errors_queue_full),
        (64, 36)
    );
    for _ in 0..64 {
        let (start, _) = read_error(&mut lab, socket).expect("an error");
        assert_eq!(start, [1; 532], "what was quoted of the payload");
    }
    assert_eq!(
        read_error(&mut lab, socket).err(),
        Some(RecvError::WouldBlock)
    );
    assert_eq!(lab.held(), 0, "nothing of the messages is kept");
}

#[test]
fn a_datagram_that_is_too_long_is_reported_by_this_host() {
    let mut lab = Lab::default();
    let socket = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    option(&mut lab, socket, SocketOption::QueueErrors(true));
    option(&mut lab, socket, SocketOption::DontFragment(true));
    let to = SendControl::to(SocketAddr::new(Lab::neighbour(false), 7));
    let refused = send(&mut lab, socket, &[1; 2_000], to);
    assert_eq!(refused, Err(SendError::TooLong));
    let (_, error) = read_error(&mut lab, socket).expect("an error");
    assert_eq!(error.report.origin, ErrorOrigin::Local);
    assert_eq!(error.report.info, 1500);
}

// req: RFC8085-10, RFC8085-11
#[test]
fn who_did_not_ask_hears_nothing_of_what_may_pass() {
    let mut lab = Lab::default();
    let socket = bind(&mut lab, "0.0.0.0:53", BindOptions::default());
    let to = SendControl::to(SocketAddr::new(Lab::neighbour(false), 7));
    send(&mut lab, socket, b"x", to).expect("room");
    let packet = lab.sent().remove(0);
    for kind in [(3, 3), (3, 1), (11, 0)] {
        lab.inject(&said("10.0.0.2", kind, 0, &packet).to_packet());
    }
    let none = receive(&mut lab.host.stack, socket).err();
    assert_eq!(none, Some(RecvError::WouldBlock));
    assert_eq!(
        read_error(&mut lab, socket).err(),
        Some(RecvError::WouldBlock)
    );
}
