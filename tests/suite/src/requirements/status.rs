//! What is known about each row.

use core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};

use super::annotations::Above;
use super::{Annotation, GOALS, MOST_WAIVED, Table, Waiver};

/// The column of open rows.
const OPEN: usize = 5;

/// How a row stands.
#[derive(Debug)]
pub enum Proof<'a> {
    /// Tests show it, each as `file::name`.
    Shown(BTreeSet<String>),
    /// Nothing does, and nothing need.
    Waived(&'a Waiver),
    /// Nothing does yet.
    Open,
}

/// All rows of all tables with what shows them.
#[derive(Debug)]
pub struct Status<'a> {
    tables: &'a [Table],
    tests: BTreeMap<&'a str, BTreeSet<String>>,
    code: BTreeMap<&'a str, BTreeSet<&'a str>>,
    waivers: BTreeMap<&'a str, &'a Waiver>,
    families: Vec<(&'a str, &'a Waiver)>,
}

impl<'a> Status<'a> {
    /// Joins the tables with what speaks of them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: ids that occur twice or that no table has, annotations above nothing that
    /// runs, waivers of no class or for a row that a test shows.
    pub fn new(
        tables: &'a [Table],
        annotations: &'a [Annotation],
        waivers: &'a [Waiver],
    ) -> Result<Self, Vec<String>> {
        let mut status = Self {
            tables,
            tests: BTreeMap::new(),
            code: BTreeMap::new(),
            waivers: BTreeMap::new(),
            families: Vec::new(),
        };
        let mut wrong = Vec::new();
        let mut known = BTreeSet::new();
        for row in tables.iter().flat_map(|table| &table.rows) {
            if !known.insert(row.id.as_str()) {
                wrong.push(format!("{} is the id of two rows", row.id));
            }
        }
        for note in annotations {
            let (id, file, line) = (note.id.as_str(), note.file.as_str(), note.line);
            if !known.contains(id) {
                wrong.push(format!("{file}:{line}: no table has the id {id:?}"));
            }
            match &note.above {
                Above::Code => {
                    status.code.entry(id).or_default().insert(file);
                }
                Above::Test(name) => {
                    let name = format!("{file}::{name}");
                    status.tests.entry(id).or_default().insert(name);
                }
                Above::Nothing => wrong.push(format!("{file}:{line}: there is no test below {id}")),
            }
        }
        for waiver in waivers {
            status.waive(waiver, &known, &mut wrong);
        }
        if wrong.is_empty() {
            Ok(status)
        } else {
            Err(wrong)
        }
    }

    fn waive(&mut self, waiver: &'a Waiver, known: &BTreeSet<&str>, wrong: &mut Vec<String>) {
        let id = waiver.id.as_str();
        let is_later = waiver.class == "later";
        if let Some(family) = waiver.family() {
            if !known.iter().any(|id| id.starts_with(family)) {
                wrong.push(format!("waivers.tsv: no table has an id like {id:?}"));
            }
            if !is_later {
                wrong.push(format!(
                    "waivers.tsv: {id} is a family, which only comes later"
                ));
            }
            self.families.push((family, waiver));
            return;
        }
        if !known.contains(id) {
            wrong.push(format!("waivers.tsv: no table has the id {id:?}"));
        }
        if is_later || !Waiver::CLASSES.contains(&waiver.class.as_str()) {
            wrong.push(format!(
                "waivers.tsv: {id} is neither absent nor unobservable"
            ));
        }
        if self.tests.contains_key(id) {
            wrong.push(format!("waivers.tsv: a test shows {id}"));
        }
        if self.waivers.insert(id, waiver).is_some() {
            wrong.push(format!("waivers.tsv: {id} is waived twice"));
        }
    }

