//! The header is what cbindgen makes of the sources.

use std::path::Path;

#[test]
fn the_header_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("a configuration");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["global.rs", "stack.rs"] {
        builder = builder.with_src(root.join("src").join(file));
    }
    let bindings = builder.generate().expect("sources that parse");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let path = root.join("include/netstack.h");
    if std::env::var_os("UPDATE_HEADER").is_some_and(|value| value == "1") {
        std::fs::write(&path, &made).expect("a header to be written");
    }
    let there = std::fs::read(&path).expect("a header");
    assert!(
        there == made,
        "include/netstack.h is not current: UPDATE_HEADER=1 cargo test -p netstack-capi --test header"
    );
    let made = String::from_utf8(made).expect("text");
    for name in [
        "ns_init(",
        "ns_sysctl(",
        "ns_stack_epoll_wait(",
        "ns_version(",
    ] {
        assert!(made.contains(name), "{name} is missing");
    }
}
