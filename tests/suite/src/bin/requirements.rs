//! Writes `tests/suite/requirements/status.tsv` from the annotations in code and tests, and lists the rows
//! that nothing shows yet.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use suite::requirements::{Status, annotations, folder, tables, waivers, workspace};

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
    Ok(ExitCode::SUCCESS)
}
