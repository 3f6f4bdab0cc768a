//! Runs scripts from files, many at a time.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use pcap_verify::{Offload, Options as JudgeOptions};

use crate::ast::Script;
use crate::capture::{self, Record};
use crate::error::LoadError;
use crate::host::stack::StackHost;
use crate::load::load_versions;
use crate::play::{Played, play};
use crate::report::{Failure, Outcome};
use crate::workers;

/// How scripts are run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Where each run's capture goes, as `NAME.pcapng`; they are judged too.
    pub captures: Option<PathBuf>,
    /// Whether lines in back-quotes are given to the shell.
    pub allow_shell: bool,
    /// How many scripts are run at a time. `None`: against this stack as many as there are processors, against the
    /// kernel, where they mostly wait, [`LIVE_JOBS`](crate::LIVE_JOBS).
    pub jobs: Option<NonZero<usize>>,
}

/// Runs the script in each file against this stack, in virtual time, [`Options::jobs`] at a time. The outcomes are in the
/// order of the files.
pub fn run_all(paths: &[PathBuf], options: &Options) -> Vec<Outcome> {
    let processors = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let workers = options.jobs.unwrap_or_else(processors).get();
    let of_files = workers::each(paths.iter().collect(), workers, |path| {
        run_file(path, options)
    });
    of_files.into_iter().flatten().collect()
}

/// Runs the script in the file `path` against this stack, in virtual time: over IPv6 too, if it says `// ip: both`.
pub fn run_file(path: &Path, options: &Options) -> Vec<Outcome> {
    match load_versions(path) {
        Ok(scripts) => {
            let outcomes = scripts.iter().map(|script| run_script(script, options));
            outcomes.collect()
        }
        Err(error) => vec![unread(error)],
    }
}

/// Runs a script against this stack, in virtual time.
pub fn run_script(script: &Script, options: &Options) -> Outcome {
    let mut host = StackHost::new(&script.settings);
    conclude(
        script,
        play(script, &mut host, options.allow_shell),
        options,
    )
}

/// Writes and judges the capture of a run, if asked to.
pub(crate) fn conclude(script: &Script, played: Played, options: &Options) -> Outcome {
    let mut outcome = Outcome {
        v6: script.settings.local.is_ipv6(),
        failure: played.failure,
        printed: played.printed,
        took: played.took,
        packets: played.packets.len(),
        ..Outcome::of(&script.path)
    };
    if let Some(directory) = &options.captures {
        match keep(script, &played.packets, directory) {
            Ok(judged) => {
                outcome.findings = judged.against_host;
                outcome.of_script = judged.of_script;
            }
            Err(why) => outcome.unable = Some(format!("no capture: {why}")),
        }
    }
    outcome
}

/// The outcome where a file has no script.
pub(crate) fn unread(error: LoadError) -> Outcome {
    match error {
        LoadError::File { path, error } => Outcome {
            unable: Some(format!("it cannot be read: {error}")),
            ..Outcome::of(&path)
        },
        LoadError::Text(error) => failed(
            &error.path,
            error.line,
            format!("column {}: {}", error.column, error.what),
        ),
    }
}

/// The outcome where a script was not even begun because of what stands in it; `line` is 0 where none is to blame.
pub(crate) fn failed(path: &Path, line: usize, what: String) -> Outcome {
    let failure = Failure {
        path: path.to_owned(),
        line,
        what,
        expected: None,
        seen: None,
        only_time: false,
    };
    Outcome {
        failure: Some(failure),
        ..Outcome::of(path)
    }
}

/// What the judge found in a capture.
#[derive(Default)]
struct Judged {
    against_host: Vec<String>,
    of_script: BTreeMap<&'static str, u64>,
}

/// Writes the capture of a run, and has it judged.
fn keep(script: &Script, packets: &[Record], directory: &Path) -> Result<Judged, String> {
    let version = if script.settings.local.is_ipv6() {
        6
    } else {
        4
    };
    let name = capture::name(&script.path);
    let path = directory.join(format!("{name}-ipv{version}.pcapng"));
    let mut bytes = Vec::new();
    capture::write(&mut bytes, packets).map_err(|error| error.to_string())?;
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&path, &bytes))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    judge(script, &bytes)
}

/// The capture has everything that the host sent and was sent, as on the wire. Findings about the host are to be those
/// that the script excepts; what is wrong with its own packets is only counted.
fn judge(script: &Script, bytes: &[u8]) -> Result<Judged, String> {
    let mut options = JudgeOptions::default();
    options.beside = vec![script.settings.local];
    options.complete = true;
    options.offload = Offload::After;
    let report =
        pcap_verify::check_reader_with(bytes, &options).map_err(|error| error.to_string())?;
    let mut judged = Judged::default();
    let mut excepted: BTreeMap<&str, bool> = BTreeMap::new();
    excepted.extend(script.excepted.iter().map(|id| (id.as_str(), false)));
    for finding in &report.findings {
        let by_script = finding
            .accused
            .is_some_and(|accused| accused != script.settings.local);
        if by_script {
            *judged.of_script.entry(finding.rule.id).or_default() += 1;
        } else if let Some(is_used) = excepted.get_mut(finding.rule.id) {
            *is_used = true;
        } else {
            judged.against_host.push(finding.to_string());
        }
    }
    let unused = excepted.iter().filter(|(_, is_used)| !**is_used);
    let unused = unused.map(|(id, _)| {
        format!("`// judge: {id}` excepts what was not found: take it away, or write the reason why it should be")
    });
    judged.against_host.extend(unused);
    Ok(judged)
}
