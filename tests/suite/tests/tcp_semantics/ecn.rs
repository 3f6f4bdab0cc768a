//! Explicit congestion notification (RFC 3168): marks instead of losses.

use core::time::Duration;
use netstack_core::{Congestion, Ecn, SocketOption, TcpConfig};
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, SYN, Tcp, ip};

const ECE: u8 = 0x40;
const CWR: u8 = 0x80;
const ECT: u8 = 0b10;
const CE: u8 = 0b11;
const MSS: usize = 1460;
const SECOND: Duration = Duration::from_secs(1);

fn lab(ecn: Ecn) -> Lab {
    let mut tcp = TcpConfig::default();
    tcp.ecn = ecn;
    Lab::new(&WorldConfig {
        tcp,
        ..WorldConfig::default()
    })
}

/// What the stack sends now, with the ECN bits of each packet.
fn sent(lab: &mut Lab) -> Vec<(u8, Tcp)> {
    let packets = lab.sent();
    let read = |packet: &Vec<u8>| (ip::ecn(packet), Tcp::parse(packet).expect("TCP"));
    packets.iter().map(read).collect()
}

/// The far end connects with a SYN that has `flags` as well; returns the connection and what answered the SYN.
fn connects(ecn: Ecn, flags: u8) -> (Remote, (u8, Tcp)) {
    connects_after(ecn, flags, Duration::ZERO)
}

/// The same, where the far end lets `time` pass before it completes the handshake.
fn connects_after(ecn: Ecn, flags: u8, time: Duration) -> (Remote, (u8, Tcp)) {
    let mut lab = lab(ecn);
    let stack = (Lab::address(false), 80).into();
    let local = (Lab::neighbour(false), 40_000).into();
    let listener = lab.host.stack.tcp_listen(stack, 16).expect("a free port");
    let mut syn = Remote::syn(local, stack, &Offer::default());
    syn.flags |= flags;
    lab.inject(&syn.to_packet());
    let answer = sent(&mut lab).remove(0);
    lab.pass(time);
    let mut remote = Remote {
        lab,
        socket: listener,
        local,
        stack,
        nxt: syn.end(),
        rcv: answer.1.end(),
        window: 65_535,
        timestamps: None,
        irs: answer.1.seq,
        syn: answer.1.clone(),
    };
    remote.send(ACK, b"");
    let accepted = remote.lab.host.stack.tcp_accept(listener);
    remote.socket = accepted.expect("a connection").0;
    remote.sent();
    (remote, answer)
}

fn agreed() -> Remote {
    let (remote, _) = connects(Ecn::Accept, ECE | CWR);
    assert!(remote.info().ecn);
    remote
}

/// Sends `segment` with the ECN bits `ecn`.
fn inject(remote: &mut Remote, segment: &Tcp, ecn: u8) {
    let mut packet = segment.to_packet();
    ip::set_ecn(&mut packet, ecn);
    remote.lab.inject(&packet);
}

// req: RFC3168-06, RFC3168-07, RFC3168-10, RFC3168-11, SHLD-8
#[test]
fn an_offer_is_taken_up_by_a_syn_ack_that_is_not_marked_itself() {
    for (ecn, flags, expected) in [
        (Ecn::Accept, ECE | CWR, SYN | ACK | ECE),
        (Ecn::Offer, ECE | CWR, SYN | ACK | ECE),
        (Ecn::Accept, 0, SYN | ACK),
        (Ecn::Accept, ECE, SYN | ACK),
        (Ecn::Off, ECE | CWR, SYN | ACK),
    ] {
        let (remote, (bits, answer)) = connects(ecn, flags);
        assert_eq!((answer.flags, bits), (expected, 0), "{ecn:?} {flags:#x}");
        assert_eq!(remote.info().ecn, expected & ECE != 0);
    }
}

// req: RFC3168-06, RFC3168-08, RFC3168-12
#[test]
fn an_offer_counts_when_it_is_answered_and_is_not_made_twice() {
    let answers = [ACK | SYN | ECE, ACK | SYN, ACK | SYN | ECE | CWR];
    for (flags, lost, expected) in [
        (answers[0], false, true),
        (answers[1], false, false),
        (answers[2], false, false),
        (answers[0], true, false),
    ] {
        let mut lab = lab(Ecn::Offer);
        let address = (Lab::neighbour(false), 80).into();
        let socket = lab.host.stack.tcp_connect(lab.now, address, None);
        let socket = socket.expect("a route");
        let (bits, syn) = sent(&mut lab).remove(0);
        assert_eq!((syn.flags, bits), (SYN | ECE | CWR, 0));
        if lost {
            let (_, again) = lab.pass(SECOND + SECOND / 2).remove(0);
            assert_eq!(Tcp::parse(&again).expect("TCP").flags, SYN);
        }
        let answer = Tcp {
            src: syn.dst,
            dst: syn.src,
            seq: 1,
            ack: syn.end(),
            flags,
            window: 60_000,
            urgent: 0,
            options: Vec::new(),
            payload: Vec::new(),
        };
        lab.inject(&answer.to_packet());
        let info = lab.host.stack.tcp_info(socket).expect("a connection");
        assert_eq!(info.ecn, expected, "{flags:#x} {lost}");
    }
}

