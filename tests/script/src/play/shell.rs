//! Lines of a script that are for the shell.

use std::io;
use std::process::Command;

/// Gives `text` to the shell, if that `is_allowed`.
pub(super) fn run(text: &str, is_allowed: bool) -> Result<(), String> {
    if !is_allowed {
        return Err(format!(
            "`{text}` is a line for the shell, which runs only where that is allowed (--allow-shell)"
        ));
    }
    let ended = Command::new("/bin/sh")
        .arg("-c")
        .arg(text)
        // Standard output is for what became of scripts, which programs read.
        .stdout(io::stderr())
        .status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{text}`: {status}")),
        Err(error) => Err(format!("`{text}`: {error}")),
    }
}
