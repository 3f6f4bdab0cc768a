//! Files that appear when all of them is written, and not before.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// A file in `folder` that goes when it is not kept, with the rights that new files have.
pub(crate) fn draft(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
