//! Closing within a time (`SO_LINGER`).

use core::time::Duration;
use netstack_core::SocketOption;
use suite::lab::{Lab, Offer, Remote};
use suite::wire::{FIN, RST};

const SECOND: Duration = Duration::from_secs(1);

fn lingering(linger: Option<Duration>) -> Remote {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    let (now, stack) = (remote.lab.now, &mut remote.lab.host.stack);
    stack
        .set_option(now, remote.socket, SocketOption::Linger(linger))
        .expect("a connection");
    remote
}

#[test]
fn closing_that_takes_longer_ends_with_a_reset() {
    let mut remote = lingering(Some(SECOND * 5));
    remote.write(b"never acknowledged");
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let sent = remote.pass(SECOND * 100);
    let (at, last) = sent.last().expect("a reset");
    assert!(last.has(RST) && *at == SECOND * 5, "{sent:#?}");
    assert_eq!(remote.connections(), 0);
    assert_eq!(remote.lab.host.stack.counters().tcp.linger_expired, 1);
    assert_eq!(remote.lab.host.live_nodes(), 0);
}

#[test]
fn closing_in_time_is_an_orderly_end() {
    let mut remote = lingering(Some(SECOND * 5));
    remote.write(b"data");
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    let last = remote.sent().pop().expect("a FIN");
    assert!(last.has(FIN));
    remote.acknowledge(&last);
    // All is delivered: what is left is the peer's FIN, and for that there is a time of its own.
    assert!(remote.pass(SECOND * 20).is_empty());
    assert_eq!(remote.connections(), 1);
    assert_eq!(remote.lab.host.stack.counters().tcp.linger_expired, 0);
    remote.pass(SECOND * 60);
    assert_eq!(remote.connections(), 0);
}

#[test]
fn closing_in_no_time_is_a_reset() {
    let mut remote = lingering(Some(Duration::ZERO));
    remote.write(b"data");
    remote.sent();
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    assert!(remote.one().has(RST));
    assert_eq!(remote.connections(), 0);
}

#[test]
fn without_it_closing_takes_as_long_as_it_takes() {
    let mut remote = lingering(None);
    remote.write(b"data");
    remote.lab.host.stack.close(remote.lab.now, remote.socket);
    assert!(
        remote
            .pass(SECOND * 60)
            .iter()
            .all(|(_, sent)| !sent.has(RST))
    );
    assert_eq!(remote.connections(), 1);
}
