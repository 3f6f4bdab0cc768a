use super::{Apart, Packets, Shown};
use crate::requirements::annotations::scan;
use crate::requirements::{Row, Status, Table, Waiver};

fn table() -> Vec<Table> {
    let row = |id: &str| Row {
        id: id.to_owned(),
        level: "MUST".to_owned(),
        text: String::new(),
    };
    let rows = ["A-1", "A-2", "A-3", "B-1", "B-2"].map(row).into();
    vec![Table { name: "one", rows }]
}

fn apart(id: &str, class: &str) -> Apart {
    Apart {
        id: id.to_owned(),
        class: class.to_owned(),
        reason: "because".to_owned(),
    }
}

#[test]
fn rows_are_shown_by_a_script_by_none_that_can_be_or_by_none_yet() {
    let tables = table();
    let mut notes = Vec::new();
    scan(
        "tests/script/scripts/x/y.pkt",
        "// req: A-1, B-1\n",
        &mut notes,
    );
    scan(
        "drivers/tests/x.rs",
        "// req: A-2\n#[test]\nfn x() {}\n",
        &mut notes,
    );
    let waivers = [Waiver {
        id: "A-3".to_owned(),
        class: "absent".to_owned(),
        reason: "because".to_owned(),
    }];
    let status = Status::new(&tables, &notes, &waivers).expect("in order");
    let aparts = [apart("B-*", "router")];
    let packets = Packets::new(&status, &aparts).expect("in order");
    let all = ["A-1", "A-2", "A-3", "B-1", "B-2"].map(|id| packets.of(id));
    let router = Shown::Apart("router", "because");
    assert_eq!(
        all,
        [
            Shown::Script,
            Shown::No,
            Shown::Waived,
            Shown::Script,
            router
        ]
    );
    assert!(packets.summary().ends_with("one\tMUST\t4\t2\t1\t1\n"));
}

#[test]
fn what_no_script_can_show_is_in_a_table_has_a_class_and_no_script() {
    let tables = table();
    let mut notes = Vec::new();
    scan("tests/script/scripts/x/y.pkt", "// req: A-1\n", &mut notes);
    let status = Status::new(&tables, &notes, &[]).expect("in order");
    for (wrong, why) in [
        (apart("A-1", "inside"), "a script shows A-1"),
        (apart("C-1", "inside"), "no table has the id"),
        (apart("C-*", "inside"), "no table has an id like"),
        (apart("A-2", "hard"), "no such class"),
    ] {
        let aparts = [wrong];
        let said = Packets::new(&status, &aparts).expect_err("wrong").join(" ");
        assert!(said.contains(why), "{said}");
    }
}
