//! How much a connection holds each way: as much as the path and the application use, or what it is told.

use core::time::Duration;
use netstack_core::{
    OptionError, RecvFlags, SendControl, SendFlags, SocketOption, StampRequest, Stamps,
};
use suite::lab::{Lab, Offer, Remote};
use suite::sim::WorldConfig;
use suite::wire::{ACK, PSH, Tcp};
use txbuf::IovIter;

const FIRST: usize = 256 << 10;
const MOST: usize = 2 << 20;
const RTT: Duration = Duration::from_millis(20);
const MSS: usize = 1448;

fn established(timestamps: bool) -> Remote {
    let mut config = WorldConfig::default();
    config.tcp.send_buffer = MOST;
    config.tcp.receive_buffer = MOST;
    let offer = Offer {
        scale: Some(7),
        timestamp: timestamps.then_some(1),
        ..Offer::default()
    };
    Remote::accepts(Lab::new(&config), &offer)
}

fn set(remote: &mut Remote, option: SocketOption) -> Result<(), OptionError> {
    let (now, socket) = (remote.lab.now, remote.socket);
    remote.lab.host.stack.set_option(now, socket, option)
}

/// The right edge of the window that a segment announces, as the stack scales it.
fn edge(segment: &Tcp) -> u32 {
    let scale = (0..14)
        .find(|shift| MOST >> shift <= 65_535)
        .expect("small");
    segment.ack.wrapping_add(u32::from(segment.window) << scale)
}

/// The far end fills the window in each of `rounds` round trips, and the application reads what `read` says. Returns
/// the right edges that it was told.
fn fill(remote: &mut Remote, rounds: usize, read: bool) -> Vec<u32> {
    let mut edges = vec![remote.nxt.wrapping_add(FIRST as u32)];
    for _ in 0..rounds {
        let last = *edges.last().expect("one");
        while (last.wrapping_sub(remote.nxt) as i32) >= MSS as i32 {
            remote.send(ACK, &[7; MSS]);
            if read {
                remote.read();
            }
            for segment in remote.sent() {
                edges.push(edge(&segment));
                if let (Some((_, ecr)), Some((val, _))) =
                    (&mut remote.timestamps, segment.timestamps())
                {
                    *ecr = val;
                }
            }
        }
        edges.extend(remote.pass(RTT).iter().map(|(_, segment)| edge(segment)));
    }
    edges
}

#[test]
fn a_receive_buffer_grows_to_its_cap_while_the_application_keeps_up() {
    for timestamps in [true, false] {
        let mut remote = established(timestamps);
        assert_eq!(remote.info().receive_buffer, FIRST);
        let edges = fill(&mut remote, 12, true);
        assert_eq!(remote.info().receive_buffer, MOST, "{timestamps}");
        let left = |pair: &[u32]| (pair[1].wrapping_sub(pair[0]) as i32) < 0;
        assert!(!edges.windows(2).any(left), "a right edge moved left");
        let window = edges.last().expect("some").wrapping_sub(remote.nxt);
        assert!(window as usize > MOST / 2, "{window}");
    }
}

#[test]
fn a_receive_buffer_that_nobody_empties_does_not_grow() {
    let mut remote = established(true);
    fill(&mut remote, 5, false);
    assert_eq!(remote.info().receive_buffer, FIRST);
    assert!(remote.info().unread > FIRST / 2);
}

#[test]
fn a_size_that_was_asked_for_stays_and_takes_no_promise_back() {
    let mut remote = established(true);
    set(&mut remote, SocketOption::ReceiveBuffer(50_000)).expect("TCP");
    let promised = remote.nxt.wrapping_add(FIRST as u32 - 50_000);
    remote.send(ACK, &[7; 2 * MSS]);
    let told = edge(&remote.one());
    assert!(told.wrapping_sub(promised) as i32 > 0, "what was promised");
    remote.read();
    fill(&mut remote, 8, true);
    assert_eq!(remote.info().receive_buffer, 50_000);
    assert!(remote.info().receive_window <= 50_000);
    set(&mut remote, SocketOption::SendBuffer(30_000)).expect("TCP");
    send_rounds(&mut remote, 8);
    assert_eq!(remote.info().send_buffer, 30_000);
    for option in [SocketOption::ReceiveBuffer(0), SocketOption::SendBuffer(0)] {
        assert_eq!(set(&mut remote, option), Err(OptionError::Invalid));
    }
}

/// The application keeps the send buffer full; everything is acknowledged a round trip later.
fn send_rounds(remote: &mut Remote, rounds: usize) {
    let mut sent = Vec::new();
    for _ in 0..rounds {
        let chunk = vec![7; MOST];
        // It takes what there is room for.
        let _ = suite::calls::write(&mut remote.lab.host.stack, remote.socket, &chunk);
        sent.extend(remote.sent());
        remote.pass(RTT);
        for segment in std::mem::take(&mut sent) {
            remote.acknowledge(&segment);
            sent.extend(remote.sent());
        }
    }
}

