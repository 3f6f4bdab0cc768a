//! Captures that lack packets: what they do not have is held against nobody.

use std::io::Cursor;

use pcap_file::DataLink;
use pcap_verify::{Report, check_reader};

use crate::capture::{ACK, Capture, FIN, Frame};
use crate::talk::{capture, client, server};
use crate::talks::{after_handshake, flight};

fn check(capture: &Capture) -> Report {
    check_reader(Cursor::new(capture.write())).unwrap()
}

/// Leaves out all that the side that closes first sends from its last data on. The other acknowledges it.
fn lose_the_end(capture: &mut Capture) {
    let fin = capture.place(0, |frame: &Frame| {
        frame.is_tcp() && frame.flags() & FIN != 0
    });
    let side = capture.frames[fin].is_clients();
    let is_data =
        |frame: &Frame| frame.is_tcp() && frame.is_clients() == side && frame.payload() > 0;
    let last = capture.frames[..fin].iter().rposition(is_data).unwrap();
    let mut place = 0;
    capture.frames.retain(|frame| {
        place += 1;
        place <= last || frame.is_clients() != side
    });
}

#[test]
fn what_a_capture_lost_at_its_end_was_sent_for_all_it_knows() {
    let mut capture = Capture::load("bulk4");
    assert!(!check(&capture).counts.contains_key("W-TCPSEQ-06"));
    lose_the_end(&mut capture);
    let silent = check(&capture);
    assert_eq!(silent.counts.get("W-TCPSEQ-06"), Some(&1), "{silent}");
    capture.lost = 2;
    let told = check(&capture);
    assert!(told.is_clean(), "{told}");
    assert_eq!(told.withheld.get("W-TCPSEQ-06"), Some(&1));
    let said = |limit: &String| limit.contains("lost 2 packets");
    assert!(told.limits.iter().any(said), "{told}");
    assert_eq!(
        told.found(),
        told.findings.len() as u64,
        "totals and findings agree"
    );
}

/// Bursts are lost from recorded captures, at places drawn by a number: nothing is an error of the hosts.
#[test]
fn a_capture_that_says_that_it_lost_packets_accuses_nobody() {
    let (mut failed, mut silent_errors) = (Vec::new(), 0);
    for name in [
        "bulk4",
        "bulk6",
        "slow_start",
        "lossy_sender",
        "lossy_receiver",
        "reordered",
        "closes",
        "zero_window",
        "ecn",
        "offload",
    ] {
        let whole = check(&Capture::load(name));
        for seed in 1..=20u64 {
            let mut capture = Capture::load(name);
            let mut state = seed;
            let mut burst = 0;
            let before = capture.frames.len();
            capture.frames.retain(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let drawn = state >> 33;
                if burst == 0 && drawn % 40 == 0 {
                    burst = 1 + drawn / 40 % 12;
                }
                let goes = burst > 0;
                burst -= u64::from(goes);
                !goes
            });
            silent_errors += check(&capture).errors;
            capture.lost = (before - capture.frames.len()) as u64;
            let report = check(&capture);
            if capture.lost > 0 && report.errors > whole.errors {
                failed.push(format!("{name}, {seed}: {report}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(silent_errors > 0, "the losses would be taken for errors");
}

/// The capture `name` without the packets that are counted before `from`.
fn begun_at(name: &str, from: usize) -> Report {
    let mut capture = Capture::load(name);
    capture.frames.drain(..from);
    check(&capture)
}

/// At the SYN-ACK, which says a window without its scale, for instance.
#[test]
fn a_capture_may_begin_anywhere() {
    let mut failed = Vec::new();
    for (name, from) in [
        ("bulk6", 3),
        ("ecn_sender", 3),
        ("lossy_receiver", 1),
        ("lossy_nosack", 204),
        ("lossy_sender", 314),
    ] {
        let report = begun_at(name, from);
        if !report.is_clean() {
            failed.push(format!("{name} from {from} on: {report}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_goes_on_behind_a_hole_shows_that_the_capture_has_it() {
    let mut talk = after_handshake(flight(10.0, 1, 1));
    // The FIN of the client is not there.
    talk.push(server(20.0, ACK | FIN, 1, 502, 0));
    let silent = check(&capture(&talk));
    assert_eq!(silent.counts.get("W-TCPSEQ-06"), Some(&1), "{silent}");
    talk.push(client(20.1, ACK, 502, 2, 0));
    let shown = check(&capture(&talk));
    assert_eq!(shown.found(), 0, "{shown}");
    let told = |limit: &String| limit.contains("it lacks packets");
    assert!(shown.limits.iter().any(told), "{shown}");
    // Without data it may stand where nothing was sent yet.
    talk.last_mut().unwrap().seq = 501;
    let behind = check(&capture(&talk));
    assert_eq!(behind.counts.get("W-TCPSEQ-06"), Some(&1), "{behind}");
}

/// What opened the window is not there: what it let through is acknowledged, and its timestamp is echoed.
#[test]
fn what_was_said_before_a_loss_was_seen_is_taken_back() {
    for (name, place) in [("ecn_sender", 165), ("zero_window", 28)] {
        let mut capture = Capture::load(name);
        capture.frames.remove(place);
        let report = check(&capture);
        assert_eq!(report.found(), 0, "{name}: {report}");
        assert!(report.withheld.contains_key("W-TCPSEQ-03") || name == "zero_window");
        let told = |limit: &String| limit.contains("it lacks packets");
        assert!(report.limits.iter().any(told), "{name}: {report}");
    }
}

#[test]
fn packets_of_links_that_are_not_known_are_not_there() {
    let mut capture = capture(&after_handshake(flight(10.0, 1, 4)));
    capture.links.push(DataLink::USER0);
    for frame in &mut capture.frames[3..7] {
        frame.interface = 1;
    }
    let report = check(&capture);
    assert_eq!(report.found(), 0, "{report}");
    assert_eq!(report.withheld.get("W-TCPSEQ-06"), Some(&1), "{report:?}");
}