    /// The tables.
    pub fn tables(&self) -> &'a [Table] {
        self.tables
    }

    /// How the row `id` stands.
    pub fn proof(&self, id: &str) -> Proof<'a> {
        if let Some(tests) = self.tests.get(id) {
            return Proof::Shown(tests.clone());
        }
        let family = || {
            self.families
                .iter()
                .find(|(family, _)| id.starts_with(family))
        };
        let waiver = self.waivers.get(id).copied();
        let waiver = waiver.or_else(|| family().map(|(_, waiver)| *waiver));
        waiver.map_or(Proof::Open, Proof::Waived)
    }

    /// The rows that neither a test nor a waiver speaks for.
    pub fn open(&self) -> impl Iterator<Item = (&'a Table, &'a super::Row)> {
        self.tables
            .iter()
            .flat_map(|table| table.rows.iter().map(move |row| (table, row)))
            .filter(|(_, row)| matches!(self.proof(&row.id), Proof::Open))
    }

    /// How many rows of each level of a table there are, and how they stand: MUST before SHOULD before MAY, as they
    /// first occur; with NOT it is the same level.
    fn counts<'t>(&self, table: &'t Table) -> Vec<(&'t str, [usize; 6])> {
        let mut levels: Vec<(&str, [usize; 6])> = Vec::new();
        for row in &table.rows {
            let level = row.level.trim_end_matches(" NOT");
            let at = levels.iter().position(|(name, _)| *name == level);
            let at = at.unwrap_or_else(|| {
                levels.push((level, [0; 6]));
                levels.len() - 1
            });
            let column = match self.proof(&row.id) {
                Proof::Shown(_) => 1,
                Proof::Waived(waiver) => {
                    let class = Waiver::CLASSES
                        .iter()
                        .position(|name| *name == waiver.class);
                    2 + class.unwrap_or(0)
                }
                Proof::Open => OPEN,
            };
            levels[at].1[0] += 1;
            levels[at].1[column] += 1;
        }
        levels
    }

    /// How many rows of each table and level stand how, as lines of tab-separated columns.
    pub fn summary(&self) -> String {
        let mut text =
            String::from("table\tlevel\trows\tshown\tabsent\tunobservable\tlater\topen\n");
        for table in self.tables {
            for (level, counts) in self.counts(table) {
                let counts = counts.map(|count| count.to_string()).join("\t");
                let _ = writeln!(text, "{}\t{level}\t{counts}", table.name);
            }
        }
        text
    }

    /// Where the tables fall short of what was reached: more rows are open than may be, or more are waived.
    pub fn shortfalls(&self) -> Vec<String> {
        let mut short = Vec::new();
        for table in self.tables {
            let Some((_, goals)) = GOALS.iter().find(|(name, _)| *name == table.name) else {
                continue;
            };
            for (level, counts) in self.counts(table) {
                let name = table.name;
                let goal = match level {
                    "MUST" => goals[0],
                    "SHOULD" => goals[1],
                    _ => goals[2],
                };
                let (rows, open) = (counts[0], counts[OPEN]);
                if (rows - open) * 100 < rows * goal {
                    short.push(format!(
                        "{name}: {open} of {rows} {level} rows are open; {goal} % have to be shown or waived"
                    ));
                }
                let waived = counts[2] + counts[3];
                if level == "MUST" && waived * 100 > rows * MOST_WAIVED {
                    short.push(format!(
                        "{name}: {waived} of {rows} MUST rows are waived; at most {MOST_WAIVED} % may be"
                    ));
                }
            }
        }
        short
    }

    /// The file `status.tsv`: the summary as comments, and a line for every row.
    pub fn render(&self) -> String {
        let mut text = String::from("# Made by `cargo run -p suite --bin requirements`.\n");
        for line in self.summary().lines() {
            let _ = writeln!(text, "# {line}");
        }
        text.push_str("id\tlevel\tstatus\ttests or reason\tcode\n");
        for row in self.tables.iter().flat_map(|table| &table.rows) {
            let (status, what) = match self.proof(&row.id) {
                Proof::Shown(tests) => ("shown", join(tests.iter().map(String::as_str))),
                Proof::Waived(waiver) => (waiver.class.as_str(), waiver.reason.clone()),
                Proof::Open => ("open", String::new()),
            };
            let code = self.code.get(row.id.as_str());
            let code = code.map_or_else(String::new, |files| join(files.iter().copied()));
            let _ = writeln!(text, "{}\t{}\t{status}\t{what}\t{code}", row.id, row.level);
        }
        text
    }
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}
