//! What is written beside the report: annotated copies, graphs, SARIF.

use std::path::{Path, PathBuf};
use std::process::Command;

use pcap_verify::{annotate, check_file, plot, to_sarif_with};

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
    let judged = check_file(&copy).unwrap();
    assert_eq!((judged.packets, judged.findings), (2, report.findings));
}

/// Whatever is not about findings stays: names, counts of what was lost, comments of others, in either order of bytes.
#[test]
fn a_copy_says_what_the_capture_says() {
    for swap in [false, true] {
        let block = |kind: u32, body: &[u32]| {
            let mut block = block(kind, body);
            for word in block.chunks_mut(4).filter(|_| swap) {
                word.reverse();
            }
            block
        };
        let bytes = |text: &[u8; 4]| {
            let word = u32::from_le_bytes(*text);
            if swap { word.swap_bytes() } else { word }
        };
        // Two numbers of 16 bits, of which the second in the file stands in the lower half where bytes are swapped.
        let pair = |first: u32, second: u32| {
            if swap {
                first << 16 | second
            } else {
                second << 16 | first
            }
        };
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("file"), directory.path().join("copy"));
        let kept = [
            // A link of raw IP with a name, the name of an address, what was lost, and a block of somebody's.
            block(1, &[pair(101, 0), 0, pair(2, 4), bytes(b"eth7"), 0]),
            block(4, &[pair(1, 8), 0x0a00_0001, bytes(b"one\0"), 0]),
            block(5, &[0, 0, 0, pair(4, 8), 0, 5, 0]),
            block(0xbad, &[4711, bytes(b"mine")]),
        ];
        let comment = [pair(1, 4), bytes(b"hers")];
        let flags = [pair(2, 4), 1];
        let packet = [&[0, 7, 9, 4, 4, 0][..], &comment, &flags, &[0]].concat();
        let section = block(0x0a0d_0d0a, &[0x1a2b_3c4d, pair(1, 0), 0, 64]);
        // The last has no time.
        let packets = [block(6, &packet), block(3, &[4, 0])].concat();
        std::fs::write(&path, [section, kept.concat(), packets].concat()).unwrap();
        let report = check_file(&path).unwrap();
        assert_eq!((report.packets, report.errors), (2, 2), "{report}");
        annotate(&path, &report, &copy).unwrap();
        let written = std::fs::read(&copy).unwrap();
        let has = |part: &[u8]| written.windows(part.len()).any(|window| window == part);
        assert!(kept.iter().all(|block| has(block)));
        assert!(has(b"hers") && has(b"J-IP-01"));
        let judged = check_file(&copy).unwrap();
        assert_eq!(judged.findings, report.findings);
        assert_eq!(judged.counts, report.counts);
        // It is given the time of the one before it.
        let time = block(6, &[0, 7, 9, 4, 4, 0])[8..24].to_vec();
        assert_eq!(
            written.windows(16).filter(|window| *window == time).count(),
            2
        );
    }
}

#[test]
fn a_capture_that_lost_packets_is_judged_alike_in_its_copy() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("file"), directory.path().join("copy"));
    let whole = std::fs::read(capture("bulk4")).unwrap();
    // The interface dropped five packets.
    let lost = block(5, &[0, 0, 0, 0x0008_0005, 5, 0, 0]);
    std::fs::write(&path, [whole, lost].concat()).unwrap();
    let report = check_file(&path).unwrap();
    assert!(
        report.limits.concat().contains("lost 5 packets"),
        "{report}"
    );
    annotate(&path, &report, &copy).unwrap();
    assert_eq!(check_file(&copy).unwrap(), report);
}

/// Seconds since 1970, for which nanoseconds have no room.
#[test]
fn a_time_stays_in_the_units_of_its_capture() {
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
    // Pictures of a capture with more connections go, and nothing else.
    for name in ["flow-1.svg", "flow-63.svg", "flow-x.svg"] {
        std::fs::write(place.join(name), "old").unwrap();
    }
    plot(&capture("lossy_sender"), &place).unwrap();
    let entries = std::fs::read_dir(&place).unwrap();
    let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["flow-0.svg", "flow-x.svg", "index.html"]);
    assert!(plot(&capture("closes"), Path::new("/dev/null/x")).is_err());
}

#[test]
fn sarif_names_every_rule() {
    let directory = tempfile::tempdir().unwrap();
    let path = broken(directory.path());
    let report = check_file(&path).unwrap();
    let found = report.findings.len();
    let mut limited = report.clone();
    limited.limits.push("something".to_owned());
    limited.findings.pop();
    let files = [("a b.pcapng".to_owned(), report), ("c".to_owned(), limited)];
    let log = to_sarif_with(&files, &[("d".to_owned(), "no capture".to_owned())]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 2 * found - 1);
    let call = &run["invocations"][0];
    assert_eq!(call["executionSuccessful"], false);
    let told = call["toolExecutionNotifications"].as_array().unwrap();
    let told: Vec<&str> = told
        .iter()
        .map(|one| one["message"]["text"].as_str().unwrap())
        .collect();
    let last = [
        "cannot say: something",
        "1 more findings are not listed",
        "no capture",
    ];
    assert!(told.ends_with(&last), "{told:?}");
    assert_eq!(run["artifacts"][0]["location"]["uri"], "a%20b.pcapng");
    assert!(run["tool"]["driver"]["rules"].as_array().unwrap().len() > 100);
}
