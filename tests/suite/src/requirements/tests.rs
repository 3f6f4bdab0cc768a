use super::annotations::{Above, scan};
use super::{Annotation, Proof, Row, Status, Table, Waiver};

fn table() -> Vec<Table> {
    let row = |id: &str, level: &str| Row {
        id: id.to_owned(),
        level: level.to_owned(),
        text: String::new(),
    };
    let rows = vec![
        row("A-1", "MUST"),
        row("A-2", "MUST NOT"),
        row("B-1", "MAY"),
    ];
    vec![Table { name: "one", rows }]
}

#[test]
fn finished_tables_fall_short_of_open_rows_and_of_too_many_waivers() {
    let rows = |count: usize| -> Vec<Table> {
        let row = |number| Row {
            id: format!("A-{number}"),
            level: "MUST".to_owned(),
            text: String::new(),
        };
        let rows = (0..count).map(row).collect();
        vec![Table {
            name: "rfc9293",
            rows,
        }]
    };
    let notes = |count: usize| {
        let test = |number| format!("// req: A-{number}\n#[test]\nfn shows_{number}() {{}}\n");
        let text: String = (0..count).map(test).collect();
        scanned("drivers/tests/x.rs", &text)
    };
    let short = |shown: usize, waived: &[Waiver]| {
        let (tables, notes) = (rows(20), notes(shown));
        let status = Status::new(&tables, &notes, waived).expect("in order");
        status.shortfalls().join(" and ")
    };
    assert_eq!(short(20, &[]), "");
    assert!(short(19, &[]).contains("1 of 20 MUST rows are open"));
    let waived: Vec<Waiver> = (17..20)
        .map(|number| waiver(&format!("A-{number}"), "absent"))
        .collect();
    assert_eq!(short(18, &waived[1..]), "", "a tenth");
    assert!(short(17, &waived).contains("3 of 20 MUST rows are waived"));
}

fn waiver(id: &str, class: &str) -> Waiver {
    Waiver {
        id: id.to_owned(),
        class: class.to_owned(),
        reason: "because".to_owned(),
    }
}

fn scanned(file: &str, text: &str) -> Vec<Annotation> {
    let mut found = Vec::new();
    scan(file, text, &mut found);
    found
}

#[test]
fn what_stands_below_an_annotation_says_what_it_is() {
    let text =
        "/// Doc.\n// req: A-1, A-2\n#[test]\nfn shows() {\n    // req: B-1\n    work();\n}\n";
    let found = scanned("tests/suite/tests/x.rs", text);
    let above: Vec<(&str, usize, &Above)> = found
        .iter()
        .map(|note| (note.id.as_str(), note.line, &note.above))
        .collect();
    let test = Above::Test("shows".to_owned());
    assert_eq!(
        above,
        [
            ("A-1", 2, &test),
            ("A-2", 2, &test),
            ("B-1", 5, &Above::Nothing)
        ]
    );
    for note in scanned("tests/suite/src/x.rs", text) {
        assert_eq!(note.above, Above::Code);
    }
    let asynchronous =
        "// req: A-1\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn also() {}\n";
    let found = scanned("netstack/runtime/src/x/tests.rs", asynchronous);
    assert_eq!(found[0].above, Above::Test("also".to_owned()));
    for ignored in ["#[test]\n#[ignore]\n", "#[ignore = \"slow\"]\n#[test]\n"] {
        let found = scanned(
            "drivers/tests/x.rs",
            &format!("// req: A-1\n{ignored}fn x() {{}}\n"),
        );
        assert_eq!(found[0].above, Above::Nothing);
    }
    let ordinary = scanned("drivers/tests/x.rs", "// req: A-1\nfn helper() {}\n");
    assert_eq!(ordinary[0].above, Above::Nothing);
}

#[test]
fn rows_are_shown_waived_or_open() {
    let tables = table();
    let notes = scanned(
        "drivers/tests/x.rs",
        "// req: A-1\n#[test]\nfn shows() {}\n",
    );
    let waivers = [waiver("B-*", "later")];
    let status = Status::new(&tables, &notes, &waivers).expect("in order");
    assert!(
        matches!(status.proof("A-1"), Proof::Shown(tests) if tests.contains("drivers/tests/x.rs::shows"))
    );
    assert!(matches!(status.proof("B-1"), Proof::Waived(_)));
    let open: Vec<&str> = status.open().map(|(_, row)| row.id.as_str()).collect();
    assert_eq!(open, ["A-2"]);
    assert!(
        status
            .summary()
            .contains("one\tMUST\t2\t1\t0\t0\t0\t1\none\tMAY\t1\t0\t0\t0\t1\t0\n")
    );
    assert!(status.render().contains("A-2\tMUST NOT\topen\t\t\n"));
}

#[test]
fn everything_that_is_wrong_is_said() {
    let mut tables = table();
    tables.extend(table());
    let notes = scanned(
        "drivers/tests/x.rs",
        "// req: A-1, C-1\n#[test]\nfn shows() {}\n// req: A-2\nfn helper() {}\n",
    );
    let waivers = [
        waiver("A-1", "absent"),
        waiver("A-2", "tired"),
        waiver("A-2", "unobservable"),
        waiver("B-1", "later"),
        waiver("B-*", "absent"),
        waiver("C-*", "later"),
        waiver("C-2", "absent"),
    ];
    let wrong = Status::new(&tables, &notes, &waivers)
        .expect_err("all of it")
        .join("\n");
    for part in [
        "A-1 is the id of two rows",
        "drivers/tests/x.rs:1: no table has the id \"C-1\"",
        "drivers/tests/x.rs:4: there is no test below A-2",
        "a test shows A-1",
        "A-2 is neither absent nor unobservable",
        "A-2 is waived twice",
        "B-1 is neither absent nor unobservable",
        "B-* is a family, which only comes later",
        "no table has an id like \"C-*\"",
        "no table has the id \"C-2\"",
    ] {
        assert!(wrong.contains(part), "{part:?} is missing in:\n{wrong}");
    }
}

#[test]
fn captures_are_written_into_the_page_in_base64() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
    ] {
        assert_eq!(super::html::base64(bytes.as_bytes()), text);
    }
}

#[test]
fn the_page_has_a_line_for_each_row() {
    let (tables, waivers) = (table(), [waiver("B-1", "absent")]);
    let annotations = scanned(
        "tests/x/tests/y.rs",
        "// req: A-1\n#[test]\nfn shows() {}\n",
    );
    let status = Status::new(&tables, &annotations, &waivers).unwrap();
    let packets = super::Packets::new(&status, &[]).expect("in order");
    let page = super::page(&status, &packets, &super::Played::default());
    for wanted in [
        "<td id=\"A-1\">A-1<td>MUST<td><td>tests/x/tests/y.rs::shows<td>not yet<td>tested in CI",
        "<td id=\"A-2\">A-2<td>MUST NOT<td><td><td>not yet<td>open",
        "<td id=\"B-1\">B-1<td>MAY<td><td>because<td><td>absent",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
}
