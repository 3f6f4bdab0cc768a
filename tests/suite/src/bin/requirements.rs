//! Writes `tests/suite/requirements/status.tsv` from the annotations in code and tests, lists the rows that nothing
//! shows yet, and fails where there are more than may be. With `--html FILE` it writes the report as a page too, for which
//! it plays the packet scripts that rows name. With `--sample SEED` it draws 40 rows instead.

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;

use suite::requirements::{
    Packets, Played, Status, annotations, aparts, folder, page, sample, tables, waivers, workspace,
};

/// Rows that are drawn, and the tables that they are drawn from.
const DRAWN: usize = 40;
const FROM: [&str; 2] = ["rfc9293", "tcp-extensions"];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => status(None),
        ["--html", path] => status(Some(path)),
        ["--sample", seed] => draw(seed.parse()?),
        _ => Err("usage: requirements [--html FILE | --sample SEED]".into()),
    }
}

fn status(html: Option<&str>) -> Result<ExitCode, Box<dyn Error>> {
    let (tables, waivers) = (tables()?, waivers()?);
    let annotations = annotations(&workspace())?;
    let status = match Status::new(&tables, &annotations, &waivers) {
        Ok(status) => status,
        Err(wrong) => {
            eprintln!("{}", wrong.join("\n"));
            return Ok(ExitCode::FAILURE);
        }
    };
    let aparts = aparts()?;
    let packets = match Packets::new(&status, &aparts) {
        Ok(packets) => packets,
        Err(wrong) => {
            eprintln!("{}", wrong.join("\n"));
            return Ok(ExitCode::FAILURE);
        }
    };
    fs::write(folder().join("status.tsv"), status.render())?;
    for (table, row) in status.open() {
        println!("{}\t{}\t{}\t{}", table.name, row.id, row.level, row.text);
    }
    println!("\n{}\n{}", status.summary(), packets.summary());
    if let Some(path) = html {
        let played = Played::new(&workspace(), &status)?;
        fs::write(path, page(&status, &packets, &played))?;
    }
    let short = status.shortfalls();
    if short.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{}", short.join("\n"));
    Ok(ExitCode::FAILURE)
}

fn draw(seed: u64) -> Result<ExitCode, Box<dyn Error>> {
    let (tables, annotations) = (tables()?, annotations(&workspace())?);
    for drawn in sample(&tables, &annotations, &FROM, seed, DRAWN) {
        let (code, tests) = (drawn.code.join(" "), drawn.tests.join("; "));
        println!("{}\t{code}\t{tests}", drawn.id);
    }
    Ok(ExitCode::SUCCESS)
}
