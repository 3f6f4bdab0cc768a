//! A file for the http service to give out, and a client that fetches it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use tempfile::TempDir;

use super::data::{Fingerprint, Hasher, Source};
use super::host::{Host, Stream};
use super::traffic::Bulk;
use crate::failure::Failure;

/// The most bytes of the file.
pub(crate) const LARGEST: u64 = 200 * 1000 * 1000;

const NAME: &str = "demo.bin";
/// Sets its bytes apart from those of the streams.
const SEED: u64 = 4;
/// What is read at a time.
const READ: usize = 256 << 10;
/// The longest head of an answer.
const LONGEST_HEAD: usize = 8 << 10;
/// What ends the head of an answer.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A directory with one file, which goes with this value.
pub(crate) struct WebFile {
    dir: TempDir,
    file: File,
}

/// What is in the file.
#[derive(Clone, Copy)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    digest: Fingerprint,
}

impl WebFile {
    /// Makes the file in a new directory below `parent`, without content.
    ///
    /// # Errors
    /// In a sentence that says what to do.
    pub(crate) fn new(parent: &Path) -> Result<Self, Failure> {
        tempfile::Builder::new()
            .prefix("demo-http-")
            .tempdir_in(parent)
            .and_then(|dir| {
                Ok(WebFile {
                    file: File::create(dir.path().join(NAME))?,
                    dir,
                })
            })
            .map_err(|error| cannot_make(parent, &error))
    }

    /// The directory that is to be given out.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the content.
    ///
    /// # Errors
    /// In a sentence that says what to do, such as when the disk is full.
    pub(crate) fn fill(&mut self, bytes: u64) -> Result<Content, Failure> {
        let mut source = Source::new(SEED, bytes);
        let mut hasher = Hasher::default();
        while let Some(chunk) = source.next_chunk() {
            hasher.update(chunk);
            self.file
                .write_all(chunk)
                .map_err(|error| cannot_make(self.dir.path(), &error))?;
        }
        Ok(Content {
            bytes,
            digest: hasher.finish(),
        })
    }
}

/// Gets the file from the http service at `server` over one connection. It should have `content`.
///
/// # Errors
/// When the connection fails, and when the service answers with anything but a file.
pub(crate) fn fetch(
    client: &Host,
    server: SocketAddr,
    content: Content,
    bar: &ProgressBar,
) -> io::Result<Bulk> {
    let begun = Instant::now();
    let mut stream = client.connect(server)?;
    let request = format!("GET /{NAME} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut hasher = Hasher::default();
    let begin = read_head(&mut stream)?;
    hasher.update(&begin);
    bar.inc(begin.len() as u64);
    let mut buffer = vec![0; READ];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
        bar.inc(length as u64);
    }
    Ok(Bulk {
        bytes: content.bytes,
        time: begun.elapsed(),
        sent: content.digest,
        arrived: hasher.finish(),
    })
}

/// Reads the head of an answer and returns what was read behind it.
fn read_head(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        if let Some(at) = head.windows(HEAD_END.len()).position(|w| w == HEAD_END) {
            if !head.starts_with(b"HTTP/1.1 200 ") {
                let status = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let status = String::from_utf8_lossy(status);
                return Err(io::Error::other(format!(
                    "the http service answered {status}"
                )));
            }
            return Ok(head.split_off(at + HEAD_END.len()));
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if head.len() > LONGEST_HEAD => {
                return Err(io::Error::other("the http service's answer has no end"));
            }
            read => head.extend_from_slice(&piece[..read]),
        }
    }
}

fn cannot_make(dir: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "choose another place with --out, free space there, or move less with --size"
        }
        _ => "choose another place with --out",
    };
    let sentence = format!(
        "cannot make a file for the http service in {}: {error}",
        dir.display()
    );
    Failure::with_remedy(sentence, error, remedy)
}
