//! Files below the root, and none beside it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::listing;

/// How often a resolution is tried that lost a race against a rename.
const RACES: usize = 8;

/// The directory whose content the service gives out.
pub(crate) struct Files {
    root: OwnedFd,
}

/// What a path leads to.
pub(crate) enum Found {
    File { file: File, length: u64 },
    Directory(Directory),
}

/// A directory below the root.
pub(crate) struct Directory {
    fd: OwnedFd,
}

impl Files {
    /// Opens the root; it may be renamed afterwards, the service stays with it.
    ///
    /// # Errors
    /// When `root` is no directory or may not be read.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Files {
            root: rustix::fs::openat(CWD, root, flags, Mode::empty())?,
        })
    }

    /// What lies at `path`, which is relative to the root.
    ///
    /// The kernel resolves the path and refuses every step that leaves the root, through a symbolic link
    /// too, in one call: there is no moment between a check and its use.
    ///
    /// # Errors
    /// As `open` has them; `NotFound` for what leaves the root and for what is neither file nor directory.
    pub(crate) fn find(&self, path: &Path) -> io::Result<Found> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        // Without NONBLOCK a pipe among the files would hold its reader for ever.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = open_beneath(&self.root, path, flags)?;
        let status = rustix::fs::fstat(&fd)?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => {
                let length = u64::try_from(status.st_size).unwrap_or(0);
                Ok(Found::File {
                    file: File::from(fd),
                    length,
                })
            }
            FileType::Directory => Ok(Found::Directory(Directory { fd })),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Directory {
    /// A page of links to what the directory holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn listing(self, title: &str) -> io::Result<String> {
        let mut entries = Vec::new();
        let mut more = false;
        for entry in rustix::fs::Dir::new(self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if entries.len() == listing::MAX_ENTRIES {
                more = true;
                break;
            }
            entries.push((name.to_vec(), entry.file_type() == FileType::Directory));
        }
        entries.sort();
        Ok(listing::page(title, &entries, more))
    }
}

fn open_beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..RACES {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            Err(Errno::XDEV | Errno::LOOP) => return Err(io::ErrorKind::NotFound.into()),
            result => return Ok(result?),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}