// req: RFC3168-08
#[test]
fn a_second_syn_without_the_bits_takes_the_offer_back() {
    let mut lab = lab(Ecn::Accept);
    let stack = (Lab::address(false), 80).into();
    let listener = lab.host.stack.tcp_listen(stack, 16).expect("a free port");
    let local = (Lab::neighbour(false), 40_000).into();
    let mut syn = Remote::syn(local, stack, &Offer::default());
    syn.flags |= ECE | CWR;
    lab.inject(&syn.to_packet());
    assert_eq!(sent(&mut lab)[0].1.flags, SYN | ACK | ECE);
    lab.pass(SECOND * 3 / 4);
    syn.flags = SYN;
    lab.inject(&syn.to_packet());
    assert_eq!(sent(&mut lab)[0].1.flags, SYN | ACK);
    lab.host.stack.close(lab.now, listener);
}

// req: RFC3168-01, RFC3168-20, RFC3168-21
#[test]
fn new_data_may_be_marked_and_nothing_else() {
    let mut remote = agreed();
    remote.write(&[1; 5 * MSS]);
    let flight = sent(&mut remote.lab);
    assert!(flight.iter().all(|(bits, _)| *bits == ECT), "{flight:?}");
    remote.send(ACK, b"question");
    remote.send(ACK, b"question");
    let answers = remote.lab.pass(SECOND / 10);
    assert!(answers.iter().all(|(_, packet)| ip::ecn(packet) == 0));
    let again = remote.lab.pass(SECOND);
    let (bits, first) = (ip::ecn(&again[0].1), Tcp::parse(&again[0].1).expect("TCP"));
    assert_eq!((bits, first.seq), (0, flight[0].1.seq));
}

// req: RFC3168-02, RFC3168-13, RFC3168-14, RFC3168-16, SHLD-8, RFC3168-09
#[test]
fn an_echo_reduces_the_window_once_and_the_next_new_data_says_so() {
    let mut remote = agreed();
    remote.write(&[1; 40 * MSS]);
    let flight = sent(&mut remote.lab);
    assert_eq!(flight.len(), 10);
    let window = remote.info().congestion_window;
    for (_, segment) in &flight {
        remote.rcv = segment.end();
        remote.send(ACK | ECE, b"");
    }
    let reduced = remote.info().congestion_window;
    assert_eq!(reduced, window * 7 / 10, "as for one loss");
    let next = sent(&mut remote.lab);
    let said: Vec<bool> = next.iter().map(|(_, segment)| segment.has(CWR)).collect();
    assert_eq!(said.iter().filter(|said| **said).count(), 1, "{next:?}");
    assert!(said[0]);
    remote.acknowledge(&next[next.len() - 1].1);
    assert!(remote.info().congestion_window >= reduced);
    assert_eq!(remote.info().retransmits, 0);
}

// req: RFC3168-15, RFC9438-12
#[test]
fn marks_bring_the_window_down_to_one_segment_and_then_to_one_a_timeout() {
    let mut remote = agreed();
    remote.write(&[1; 170 * MSS]);
    let mut marked = 0;
    while remote.info().congestion_window > MSS && marked < 50 {
        for (_, segment) in sent(&mut remote.lab) {
            remote.rcv = segment.end();
            remote.send(ACK | ECE, b"");
            marked += 1;
        }
    }
    assert_eq!(remote.info().congestion_window, MSS);
    for _ in 0..3 {
        let packets = sent(&mut remote.lab);
        let next = match packets.into_iter().next() {
            Some((_, segment)) => segment,
            None => {
                let later = remote.lab.pass(SECOND * 3 / 10);
                assert_eq!(later.len(), 1, "one segment");
                assert!(later[0].0 >= Duration::from_millis(200), "by a timer");
                Tcp::parse(&later[0].1).expect("TCP")
            }
        };
        remote.rcv = next.end();
        remote.send(ACK | ECE, b"");
        assert!(
            sent(&mut remote.lab).is_empty(),
            "not by the acknowledgement"
        );
    }
}

