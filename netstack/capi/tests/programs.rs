//! Programs in C, compiled against the header and run with the library, shared and static.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a static library of Rust needs of the system.
const SYSTEM: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

/// Where the library is; it is built first, for nothing else has it built.
fn library() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "-p", "netstack-capi"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(
        built.expect("cargo").success(),
        "the library does not build"
    );
    // .../target/debug/deps/programs-... of this very program.
    let program = std::env::current_exe().expect("a path");
    let target = program.ancestors().nth(3).expect("a target directory");
    target.join("debug")
}

fn run(program: &str, shared: bool) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = library();
    let dir = tempfile::tempdir().expect("a directory");
    let made = dir.path().join(program);
    let mut compiler = Command::new("cc");
    compiler
        .args(["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(root.join("tests/c").join(program).with_extension("c"))
        .arg("-o")
        .arg(&made);
    if shared {
        compiler.arg("-L").arg(&library).arg("-lnetstack");
    } else {
        compiler.arg(library.join("libnetstack.a"));
    }
    let compiled = compiler.args(SYSTEM).output().expect("a C compiler");
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{errors}");
    let ran = Command::new(&made)
        .env("LD_LIBRARY_PATH", &library)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}: {said}", ran.status);
}

#[test]
fn two_stacks_talk_in_virtual_time() {
    run("virtual_time", false);
    run("virtual_time", true);
}

#[test]
fn every_option_does_what_it_says() {
    run("every_option", false);
}

#[test]
fn bad_use_is_an_errno_and_never_a_crash() {
    run("bad_use", false);
}
