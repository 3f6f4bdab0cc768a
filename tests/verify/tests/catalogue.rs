//! `rules.tsv` and the code agree about what is implemented.

use std::collections::BTreeMap;
use std::path::Path;

use pcap_verify::catalogue;

/// The judge's own rules, which are about files and shapes and not in the table.
const OWN: &str = "J-";

#[test]
fn every_row_is_implemented_or_says_why_not() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = text.lines();
    let head: Vec<&str> = rows.next().unwrap().split('\t').collect();
    assert_eq!(head[6..], ["status", "reason"]);
    let mut code: BTreeMap<&str, &pcap_verify::Rule> =
        catalogue().map(|rule| (rule.id, rule)).collect();
    assert_eq!(
        code.len(),
        catalogue().count(),
        "a rule stands twice in the catalogue"
    );
    let mut count = 0;
    for row in rows {
        count += 1;
        let cells: Vec<&str> = row.split('\t').collect();
        let [id, _, _, severity, _, _, status, reason] = cells[..] else {
            panic!("{row}");
        };
        match status {
            "implemented" => {
                let rule = code
                    .remove(id)
                    .unwrap_or_else(|| panic!("{id} is not in the code"));
                let said = severity.replace("info", "note");
                assert_eq!(rule.severity.name(), said, "{id}");
                assert_eq!(reason, "", "{id}");
            }
            "not passively" => {
                assert!(!code.contains_key(id), "{id} is in the code");
                assert!(!reason.is_empty(), "{id}");
            }
            other => panic!("{id}: {other}"),
        }
    }
    assert_eq!(count, 164);
    let left: Vec<&&str> = code.keys().filter(|id| !id.starts_with(OWN)).collect();
    assert!(left.is_empty(), "not in rules.tsv: {left:?}");
}
