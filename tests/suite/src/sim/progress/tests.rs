use super::Progress;
use crate::sim::{Host, World, WorldConfig};
use core::time::Duration;
use netstack_core::{Instant, TcpInfo, TcpState};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What an established connection knows that has nothing to do: its timeout is a second.
fn established() -> TcpInfo {
    let mut host = Host::new(1, &WorldConfig::default());
    let to = World::address(1, false, 7);
    let socket = host.stack.tcp_connect(Instant::ZERO, to, None);
    let info = host.stack.tcp_info(socket.expect("a route"));
    let mut info = info.expect("a connection");
    info.state = TcpState::Established;
    (info.outstanding, info.unsent) = (0, 0);
    info.rto = Duration::from_secs(1);
    info.send_window = 10_000;
    info.pacing_rate = None;
    info.receive_window = info.receive_buffer;
    info.scales = Some((0, 7));
    info
}

/// What the complaint says, if there is one, when `info` is looked at `millis` after the beginning.
fn look(progress: &mut Progress, millis: u64, info: &TcpInfo) -> Option<String> {
    let now = Instant::from_millis(millis);
    let seen = catch_unwind(AssertUnwindSafe(|| progress.check(now, info)));
    let words = seen.err()?.downcast::<String>().expect("words");
    Some(*words)
}

#[track_caller]
fn complains(progress: &mut Progress, millis: u64, info: &TcpInfo, of: &str) {
    let words = look(progress, millis, info).expect(of);
    assert!(words.contains(of), "{words}");
}

#[test]
fn whoever_waits_says_something_within_the_timeout() {
    for (outstanding, unsent) in [(1_000, 0), (0, 1_000)] {
        let mut progress = Progress::default();
        let idle = established();
        for at in [0, 5_000, 10_000] {
            assert_eq!(look(&mut progress, at, &idle), None);
        }
        // Written when it was looked at last: heard of since.
        let mut busy = idle.clone();
        (busy.outstanding, busy.unsent) = (outstanding, unsent);
        assert_eq!(look(&mut progress, 11_000, &busy), None);
        complains(&mut progress, 11_001, &busy, "nothing was sent");
    }
}

#[test]
fn what_is_said_and_what_is_heard_begin_the_timeout_anew() {
    let mut progress = Progress::default();
    let mut info = established();
    info.outstanding = 1_000;
    assert_eq!(look(&mut progress, 0, &info), None);
    assert_eq!(look(&mut progress, 900, &info), None);
    // At 900, from which it counts.
    info.retransmits += 1;
    assert_eq!(look(&mut progress, 1_500, &info), None);
    assert_eq!(look(&mut progress, 1_900, &info), None);
    // At 1,900, before it was looked at.
    (info.bytes_acked, info.outstanding) = (500, 500);
    assert_eq!(look(&mut progress, 1_900, &info), None);
    assert_eq!(look(&mut progress, 2_900, &info), None);
    complains(&mut progress, 2_901, &info, "nothing was sent");
}

#[test]
fn probes_of_a_shut_window_come_ever_more_rarely() {
    // The first one is as long in coming as the timeout is.
    for (gaps, refused) in [([200, 400, 800], false), ([200, 400, 799], true)] {
        let mut progress = Progress::default();
        let mut info = established();
        (info.send_window, info.unsent) = (0, 1_000);
        info.rto = Duration::from_secs(10);
        let mut at = 1_000;
        assert_eq!(look(&mut progress, at, &info), None);
        info.outstanding = 1;
        assert_eq!(look(&mut progress, at, &info), None);
        for gap in gaps {
            at += gap;
            assert_eq!(look(&mut progress, at, &info), None);
            info.retransmits += 1;
            let words = look(&mut progress, at, &info);
            let complained = words.is_some_and(|words| words.contains("a probe of a shut window"));
            assert_eq!(complained, refused && gap == 799);
        }
    }
}

#[test]
fn who_has_read_everything_tells_of_the_room() {
    let mut progress = Progress::default();
    let mut info = established();
    info.receive_window = info.receive_mss - 1;
    info.unread = info.receive_buffer - info.receive_window;
    assert_eq!(look(&mut progress, 0, &info), None);
    assert_eq!(look(&mut progress, 0, &info), None);
    info.unread = 0;
    complains(&mut progress, 0, &info, "everything was read");
}
