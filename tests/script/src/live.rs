//! Runs scripts against the Linux kernel.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use drivers::netlink::{NetlinkError, private_namespace};

use crate::ast::Script;
use crate::host::live::{LiveHost, sys};
use crate::play::{Played, play};
use crate::report::{Failure, Outcome};
use crate::run::{Options, conclude, failed, load_versions};

/// In real time an event may be so far from its time, whatever a script says: others use the machine too.
const TOLERANCE: Duration = Duration::from_millis(25);

/// How often a script is played that fails while the machine keeps the runner from looking at its clock for half of the
/// tolerance: what it saw then says nothing.
const TRIES: u32 = 8;

/// How often one is played that sees the right packet at another time: the machine keeps the kernel from its work too,
/// which the runner does not see. What is really late is late each time.
const TRIES_FOR_TIME: u32 = 3;

/// Runs the script in each file against the Linux kernel in real time, one after the other, each in a network namespace
/// of its own.
///
/// Moves the process into a user namespace of its own, from which there is no way back. Must be called while the
/// process has a single thread.
///
/// # Errors
///
/// The namespace cannot be made.
pub fn run_live(paths: &[PathBuf], options: &Options) -> Result<Vec<Outcome>, NetlinkError> {
    sys::run_first();
    private_namespace()?;
    let outcomes = paths.iter().flat_map(|path| match load_versions(path) {
        Ok(scripts) => {
            let outcomes = scripts.into_iter().map(|script| run_one(script, options));
            outcomes.collect()
        }
        Err(failure) => vec![failed(failure)],
    });
    Ok(outcomes.collect())
}

fn run_one(mut script: Script, options: &Options) -> Outcome {
    script.settings.tolerance = script.settings.tolerance.max(TOLERANCE);
    let mut tried = 0;
    loop {
        tried += 1;
        // The namespace is the thread's, and ends with it.
        let played = thread::scope(|scope| scope.spawn(|| run_script(&script, options)).join());
        return match played {
            Ok(Ok((played, stalled))) => {
                let busy = stalled > script.settings.tolerance / 2;
                let most = match &played.failure {
                    None => 1,
                    Some(_) if busy => TRIES,
                    Some(failure) if failure.only_time => TRIES_FOR_TIME,
                    Some(_) => 1,
                };
                if tried < most {
                    continue;
                }
                conclude(&script, played, options)
            }
            Ok(Err(what)) => failed(unable(&script.path, what)),
            Err(_) => failed(unable(&script.path, "the runner panicked".into())),
        };
    }
}

fn run_script(script: &Script, options: &Options) -> Result<(Played, Duration), String> {
    let mut host = LiveHost::new(&script.settings)?;
    host.begin();
    let played = play(script, &mut host, options.allow_shell);
    Ok((played, host.stalled()))
}

fn unable(path: &Path, what: String) -> Failure {
    Failure {
        path: path.to_owned(),
        line: 0,
        what,
        expected: None,
        seen: None,
        only_time: false,
    }
}
