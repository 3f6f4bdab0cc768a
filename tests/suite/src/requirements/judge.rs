//! The rules of the judge of captures, as the page shows them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use super::html::escaped;
use super::records;

/// Columns of the rules' table, and of what the changes showed.
const COLUMNS: [&str; 4] = ["id", "severity", "rule", "rfc"];
const SHOWN: [&str; 3] = ["changes", "detected", "false_positives"];

/// The rows of the table: a class, and its cells.
pub(super) type Rows = Vec<(String, Vec<String>)>;

/// Reads the rules, and what was detected of them.
pub(super) fn rules(workspace: &Path) -> io::Result<Rows> {
    let folder = workspace.join("tests/verify");
    let detected = records(&folder.join("detected.tsv"))?;
    let detected: BTreeMap<String, &BTreeMap<String, String>> = detected
        .iter()
        .filter_map(|row| Some((row.get("rule")?.clone(), row)))
        .collect();
    let rules = records(&folder.join("rules.tsv"))?;
    let cells = |row: &BTreeMap<String, String>| {
        let cell =
            |row: &BTreeMap<String, String>, name: &str| row.get(name).cloned().unwrap_or_default();
        let mut cells: Vec<String> = COLUMNS.iter().map(|name| cell(row, name)).collect();
        let class = match detected.get(&cells[0]) {
            Some(shown) => {
                cells.extend(SHOWN.iter().map(|name| cell(shown, name)));
                "shown"
            }
            None => {
                cells.push(cell(row, "reason"));
                "absent"
            }
        };
        (class.to_owned(), cells)
    };
    Ok(rules.iter().map(cells).collect())
}

/// The table of rules.
pub(super) fn table(html: &mut String, rows: &Rows) {
    let _ = writeln!(
        html,
        "<h2>Rules of the judge</h2>\n<p>Each rule that a capture can show, with the changes that break it in a good \
         capture, how many of them it is reported of, and how often it is reported where nothing is wrong: in the \
         captures of Linux in <code>tests/verify/tests/captures</code> and in conversations that are right \
         (<code>RECORD_DETECTED=1 cargo test -p pcap-verify --test mutations</code>).</p>\n\
         <table><tr><th>id<th>severity<th>rule<th>RFC<th>changes<th>detected<th>false positives</tr>"
    );
    for (class, cells) in rows {
        let _ = write!(html, "<tr class={class}>");
        for cell in cells {
            let _ = write!(html, "<td>{}", escaped(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
}