#[test]
fn an_echo_while_the_window_is_one_segment_begins_the_timeout_anew() {
    // A handshake that lost something leaves a window of one segment.
    let mut remote = connects_after(Ecn::Accept, ECE | CWR, SECOND * 5 / 4).0;
    let info = remote.info();
    assert!(info.ecn && info.congestion_window == MSS, "{info:?}");
    let option = SocketOption::NoDelay(true);
    let (stack, now) = (&mut remote.lab.host.stack, remote.lab.now);
    stack.set_option(now, remote.socket, option).expect("TCP");
    remote.write(b"lost");
    let lost = remote.one();
    remote.write(b"marked");
    remote.one();
    assert!(remote.pass(info.rto / 2).is_empty());
    remote.send(ACK | ECE, b"");
    let (at, again) = remote.pass(info.rto * 2).remove(0);
    assert_eq!((at, again.seq), (info.rto, lost.seq));
}

// req: RFC3168-18, RFC3168-19, RFC3168-22, SHLD-8
#[test]
fn a_mark_is_echoed_until_the_far_end_has_reduced_its_window() {
    let mut remote = agreed();
    let data = |remote: &mut Remote, flags: u8, ecn: u8| {
        let segment = remote.segment(ACK | flags, &[1; 1000]);
        remote.nxt = segment.end();
        inject(remote, &segment, ecn);
        remote.lab.pass(SECOND / 10);
        remote.send(ACK, b"?");
        let (_, packet) = remote.lab.pass(SECOND / 10).pop().expect("an answer");
        Tcp::parse(&packet).expect("TCP").has(ECE)
    };
    assert!(!data(&mut remote, 0, ECT));
    assert!(data(&mut remote, 0, CE));
    assert!(data(&mut remote, 0, ECT), "until it is heard");
    assert!(data(&mut remote, CWR, CE), "marked again");
    assert!(!data(&mut remote, CWR, ECT));
    // Out of the window, anybody may have sent it.
    let mut stray = remote.segment(ACK, &[1; 1000]);
    stray.seq = stray.seq.wrapping_add(1 << 30);
    inject(&mut remote, &stray, CE);
    assert!(!data(&mut remote, 0, ECT));
}

#[test]
fn a_path_that_swallows_what_may_be_marked_is_found_out() {
    let mut remote = agreed();
    remote.write(&[1; 3 * MSS]);
    remote.pass(SECOND * 5);
    assert!(!remote.info().ecn);
    remote.write(&[1; MSS]);
    for (_, packet) in remote.lab.pass(SECOND * 10) {
        assert_eq!(ip::ecn(&packet), 0);
    }
}

// req: RFC3168-09, RFC3168-17
#[test]
fn a_repetition_does_not_say_that_the_window_was_reduced() {
    let mut remote = agreed();
    remote.write(&[1; 40 * MSS]);
    let flight = sent(&mut remote.lab);
    remote.rcv = flight[0].1.end();
    remote.send(ACK | ECE, b"");
    let mut seen = sent(&mut remote.lab);
    for _ in 0..3 {
        remote.send(ACK, b"");
        seen.extend(sent(&mut remote.lab));
    }
    let (bits, again) = &seen[0];
    assert_eq!(again.seq, flight[1].1.seq, "sent again");
    assert!(!again.has(CWR) && *bits == 0, "{seen:?}");
    remote.acknowledge(&flight[9].1);
    let new = sent(&mut remote.lab);
    assert!(new[0].1.has(CWR), "{new:?}");
}

#[test]
fn a_model_of_the_path_lets_no_packet_be_marked_and_heeds_no_echo() {
    let mut remote = agreed();
    let option = SocketOption::Congestion(Congestion::Bbr);
    let (stack, now) = (&mut remote.lab.host.stack, remote.lab.now);
    stack.set_option(now, remote.socket, option).expect("TCP");
    // Less than the window takes.
    remote.write(&[1; 3 * MSS]);
    let sent = remote.lab.pass(SECOND / 10);
    assert_eq!(sent.len(), 3);
    for (_, packet) in sent {
        assert_eq!(ip::ecn(&packet), 0);
        let before = remote.info().congestion_window;
        remote.rcv = Tcp::parse(&packet).expect("TCP").end();
        remote.send(ACK | ECE, b"");
        assert!(remote.info().congestion_window >= before);
    }
    assert_eq!(remote.info().recoveries, 0);
}

// req: RFC3168-23
#[test]
fn a_probe_of_a_shut_window_says_nothing_of_marks() {
    let mut remote = agreed();
    remote.write(&[1; MSS]);
    let first = sent(&mut remote.lab).remove(0).1;
    remote.window = 0;
    remote.rcv = first.end();
    remote.send(ACK | ECE, b"");
    remote.write(&[1; 100]);
    let probes = remote.lab.pass(SECOND * 3);
    assert!(!probes.is_empty());
    for (_, packet) in probes {
        let probe = Tcp::parse(&packet).expect("TCP");
        assert_eq!((ip::ecn(&packet), probe.payload.len()), (0, 1));
        assert!(!probe.has(CWR));
    }
}
