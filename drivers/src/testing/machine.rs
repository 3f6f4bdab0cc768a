//! What a test needs of the machine it runs on.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::netlink::Netns;

/// A network namespace of the test's own, in which it may make TUN devices. Without the rights for it the test is
/// skipped, loudly; with `REQUIRE_TUN=1` in the environment it fails instead.
pub(crate) fn netns_or_skip(test: &str) -> Option<Netns> {
    let reason = match OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
    {
        Err(error) => format!("/dev/net/tun: {error}"),
        Ok(_) => match Netns::anonymous() {
            Ok(netns) => return Some(netns),
            Err(error) => error.to_string(),
        },
    };
    assert!(
        std::env::var_os("REQUIRE_TUN").is_none_or(|value| value != "1"),
        "{test} may not be skipped: {reason}"
    );
    skip(test, &reason);
    None
}

/// Says that a test was skipped where it is seen: the harness swallows what a passing test prints by `eprintln!`.
pub(crate) fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {reason}");
}

/// Whether a descriptor becomes readable within `wait`.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, wait: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: wait.as_secs() as i64,
        tv_nsec: wait.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).expect("poll") > 0
}
