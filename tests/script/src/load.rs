//! Finds scripts and reads them from files.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::ast::Script;
use crate::error::{LoadError, ParseError};

/// Bytes of a script. The longest that somebody wrote have some thousands; a file without an end is no script.
const LONGEST: usize = 4 << 20;

/// The scripts (`*.pkt`) that `paths` name: files as they are, of directories all regular files below them, symbolic
/// links to directories aside, in the order of names.
///
/// # Errors
///
/// A directory cannot be read.
pub fn find(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            descend(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn descend(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?
        .map(|entry| {
            let entry = entry?;
            // Symbolic links to folders are not followed: they may go round in circles.
            Ok((entry.path(), entry.file_type()?.is_dir()))
        })
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for (entry, is_folder) in entries {
        if is_folder {
            descend(&entry, found)?;
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "pkt")
            // A pipe that nobody writes to would hold up all others. What cannot be asked is told of when it is read.
            && fs::metadata(&entry).map_or(true, |entry| entry.is_file())
        {
            found.push(entry);
        }
    }
    Ok(())
}

/// Reads the script in the file `path`, once for each version of IP that it is for.
pub(crate) fn load_versions(path: &Path) -> Result<Vec<Script>, LoadError> {
    let script = load(path)?;
    let second = script.both.then(|| script.over_ipv6());
    Ok([script].into_iter().chain(second).collect())
}

/// Reads the script in the file `path`, which may be a pipe.
///
/// # Errors
///
/// The file cannot be read, is longer than 4 MiB, or is no script.
pub fn load(path: &Path) -> Result<Script, LoadError> {
    let unread = |error| LoadError::File {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    // One byte more tells what is too long.
    let mut beginning = File::open(path).map_err(unread)?.take(LONGEST as u64 + 1);
    beginning.read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > LONGEST {
        return Err(unread(io::Error::other("a script has at most 4 MiB")));
    }
    Ok(crate::parse(path, &text(path, bytes)?)?)
}

/// The text of a file, which has to be UTF-8: the place where it is not is told.
fn text(path: &Path, bytes: Vec<u8>) -> Result<String, ParseError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let what = format!(
            "the byte {:#04x} is not of UTF-8: save the script in that encoding",
            bytes.get(good).copied().unwrap_or_default()
        );
        let before = String::from_utf8_lossy(bytes.get(..good).unwrap_or(bytes));
        ParseError::at(path.to_owned(), &before, good, what)
    })
}

#[cfg(test)]
mod tests;
