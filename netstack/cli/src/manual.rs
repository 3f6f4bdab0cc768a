//! Shell completions and manual pages, made from the command line's own definition.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Prints the completion script for `shell`.
pub(crate) fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "netstack", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}

/// Prints the page of the command, or writes the pages of all subcommands into `dir`.
pub(crate) fn man(dir: Option<&Path>) -> Result<Outcome, Failure> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::new(format!("cannot make the manual page: {error}")))?;
        output::print(&String::from_utf8_lossy(&page))?;
        return Ok(Outcome::Fine);
    };
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| {
            Failure::new(format!(
                "cannot write manual pages to {}: {error}; name another directory",
                dir.display()
            ))
        })?;
    Ok(Outcome::Fine)
}
