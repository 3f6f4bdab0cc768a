//! What `script` says, and to whom.

mod common;

use common::netstack;

#[test]
fn the_shell_does_not_write_among_the_objects() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("a.pkt");
    let text = "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n`echo of the shell`\n";
    std::fs::write(&script, text).unwrap();
    let ended = netstack(&format!("script --json --allow-shell {}", script.display()));
    ended.fine();
    let value: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["ok"], true);
    assert_eq!(ended.err, "of the shell\n");
}
