//! What is written beside the report: annotated copies, graphs, SARIF.

use std::path::{Path, PathBuf};
use std::process::Command;

use pcap_verify::{annotate, check_file, plot, to_sarif};

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/captures/{name}.pcapng"))
}

/// A capture whose last byte of payload in the 20th packet is another.
fn broken(directory: &Path) -> PathBuf {
    let mut bytes = std::fs::read(capture("slow_start")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x5a;
    let path = directory.join("broken.pcapng");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn tshark_shows_findings_as_comments() {
    let directory = tempfile::tempdir().unwrap();
    let path = broken(directory.path());
    let report = check_file(&path).unwrap();
    assert!(!report.is_clean(), "{report}");
    let copy = directory.path().join("marked.pcapng");
    annotate(&path, &report, &copy).unwrap();
    assert_eq!(check_file(&copy).unwrap().findings, report.findings);
    let shown = Command::new("tshark")
        .arg("-r")
        .arg(&copy)
        .args([
            "-Y",
            "frame.comment",
            "-T",
            "fields",
            "-e",
            "frame.number",
            "-e",
            "frame.comment",
        ])
        .output();
    let Ok(shown) = shown else {
        return needs::skip(
            "tshark cannot be run: install it to have annotated captures read by it",
        );
    };
    let text = String::from_utf8_lossy(&shown.stdout);
    let finding = &report.findings[0];
    let line = text.lines().next().unwrap();
    assert!(
        line.starts_with(&finding.packets[0].to_string()) && line.contains(finding.rule.id),
        "{text}"
    );
}

#[test]
fn a_copy_destroys_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = broken(directory.path());
    let (bytes, report) = (std::fs::read(&path).unwrap(), check_file(&path).unwrap());
    let link = directory.path().join("link.pcapng");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let hard = directory.path().join("hard.pcapng");
    std::fs::hard_link(&path, &hard).unwrap();
    for to in [&path, &link, &hard] {
        let error = annotate(&path, &report, to).unwrap_err().to_string();
        assert!(error.contains("the capture itself"), "{error}");
    }
    // What cannot be read twice is not, and what was there stays.
    let there = directory.path().join("there.pcapng");
    std::fs::write(&there, "kept").unwrap();
    for from in ["/dev/null", "/dev/zero"] {
        let error = annotate(Path::new(from), &report, &there).unwrap_err();
        assert!(error.to_string().contains("read twice"), "{error}");
        assert!(plot(Path::new(from), directory.path()).is_err());
    }
    assert!(annotate(&path, &report, Path::new("/dev/null")).is_err());
    let no_capture = directory.path().join("no capture");
    std::fs::write(&no_capture, "no capture, but long enough for a header").unwrap();
    assert!(annotate(&no_capture, &report, &there).is_err());
    assert_eq!(std::fs::read(&there).unwrap(), b"kept");
    annotate(&path, &report, &there).unwrap();
    assert_eq!(check_file(&there).unwrap().findings, report.findings);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    // Nothing half done is left behind: the capture, two links, the copy, and what is none.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 5);
}

/// A block of pcapng.
fn block(kind: u32, body: &[u32]) -> Vec<u8> {
    let length = body.len() as u32 * 4 + 12;
    let words = [&[kind, length], body, &[length]].concat();
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Two packets of these blocks are judged, and are in the copy.
fn is_copied(blocks: &[Vec<u8>]) {
    let section = block(0x0a0d_0d0a, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]);
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("file"), directory.path().join("copy"));
    std::fs::write(&path, [section, blocks.concat()].concat()).unwrap();
    let report = check_file(&path).unwrap();
    assert_eq!(report.packets, 2);
    annotate(&path, &report, &copy).unwrap();
    assert_eq!(check_file(&copy).unwrap().packets, 2);
}

/// Seconds since 1970, of which the copy has room for some 600 years.
#[test]
fn a_time_that_no_copy_can_say_is_the_last_that_it_can() {
    // Raw IP; the option says that times are in seconds.
    let interface = block(1, &[101, 0, 0x0001_0009, 0, 0]);
    let packet = block(6, &[0, 4000, 0, 4, 4, 0]);
    is_copied(&[interface, packet.clone(), packet]);
}

#[test]
fn packets_of_an_unknown_link_are_copied_beside_others() {
    let (unknown, raw) = (block(1, &[99, 0]), block(1, &[101, 0]));
    let [of_unknown, of_raw] = [0, 1].map(|interface| block(6, &[interface, 0, 0, 4, 4, 0]));
    is_copied(&[
        unknown.clone(),
        raw.clone(),
        of_unknown.clone(),
        of_raw.clone(),
    ]);
    is_copied(&[
        unknown.clone(),
        of_unknown.clone(),
        raw.clone(),
        of_raw.clone(),
    ]);
    is_copied(&[
        raw,
        unknown,
        block(6, &[0, 0, 0, 4, 4, 0]),
        block(6, &[1, 0, 0, 4, 4, 0]),
    ]);
}

/// Wireshark opens no file with more than 256 KiB in one packet, and the judge reads no block of more than 1 MiB.
#[test]
fn a_packet_that_is_too_long_for_a_copy_is_cut() {
    let data = vec![0; (1 << 20) / 4 - 16];
    let length = data.len() as u32 * 4;
    let packet = [&[0, 0, 0, length, length][..], &data].concat();
    is_copied(&[
        block(1, &[101, 0]),
        block(6, &packet),
        block(6, &[0, 0, 0, 4, 4, 0]),
    ]);
}

#[test]
fn graphs_of_each_connection() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("graphs");
    let plotted = plot(&capture("lossy_sender"), &place).unwrap();
    assert_eq!((plotted.drawn, plotted.connections), (1, 1));
    let picture = std::fs::read_to_string(place.join("flow-0.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("round-trip time"));
    assert!(
        picture.matches("<circle").count() > 3,
        "retransmissions are marked"
    );
    let index = std::fs::read_to_string(place.join("index.html")).unwrap();
    assert!(index.contains("flow-0.svg"));
    assert!(plot(&capture("closes"), Path::new("/dev/null/x")).is_err());
}

#[test]
fn sarif_names_every_rule() {
    let directory = tempfile::tempdir().unwrap();
    let path = broken(directory.path());
    let report = check_file(&path).unwrap();
    let found = report.findings.len();
    let log = to_sarif(&[("a b.pcapng".to_owned(), report)]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), found);
    assert_eq!(run["artifacts"][0]["location"]["uri"], "a%20b.pcapng");
    assert!(run["tool"]["driver"]["rules"].as_array().unwrap().len() > 100);
}
