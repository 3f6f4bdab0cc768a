//! The requirement tables in `tests/suite/requirements`, the annotations that name their rows, and the
//! status that follows from both.

mod annotations;
mod html;
mod judge;
mod mutants;
mod packets;
mod sample;
mod status;
mod users;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use annotations::{Annotation, annotations};
pub use html::{Played, page};
pub use mutants::{Mutant, Noticed, mutants};
pub use packets::{Apart, Packets, Shown, aparts};
pub use sample::{Drawn, sample};
pub use status::{Proof, Status};
pub use users::{User, users};

/// The tables, in the order in which the status lists them.
const TABLES: [&str; 3] = ["rfc9293", "tcp-extensions", "ip-udp-icmp"];

/// Per cent of the MUST, SHOULD and MAY rows of a table that a test shows or a waiver speaks for, at the least.
const GOALS: [(&str, [usize; 3]); 3] = [
    ("rfc9293", [100, 100, 100]),
    ("tcp-extensions", [100, 100, 100]),
    ("ip-udp-icmp", [100, 90, 0]),
];

/// Per cent of the MUST rows of a table that may be waived at the most, those of modules still to come left out.
const MOST_WAIVED: usize = 10;

/// A row of a table.
#[derive(Debug)]
pub struct Row {
    /// Which no other row of any table has.
    pub id: String,
    /// MUST, SHOULD or MAY, with or without NOT.
    pub level: String,
    /// What is required.
    pub text: String,
}

/// Rows that came from one file.
#[derive(Debug)]
pub struct Table {
    /// The file's name without its extension.
    pub name: &'static str,
    /// The rows in the file's order.
    pub rows: Vec<Row>,
}

/// Why no test shows a row.
#[derive(Debug)]
pub struct Waiver {
    /// The row, or with an asterisk at the end all rows whose ids begin so.
    pub id: String,
    /// One of [`Waiver::CLASSES`].
    pub class: String,
    /// A sentence for the reader.
    pub reason: String,
}

impl Waiver {
    /// The feature does not exist here; nothing outside shows whether the row holds; a family of rows whose module is
    /// still to come.
    pub const CLASSES: [&str; 3] = ["absent", "unobservable", "later"];

    /// What the ids of a family begin with.
    fn family(&self) -> Option<&str> {
        self.id.strip_suffix('*')
    }
}

/// The root of the workspace that this crate was built in.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the tables are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements")
}

/// Reads the tables.
///
/// # Errors
///
/// A file that cannot be read, lacks a column, or has a row of another width.
pub fn tables() -> io::Result<Vec<Table>> {
    let read = |name| {
        let rows = records(&folder().join(name).with_extension("tsv"))?;
        let rows = rows
            .into_iter()
            .map(|mut row| {
                Ok(Row {
                    id: take(&mut row, &["id"])?,
                    level: take(&mut row, &["level"])?,
                    text: take(&mut row, &["requirement"])?,
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Table { name, rows })
    };
    TABLES.into_iter().map(read).collect()
}

/// Reads the waivers.
///
/// # Errors
///
/// As [`tables`].
pub fn waivers() -> io::Result<Vec<Waiver>> {
    records(&folder().join("waivers.tsv"))?
        .into_iter()
        .map(|mut row| {
            Ok(Waiver {
                id: take(&mut row, &["id"])?,
                class: take(&mut row, &["class"])?,
                reason: take(&mut row, &["reason"])?,
            })
        })
        .collect()
}

/// The rows of a file of tab-separated columns whose first line names them.
fn records(path: &Path) -> io::Result<Vec<BTreeMap<String, String>>> {
    let text = fs::read_to_string(path)
        .map_err(|error| invalid(format!("{}: {error}", path.display())))?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let mut rows = Vec::new();
    for (line, number) in lines.zip(2..) {
        let cells: Vec<&str> = line.split('\t').collect();
        if cells.len() != names.len() || cells.iter().any(|cell| cell.trim() != *cell) {
            return Err(invalid(format!(
                "{}:{number}: {} columns, each without spaces around it, are wanted",
                path.display(),
                names.len()
            )));
        }
        let pairs = names.iter().zip(cells);
        rows.push(
            pairs
                .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
                .collect(),
        );
    }
    Ok(rows)
}

/// The cell under the first of `names` that there is.
fn take(row: &mut BTreeMap<String, String>, names: &[&str]) -> io::Result<String> {
    names
        .iter()
        .find_map(|name| row.remove(*name))
        .filter(|cell| !cell.is_empty())
        .ok_or_else(|| invalid(format!("no {} in {row:?}", names[0])))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
