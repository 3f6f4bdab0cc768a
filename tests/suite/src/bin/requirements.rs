//! Writes `tests/suite/requirements/status.tsv` from the annotations in code and tests, and lists the rows
//! that nothing shows yet. With `--html FILE` it writes the report as a page too, for which it plays the packet scripts
//! that rows name.

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;

use suite::requirements::{Played, Status, annotations, folder, page, tables, waivers, workspace};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (tables, waivers) = (tables()?, waivers()?);
    let annotations = annotations(&workspace())?;
    let status = match Status::new(&tables, &annotations, &waivers) {
        Ok(status) => status,
        Err(wrong) => {
            eprintln!("{}", wrong.join("\n"));
            return Ok(ExitCode::FAILURE);
        }
    };
    fs::write(folder().join("status.tsv"), status.render())?;
    for (table, row) in status.open() {
        println!("{}\t{}\t{}\t{}", table.name, row.id, row.level, row.text);
    }
    println!("\n{}", status.summary());
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => {}
        [option, path] if option == "--html" => {
            let played = Played::new(&workspace(), &status)?;
            fs::write(path, page(&status, &played))?;
        }
        _ => {
            eprintln!("usage: requirements [--html FILE]");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
