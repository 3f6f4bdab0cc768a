//! Every row of the requirement tables has a status, and the status is what the annotations say.

use std::fs;

use suite::requirements::{
    Noticed, Packets, Played, Status, annotations, aparts, folder, mutants, page, sample, tables,
    users, waivers, workspace,
};

#[test]
fn the_status_is_what_the_annotations_say() {
    let (tables, waivers) = (tables().expect("tables"), waivers().expect("waivers"));
    let annotations = annotations(&workspace()).expect("sources");
    let status = Status::new(&tables, &annotations, &waivers)
        .unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    let open: Vec<&str> = status.open().map(|(_, row)| row.id.as_str()).collect();
    println!("{}\nopen: {}", status.summary(), open.join(" "));
    let written = fs::read_to_string(folder().join("status.tsv")).expect("status.tsv");
    assert!(
        written == status.render(),
        "status.tsv is stale: run `cargo run -p suite --bin requirements`"
    );
    let short = status.shortfalls();
    assert!(short.is_empty(), "\n{}", short.join("\n"));
}

#[test]
fn what_no_script_can_show_has_none_and_says_why() {
    with_packets(|_, packets| println!("{}", packets.summary()));
}

#[test]
fn the_page_is_what_is_played_now() {
    with_packets(|status, packets| {
        let played = Played::new(&workspace(), status).expect("scripts");
        let page = page(status, packets, &played);
        let kept = fs::read_to_string(workspace().join("docs/requirements.html"));
        let kept = kept.expect("the page");
        let lines = page.lines().zip(kept.lines());
        let differs = lines.clone().position(|(new, old)| new != old);
        let line = differs.unwrap_or_else(|| lines.count());
        let start = |text: &str| -> String {
            let line = text.lines().nth(line).unwrap_or_default();
            line.chars().take(200).collect()
        };
        assert!(
            page == kept,
            "docs/requirements.html is stale from line {}:\n{}\nand not\n{}\nrun `cargo run --release -p suite --bin \
             requirements -- --html docs/requirements.html`",
            line + 1,
            start(&page),
            start(&kept)
        );
    });
}

/// Calls `check` with the state of each row, and with what packets show of them.
fn with_packets(check: impl FnOnce(&Status<'_>, &Packets<'_>)) {
    let (tables, waivers) = (tables().expect("tables"), waivers().expect("waivers"));
    let annotations = annotations(&workspace()).expect("sources");
    let status = Status::new(&tables, &annotations, &waivers)
        .unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    let aparts = aparts().expect("unscripted.tsv");
    let packets =
        Packets::new(&status, &aparts).unwrap_or_else(|wrong| panic!("\n{}", wrong.join("\n")));
    check(&status, &packets);
}

#[test]
fn what_users_ran_into_elsewhere_has_tests_here() {
    let users = users().expect("users.tsv");
    assert!(users.len() >= 10, "{} rows", users.len());
    for user in users {
        let missing = user.missing(&workspace());
        assert!(missing.is_empty(), "{}: no {missing:?}", user.reported);
        assert!(!user.here.is_empty());
    }
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_another_for_another() {
    let tables = tables().expect("tables");
    let annotations = annotations(&workspace()).expect("sources");
    let draw = |seed| -> Vec<&str> {
        let drawn = sample(&tables, &annotations, &["rfc9293"], seed, 9);
        drawn.into_iter().map(|drawn| drawn.id).collect()
    };
    assert_eq!(draw(1).len(), 9);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn nine_of_ten_mutants_are_noticed_and_the_others_explained() {
    let mutants = mutants().expect("mutants.tsv");
    assert_eq!(mutants.len(), 100);
    let noticed = mutants.iter().filter(|one| one.outcome == Noticed::Yes);
    assert!(noticed.clone().all(|one| !one.by.is_empty()));
    let missed = mutants.iter().filter(|one| one.outcome == Noticed::No);
    assert!(missed.count() * 9 <= noticed.count());
    for mutant in mutants.iter().filter(|one| one.outcome != Noticed::Yes) {
        let explained = !mutant.remark.is_empty() || mutant.outcome == Noticed::Unviable;
        assert!(explained, "{}", mutant.name);
    }
}
