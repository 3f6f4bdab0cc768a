//! The file of a capture: opened before anything is set up, emptied once nothing can be refused any more.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::failure::Failure;

/// A file that is open and this process's alone, with all that was in it.
pub(crate) struct CaptureFile {
    file: File,
    place: Place,
}

/// Where a capture goes, for the sentences that say what is wrong there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// What to do about it, such as "choose another file with --pcap".
    remedy: &'static str,
}

impl CaptureFile {
    /// Opens `path`, or makes an empty file of that name. `remedy` says how another is chosen.
    ///
    /// # Errors
    /// It cannot be written, another process writes its own capture into it, or it is a pipe that nobody reads.
    pub(crate) fn open(path: &Path, remedy: &'static str) -> Result<Self, Failure> {
        let place = Place {
            path: path.to_owned(),
            remedy,
        };
        // Without waiting for the reader of a pipe: no signal would end that.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options
            .custom_flags(flags)
            .open(path)
            .map_err(|error| place.cannot_open(&error))?;
        let failed = |error: Errno| place.failure(&error.into());
        let blocking = fcntl_getfl(&file).map_err(failed)? - OFlags::NONBLOCK;
        fcntl_setfl(&file, blocking).map_err(failed)?;
        // Only a regular file can be spoilt by a second writer. A file system without locks has none to offer.
        if is_regular(&file) && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Failure::new(format!(
                "the capture {} is being written by another process: {remedy}",
                path.display()
            )));
        }
        Ok(CaptureFile { file, place })
    }

    /// Whether this is the regular file that `path` leads to: two captures do not fit one.
    pub(crate) fn is_file_at(&self, path: &Path) -> bool {
        let number = |found: io::Result<Metadata>| {
            let found = found.ok().filter(Metadata::is_file)?;
            Some((found.dev(), found.ino()))
        };
        let own = number(self.file.metadata());
        own.is_some() && own == number(std::fs::metadata(path))
    }

    /// Throws away what was in the file, which is ready for a capture then.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn begin(self) -> Result<(File, Place), Failure> {
        if is_regular(&self.file) {
            let emptied = self.file.set_len(0);
            emptied.map_err(|error| self.place.failure(&error))?;
        }
        Ok((self.file, self.place))
    }
}

impl Place {
    /// What to say of a capture that could not be written.
    pub(crate) fn failure(&self, error: &io::Error) -> Failure {
        let space = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => " or free space there",
            _ => "",
        };
        self.say("the capture could not be written to", error, space)
    }

    fn cannot_open(&self, error: &io::Error) -> Failure {
        let is_pipe = || {
            let metadata = std::fs::metadata(&self.path);
            metadata.is_ok_and(|metadata| metadata.file_type().is_fifo())
        };
        if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) && is_pipe() {
            return Failure::new(format!(
                "nobody reads the pipe {}: start its reader first",
                self.path.display()
            ));
        }
        self.say("cannot write the capture", error, "")
    }

    fn say(&self, what: &str, error: &io::Error, more: &str) -> Failure {
        let sentence = format!("{what} {}: {error}", self.path.display());
        Failure::with_remedy(sentence, error, &format!("{}{more}", self.remedy))
    }
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}
