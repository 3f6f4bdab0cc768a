//! The `netstack` command.
//!
//! This file parses, dispatches and turns the end of a command into an exit code; each command is a module.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod bridge;
mod capture_file;
mod demo;
mod failure;
mod manual;
mod output;
mod script;
mod serve;
mod verify;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tracing_subscriber::EnvFilter;

use args::{Cli, Command};
use failure::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return end_of_parsing(&error),
    };
    match start_logging().and_then(|()| run(cli.command)) {
        Ok(outcome) => outcome.into(),
        Err(failure) => end_with(&failure),
    }
}

fn run(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Demo(demo) => demo::run(&demo),
        Command::Serve(serve) => serve::run(&serve),
        Command::Bench(bench) => bench::run(&bench),
        Command::BenchPart(part) => bench::part(&part),
        Command::Bridge(bridge) => bridge::run(&bridge),
        Command::Verify(verify) => verify::run(&verify),
        Command::Script(script) => script::run(&script),
        Command::Completions(completions) => manual::completions(completions.shell),
        Command::Man(man) => manual::man(man.dir.as_deref()),
    }
}

/// Help and version are asked for, and go to standard output; everything else is a usage error.
fn end_of_parsing(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        return end_with(&failure::usage(error, named_command().as_deref()));
    }
    match output::print(&error.render().to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end_with(&failure),
    }
}

/// The subcommand of the command line, which stands first because there are no options before it.
fn named_command() -> Option<String> {
    let word = std::env::args_os().nth(1)?;
    let command = Cli::command();
    Some(command.find_subcommand(word)?.get_name().to_owned())
}

fn end_with(failure: &Failure) -> ExitCode {
    output::complain(&failure.to_string());
    ExitCode::from(Failure::CODE)
}

/// Logs to standard error what `RUST_LOG` asks for. When it asks for nothing, only errors are logged: what a user
/// has to know is said by the command itself, in a line of its own.
fn start_logging() -> Result<(), Failure> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) => EnvFilter::try_new(&directives)
            .map_err(|error| Failure::new(format!("RUST_LOG cannot be understood: {error}; set it to a level, such as debug, or to modules with levels, such as drivers=trace")))?,
        Err(_) => EnvFilter::new("error"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
