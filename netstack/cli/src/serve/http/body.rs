//! The body of a response: a short text, or a stretch of a file that is read as the client takes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

/// How much of a file is in memory at a time, for each connection.
const CHUNK: usize = 256 << 10;

/// What a response carries.
pub(crate) enum Body {
    /// All of it, in memory.
    Text(Bytes),
    /// `remaining` bytes from the file's present position on.
    File {
        file: File,
        remaining: u64,
        /// Filled by a read that is still going on.
        chunk: Vec<u8>,
    },
}

impl Body {
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Body::Text(text.into())
    }

    pub(crate) fn file(file: File, length: u64) -> Self {
        Body::File {
            file,
            remaining: length,
            chunk: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Body::Text(text) => text.len() as u64,
            Body::File { remaining, .. } => *remaining,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Body::Text(text) if text.is_empty() => Poll::Ready(None),
            Body::Text(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Body::File { remaining: 0, .. } => Poll::Ready(None),
            Body::File {
                file,
                remaining,
                chunk,
            } => {
                let want = CHUNK.min(usize::try_from(*remaining).unwrap_or(CHUNK));
                chunk.resize(want, 0);
                let mut space = ReadBuf::new(chunk);
                ready!(Pin::new(file).poll_read(cx, &mut space))?;
                let got = space.filled().len();
                if got == 0 {
                    // The length was promised: all that is left is to break the connection off.
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                chunk.truncate(got);
                *remaining -= got as u64;
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(chunk).into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}
