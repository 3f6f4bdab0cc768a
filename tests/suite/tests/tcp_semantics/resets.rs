//! What an attacker who cannot see the connection may not achieve (RFC 5961), and what the peer may.

use core::time::Duration;
use netstack_core::{ConnectionError, RecvError, TcpState};
use suite::calls;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{ACK, FIN, PSH, RST, SYN, Tcp};

fn established() -> Remote {
    Remote::connects(Lab::default(), &Offer::default())
}

/// The answer to `segment` is a challenge: a bare acknowledgement that changes nothing.
#[track_caller]
fn challenged(remote: &mut Remote, segment: &Tcp) {
    remote.inject(segment);
    let challenge = remote.one();
    assert_eq!(
        (challenge.flags, challenge.seq, challenge.ack),
        (ACK, remote.rcv, remote.nxt),
        "{segment:?}"
    );
    assert_eq!(
        (remote.state(), challenge.payload.len()),
        (TcpState::Established, 0)
    );
    // Challenges are rationed.
    remote.pass(Duration::from_millis(501));
}

// req: MUST-12, U-36, RFC5961-01, RFC5961-02, RFC5961-03, RFC5961-11
#[test]
fn only_an_exact_reset_ends_the_connection() {
    let mut remote = established();
    let reset = remote.segment(RST, b"");
    for ahead in [1, 1000, 65_534] {
        challenged(
            &mut remote,
            &Tcp {
                seq: reset.seq.wrapping_add(ahead),
                ..reset.clone()
            },
        );
    }
    for outside in [u32::MAX, 0x8000_0000, 65_535, 70_000] {
        remote.inject(&Tcp {
            seq: reset.seq.wrapping_add(outside),
            ..reset.clone()
        });
        remote.nothing();
        assert_eq!(remote.state(), TcpState::Established, "{outside}");
    }
    remote.inject(&reset);
    remote.nothing();
    assert_eq!(remote.state(), TcpState::Closed);
    let read = calls::read(&mut remote.lab.host.stack, remote.socket, 10);
    assert_eq!(read, Err(RecvError::Connection(ConnectionError::Reset)));
    let read = calls::read(&mut remote.lab.host.stack, remote.socket, 10);
    assert_eq!(read.as_deref(), Ok(&b""[..]), "told once");
}

// req: RFC5961-06
#[test]
fn a_reset_behind_data_in_flight_is_verified_by_the_challenge() {
    let mut remote = established();
    // The far end has sent a byte that was lost, and resets: its number is ahead of ours by one.
    let reset = Tcp {
        seq: remote.nxt.wrapping_add(1),
        ..remote.segment(RST, b"")
    };
    remote.inject(&reset);
    let challenge = remote.one();
    // A far end without the connection answers the challenge with a reset of exactly that number.
    remote.inject(&Tcp {
        seq: challenge.ack,
        ..reset
    });
    assert_eq!(remote.state(), TcpState::Closed);
}

// req: U-35, RFC5961-05, RFC5961-12
#[test]
fn a_syn_on_an_established_connection_is_challenged() {
    let mut remote = established();
    let syn = remote.segment(SYN, b"");
    for offset in [0, 1000] {
        for flags in [SYN, SYN | ACK] {
            challenged(
                &mut remote,
                &Tcp {
                    seq: syn.seq.wrapping_add(offset),
                    flags,
                    ..syn.clone()
                },
            );
        }
    }
    // Outside the window it is an old segment, which an acknowledgement answers just the same.
    for offset in [0x8000_0000, u32::MAX] {
        challenged(
            &mut remote,
            &Tcp {
                seq: syn.seq.wrapping_add(offset),
                ..syn.clone()
            },
        );
    }
}

// req: MAY-12, U-21, U-35, RFC5961-07, RFC5961-08
#[test]
fn data_with_an_impossible_acknowledgement_is_not_taken() {
    let mut remote = established();
    let data = remote.segment(ACK | PSH, b"injected");
    challenged(
        &mut remote,
        &Tcp {
            ack: data.ack.wrapping_add(1),
            ..data.clone()
        },
    );
    challenged(
        &mut remote,
        &Tcp {
            ack: data.ack.wrapping_sub(70_000),
            ..data.clone()
        },
    );
    challenged(
        &mut remote,
        &Tcp {
            ack: data.ack.wrapping_add(0x7000_0000),
            ..data.clone()
        },
    );
    assert_eq!(
        remote.read().as_deref(),
        Some(&b""[..]),
        "nothing was delivered"
    );
    remote.send(ACK | PSH, b"genuine");
    assert_eq!(remote.read().as_deref(), Some(&b"genuine"[..]));
}

// req: U-20
#[test]
fn a_segment_without_an_acknowledgement_is_dropped() {
    let mut remote = established();
    let data = remote.segment(PSH, b"no ACK");
    remote.inject(&data);
    let fin = remote.segment(FIN, b"");
    remote.inject(&fin);
    assert_eq!(
        (remote.read().as_deref(), remote.state()),
        (Some(&b""[..]), TcpState::Established)
    );
    assert_eq!(remote.lab.host.stack.counters().tcp.in_bad_flags, 2);
}

// req: RFC5961-09
#[test]
fn challenges_are_rationed() {
    let mut remote = established();
    let reset = Tcp {
        seq: remote.nxt.wrapping_add(5),
        ..remote.segment(RST, b"")
    };
    for _ in 0..1000 {
        remote.inject(&reset);
    }
    remote.one();
    assert_eq!(
        remote.lab.host.stack.counters().tcp.challenges_withheld,
        999
    );
    remote.pass(Duration::from_millis(501));
    challenged(&mut remote, &reset);
}

// req: U-02, U-03
#[test]
fn a_reset_is_never_answered_with_a_reset() {
    let mut remote = established();
    let stray = Tcp {
        dst: (remote.stack.ip(), 81).into(),
        ..remote.segment(RST, b"")
    };
    remote.inject(&stray);
    remote.nothing();
    remote.inject(&Tcp {
        flags: RST | ACK,
        ..stray.clone()
    });
    remote.nothing();
    remote.inject(&Tcp {
        flags: ACK,
        ..stray
    });
    let reset = remote.one();
    assert_eq!(
        (reset.flags, reset.seq),
        (RST, remote.rcv),
        "any other segment is"
    );
}

#[test]
fn an_acknowledgement_outside_the_window_does_not_move_the_sender() {
    let mut remote = established();
    remote.write(b"waiting");
    let data = remote.one();
    // Before the window by its sequence number: an old segment, whatever it acknowledges.
    let old = Tcp {
        seq: remote.nxt.wrapping_sub(10),
        ack: data.end(),
        ..remote.segment(ACK, b"")
    };
    remote.inject(&old);
    assert_eq!(remote.info().outstanding, 7);
    remote.acknowledge(&data);
    assert_eq!(remote.info().outstanding, 0);
}
