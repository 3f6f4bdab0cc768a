//! What packets show: the rows that a packet script names, and those that no script can.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::io;

use super::status::{Proof, Status};
use super::{folder, records, take};

/// Why no packet script can show a row, or a family of rows whose ids begin so.
#[derive(Debug)]
pub struct Apart {
    /// The row, or with an asterisk at the end all rows whose ids begin so.
    pub id: String,
    /// One of [`Apart::CLASSES`].
    pub class: String,
    /// A sentence for the reader.
    pub reason: String,
}

impl Apart {
    /// Nothing but the inside of the host shows it; only a call of the application does, without a packet; it compares
    /// many connections, hosts or addresses, of which a script has one; it is about a host with two links; it is about what is
    /// below IP.
    pub const CLASSES: [&str; 5] = ["inside", "call", "many", "router", "link"];
}

/// Reads `unscripted.tsv`.
///
/// # Errors
///
/// As [`tables`](super::tables).
pub fn aparts() -> io::Result<Vec<Apart>> {
    records(&folder().join("unscripted.tsv"))?
        .into_iter()
        .map(|mut row| {
            Ok(Apart {
                id: take(&mut row, &["id"])?,
                class: take(&mut row, &["class"])?,
                reason: take(&mut row, &["reason"])?,
            })
        })
        .collect()
}

/// Whether packets show a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// A script names it.
    Script,
    /// No script can.
    Apart(&'a str, &'a str),
    /// None does yet.
    No,
    /// The row is waived: there is nothing to show.
    Waived,
}

/// What packets show of all rows.
#[derive(Debug)]
pub struct Packets<'a> {
    status: &'a Status<'a>,
    rows: BTreeMap<&'a str, &'a Apart>,
    families: Vec<(&'a str, &'a Apart)>,
}

impl<'a> Packets<'a> {
    /// Joins the status of the rows with what no script can show.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: ids that no table has, classes that there are not, rows that a script shows all the
    /// same.
    pub fn new(status: &'a Status<'a>, aparts: &'a [Apart]) -> Result<Self, Vec<String>> {
        let mut packets = Packets {
            status,
            rows: BTreeMap::new(),
            families: Vec::new(),
        };
        let mut wrong = Vec::new();
        let known: Vec<&str> = status
            .tables()
            .iter()
            .flat_map(|table| &table.rows)
            .map(|row| row.id.as_str())
            .collect();
        for apart in aparts {
            let id = apart.id.as_str();
            if !Apart::CLASSES.contains(&apart.class.as_str()) {
                wrong.push(format!("unscripted.tsv: {id}: there is no such class"));
            }
            if let Some(family) = id.strip_suffix('*') {
                if !known.iter().any(|id| id.starts_with(family)) {
                    wrong.push(format!("unscripted.tsv: no table has an id like {id:?}"));
                }
                packets.families.push((family, apart));
                continue;
            }
            if !known.contains(&id) {
                wrong.push(format!("unscripted.tsv: no table has the id {id:?}"));
            }
            if packets.has_script(id) {
                wrong.push(format!("unscripted.tsv: a script shows {id}"));
            }
            if packets.rows.insert(id, apart).is_some() {
                wrong.push(format!("unscripted.tsv: {id} stands there twice"));
            }
        }
        if wrong.is_empty() {
            Ok(packets)
        } else {
            Err(wrong)
        }
    }

    fn has_script(&self, id: &str) -> bool {
        match self.status.proof(id) {
            Proof::Shown(tests) => tests.iter().any(|test| test.contains(".pkt::")),
            _ => false,
        }
    }

    /// Whether packets show the row `id`.
    pub fn of(&self, id: &str) -> Shown<'a> {
        if self.has_script(id) {
            return Shown::Script;
        }
        if matches!(self.status.proof(id), Proof::Waived(waiver) if waiver.class != "later") {
            return Shown::Waived;
        }
        let family = || {
            self.families
                .iter()
                .find(|(family, _)| id.starts_with(family))
        };
        let apart = self.rows.get(id).copied();
        match apart.or_else(|| family().map(|(_, apart)| *apart)) {
            Some(apart) => Shown::Apart(&apart.class, &apart.reason),
            None => Shown::No,
        }
    }

    /// How many rows of each table and level packets show, as lines of tab-separated columns. Waived rows are left out.
    pub fn summary(&self) -> String {
        let mut text =
            String::from("table\tlevel\trows\tby a script\tby none that can be\tby none yet\n");
        for table in self.status.tables() {
            let mut levels: Vec<(&str, [usize; 3])> = Vec::new();
            for row in &table.rows {
                let level = row.level.trim_end_matches(" NOT");
                let column = match self.of(&row.id) {
                    Shown::Script => 0,
                    Shown::Apart(..) => 1,
                    Shown::No => 2,
                    Shown::Waived => continue,
                };
                match levels.iter_mut().find(|(name, _)| *name == level) {
                    Some((_, counts)) => counts[column] += 1,
                    None => {
                        let mut counts = [0; 3];
                        counts[column] = 1;
                        levels.push((level, counts));
                    }
                }
            }
            for (level, counts) in levels {
                let rows: usize = counts.iter().sum();
                let counts = counts.map(|count| count.to_string()).join("\t");
                let _ = writeln!(text, "{}\t{level}\t{rows}\t{counts}", table.name);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