#[test]
fn a_send_buffer_grows_with_the_congestion_window_to_its_cap() {
    let mut remote = established(false);
    assert_eq!(remote.info().send_buffer, FIRST);
    send_rounds(&mut remote, 4);
    let info = remote.info();
    assert_eq!(info.send_buffer, FIRST.max(2 * info.congestion_window));
    send_rounds(&mut remote, 12);
    let info = remote.info();
    assert_eq!(info.send_buffer, (2 * info.congestion_window).min(MOST));
    assert!(info.send_buffer > FIRST);
}

#[test]
fn without_tuning_buffers_have_their_size_at_once() {
    let mut config = WorldConfig::default();
    config.tcp.autotuning = false;
    let remote = Remote::accepts(Lab::new(&config), &Offer::default());
    let info = remote.info();
    assert_eq!(info.send_buffer, config.tcp.send_buffer);
    assert_eq!(info.receive_buffer, config.tcp.receive_buffer);
}

/// Storage that the connection keeps alive, for sending and of what was received, as the stack says.
fn storage(remote: &Remote) -> (usize, usize) {
    let held = remote.lab.host.stack.holding(remote.socket);
    held.map_or((0, 0), |held| (held.sending, held.receiving))
}

#[test]
fn what_a_connection_keeps_alive_is_told_at_its_true_size() {
    let mut remote = established(false);
    assert_eq!(storage(&remote), (0, 0));
    remote.write(&[7; 3 * MSS]);
    let (sending, _) = storage(&remote);
    assert!(sending >= 3 * MSS, "{sending}");
    assert_eq!(remote.info().send_storage, sending);
    let flight = remote.sent();
    remote.acknowledge(&flight[flight.len() - 1]);
    assert_eq!(storage(&remote), (0, 0), "nothing is sent again");
    remote.send(ACK, &[7; MSS]);
    remote.nxt = remote.nxt.wrapping_add(100);
    remote.send(ACK, &[7; MSS]);
    let (_, receiving) = storage(&remote);
    assert!(receiving >= 2 * MSS, "what waits beyond a hole too");
    assert_eq!(receiving, remote.lab.held());
    remote.read();
    assert_eq!(storage(&remote).1, remote.lab.held());
}

/// Sends `data`, of which is to be told when it leaves, and keeps the packet for that.
fn write_stamped(remote: &mut Remote, data: &[u8]) {
    let wanted = Stamps::SENT | Stamps::WITH_PACKET;
    let control = SendControl {
        stamp: Some(StampRequest { wanted, id: None }),
        ..SendControl::default()
    };
    let (stack, mut from) = (&mut remote.lab.host.stack, IovIter::bytes(data));
    let sent = stack.send_message(remote.socket, &mut from, SendFlags::NONE, &control);
    assert_eq!(sent, Ok(data.len()));
}

#[test]
fn packets_that_are_kept_to_show_when_they_left_are_told_with_it() {
    let mut remote = established(false);
    write_stamped(&mut remote, &[7; 1_000]);
    let sent = remote.one();
    remote.acknowledge(&sent);
    let (kept, _) = storage(&remote);
    assert!(kept >= 1_040, "headers and data: {kept}");
    let (stack, socket) = (&mut remote.lab.host.stack, remote.socket);
    let mut buffer = [0; 2_000];
    let into = &mut IovIter::buffer(&mut buffer);
    let stamp = stack.receive_stamp(socket, into, RecvFlags::NONE);
    assert_eq!(stamp.expect("it left").bytes, 1_040);
    assert_eq!(storage(&remote), (0, 0));
}

#[test]
fn of_no_more_messages_is_told_than_a_queue_holds_and_the_rest_is_counted() {
    let mut remote = established(false);
    remote.window = 0;
    remote.send(ACK, b"");
    for _ in 0..300 {
        write_stamped(&mut remote, b"message");
    }
    assert_eq!(remote.lab.host.stack.counters().tcp.stamps_queue_full, 44);
}

/// The far end sends a segment `rtt` after it heard the acknowledgement of the last, so many times.
fn answer(remote: &mut Remote, rtt: Duration, round_trips: usize) {
    for _ in 0..round_trips {
        remote.pass(rtt);
        remote.send(ACK | PSH, &[7; MSS]);
        let (heard, _) = remote.one().timestamps().expect("agreed");
        let (clock, _) = remote.timestamps.expect("agreed");
        remote.timestamps = Some((clock + 1, heard));
        assert_eq!(remote.read().map(|bytes| bytes.len()), Some(MSS));
    }
}

#[test]
fn a_receiver_learns_the_round_trip_time_from_echoes() {
    let mut remote = established(true);
    answer(&mut remote, RTT, 20);
    assert_eq!(remote.info().receive_rtt, RTT);
    // One that is longer is believed little by little.
    answer(&mut remote, RTT * 3, 1);
    assert_eq!(remote.info().receive_rtt, RTT + RTT * 2 / 8);
    answer(&mut remote, RTT * 3, 50);
    let rtt = remote.info().receive_rtt;
    assert!(rtt > RTT * 29 / 10 && rtt <= RTT * 3, "{rtt:?}");
    answer(&mut remote, RTT, 1);
    assert_eq!(remote.info().receive_rtt, RTT, "a shorter one at once");
}
