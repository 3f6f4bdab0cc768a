//! Programs in C, compiled against the header and run with the library, shared and static.
//!
//! With `SANITIZER=address` or `SANITIZER=thread`, and the library built for it (`.ci/sanitize`), they are compiled for it
//! too.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use drivers::netlink::Netns;
use needs::may_use_tun;

/// What a static library of Rust needs of the system.
const SYSTEM: [&str; 3] = ["-lpthread", "-ldl", "-lm"];

fn sanitizer() -> Option<String> {
    std::env::var("SANITIZER").ok()
}

/// Where the library is; it is built first, for nothing else has it built.
fn library() -> PathBuf {
    // .../target/debug/deps/programs-... of this very program, with a triple before `debug` where one was asked for.
    let program = std::env::current_exe().expect("a path");
    let debug = program.ancestors().nth(2).expect("a directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if sanitizer().is_some() {
        let triple = debug.parent().and_then(Path::file_name);
        cargo.args(["-p", "netstack-capi", "--target"]);
        cargo.arg(triple.expect("a triple"));
    } else {
        // With the features that the tests of the whole have: all it needs has been compiled for them.
        cargo.args(["--workspace", "--lib", "--profile", "test"]);
        cargo.args(["--test", "programs"]);
    }
    let built = cargo.status().expect("cargo");
    assert!(built.success(), "the library does not build");
    debug.to_owned()
}

/// How Rust's runtime of ThreadSanitizer is linked.
fn thread_runtime() -> Vec<String> {
    let printed = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output();
    let printed = String::from_utf8(printed.expect("rustc").stdout).expect("a path");
    let files = Path::new(printed.trim()).read_dir().expect("the directory");
    let paths = files.map(|file| file.expect("a file").path().display().to_string());
    let runtime = paths.filter(|path| path.ends_with("_rt.tsan.a")).last();
    let runtime = runtime.expect("the runtime, which nightly toolchains have");
    let ends = ["-Wl,--whole-archive", &runtime, "-Wl,--no-whole-archive"];
    let more = ["-Wl,--export-dynamic", "-lrt"];
    ends.into_iter().chain(more).map(str::to_owned).collect()
}

/// Runs a tool, which has to succeed.
fn done(tool: &mut Command) {
    let ran = tool.output().expect("a C compiler");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{errors}");
}

/// A program that is compiled, in a directory that goes with it.
struct Program {
    dir: tempfile::TempDir,
    name: &'static str,
    library: PathBuf,
}

impl Program {
    fn compile(name: &'static str, shared: bool) -> Program {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = library();
        let dir = tempfile::tempdir().expect("a directory");
        let object = dir.path().join("program.o");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(root.join("include"))
            .arg("-c")
            .arg(root.join("tests/c").join(name).with_extension("c"))
            .arg("-o")
            .arg(&object);
        let mut linker = Command::new("cc");
        linker.arg(object).arg("-o").arg(dir.path().join(name));
        if shared {
            linker.arg("-L").arg(&library).arg("-lnetstack");
        } else {
            linker.arg(library.join("libnetstack.a"));
        }
        if let Some(sanitizer) = sanitizer() {
            let flag = format!("-fsanitize={sanitizer}");
            compiler.arg(&flag);
            match sanitizer.as_str() {
                // That of GCC has not all that Rust's compiler calls.
                "thread" => linker.args(thread_runtime()),
                _ => linker.arg(flag),
            };
        }
        done(&mut compiler);
        done(linker.args(SYSTEM));
        Program { dir, name, library }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.dir.path().join(self.name));
        command.env("LD_LIBRARY_PATH", &self.library);
        command
    }
}

fn succeeded(ran: &Output) {
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{}: {said}", ran.status);
}

fn run(name: &'static str, shared: bool) {
    let program = Program::compile(name, shared);
    succeeded(&program.command().output().expect("the program"));
}

#[test]
fn two_stacks_talk_in_virtual_time() {
    run("virtual_time", false);
    // The runtime of a sanitizer is not in the shared library.
    if sanitizer().is_none() {
        run("virtual_time", true);
    }
}

#[test]
fn every_option_does_what_it_says() {
    run("every_option", false);
}

#[test]
fn every_variable_does_what_it_says() {
    run("variables", false);
}

#[test]
fn times_urgent_bytes_and_shared_ports_are_as_on_linux() {
    run("times_and_marks", false);
}

#[test]
fn bad_use_is_an_errno_and_never_a_crash() {
    run("bad_use", false);
}

/// Runs a program in a network namespace of its own.
fn run_apart(name: &'static str) {
    if !may_use_tun() {
        return;
    }
    let program = Program::compile(name, false);
    let space = Netns::anonymous().expect("root");
    let ran = space.run(|| program.command().output());
    succeeded(&ran.expect("a namespace").expect("the program"));
}

#[test]
fn a_stack_that_runs_by_itself_talks_to_the_kernel_and_its_calls_wait() {
    run_apart("attached");
}

#[test]
fn calls_that_wait_do_all_of_their_work() {
    run_apart("whole");
}
