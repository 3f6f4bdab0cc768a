//! How a command ends.

use std::fmt;
use std::io;
use std::process::ExitCode;

use rustix::io::Errno;

/// How a command that could do its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// A check found something.
    Found,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => ExitCode::SUCCESS,
            Outcome::Found => ExitCode::from(1),
        }
    }
}

/// Why a command could not do its work: one sentence that says what to do.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// The exit code of every failure: usage or environment.
    pub(crate) const CODE: u8 = 2;

    /// A failure told by `sentence`, which must be one line.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Failure(sentence.into())
    }

    /// A failure told by `sentence`, and what to do: raise the limit that `error` is about, else `remedy`.
    pub(crate) fn with_remedy(
        sentence: impl fmt::Display,
        error: &io::Error,
        remedy: &str,
    ) -> Self {
        let remedy = limit_to_raise(error).unwrap_or(remedy);
        Failure(format!("{sentence}; {remedy}"))
    }

    /// The handlers of signals could not be had.
    pub(crate) fn cannot_wait_for_signals(error: io::Error) -> Self {
        Failure::of(error).behind("cannot wait for signals")
    }

    /// The thread that waits for signals could not be had.
    pub(crate) fn no_thread_for_signals(error: io::Error) -> Self {
        Failure(format!(
            "cannot start the thread that waits for signals: {error}; raise the limit on processes by `ulimit -u`"
        ))
    }

    fn behind(self, what: &str) -> Self {
        Failure(format!("{what}: {}", self.0))
    }

    /// The sentence of an error and those of its causes, with the limit to raise where that is it.
    pub(crate) fn of(error: impl std::error::Error + 'static) -> Self {
        let mut sentence = error.to_string();
        let mut limit = limit_behind(&error);
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Some errors repeat their cause in their own words.
            if !sentence.contains(&text) {
                sentence.push_str(": ");
                sentence.push_str(&text);
            }
            limit = limit.or_else(|| limit_behind(inner));
            cause = inner.source();
        }
        if let Some(limit) = limit {
            sentence.push_str("; ");
            sentence.push_str(limit);
        }
        Failure(sentence)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Causes come from elsewhere and may hold line ends; a failure is one line all the same.
        let mut words = self.0.split_whitespace();
        if let Some(first) = words.next() {
            f.write_str(first)?;
        }
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

/// How to raise the limit that `error` says was reached.
fn limit_to_raise(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some("raise the limit on open descriptors by `ulimit -n`"),
        Errno::NFILE => Some("raise the machine's limit on open files by `sysctl fs.file-max`"),
        _ => None,
    }
}

fn limit_behind(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if let Some(errno) = error.downcast_ref::<Errno>() {
        return limit_to_raise(&(*errno).into());
    }
    limit_to_raise(error.downcast_ref::<io::Error>()?)
}

/// Turns what clap says over several lines into one. `command` is the subcommand that was asked for, if there is one.
pub(crate) fn usage(error: &clap::Error, command: Option<&str>) -> Failure {
    use clap::error::ErrorKind;
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(
            "a command is needed: demo, serve, bridge, verify, bench, completions or man; try `netstack --help`",
        );
    }
    let text = error.render().to_string();
    let mut sentence = String::new();
    for line in text.lines().take_while(|line| !line.starts_with("Usage:")) {
        let line = line.trim();
        let line = line.strip_prefix("error: ").unwrap_or(line);
        if line.is_empty() || line.starts_with("For more information") {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(if line.starts_with("tip:") { "; " } else { " " });
        }
        sentence.push_str(line);
    }
    let command = command.map_or_else(String::new, |name| format!(" {name}"));
    Failure::new(format!("{sentence}; try `netstack{command} --help`"))
}
