//! Why a script cannot be read.

use std::io;
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

/// Why there is no script in a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read: that says nothing of what is in it.
    #[error("{}: it cannot be read: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What is in it is no script.
    #[error(transparent)]
    Text(#[from] ParseError),
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
