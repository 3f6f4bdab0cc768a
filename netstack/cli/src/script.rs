//! `netstack script`: runs packet scripts.

use std::fs;
use std::path::Path;

use packet_script::{Options, Outcome as Played};

use crate::args::Script;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Runs each script and prints what became of it.
pub(crate) fn run(args: &Script) -> Result<Outcome, Failure> {
    for file in &args.files {
        fs::metadata(file).map_err(|error| {
            let sentence = format!("cannot read {}: {error}", file.display());
            Failure::with_remedy(sentence, &error, "name a script, or a directory of scripts")
        })?;
    }
    let scripts = packet_script::find(&args.files).map_err(Failure::of)?;
    if scripts.is_empty() {
        return Err(Failure::new(
            "there is no script (*.pkt) there; name a file or a directory that has some",
        ));
    }
    if let Some(directory) = &args.pcap {
        try_place(directory)?;
    }
    let mut options = Options::default();
    options.captures.clone_from(&args.pcap);
    options.allow_shell = args.allow_shell;
    options.jobs = args.jobs;
    let outcomes = if args.live {
        packet_script::run_live(&scripts, &options).map_err(Failure::of)?
    } else {
        packet_script::run_all(&scripts, &options)
    };
    for outcome in &outcomes {
        report(args, outcome)?;
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.is_fine()).count();
    if !args.json {
        output::line(&format!(
            "{} of {} scripts hold",
            outcomes.len() - failed,
            outcomes.len()
        ))?;
    }
    if let Some(failure) = unable(&outcomes) {
        return Err(failure);
    }
    Ok(if failed == 0 {
        Outcome::Fine
    } else {
        Outcome::Found
    })
}

/// What the machine kept from being done, which is no script's fault either.
fn unable(outcomes: &[Played]) -> Option<Failure> {
    let mut unable = outcomes.iter().filter_map(|outcome| {
        let why = outcome.unable.as_ref()?;
        Some(format!("{}: {why}", outcome.path.display()))
    });
    let first = unable.next()?;
    Some(match unable.count() {
        0 => Failure::new(first),
        more => Failure::new(format!("{first} (and {more} more)")),
    })
}

/// Makes `directory`, and a file in it that is gone again: what cannot be written is no script's fault.
fn try_place(directory: &Path) -> Result<(), Failure> {
    let made = fs::create_dir_all(directory).and_then(|()| tempfile::tempfile_in(directory));
    made.map(|_| ()).map_err(|error| {
        let sentence = format!(
            "the captures cannot be written to {}: {error}",
            directory.display()
        );
        Failure::with_remedy(sentence, &error, "choose another place with --pcap")
    })
}

fn report(args: &Script, outcome: &Played) -> Result<(), Failure> {
    if args.json {
        output::line(&outcome.to_json().to_string())
    } else if args.quiet && outcome.is_fine() {
        Ok(())
    } else {
        output::line(&outcome.to_string())
    }
}
