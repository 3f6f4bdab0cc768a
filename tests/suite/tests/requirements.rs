//! Every row of the requirement tables has a status, and the status is what the annotations say.

use std::fs;

use suite::requirements::{Status, annotations, folder, tables, waivers, workspace};

#[test]
fn the_status_is_what_the_annotations_say() {
    let (tables, waivers) = (tables().expect("tables"), waivers().expect("waivers"));
    let annotations = annotations(&workspace()).expect("sources");
    let status = Status::new(&tables, &annotations, &waivers)
        .unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    let open = status.open().count();
    println!("{}\n{open} rows are open", status.summary());
    let written = fs::read_to_string(folder().join("status.tsv")).expect("status.tsv");
    assert!(
        written == status.render(),
        "status.tsv is stale: run `cargo run -p suite --bin requirements`"
    );
}
