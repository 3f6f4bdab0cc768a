//! The two directions of a connection as values of their own.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use bytes::Bytes;
use netstack_core::RecvFlags;
use thiserror::Error;
use txbuf::{IovIter, Span};

use super::tcp_stream::{Stream, TcpStream};
use super::transfer::{receive, send_bytes};

impl TcpStream {
    /// The two directions, borrowed, for two branches of one task. Dropping them ends nothing.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        let stream = &*self;
        (ReadHalf(stream), WriteHalf(stream))
    }

    /// The two directions as values of their own, for two tasks. Dropping the write half ends the stream that the
    /// peer reads.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let reads = OwnedReadHalf {
            stream: Arc::clone(&self.stream),
        };
        let writes = OwnedWriteHalf {
            stream: Some(self.stream),
        };
        (reads, writes)
    }
}

/// The borrowed half of a [`TcpStream`] that reads; the functions of the stream are its too.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The borrowed half of a [`TcpStream`] that writes; the functions of the stream are its too.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

impl AsRef<TcpStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsyncRead for ReadHalf<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.stream.poll_read(cx, buf)
    }
}

impl AsyncWrite for WriteHalf<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.stream.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.stream.poll_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: what was written is on its way.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.stream.end())
    }
}

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

impl OwnedReadHalf {
    /// Copies from the front of the stream and leaves it there; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// As a read.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut into = IovIter::buffer(buf);
        let received = receive(&self.stream.socket, &mut into, RecvFlags::PEEK).await?;
        Ok(received.bytes)
    }

    /// Moves at most `max` bytes to the end of `into`, as [`TcpStream::recv_spans`].
    ///
    /// # Errors
    ///
    /// As a read.
    pub async fn recv_spans(&self, into: &mut VecDeque<Span>, max: usize) -> io::Result<usize> {
        let mut into = IovIter::collect(into, max);
        let received = receive(&self.stream.socket, &mut into, RecvFlags::NONE).await?;
        Ok(received.bytes)
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.socket.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.socket.local_addr()
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
    /// Sends from the front of `bytes` without copying, as [`TcpStream::send_bytes`].
    ///
    /// # Errors
    ///
    /// As a write; `bytes` is as it was.
    pub async fn send_bytes(&self, bytes: &mut Bytes) -> io::Result<usize> {
        match &self.stream {
            Some(stream) => send_bytes(&stream.socket, bytes).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Some(stream) => stream.socket.peer_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Some(stream) => stream.socket.local_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

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
