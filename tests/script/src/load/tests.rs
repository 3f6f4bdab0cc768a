use std::fs;

use super::{LONGEST, load};

/// Why the file with `bytes` is no script.
fn told(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("a.pkt");
    fs::write(&path, bytes).expect("a file");
    let told = load(&path).expect_err("no script").to_string();
    told.replace(&folder.path().display().to_string(), "")
}

#[test]
fn what_is_too_long_is_not_read_to_its_end() {
    let line = b"0 close(3) = 0\n";
    let mut text = line.repeat(LONGEST / line.len());
    text.resize(LONGEST, b'\n');
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("a.pkt");
    fs::write(&path, &text).expect("a file");
    let script = load(&path).expect("a script of just the length");
    assert_eq!(script.events.len(), LONGEST / line.len());
    text.push(b'\n');
    assert_eq!(
        told(&text),
        "/a.pkt: it cannot be read: a script has at most 4 MiB"
    );
    let endless = load("/dev/zero".as_ref()).expect_err("no script");
    assert_eq!(
        endless.to_string(),
        "/dev/zero: it cannot be read: a script has at most 4 MiB"
    );
}

#[test]
fn what_is_not_utf_8_is_told_with_its_place() {
    assert_eq!(
        told(b"0 close(3) = 0\n// caf\xc3\xa9 caf\xe9\n"),
        "/a.pkt:2:12: the byte 0xe9 is not of UTF-8: save the script in that encoding"
    );
}

#[test]
fn a_file_that_is_not_there_is_no_fault_of_a_script() {
    let told = load("/nonexistent.pkt".as_ref()).expect_err("no file");
    assert!(matches!(told, crate::LoadError::File { .. }), "{told}");
}
