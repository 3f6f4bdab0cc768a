//! Runs scripts against the Linux kernel.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use drivers::netlink::{NetlinkError, private_namespace};

use crate::ast::Script;
use crate::host::live::{LiveHost, sys};
use crate::load::load_versions;
use crate::play::{Played, play};
use crate::report::Outcome;
use crate::run::{Options, conclude, failed, unread};
use crate::workers;

/// In real time an event may be so far from its time, whatever a script says: others use the machine too.
const TOLERANCE: Duration = Duration::from_millis(25);

/// How often a script is played that fails while the machine keeps the runner from looking at its clock for half of the
/// tolerance: what it saw then says nothing.
const TRIES: u32 = 8;

/// How often one is played that sees the right packet at another time, or waits for it in vain: the machine keeps the kernel from its work too,
/// which the runner does not see. What is really late is late each time.
const TRIES_FOR_TIME: u32 = 3;

/// Who waits for longer than this in real time does not mean to.
const LONGEST: Duration = Duration::from_secs(3600);

/// How many scripts are played at a time if nothing else is asked for.
pub const LIVE_JOBS: NonZero<usize> = NonZero::new(5).unwrap();

/// Runs the script in each file against the Linux kernel in real time, each in a network namespace of its own,
/// [`Options::jobs`] at a time. What is to be played again is played alone, after the others. The outcomes are in the
/// order of the files.
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
    let scripts = paths.iter().flat_map(|path| match load_versions(path) {
        Ok(scripts) => scripts.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    let jobs = options.jobs.unwrap_or(LIVE_JOBS).get();
    let tries = workers::each(scripts.collect(), jobs, |script| match script {
        Ok(script) => run_once(script, 1, options),
        Err(error) => Try::over(unread(error)),
    });
    let outcomes = tries.into_iter().map(|tried| run_alone(tried, options));
    Ok(outcomes.collect())
}

/// What became of playing a script.
enum Try {
    Over(Box<Outcome>),
    /// What was seen says too little after so many tries.
    Again(Box<Script>, u32),
}

impl Try {
    fn over(outcome: Outcome) -> Try {
        Try::Over(Box::new(outcome))
    }
}

fn run_alone(mut tried: Try, options: &Options) -> Outcome {
    loop {
        match tried {
            Try::Over(outcome) => return *outcome,
            Try::Again(script, count) => tried = run_once(*script, count + 1, options),
        }
    }
}

/// Plays a script for the time `tried`, counted from one.
fn run_once(mut script: Script, tried: u32, options: &Options) -> Try {
    if lasts(&script) > LONGEST {
        let what = "it takes more than an hour: run it in virtual time".into();
        return Try::over(failed(&script.path, 0, what));
    }
    script.settings.tolerance = script.settings.tolerance.max(TOLERANCE);
    // The namespace is the thread's, and ends with it.
    let played = thread::scope(|scope| scope.spawn(|| run_script(&script, options)).join());
    let (played, stalled) = match played {
        Ok(Ok(played)) => played,
        Ok(Err(why)) => {
            return Try::over(Outcome {
                v6: script.settings.local.is_ipv6(),
                unable: Some(why),
                ..Outcome::of(&script.path)
            });
        }
        Err(_) => {
            let what = "the runner panicked".into();
            return Try::over(failed(&script.path, 0, what));
        }
    };
    let busy = stalled > script.settings.tolerance / 2;
    let most = match &played.failure {
        None => 1,
        Some(_) if busy => TRIES,
        Some(failure) if failure.only_time => TRIES_FOR_TIME,
        Some(_) => 1,
    };
    if tried < most {
        Try::Again(Box::new(script), tried)
    } else {
        Try::over(conclude(&script, played, options))
    }
}

fn run_script(script: &Script, options: &Options) -> Result<(Played, Duration), String> {
    let mut host = LiveHost::new(script)?;
    host.begin();
    let played = play(script, &mut host, options.allow_shell);
    Ok((played, host.stalled()))
}

/// When the last event of a script is over at the latest.
fn lasts(script: &Script) -> Duration {
    let whens = script.events.iter().map(|event| event.when);
    whens.fold(Duration::ZERO, |base, when| when.latest(base))
}

#[cfg(test)]
mod tests;
