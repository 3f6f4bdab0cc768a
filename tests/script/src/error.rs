//! Why a script cannot be read.

use std::path::PathBuf;

use thiserror::Error;

/// A script that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}:{line}:{column}: {what}", .path.display())]
pub struct ParseError {
    /// The file.
    pub path: PathBuf,
    /// The line, from one.
    pub line: usize,
    /// The column, in characters from one.
    pub column: usize,
    /// What was expected there and what stands there, or why it cannot be used.
    pub what: String,
}

impl ParseError {
    /// The error at byte `at` of `text`.
    pub(crate) fn at(path: PathBuf, text: &str, at: usize, what: String) -> ParseError {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        ParseError {
            path,
            line,
            column,
            what,
        }
    }
}
