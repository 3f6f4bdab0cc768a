//! The two directions of a connection as values of their own.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use thiserror::Error;

use super::tcp_stream::{Stream, TcpStream};

/// The half of a [`TcpStream`] that reads.
pub struct OwnedReadHalf {
    stream: Arc<Stream>,
}

/// The half of a [`TcpStream`] that writes; dropping it ends the stream that the peer reads.
pub struct OwnedWriteHalf {
    /// `None` once it was joined with the other half again.
    stream: Option<Arc<Stream>>,
}

/// The halves belong to different connections; here they are again.
#[derive(Debug, Error)]
#[error("the halves belong to different connections")]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl OwnedReadHalf {
    pub(super) fn pair(stream: Arc<Stream>) -> (OwnedReadHalf, OwnedWriteHalf) {
        (
            OwnedReadHalf {
                stream: Arc::clone(&stream),
            },
            OwnedWriteHalf {
                stream: Some(stream),
            },
        )
    }

    /// Puts the halves together again.
    ///
    /// # Errors
    ///
    /// When they do not belong together.
    pub fn reunite(self, mut other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !other
            .stream
            .as_ref()
            .is_some_and(|stream| Arc::ptr_eq(stream, &self.stream))
        {
            return Err(ReuniteError(self, other));
        }
        other.stream = None;
        Ok(TcpStream {
            stream: self.stream,
        })
    }
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.poll_read(cx, buf)
    }
}

impl OwnedWriteHalf {
    fn poll(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &self.stream {
            Some(stream) => stream.poll_write(cx, bufs),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for OwnedWriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: what was written is on its way.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.as_ref().map_or(Ok(()), |stream| stream.end()))
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // A connection that is gone cannot be ended, and need not be.
            let _ = stream.end();
        }
    }
}

impl fmt::Debug for OwnedReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedReadHalf")
            .field("peer", &self.stream.socket.peer_addr().ok())
            .finish()
    }
}

impl fmt::Debug for OwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self
            .stream
            .as_ref()
            .and_then(|stream| stream.socket.peer_addr().ok());
        f.debug_struct("OwnedWriteHalf")
            .field("peer", &peer)
            .finish()
    }
}
