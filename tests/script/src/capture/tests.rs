use super::*;

#[test]
fn scripts_have_captures_of_their_own() {
    let names = [
        "a/b/x.pkt",
        "a/b-x.pkt",
        "a-b/x.pkt",
        "a%2db/x.pkt",
        "../a/b/x.pkt",
    ];
    let names = names.map(|path| name(Path::new(path)));
    assert_eq!(
        names,
        ["a-b-x", "a-b%2dx", "a%2db-x", "a%252db-x", "%2e%2e-a-b-x"]
    );
    assert_eq!(name(Path::new("./a.pkt")), "a");
}
