//! Real Linux traffic, captured by `captures/make.py`: no error may be found in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use pcap_verify::{Options, Report, check_file, check_file_with};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

fn judge(directory: &Path) -> Vec<(String, Report)> {
    let mut reports: Vec<(String, Report)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "pcapng"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, check_file(&path).unwrap())
        })
        .collect();
    reports.sort_by(|a, b| a.0.cmp(&b.0));
    reports
}

#[test]
fn kept_captures_of_linux_have_no_errors() {
    let reports = judge(&captures());
    assert_eq!(reports.len(), 19);
    for (name, report) in &reports {
        println!("{name}: {report}");
    }
    for (name, report) in reports {
        assert!(report.is_clean() && report.packets > 20, "{name}: {report}");
    }
}

#[test]
fn a_capture_is_judged_from_the_place_that_is_said() {
    let beside = |host: &str| {
        let mut options = Options::default();
        options.beside = vec![host.parse().unwrap()];
        check_file_with(&captures().join("reordered_sender.pcapng"), &options).unwrap()
    };
    let sender = beside("10.9.0.1");
    assert!(sender.findings.is_empty(), "{sender}");
    // It is not where the receiver is: what that one sends comes out of order.
    let receiver = beside("10.9.0.2");
    assert!(receiver.counts.contains_key("W-ACK-07"), "{receiver}");
    assert!(sender.withheld.contains_key("W-ACK-07"), "{sender:?}");
}

#[test]
fn fresh_captures_of_linux_have_no_errors() {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new("python3")
        .arg(captures().join("make.py"))
        .arg(directory.path())
        .args([
            "bulk4",
            "slow_start",
            "lossy_receiver",
            "lossy_sender",
            "closes",
        ])
        .output();
    let failure = match made {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = failure {
        return needs::skip(format_args!(
            "no captures can be made here (root, python3, dumpcap and ethtool are needed): {why}"
        ));
    }
    let reports = judge(directory.path());
    assert_eq!(reports.len(), 5);
    for (name, report) in reports {
        assert!(report.is_clean(), "{name}: {report}");
    }
}
