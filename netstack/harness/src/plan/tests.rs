use std::path::PathBuf;

use super::Plan;
use crate::case::Pin;
use crate::{BenchError, Options, Program};

fn options(cases: &[&str], subjects: &[&str]) -> Options {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Options {
        rounds: 1,
        seconds: 1.0,
        cases: owned(cases),
        subjects: owned(subjects),
        pins: Vec::new(),
        peers: PathBuf::from("/nonexistent"),
    }
}

fn program() -> Program {
    Program {
        path: PathBuf::from("/nonexistent/netstack"),
        part: "part",
        serve_options: vec!["--offload".to_owned()],
    }
}

fn names(plan: &Plan) -> Vec<String> {
    let name = |cell: &crate::cell::Cell| {
        format!(
            "{} {} {}",
            cell.case.name,
            cell.pin.name(),
            cell.subject.name
        )
    };
    plan.groups.iter().flatten().map(name).collect()
}

#[test]
fn each_case_has_its_own_pins() {
    let plan = Plan::new(&options(&["rr-1"], &["plain", "veth"]), &program()).expect("a plan");
    assert_eq!(
        names(&plan),
        [
            "rr-1 one plain",
            "rr-1 one veth",
            "rr-1 two plain",
            "rr-1 two veth",
            "rr-1 free plain",
            "rr-1 free veth"
        ]
    );
    let mut asked = options(&["rr-1", "in-1"], &["veth"]);
    asked.pins = vec![Pin::Two];
    let plan = Plan::new(&asked, &program()).expect("a plan");
    assert_eq!(names(&plan), ["in-1 two veth", "rr-1 two veth"]);
}

#[test]
fn a_subject_is_asked_only_for_what_it_can() {
    let asked = options(&["in-1", "in-10", "rr-64k", "crr"], &["ceiling"]);
    let plan = Plan::new(&asked, &program()).expect("a plan");
    assert_eq!(names(&plan), ["in-1 free ceiling", "crr one ceiling"]);
}

#[test]
fn what_is_not_here_is_skipped_with_a_reason() {
    let plan = Plan::new(&options(&["in-1"], &[]), &program()).expect("a plan");
    let skipped: Vec<&str> = plan.skipped.iter().map(|it| it.subject).collect();
    assert_eq!(
        skipped,
        [
            "calls",
            "napi",
            "busy-poll",
            "copying",
            "shards",
            "gvisor",
            "gvisor-plain",
            "ipstack"
        ]
    );
    assert!(plan.skipped[2].why.contains("--busy-poll"));
    assert!(plan.skipped[3].why.contains("--copying"));
    assert!(plan.skipped[4].why.contains("--shards"));
    assert!(plan.skipped[5].why.contains("/nonexistent/gv/gvpeer"));
    assert!(names(&plan).contains(&"in-1 free offload".to_owned()));
}

#[test]
fn nobody_is_measured_twice_in_a_round() {
    let mut asked = options(&["in-1", "in-1"], &["veth", "offload", "veth"]);
    asked.pins = vec![Pin::Free, Pin::One, Pin::Free];
    let plan = Plan::new(&asked, &program()).expect("a plan");
    let cells = [
        "in-1 free veth",
        "in-1 free offload",
        "in-1 one veth",
        "in-1 one offload",
    ];
    assert_eq!(names(&plan), cells);
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let refused = |options: &Options| Plan::new(options, &program()).expect_err("no plan");
    let error = refused(&options(&["in-2"], &[]));
    assert!(matches!(&error, BenchError::UnknownCase { name, .. } if name == "in-2"));
    assert!(error.to_string().contains("in-1, in-10"));
    let error = refused(&options(&[], &["linux"]));
    assert!(matches!(error, BenchError::UnknownSubject { .. }));
    let error = refused(&options(&["in-100"], &["ceiling"]));
    assert!(matches!(error, BenchError::NothingToDo));
    let error = refused(&options(&["in-1"], &["gvisor", "ipstack"]));
    assert!(matches!(
        error,
        BenchError::NobodyHere {
            subject: "gvisor",
            ..
        }
    ));
    assert!(error.to_string().contains("gv/build.sh"), "{error}");
    for (rounds, seconds) in [(0, 1.0), (1, 0.0), (1, f64::NAN), (1, 61.0)] {
        let mut asked = options(&[], &[]);
        (asked.rounds, asked.seconds) = (rounds, seconds);
        assert!(matches!(refused(&asked), BenchError::BadLength));
    }
}
