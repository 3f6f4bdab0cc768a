//! The same calls on the kernel's sockets and on the stack's: what they return is the same, call by call, for every call in
//! every state that a socket can be brought into. Where it is not, that is listed with its reason.
//!
//! The kernel's sockets are in a network namespace of their own, over its loopback.

mod addresses;
mod cases;
mod differences;
mod groups;
mod host;
mod kernel;
mod messages;
mod raw;
mod stamps;
mod urgent;

use std::collections::BTreeSet;

use cases::{Probe, State, make};
use differences::{DIFFERENCES, EVERY};
use drivers::netlink::Netns;
use host::{Host, OnStack};
use kernel::OnKernel;

/// What is compared: every call in every state.
static SUITES: [(&[State], &[Probe]); 7] = [
    (cases::STATES, cases::PROBES),
    (messages::STATES, messages::PROBES),
    (stamps::STATES, stamps::PROBES),
    (urgent::STATES, urgent::PROBES),
    (groups::STATES, groups::PROBES),
    (addresses::STATES, addresses::PROBES),
    (raw::STATES, raw::PROBES),
];

fn all_cases() -> impl Iterator<Item = (&'static State, &'static Probe)> {
    let of = |(states, probes): &'static (&'static [State], &'static [Probe])| {
        let with = move |state| probes.iter().map(move |probe| (state, probe));
        states.iter().flat_map(with)
    };
    SUITES.iter().flat_map(of)
}

/// What every probe says in every state, in their order.
fn answers(host: &mut dyn Host) -> Vec<String> {
    let mut answers = Vec::new();
    for (at, (state, (_, probe))) in all_cases().enumerate() {
        let port = u16::try_from(2000 + at * 4).expect("fewer cases than ports");
        let made = make(host, state, port);
        answers.push(probe(host, &made));
        made.close(host);
        host.forget();
    }
    answers
}

/// On addresses like the stack's: the loopback's own are none that the stack can have. They are there at once, without
/// asking whether somebody else has them.
#[allow(clippy::disallowed_methods, reason = "it waits for the kernel")]
fn on_kernel() -> Vec<String> {
    for address in ["10.9.9.1/24", "fd00:9::1/64"] {
        let mut ip = std::process::Command::new("ip");
        let added = ip.args(["address", "add", address, "dev", "lo", "nodad"]);
        assert!(added.status().expect("ip").success(), "{address}");
    }
    // Who may have ping sockets, and ephemeral ports that no case wants.
    for (name, value) in [
        ("ping_group_range", "0 2147483647"),
        ("ip_local_port_range", "61000 65000"),
    ] {
        let set = std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value);
        set.expect("a variable of this namespace");
    }
    // The kernel begins to note when packets came a while after the first socket asked for that, and goes on while one does.
    let watch = OnKernel.socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
    let watch = watch.expect("a socket");
    let on = 1i32.to_ne_bytes();
    let set = OnKernel.set(watch, libc::SOL_SOCKET, libc::SO_TIMESTAMP, &on);
    set.expect("an option of every socket");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let answers = answers(&mut OnKernel);
    let _ = OnKernel.close(watch);
    answers
}

#[test]
fn the_stack_answers_as_the_kernel_does() {
    let on_kernel = Netns::anonymous().and_then(|space| space.run(on_kernel));
    let on_kernel = match on_kernel {
        Ok(answers) => answers,
        Err(error) => {
            return needs::skip(format_args!("sockets of the kernel: {error}"));
        }
    };
    let on_stack = answers(&mut OnStack::new());
    let cases = all_cases().map(|(state, probe)| (state.0, probe.0));
    let (mut wrong, mut used, mut same) = (Vec::new(), BTreeSet::new(), 0);
    for ((state, probe), (kernel, stack)) in cases.zip(on_kernel.iter().zip(&on_stack)) {
        if kernel == stack {
            same += 1;
            continue;
        }
        let listed = DIFFERENCES.iter().position(|difference| {
            (state == difference.state || difference.state == EVERY)
                && probe == difference.probe
                && stack == difference.stack
        });
        match listed {
            Some(at) => {
                used.insert(at);
            }
            None => wrong.push(format!("{state} | {probe} | {kernel} | {stack}")),
        }
    }
    for (at, difference) in DIFFERENCES.iter().enumerate() {
        assert!(!difference.why.is_empty(), "a difference has a reason");
        if !used.contains(&at) && !difference.is_race {
            let of = (difference.state, difference.probe);
            wrong.push(format!("there is no such difference any more: {of:?}"));
        }
    }
    println!("{same} of {} cases are the same", on_stack.len());
    assert!(same >= 300);
    assert!(
        wrong.is_empty(),
        "{} differ; state | call | kernel | stack:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
