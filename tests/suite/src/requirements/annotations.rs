//! Comments of the form `// req: ID, ID` above code and above tests, and anywhere in packet scripts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folders that hold code and tests.
const ROOTS: [&str; 4] = ["txbuf", "drivers", "netstack", "tests"];

/// An id in a comment.
#[derive(Debug)]
pub struct Annotation {
    /// What stands there; no row need have it.
    pub id: String,
    /// The file, as seen from the root of the workspace.
    pub file: String,
    /// Counted from one.
    pub line: usize,
    /// What the comment stands above.
    pub above: Above,
}

/// What an annotation stands above.
#[derive(Debug, PartialEq, Eq)]
pub enum Above {
    /// Code that meets the requirement.
    Code,
    /// The test of this name, or the packet script, which shows it.
    Test(String),
    /// In a file of tests, something that is none.
    Nothing,
}

/// Reads all annotations below `workspace`, in the order of files and lines.
///
/// # Errors
///
/// A file or folder that cannot be read.
pub fn annotations(workspace: &Path) -> io::Result<Vec<Annotation>> {
    let mut files = Vec::new();
    for root in ROOTS {
        sources(&workspace.join(root), &mut files)?;
    }
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let relative = path.strip_prefix(workspace).unwrap_or(&path);
        let name = relative.to_string_lossy().into_owned();
        scan(&name, &fs::read_to_string(&path)?, &mut found);
    }
    Ok(found)
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                sources(&path, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "pkt")
        {
            files.push(path);
        }
    }
    Ok(())
}

pub(super) fn scan(file: &str, text: &str, found: &mut Vec<Annotation>) {
    let tests = is_of_tests(file);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(ids) = line.strip_prefix("// req:") else {
            continue;
        };
        for id in ids.split(',') {
            found.push(Annotation {
                id: id.trim().to_owned(),
                file: file.to_owned(),
                line: at + 1,
                above: if let Some(script) = file.strip_suffix(".pkt") {
                    Above::Test(script.rsplit('/').next().unwrap_or(script).to_owned())
                } else if tests {
                    test_at(&lines[at..]).map_or(Above::Nothing, Above::Test)
                } else {
                    Above::Code
                },
            });
        }
    }
}

/// Whether code in this file runs only as a test: `foo/tests.rs`, `foo/tests/bar.rs`, `crate/tests/baz.rs`.
fn is_of_tests(file: &str) -> bool {
    // The folder `tests` at the root holds crates, whose tests are one level further down.
    file.split('/')
        .skip(1)
        .any(|part| part == "tests" || part == "tests.rs")
}

/// The test that begins within the attributes and comments at the start of `lines`. One that CI ignores shows nothing.
fn test_at(lines: &[&str]) -> Option<String> {
    let mut is_test = false;
    for line in lines {
        if line.starts_with("#[ignore") {
            return None;
        }
        if line.starts_with("#[") {
            is_test |= line.ends_with("test]") || line.contains("::test(");
        } else if !line.starts_with("//") {
            let (_, after) = line.split_once("fn ")?;
            let name = after.split(['(', '<']).next()?;
            return is_test.then(|| name.to_owned());
        }
    }
    None
}
