//! How a command ends.

use std::fmt;
use std::process::ExitCode;

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

    /// The sentence of an error and those of its causes.
    pub(crate) fn of(error: impl std::error::Error) -> Self {
        let mut sentence = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Some errors repeat their cause in their own words.
            if !sentence.contains(&text) {
                sentence.push_str(": ");
                sentence.push_str(&text);
            }
            cause = inner.source();
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

/// Turns what clap says over several lines into one. `command` is the subcommand that was asked for, if there is one.
pub(crate) fn usage(error: &clap::Error, command: Option<&str>) -> Failure {
    use clap::error::ErrorKind;
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(
            "a command is needed: demo, serve, verify, bench, completions or man; try `netstack --help`",
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
