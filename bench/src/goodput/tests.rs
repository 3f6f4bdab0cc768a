use super::*;

fn cell(contender: Contender, path: (u64, u64, u32), runs: &[f64]) -> Cell {
    Cell {
        quantity: Quantity::Goodput,
        path,
        contender: contender.to_string(),
        seconds: 60,
        runs: runs.to_vec(),
    }
}

#[test]
fn a_line_of_json_comes_back_as_it_was() {
    let cell = cell(CONTENDERS[3], (100, 20, 10), &[1.25, 3.5]);
    assert_eq!(Cell::from_json(&cell.to_json()), Some(cell));
    assert_eq!(Cell::from_json("{}"), None);
}

#[test]
fn a_table_has_a_line_for_each_path_and_leaves_out_what_was_not_measured() {
    let cells = [
        cell(CONTENDERS[1], (100, 1, 50), &[2.0, 4.0]),
        cell(CONTENDERS[0], (10, 1, 0), &[9.0]),
    ];
    let table = table(&cells);
    let lines: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(
        lines[0],
        "| 10 Mbit/s, 1 ms, 0 % lost | 9.00 (9.00-9.00) | | | | |"
    );
    assert_eq!(
        lines[1],
        "| 100 Mbit/s, 1 ms, 5 % lost | | 3.00 (2.00-4.00) | | | |"
    );
}

#[test]
fn each_quantity_has_a_table() {
    let goodput = cell(CONTENDERS[0], (10, 1, 0), &[9.0]);
    let fairness = Cell {
        quantity: Quantity::Fairness,
        runs: vec![0.99],
        ..goodput.clone()
    };
    assert_eq!(
        Cell::from_json(&fairness.to_json()).as_ref(),
        Some(&fairness)
    );
    let both = table(&[fairness, goodput]);
    let tables: Vec<&str> = both.split("\n\n").collect();
    assert_eq!(tables.len(), 2);
    assert!(tables[0].starts_with("| Mbit/s of one connection |"));
    assert!(tables[1].contains("| 0.99 (0.99-0.99) |"));
}
