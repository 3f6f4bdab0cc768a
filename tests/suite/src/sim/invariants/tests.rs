use super::{Invariants, ROUNDING, SEGMENTS};
use crate::sim::{Host, World, WorldConfig};
use netstack_core::{Congestion, Instant, TcpInfo, TcpState};
use std::panic::{AssertUnwindSafe, catch_unwind};

const MSS: usize = 1_000;
const BUFFER: usize = 100_000;

/// What an established connection knows whose window is full, and whose application has read a part of what came.
fn established() -> TcpInfo {
    let mut host = Host::new(1, &WorldConfig::default());
    let to = World::address(1, false, 7);
    let socket = host.stack.tcp_connect(Instant::ZERO, to, None);
    let info = host.stack.tcp_info(socket.expect("a route"));
    let mut info = info.expect("a connection");
    info.state = TcpState::Established;
    (info.send_mss, info.congestion_window) = (MSS, 10 * MSS);
    (info.outstanding, info.in_network) = (10 * MSS, 10 * MSS);
    (info.send_buffer, info.receive_buffer) = (BUFFER, BUFFER);
    info.scales = Some((0, 2));
    (info.bytes_received, info.unread, info.receive_window) = (50_000, 20_000, 80_000);
    info.retransmits = 5;
    info
}

/// Whether a connection may come from what it knows first to what it knows then.
fn holds(change: impl FnOnce(&mut TcpInfo)) -> bool {
    let mut invariants = Invariants::default();
    let mut info = established();
    invariants.check(&info);
    change(&mut info);
    catch_unwind(AssertUnwindSafe(|| invariants.check(&info))).is_ok()
}

/// With one more than `most` of something, which `set` sets, a rule is broken.
#[track_caller]
fn bounded(most: usize, set: impl Fn(&mut TcpInfo, usize)) {
    assert!(holds(|info| set(info, most)), "{most}");
    assert!(!holds(|info| set(info, most + 1)), "{most} and one");
}

#[test]
fn all_that_is_outstanding_is_somewhere_once() {
    bounded(10 * MSS, |info, sacked| {
        (info.in_network, info.sacked) = (0, sacked);
    });
    bounded(4 * MSS, |info, lost| {
        (info.in_network, info.sacked, info.lost) = (0, 6 * MSS, lost);
    });
}

#[test]
fn what_waits_is_bounded() {
    bounded(BUFFER - 10 * MSS + 2, |info, unsent| info.unsent = unsent);
    bounded(4 * BUFFER + SEGMENTS, |info, storage| {
        info.send_storage = storage;
    });
    bounded(BUFFER + ROUNDING, |info, unread| info.unread = unread);
    bounded(BUFFER + ROUNDING - 20_000, |info, beyond| {
        info.out_of_order = beyond;
    });
}

#[test]
fn the_edge_goes_no_further_than_the_buffer_behind_what_was_read() {
    let read = 30_000;
    let furthest = read + BUFFER + BUFFER / 8 + 4;
    bounded(furthest, |info, edge| info.receive_window = edge - 50_000);
}

#[test]
fn the_window_is_a_segment_at_least_and_not_far_beyond_what_was_used() {
    assert!(holds(|info| info.congestion_window = MSS));
    assert!(!holds(|info| info.congestion_window = MSS - 1));
    let most = 5 * 10 * MSS + 20 * MSS;
    bounded(most, |info, window| info.congestion_window = window);
}

#[test]
fn what_a_model_thinks_of_its_path_may_be_more_and_is_left_to_what_follows_it() {
    let mut invariants = Invariants::default();
    let mut info = established();
    info.congestion_window = 1_000_000;
    info.congestion = Congestion::Bbr;
    invariants.check(&info);
    info.congestion = Congestion::Reno;
    info.congestion_window += MSS;
    invariants.check(&info);
    info.congestion_window += 1;
    let seen = catch_unwind(AssertUnwindSafe(|| invariants.check(&info)));
    assert!(seen.is_err());
}

#[test]
fn no_more_leaves_than_the_window_and_what_is_exempt() {
    bounded(13 * MSS + 2, |info, sent| {
        (info.outstanding, info.in_network) = (sent, sent);
    });
    // What is there already may be more.
    assert!(holds(|info| info.congestion_window = MSS));
    assert!(!holds(|info| info.retransmits -= 1));
}
