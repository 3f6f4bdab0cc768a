//! What users of other stacks ran into, and the tests that show that it does not happen here.

use std::fs;
use std::io;
use std::path::Path;

use super::{folder, records, take};

/// A problem that was reported of another stack.
#[derive(Debug)]
pub struct User {
    /// Where it was reported, and what it was.
    pub reported: String,
    /// What happens here instead.
    pub here: String,
    /// The tests that show it, each as `file::name`.
    pub tests: Vec<String>,
}

/// Reads `users.tsv`.
///
/// # Errors
///
/// It cannot be read, or lacks a column.
pub fn users() -> io::Result<Vec<User>> {
    records(&folder().join("users.tsv"))?
        .into_iter()
        .map(|mut row| {
            Ok(User {
                reported: take(&mut row, &["reported"])?,
                here: take(&mut row, &["here"])?,
                tests: take(&mut row, &["tests"])?
                    .split(' ')
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect()
}

impl User {
    /// The tests it names that the sources below `workspace` do not have.
    pub fn missing(&self, workspace: &Path) -> Vec<&str> {
        let tests = self.tests.iter().map(String::as_str);
        tests.filter(|test| !exists(workspace, test)).collect()
    }
}

fn exists(workspace: &Path, test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else {
        return false;
    };
    let Ok(text) = fs::read_to_string(workspace.join(file)) else {
        return false;
    };
    if let Some(script) = file.strip_suffix(".pkt") {
        return script.rsplit('/').next() == Some(name);
    }
    let begins = format!("fn {name}(");
    text.lines().any(|line| line.trim().contains(&begins))
}
